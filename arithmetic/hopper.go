package arithmetic

import "math"

// HopperWidth is the number of products of 16-bit operands that one step of Hopper's tensor core (wgmma) sums.
const HopperWidth = 16

// hopperSum returns the second moment of the error of n products of 16-bit operands, summed by the truncating steps of Hopper's tensor core: a step
// aligns sixteen exact products and the accumulator to the largest exponent, cuts them off at 25 fraction bits, adds them exactly and cuts
// the sum off to float32 (Xie et al., MMA-Sim, arXiv 2511.10909).
//
// Cutting off always pulls toward zero, so the errors of the steps add by their means, not by their squares. A step loses on average half a unit of
// the last place of the partial sum S, which averaged over a binade is 0.36·2⁻²³|S|; |S| is on average 0.85 of its root mean square, for sums
// that wander and for sums that grow. A product loses half an alignment unit, 2⁻²⁶ of the largest term, toward zero from its own side, once it
// is below 2⁻¹⁰ of the sum (above, the 16 bits of a product of bf16 numbers still fit); the share of products that are grows with the sum:
//
//	E[e²] = ( steps · 0.36 · 2⁻²³ · 0.85 S )² + (n + (n c)²) (0.72 · 2⁻²⁶ S · min(1, S/2¹¹x))²,  c = |sum|/√(n·squares)
//
// S is the root mean square of the partial sums, x that of the products, c how far the signs of the products agree.
func hopperSum(n int, sum, squares float64) float64 {
	if squares == 0 {
		return 0
	}
	terms := float64(n)
	partial := math.Sqrt(partialSums(terms, sum, squares) / terms)
	pull := math.Ceil(terms/HopperWidth) * math.Ldexp(0.36*0.85, -23) * partial
	variance := pull * pull
	product := math.Sqrt(squares / terms)
	coherent := math.Abs(sum) / product
	lost := math.Ldexp(0.72, -26) * partial * min(1, partial/(2048*product))
	variance += lost * lost * (terms + coherent*coherent)
	return variance
}
