package model

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/mtp"
	"plumbline/numbers/tensor"
)

// LanguageLoss returns how little the next tokens are expected, in nats.
//
//	L = −1/T Σ_t log softmax(z_t)[x_{t+1}]
//
// logits is z, [T × V], tokens are the T+1 of which they predict the last T; with T tokens the last
// row has none to predict, and T is still the divisor. Logits that are all equal give log V. It is
// mtp.DepthLoss of depth 0. Differs in code: trainers divide by the number of tokens that count, in
// all sequences of a batch. It implements Multi-token Prediction (Gloeckle et al. 2024) (1), as a
// mean.
func LanguageLoss(logits mat.Matrix, tokens []int) float64 { return mtp.DepthLoss(logits, tokens, 0) }

// LanguageLossBackward returns the gradient of LanguageLoss for the logits.
//
//	dz_tv = (softmax(z_t)[v] − 𝟙(v = x_{t+1}))/T
//
// Shapes are those of LanguageLoss, the result is [T × V].
// It implements Multi-token Prediction (Gloeckle et al. 2024) (1), as a mean (derived).
func LanguageLossBackward(logits mat.Matrix, tokens []int) *mat.Dense {
	return mtp.DepthLossBackward(logits, tokens, 0)
}

// Loss returns what a model is trained by: how little it expects the next tokens, and with a weight
// those after them.
//
//	L = L_main + λ/D Σ_k L^k
//
// logits are Forward's for the first T tokens, tokens are these and the one after them, lambda is
// λ. It implements DeepSeek-V3 (24) and (25), with the main model's loss.
func Loss(logits []*mat.Dense, tokens []int, lambda float64) float64 {
	rows, _ := logits[0].Dims()
	var perDepth []float64
	for k, l := range logits[1:] {
		perDepth = append(perDepth, mtp.DepthLoss(mtp.Extend(l, rows), tokens, k+1))
	}
	return LanguageLoss(logits[0], tokens) + mtp.Loss(perDepth, lambda)
}

// LossBackward returns the gradients of Loss for the logits.
//
//	dz = ∂L_main/∂z,  dz^k = λ/D ∂L^k/∂z^k
//
// Arguments are those of Loss, the results have the shapes of logits.
// It implements DeepSeek-V3 (24) and (25), with the main model's loss (derived).
func LossBackward(logits []*mat.Dense, tokens []int, lambda float64) (dlogits []*mat.Dense) {
	dlogits = []*mat.Dense{LanguageLossBackward(logits[0], tokens)}
	rows, cols := logits[0].Dims()
	for k, l := range logits[1:] {
		d := mtp.DepthLossBackward(mtp.Extend(l, rows), tokens, k+1)
		d.Scale(lambda/float64(len(logits)-1), d)
		dlogits = append(dlogits, mat.DenseCopyOf(d.Slice(0, rows-k-1, 0, cols)))
	}
	return dlogits
}

// Descend moves weights against their gradients, in place.
//
//	θ ← θ − η dL/dθ
//
// w and dw have the same shapes, rate is η. Gates' biases stay where they are, as their gradients
// are 0. Differs in code: every model of the family is trained by AdamW. It implements Deep
// Learning (Goodfellow, Bengio and Courville) section 4.3, its gradient descent.
func Descend(w, dw Weights, rate float64) {
	var gradients []*tensor.Tensor
	dw.Each(func(_ string, d *tensor.Tensor) { gradients = append(gradients, d) })
	w.Each(func(_ string, x *tensor.Tensor) {
		floats.AddScaled(x.Data, -rate, gradients[0].Data)
		gradients = gradients[1:]
	})
}
