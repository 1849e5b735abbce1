package arithmetic

import (
	"math"

	"plumbline/numbers/dtype"
)

// TensorCore is what the tensor core of one device does with operands of one type. A step adds
// exact products and the accumulator:
//
//	d = R( Σ_i RZ(x_i, 2^(emax−F)) ),  emax = max( e(c), max_i e(a_i) + e(b_i) )
//
// Every term is cut off toward zero at F fraction bits of the largest exponent, what is left is
// added exactly, and the sum is rounded by R: cut off toward zero to Kept fraction bits of a
// float32, or to the nearest float16. The exponent of a product is the sum of its operands'
// exponents, not that of its normalised value: 1.5·1.5 counts as 2⁰. These are the rows that are
// known, with the devices whose recorded results every one of them explains (F. A. Khattak and M.
// Mikaitis, Accurate Models of NVIDIA Tensor Cores, arXiv 2512.07004; files of some of them are
// embedded in package golden):
//
//	device: operands, result         products  F   R                        recorded on
//	Hopper, Blackwell: BF16, F16, F32   16     25  23 bits, toward zero     H100 H200 B200
//	Hopper, Blackwell: TF32, F32         8     25  23 bits, toward zero     the same (4 of the 8)
//	Ampere, Ada: BF16, F16, F32          8     24  23 bits, toward zero     A100 A2, RTX 1000
//	Ampere, Ada: TF32, F32               4     24  23 bits, toward zero     A100 A2, RTX 1000
//	Volta: F16, F32                      4     23  23 bits, toward zero     V100
//	Hopper: FP8, F32 (wgmma)            32     13  13 bits, toward zero     H100 H200 (no c)
//	Ada: FP8, F32                       16     13  13 bits, toward zero     RTX 1000
//	Blackwell: FP8, F32 (mma.sync)      32     25  23 bits; + c, nearest    B200
//	all: F16, F16                       as above   F16, nearest             all seven
//	Ada: FP8, F16                       16     13  F16, nearest             RTX 1000
//	Hopper, Blackwell: FP8, F16         16     25  F16; + c, nearest        H100 H200 B200
//	 (mma.sync, two paired steps)
//
// RTX 1000 is of Ada, FP8 is E4M3 or E5M2, nearest is to even. The sums of Blackwell's FP8 are
// exact in the recorded results, but for one that tells that they are cut off to 23 bits: any F
// from 23 on gives the same, and so would two steps of 16.
//
// Hopper without FP8 is also the model of Xie et al., MMA-Sim (arXiv 2511.10909), who found it
// bit-exact on H100. No recorded result shows TF32 steps of more than 4 products (8 is what both
// papers' models have), Hopper's FP8 with an accumulator (MMA-Sim aligns it with the products),
// terms below 2⁻¹²⁶ (here that is the smallest emax, and zeros never raise it), operands that are
// subnormal in their type (here they count with its smallest exponent), or what is not finite
// (here: what IEEE arithmetic makes of the terms; results beyond the largest number are infinite).
type TensorCore struct {
	Products int        // products that one step adds
	Fraction int        // F
	Result   dtype.Type // F32, or F16 rounded to nearest even
	Kept     int        // fraction bits of a float32 result

	// Late is the number of products of an instruction that adds the accumulator to their sum when
	// that is done, rounding to the nearest number of type Result. 0: the accumulator is one of the
	// terms.
	Late int
	// Paired tells that the first step of an instruction has the products with k mod 4 < 2: two
	// fp16 steps that stand in for one of FP8.
	Paired bool

	lowest int // the smallest exponent of the operands' type
	bits   int // of a product: twice those of an operand
}

const (
	leastExponent = -126 // that terms are aligned to
	zeroExponent  = -400 // of an operand that is zero: no finite one makes its product count
	// What is not finite has exponent 1024 and counts with at least 1024 − 400; finite products
	// have at most 254.
	specialExponent = 300
)

// exponentOf returns the exponent field of x, unbiased: ⌊log₂|x|⌋ for normal float64, 1024 for what
// is not finite.
func exponentOf(x float64) int {
	return int(math.Float64bits(x)>>52&0x7FF) - 1023
}

func (t *TensorCore) exponent(x float64) int {
	if x == 0 {
		return zeroExponent
	}
	return max(exponentOf(x), t.lowest)
}

// Step returns the accumulator after the products a_i·b_i, at most t.Products of them. It is for
// every tensor core the step itself: the accumulator is one of the terms.
func (t *TensorCore) Step(acc float64, a, b []float64) float64 {
	emax := max(exponentOf(acc), leastExponent)
	b = b[:len(a)]
	for i, x := range a {
		emax = max(emax, t.exponent(x)+t.exponent(b[i]))
	}
	if emax > specialExponent {
		return notFinite(acc, a, b)
	}
	return t.aligned(acc, a, b, emax)
}

// aligned returns the sum of terms whose largest exponent is emax.
func (t *TensorCore) aligned(acc float64, a, b []float64, emax int) float64 {
	up := math.Float64frombits(uint64(1023+t.Fraction-emax) << 52)
	sum := int64(acc * up)
	b = b[:len(a)]
	for i, x := range a {
		sum += int64(x * b[i] * up)
	}
	down := math.Float64frombits(uint64(1023+emax-t.Fraction) << 52)
	return t.round(float64(sum) * down)
}

// notFinite returns the NaN or the infinity that the plain sum gives.
func notFinite(acc float64, a, b []float64) float64 {
	for i, x := range a {
		acc += float64(x * b[i])
	}
	return acc
}

// round rounds the sum of a step to the result.
func (t *TensorCore) round(x float64) float64 {
	if t.Result == dtype.F16 {
		return dtype.F16.Round(x)
	}
	return cut32(x, t.Kept)
}

// cut32 truncates to a float32 with so many fraction bits.
func cut32(x float64, kept int) float64 {
	if math.Abs(x) >= 0x1p-126 {
		x = math.Float64frombits(math.Float64bits(x) &^ (1<<(52-kept) - 1))
		return float64(float32(x))
	}
	least := math.Ldexp(1, leastExponent-kept)
	return math.Trunc(x/least) * least
}

// Dot returns c + Σ a_i·b_i, step after step; where the number of products is no whole number of
// steps the rest of the last one is zeros. Sums of F16 begin with c rounded to it, to nearest even.
func (t *TensorCore) Dot(c float64, a, b []float64) float64 {
	c = t.Result.Round(c)
	if t.Late == 0 {
		return t.chain(c, a, b)
	}
	for start := 0; start < len(a); start += t.Late {
		end := min(start+t.Late, len(a))
		c = t.add(c, t.instruction(a[start:end], b[start:end]))
	}
	return c
}

func (t *TensorCore) chain(acc float64, a, b []float64) float64 {
	for start := 0; start < len(a); start += t.Products {
		end := min(start+t.Products, len(a))
		acc = t.Step(acc, a[start:end], b[start:end])
	}
	return acc
}

// instruction returns the sum of at most t.Late products, from 0.
func (t *TensorCore) instruction(a, b []float64) float64 {
	if !t.Paired {
		return t.chain(0, a, b)
	}
	var sum float64
	for _, half := range [2]int{0, 2} {
		var x, y []float64
		for i := range a {
			if i%4/2*2 == half {
				x, y = append(x, a[i]), append(y, b[i])
			}
		}
		sum = t.chain(sum, x, y)
	}
	return sum
}

// add returns the accumulator and the sum of an instruction added, rounded once to the nearest.
func (t *TensorCore) add(c, sum float64) float64 {
	if t.Result == dtype.F16 {
		return dtype.F16.Round(c + sum) // exact in float64
	}
	return float64(float32(c) + float32(sum))
}
