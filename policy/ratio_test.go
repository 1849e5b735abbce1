package policy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestRatio(t *testing.T) {
	t.Run("an unchanged policy has ratio 1 exactly", rapid.MakeCheck(func(t *rapid.T) {
		l := rapid.Float64Range(-1e6, 0).Draw(t, "log π")
		check.Near(t, "r", policy.Ratio(l, l, rapid.SampledFrom([]float64{0, 20}).Draw(t, "limit")), 1, 0)
	}))
	// log r is off by one rounding of numbers below 2, the exponential by an ulp.
	t.Run("it is the quotient of the probabilities", func(t *testing.T) {
		check.Near(t, "r", policy.Ratio(math.Log(0.5), math.Log(0.25), 0), 2, 8*u)
		check.Near(t, "r", policy.Ratio(math.Log(0.25), math.Log(0.75), 0), 1./3, 2*u)
	})
	t.Run("there and back is 1", rapid.MakeCheck(func(t *rapid.T) {
		a, b := rapid.Float64Range(-100, 0).Draw(t, "a"), rapid.Float64Range(-100, 0).Draw(t, "b")
		check.Near(t, "r·1/r", policy.Ratio(a, b, 0)*policy.Ratio(b, a, 0), 1, 8*u)
	}))
	t.Run("log-ratios of ±100 stay numbers, and are cut at a limit", func(t *testing.T) {
		check.Near(t, "r", policy.Ratio(-1, -101, 0), math.Exp(100), 0)
		check.Near(t, "r", policy.Ratio(-101, -1, 0), math.Exp(-100), 0)
		check.Near(t, "r", policy.Ratio(-1, -101, 20), math.Exp(20), 0)
		check.Near(t, "r", policy.Ratio(-101, -1, 20), math.Exp(-20), 0)
	})
	t.Run("a token that only one policy excludes has ratio 0 or +∞, or the limit's", func(t *testing.T) {
		check.Near(t, "r", policy.Ratio(-inf, -1, 0), 0, 0)
		check.Near(t, "r", policy.Ratio(-1, -inf, 0), inf, 0)
		check.Near(t, "r", policy.Ratio(-inf, -1, 10), math.Exp(-10), 0)
		check.Near(t, "r", policy.Ratio(-1, -inf, 10), math.Exp(10), 0)
	})
	t.Run("a token that both exclude has none", func(t *testing.T) {
		check.NaN(t, "r", policy.Ratio(-inf, -inf, 0))
		check.NaN(t, "r", policy.Ratio(-inf, -inf, 10))
	})
}

func TestLogRatio(t *testing.T) {
	t.Run("it is the difference, and inside a limit as if there were none", func(t *testing.T) {
		check.Near(t, "log r", policy.LogRatio(-1.5, -4, 0), 2.5, 0)
		check.Near(t, "log r", policy.LogRatio(-1.5, -4, 2.5), 2.5, 0)
		check.Near(t, "log r", policy.LogRatio(-1.5, -4, 2), 2, 0)
		check.Near(t, "log r", policy.LogRatio(-4, -1.5, 2), -2, 0)
	})
	t.Run("its derivative is 1 inside and on the limit, 0 beyond", func(t *testing.T) {
		for delta, want := range map[float64]float64{
			0: 1, 1.9: 1, -1.9: 1, 2: 1, -2: 1, 2.1: 0, -2.1: 0, -inf: 0, inf: 0,
		} {
			check.Near(t, "∂ log r", policy.LogRatioBackward(delta, 0, 2), want, 0)
			check.Near(t, "∂ log r without a limit", policy.LogRatioBackward(delta, 0, 0), 1, 0)
		}
	})
}

func TestRatioBackward(t *testing.T) {
	t.Run("it is the derivative of Ratio, on either side of a limit", func(t *testing.T) {
		for _, limit := range []float64{0, 1.5} {
			for _, l := range []float64{-4, -2.2, -1, -0.7, 0.2, 1} {
				want := check.Derivative(func(l float64) float64 { return policy.Ratio(l, -1, limit) }, l)
				check.Near(t, "∂r", policy.RatioBackward(l, -1, limit), want, stepBound)
			}
		}
	})
	t.Run("without a limit the ratio is its own derivative", func(t *testing.T) {
		check.Near(t, "∂r", policy.RatioBackward(-1, -101, 0), math.Exp(100), 0)
		check.Near(t, "∂r", policy.RatioBackward(-inf, -1, 0), 0, 0)
	})
	t.Run("beyond a limit it is 0, where the ratio would overflow too", func(t *testing.T) {
		check.Near(t, "∂r", policy.RatioBackward(-1, -inf, 20), 0, 0)
		check.Near(t, "∂r", policy.RatioBackward(-1, -1001, 20), 0, 0)
	})
}

func TestSequenceRatio(t *testing.T) {
	ones := []float64{1, 1, 1}
	old := []float64{-3, -2, -1}
	t.Run("an unchanged policy has ratio 1 exactly", func(t *testing.T) {
		check.Near(t, "s", policy.SequenceRatio(old, old, ones, 0), 1, 0)
	})
	t.Run("one token has its own ratio", func(t *testing.T) {
		check.Near(t, "s", policy.SequenceRatio([]float64{-0.5}, []float64{-1.5}, []float64{1}, 0),
			policy.Ratio(-0.5, -1.5, 0), 0)
	})
	// (2·8)^{1/2} = 4, where the mean is 5 and the product 16.
	t.Run("tokens of ratios 2 and 8 have the geometric mean 4", func(t *testing.T) {
		check.Near(t, "s", policy.SequenceRatio([]float64{math.Ln2, math.Log(8)}, []float64{0, 0}, []float64{1, 1}, 0),
			4, 32*u)
	})
	t.Run("writing the output twice changes nothing, unlike the product of ratios", func(t *testing.T) {
		a, b := []float64{-0.5, -2}, []float64{-0.75, -1}
		check.Near(t, "s", policy.SequenceRatio(append(a, a...), append(b, b...), []float64{1, 1, 1, 1}, 0),
			policy.SequenceRatio(a, b, []float64{1, 1}, 0), 0)
	})
	// Log-ratios 30 and −10: their mean 10 is within ±20; clamped one by one they would give
	// (20−10)/2 = 5.
	t.Run("a limit is on the mean, not on each token", func(t *testing.T) {
		l, old, m := []float64{-1, -11}, []float64{-31, -1}, []float64{1, 1}
		check.Near(t, "s", policy.SequenceRatio(l, old, m, 20), math.Exp(10), 0)
		check.Near(t, "s", policy.SequenceRatio(l, old, m, 8), math.Exp(8), 0)
		check.NearAll(t, "∂s", policy.SequenceRatioBackward(l, old, m, 8), []float64{0, 0}, 0)
	})
	t.Run("tokens outside the mask do not count, whatever they are", func(t *testing.T) {
		l, o := []float64{-1, nan, -2, -inf}, []float64{-2, 7, -2, -inf}
		check.Near(t, "s", policy.SequenceRatio(l, o, []float64{1, 0, 1, 0}, 0), math.Exp(0.5), 0)
	})
	t.Run("an output without tokens has ratio 1 and no gradient", func(t *testing.T) {
		check.Near(t, "s", policy.SequenceRatio(nil, nil, nil, 0), 1, 0)
		check.Near(t, "s", policy.SequenceRatio([]float64{nan}, old[:1], []float64{0}, 0), 1, 0)
		check.NearAll(t, "∂s", policy.SequenceRatioBackward([]float64{nan}, old[:1], []float64{0}, 0), []float64{0}, 0)
	})
	t.Run("one excluded token makes the whole output's ratio 0", func(t *testing.T) {
		check.Near(t, "s", policy.SequenceRatio([]float64{-inf, -2, -1}, old, ones, 0), 0, 0)
	})
	t.Run("its gradient is its derivative, s/|o| for every token in the mask", func(t *testing.T) {
		l, m := []float64{-2.5, -2.25, -0.5}, []float64{1, 0, 1}
		got := policy.SequenceRatioBackward(l, old, m, 5)
		check.NearAll(t, "∂s", got, check.Gradient(func(l []float64) float64 {
			return policy.SequenceRatio(l, old, m, 5)
		}, l), stepBound)
		s := math.Exp(0.5)
		check.NearAll(t, "∂s", got, []float64{s / 2, 0, s / 2}, 0)
	})
	t.Run("its logarithm has the gradient 1/|o|, where the ratio itself is 0 or infinite too", func(t *testing.T) {
		m := []float64{1, 0, 1}
		for _, first := range []float64{-2.5, -inf, inf} {
			l := []float64{first, nan, -0.5}
			check.Near(t, "e^{log s}", math.Exp(policy.SequenceLogRatio(l, old, m, 0)),
				policy.SequenceRatio(l, old, m, 0), 0)
			check.NearAll(t, "∂ log s", policy.SequenceLogRatioBackward(l, old, m, 0), []float64{0.5, 0, 0.5}, 0)
			check.NearAll(t, "∂ log s beyond a limit", policy.SequenceLogRatioBackward(l, old, m, 0.25),
				[]float64{0, 0, 0}, 0)
		}
		l := []float64{-2.5, -2.25, -0.5}
		log := func(l []float64) float64 { return policy.SequenceLogRatio(l, old, m, 0) }
		check.NearAll(t, "∂ log s", policy.SequenceLogRatioBackward(l, old, m, 0), check.Gradient(log, l), stepBound)
	})
	t.Run("an infinite ratio has no gradient outside the mask, and no NaN", func(t *testing.T) {
		check.NearAll(t, "∂s", policy.SequenceRatioBackward([]float64{inf, -1}, old[:2], []float64{1, 0}, 0),
			[]float64{inf, 0}, 0)
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, "policy: logprob, old and mask differ in length", func() {
			policy.SequenceRatio(old, old, ones[:2], 0)
		})
		check.Panics(t, "policy: logprob, old and mask differ in length", func() {
			policy.SequenceRatio(old[:2], old, ones[:2], 0)
		})
		check.Panics(t, "policy: logprob, old and mask differ in length", func() {
			policy.SequenceRatio(old, old[:2], ones, 0)
		})
	})
}
