package moe

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Clamp returns what the gate and the linear part of one inner unit may be at most: the gate is
// bounded above, as SiLU bounds it below, the linear part on both sides.
//
//	a′ = min(a, c),  b′ = max(−c, min(b, c))
//
// limit is c, not negative; +Inf clamps nothing. Differs in code: the limit stands as swiglu_limit
// in configurations, where 0 means that there is none. It implements DeepSeek-V4's inference code,
// the clamps of its Expert.
func Clamp(gate, up, limit float64) (float64, float64) {
	return min(gate, limit), max(-limit, min(up, limit))
}

// SwiGLUClamped returns the gated feed-forward network of one token with its inner units bounded.
//
//	y = W2 (silu(min(W1 x, c)) ⊙ max(−c, min(W3 x, c)))
//
// Shapes as in SwiGLU; limit is c, 10 in DeepSeek-V4, for shared experts too. An inner unit is then
// between −0.2785 c and c² in size. c = +Inf gives SwiGLU, c = 0 gives 0. Differs in code: clamping
// the gate below as well changes what is left of a gate under −c, c e^−c at most.
// It implements DeepSeek-V4's inference code, its Expert.
func SwiGLUClamped(x []float64, w1, w3, w2 mat.Matrix, limit float64) []float64 {
	checkShapes(x, w1, w3, w2)
	return times(w2, hidden(x, w1, w3, limit))
}

// SwiGLUClampedBackward returns the gradients of a loss with respect to the token and the weights,
// given the one with respect to y.
//
//	a = W1 x,  b = W3 x,  h = silu(a′) ⊙ b′,  dh = W2ᵀ dy
//	da = dh ⊙ b′ ⊙ silu′(a′) where a ≤ c, else 0
//	db = dh ⊙ silu(a′) where −c ≤ b ≤ c, else 0
//	dW2 = dy hᵀ,  dW1 = da xᵀ,  dW3 = db xᵀ
//	dx = W1ᵀ da + W3ᵀ db
//
// a′ and b′ are those of Clamp. On a bound the derivative is that of the inside.
// It implements DeepSeek-V4's inference code, its Expert (derived).
func SwiGLUClampedBackward(
	x []float64, w1, w3, w2 mat.Matrix, dy []float64, limit float64,
) (dx []float64, dw1, dw3, dw2 *mat.Dense) {
	return clampedBackward(x, w1, w3, w2, dy, limit)
}

// hidden returns the inner units, silu(a′) ⊙ b′.
func hidden(x []float64, w1, w3 mat.Matrix, limit float64) []float64 {
	h, b := times(w1, x), times(w3, x)
	for i := range h {
		gate, up := Clamp(h[i], b[i], limit)
		h[i] = SiLU(gate) * up
	}
	return h
}

// clampedBackward is the gradient of both networks; SwiGLU's limit is +Inf.
func clampedBackward(
	x []float64, w1, w3, w2 mat.Matrix, dy []float64, limit float64,
) (dx []float64, dw1, dw3, dw2 *mat.Dense) {
	checkShapes(x, w1, w3, w2)
	if out, _ := w2.Dims(); len(dy) != out {
		panic(badShape)
	}
	a, b, dh := times(w1, x), times(w3, x), times(w2.T(), dy)
	h, da, db := make([]float64, len(a)), make([]float64, len(a)), make([]float64, len(a))
	for i := range a {
		gate, up := Clamp(a[i], b[i], limit)
		h[i] = SiLU(gate) * up
		if !(a[i] > limit) {
			da[i] = dh[i] * up * SiLUDerivative(gate)
		}
		if !(math.Abs(b[i]) > limit) {
			db[i] = dh[i] * SiLU(gate)
		}
	}
	dx = times(w1.T(), da)
	for k, v := range times(w3.T(), db) {
		dx[k] += v
	}
	return dx, outer(da, x), outer(db, x), outer(dy, h)
}
