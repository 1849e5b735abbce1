package objective

import (
	"fmt"
	"math"

	"plumbline/dpo"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

var (
	pairShape = []string{"N"}
	pairAxes  = []string{"pair"}
)

func init() { op.Register(dpoLossOp) }

// dpoLossOp is dpo.loss.
var dpoLossOp = &op.Op{
	Name: "dpo.loss",
	Doc: "Direct preference optimisation: the mean loss of pairs of responses, their implicit rewards, and the " +
		"gradient.",
	Equations: []string{
		"dpo.Pairs.Loss", "dpo.Pairs.LossPerToken", "dpo.Pairs.Margins", "dpo.Pairs.MarginsPerToken",
		"dpo.Pairs.Rewards", "dpo.ImplicitReward", "dpo.SigmoidLoss", "dpo.IPO",
		"logistic.LogSigmoid", "logistic.Sigmoid",
	},
	Inputs: []op.Tensor{
		{
			Name: "chosen", Shape: pairShape,
			Doc: "log-probabilities of the chosen responses, sums over their tokens",
		},
		{Name: "rejected", Shape: pairShape, Doc: "the same of the rejected responses"},
		{
			Name: "ref_chosen", Shape: pairShape,
			Doc: "log-probabilities of the chosen responses under the reference",
		},
		{Name: "ref_rejected", Shape: pairShape, Doc: "the same of the rejected responses"},
		{
			Name: "lengths_chosen", Shape: pairShape, Any: true, Optional: true,
			Doc: "tokens of the chosen responses; needed for length_normalize",
		},
		{
			Name: "lengths_rejected", Shape: pairShape, Any: true, Optional: true,
			Doc: "tokens of the rejected responses; needed for length_normalize",
		},
	},
	Outputs: []op.Tensor{
		{Name: "loss", Shape: noShape, Axes: noShape, Doc: "mean loss of the pairs"},
		{
			Name: "chosen_reward", Shape: pairShape, Axes: pairAxes,
			Doc: "beta·(log π − log π_ref) of the chosen responses",
		},
		{Name: "rejected_reward", Shape: pairShape, Axes: pairAxes, Doc: "the same of the rejected responses"},
		{Name: "dchosen", Shape: pairShape, Axes: pairAxes, Doc: "gradient of the loss for chosen"},
		{Name: "drejected", Shape: pairShape, Axes: pairAxes, Doc: "gradient of the loss for rejected"},
	},
	Attrs: []op.Attr{
		{Name: "beta", Kind: op.Number, Default: 0.1, Doc: "weight of the divergence from the reference"},
		{
			Name: "kind", Kind: op.Choice, Default: "sigmoid", Choices: []string{"sigmoid", "ipo"},
			Doc: "−log σ(β h), or (h − 1/2β)²",
		},
		{
			Name: "label_smoothing", Kind: op.Number, Default: 0.0,
			Doc: "share of the label that goes to the other order, for sigmoid",
		},
		{
			Name: "length_normalize", Kind: op.Flag, Default: false,
			Doc: "divide log-ratios by the number of tokens in the loss (not in the rewards)",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      checkDPO,
	Truth:      preferenceLoss,
}

func checkDPO(c *op.Case) error {
	if c.Float("beta") <= 0 {
		return fmt.Errorf("attrs: %q: found %v, want more than 0", "beta", c.Float("beta"))
	}
	smoothing := c.Float("label_smoothing")
	if smoothing < 0 || smoothing > 1 || smoothing != 0 && c.Word("kind") == "ipo" {
		return fmt.Errorf(
			"attrs: %q: found %v for %s, want 0 to 1, and 0 for ipo", "label_smoothing", smoothing, c.Word("kind"),
		)
	}
	if !c.Flag("length_normalize") {
		return nil
	}
	for _, name := range []string{"lengths_chosen", "lengths_rejected"} {
		lengths := c.Input(name)
		if lengths == nil {
			return fmt.Errorf("attrs: %q needs the tensor %q", "length_normalize", name)
		}
		for i, n := range lengths.Data {
			if n < 1 || n != math.Trunc(n) || !dtype.Finite(n) {
				return fmt.Errorf("tensor %q: index [%d]: %v tokens, want a whole number from 1", name, i, n)
			}
		}
	}
	return nil
}

// preference is a batch of pairs with the conventions of a recording.
type preference struct {
	dpo.Pairs
	lengths         [2][]float64 // of chosen and rejected, 1 unless they divide
	beta, smoothing float64
	ipo             bool
}

func newPreference(c *op.Case) *preference {
	p := &preference{
		beta: c.Float("beta"), smoothing: c.Float("label_smoothing"),
		ipo: c.Word("kind") == "ipo",
	}
	p.Pairs = dpo.Pairs{
		Chosen: c.Input("chosen").Data, Rejected: c.Input("rejected").Data, RefChosen: c.Input("ref_chosen").Data,
		RefRejected: c.Input("ref_rejected").Data,
	}
	for side, name := range []string{"lengths_chosen", "lengths_rejected"} {
		p.lengths[side] = make([]float64, len(p.Chosen))
		for i := range p.lengths[side] {
			p.lengths[side][i] = 1
			if c.Flag("length_normalize") {
				p.lengths[side][i] = c.Input(name).Data[i]
			}
		}
	}
	return p
}

// pair is the loss of one pair.
func (p *preference) pair(h float64) (loss, dh float64) {
	if p.ipo {
		return dpo.IPO(h, p.beta)
	}
	return dpo.SigmoidLoss(h, p.beta, p.smoothing)
}

// preferenceLoss computes the margins of all pairs and from them everything else.
func preferenceLoss(c *op.Case) ([]verdict.Expected, error) {
	p := newPreference(c)
	n := len(p.Chosen)
	loss, dchosen, drejected := p.Loss(p.pair)
	if c.Flag("length_normalize") {
		loss, dchosen, drejected = p.LossPerToken(p.lengths[0], p.lengths[1], p.pair)
	}
	chosen, rejected := p.Rewards(p.beta)
	all := []op.Expectation{single("loss", loss)}
	for _, e := range []struct {
		name  string
		truth []float64
	}{{"chosen_reward", chosen}, {"rejected_reward", rejected}, {"dchosen", dchosen}, {"drejected", drejected}} {
		all = append(all, op.Expectation{Name: e.name, Truth: e.truth, Shape: []int{n}})
	}
	return c.Run(preferenceProgram(c, p), float64(40*n), all...), nil
}
