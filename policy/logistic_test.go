package policy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestLogistic(t *testing.T) {
	t.Run("no difference is one half, exactly", func(t *testing.T) {
		check.Near(t, "σ(0)", policy.Logistic(0), 0.5, 0)
	})
	t.Run("a difference and its opposite share one", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-800, 800).Draw(t, "x")
		check.Near(t, "σ(x) + σ(−x)", policy.Logistic(x)+policy.Logistic(-x), 1, 8*u)
	}))
	t.Run("far below zero it is e^x, to relative precision", func(t *testing.T) {
		// 1/(1+e^−x) with e^700 in the denominator has the same precision there, and ends at −709;
		// this form goes on through the subnormals.
		check.Near(t, "σ(−700)", policy.Logistic(-700), math.Exp(-700), 4*u*math.Exp(-700))
		if policy.Logistic(-740) == 0 || 1/(1+math.Exp(740)) != 0 {
			t.Error("σ(−740) is 0, or the literal form is not")
		}
	})
	t.Run("a thousand either way is 0 or 1", func(t *testing.T) {
		check.Near(t, "σ(−1000)", policy.Logistic(-1000), 0, 0)
		check.Near(t, "σ(1000)", policy.Logistic(1000), 1, 0)
	})
}

func TestLogLogistic(t *testing.T) {
	t.Run("at zero it is −ln 2", func(t *testing.T) {
		check.Near(t, "log σ(0)", policy.LogLogistic(0), -math.Ln2, u)
	})
	t.Run("it goes on where 1 + e^−x would be 1 or overflow", func(t *testing.T) {
		check.Near(t, "log σ(38)", policy.LogLogistic(38), -math.Exp(-38), 4*u*math.Exp(-38))
		check.Near(t, "log σ(−710)", policy.LogLogistic(-710), -710, 0)
	})
	t.Run("its values for x and −x differ by x", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-1000, 1000).Draw(t, "x")
		check.Near(t, "log σ(x) − log σ(−x)", policy.LogLogistic(x)-policy.LogLogistic(-x), x, 4*u*math.Abs(x)+4*u)
	}))
	t.Run("its derivative is σ(−x)", func(t *testing.T) {
		for _, x := range []float64{-20, -1, 0, 0.3, 5} {
			check.Near(t, "derivative", check.Derivative(policy.LogLogistic, x), policy.Logistic(-x), 3*stepBound)
		}
	})
}
