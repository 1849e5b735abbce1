package arithmetic

import (
	"math"

	"plumbline/numbers/dtype"
)

// core returns the step whose sums the accumulator has for the operands that most kernels give it:
// bf16, or what there is. TF32 names no device; Ampere's step, of those that sum float32 operands,
// loses most.
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

// SumOf is Sum for operands of a type, which says how many bits the products have, and for tensor
// cores which step it is: bf16 products fit into a step beside larger terms where those of F16 and
// TF32 are cut off, and FP8 has steps of its own.
func (a Accumulator) SumOf(operands dtype.Type, n int, sum, squares float64) float64 {
	if t, known := a.step(operands, dtype.F32); known && n > 0 {
		return t.Sum(n, sum, squares)
	}
	return a.Sum(n, sum, squares)
}

// Sum returns the second moment of the error of n products summed step after step, which add up to
// sum and whose squares add up to squares.
//
// Cutting off always pulls toward zero, so that errors add by their means, not by their squares. A
// step loses on average (1 − 2^(23−F))/2 of a unit in the last place of the partial sum S, whose
// last bit is 2^(23−F) units; averaged over a binade that is 0.72·2⁻²⁴|S|, and |S| is on average
// 0.85 of its root mean square, for sums that wander and for sums that grow. A product of B bits
// loses half an alignment unit, 2^(−F−1) of the largest term, toward zero from its own side, once
// it is below 2^(B−F−2) of the sum; above, all of it fits. With S and x the root mean squares of
// the partial sums after each step and of the products, and r = 2^(B−F−2) S/x, a share of r (1 +
// ln(1/r)/5) of the products is cut, all where r > 1 (the logarithm because small products of two
// numbers are many; its fifth, as the rest, is measured in TestTensorCoreSums):
//
//	E[e²] = ( steps (1 − 2^(23−F)) · 0.36 · 2⁻²³ · 0.85 S + n c ℓ · share )² + (4/3) n ℓ² · share
//	ℓ = 0.72 · 2^(−F−1) S,  c = |sum|/√(n·squares)
//
// 4/3 is between the square of the mean loss and its mean square; c says how far the signs of the
// products agree. Where a step keeps other than 23 bits those stand for 23. A result rounded to
// nearest, and an accumulator added at the end, err as sums of F16 and F32 do, of as many terms as
// there are roundings.
func (t *TensorCore) Sum(n int, sum, squares float64) float64 {
	pull, scatter := t.Loss(n, sum, squares)
	return pull*pull + scatter
}

// Loss returns the two parts of Sum: what a sum loses on average, toward zero, and the variance
// around it. Where sums are multiplied by scales and added, the first parts add up with the signs
// of the sums, the second as variances do.
func (t *TensorCore) Loss(n int, sum, squares float64) (pull, scatter float64) {
	if n == 0 || squares == 0 {
		return 0, 0
	}
	terms, steps := float64(n), math.Ceil(float64(n)/float64(t.Products))
	apart := termVariance(terms, sum, squares)
	if t.Late > 0 {
		return 0, t.nearest(math.Ceil(terms/float64(t.Late))*float64(t.Late/t.Products+1), sum, terms*apart)
	}
	partial := math.Sqrt(sum*sum*(steps+1)*(2*steps+1)/(6*steps*steps) + terms*apart*(steps+1)/(6*steps))
	product := math.Sqrt(squares / terms)
	lost, share := math.Ldexp(0.72, -t.Fraction-1)*partial, shareCut(partial/math.Ldexp(product, t.Fraction+2-t.bits))
	pull, scatter = share*lost*math.Abs(sum)/product, share*lost*lost*terms*4/3
	if t.Result == dtype.F16 {
		return pull, scatter + t.nearest(steps, sum, terms*apart)
	}
	last := math.Ldexp(1, t.Kept-t.Fraction) // the last bit of a sum, in units of its last place
	pull += (steps*(1-last) + last) * math.Ldexp(0.36*0.85, -t.Kept) * partial
	return pull, scatter
}

// PromotedSum is Sum for chains of so many products each, which are added up without loss.
//
// With m and v the mean and the variance of the sums of the c chains, each is about √(m²+v), and m²
// of it is what they share, so that their pulls P add up by that share, and scatter s apart:
//
//	E[e²] = c s + P² (c + c (c−1) m²/(m²+v)),  c = n/every
func (t *TensorCore) PromotedSum(n, every int, sum, squares float64) float64 {
	if n <= every || every == 0 || squares == 0 {
		return t.Sum(n, sum, squares)
	}
	chains := float64(n) / float64(every)
	mean := sum / chains
	variance := float64(every) * termVariance(float64(n), sum, squares)
	pull, scatter := t.Loss(every, math.Hypot(mean, math.Sqrt(variance)), squares/chains)
	together := mean * mean / (mean*mean + variance)
	return chains*scatter + pull*pull*(chains+chains*(chains-1)*together)
}

// shareCut is the share of products that lose bits, for sums r times as large as those beside which
// a product of ordinary size fits.
func shareCut(r float64) float64 {
	if r >= 1 {
		return 1
	}
	return r * (1 - math.Log(r)/5)
}

// nearest is the second moment of what n additions to the nearest number of the result err, of
// parts of a sum whose variances add up to scatter.
func (t *TensorCore) nearest(n, sum, scatter float64) float64 {
	a := F32
	if t.Result == dtype.F16 {
		a = F16
	}
	return a.Sum(int(n), sum, sum*sum/n+scatter)
}

// worst is the largest relative error of a sum of n terms, in units of the sum of their magnitudes:
// a step loses less than an alignment unit of each of its terms, and a unit in the last place of
// its result.
func (t *TensorCore) worst(n int) float64 {
	steps := math.Ceil(float64(n) / float64(t.Products))
	terms := float64(min(n, t.Products) + 1)
	return steps * (terms*math.Ldexp(1, -t.Fraction) + math.Ldexp(1, -t.Kept))
}
