// Package fp8 holds the FP8 arithmetic of DeepSeek-V3's training and inference: numbers in blocks
// that share a scale, the products of such matrices, and the linear layer whose three products they
// are.
//
// Codes and scales are held as the float64 values that they mean; what kernels form in float32 is
// formed in float32 here, bit for bit, and everything else is float64. Notation:
//
//	x, x̂        [M × K]  a matrix, and what is left of it after quantisation
//	q           [M × K]  values of codes: E4M3 for all tensors of DeepSeek-V3, E5M2 elsewhere
//	s           [⌈M/b₀⌉ × ⌈K/b₁⌉]  scales: x̂ is q times the scale of its block
//	b₀ × b₁     a block: 1 × 128 for activations, called a tile, 128 × 128 for weights
//	amax        max |x| of a block
//	largest     the largest number of a format: 448 of E4M3, 57344 of E5M2
//	floor       what amax is at least: 1e-4 in DeepSeek's code
//	A, B, C     C = A Bᵀ, both operands with the K that is summed along their rows
//	N_C         elements of K between promotions, 128
//
// A scale multiplies codes. Checkpoints call that of weights weight_scale_inv, the inverse of what
// weights were multiplied by; it is s here.
//
// # What is lost
//
// Relatively, a code is within 1/17 of the number it stands for, less than 2⁻⁴, as long as that is
// 2⁻⁶ s at least, and below within half a step of 2⁻⁹ s. Scales are any float32, or UE8M0, powers
// of two: one of these for another rounds no code anew that stays above 2⁻⁶ s, so that a matrix can
// go from tiles along its rows to tiles along its columns. The two kinds stand for different
// numbers: products under one differ from those under the other by some percent, and neither is
// wrong.
//
// # Differs in code
//
// There are three ways of making a code of a number, CodeOfQuotient, CodeByInverse and
// CodeByLargest, which differ in the last bit of a float32 and thereby, next to a tie, in the code.
// FNUZ formats, whose bytes mean other numbers, are not here, nor is overflow to NaN: codes
// saturate.
package fp8
