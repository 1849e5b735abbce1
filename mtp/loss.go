package mtp

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// DepthLoss returns the cross-entropy of depth k over a sequence, divided by its length.
//
//	L^k = −1/T Σ_i log P^k_{i+k+1}[t_{i+k+1}]
//
// logits is [T × V]; row i, from 0, predicts tokens[i+k+1] where there is one, and counts not at
// all where there is none. With T+1 tokens, the paper's t_{1:T+1}, T−k rows count; with T tokens
// T−k−1, and with more than T+k all T. Differs in print: the sum (24) runs over i = 2+k … T+1, T−k
// terms, and is divided by T all the same, as here; frameworks divide by the number of terms, which
// is DepthLossValid. It implements DeepSeek-V3 (24).
func DepthLoss(logits mat.Matrix, tokens []int, k int) float64 {
	rows, _ := logits.Dims()
	if rows == 0 {
		return 0
	}
	return sumLoss(logits, tokens, k) / float64(rows)
}

// DepthLossValid returns the cross-entropy of depth k over a sequence, divided by the number of
// positions that count.
//
//	L^k = −1/n Σ_i log P^k_{i+k+1}[t_{i+k+1}]
//
// logits is [T × V] and n is what DepthLoss counts, T−k for T+1 tokens; where none counts the loss
// is 0. It is T/n times DepthLoss. It implements DeepSeek-V3 (24) with the mean of the code of
// Megatron-LM.
func DepthLossValid(logits mat.Matrix, tokens []int, k int) float64 {
	n := Targets(logits, tokens, k)
	if n == 0 {
		return 0
	}
	return sumLoss(logits, tokens, k) / float64(n)
}

// Targets returns how many rows of depth k have a token to predict.
//
//	n = max(0, min(T, len(tokens) − k − 1))
//
// logits is [T × V]. It implements DeepSeek-V3 (24), the range of its sum.
func Targets(logits mat.Matrix, tokens []int, k int) int {
	rows, _ := logits.Dims()
	return max(0, min(rows, len(tokens)-k-1))
}

func sumLoss(logits mat.Matrix, tokens []int, k int) (sum float64) {
	for i := range Targets(logits, tokens, k) {
		sum -= policy.LogProb(mat.Row(nil, i, logits), tokens[i+k+1], 1)
	}
	return sum
}

// DepthLossBackward returns the gradient of DepthLoss for the logits.
//
//	dz_iv = (P^k_{i+k+1}[v] − 𝟙(v = t_{i+k+1}))/T
//
// logits is [T × V] and so is the result, 0 in rows that do not count. It implements DeepSeek-V3
// (24) (derived).
func DepthLossBackward(logits mat.Matrix, tokens []int, k int) *mat.Dense {
	rows, _ := logits.Dims()
	return sumLossBackward(logits, tokens, k, rows)
}

// DepthLossValidBackward returns the gradient of DepthLossValid for the logits.
//
//	dz_iv = (P^k_{i+k+1}[v] − 𝟙(v = t_{i+k+1}))/n
//
// Shapes are those of DepthLossBackward; where no row counts the gradient is 0. It implements
// DeepSeek-V3 (24) with the mean of the code of Megatron-LM (derived).
func DepthLossValidBackward(logits mat.Matrix, tokens []int, k int) *mat.Dense {
	return sumLossBackward(logits, tokens, k, Targets(logits, tokens, k))
}

func sumLossBackward(logits mat.Matrix, tokens []int, k, divisor int) *mat.Dense {
	rows, vocabulary := logits.Dims()
	dlogits := mat.NewDense(rows, vocabulary, nil)
	for i := range Targets(logits, tokens, k) {
		dz := policy.LogProbBackward(mat.Row(nil, i, logits), tokens[i+k+1], 1)
		dlogits.SetRow(i, floats.ScaleTo(dz, -1/float64(divisor), dz))
	}
	return dlogits
}

// Loss returns what the predictions of all depths add to the loss of the main model.
//
//	L_MTP = λ/D Σ_k L^k
//
// perDepth is [D], depth 1 first; without depths the loss is 0. lambda is λ, 0.3 for the first 10T
// tokens of DeepSeek-V3 and 0.1 for the other 4.8T, where D = 1. The gradient for each L^k is λ/D.
// Differs in code: λ for each depth, D times as much, which D = 1 hides. It implements DeepSeek-V3
// (25).
func Loss(perDepth []float64, lambda float64) float64 {
	if len(perDepth) == 0 {
		return 0
	}
	return lambda / float64(len(perDepth)) * floats.Sum(perDepth)
}
