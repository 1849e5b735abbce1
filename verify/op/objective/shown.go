package objective

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/dpo"
	"plumbline/policy"
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
func Weights(c *op.Case) *mat.Dense { return weights(c, Matrix(c, "mask")) }

// Logits returns the logits of row n of policy.logprob, −∞ for what the sampler did not keep, and
// whether the row is not judged.
func Logits(c *op.Case, n int) (logits []float64, skipped bool) { return logitsOf(c, n), ignored(c, n) }

// Preferences returns the pairs of dpo.loss, what lengths divide their log-ratios by, and the loss
// of one pair.
func Preferences(c *op.Case) (pairs dpo.Pairs, lengths [2][]float64, pair func(h float64) (loss, dh float64)) {
	p := newPreference(c)
	return p.Pairs, p.lengths, p.pair
}

// Engines returns the log-probabilities of tokens as the two engines of policy.mismatch have them,
// without any error, and which of them count.
func Engines(c *op.Case) (a, b, mask []float64) {
	in := engineMask(c)
	a, b, mask = make([]float64, len(in)), make([]float64, len(in)), make([]float64, len(in))
	for side, x := range map[string][]float64{"a": a, "b": b} {
		e := newEngine(c, side)
		for i := range in {
			if in[i] {
				x[i], mask[i] = e.exactly(i), 1
			}
		}
	}
	return a, b, mask
}

// exactly returns the log-probability of token i.
func (e *engine) exactly(i int) float64 {
	if e.group == "logprob" {
		return e.logprob[i]
	}
	const rowsOfHead = 1024 // that are read at a time
	var z []float64
	if e.group == "logits" {
		z = e.logits(i)
	} else {
		h := mat.NewVecDense(len(e.hidden(i)), e.hidden(i))
		for from := 0; from < e.weight.Rows; from += rowsOfHead {
			var some mat.VecDense
			some.MulVec(e.weight.Block(from, min(from+rowsOfHead, e.weight.Rows)), h)
			z = append(z, some.RawVector().Data...)
		}
	}
	return policy.LogProb(z, int(e.c.Input("tokens").Data[i]), e.c.Float("temperature"))
}
