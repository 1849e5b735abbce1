package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestGRPO(t *testing.T) {
	t.Run("its derivative is the derivative, with the ratio's and the reference's part", func(t *testing.T) {
		for _, c := range corners() {
			old, ref := -1.0, -1.25
			logprob := old + math.Log(c.r)
			loss := func(x []float64) float64 {
				l, _ := GRPO(policy.Ratio(x[0], old, 0), c.advantage, x[0], ref, 0.2, 0.5)
				return l
			}
			_, d := GRPO(c.r, c.advantage, logprob, ref, 0.2, 0.5)
			check.Near(t, "dlogprob", d, check.Gradient(loss, []float64{logprob})[0], check.DifferenceBound(50, 4))
		}
	})
	t.Run("right after sampling, at the reference, loss and derivative are −Â, and the loss of the group 0",
		func(t *testing.T) {
			var total float64
			for _, a := range Normalize([]float64{1, 0, 0, 0.5}, Population, 0) {
				loss, d := GRPO(1, a, -2, -2, 0.2, 0.04)
				check.Near(t, "loss", loss, -a, 0)
				check.Near(t, "dlogprob", d, -a, 0)
				total += loss
			}
			check.Near(t, "loss of the group", total, 0, 8*u)
		})
	t.Run("right after sampling the derivative is minus the gradient coefficient", func(t *testing.T) {
		_, d := GRPO(1, 0.7, -2, -1.5, 0.2, 0.04)
		check.Near(t, "dlogprob", d, -policy.CoefficientGRPO(0.7, -2, -1.5, 0.04), 2*u)
	})
	t.Run("a wide clip leaves the objective without clip", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 50).Draw(t, "r"), rapid.Float64Range(-3, 3).Draw(t, "Â")
		loss, d := GRPO(r, a, -2, -2, math.Inf(1), 0)
		want, dwant := policy.Unclipped(r, a)
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dlogprob", d, dwant, 0)
	}))
	t.Run("a group of equal rewards moves nothing without a divergence, and towards the reference with one",
		func(t *testing.T) {
			a := Normalize([]float64{1, 1, 1}, Population, 0)[0]
			_, d := GRPO(1.3, a, -2, -1, 0.2, 0)
			check.Near(t, "without", d, 0, 0)
			_, d = GRPO(1.3, a, -2, -1, 0.2, 0.5)
			check.Near(t, "with", d, 0.5*(1-math.E), 8*u)
		})
	t.Run("without a divergence the reference is not looked at", func(t *testing.T) {
		loss, d := GRPO(1.1, 1, -2, math.NaN(), 0.2, 0)
		check.Near(t, "loss", loss, -1.1, 0)
		check.Near(t, "dlogprob", d, -1.1, 0)
	})
	t.Run("k3 pulls along KL(π_ref‖π), not along the KL(π‖π_ref) whose value it estimates", func(t *testing.T) {
		// With samples held fixed E_π[(1−ρ) ∇ log π] = −E_ref[∇ log π] = ∇ KL(π_ref‖π). k2 and r·k3
		// pull along the other.
		z, ref := []float64{0.3, -0.8, 1.1}, policy.LogSoftmax([]float64{2, 0, -2}, 1)
		p := policy.LogSoftmax(z, 1)
		forward, _ := policy.KLBackward(p, ref)
		_, reverse := policy.KLBackward(ref, p)
		k3 := expected(z, func(o int) float64 { return slope(GRPO(1, 0, p[o], ref[o], 0.2, 1)) })
		k2 := expected(z, func(o int) float64 { return policy.K2Backward(p[o], ref[o]) })
		weighted := expected(z, func(o int) float64 { return policy.K3WeightedBackward(p[o], p[o], ref[o]) })
		check.NearAll(t, "k3", k3, reverse, 8*u)
		check.NearAll(t, "k2", k2, forward, 8*u)
		check.NearAll(t, "r k3", weighted, forward, 8*u)
		if floats.Distance(forward, reverse, 2) < 0.1 {
			t.Error("the two gradients are alike")
		}
	})
}

func TestSequence(t *testing.T) {
	logprob, old, ref := check.Random(1, 4, 0.1), check.Random(2, 4, 0.1), check.Random(3, 4, 0.5)
	mask := []float64{1, 1, 0, 1}

	t.Run("its gradient is the gradient, and 0 outside the mask", func(t *testing.T) {
		for _, a := range []float64{-1.5, 1.5} {
			_, d := Sequence(logprob, old, ref, mask, a, 0.4, 0.5)
			loss := func(x []float64) float64 { l, _ := Sequence(x, old, ref, mask, a, 0.4, 0.5); return l }
			check.NearAll(t, "dlogprob", d, check.Gradient(loss, logprob), check.DifferenceBound(5, 4))
			check.Near(t, "outside", d[2], 0, 0)
		}
	})
	t.Run("outputs of one token have the same loss by token and by output", rapid.MakeCheck(func(t *rapid.T) {
		logarithm := rapid.Float64Range(-3, 0)
		p, q, f := logarithm.Draw(t, "log π"), logarithm.Draw(t, "log π_old"), logarithm.Draw(t, "log π_ref")
		a := rapid.Float64Range(-2, 2).Draw(t, "A")
		loss, d := Sequence([]float64{p}, []float64{q}, []float64{f}, []float64{1}, a, 0.2, 0.04)
		want, dwant := GRPO(policy.Ratio(p, q, 0), a, p, f, 0.2, 0.04)
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dlogprob", d[0], dwant, 0)
	}))
	t.Run("a drift that each token may have, all together may not", func(t *testing.T) {
		// Ratios 1.15 and 1.15 are inside 1 ± 0.2, their product 1.3225 is not, their geometric
		// mean 1.15 is.
		lp, zero, ones := constant(2, math.Log(1.15)), constant(2, 0), constant(2, 1)
		_, product := Sequence(lp, zero, zero, ones, 1, 0.2, 0)
		check.NearAll(t, "product", product, []float64{0, 0}, 0)
		_, mean := GSPO(lp, zero, ones, 1, 0.2, 0.2)
		check.NearAll(t, "geometric mean", mean, []float64{-1.15 / 2, -1.15 / 2}, 4*u)
		_, token := GRPO(1.15, 1, lp[0], 0, 0.2, 0)
		check.Near(t, "token", token, -1.15, 0)
	})
	t.Run("drifts of tokens that cancel out, the whole output does not see", func(t *testing.T) {
		lp := []float64{math.Ln2, -math.Ln2}
		_, d := Sequence(lp, constant(2, 0), constant(2, 0), constant(2, 1), 1, 0.2, 0)
		check.NearAll(t, "output", d, []float64{-1, -1}, 0)
		check.Near(t, "first token", slope(GRPO(2, 1, lp[0], 0, 0.2, 0)), 0, 0)
		check.Near(t, "second token", slope(GRPO(0.5, 1, lp[1], 0, 0.2, 0)), -0.5, 0)
	})
	t.Run("right after sampling it pushes each token as hard as GRPO pushes the whole output: |o| times as much",
		func(t *testing.T) {
			// d/dlog π_t of π(o)/π_old(o) is 1, of 1/|o| Σ_t r_t it is 1/|o|.
			_, d := Sequence(old, old, ref, mask, 0.8, 0.2, 0)
			check.NearAll(t, "dlogprob", d, []float64{-0.8, -0.8, 0, -0.8}, 0)
			_, mean := GSPO(old, old, mask, 0.8, 0.2, 0.2)
			check.NearAll(t, "|o| times that of the mean", []float64{3 * mean[0], 3 * mean[1], mean[2], 3 * mean[3]},
				d, 2*u)
		})
	t.Run("R1's ε of 10 never acts from below", rapid.MakeCheck(func(t *rapid.T) {
		// [1−ε, 1+ε] = [−9, 11], and no ratio is below 0.
		r := rapid.Float64Range(0, 1).Draw(t, "r")
		check.Near(t, "A < 0", slope(ClipHigher(r, -1, 10, 10)), r, 0)
		check.Near(t, "A > 0", slope(ClipHigher(11+r+1e-9, 1, 10, 10)), 0, 0)
		check.Near(t, "A > 0 below 11", slope(ClipHigher(11-r, 1, 10, 10)), r-11, 0)
	}))
	t.Run("what the mask leaves out is not looked at", func(t *testing.T) {
		nan := math.NaN()
		loss, d := Sequence([]float64{-1, nan}, []float64{-1, nan}, []float64{-1, nan}, []float64{1, 0}, 2, 0.2, 0.04)
		check.Near(t, "loss", loss, -2, 0)
		check.NearAll(t, "dlogprob", d, []float64{-2, 0}, 0)
	})
}
