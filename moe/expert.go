package moe

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Expert is the weights of one expert, routed or shared.
type Expert struct {
	W1, W3 *mat.Dense // gate and up, [f × d]
	W2     *mat.Dense // down, [d × f]
	Limit  float64    // of SwiGLUClamped; 0: none, SwiGLU
}

// Output returns what one expert makes of one token.
//
//	FFN_i(u) = W2 (silu(W1 u) ⊙ (W3 u))
//
// With a limit it is SwiGLUClamped. It implements the FFN_i of DeepSeekMoE (3) and DeepSeek-V3
// (12).
func (e Expert) Output(u []float64) []float64 { return e.OutputHidden(u, 1) }

// OutputHidden returns what one expert makes of one token with its weight on the inner units.
//
//	W2 (g · silu(W1 u) ⊙ (W3 u)) = g FFN_i(u)
//
// Only rounding tells it from a weight on the output. On the token itself the weight is another
// function: gate and up both carry it then. It implements DeepSeek-V4's inference code, its Expert.
func (e Expert) OutputHidden(u []float64, weight float64) []float64 {
	checkShapes(u, e.W1, e.W3, e.W2)
	return times(e.W2, ScaleWeights(hidden(u, e.W1, e.W3, e.limit()), weight))
}

// Backward returns the gradients of a loss with respect to the token and the weights of the expert,
// given the one with respect to its output.
//
//	(du, dW1, dW3, dW2) = SwiGLUBackward(u, W1, W3, W2, dy)
//
// For an expert that weighs g, dy is g times the gradient of the sum. It implements the FFN_i of
// DeepSeekMoE (3) and DeepSeek-V3 (12) (derived).
func (e Expert) Backward(u, dy []float64) (du []float64, de Expert) {
	du, dw1, dw3, dw2 := SwiGLUClampedBackward(u, e.W1, e.W3, e.W2, dy, e.limit())
	return du, Expert{W1: dw1, W3: dw3, W2: dw2, Limit: e.Limit}
}

// RoutedOutput returns the sum of what the chosen experts make of one token, each times its weight.
//
//	Σ_k g_k FFN_{i_k}(u)
//
// u is [d]; chosen and weights have K elements. A chosen index below 0 is a pair that was dropped.
// It implements DeepSeekMoE (3) and (6), DeepSeek-V3 (12), its routed sum, and Outrageously Large
// Neural Networks (Shazeer et al. 2017) (1).
func RoutedOutput(u []float64, routed []Expert, chosen []int, weights []float64) []float64 {
	y := make([]float64, len(u))
	eachChosen(chosen, weights, func(_, i int, weight float64) {
		floats.AddScaled(y, weight, routed[i].Output(u))
	})
	return y
}

// RoutedOutputHidden returns the same with the weights on the inner units.
//
//	Σ_k W2_{i_k} (g_k h_{i_k}(u))
//
// It implements DeepSeek-V4's inference code, the routed sum of its MoE.
func RoutedOutputHidden(u []float64, routed []Expert, chosen []int, weights []float64) []float64 {
	y := make([]float64, len(u))
	eachChosen(chosen, weights, func(_, i int, weight float64) {
		floats.Add(y, routed[i].OutputHidden(u, weight))
	})
	return y
}

// RoutedOutputBackward returns the gradients of RoutedOutput and, as it is the same, of
// RoutedOutputHidden, given the one with respect to y.
//
//	du = Σ_k FFN′_{i_k}(u)ᵀ (g_k dy),  dg_k = dy·FFN_{i_k}(u)
//
// Both results besides du have K elements, for the chosen experts in their order; zero for those
// that were dropped. It implements DeepSeekMoE (3) and DeepSeek-V3 (12), their routed sum
// (derived).
func RoutedOutputBackward(
	u []float64, routed []Expert, chosen []int, weights, dy []float64,
) (du []float64, dexperts []Expert, dweights []float64) {
	du, dexperts, dweights = make([]float64, len(u)), make([]Expert, len(chosen)), make([]float64, len(chosen))
	eachChosen(chosen, weights, func(k, i int, weight float64) {
		dweights[k] = floats.Dot(dy, routed[i].Output(u))
		dx, de := routed[i].Backward(u, ScaleWeights(dy, weight))
		floats.Add(du, dx)
		dexperts[k] = de
	})
	return du, dexperts, dweights
}

// SharedOutput returns the sum of what the shared experts make of one token.
//
//	Σ_i FFN_i(u)
//
// They have no weight, and no factor of routed experts. Differs in code: they are one network of
// N_s times the inner width, see Fuse; parallel ranks that each have it must not add it up again.
// It implements DeepSeekMoE (9), DeepSeek-V2 (20) and DeepSeek-V3 (12), their shared sum.
func SharedOutput(u []float64, shared []Expert) []float64 {
	y := make([]float64, len(u))
	for _, e := range shared {
		floats.Add(y, e.Output(u))
	}
	return y
}

// Fuse returns experts side by side as one, whose output is the sum of theirs.
//
//	W1 = [W1_1; W1_2; …],  W3 = [W3_1; W3_2; …],  W2ᵀ = [W2_1ᵀ; W2_2ᵀ; …]
//
// The other way, experts cut into m, is DeepSeekMoE's fine-grained segmentation. It implements
// DeepSeek-V3's inference code, its shared_experts, and DeepSeekMoE (6).
func Fuse(experts []Expert) Expert {
	w1, w3, w2 := experts[0].W1, experts[0].W3, experts[0].W2
	for _, e := range experts[1:] {
		var next1, next3, next2 mat.Dense
		next1.Stack(w1, e.W1)
		next3.Stack(w3, e.W3)
		next2.Augment(w2, e.W2)
		w1, w3, w2 = &next1, &next3, &next2
	}
	return Expert{W1: w1, W3: w3, W2: w2, Limit: experts[0].Limit}
}

// eachChosen calls f for the pairs that were not dropped.
func eachChosen(chosen []int, weights []float64, f func(k, i int, weight float64)) {
	if len(chosen) != len(weights) {
		panic("moe: experts and weights of a token differ in number")
	}
	for k, i := range chosen {
		if i >= 0 {
			f(k, i, weights[k])
		}
	}
}

func (e Expert) limit() float64 {
	if e.Limit == 0 {
		return math.Inf(1)
	}
	return e.Limit
}
