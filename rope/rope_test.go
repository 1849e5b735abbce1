package rope

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// u is the unit roundoff of float64: an operation is off by at most u times its result.
const u = 0x1p-53

// layouts are all there are.
var layouts = []Layout{Interleaved, Half, InterleavedToHalf}

// near fails unless got is within bound of want.
func near(t *testing.T, what string, got, want, bound float64) {
	t.Helper()
	if !(math.Abs(got-want) <= bound) {
		t.Errorf("%s: got %.17g, want %.17g, off by %.3g, allowed %.3g", what, got, want, math.Abs(got-want), bound)
	}
}

// nearAll is near for every element.
func nearAll(t *testing.T, what string, got, want []float64, bound float64) {
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

// same fails unless got and want are equal to the bit (but for the sign of zero).
func same(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if !floats.Equal(got, want) {
		t.Errorf("%s: got %v, want %v, to the bit", what, got, want)
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

// vector returns d values in [−1, 1).
func vector(d int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	x := make([]float64, d)
	for i := range x {
		x[i] = 2*r.Float64() - 1
	}
	return x
}

// row returns cosines and sines of one position.
func row(m float64, theta []float64) (cos, sin []float64) {
	c, s := Table([]float64{m}, theta)
	return c.RawRowView(0), s.RawRowView(0)
}

// at returns x rotated to position m.
func at(x []float64, m float64, theta []float64, layout Layout) []float64 {
	cos, sin := row(m, theta)
	return Rotate(x, cos, sin, layout)
}
