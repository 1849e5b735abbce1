package policy_test

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/policy"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = check.U

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// logits returns n of them in [−2, 2).
func logits(seed uint64, n int) []float64 { return check.Random(seed, n, 2) }

// stepBound is what central differences are off by for f and f‴ up to 8.
var stepBound = check.DifferenceBound(8, 2)

// mean returns the expectation of f over a distribution given by its logarithms.
func mean(logp []float64, f func(token int) float64) (sum float64) {
	for k, l := range logp {
		sum += math.Exp(l) * f(k)
	}
	return sum
}

// pull returns the expectation of coefficient(k) ∇ log p_k over samples of sampler, for the logits
// z of p: the gradient that a loss with this derivative has when every token of the vocabulary is
// sampled as often as it should be.
func pull(sampler, z []float64, coefficient func(token int) float64) []float64 {
	return check.Mean(sampler, func(k int) []float64 {
		return floats.ScaleTo(make([]float64, len(z)), coefficient(k), policy.LogProbBackward(z, k, 1))
	})
}
