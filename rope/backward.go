package rope

// RotateBackward returns the gradient of a rotated vector for the vector before the rotation.
//
//	dx_a =  dy_a cos_i + dy_b sin_i
//	dx_b = −dy_a sin_i + dy_b cos_i    for pair i = (a, b)
//
// dy and the result are [d], cos and sin are one row of a table, [d/2]. It is R_mᵀ dy: the rotation
// turned back. It reads a pair where Rotate writes it and writes it where Rotate reads it, so that
// under InterleavedToHalf the order of the elements is turned back too, which Inverse does not do.
// A table with an amplitude keeps it: the gradient is that of the longer vector, and no inverse.
// Differs in code: a backward pass that rotates by −m with the forward kernel, which under
// InterleavedToHalf leaves the gradient in halves. It implements RoFormer (14) and (15) (derived).
func RotateBackward(dy, cos, sin []float64, layout Layout) []float64 {
	if len(cos) != len(sin) || len(dy) != 2*len(cos) {
		panic(badLength)
	}
	dx := make([]float64, len(dy))
	for i := range cos {
		a, b := layout.reads(i, len(cos))
		ya, yb := layout.writes(i, len(cos))
		dx[a] = float64(dy[ya]*cos[i]) + float64(dy[yb]*sin[i])
		dx[b] = float64(dy[yb]*cos[i]) - float64(dy[ya]*sin[i])
	}
	return dx
}

// TableBackward returns the gradients of a rotated vector for the cosines and sines it was turned
// by.
//
//	dcos_i = dy_a x_a + dy_b x_b
//	dsin_i = dy_b x_a − dy_a x_b    for pair i = (a, b)
//
// dy and x are [d], both results [d/2]. With dcos = −sin dφ and dsin = cos dφ they are the gradient
// for the angle φ = m θ_i, dφ_i = cos_i dsin_i − sin_i dcos_i, for positions or frequencies that
// are learnt. It implements RoFormer (14) and (15) (derived).
func TableBackward(dy, x []float64, layout Layout) (dcos, dsin []float64) {
	if len(dy) != len(x) || len(x)%2 != 0 {
		panic(oddWidth)
	}
	pairs := len(x) / 2
	dcos, dsin = make([]float64, pairs), make([]float64, pairs)
	for i := range pairs {
		a, b := layout.reads(i, pairs)
		ya, yb := layout.writes(i, pairs)
		dcos[i] = float64(dy[ya]*x[a]) + float64(dy[yb]*x[b])
		dsin[i] = float64(dy[yb]*x[a]) - float64(dy[ya]*x[b])
	}
	return dcos, dsin
}

// PermuteBackward returns the gradient of a permuted vector for the vector before it: the other way
// round.
//
//	dx = (dy_0, dy_{d/2}, dy_1, dy_{d/2+1}, …)
//
// dy and the result are [d], d even. It implements RoFormer (15) re-paired, the step
// rope_interleave of Hugging Face's DeepSeek-V3 (derived).
func PermuteBackward(dy []float64) []float64 {
	if len(dy)%2 != 0 {
		panic(oddWidth)
	}
	pairs := len(dy) / 2
	dx := make([]float64, len(dy))
	for i := range pairs {
		dx[2*i], dx[2*i+1] = dy[i], dy[i+pairs]
	}
	return dx
}
