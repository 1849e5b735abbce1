package fp8

import "gonum.org/v1/gonum/mat"

// CheckpointScales returns the shape of NAME.weight_scale_inv, F32, beside NAME.weight, F8_E4M3, in
// DeepSeek-V3's checkpoints.
//
//	[⌈out/128⌉ × ⌈in/128⌉]
//
// NAME.weight is [out × in], rows as the layer's outputs; blocks at its right and lower edges are
// ragged, as the last of 576 rows of kv_a_proj_with_mqa. It implements the layout in DeepSeek-V3's
// code, README_WEIGHTS.
func CheckpointScales(out, in int) (rows, cols int) {
	return BlockSize{Width, Width}.Scales(out, in)
}

// DequantiseCheckpoint returns the weight that a checkpoint holds.
//
//	W_ij = weight_ij · weight_scale_inv_{⌊i/128⌋,⌊j/128⌋}
//
// weight is [out × in], the values of its codes; weightScaleInv is [⌈out/128⌉ × ⌈in/128⌉]. In spite
// of its name it is what codes are multiplied by: the inverse is of what the weight was multiplied
// by. It implements weight_dequant in DeepSeek-V3's code, README_WEIGHTS.
func DequantiseCheckpoint(weight, weightScaleInv *mat.Dense) *mat.Dense {
	return Blocked{weight, weightScaleInv, BlockSize{Width, Width}}.Dequantise()
}
