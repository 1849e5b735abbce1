package moe

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// DeviceBudget returns how many pairs of token and expert a device may take.
//
//	budget = ⌊φ T K / D⌋
//
// factor is the capacity factor φ, 1 in DeepSeek-V2: the mean load.
// It implements DeepSeek-V2, section 2.2.4 (token dropping, unnumbered).
func DeviceBudget(pairs, devices int, factor float64) int {
	return int(math.Floor(factor * float64(pairs) / float64(devices)))
}

// DropTokens returns the indices with −1 in the place of pairs that a device has no room for: those
// of lowest score on it.
//
//	kept on g = the pairs of the budget highest s_ti,  i on g
//
// scores is [T × N], indices [T][K], device [N] the device of each expert. Tokens with exempt set,
// about a tenth of the sequences, keep all their experts and count all the same; exempt may be nil.
// Among equal scores the earlier token stays. Weights are not normalised again. Nothing is dropped
// when the model is judged. It implements DeepSeek-V2, section 2.2.4 (token dropping, unnumbered).
func DropTokens(scores mat.Matrix, indices [][]int, device []int, budget int, exempt []bool) [][]int {
	checkTokens(scores, indices)
	k, kept := topK(indices), make([][]int, len(indices))
	order, counts := Dispatch(deviceIndices(indices, device), devices(device))
	for t, row := range indices {
		kept[t] = slices.Clone(row)
	}
	for _, count := range counts {
		pairs := order[:count]
		order = order[count:]
		for _, at := range lowest(pairs, count-budget, func(pair int) float64 {
			t := pair / k
			if exempt != nil && exempt[t] {
				return math.Inf(1)
			}
			return scores.At(t, indices[t][pair%k])
		}) {
			kept[at/k][at%k] = -1
		}
	}
	return kept
}

// deviceIndices returns the device of each pair, and what is below 0 as it is.
func deviceIndices(indices [][]int, device []int) [][]int {
	Loads(indices, len(device)) // checks them
	on := make([][]int, len(indices))
	for t, row := range indices {
		on[t] = slices.Clone(row)
		for k, i := range row {
			if i >= 0 {
				on[t][k] = device[i]
			}
		}
	}
	return on
}

// lowest returns the n pairs of lowest score, later ones first where scores are equal, and none
// whose score is +∞.
func lowest(pairs []int, n int, score func(pair int) float64) []int {
	var ranked []int
	for _, pair := range slices.Backward(pairs) {
		if !math.IsInf(score(pair), 1) {
			ranked = append(ranked, pair)
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int {
		switch {
		case score(a) < score(b):
			return -1
		case score(a) > score(b):
			return 1
		}
		return 0
	})
	return ranked[:min(max(n, 0), len(ranked))]
}
