package policy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

// clipped is policy.Clipped with bounds of 0.8 and 1.28.
func clipped(r, advantage float64) (loss, dlogratio float64) {
	return policy.Clipped(r, advantage, 0.2, 0.28)
}

func TestSurrogate(t *testing.T) {
	t.Run("its derivative for log π is that of the loss, inside a limit and beyond", func(t *testing.T) {
		for name, l := range map[string]policy.RatioLoss{"unclipped": policy.Unclipped, "clipped": clipped} {
			for _, limit := range []float64{0, 0.75} {
				for _, logprob := range []float64{-2, -1.5, -1.1, -0.9, -0.5, 0} {
					for _, a := range []float64{-1.5, 1.5} {
						_, got := l.Loss(logprob, -1, a, limit)
						want := check.Derivative(func(x float64) float64 {
							loss, _ := l.Loss(x, -1, a, limit)
							return loss
						}, logprob)
						check.Near(t, name, got, want, stepBound)
					}
				}
			}
		}
	})
	t.Run("on the limit the derivative is that of the inside, beyond it the loss is the limit's", func(t *testing.T) {
		l := policy.RatioLoss(policy.Unclipped)
		check.Both(t, "on it", func() (float64, float64) { return l.Loss(0, -1, 2, 1) }, -2*math.E, -2*math.E, 4*u)
		check.Both(t, "beyond", func() (float64, float64) { return l.Loss(0, -100, 2, 1) }, -2*math.E, 0, 4*u)
		check.Both(t, "excluded by π_old", func() (float64, float64) {
			return l.Loss(-1, -inf, 2, 1)
		}, -2*math.E, 0, 4*u)
	})
}

func TestUnclipped(t *testing.T) {
	t.Run("loss and derivative are both −rA", func(t *testing.T) {
		check.Both(t, "r = 3/2", func() (float64, float64) { return policy.Unclipped(1.5, 2) }, -3, -3, 0)
	})
	t.Run("an advantage of 0 has none, even of a ratio that overflowed", func(t *testing.T) {
		check.Both(t, "A = 0", func() (float64, float64) { return policy.Unclipped(inf, 0) }, 0, 0, 0)
		check.Both(t, "A = 1", func() (float64, float64) { return policy.Unclipped(inf, 1) }, -inf, -inf, 0)
	})
	// E_old[r A ∇ log π] = E_π[A ∇ log π]: the ratio undoes the sampling.
	t.Run("over samples of another policy its gradient is the policy gradient of this one", func(t *testing.T) {
		advantage := []float64{1, -2, 0.5, 3, -0.25}
		got := pull(logOld, z, func(k int) float64 {
			_, d := policy.RatioLoss(policy.Unclipped).Loss(logp[k], logOld[k], advantage[k], 0)
			return d
		})
		check.NearAll(t, "gradient", got, pull(logp, z, func(k int) float64 { return -advantage[k] }), sumBound)
	})
}

func TestClipped(t *testing.T) {
	t.Run("it is the larger of the losses with the ratio and with the clipped ratio", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 5).Draw(t, "r"), rapid.Float64Range(-9, 9).Draw(t, "A")
		loss, d := clipped(r, a)
		check.Near(t, "loss", loss, max(-r*a, -min(max(r, 0.8), 1.28)*a), 0)
		want := loss
		if a > 0 && r > 1.28 || a < 0 && r < 0.8 {
			want = 0
		}
		check.Near(t, "derivative", d, want, 0)
	}))
	t.Run("on the boundary the derivative is that of the inside", func(t *testing.T) {
		check.Both(t, "above", func() (float64, float64) { return clipped(1.28, 1) }, -1.28, -1.28, 0)
		check.Both(t, "below", func() (float64, float64) { return clipped(0.8, -1) }, 0.8, 0.8, 0)
	})
	t.Run("one place beyond the boundary it is 0, also where both products round to one number", func(t *testing.T) {
		above, below := math.Nextafter(1.28, 2), math.Nextafter(0.8, 0)
		for _, a := range []float64{1, 0.3, 1. / 3, 0.7, 1e-300, 5e-324} {
			check.Both(t, "above", func() (float64, float64) { return clipped(above, a) }, -1.28*a, 0, 0)
			check.Both(t, "below", func() (float64, float64) { return clipped(below, -a) }, 0.8*a, 0, 0)
		}
	})
	t.Run("a ratio that overflowed has the limits, and none stays none", func(t *testing.T) {
		check.Both(t, "A > 0", func() (float64, float64) { return clipped(inf, 1) }, -1.28, 0, 0)
		check.Both(t, "A < 0", func() (float64, float64) { return clipped(inf, -1) }, inf, inf, 0)
		loss, d := clipped(nan, 1)
		check.NaN(t, "no ratio", loss, d)
	})
}

func TestBounded(t *testing.T) {
	t.Run("it bounds the loss of a bad token, whatever the surrogate", func(t *testing.T) {
		for name, c := range map[string]struct{ loss, d, a, c, want, dwant float64 }{
			"beyond it":                 {10, 10, -2, 3, 6, 0},
			"an infinite loss":          {inf, inf, -2, 3, 6, 0},
			"below it":                  {5, 4, -2, 3, 5, 4},
			"on it, the surrogate's":    {6, 4, -2, 3, 6, 4},
			"a good token is left":      {5, 4, 2, 3, 5, 4},
			"an indifferent one too":    {5, 4, 0, 3, 5, 4},
			"a bound of 0 is none":      {10, 10, -2, 0, 10, 10},
			"and so is an infinite one": {10, 10, -2, inf, 10, 10},
		} {
			check.Both(t, name, func() (float64, float64) {
				return policy.Bounded(c.loss, c.d, c.a, c.c)
			}, c.want, c.dwant, 0)
		}
	})
}

// An advantage of 0 asks for nothing, and 0·∞ would be NaN: a ratio overflows where π_old all but
// excludes a token.
func TestNoAdvantage(t *testing.T) {
	ratios := []float64{0, 0.5, 1, 2, math.MaxFloat64, inf}
	t.Run("without an advantage there is neither loss nor derivative, whatever the ratio, the clip and the bound",
		func(t *testing.T) {
			for _, r := range ratios {
				for _, bound := range []float64{0.2, 1, 10, inf} {
					for _, c := range []float64{0, 3, inf} {
						for _, a := range []float64{0, math.Copysign(0, -1)} {
							check.Both(t, "clipped and bounded", func() (float64, float64) {
								loss, d := policy.Clipped(r, a, bound, bound)
								return policy.Bounded(loss, d, a, c)
							}, 0, 0, 0)
						}
					}
				}
			}
		})
	t.Run("nor with the ratio of a token that π_old excludes", func(t *testing.T) {
		for _, limit := range []float64{0, 20} {
			for name, l := range map[string]policy.RatioLoss{"unclipped": policy.Unclipped, "clipped": clipped} {
				check.Both(t, name, func() (float64, float64) { return l.Loss(-1, -inf, 0, limit) }, 0, 0, 0)
				check.Both(t, name, func() (float64, float64) { return l.Loss(-1, -800, 0, limit) }, 0, 0, 0)
			}
		}
	})
	t.Run("and a bound that is infinite bounds nothing, at the clip as at c", func(t *testing.T) {
		check.Both(t, "ε = ∞", func() (float64, float64) { return policy.Clipped(7, 2, inf, inf) }, -14, -14, 0)
		check.Both(t, "ε = ∞", func() (float64, float64) { return policy.Clipped(inf, -2, inf, inf) }, inf, inf, 0)
	})
}
