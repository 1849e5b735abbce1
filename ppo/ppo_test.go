package ppo_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = 0x1p-53

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// equal demands got within bound of want; NaN equals NaN, and infinities equal themselves.
func equal(t rapid.TB, what string, got, want, bound float64) {
	t.Helper()
	if !(got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= bound) {
		t.Errorf("%s is %v, want %v within %.2g", what, got, want, bound)
	}
}

// equalAll is equal for slices.
func equalAll(t rapid.TB, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		equal(t, what, got[i], want[i], bound)
	}
}

// panics demands that f panics with a message of this package.
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

// step is that of central differences, which are off by h²·f‴/6 + 2u·f/h.
const step = 0x1p-17

// stepBound is that for f and f‴ up to 16.
const stepBound = 16 * (step*step/6 + 2*u/step)

// slope returns the central difference of f at x.
func slope(f func(float64) float64, x float64) float64 {
	return fd.Derivative(f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// gradient returns the central differences of f at x.
func gradient(f func([]float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// matrix returns rows as a matrix.
func matrix(rows ...[]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		m.SetRow(i, row)
	}
	return m
}

// floatsOf draws n numbers within ±limit.
func floatsOf(t *rapid.T, name string, n int, limit float64) []float64 {
	return rapid.SliceOfN(rapid.Float64Range(-limit, limit), n, n).Draw(t, name)
}
