package moe

import "gonum.org/v1/gonum/mat"

// ZLoss returns the loss that keeps the logits of a gate small.
//
//	L = (1/B) Σ_t (log Σ_j e^{z_tj})²
//
// logits is [B × N]; the weight of the loss, 0.001, is left to the caller. Logits of 0 have log²N.
// Differs in code: some copies of the formula lack the square. It implements ST-MoE (2022) (5).
func ZLoss(logits mat.Matrix) float64 {
	rows, _ := logits.Dims()
	var total float64
	for t := range rows {
		_, lse := softmax(mat.Row(nil, t, logits))
		total += lse * lse
	}
	return total / float64(rows)
}

// ZLossBackward returns the gradient of ZLoss for the logits.
//
//	∂L/∂z_tj = (2/B) lse_t softmax_j(z_t)
//
// The result is [B × N]. It implements ST-MoE (2022) (5) (derived).
func ZLossBackward(logits mat.Matrix) *mat.Dense {
	rows, _ := logits.Dims()
	return ScoreRows(logits, func(z []float64) []float64 {
		p, lse := softmax(z)
		return ScaleWeights(p, 2*lse/float64(rows))
	})
}
