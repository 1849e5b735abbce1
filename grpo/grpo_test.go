package grpo

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/num/dual"

	"plumbline/internal/check"
	"plumbline/policy"
)

// u is the unit roundoff of float64: an operation is off by at most u times its result.
const u = check.U

// constant returns n times x.
func constant(n int, x float64) []float64 {
	c := make([]float64, n)
	for i := range c {
		c[i] = x
	}
	return c
}

// sum returns Σ x.
func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// expected returns E_π[coefficient(o) ∇ log π(o)] for the logits z of π, summed over all answers:
// what sampling would come to.
func expected(z []float64, coefficient func(o int) float64) []float64 {
	return check.Mean(policy.LogSoftmax(z, 1), func(o int) []float64 {
		return floats.ScaleTo(make([]float64, len(z)), coefficient(o), policy.LogProbBackward(z, o, 1))
	})
}

// Dual numbers carry a derivative along with a value, and can drop it: that is a stop-gradient.

// variable is x with derivative 1.
func variable(x float64) dual.Number { return dual.Number{Real: x, Emag: 1} }

// sg is x as a constant.
func sg(x dual.Number) dual.Number { return dual.Number{Real: x.Real} }

// least is the smaller of two, with its derivative; the first if both are equal.
func least(a, b dual.Number) dual.Number {
	if b.Real < a.Real {
		return b
	}
	return a
}

// most is the larger of two, with its derivative; the first if both are equal.
func most(a, b dual.Number) dual.Number {
	if b.Real > a.Real {
		return b
	}
	return a
}

// over is a/b.
func over(a, b dual.Number) dual.Number { return dual.Mul(a, dual.Inv(b)) }

// corner is a ratio on one side of one bound of ε_l = 0.2, ε_h = 0.28, with an advantage of either
// sign.
type corner struct{ r, advantage float64 }

const low, high = 0.2, 0.28

// corners are all there are, the bounds themselves left out.
func corners() []corner {
	var all []corner
	for _, r := range []float64{0.01, 0.5, 0.7999, 0.8001, 0.9, 1, 1.1, 1.2799, 1.2801, 1.5, 2.9, 3.1, 20} {
		for _, a := range []float64{-2, -0.5, 0.5, 2} {
			all = append(all, corner{r, a})
		}
	}
	return all
}

// clipHigher is ClipHigher with DAPO's bounds.
func clipHigher(r, advantage float64) (loss, dlogratio float64) {
	return ClipHigher(r, advantage, low, high)
}

// slope returns the derivative alone.
func slope(_, d float64) float64 { return d }

// first returns the loss alone.
func first(loss, _ float64) float64 { return loss }
