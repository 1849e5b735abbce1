package policy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestNucleus(t *testing.T) {
	// p = (½, ¼, ⅛, ⅛): sums of the likeliest ½, ¾, ⅞, 1.
	z := []float64{math.Log(0.125), math.Log(0.5), math.Log(0.125), math.Log(0.25)}
	t.Run("it is the fewest likeliest tokens that have the mass", func(t *testing.T) {
		for _, c := range []struct {
			mass float64
			want [4]bool
		}{
			{0, [4]bool{false, true, false, false}},
			{0.49, [4]bool{false, true, false, false}},
			{0.51, [4]bool{false, true, false, true}},
			{0.76, [4]bool{true, true, false, true}}, // of equals the first
			{0.9, [4]bool{true, true, true, true}},
		} {
			if got := [4]bool(policy.Nucleus(z, c.mass, 1)); got != c.want {
				t.Errorf("mass %v: got %v, want %v", c.mass, got, c.want)
			}
		}
	})
	// At T = ½ the probabilities are squared and normalised: 16/22, 4/22, 1/22, 1/22.
	t.Run("a low temperature keeps fewer", func(t *testing.T) {
		if got := [4]bool(policy.Nucleus(z, 0.7, 0.5)); got != [4]bool{false, true, false, false} {
			t.Errorf("got %v", got)
		}
	})
}

func TestKeptLogProb(t *testing.T) {
	z := logits(50, 6)
	t.Run("where all is kept nothing changes, to the bit", func(t *testing.T) {
		all := []bool{true, true, true, true, true, true}
		for k := range z {
			check.Near(t, "log π", policy.KeptLogProb(z, all, k, 0.6), policy.LogProb(z, k, 0.6), 0)
		}
	})
	t.Run("where one token is kept it is certain", func(t *testing.T) {
		check.Near(t, "log π", policy.KeptLogProb(z, []bool{false, false, true, false, false, false}, 2, 1), 0, 0)
	})
	// Σ_{j ∈ kept} π(j) ≤ 1.
	t.Run("it is log π less the logarithm of what was kept, and no smaller", rapid.MakeCheck(func(t *rapid.T) {
		kept := policy.Nucleus(z, rapid.Float64Range(0, 1).Draw(t, "mass"), 1)
		logp, mass := policy.LogSoftmax(z, 1), 0.0
		for i, in := range kept {
			if in {
				mass += math.Exp(logp[i])
			}
		}
		for k, in := range kept {
			got := policy.KeptLogProb(z, kept, k, 1)
			if !in {
				check.Near(t, "log π of what is not kept", got, -inf, 0)
				continue
			}
			check.Near(t, "log π", got, logp[k]-math.Log(mass), 64*u)
			if got < logp[k]-32*u {
				t.Errorf("log π is %v, less than %v of the whole policy", got, logp[k])
			}
		}
	}))
	t.Run("a set of another length is refused", func(t *testing.T) {
		check.Panics(t, "policy: logits and kept set differ in length", func() {
			policy.KeptLogProb(z, []bool{true}, 0, 1)
		})
	})
}

func TestKeptLogProbBackward(t *testing.T) {
	z, kept := logits(51, 6), []bool{true, false, true, true, false, true}
	t.Run("it is the derivative of KeptLogProb", func(t *testing.T) {
		for _, k := range []int{0, 2, 5} {
			want := check.Gradient(func(z []float64) float64 { return policy.KeptLogProb(z, kept, k, 0.6) }, z)
			check.NearAll(t, "∇ log π", policy.KeptLogProbBackward(z, kept, k, 0.6), want, stepBound)
		}
	})
	t.Run("outside of the set it is 0 exactly, and for a token outside everywhere", func(t *testing.T) {
		dz := policy.KeptLogProbBackward(z, kept, 3, 1)
		check.NearAll(t, "∇ log π", []float64{dz[1], dz[4]}, []float64{0, 0}, 0)
		check.NearAll(t, "∇ log π", policy.KeptLogProbBackward(z, kept, 1, 1), make([]float64, 6), 0)
	})
	// (δ − π_kept) sums to 1 − 1 over the set.
	t.Run("it sums to 0", func(t *testing.T) {
		var sum float64
		for _, d := range policy.KeptLogProbBackward(z, kept, 3, 1) {
			sum += d
		}
		check.Near(t, "Σ∇", sum, 0, 8*u)
	})
}
