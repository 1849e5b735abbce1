package moe

import "gonum.org/v1/gonum/floats"

// BiasedScores returns what experts are chosen by: the scores with the bias added.
//
//	s_i + b_i
//
// A nil bias adds nothing. The bias takes no part in the weights. Differs in code: TileKernels adds
// it to the logits where scores are a softmax, which ranks otherwise than scores do. It implements
// DeepSeek-V3 (16) and Loss-Free Balancing (3), what their Topk is taken of.
func BiasedScores(scores, bias []float64) []float64 {
	if bias == nil {
		bias = make([]float64, len(scores))
	}
	return pairwise(scores, bias, func(s, b float64) float64 { return s + b })
}

// BiasedScoresMultiplicative returns the same with a bias that is a factor, 1 at the start.
//
//	s_i b_i
//
// It implements Loss-Free Balancing (5), what its Topk is taken of.
func BiasedScoresMultiplicative(scores, bias []float64) []float64 {
	return pairwise(scores, bias, func(s, b float64) float64 { return s * b })
}

// GateValues returns the weights of the chosen experts as they are: their scores.
//
//	g_i = s_i where i is chosen, else 0
//
// The result has the chosen ones only, in their order. It implements DeepSeekMoE (4), (7) and (10),
// DeepSeek-V2 (21), and DeepSeek-V3 (14) and (16), its g′.
func GateValues(scores []float64, chosen []int) []float64 {
	g := make([]float64, len(chosen))
	for k, i := range chosen {
		g[k] = scores[i]
	}
	return g
}

// NormalizeWeights returns weights that sum to 1.
//
//	g_k = g′_k / (Σ_j g′_j + ε)
//
// eps is ε, 0 in the paper, 1e-20 in Hugging Face's gate; it belongs to the sum, not to the
// quotient. With ε = 0 weights that are all 0 give 0/0. It implements DeepSeek-V3 (13).
func NormalizeWeights(weights []float64, eps float64) []float64 {
	return divide(weights, floats.Sum(weights)+eps)
}

// NormalizeWeightsFloor returns weights that sum to 1 unless they are all but 0.
//
//	g_k = g′_k / max(Σ_j g′_j, ε)
//
// It implements DeepSeek-V3 (13) as the code of TileKernels has it (top2_sum_gate, ε 1e-20).
func NormalizeWeightsFloor(weights []float64, eps float64) []float64 {
	return divide(weights, max(floats.Sum(weights), eps))
}

// NormalizeWeightsBackward returns the gradient of the weights before NormalizeWeights from that of
// those after it.
//
//	dg′_k = (dg_k − Σ_j g_j dg_j) / (Σ_j g′_j + ε)
//
// It implements DeepSeek-V3 (13) (derived).
func NormalizeWeightsBackward(weights []float64, eps float64, dnormalized []float64) []float64 {
	total := floats.Sum(weights) + eps
	var mean float64
	for k, w := range weights {
		mean += w / total * dnormalized[k]
	}
	return each(dnormalized, func(d float64) float64 { return (d - mean) / total })
}

// ScaleWeights returns the weights times the factor of the routed experts.
//
//	λ g_k
//
// scale is λ: 16 in DeepSeek-V2, 2.5 in V3, 1.5 in V4. No equation of the papers has it. It comes
// after the normalisation and does not touch shared experts. It implements the
// routed_scaling_factor of DeepSeek-V3's inference code.
func ScaleWeights(weights []float64, scale float64) []float64 {
	return each(weights, func(w float64) float64 { return w * scale })
}

func divide(x []float64, by float64) []float64 {
	return each(x, func(v float64) float64 { return v / by })
}

// pairwise returns f of the elements of two vectors.
func pairwise(x, y []float64, f func(x, y float64) float64) []float64 {
	if len(x) != len(y) {
		panic("moe: lengths of scores and bias differ")
	}
	z := make([]float64, len(x))
	for i := range x {
		z[i] = f(x[i], y[i])
	}
	return z
}
