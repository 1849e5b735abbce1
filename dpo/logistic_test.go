package dpo

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestLogistic(t *testing.T) {
	t.Run("no difference is one half, exactly", func(t *testing.T) {
		check.Near(t, "σ(0)", Logistic(0), 0.5, 0)
	})
	t.Run("it is that of package policy", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-800, 800).Draw(t, "x")
		check.Near(t, "σ(x)", Logistic(x), policy.Logistic(x), 0)
		check.Near(t, "log σ(x)", LogSigmoid(x), policy.LogLogistic(x), 0)
	}))
}

func TestLogSigmoid(t *testing.T) {
	t.Run("at zero it is −ln 2", func(t *testing.T) {
		check.Near(t, "log σ(0)", LogSigmoid(0), -math.Ln2, u)
		check.Near(t, "literal", LogSigmoidLiteral(0), -math.Ln2, u)
	})
	t.Run("it is the literal form where that holds", rapid.MakeCheck(func(t *rapid.T) {
		// The literal form has three roundings in 1/(1+e^−x), each of which the logarithm passes on
		// as absolute errors, and one of its own.
		x := rapid.Float64Range(-700, 36).Draw(t, "x")
		want := LogSigmoidLiteral(x)
		check.Near(t, "log σ(x)", LogSigmoid(x), want, 4*u+4*u*math.Abs(want))
	}))
	t.Run("the literal form is lost above 37 and below −709, this one is not", func(t *testing.T) {
		if LogSigmoidLiteral(38) != 0 || !math.IsInf(LogSigmoidLiteral(-710), -1) {
			t.Errorf("literal: %v and %v", LogSigmoidLiteral(38), LogSigmoidLiteral(-710))
		}
		check.Near(t, "log σ(38)", LogSigmoid(38), -math.Exp(-38), 4*u*math.Exp(-38))
		check.Near(t, "log σ(−710)", LogSigmoid(-710), -710, 0)
	})
}
