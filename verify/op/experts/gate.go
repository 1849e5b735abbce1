package experts

import (
	"fmt"

	"plumbline/moe"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(gateOp) }

// gateOp is moe.gate.
var gateOp = &op.Op{
	Name: "moe.gate",
	Doc: "The gate of a mixture of experts: scores of all experts, the best of them for each token, and their " +
		"weights.",
	Inputs: []op.Tensor{
		{Name: "logits", Shape: []string{"N", "E"}, Optional: true, Doc: "of each token for each expert"},
		{Name: "x", Shape: []string{"N", "d"}, Optional: true, Doc: "tokens, in the place of logits"},
		{Name: "weight", Shape: []string{"E", "d"}, Optional: true, Doc: "with x: centroids of the experts"},
		{Name: "bias", Shape: []string{"E"}, Optional: true, Doc: "added to the scores where experts are chosen, " +
			"and not where they are weighed"},
	},
	Equations: []string{
		"moe.Logits", "moe.SigmoidScores", "moe.SoftmaxScores", "moe.SqrtSoftplusScores", "moe.BiasedScores",
		"moe.GroupScoresTop2", "moe.GroupScoresMax", "moe.GroupScoresShare", "moe.Gate.Weights",
	},
	Outputs: []op.Tensor{
		{
			Name: "indices", Shape: []string{"N", "K"}, Axes: []string{"token", "slot"}, Integer: true,
			Doc: "the experts chosen, in any order",
		},
		{
			Name: "weights", Shape: []string{"N", "K"}, Axes: []string{"token", "slot"}, Pairs: "indices",
			Doc: "of the experts in `indices`, slot by slot",
		},
	},
	Attrs: gateAttrs,
	Arithmetic: []op.Key{
		op.AccumulateKey, gateKey, step.ExpKey, op.SubnormalsKey,
	},
	Check: checkGate,
	Truth: gate,
	Work:  gateWork,
}

// gateAttrs are the attributes of a gate.
var gateAttrs = []op.Attr{
	{
		Name: "score", Kind: op.Choice, Default: "sigmoid", Choices: []string{"sigmoid", "softmax", "sqrt_softplus"},
		Doc: "what makes scores of logits",
	},
	{Name: "top_k", Kind: op.Count, Missing: op.Required, Letter: "K", Doc: "experts of a token"},
	{Name: "groups", Kind: op.Count, Default: 1, Doc: "groups of equal size in which the experts stand"},
	{Name: "top_groups", Kind: op.Count, Default: 1, Doc: "groups that the experts of a token may be in"},
	{
		Name: "group_score", Kind: op.Choice, Default: "top2", Choices: []string{"top2", "max", "share"},
		Doc: "of a group: the sum of its two best scores, its best, or the sum of the ⌈top_k/top_groups⌉ best",
	},
	{Name: "normalize", Kind: op.Flag, Default: true, Doc: "weights are divided by their sum"},
	{Name: "norm_eps", Kind: op.Number, Default: 0.0, Doc: "added to that sum"},
	{Name: "scale", Kind: op.Number, Default: 1.0, Doc: "what weights are multiplied by at the end"},
}

// gateKey is the type of logits and scores.
var gateKey = op.Key{
	Name: "gate", Default: "F32", Doc: "logits of the gate; its scores and what is made of them may be rounded to it",
}

func checkGate(c *op.Case) error {
	x, weight := c.Recording.Has("x"), c.Recording.Has("weight")
	switch {
	case c.Recording.Has("logits") == (x || weight), x != weight:
		return fmt.Errorf("tensor %q: want either logits, or x and weight", "logits")
	}
	return checkRouting(c)
}

// checkRouting checks the attributes of a gate.
func checkRouting(c *op.Case) error {
	experts, groups, kept, k := c.Dim("E"), c.Int("groups"), c.Int("top_groups"), c.Int("top_k")
	switch {
	case groups == 0 || experts%groups != 0:
		return fmt.Errorf("attrs: %q: found %d, want groups of equal size of %d experts", "groups", groups, experts)
	case kept == 0 || kept > groups:
		return fmt.Errorf("attrs: %q: found %d, want 1 to %d, the number of groups", "top_groups", kept, groups)
	case k == 0 || k > experts/groups*kept:
		return fmt.Errorf("attrs: %q: found %d, want 1 to %d, the experts of %d groups", "top_k", k,
			experts/groups*kept, kept)
	}
	return nil
}

// gateWork counts the products of logits, and the steps of every score in every run.
func gateWork(c *op.Case) float64 {
	n := c.Extent("N") * c.Extent("E")
	work := n * scoreWork * op.MostRuns
	if c.Recording.Has("x") {
		work += 2 * n * c.Extent("d")
	}
	return work
}

// scoreWork is what a score of one run takes, in products.
const scoreWork = 100

// GateOf returns the gate that the attributes describe.
func GateOf(c *op.Case) moe.Gate {
	g := moe.Gate{
		Score: moe.SigmoidScores, GroupScore: moe.GroupScoresTop2, TopK: c.Int("top_k"), Groups: c.Int("groups"),
		TopGroups: c.Int("top_groups"), Normalize: c.Flag("normalize"), NormEps: c.Float("norm_eps"),
		Scale: c.Float("scale"),
	}
	switch c.Word("score") {
	case "softmax":
		g.Score = moe.SoftmaxScores
	case "sqrt_softplus":
		g.Score = moe.SqrtSoftplusScores
	}
	switch c.Word("group_score") {
	case "max":
		g.GroupScore = moe.GroupScoresMax
	case "share":
		g.GroupScore = func(scores []float64, groups int) []float64 {
			return moe.GroupScoresShare(scores, groups, (g.TopK+g.TopGroups-1)/g.TopGroups)
		}
	}
	return g
}

// gate is moe.gate.
func gate(c *op.Case) ([]verdict.Expected, error) {
	var expected []verdict.Expected
	g := inputsOf(c)
	if c.Wants("indices") {
		expected = append(expected, choiceOf(g.rank()))
	}
	if c.Wants("weights") {
		weights, err := gateWeights(g)
		if err != nil {
			return nil, err
		}
		expected = append(expected, weights)
	}
	return expected, nil
}

// choiceOf returns what is expected of the sets of experts.
func choiceOf(t *verdict.TopK) verdict.Expected {
	e := verdict.Expected{Name: "indices", Choice: t, Truth: tensor.New(t.N, t.K), Sigma: make([]float64, t.N*t.K)}
	for i := range t.N {
		for k, expert := range t.Best(i) {
			e.Truth.Data[i*t.K+k] = float64(expert)
		}
	}
	return e
}

// atOnce is how many scores are looked at together, so that what runs deviate by fits in memory.
const atOnce = 1 << 19

// rank returns what experts are chosen by: what runs deviate by in their scores says what is too
// near to tell apart.
func (g *gateInputs) rank() *verdict.TopK {
	n, experts := g.c.Dim("N"), g.c.Dim("E")
	t := &verdict.TopK{N: n, E: experts, K: g.gate.TopK, Groups: g.gate.Groups, TopGroups: g.gate.TopGroups}
	for from, step := 0, max(1, atOnce/experts); from < n; from += step {
		g.addScores(t, from, min(from+step, n))
	}
	return t
}

// addScores adds the scores of tokens from … to−1, those of their groups, and the bounds of both.
func (g *gateInputs) addScores(t *verdict.TopK, from, to int) {
	var ranked, groups []float64
	for n := from; n < to; n++ {
		row := moe.BiasedScores(g.gate.Score(g.logits(n)), g.bias)
		ranked, groups = append(ranked, row...), append(groups, g.gate.GroupScore(row, t.Groups)...)
	}
	tokens := to - from
	choosing := func(r *gateRun) map[string][]float64 { return r.choosing(from, to) }
	all := g.c.RunAll(
		g.program(choosing), float64(stepsOfScore*tokens*t.E),
		op.Expectation{Name: "ranked", Truth: ranked, Shape: []int{tokens, t.E}},
		op.Expectation{Name: "groups", Truth: groups, Shape: []int{tokens, t.Groups}},
	)
	t.Scores, t.Bounds = append(t.Scores, ranked...), append(t.Bounds, all[0].Bounds()...)
	t.GroupScores, t.GroupBounds = append(t.GroupScores, groups...), append(t.GroupBounds, all[1].Bounds()...)
}

// stepsOfScore is how many roundings a score takes in a run.
const stepsOfScore = 12

// program is the gate as kernels compute it, of which outputs tells what is asked for.
func (g *gateInputs) program(outputs func(*gateRun) map[string][]float64) op.Program {
	return g.c.EitherWay(func(c *op.Case) op.Program {
		inputs := g
		if c != g.c {
			inputs = inputsOf(c)
		}
		return func(r *arithmetic.Run) map[string][]float64 { return outputs(inputs.in(r)) }
	})
}
