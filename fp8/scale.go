package fp8

import "plumbline/numbers/dtype"

// Scale returns what the codes of a block are multiplied by.
//
//	s = max(amax, floor) / largest
//
// It is formed in float32: amax and floor are rounded to it, and so is the quotient. With a floor
// above 0 a block of zeros has the scale floor/largest and codes 0; with 0 it has the scale 0 and
// codes 0/0. Differs in code: amax times the rounded 1/largest is off by an ulp now and then. It
// implements DeepSeek-V3 section 3.3.2, with the floor of 1e-4 of the inference code.
func Scale(amax, floor float64, format dtype.Type) float64 {
	return float64(max(float32(amax), float32(floor)) / float32(format.Max()))
}

// ScaleUE8M0 returns the smallest power of two that is no less than Scale.
//
//	s = 2^{⌈log₂(max(amax, floor) / largest)⌉}
//
// Powers below 2⁻¹²⁷ are that; of 0 there is none, and the result is NaN. Differs in code: the
// exponent's bits are counted up, as here; a logarithm in float32 next to a power of two says the
// power, and its ceiling is one too low. It implements DeepSeek-V3 section 3.3.3, its scales that
// are powers of 2.
func ScaleUE8M0(amax, floor float64, format dtype.Type) float64 {
	return dtype.RoundUpE8M0(Scale(amax, floor, format))
}
