package fp8

import "gonum.org/v1/gonum/mat"

// Fprop returns the output of a linear layer whose operands are in FP8.
//
//	Y = X̂ Ŵᵀ
//
// x is [T × d], in tiles 1 × 128 along its rows, w is [d' × d], in blocks of 128 × 128; the result
// is [T × d']. It implements DeepSeek-V3 section 3.3.1, its Fprop.
func Fprop(x, w Blocked) *mat.Dense {
	return Product(x, w)
}

// Dgrad returns the gradient of a linear layer's input.
//
//	dX = dŶ Ŵ
//
// dy is [T × d'], in tiles 1 × 128 along its rows, w as in Fprop: blocks of 128 × 128 are turned as
// they are. The result is [T × d]. It is the derivative for what X̂ stands for: that of the
// rounding, 0 or nothing, is left out. It implements DeepSeek-V3 section 3.3.1, its Dgrad.
func Dgrad(dy, w Blocked) *mat.Dense {
	return Product(dy, w.T())
}

// Wgrad returns the gradient of a linear layer's weight.
//
//	dW = dŶᵀ X̂
//
// dy is [T × d'] and x is [T × d], both in tiles 128 × 1 along their columns, for the sum runs over
// tokens: x is not that of Fprop but Retile of it. The result is [d' × d]. Differs in code: it is
// added up in float32 over batches. It implements DeepSeek-V3 section 3.3.1, its Wgrad.
func Wgrad(dy, x Blocked) *mat.Dense {
	return Product(dy.T(), x.T())
}
