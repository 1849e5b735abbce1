package fp8

import "plumbline/numbers/dtype"

// CodeOfQuotient returns the code of a number, by its definition.
//
//	q = cast(x / s)
//
// The quotient is rounded to float32 and then to the nearest of the format's numbers, to the even
// one of two equally near, saturating at the largest. x and s are rounded to float32 first, as in
// all three recipes. It implements DeepSeek-V3 section 3.3.2, as its inference code does it.
func CodeOfQuotient(x, s float64, format dtype.Type) float64 {
	return format.RoundSaturating(float64(float32(x) / float32(s)))
}

// CodeByInverse returns the code of a number from the inverse of the scale.
//
//	q = cast(x · (1/s))
//
// The inverse is rounded to float32, and so is the product. It implements DeepSeek-V3 section
// 3.3.2, as DeepGEMM's code does it.
func CodeByInverse(x, s float64, format dtype.Type) float64 {
	return format.RoundSaturating(float64(float32(x) * (1 / float32(s))))
}

// CodeByLargest returns the code of a number from the maximum of its block.
//
//	q = cast(x · (largest / amax))
//
// amax is the maximum or the floor, whichever is larger. The quotient is rounded to float32, and so
// is the product. With scales that are powers of two there is no such recipe. Differs in code:
// where the scale is then the inverse of the quotient, it is an ulp beside Scale now and then. It
// implements DeepSeek-V3 section 3.3.2, as Transformer Engine's code does it.
func CodeByLargest(x, amax float64, format dtype.Type) float64 {
	return format.RoundSaturating(float64(float32(x) * (float32(format.Max()) / float32(amax))))
}
