package policy_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/policy"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = 0x1p-53

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// logits returns n of them in [−2, 2).
func logits(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	z := make([]float64, n)
	for i := range z {
		z[i] = 4*rng.Float64() - 2
	}
	return z
}

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

// stepBound is that for f and f‴ up to 8.
const stepBound = 8 * (step*step/6 + 2*u/step)

// slope returns the central difference of f at x.
func slope(f func(float64) float64, x float64) float64 {
	return fd.Derivative(f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// gradient returns the central differences of f at x.
func gradient(f func([]float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// mean returns the expectation of f over a distribution given by its logarithms.
func mean(logp []float64, f func(token int) float64) (sum float64) {
	for k, l := range logp {
		sum += math.Exp(l) * f(k)
	}
	return sum
}

// pull returns the expectation of coefficient(k) ∇ log p_k over samples of sampler, for the logits z of p: the gradient that a loss with this
// derivative has when every token of the vocabulary is sampled as often as it should be.
func pull(sampler, z []float64, coefficient func(token int) float64) []float64 {
	sum := make([]float64, len(z))
	for k, l := range sampler {
		for i, d := range policy.LogProbBackward(z, k, 1) {
			sum[i] += math.Exp(l) * coefficient(k) * d
		}
	}
	return sum
}

// matrix returns rows as a matrix.
func matrix(rows ...[]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		m.SetRow(i, row)
	}
	return m
}
