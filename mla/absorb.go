package mla

import "gonum.org/v1/gonum/mat"

// AbsorbQuery returns the queries of one head as seen from the latent, so that no key needs to be
// made.
//
//	q̃_{t,i} = W^UK_iᵀ qC_{t,i},  q̃_{t,i}·cKV_j = qC_{t,i}·(W^UK_i cKV_j) = qC_{t,i}·kC_{j,i}
//
// qC is [T × d_h], wUK is [d_h × d_c] of one head; the result is [T × d_c].
// Differs in code: kernels round q̃ to BF16 before the scores, where the naive form rounds kC.
// It implements DeepSeek-V2 section 2.1.2, after (11), and appendix C, after (47).
func AbsorbQuery(qC, wUK mat.Matrix) *mat.Dense {
	return product(qC, wUK)
}

// AbsorbOutput returns the output of one head from the weighted sum of latents, so that no value
// needs to be made.
//
//	o_{t,i} = W^UV_i Σ_j a_{t,i,j} cKV_j = Σ_j a_{t,i,j} (W^UV_i cKV_j) = Σ_j a_{t,i,j} vC_{j,i}
//
// oC is [T × d_c], the sum; wUV is [d_v × d_c] of one head; the result is [T × d_v].
// It implements DeepSeek-V2 section 2.1.2, after (11), and appendix C, after (47).
func AbsorbOutput(oC, wUV mat.Matrix) *mat.Dense {
	return project(oC, wUV)
}

// AbsorbQueryWeight returns the two weights of one head's absorbed query as one, from the latent of
// queries to that of keys.
//
//	W^UK_iᵀ W^UQ_i,  q̃_{t,i} = (W^UK_iᵀ W^UQ_i) cQ_t
//
// wUQ is [d_h × d_c'], wUK is [d_h × d_c], both of one head; the result is [d_c × d_c'], of rank
// d_h at most. Differs in code: the paper absorbs so, kernels apply the two one after the other,
// d_h (d_c+d_c') instead of d_c d_c' weights per head. It implements DeepSeek-V2 section 2.1.2,
// after (11), and appendix C, after (47).
func AbsorbQueryWeight(wUQ, wUK mat.Matrix) *mat.Dense {
	return product(wUK.T(), wUQ)
}

// AbsorbOutputWeight returns the two weights after one head's sum of latents as one, from the
// latent to the width of the model.
//
//	W^O_i W^UV_i,  u_t = Σ_i (W^O_i W^UV_i) Σ_j a_{t,i,j} cKV_j
//
// wO is [d × d_v], the columns of one head; wUV is [d_v × d_c] of that head; the result is [d ×
// d_c], of rank d_v at most. Differs in code: kernels apply the two one after the other. It
// implements DeepSeek-V2 section 2.1.2, after (11), and appendix C, after (47).
func AbsorbOutputWeight(wO, wUV mat.Matrix) *mat.Dense {
	return product(wO, wUV)
}

// product returns a b.
func product(a, b mat.Matrix) *mat.Dense {
	return project(a, b.T())
}
