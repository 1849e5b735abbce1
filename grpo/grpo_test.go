package grpo

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/num/dual"
	"pgregory.net/rapid"

	"plumbline/policy"
)

// u is the unit roundoff of float64: an operation is off by at most u times its result.
const u = 0x1p-53

// near fails unless got is within bound of want.
func near(t rapid.TB, what string, got, want, bound float64) {
	t.Helper()
	if !(math.Abs(got-want) <= bound) {
		t.Errorf("%s: got %.17g, want %.17g, off by %.3g, allowed %.3g", what, got, want, math.Abs(got-want), bound)
	}
}

// nearAll is near for every element.
func nearAll(t rapid.TB, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= bound) {
			t.Errorf("%s: element %d: got %.17g, want %.17g, allowed %.3g", what, i, got[i], want[i], bound)
		}
	}
}

// nearMatrix is near for every element.
func nearMatrix(t rapid.TB, what string, got, want mat.Matrix, bound float64) {
	t.Helper()
	nearAll(t, what, mat.DenseCopyOf(got).RawMatrix().Data, mat.DenseCopyOf(want).RawMatrix().Data, bound)
}

// apart fails unless got and other differ by more than least: two conventions can then be told apart.
func apart(t rapid.TB, what string, got, other, least float64) {
	t.Helper()
	if !(math.Abs(got-other) > least) {
		t.Errorf("%s: %.17g and %.17g are not %.3g apart", what, got, other, least)
	}
}

// panics fails unless f panics with message.
func panics(t *testing.T, message string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != message {
			t.Errorf("panic: got %v, want %q", got, message)
		}
	}()
	f()
}

const fdStep = 0x1p-17

// numeric returns the central differences of f at x: (f(x+h) − f(x−h))/2h, off by h²·f‴/6 + u·|f|/h.
func numeric(f func(x []float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central, Step: fdStep})
}

// numericBound is h²·f‴/6 + 4u·|f|/h for third derivatives and values up to size.
func numericBound(size float64) float64 { return size * (fdStep*fdStep/6 + 4*u/fdStep) }

// random returns n values in [−scale, scale).
func random(seed uint64, n int, scale float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, n)
	for i := range x {
		x[i] = scale * (2*rng.Float64() - 1)
	}
	return x
}

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

// expected returns E_π[coefficient(o) ∇ log π(o)] for the logits z of π, summed over all answers: what sampling would come to.
func expected(z []float64, coefficient func(o int) float64) []float64 {
	g := make([]float64, len(z))
	for o, l := range policy.LogSoftmax(z, 1) {
		for k, d := range policy.LogProbBackward(z, o, 1) {
			g[k] += math.Exp(l) * coefficient(o) * d
		}
	}
	return g
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

// corner is a ratio on one side of one bound of ε_l = 0.2, ε_h = 0.28, with an advantage of either sign.
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
