package objective

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/dpo"
	"plumbline/verify/op"
)

// PolicyLoss is a policy loss with what it is made of, all [N × L], for what shows it step by step.
type PolicyLoss struct {
	LogProb, Old, Advantage, Mask, Weights, Ratios mat.Matrix
	Ref                                            mat.Matrix // nil without a divergence
	Losses, Gradient                               *mat.Dense
	Loss                                           float64
}

// PolicyLossOf returns the loss of ppo.loss and grpo.loss.
func PolicyLossOf(c *op.Case) PolicyLoss {
	o := newObjective(c)
	p := PolicyLoss{
		LogProb: o.LogProb, Old: o.Old, Advantage: o.Advantage, Mask: o.Mask, Weights: o.Weights, Ratios: o.ratios,
		Losses: o.tokenLosses(),
	}
	if o.ref != nil {
		p.Ref = o.ref
	}
	p.Loss, p.Gradient = o.truth()
	return p
}

// Divergence is an estimate of the divergence of one token, k1, k2 or k3.
func Divergence(estimator string, logprob, ref, limit float64) float64 {
	value, _ := divergence(estimator, logprob, ref, limit)
	return value
}

// Weights returns the weight of every token in a loss.
func Weights(c *op.Case) *mat.Dense { return weights(c, matrix(c, "mask")) }

// Matrix returns an input [N × L]; one of [N] is repeated along the rows.
func Matrix(c *op.Case, name string) *mat.Dense { return matrix(c, name) }

// Logits returns the logits of row n of policy.logprob, −∞ for what the sampler did not keep, and
// whether the row is not judged.
func Logits(c *op.Case, n int) (logits []float64, skipped bool) { return logitsOf(c, n), ignored(c, n) }

// Preferences returns the pairs of dpo.loss, what lengths divide their log-ratios by, and the loss
// of one pair.
func Preferences(c *op.Case) (pairs dpo.Pairs, lengths [2][]float64, pair func(h float64) (loss, dh float64)) {
	p := newPreference(c)
	return p.Pairs, p.lengths, p.pair
}
