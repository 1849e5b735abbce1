package hand

import (
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/objective"
)

func mismatchSheet() *Sheet {
	rec := chosen("policy.mismatch", map[string]any{"limit": 1.5}).put("logprob_a", []int{1, 4}, 0, -2*ln2, -ln2, -ln2).
		put("logprob_b", []int{1, 4}, -ln2, -ln2, -ln2, -ln2)
	return work("Two engines that should be one policy", "The sampler gives each of four tokens 1/2; the trainer "+
		"gives the first twice as much, the second half.", rec.Recording, walkMismatch)
}

// productsOfEngines is up to how many products are done for the log-probabilities of all tokens.
const productsOfEngines = 1 << 33

// mismatchReads counts what heads of models are read for, as much as takes long.
func mismatchReads(c *op.Case) float64 {
	if products := 2 * c.Extent("N") * c.Extent("vocab") * c.Extent("d"); products > productsOfEngines {
		return products
	}
	return 2 * c.Extent("vocab")
}

// walkMismatch works all tokens, as statistics are of all.
func walkMismatch(s *Sheet, c *op.Case) {
	a, b, mask := objective.Engines(c)
	s.given("Log-probabilities of the sampled tokens: of the trainer a and of the sampler b.", row("log π_a", a),
		row("log π_b", b), row("mask", mask))
	delta, none := make([]float64, len(a)), make([]float64, len(a))
	for i := range a {
		if mask[i] != 0 {
			delta[i] = a[i] - b[i]
		}
	}
	s.step("By how much they differ, token by token.", "policy.LogRatio", "Δ = log π_a − log π_b", row("Δ", delta))
	s.outCounted("delta", delta, mask)
	of := delta
	if c.Wants("delta") {
		of = c.Read("out.delta", 0, len(delta))
		s.given("Statistics are of the differences that were recorded.", row("recorded Δ", of))
	}
	m := policy.MismatchOf(of, none, mask, c.Float("limit"))
	s.step("Statistics: means of |Δ| and of three estimates of KL(π_b, π_a), the largest |Δ|, and the share of ratios "+
		"beyond the limit.", "policy.MismatchOf", "k1 = mean(−Δ)\nk2 = mean(Δ²/2)\nk3 = mean(e^Δ − 1 − Δ)",
		number("limit", c.Float("limit")),
		row("statistics", []float64{m.Mean, m.Largest, m.K1, m.K2, m.K3, m.Share}).
			under("mean", "largest", "k1", "k2", "k3", "share"))
	for i, x := range []float64{m.Mean, m.Largest, m.K1, m.K2, m.K3, m.Share} {
		s.out(words("mean largest k1 k2 k3 share")[i], 0, x)
	}
}
