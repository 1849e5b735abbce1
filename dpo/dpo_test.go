package dpo

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"pgregory.net/rapid"
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

// apart fails unless got and other differ by more than least: a test of it shows that two conventions can be told apart.
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

const step = 0x1p-17

// numeric returns the central differences of f at x: (f(x+h) − f(x−h))/2h, off by h²·f‴/6 + u·|f|/h.
func numeric(f func(x []float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// numeric1 is numeric for one variable.
func numeric1(f func(x float64) float64, x float64) float64 {
	return fd.Derivative(f, x, &fd.Settings{Formula: fd.Central, Step: step})
}

// numericBound is h²·f‴/6 + 4u·|f|/h for third derivatives and values up to size.
func numericBound(size float64) float64 { return size * (step*step/6 + 4*u/step) }

// random returns n values in [−scale, scale).
func random(seed uint64, n int, scale float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 7))
	x := make([]float64, n)
	for i := range x {
		x[i] = scale * (2*rng.Float64() - 1)
	}
	return x
}

// distribution returns logarithms of n probabilities, none of them far from 1/n.
func distribution(seed uint64, n int) []float64 {
	logp := random(seed, n, 1)
	var sum float64
	for _, l := range logp {
		sum += math.Exp(l)
	}
	for i := range logp {
		logp[i] -= math.Log(sum)
	}
	return logp
}

// kl returns Σ p (log p − log q).
func kl(logp, logq []float64) (sum float64) {
	for i := range logp {
		sum += math.Exp(logp[i]) * (logp[i] - logq[i])
	}
	return sum
}

// mass returns Σ e^logp.
func mass(logp []float64) (sum float64) {
	for _, l := range logp {
		sum += math.Exp(l)
	}
	return sum
}

// permutations returns all orders of 0 … n−1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for k := range n {
			q := append(append(append([]int{}, p[:k]...), n-1), p[k:]...)
			all = append(all, q)
		}
	}
	return all
}
