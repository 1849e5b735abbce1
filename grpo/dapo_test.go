package grpo

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestClipHigher(t *testing.T) {
	t.Run("the table of the clip, with bounds 0.8 and 1.28", func(t *testing.T) {
		for _, c := range []struct{ r, a, loss, d float64 }{
			{1.5, 1, -1.28, 0}, // nothing more to gain
			{0.5, 1, -0.5, -0.5},
			{0.5, -1, 0.8, 0}, // nothing more to gain
			{1.5, -1, 1.5, 1.5},
			{1.28, 1, -1.28, -1.28}, // on the bounds that of the inside
			{0.8, -1, 0.8, 0.8},
			{1, 1, -1, -1},
			{3, 0, 0, 0},
		} {
			loss, d := clipHigher(c.r, c.a)
			check.Near(t, "loss", loss, c.loss, 0)
			check.Near(t, "derivative", d, c.d, 0)
		}
	})
	t.Run("its derivative is the derivative", func(t *testing.T) {
		for _, c := range corners() {
			loss := func(x []float64) float64 { l, _ := clipHigher(math.Exp(x[0]), c.advantage); return l }
			check.Near(t, "derivative", slope(clipHigher(c.r, c.advantage)),
				check.Gradient(loss, []float64{math.Log(c.r)})[0], check.DifferenceBound(60, 4))
		}
	})
	t.Run("it never promises more than without a clip", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 10).Draw(t, "r"), rapid.Float64Range(-3, 3).Draw(t, "A")
		clipped, _ := clipHigher(r, a)
		plain, _ := policy.Unclipped(r, a)
		if clipped < plain {
			t.Errorf("loss %v is below %v", clipped, plain)
		}
	}))
	t.Run("a ratio that overflowed has the limits", func(t *testing.T) {
		loss, d := clipHigher(math.Inf(1), 1)
		check.Near(t, "loss, A > 0", loss, -1.28, 0)
		check.Near(t, "derivative, A > 0", d, 0, 0)
		if loss, d = clipHigher(math.Inf(1), -1); !math.IsInf(loss, 1) || !math.IsInf(d, 1) {
			t.Errorf("A < 0: got %v and %v", loss, d)
		}
	})
}

func TestClipUpper(t *testing.T) {
	t.Run("a clip of 1 and more bounds from above alone: R1's ε = 10 is min(r, 11) A for a good output and r A for a "+
		"bad one", func(t *testing.T) {
		for _, c := range []struct{ r, a, loss, d float64 }{
			{0, 2, 0, 0}, {0.5, 2, -1, -1}, {11, 2, -22, -22}, {12, 2, -22, 0}, {math.Inf(1), 2, -22, 0},
			{0, -2, 0, 0}, {1e-9, -2, 2e-9, 2e-9}, {11, -2, 22, 22}, {1e9, -2, 2e9, 2e9},
			{math.Inf(1), -2, math.Inf(1), math.Inf(1)},
			{5, 0, 0, 0}, {math.Inf(1), 0, 0, 0},
		} {
			check.Both(t, "ε = 10", func() (float64, float64) { return ClipUpper(c.r, c.a, 10) }, c.loss, c.d, 0)
		}
	})
	t.Run("it is ClipHigher with ε on both sides, to the bit, for every ratio there can be",
		rapid.MakeCheck(func(t *rapid.T) {
			r, a := math.Exp(rapid.Float64Range(-800, 800).Draw(t, "log r")), rapid.Float64().Draw(t, "A")
			for _, eps := range []float64{1, 2, 10} {
				check.Both(t, "r", func() (float64, float64) {
					return ClipUpper(r, a, eps)
				}, first(ClipHigher(r, a, eps, eps)), slope(ClipHigher(r, a, eps, eps)), 0)
				edge := math.Nextafter(1+eps, 100)
				check.Both(t, "edge", func() (float64, float64) {
					return ClipUpper(edge, a, eps)
				}, first(ClipHigher(edge, a, eps, eps)), slope(ClipHigher(edge, a, eps, eps)), 0)
			}
		}))
	t.Run("10 above and 0.2 below is another loss", func(t *testing.T) {
		check.Both(t, "both", func() (float64, float64) { return ClipHigher(0.5, -1, 0.2, 10) }, 0.8, 0, 0)
		check.Both(t, "upper", func() (float64, float64) { return ClipUpper(0.5, -1, 10) }, 0.5, 0.5, 0)
	})
	t.Run("a ratio that is none stays none", func(t *testing.T) {
		loss, d := ClipUpper(math.NaN(), 1, 10)
		check.NaN(t, "no ratio", loss, d)
	})
}

func TestRewardsOfDAPO(t *testing.T) {
	t.Run("right is 1, wrong −1", func(t *testing.T) {
		check.Near(t, "right", Correctness(true), 1, 0)
		check.Near(t, "wrong", Correctness(false), -1, 0)
	})
	t.Run("a group is kept if some are right and some wrong, for either convention of wrong", func(t *testing.T) {
		for _, c := range []struct {
			rewards []float64
			keep    bool
		}{
			{[]float64{1, -1, -1}, true}, {[]float64{1, 0, 0}, true}, {[]float64{1, 1, -1}, true},
			{[]float64{1, 1, 1}, false}, {[]float64{-1, -1}, false}, {[]float64{0, 0}, false}, {nil, false},
		} {
			if got := Informative(c.rewards); got != c.keep {
				t.Errorf("%v: got %v", c.rewards, got)
			}
		}
	})
	t.Run("the penalty for length is not counted: with it right outputs could pass for wrong ones", func(t *testing.T) {
		rewards := []float64{Correctness(true), Correctness(true)}
		if Informative(rewards) {
			t.Error("all outputs are right")
		}
		rewards[1] += OverlongPenalty(20480, 20480, 4096)
		if !Informative(rewards) {
			t.Error("with the penalty one looks wrong")
		}
	})
	t.Run("the groups that are dropped are those without advantages", rapid.MakeCheck(func(t *rapid.T) {
		rewards := rapid.SliceOfN(rapid.SampledFrom([]float64{1, -1}), 2, 8).Draw(t, "R")
		if got := squares(Normalize(rewards, Population, 0)) > 0; got != Informative(rewards) {
			t.Errorf("%v: advantages %v", rewards, got)
		}
	}))
}

// outcomes calls f for the rewards of all groups of G outputs that are right with probability p
// each, with the probability of each group.
func outcomes(g int, p float64, f func(probability float64, rewards []float64)) {
	for outcome := range 1 << g {
		probability, rewards := 1.0, make([]float64, g)
		for i := range rewards {
			rewards[i] = Correctness(outcome>>i&1 == 1)
			if rewards[i] > 0 {
				probability *= p
			} else {
				probability *= 1 - p
			}
		}
		f(probability, rewards)
	}
}

func TestDynamicSampling(t *testing.T) {
	right, wrong, mixed := []float64{1, 1}, []float64{-1, -1}, []float64{1, -1}
	sampled := func(n int, groups ...[]float64) (found, asked int) {
		batch, asked := DynamicSampling(slices.Values(groups), n)
		for _, rewards := range batch {
			if !Informative(rewards) {
				t.Errorf("%v is in the batch", rewards)
			}
		}
		return len(batch), asked
	}
	t.Run("it goes on until there are enough groups with right and wrong outputs, and no further", func(t *testing.T) {
		for name, c := range map[string]struct{ n, found, asked int }{
			"none": {0, 0, 0}, "one": {1, 1, 2}, "two": {2, 2, 5}, "more than there are": {9, 3, 6},
		} {
			found, asked := sampled(c.n, right, mixed, wrong, right, mixed, mixed)
			check.Near(t, name+": groups", float64(found), float64(c.found), 0)
			check.Near(t, name+": sampled", float64(asked), float64(c.asked), 0)
		}
	})
	// Of G outputs all are right with p^G and all wrong with (1−p)^G. Each informative group has Σ
	// Â² = G, each other one 0.
	t.Run("of all groups 1 − p^G − (1−p)^G are kept, and they have all there is to learn", func(t *testing.T) {
		for _, p := range []float64{0.1, 0.5, 0.9} {
			const g = 8
			var kept, learnt, learntOfKept float64
			outcomes(g, p, func(probability float64, rewards []float64) {
				batch, _ := DynamicSampling(slices.Values([][]float64{rewards}), 1)
				learnt += probability * squares(Normalize(rewards, Population, 0))
				for _, rewards := range batch {
					kept += probability
					learntOfKept += probability * squares(Normalize(rewards, Population, 0))
				}
			})
			want := 1 - math.Pow(p, g) - math.Pow(1-p, g)
			check.Near(t, "kept", kept, want, 256*16*u)
			check.Near(t, "E[Σ Â²]", learnt, g*want, 256*16*g*u)
			check.Near(t, "E[Σ Â²] of the batch", learntOfKept/kept, g, 256*16*g*u)
		}
	})
}

func TestOverlongPenalty(t *testing.T) {
	t.Run("free up to 16384, half at 18432, whole from 20480 on", func(t *testing.T) {
		for length, want := range map[int]float64{0: 0, 16384: 0, 18432: -0.5, 20480: -1, 20481: -1, 1 << 30: -1} {
			check.Near(t, "penalty", OverlongPenalty(length, 20480, 4096), want, 0)
		}
	})
	t.Run("between it falls by 1/4096 a token, at both ends too", func(t *testing.T) {
		for length := 16384; length < 20480; length++ {
			step := OverlongPenalty(length, 20480, 4096) - OverlongPenalty(length+1, 20480, 4096)
			check.Near(t, "step", step, 1.0/4096, 0)
		}
	})
}
