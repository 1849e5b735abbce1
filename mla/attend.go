package mla

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// SoftmaxScale returns what scores are multiplied by, before YaRN.
//
//	1/√(d_h + d_h^R)
//
// It belongs to the widths of the naive form, in the absorbed form too. Differs in code:
// 1/√(d_c+d_h^R), the width of a cached row, is a known mistake of absorbed kernels. It implements
// the factor in DeepSeek-V2 (18) and (46), and DeepSeek-V3 (10).
func SoftmaxScale(nopeDim, ropeDim int) float64 {
	return 1 / math.Sqrt(float64(nopeDim+ropeDim))
}

// Attend returns the output of one head, and the log-sum-exp of each query's scores.
//
//	o_{t,i} = Σ_{j ≤ t} Softmax_j(q_{t,i}·k_{j,i} / √(d_h+d_h^R)) vC_{j,i}
//
// q is [S × (d_h+d_h^R)], k is [T × (d_h+d_h^R)], v is [T × d_v], scale is 1/√(d_h+d_h^R) or what
// stands for it, the mask with Causal set is j ≤ t; o is [S × d_v], lse has S elements. With
// absorbed queries, k is [T × (d_c+d_h^R)] and v its first d_c columns. It implements DeepSeek-V2
// (18) and (46), and DeepSeek-V3 (10).
func Attend(q, k, v mat.Matrix, scale float64, mask attention.Mask) (o *mat.Dense, lse []float64) {
	if !(scale > 0) {
		panic("mla: scale of the scores is not positive")
	}
	return attention.Head(q, k, v, attention.Options{Scale: scale, Mask: mask})
}

// Output returns what the layer adds to the residual stream.
//
//	u_t = W^O [o_{t,1}; o_{t,2}; …; o_{t,n_h}]
//
// o has n_h matrices [T × d_v], wO is [d × n_h·d_v]; the result is [T × d].
// It implements DeepSeek-V2 (19) and (47), and DeepSeek-V3 (11).
func Output(o []*mat.Dense, wO mat.Matrix) *mat.Dense {
	return project(attention.ConcatHeads(o), wO)
}
