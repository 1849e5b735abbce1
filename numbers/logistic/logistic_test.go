package logistic

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// u is the unit roundoff of float64.
const u = check.U

func TestSigmoid(t *testing.T) {
	t.Run("at zero it is one half, exactly", func(t *testing.T) {
		check.Near(t, "σ(0)", Sigmoid(0), 0.5, 0)
	})
	t.Run("σ(ln 3) = 3/4", func(t *testing.T) {
		check.Near(t, "σ", Sigmoid(math.Log(3)), 0.75, 4*u)
	})
	t.Run("what one side gains the other loses", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-800, 800).Draw(t, "x")
		check.Near(t, "σ(x) + σ(−x)", Sigmoid(x)+Sigmoid(-x), 1, 8*u)
	}))
	t.Run("it never leaves [0, 1] and never becomes NaN", func(t *testing.T) {
		for x, want := range map[float64]float64{
			math.Inf(-1): 0, -1e308: 0, -1000: 0, 1000: 1, 1e308: 1, math.Inf(1): 1,
		} {
			check.Near(t, "σ", Sigmoid(x), want, 0)
		}
	})
	t.Run("far below zero it is e^x, to relative precision", func(t *testing.T) {
		check.Near(t, "σ(−700)", Sigmoid(-700), math.Exp(-700), 4*u*math.Exp(-700))
	})
}

func TestSigmoidLiteral(t *testing.T) {
	t.Run("the form as printed is the safe one, to a few roundings", rapid.MakeCheck(func(t *rapid.T) {
		// Both round an exponential, good to one ulp or two on every processor, a sum and a
		// quotient.
		x := rapid.Float64Range(-700, 700).Draw(t, "x")
		check.Near(t, "σ", SigmoidLiteral(x), Sigmoid(x), 16*u*Sigmoid(x))
	}))
	t.Run("below −709.8 the form as printed gives up, the safe one goes on", func(t *testing.T) {
		// e⁷²⁰ overflows; σ(x) = e^x there, as 1 + e^x = 1. So it is among the subnormals.
		check.Near(t, "literal", SigmoidLiteral(-720), 0, 0)
		check.Near(t, "safe", Sigmoid(-720), math.Exp(-720), 0)
		if math.Exp(-720) == 0 || Sigmoid(-740) == 0 {
			t.Error("nothing is left to go on with")
		}
	})
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
		check.Near(t, "literal", LogSigmoidLiteral(38), 0, 0)
		check.Near(t, "literal", LogSigmoidLiteral(-710), math.Inf(-1), 0)
		check.Near(t, "log σ(38)", LogSigmoid(38), -math.Exp(-38), 4*u*math.Exp(-38))
		check.Near(t, "log σ(−710)", LogSigmoid(-710), -710, 0)
	})
	t.Run("its values for x and −x differ by x", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.Float64Range(-1000, 1000).Draw(t, "x")
		check.Near(t, "log σ(x) − log σ(−x)", LogSigmoid(x)-LogSigmoid(-x), x, 4*u*math.Abs(x)+4*u)
	}))
	t.Run("its derivative is σ(−x)", func(t *testing.T) {
		for _, x := range []float64{-20, -1, 0, 0.3, 5} {
			check.Near(t, "derivative", check.Derivative(LogSigmoid, x), Sigmoid(-x), 3*check.DifferenceBound(1, 1))
		}
	})
}
