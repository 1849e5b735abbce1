package dpo

import (
	"math"

	"plumbline/internal/check"
	"plumbline/policy"
)

// u is the unit roundoff of float64: an operation is off by at most u times its result.
const u = check.U

// distribution returns logarithms of n probabilities, none of them far from 1/n.
func distribution(seed uint64, n int) []float64 {
	return policy.LogSoftmax(check.Random(seed, n, 1), 1)
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
