package arithmetic

import (
	"math"

	"plumbline/dtype"
)

// core returns the step whose sums the accumulator has for the operands that most kernels give it: bf16, or what there is. TF32
// names no device; Ampere's step, of those that sum float32 operands, loses most.
func (a Accumulator) core() TensorCore {
	operands := dtype.BF16
	switch a {
	case F32Volta:
		operands = dtype.F16
	case TF32:
		a, operands = F32Ampere, dtype.F32
	}
	t, err := a.TensorCore(operands, dtype.F32)
	if err != nil {
		panic("arithmetic: a tensor core without its ordinary step")
	}
	return t
}

// Sum returns the second moment of the error of n products summed by truncating steps, which add up to sum and whose squares
// add up to squares.
//
// Cutting off always pulls toward zero, so the errors of the steps add by their means, not by their squares. A step loses on average half a unit of
// the last place of the partial sum S, which averaged over a binade is 0.36·2⁻²³|S|; |S| is on average 0.85 of its root mean square, for sums
// that wander and for sums that grow. A product loses half an alignment unit, 2⁻²⁶ of the largest term, toward zero from its own side, once it
// is below 2⁻¹⁰ of the sum (above, the 16 bits of a product of bf16 numbers still fit); the share of products that are grows with the sum:
//
//	E[e²] = ( steps · 0.36 · 2⁻²³ · 0.85 S )² + (n + (n c)²) (0.72 · 2⁻²⁶ S · min(1, S/2¹¹x))²,  c = |sum|/√(n·squares)
//
// S is the root mean square of the partial sums, x that of the products, c how far the signs of the products agree.
func (t *TensorCore) Sum(n int, sum, squares float64) float64 {
	if squares == 0 {
		return 0
	}
	terms := float64(n)
	partial := math.Sqrt(partialSums(terms, sum, squares) / terms)
	pull := math.Ceil(terms/float64(t.Products)) * math.Ldexp(0.36*0.85, -t.Kept) * partial
	variance := pull * pull
	product := math.Sqrt(squares / terms)
	coherent := math.Abs(sum) / product
	lost := math.Ldexp(0.72, -t.Fraction-1) * partial * min(1, partial/(math.Ldexp(1, t.Fraction-14)*product))
	variance += lost * lost * (terms + coherent*coherent)
	return variance
}
