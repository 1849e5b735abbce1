package policy

import "slices"

// LeaveOneOut returns for each of several samples from one state, or outputs to one question, the
// mean reward of the others, as its baseline.
//
//	b_i = 1/(k−1) Σ_{j ≠ i} r_j
//
// rewards is [k] and so is the result. It knows nothing of sample i, so that no gradient is biased
// by it; the mean of all k does, and shrinks the gradient by (k−1)/k. One sample alone has no
// others: its baseline is 0. It implements RLOO, Buy 4 REINFORCE Samples, Get a Baseline for Free
// (Kool et al. 2019), its baseline (number not compared).
func LeaveOneOut(rewards []float64) []float64 {
	b := make([]float64, len(rewards))
	for i := range rewards {
		others := slices.Delete(slices.Clone(rewards), i, i+1)
		if len(others) > 0 {
			b[i] = meanOf(others)
		}
	}
	return b
}

// meanOf returns the mean of x by its differences from the first, so that it is x exactly where all
// are equal.
func meanOf(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v - x[0]
	}
	return x[0] + sum/float64(len(x))
}
