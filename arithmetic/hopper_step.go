package arithmetic

import (
	"math"

	"plumbline/dtype"
)

const (
	stepFraction = 25   // fraction bits to which its terms are aligned
	zeroExponent = -126 // the exponent that a zero counts with
)

// Hopper is one tensor core of Hopper (wgmma, 16-bit operands, float32 accumulator). One step sums sixteen exact products and the accumulator:
//
//	d = RZ( Σ_i RZ(x_i, 2^(emax−25)) ),  emax = max( e(acc), max_i e(a_i) + e(b_i) )
//
// Every term is truncated toward zero at 25 fraction bits of the largest exponent, the sum of the truncated terms is exact, and the result is truncated
// to float32. The exponent of a product is the sum of its operands' exponents, not that of its normalised value: 1.5·1.5 counts
// as 2⁰. A zero counts as 2⁻¹²⁶, and a subnormal operand with the smallest exponent of its type.
// The model is that of Xie et al., MMA-Sim (arXiv 2511.10909), who found it bit-exact on H100.
type Hopper struct {
	smallest int // the smallest exponent of the operands' type
}

// NewHopper returns a tensor core for operands of a 16-bit type.
func NewHopper(operands dtype.Type) Hopper {
	return Hopper{smallest: exponentOf(operands.MinNormal())}
}

// exponentOf returns the exponent field of x, unbiased: ⌊log₂|x|⌋ for normal float64, 1024 for what is not finite.
func exponentOf(x float64) int {
	return int(math.Float64bits(x)>>52&0x7FF) - 1023
}

func (h Hopper) exponent(x float64) int {
	if x == 0 {
		return zeroExponent
	}
	return max(exponentOf(x), h.smallest)
}

// Step returns the accumulator after the products a_i·b_i, at most HopperWidth of them.
func (h Hopper) Step(acc float64, a, b []float64) float64 {
	emax := max(exponentOf(acc), zeroExponent)
	b = b[:len(a)]
	for i, x := range a {
		emax = max(emax, h.exponent(x)+h.exponent(b[i]))
	}
	if emax > 900 {
		return notFinite(acc, a, b)
	}
	up := math.Float64frombits(uint64(1023+stepFraction-emax) << 52)
	sum := int64(acc * up)
	for i, x := range a {
		sum += int64(x * b[i] * up)
	}
	down := math.Float64frombits(uint64(1023+emax-stepFraction) << 52)
	return towardZero32(float64(sum) * down)
}

// notFinite returns the NaN or the infinity that the plain sum gives.
func notFinite(acc float64, a, b []float64) float64 {
	for i, x := range a {
		acc += x * b[i]
	}
	return acc
}

// towardZero32 truncates to float32.
func towardZero32(x float64) float64 {
	if math.Abs(x) >= 0x1p-126 {
		x = math.Float64frombits(math.Float64bits(x) &^ (1<<29 - 1))
		return float64(float32(x))
	}
	return math.Trunc(x*0x1p149) * 0x1p-149
}
