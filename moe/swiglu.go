package moe

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/logistic"
)

const badShape = "moe: shapes of x, w1, w3, w2 and dy do not fit together"

// SiLU returns z times its own sigmoid, the activation of the gate; also called Swish with β = 1.
//
//	silu(z) = z σ(z)
//
// It has its minimum −0.2784645 at −1.2784645. silu(−Inf) is NaN, as in PyTorch, although the limit
// is 0. It implements GLU Variants (5), its Swish₁.
func SiLU(z float64) float64 {
	return z * logistic.Sigmoid(z)
}

// SiLUDerivative returns the slope of SiLU.
//
//	silu′(z) = σ(z) (1 + z (1−σ(z)))
//
// 1−σ(z) is taken as σ(−z), which keeps its digits for large z.
// It implements GLU Variants (5), its Swish₁ (derived).
func SiLUDerivative(z float64) float64 {
	return logistic.Sigmoid(z) * (1 + z*logistic.Sigmoid(-z))
}

// SwiGLU returns the gated feed-forward network of one token.
//
//	y = W2 (silu(W1 x) ⊙ (W3 x))
//
// x is [d], w1 and w3 are [f × d], w2 is [d × f]; the result is [d]. There are no biases: 3 d f
// parameters. Differs in code: W1 and W3 are often one matrix of 2f rows, gate rows first; swapping
// the halves is a known mistake. It implements GLU Variants (6), the MLP and Expert of
// DeepSeek-V3's inference code.
func SwiGLU(x []float64, w1, w3, w2 mat.Matrix) []float64 {
	checkShapes(x, w1, w3, w2)
	return times(w2, hidden(x, w1, w3, math.Inf(1)))
}

// SwiGLUBackward returns the gradients of a loss with respect to the token and the weights, given
// the one with respect to y.
//
//	a = W1 x,  b = W3 x,  h = silu(a) ⊙ b,  dh = W2ᵀ dy
//	da = dh ⊙ b ⊙ silu′(a),  db = dh ⊙ silu(a)
//	dW2 = dy hᵀ,  dW1 = da xᵀ,  dW3 = db xᵀ
//	dx = W1ᵀ da + W3ᵀ db
//
// Shapes as in SwiGLU; dy is [d]. For many tokens the gradients of the weights are sums over them.
// It implements GLU Variants (6) (derived).
func SwiGLUBackward(x []float64, w1, w3, w2 mat.Matrix, dy []float64) (dx []float64, dw1, dw3, dw2 *mat.Dense) {
	return clampedBackward(x, w1, w3, w2, dy, math.Inf(1))
}

// times returns w x.
func times(w mat.Matrix, x []float64) []float64 {
	var y mat.VecDense
	y.MulVec(w, mat.NewVecDense(len(x), x))
	return y.RawVector().Data
}

// outer returns a bᵀ.
func outer(a, b []float64) *mat.Dense {
	var w mat.Dense
	w.Outer(1, mat.NewVecDense(len(a), a), mat.NewVecDense(len(b), b))
	return &w
}

// checkShapes panics unless x [d], w1 and w3 [f × d] and w2 [· × f] fit together.
func checkShapes(x []float64, w1, w3, w2 mat.Matrix) {
	f1, d1 := w1.Dims()
	f3, d3 := w3.Dims()
	_, f2 := w2.Dims()
	if d1 != len(x) || d3 != d1 || f3 != f1 || f2 != f1 {
		panic(badShape)
	}
}
