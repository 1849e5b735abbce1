// Package check holds what tests of many packages share: comparisons within a bound, derivatives by
// differences, what is read and allocated.
package check

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
)

// U is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ U.
const U = 0x1p-53

// T is what a test or a property reports to.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Near demands got within bound of want. An infinity is near itself alone, a NaN near nothing.
func Near(t T, what string, got, want, bound float64) {
	t.Helper()
	if !near(got, want, bound) {
		t.Errorf("%s: got %.17g, want %.17g, off by %.3g, allowed %.3g", what, got, want, math.Abs(got-want), bound)
	}
}

func near(got, want, bound float64) bool {
	return got == want || math.Abs(got-want) <= bound
}

// NearAll is Near for every element.
func NearAll(t T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !near(got[i], want[i], bound) {
			t.Errorf("%s: element %d: got %.17g, want %.17g, off by %.3g, allowed %.3g",
				what, i, got[i], want[i], math.Abs(got[i]-want[i]), bound)
		}
	}
}

// NearMatrix is Near for every element.
func NearMatrix(t T, what string, got, want mat.Matrix, bound float64) {
	t.Helper()
	rows, cols := got.Dims()
	if r, c := want.Dims(); r != rows || c != cols {
		t.Fatalf("%s: got [%d × %d], want [%d × %d]", what, rows, cols, r, c)
	}
	NearAll(t, what, mat.DenseCopyOf(got).RawMatrix().Data, mat.DenseCopyOf(want).RawMatrix().Data, bound)
}

// Both demands a loss and its derivative within bound.
func Both(t T, what string, f func() (loss, slope float64), loss, slope, bound float64) {
	t.Helper()
	gotLoss, gotSlope := f()
	Near(t, what+": loss", gotLoss, loss, bound)
	Near(t, what+": derivative", gotSlope, slope, bound)
}

// NaN demands that got is none.
func NaN(t T, what string, got ...float64) {
	t.Helper()
	for i, x := range got {
		if !math.IsNaN(x) {
			t.Errorf("%s: element %d: got %v, want NaN", what, i, x)
		}
	}
}

// Apart demands that got and other differ by more than least: two conventions can then be told
// apart.
func Apart(t T, what string, got, other, least float64) {
	t.Helper()
	if !(math.Abs(got-other) > least) {
		t.Errorf("%s: %.17g and %.17g are not %.3g apart", what, got, other, least)
	}
}

// Panics demands that f panics with message.
func Panics(t T, message string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != message {
			t.Errorf("panic: got %v, want %q", got, message)
		}
	}()
	f()
}

// step is that of the differences.
const step = 0x1p-17

// Derivative returns the central difference of f at x: (f(x+h) − f(x−h))/2h with h = 2⁻¹⁷.
func Derivative(f func(x float64) float64, x float64) float64 {
	return fd.Derivative(f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// Gradient returns the central differences of f at x.
func Gradient(f func(x []float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// Moved is Gradient for what hangs on x without being given it: it moves x in place and puts it
// back.
func Moved(f func() float64, x []float64) []float64 {
	start := slices.Clone(x)
	gradient := Gradient(func(at []float64) float64 {
		copy(x, at)
		return f()
	}, start)
	copy(x, start)
	return gradient
}

// DifferenceBound returns what a central difference is off by, h²·f‴/6 + roundings·u·f/h, for
// values and third derivatives up to size, if f makes so many roundings.
func DifferenceBound(size, roundings float64) float64 {
	return size * (step*step/6 + roundings*U/step)
}

// Random returns n values in [−scale, scale).
func Random(seed uint64, n int, scale float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, n)
	for i := range x {
		x[i] = scale * (2*rng.Float64() - 1)
	}
	return x
}

// Matrix returns rows as a matrix.
func Matrix(rows ...[]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		m.SetRow(i, row)
	}
	return m
}

// Mean returns the expectation of f over a distribution given by its logarithms: what sampling
// would come to.
func Mean(logp []float64, f func(k int) []float64) []float64 {
	var sum []float64
	for k, l := range logp {
		x := f(k)
		if sum == nil {
			sum = make([]float64, len(x))
		}
		for i := range sum {
			sum[i] += math.Exp(l) * x[i]
		}
	}
	return sum
}
