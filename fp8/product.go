package fp8

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Product returns the product of two matrices in FP8, both with the K that is summed along their
// rows and in blocks of equal width.
//
//	C_mn = Σ_b s^A_{⌊m/a₀⌋,b} s^B_{⌊n/b₀⌋,b} (Σ_{k in block b} A_mk B_nk)
//
// A is [M × K], in tiles (a₀ = 1), B is [N × K], in blocks of 128 × 128 (b₀ = 128) or in tiles; C
// is [M × N]. Of E4M3 the inner sums are exact, in any order: they are whole numbers of 2⁻¹⁸ below
// 2²⁵. What is rounded is one product and one sum for each block, to float64. Differs in code: the
// inner sum is a tensor core's, which keeps 13 fraction bits on Hopper, and the outer one float32.
// It implements DeepSeek-V3 section 3.3.2, increasing accumulation precision.
func Product(a, b Blocked) *mat.Dense {
	a.check()
	b.check()
	rows, width := a.Codes.Dims()
	cols, bWidth := b.Codes.Dims()
	if width != bWidth || a.Block.Cols != b.Block.Cols {
		panic("fp8: widths of the operands or of their blocks differ")
	}
	c := mat.NewDense(rows, cols, nil)
	for block, start := 0, 0; start < width; block, start = block+1, start+a.Block.Cols {
		end := min(start+a.Block.Cols, width)
		for n := range cols {
			y, sB := b.Codes.RawRowView(n)[start:end], b.Scales.At(n/b.Block.Rows, block)
			for m := range rows {
				scale := a.Scales.At(m/a.Block.Rows, block) * sB
				c.Set(m, n, c.At(m, n)+float64(scale*floats.Dot(a.Codes.RawRowView(m)[start:end], y)))
			}
		}
	}
	return c
}

// GroupedProduct returns the products of the rows of each expert with that expert's matrix, one
// under the other.
//
//	C_m = A_m B_eᵀ,  counts_0 + … + counts_{e−1} ≤ m < counts_0 + … + counts_e
//
// A is [M × K], in tiles, rows in the order of the experts; each B is [N × K]; counts add up to M,
// and may be 0. C is [M × N]. It implements DeepSeek-V3 section 3.3.2, as DeepGEMM's code groups
// it.
func GroupedProduct(a Blocked, b []Blocked, counts []int) *mat.Dense {
	if a.Block.Rows != 1 || len(b) != len(counts) || len(b) == 0 {
		panic("fp8: rows in tiles and a count for each expert are wanted")
	}
	rows, _ := a.Codes.Dims()
	cols, _ := b[0].Codes.Dims()
	c, start := mat.NewDense(rows, cols, nil), 0
	for e, count := range counts {
		if count < 0 || count > rows-start {
			panic(badCounts)
		}
		if count > 0 {
			c.Slice(start, start+count, 0, cols).(*mat.Dense).Copy(Product(a.rows(start, start+count), b[e]))
			start += count
		}
	}
	if start != rows {
		panic(badCounts)
	}
	return c
}

const badCounts = "fp8: counts of the experts do not add up to the rows"

// rows returns some rows of a matrix in tiles, as a view.
func (b Blocked) rows(from, to int) Blocked {
	_, cols := b.Codes.Dims()
	_, scaleCols := b.Scales.Dims()
	b.Codes = b.Codes.Slice(from, to, 0, cols).(*mat.Dense)
	b.Scales = b.Scales.Slice(from, to, 0, scaleCols).(*mat.Dense)
	return b
}
