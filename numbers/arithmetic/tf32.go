package arithmetic

import (
	"math"

	"plumbline/numbers/dtype"
)

// TF32 has the exponents of F32 and 10 fraction bits: a step at 1 of 2u.
const (
	tf32Step = 0x1p-10
	tf32Bits = 11
)

// CutTF32 returns a float32 number as a tensor core reads it: without its low 13 bits.
func CutTF32(x float64) float64 {
	return float64(math.Float32frombits(math.Float32bits(float32(x)) &^ (1<<13 - 1)))
}

// IsTF32 tells whether TF32 holds x.
func IsTF32(x float64) bool { return math.IsNaN(x) || CutTF32(x) == x }

// OperandError returns the second moments of the error that narrowing the operands of a sum of
// products makes, for operands of types x and y, products that add up to sum and whose squares add
// up to squares: of the part in which the products err apart, and of that in which they err
// together and every sum with them. Both are 0 unless the accumulator is TF32, and for operands of
// types that TF32 holds. Operands of a wider type that happen to be TF32 numbers (IsTF32) have no
// error either.
//
// Hardware ignores the low bits of an operand; libraries often round them to nearest before
// (cvt.rna), and neither is told by the declaration, so that this is the error of cutting, which is
// the larger. An operand loses δ, uniform in [0, 2u) in units of the binade, u = 2⁻¹¹: with m
// spread evenly over the logarithm its mean is u E[1/m] = 0.72 u and its second moment (4/3) u²
// E[1/m²] = 0.72 u². All operands lose, so that a product is too small by the sum of its two
// losses, and with it a sum by k·0.72 u of itself, k of the two operands being wider:
//
//	apart = k (0.7213 − 0.7213²) u² Σ x²,  together = (k · 0.7213 u S)²
//
// Rounding to nearest errs apart by k·0.18 u² Σ x², a tenth less, and not together.
func (a Accumulator) OperandError(x, y dtype.Type, sum, squares float64) (apart, together float64) {
	if a != TF32 {
		return 0, 0
	}
	const u, loss = tf32Step / 2, 1 / (2 * math.Ln2) // E[1/m], which happens to be 4/3 E[1/m²] too
	for _, t := range [...]dtype.Type{x, y} {
		if t.UnitRoundoff() < u {
			apart += (loss - loss*loss) * u * u * squares
			together += loss * u * sum
		}
	}
	return apart, together * together
}
