package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/num/dual"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestGSPO(t *testing.T) {
	logprob, old, mask := check.Random(4, 4, 0.3), check.Random(5, 4, 0.3), []float64{1, 0, 1, 1}

	t.Run("its gradient is the gradient, and 0 outside the mask", func(t *testing.T) {
		for _, bound := range []float64{0.5, 1e-4} {
			for _, a := range []float64{-1.5, 1.5} {
				_, d := GSPO(logprob, old, mask, a, bound, bound)
				loss := func(x []float64) float64 { l, _ := GSPO(x, old, mask, a, bound, bound); return l }
				check.NearAll(t, "dlogprob", d, check.Gradient(loss, logprob), check.DifferenceBound(3, 4))
				check.Near(t, "outside", d[1], 0, 0)
			}
		}
	})
	t.Run("an output of one token is GRPO's without a divergence", rapid.MakeCheck(func(t *rapid.T) {
		p, q := rapid.Float64Range(-3, 0).Draw(t, "log π"), rapid.Float64Range(-3, 0).Draw(t, "log π_old")
		a := rapid.Float64Range(-2, 2).Draw(t, "A")
		loss, d := GSPO([]float64{p}, []float64{q}, []float64{1}, a, 0.2, 0.2)
		want, dwant := GRPO(policy.Ratio(p, q, 0), a, p, 0, 0.2, 0)
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dlogprob", d[0], dwant, 2*u*math.Abs(dwant))
	}))
	t.Run("right after sampling every token has A/|o|, as in GRPO", func(t *testing.T) {
		loss, d := GSPO(old, old, mask, 1.5, 3e-4, 4e-4)
		check.Near(t, "loss", loss, -1.5, 0)
		check.NearAll(t, "dlogprob", d, []float64{-0.5, 0, -0.5, -0.5}, 0)
	})
	t.Run("all tokens of an output are clipped together, or none", func(t *testing.T) {
		// Log-ratios +3 and −1: a mean of 1 is beyond, one of 0 is not, whatever the tokens.
		ones := constant(2, 1)
		_, d := GSPO([]float64{3, -1}, []float64{0, 0}, ones, 1, 0.2, 0.28)
		check.NearAll(t, "beyond", d, []float64{0, 0}, 0)
		_, d = GSPO([]float64{3, -3}, []float64{0, 0}, ones, 1, 0.2, 0.28)
		check.NearAll(t, "inside", d, []float64{-0.5, -0.5}, 0)
	})
	t.Run("the paper's bounds let a mean drift of 4e-4 through above and of 3e-4 below", func(t *testing.T) {
		for _, c := range []struct {
			drift, a float64
			passes   bool
		}{
			{3.9e-4, 1, true}, {4.1e-4, 1, false}, {-2.9e-4, -1, true}, {-3.1e-4, -1, false}, {-1, 1, true},
			{1, -1, true},
		} {
			_, d := GSPO(constant(5, c.drift), constant(5, 0), constant(5, 1), c.a, 3e-4, 4e-4)
			if (d[0] != 0) != c.passes {
				t.Errorf("drift %v, A = %v: derivative %v", c.drift, c.a, d[0])
			}
		}
	})
	t.Run("a ratio beyond all numbers is clipped like any other", func(t *testing.T) {
		// A token that π_old excludes makes s infinite, and log s has slope 1/|o| all the same: for
		// A > 0 the clip holds, for A < 0 nothing does.
		loss, d := GSPO([]float64{-1, -1}, []float64{math.Inf(-1), -1}, []float64{1, 1}, 2, 0.2, 0.2)
		check.Near(t, "loss", loss, -2.4, 1e-15)
		check.NearAll(t, "dlogprob", d, []float64{0, 0}, 0)
		loss, d = GSPO([]float64{-1, -1}, []float64{math.Inf(-1), -1}, []float64{1, 1}, -2, 0.2, 0.2)
		if !math.IsInf(loss, 1) || !math.IsInf(d[0], 1) {
			t.Errorf("A < 0: loss %v, derivative %v, want both infinite", loss, d[0])
		}
	})
	t.Run("an infinite loss reaches no token outside the mask", func(t *testing.T) {
		none := math.Inf(-1)
		_, d := GSPO([]float64{-1, -1}, []float64{none, -1}, []float64{1, 0}, -2, 0.2, 0.2)
		check.Near(t, "GSPO", d[1], 0, 0)
		_, d = GSPOToken([]float64{-1, -1}, []float64{none, -1}, []float64{-2, -2}, []float64{1, 0}, 0.2, 0.2)
		check.Near(t, "GSPO-token", d[1], 0, 0)
		b := Batch{
			LogProb: mat.NewDense(1, 2, []float64{-1, -1}), Old: mat.NewDense(
				1, 2, []float64{none, -1},
			), Advantage: mat.NewDense(1, 2, []float64{-2, -2}),
			Mask: mat.NewDense(1, 2, []float64{1, 0}), Weights: mat.NewDense(1, 2, []float64{1, 0}),
		}
		for _, f := range []batchLoss{b.SequenceLoss, b.SequenceTokenLoss} {
			_, d := f(clipHigher)
			check.Near(t, "batch", d.At(0, 1), 0, 0)
		}
	})
	t.Run("an output that the policy excludes, or without tokens, has a loss and no gradient", func(t *testing.T) {
		loss, d := GSPO([]float64{math.Inf(-1), -1}, []float64{-1, -1}, []float64{1, 1}, 1, 0.2, 0.2)
		check.Near(t, "loss", loss, 0, 0)
		check.NearAll(t, "dlogprob", d, []float64{0, 0}, 0)
		loss, d = GSPO([]float64{-1}, []float64{-2}, []float64{0}, 1, 0.2, 0.2)
		check.Near(t, "loss without tokens", loss, -1, 0)
		check.NearAll(t, "dlogprob without tokens", d, []float64{0}, 0)
	})
}

// gspoTokenLiteral returns the loss of GSPO-token written as it stands, with its derivative for log
// π of token k.
func gspoTokenLiteral(logprob, old, advantage []float64, k int, low, high float64) dual.Number {
	n := float64(len(logprob))
	pi := make([]dual.Number, len(logprob))
	log := dual.Number{}
	for t := range pi {
		x := dual.Number{Real: logprob[t]}
		if t == k {
			x.Emag = 1
		}
		pi[t] = dual.Exp(x)
		log = dual.Add(log, dual.Sub(x, dual.Number{Real: old[t]}))
	}
	s := dual.Exp(dual.Scale(1/n, log))
	loss := dual.Number{}
	for t := range pi {
		st := over(dual.Mul(sg(s), pi[t]), sg(pi[t]))
		clipped := least(most(st, dual.Number{Real: 1 - low}), dual.Number{Real: 1 + high})
		loss = dual.Sub(loss, dual.Scale(1/n, least(dual.Scale(advantage[t], st), dual.Scale(advantage[t], clipped))))
	}
	return loss
}

func TestGSPOToken(t *testing.T) {
	logprob, old, ones := check.Random(4, 4, 0.3), check.Random(5, 4, 0.3), constant(4, 1)
	advantage := []float64{1, -2, 0, 0.5}

	t.Run("it is the formula with its stop-gradients, by dual numbers", func(t *testing.T) {
		for _, bound := range []float64{0.5, 1e-4} {
			loss, d := GSPOToken(logprob, old, advantage, ones, bound, bound)
			for k := range logprob {
				want := gspoTokenLiteral(logprob, old, advantage, k, bound, bound)
				check.Near(t, "loss", loss, want.Real, 16*u)
				check.Near(t, "dlogprob", d[k], want.Emag, 16*u)
			}
		}
	})
	t.Run("with one advantage it is GSPO, value and gradient", rapid.MakeCheck(func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 6).Draw(t, "log π")
		a, mask := rapid.Float64Range(-2, 2).Draw(t, "A"), constant(len(p), 1)
		mask[0] = rapid.SampledFrom([]float64{0, 1}).Draw(t, "mask")
		loss, d := GSPOToken(p, constant(len(p), 0), constant(len(p), a), mask, 0.2, 0.28)
		want, dwant := GSPO(p, constant(len(p), 0), mask, a, 0.2, 0.28)
		if sum(mask) == 0 {
			want = 0 // no token has a term
		}
		check.Near(t, "loss", loss, want, 32*u)
		check.NearAll(t, "dlogprob", d, dwant, 0)
	}))
	t.Run("with advantages of their own its gradient is not that of its value: the ratio's share of other tokens is "+
		"stopped", func(t *testing.T) {
		_, d := GSPOToken(logprob, old, advantage, ones, 0.5, 0.5)
		loss := func(x []float64) float64 { l, _ := GSPOToken(x, old, advantage, ones, 0.5, 0.5); return l }
		value := check.Gradient(loss, logprob)
		check.Apart(t, "first token", d[0], value[0], 0.2)
		check.Near(t, "sum over tokens", sum(d), sum(value), check.DifferenceBound(4, 4)) // nothing is lost, only moved
	})
}
