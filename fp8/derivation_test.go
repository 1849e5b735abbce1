package fp8

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// hopperBits are the fraction bits of Hopper's accumulator; the paper counts about 14 bits of it.
const hopperBits = 13

// # FP8 blocks
//
// A number in FP8 is a code of eight bits times a scale. DeepSeek-V3 gives one scale to 1 × 128
// activations and to 128 × 128 weights, and adds up products in pieces of 128. Both follow from
// what a code and an accumulator can hold:
//
//	x̂ = q s,  s = amax/448
//	q has 4 bits of precision, and exponents from 2⁻⁶ to 2⁸
//
// DeepSeek-V3, sections 3.3.1 and 3.3.2.
func TestDerivationBlocks(t *testing.T) {
	x := normal(256, 256, 81)

	// E4M3 has three bits behind the leading one. Half a step is 1/17 of the smallest number that
	// it is rounded from; below 2⁻⁶ the steps shrink no further.
	//
	//	|x̂ − x| ≤ |x|/17,  |x| ≥ 2⁻⁶ s
	//	|x̂ − x| ≤ 2⁻¹⁰ s,  |x| < 2⁻⁶ s
	t.Run("a code is within 1/17 of its number, as long as that is not small beside the scale", func(t *testing.T) {
		q := Quantise(x, config(tile))
		back := q.Dequantise()
		for m := range 256 {
			for k := range 256 {
				_, s := blockOf(x, q, m, k)
				allowed := max(math.Abs(x.At(m, k))/17, 0x1p-10*s)
				check.Near(t, "x̂", back.At(m, k), x.At(m, k), allowed*(1+0x1p-20)) // the quotient is a float32
			}
		}
	})

	// The scale puts the largest number of the block on the largest code. From there on down there
	// is room for a factor of 448 · 2⁶, and another 2⁴ until a number becomes 0.
	//
	//	2⁻⁶ s = amax/28672
	//	x̂ = 0,  |x| ≤ 2⁻¹⁰ s = amax/458752
	t.Run("so a block has room for numbers down to 1/28672 of its largest", func(t *testing.T) {
		block := check.Matrix([]float64{448, 0x1p-6, 0x1.bp-6, 0x1.bp-9, 0x1.8p-11})
		back := Quantise(block, config(tile)).Dequantise()
		check.NearAll(t, "x̂", back.RawRowView(0), []float64{448, 0x1p-6, 0x1.cp-6, 0x1p-8, 0}, 0)
	})

	// One number that is far beyond the others takes the scale with it. All that share a scale with
	// it lose bits, and none else: the smaller the block, the fewer. Activations have such numbers
	// in single tokens and channels.
	//
	//	s = amax/448,  amax = max |x| over the block
	t.Run("an outlier costs whoever shares its scale, and 1 × 128 has 127 of these", func(t *testing.T) {
		spoilt := mat.DenseCopyOf(x)
		spoilt.Set(3, 40, 1<<20)
		for _, c := range []struct {
			block  BlockSize
			shared int
		}{{tile, 127}, {square, 128*128 - 1}, {BlockSize{256, 256}, 256*256 - 1}} {
			n, before := lost(spoilt, c.block), lost(x, c.block)
			if n > c.shared+before || n < c.shared*9/10 {
				t.Errorf("%v: %d of %d lost, %d before", c.block, n, c.shared, before)
			}
		}
	})

	// A scale may leave the sum if it is the same for all that is summed: along K, it may change
	// once in a block and no more often. The codes of a block are then multiplied as they are, and
	// the scales once, on the sum.
	//
	//	Σ_k (s^A A_mk)(s^B B_nk) = Σ_b s^A_{m,b} s^B_{n,b} Σ_{k in block b} A_mk B_nk
	t.Run("scales that are constant along a block of K come out of its sum", func(t *testing.T) {
		a, b := operands(5, 130, 384, 82)
		nearProduct(t, Product(a, b), a, b)
	})

	// A tensor core adds products of codes in an accumulator that keeps F bits behind the leading
	// one, 13 on Hopper, where the paper counts about 14 with it, and cuts the rest. Each addition
	// loses less than 2^−F of the sum so far, always towards 0: over K = 4096 half of it may be
	// lost, and some percent are.
	//
	//	0 ≤ S − S′ ≤ n 2^−F S,  S = Σ_k A_k B_k,  all A_k B_k ≥ 0
	t.Run("an accumulator of few bits loses with each of the products that it adds", func(t *testing.T) {
		a, b := magnitudes(83), magnitudes(84)
		s := floats.Dot(a, b)
		cut := 1 - ShortSum(a, b, hopperBits, 0)/s
		if cut < 0.01 || cut > 4096*0x1p-13 {
			t.Errorf("%v of the sum is lost", cut)
		}
	})

	// Start anew every N_C products, and add what was summed to a float32, where scales have to be
	// multiplied anyway. Then n is 128 in the bound, whatever K is.
	//
	//	0 ≤ S − S′ ≤ N_C 2^−F S = S/64 for N_C = 128 and F = 13
	t.Run("promoted every 128 products, it loses no more than 128 of them do", func(t *testing.T) {
		a, b := magnitudes(83), magnitudes(84)
		s := floats.Dot(a, b)
		cut, never := 1-ShortSum(a, b, hopperBits, nC)/s, 1-ShortSum(a, b, hopperBits, 0)/s
		if cut < 0 || cut > 128*0x1p-13 || cut > never/10 {
			t.Errorf("%v of the sum is lost, %v without", cut, never)
		}
	})

	// What was rounded into the codes is gone before anything is summed. With sums that are exact a
	// product of two matrices is still off by a few percent of its size, ten times what promoted
	// sums lose; the bits of a better accumulator are worth no more than that.
	//
	//	Σ_k q^A_k q^B_k − Σ_k A_k B_k ≫ Σ_k q^A_k q^B_k − S′
	t.Run("but no accumulator gives back what the codes have lost", func(t *testing.T) {
		x, w := normal(8, 4096, 85), normal(8, 4096, 86)
		a, b := Quantise(x, config(tile)), Quantise(w, config(tile))
		var want, off mat.Dense
		want.Mul(x, w.T())
		off.Sub(Product(a, b), &want)
		codes := mat.Norm(&off, 2) / mat.Norm(&want, 2)
		sums := worst(a.Codes, b.Codes, nC, func(a, b []float64, every int) float64 {
			return ShortSum(a, b, hopperBits, every)
		})
		if codes < 0.01 || codes > 0.06 || sums > codes/10 {
			t.Errorf("codes are off by %v, sums by %v", codes, sums)
		}
	})
}

// lost counts the numbers that are off by more than 1/17: those that are small in their block.
func lost(x *mat.Dense, b BlockSize) (n int) {
	back := Quantise(x, config(b)).Dequantise()
	rows, cols := x.Dims()
	for m := range rows {
		for k := range cols {
			if want := x.At(m, k); math.Abs(back.At(m, k)-want) > math.Abs(want)/17*(1+0x1p-20) {
				n++
			}
		}
	}
	return n
}

// magnitudes returns 4096 codes without their signs.
func magnitudes(seed uint64) []float64 {
	codes := Quantise(normal(1, 4096, seed), config(tile)).Codes.RawRowView(0)
	for k := range codes {
		codes[k] = math.Abs(codes[k])
	}
	return codes
}
