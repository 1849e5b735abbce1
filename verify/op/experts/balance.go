package experts

import (
	"fmt"

	"plumbline/verify/op"
)

func init() { op.Register(balanceOp, biasOp) }

// balanceOp is moe.balance_loss.
var balanceOp = &op.Op{
	Name: "moe.balance_loss",
	Doc:  "The auxiliary loss that balances the load of experts, devices or what is sent to them.",
	Inputs: []op.Tensor{
		{Name: "scores", Shape: []string{"N", "E"}, Doc: "of each token for each expert"},
		{
			Name: "indices", Shape: []string{"N", "K"}, Integer: true,
			Doc: "experts chosen; ids below 0 are not counted",
		},
		{
			Name: "groups", Shape: []string{"E"}, Integer: true, Optional: true,
			Doc: "the device of each expert, from 0 on; for `device` and `communication`",
		},
	},
	Outputs: []op.Tensor{{Name: "loss", Shape: []string{}, Axes: []string{}, Doc: "the loss"}},
	Attrs: []op.Attr{
		{
			Name: "kind", Kind: op.Choice, Default: "expert",
			Choices: []string{"expert", "device", "communication", "sequence"}, Doc: "what is balanced",
		},
		{Name: "alpha", Kind: op.Number, Default: 1.0, Doc: "factor of the loss"},
		{Name: "sequence_length", Kind: op.Count, Missing: "N", Doc: "of `sequence`: tokens of each"},
		{
			Name: "normalize_scores", Kind: op.Flag, Default: false,
			Doc: "each row of scores is divided by its sum first",
		},
		{
			Name: "top_groups", Kind: op.Count, Missing: "all devices",
			Doc: "of `communication`: the most devices of a token",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, {
		Name: "intermediate", Default: "that of accumulate", Doc: "element-wise results, and sums once they are formed",
	}},
	Equations: []string{
		"moe.ExpertLoss", "moe.DeviceLoss", "moe.CommunicationLoss", "moe.LossPerSequence", "moe.NormalizeScores",
	},
	Check: checkBalance,
	Truth: balanceLoss,
}

// biasOp is moe.bias_update.
var biasOp = &op.Op{
	Name: "moe.bias_update",
	Doc:  "One step of the bias that balances the load without a loss.",
	Inputs: []op.Tensor{
		{Name: "bias", Shape: []string{"E"}, Doc: "before the step"},
		{Name: "load", Shape: []string{"E"}, Integer: true, Doc: "tokens that each expert had"},
	},
	Outputs: []op.Tensor{{Name: "bias", Shape: []string{"E"}, Axes: []string{"expert"}, Doc: "after it"}},
	Attrs: []op.Attr{
		{Name: "rate", Kind: op.Number, Default: 0.001, Doc: "size of a step"},
		{
			Name: "rule", Kind: op.Choice, Default: "sign", Choices: []string{"sign", "proportional"},
			Doc: "rate × the sign of mean load − load, which is 0 for 0, or rate × that difference in tokens",
		},
		{Name: "center", Kind: op.Flag, Default: false, Doc: "the mean of the steps is subtracted from each"},
	},
	Arithmetic: []op.Key{op.AccumulateKey},
	Check:      checkLoad,
	Equations:  []string{"moe.BiasSign", "moe.BiasSignCentered", "moe.BiasProportional"},
	Truth:      biasUpdate,
}

func checkBalance(c *op.Case) error {
	if err := checkIDs(c); err != nil {
		return err
	}
	kind, n := c.Word("kind"), c.Dim("N")
	switch length := SequenceLength(c); {
	case kind == "sequence" && (length == 0 || n%length != 0):
		return fmt.Errorf(
			"attrs: %q: found %d, want a divisor of %d, the number of tokens", "sequence_length", length, n,
		)
	case kind == "device" || kind == "communication":
		return checkDevices(c)
	}
	return nil
}

// checkDevices checks the device of each expert.
func checkDevices(c *op.Case) error {
	if !c.Recording.Has("groups") {
		return fmt.Errorf("tensor %q: missing, want the device of each expert for kind %s", "groups", c.Word("kind"))
	}
	for e, g := range c.Input("groups").Data {
		if g < 0 || g >= c.Extent("E") {
			return fmt.Errorf(
				"tensor %q: element [%d] is %.0f, want a device from 0 to %d", "groups", e, g, c.Dim("E")-1,
			)
		}
	}
	if n := c.Int("top_groups"); c.Has("top_groups") && (n == 0 || n > c.Dim("E")) {
		return fmt.Errorf("attrs: %q: found %d, want 1 to %d, the number of experts", "top_groups", n, c.Dim("E"))
	}
	return nil
}

// SequenceLength is how many tokens a sequence has.
func SequenceLength(c *op.Case) int {
	if c.Has("sequence_length") {
		return c.Int("sequence_length")
	}
	return c.Dim("N")
}

// checkLoad refuses negative loads.
func checkLoad(c *op.Case) error {
	for e, n := range c.Input("load").Data {
		if n < 0 {
			return fmt.Errorf("tensor %q: element [%d] is %.0f, want 0 or more", "load", e, n)
		}
	}
	return nil
}
