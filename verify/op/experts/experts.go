// Package experts has the ops of a mixture of experts: gate, balancing, dispatch, expert networks,
// and the layer of them all.
package experts

import (
	"fmt"
	"slices"

	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(expertsOp, layerOp) }

// expertWeights are the weights of routed and shared experts.
var expertWeights = []op.Tensor{
	{Name: "w_gate", Shape: []string{"E", "F", "d"}, Parts: true, Doc: "W1 of each expert"},
	{Name: "w_up", Shape: []string{"E", "F", "d"}, Parts: true, Doc: "W3 of each expert"},
	{Name: "w_down", Shape: []string{"E", "d", "F"}, Parts: true, Doc: "W2 of each expert"},
}

var sharedWeights = []op.Tensor{
	{
		Name: "shared_gate", Shape: []string{"Fs", "d"}, Optional: true, Parts: true,
		Doc: "W1 of the shared experts, as one of their whole width",
	},
	{Name: "shared_up", Shape: []string{"Fs", "d"}, Optional: true, Parts: true, Doc: "W3"},
	{Name: "shared_down", Shape: []string{"d", "Fs"}, Optional: true, Parts: true, Doc: "W2"},
}

var expertAttrs = []op.Attr{
	{
		Name: "swiglu_limit", Kind: op.Number, Default: 0.0,
		Doc: "W1 x is at most this, W3 x within ± this, before the activation; 0: off",
	},
	{
		Name: "weight_at", Kind: op.Choice, Default: "output", Choices: []string{"output", "hidden"},
		Doc: "what a weight multiplies: an expert's output, or what W2 multiplies",
	},
}

var expertKeys = []op.Key{
	op.AccumulateKey,
	{
		Name: "intermediate", Default: "the input type",
		Doc: "W1 x, W3 x, SiLU(W1 x), its product with W3 x, and the output of an expert",
	},
	{Name: "combine", Default: "F32", Doc: "weight · output, each partial sum, and the sum with the shared experts"},
	step.ExpKey,
}

// expertsOp is moe.experts.
var expertsOp = &op.Op{
	Name:      "moe.experts",
	Doc:       "The experts chosen for each token, weighted and summed, and the shared ones.",
	Equations: []string{"moe.SwiGLU", "moe.SwiGLUClamped", "moe.Clamp"},
	Inputs: slices.Concat(
		[]op.Tensor{{Name: "x", Shape: []string{"N", "d"}, Doc: "tokens"}}, expertWeights, []op.Tensor{
			{Name: "indices", Shape: []string{"N", "K"}, Integer: true, Doc: "experts of each token"},
			{Name: "weights", Shape: []string{"N", "K"}, Doc: "of each of them, used as they are"},
		}, sharedWeights,
	),
	Outputs: []op.Tensor{{
		Name: "y", Shape: []string{"N", "d"}, Axes: []string{"token", "column"},
		Doc: "output, before the residual is added",
	}},
	Attrs:      expertAttrs,
	Arithmetic: expertKeys,
	Check:      checkExperts,
	Truth:      sumOfExperts,
	Work:       expertsWork,
}

// layerOp is moe.layer.
var layerOp = &op.Op{
	Name: "moe.layer",
	Doc:  "A mixture of experts whole: gate, experts, shared experts.",
	Equations: []string{
		"moe.Logits", "moe.SigmoidScores", "moe.SoftmaxScores", "moe.SqrtSoftplusScores", "moe.BiasedScores",
		"moe.GroupScoresTop2", "moe.GroupScoresMax", "moe.GroupScoresShare", "moe.Gate.Weights", "moe.SwiGLU",
		"moe.SwiGLUClamped", "moe.Clamp",
	},
	Inputs: slices.Concat(
		[]op.Tensor{
			{Name: "x", Shape: []string{"N", "d"}, Doc: "tokens"},
			{Name: "weight", Shape: []string{"E", "d"}, Doc: "centroids of the experts"},
			{Name: "bias", Shape: []string{"E"}, Optional: true, Doc: "added to the scores where experts are chosen"},
		}, expertWeights, sharedWeights,
	),
	Outputs: []op.Tensor{{
		Name: "y", Shape: []string{"N", "d"}, Axes: []string{"token", "column"},
		Doc: "output, before the residual is added",
	}},
	Attrs:      slices.Concat(gateAttrs, expertAttrs),
	Arithmetic: slices.Concat(expertKeys, []op.Key{gateKey}),
	Check:      checkLayer,
	Truth:      layer,
	Work:       layerWork,
}

// checkExperts checks the shared weights and the ids of experts.
func checkExperts(c *op.Case) error {
	if err := checkNetworks(c); err != nil {
		return err
	}
	return checkIDs(c)
}

// checkNetworks checks what experts have in any op.
func checkNetworks(c *op.Case) error {
	if limit := c.Float("swiglu_limit"); limit < 0 {
		return fmt.Errorf("attrs: %q: found %v, want a limit, or 0 for none", "swiglu_limit", limit)
	}
	shared := []string{"shared_gate", "shared_up", "shared_down"}
	some := slices.ContainsFunc(shared, c.Recording.Has)
	for _, name := range shared {
		if some && !c.Recording.Has(name) {
			return fmt.Errorf("tensor %q: missing, want shared_gate, shared_up and shared_down together, or none of "+
				"them",
				name)
		}
	}
	return nil
}

// expertsWork counts the products of all experts, with those of their squares and of the runs.
func expertsWork(c *op.Case) float64 {
	products := c.Extent("N") * c.Extent("d") * (c.Extent("K")*c.Extent("F") + c.Extent("Fs"))
	return 6*products + min(step.RunProducts, op.MostRuns*products)
}

// sumOfExperts is moe.experts.
func sumOfExperts(c *op.Case) ([]verdict.Expected, error) {
	m := mixtureOf(c)
	slots := make([]int, c.Dim("K"))
	for k := range slots {
		slots[k] = k
	}
	for n, experts := range Chosen(c) {
		given := choice{slots, c.Input("weights").Row(n)}
		m.sent = append(m.sent, sentToken{experts: experts, choices: []choice{given}})
	}
	return []verdict.Expected{m.expected()}, nil
}

func mixtureOf(c *op.Case) *mixture {
	return &mixture{networks: networksOf(c), tokens: c.Dim("N"), width: c.Dim("d")}
}
