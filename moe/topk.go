package moe

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

const (
	badTopK   = "moe: more to choose than there is"
	badGroups = "moe: experts do not make groups of equal size"
)

// TopK returns the indices of the k highest scores, best first.
//
//	Topk(s, k) = {i: fewer than k of the others are higher, or as high with a lower index}
//
// Ties go to the lower index. A score of −∞ is chosen after everything else, and nothing twice; NaN
// counts as higher than all, as in PyTorch. Differs in code: torch.topk leaves ties open; loops
// that take a maximum k times and write −∞ over it choose an expert twice where only −∞ is left. It
// implements DeepSeekMoE (4), DeepSeek-V2 (21) and DeepSeek-V3 (14), their Topk.
func TopK(scores []float64, k int) []int {
	if k < 0 || k > len(scores) {
		panic(badTopK)
	}
	chosen := make([]int, 0, k+1)
	for i, s := range scores {
		at := len(chosen)
		for at > 0 && higher(s, scores[chosen[at-1]]) {
			at--
		}
		if at < k {
			chosen = slices.Insert(chosen, at, i)
			chosen = chosen[:min(len(chosen), k)]
		}
	}
	return chosen
}

// higher orders scores with NaN above all.
func higher(a, b float64) bool { return a > b || math.IsNaN(a) && !math.IsNaN(b) }

// TopKRows returns TopK of every token.
//
//	chosen_t = Topk(s_t, k)
//
// scores is [T × N]; the result is [T][k]. Of unbiased scores it is what DeepSeek-V3's balance loss
// counts as printed; its gate chooses with the bias and in few groups. It implements DeepSeekMoE
// (13), DeepSeek-V2 (24) and DeepSeek-V3 (18), the experts that they count.
func TopKRows(scores mat.Matrix, k int) [][]int {
	rows, _ := scores.Dims()
	chosen := make([][]int, rows)
	for t := range chosen {
		chosen[t] = TopK(mat.Row(nil, t, scores), k)
	}
	return chosen
}

// GroupScoresMax returns the score of each group of experts: that of its best.
//
//	S_g = max of s_i over the experts i of group g
//
// Group g has the experts g N/G … (g+1) N/G − 1. It implements DeepSeek-V2, section 2.2.2
// (device-limited routing, unnumbered), its highest affinity of a device.
func GroupScoresMax(scores []float64, groups int) []float64 {
	return GroupScoresShare(scores, groups, 1)
}

// GroupScoresTop2 returns the score of each group of experts: the sum of its two best.
//
//	S_g = the sum of the 2 highest s_i of group g
//
// scores have the bias in them. Differs in code: here two is written out, although the paper has
// K/M, which is 2 for 8 experts in 4 nodes. It implements DeepSeek-V3's inference code, the group
// scores of its gate.
func GroupScoresTop2(scores []float64, groups int) []float64 {
	return GroupScoresShare(scores, groups, 2)
}

// GroupScoresShare returns the score of each group of experts: the sum of its n best, of all where
// there are fewer.
//
//	S_g = the sum of the n highest s_i of group g,  n = K/M
//
// K is the experts of a token and M its groups at most; n = 1 gives GroupScoresMax. Differs in
// code: the paper sums scores, all code those with the bias. It implements DeepSeek-V3, section
// 2.1.2 (node-limited routing, unnumbered).
func GroupScoresShare(scores []float64, groups, n int) []float64 {
	size := groupSize(scores, groups)
	sums := make([]float64, groups)
	for g := range sums {
		group := scores[g*size : (g+1)*size]
		for at, i := range TopK(group, min(n, size)) {
			if at == 0 {
				sums[g] = group[i]
			} else {
				sums[g] += group[i]
			}
		}
	}
	return sums
}

// LimitGroups returns the scores with those of all groups but the kept ones out of the choice.
//
//	s′_i = s_i where group(i) is kept, else −∞,  group(i) = ⌊i G/N⌋
//
// Differs in code: Hugging Face's gate of DeepSeek-V3 puts 0 in the place of −∞, which is higher
// than a negative score with its bias in a kept group, so that an expert of a dropped group is
// chosen; with scores above 0 both are the same. It implements DeepSeek-V2, section 2.2.2, and
// DeepSeek-V3, section 2.1.2 (node-limited routing, unnumbered).
func LimitGroups(scores []float64, groups int, kept []int) []float64 {
	size := groupSize(scores, groups)
	limited := make([]float64, len(scores))
	for i := range limited {
		limited[i] = math.Inf(-1)
	}
	for _, g := range kept {
		copy(limited[g*size:(g+1)*size], scores[g*size:])
	}
	return limited
}

func groupSize(scores []float64, groups int) int {
	if groups < 1 || len(scores)%groups != 0 {
		panic(badGroups)
	}
	return len(scores) / groups
}
