package fp8

import "math"

// ShortSum returns a sum of products in an accumulator of few bits, which is promoted, that is
// added to one of float64 and set to 0, after every so many products; never if that is 0.
//
//	S ← cut(S + a_k b_k);  C ← C + S,  S ← 0 after every N_C products
//
// a and b are [K]; cut leaves so many fraction bits, toward zero. The paper finds around 14 bits in
// Hopper's tensor cores, and sets N_C to 128. Differs in code: the hardware cuts off 32 products,
// each by itself, beside the largest of them and S, and adds them at once (arithmetic.TensorCore);
// sums of both signs lose less by that. It implements DeepSeek-V3 section 3.3.2, increasing
// accumulation precision.
func ShortSum(a, b []float64, fractionBits, every int) float64 {
	if len(a) != len(b) {
		panic("fp8: operands of a sum differ in length")
	}
	var c, s float64
	for k := range a {
		s = cut(s+float64(a[k]*b[k]), fractionBits)
		if every > 0 && (k+1)%every == 0 {
			c, s = c+s, 0
		}
	}
	return c + s
}

// cut returns x with so many fraction bits, toward zero.
func cut(x float64, fractionBits int) float64 {
	return math.Float64frombits(math.Float64bits(x) &^ (1<<(52-fractionBits) - 1))
}
