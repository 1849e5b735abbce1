package dpo

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLogistic(t *testing.T) {
	t.Run("no difference is one half, exactly", func(t *testing.T) {
		near(t, "σ(0)", Logistic(0), 0.5, 0)
	})
	t.Run("a difference and its opposite share one", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-800, 800).Draw(t, "x")
		near(t, "σ(x) + σ(−x)", Logistic(x)+Logistic(-x), 1, 8*u)
	}))
	t.Run("far below zero it is e^x, to relative precision", func(t *testing.T) {
		// 1/(1+e^−x) with e^700 in the denominator has the same precision there, and ends at −709; this form goes on through the subnormals.
		near(t, "σ(−700)", Logistic(-700), math.Exp(-700), 4*u*math.Exp(-700))
		if Logistic(-740) == 0 || 1/(1+math.Exp(740)) != 0 {
			t.Error("σ(−740) is 0, or the literal form is not")
		}
	})
	t.Run("a thousand either way is 0 or 1", func(t *testing.T) {
		near(t, "σ(−1000)", Logistic(-1000), 0, 0)
		near(t, "σ(1000)", Logistic(1000), 1, 0)
	})
}

func TestLogSigmoid(t *testing.T) {
	t.Run("at zero it is −ln 2", func(t *testing.T) {
		near(t, "log σ(0)", LogSigmoid(0), -math.Ln2, u)
		near(t, "literal", LogSigmoidLiteral(0), -math.Ln2, u)
	})
	t.Run("it is the literal form where that holds", rapid.MakeCheck(func(t *rapid.T) {
		// The literal form has three roundings in 1/(1+e^−x), each of which the logarithm passes on as absolute errors, and one of its own.
		x := rapid.Float64Range(-700, 36).Draw(t, "x")
		want := LogSigmoidLiteral(x)
		near(t, "log σ(x)", LogSigmoid(x), want, 4*u+4*u*math.Abs(want))
	}))
	t.Run("the literal form is lost above 37 and below −709, this one is not", func(t *testing.T) {
		if LogSigmoidLiteral(38) != 0 || !math.IsInf(LogSigmoidLiteral(-710), -1) {
			t.Errorf("literal: %v and %v", LogSigmoidLiteral(38), LogSigmoidLiteral(-710))
		}
		near(t, "log σ(38)", LogSigmoid(38), -math.Exp(-38), 4*u*math.Exp(-38))
		near(t, "log σ(−710)", LogSigmoid(-710), -710, 0)
	})
	t.Run("its values for x and −x differ by x", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-1000, 1000).Draw(t, "x")
		near(t, "log σ(x) − log σ(−x)", LogSigmoid(x)-LogSigmoid(-x), x, 4*u*math.Abs(x)+4*u)
	}))
	t.Run("its derivative is σ(−x)", func(t *testing.T) {
		for _, x := range []float64{-20, -1, 0, 0.3, 5} {
			near(t, "derivative", numeric1(LogSigmoid, x), Logistic(-x), numericBound(20))
		}
	})
}
