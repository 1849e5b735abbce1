package mla

import "gonum.org/v1/gonum/mat"

// CompressKV returns the joint latent of keys and values, one row per token.
//
//	cKV_t = W^DKV h_t
//
// h is [T × d], wDKV is [d_c × d]; the result is [T × d_c]. Differs in code: checkpoints normalise
// cKV before it is used and cached, and hold wDKV and wKR as one matrix; see Compress. It
// implements DeepSeek-V2 (9) and (41), and DeepSeek-V3 (1).
func CompressKV(h, wDKV mat.Matrix) *mat.Dense {
	return project(h, wDKV)
}

// UpKey returns the part of the keys that carries no position.
//
//	kC_t = W^UK cKV_t
//
// cKV is [T × d_c], wUK is [d_h × d_c] of one head, or [n_h·d_h × d_c] of all; the result is [T ×
// d_h] or [T × n_h·d_h]. Differs in code: checkpoints hold wUK and wUV as one matrix whose rows are
// per head [key; value], not all keys first. It implements DeepSeek-V2 (10) and (42), and
// DeepSeek-V3 (2).
func UpKey(cKV, wUK mat.Matrix) *mat.Dense {
	return project(cKV, wUK)
}

// UpValue returns the values.
//
//	vC_t = W^UV cKV_t
//
// cKV is [T × d_c], wUV is [d_v × d_c] of one head, or [n_h·d_v × d_c] of all; the result is [T ×
// d_v] or [T × n_h·d_v]. Differs in code: see UpKey. It implements DeepSeek-V2 (11) and (45), and
// DeepSeek-V3 (5).
func UpValue(cKV, wUV mat.Matrix) *mat.Dense {
	return project(cKV, wUV)
}

// CompressQuery returns the latent of the queries, which saves memory in training and nothing in
// the cache.
//
//	cQ_t = W^DQ h_t
//
// h is [T × d], wDQ is [d_c' × d]; the result is [T × d_c']. Differs in code: checkpoints normalise
// cQ before it is used; DeepSeek-V2-Lite has no query compression, its cQ is h itself. It
// implements DeepSeek-V2 (12) and (37), and DeepSeek-V3 (6).
func CompressQuery(h, wDQ mat.Matrix) *mat.Dense {
	return project(h, wDQ)
}

// UpQuery returns the part of the queries that carries no position.
//
//	qC_t = W^UQ cQ_t
//
// cQ is [T × d_c'], wUQ is [d_h × d_c'] of one head, or [n_h·d_h × d_c'] of all; the result is [T ×
// d_h] or [T × n_h·d_h]. Differs in code: checkpoints hold wUQ and wQR as one matrix whose rows are
// per head [nope; rope]. It implements DeepSeek-V2 (13) and (38), and DeepSeek-V3 (7).
func UpQuery(cQ, wUQ mat.Matrix) *mat.Dense {
	return project(cQ, wUQ)
}

// project returns x wᵀ: the weights applied to every row.
func project(x, w mat.Matrix) *mat.Dense {
	_, in := x.Dims()
	if _, c := w.Dims(); c != in {
		panic("mla: widths of rows and weights differ")
	}
	var y mat.Dense
	y.Mul(x, w.T())
	return &y
}
