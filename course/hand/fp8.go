package hand

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	cast "plumbline/verify/op/fp8"
)

func fp8Walks() []walk {
	return []walk{
		{"fp8.cast", castSheet, walkCast, nil},
		{"fp8.gemm", productSheet, walkProduct, nil},
		{"fp8.grouped_gemm", groupedSheet, walkProduct, func(c *op.Case) float64 {
			return c.Extent("N") * c.Extent("K")
		}},
	}
}

// tile is 128 numbers from −896 to 882, in steps of 14.
func tile() []float64 {
	x := make([]float64, fp8.Width)
	for i := range x {
		x[i] = 14 * float64(i-fp8.Width/2)
	}
	return x
}

func castSheet() *Sheet {
	rec := chosen("fp8.cast", nil).put("x", []int{1, fp8.Width}, tile()...)
	return work("One 1×128 tile quantised", "The numbers go from −896 to 882 in steps of 14, so that the scale is 2. "+
		"E4M3 has a leading bit and three more, and ends at 448: between 256 and 448 its numbers lie 32 apart.",
		rec.Recording, walkCast)
}

// walkCast works the first row of the first block.
func walkCast(s *Sheet, c *op.Case) {
	t := cast.FirstTile(c)
	s.given("The first tile.", row("x", t.X))
	s.step("Its largest size, and the scale that brings it to the largest number of the format.", "fp8.Scale",
		"s = max(amax, floor) / largest", number("amax", t.Amax), number("floor", t.Floor),
		number("largest", t.Largest), number("s", scaleOf(c, t)))
	if t.PowerOfTwo {
		s.step("The scale is rounded up to a power of two, UE8M0.", "fp8.ScaleUE8M0", "s = 2^{⌈log₂(amax / largest)⌉}",
			number("s", t.Scale))
	}
	scale := t.Scale
	if t.Recorded {
		scale = c.Read("out.scale", 0, 1)[0]
		s.given("The recording has a scale, which its codes are of.", number("recorded s", scale))
	}
	s.codes(t, scale)
	s.out("q", 0, t.Codes...)
	s.out("scale", 0, t.Scale)
}

// codes adds the steps from a tile and the scale to its codes and back.
func (s *Sheet) codes(t cast.Tile, scale float64) {
	quotients, back, off := make([]float64, len(t.X)), make([]float64, len(t.X)), make([]float64, len(t.X))
	for i, x := range t.X {
		quotients[i], back[i] = x/scale, scale*t.Codes[i]
		off[i] = back[i] - x
	}
	s.step("Each number is divided by the scale and rounded to the format: these are the codes.",
		map[fp8.Recipe]string{
			fp8.ByQuotient: "fp8.CodeOfQuotient", fp8.ByInverse: "fp8.CodeByInverse",
			fp8.ByLargest: "fp8.CodeByLargest",
		}[t.Recipe], "q_i = round(x_i / s)", row("x/s", quotients), row("q", t.Codes))
	s.step("What the codes stand for, and what that is off by.", "fp8.Blocked.Dequantise", "x̂_i = s q_i",
		row("x̂", back), row("x̂ − x", off))
}

// scaleOf is the scale in F32, whatever it is rounded to.
func scaleOf(c *op.Case, t cast.Tile) float64 {
	if c.Word("format") == "F8_E5M2" {
		return fp8.Scale(t.Amax, t.Floor, dtype.F8E5M2)
	}
	return fp8.Scale(t.Amax, t.Floor, dtype.F8E4M3)
}

// putProduct adds a row of two tiles and two columns.
func (r request) putProduct(experts int) request {
	const k = 2 * fp8.Width
	a, b := make([]float64, k), make([]float64, 2*k)
	for i := range k {
		a[i], b[i], b[k+i] = 1, float64(i%2), 2
	}
	lead := []int{}
	if experts > 0 {
		lead = []int{experts}
	}
	return r.putAs("a", dtype.F8E4M3, []int{1, k}, a...).putAs("a_scale", dtype.F32, []int{1, 2}, 1, 0.25).
		putAs("b", dtype.F8E4M3, append(lead, 2, k), b...).putAs("b_scale", dtype.F32, append(lead, 1, 2), 0.5, 1)
}

const productWords = "K is two blocks of 128. Codes of a block are summed first, and the sum is multiplied by both " +
	"scales and added up in float32: what DeepSeek-V3 calls promotion."

func productSheet() *Sheet {
	return work("A product of scaled blocks", productWords,
		chosen("fp8.gemm", nil).putProduct(0).Recording, walkProduct)
}

func groupedSheet() *Sheet {
	return work("A product of one expert's rows", productWords,
		chosen("fp8.grouped_gemm", nil).putProduct(1).put("counts", nil, 1).Recording, walkProduct)
}

// shownColumns is how many columns of a product are worked.
const shownColumns = 8

// walkProduct works the first row, and some columns.
func walkProduct(s *Sheet, c *op.Case) {
	a, b := cast.FirstProduct(c, shownColumns)
	s.given("The first row of A and the first rows of B, as codes, with the scales of their blocks.",
		matrix("a", a.Codes), matrix("s_a", a.Scales), matrix("b", b.Codes), matrix("s_b", b.Scales))
	s.blocks(a, b)
	y := fp8.Product(a, b)
	s.step("All blocks together.", "fp8.Product", "c_mn = Σ_k s_a s_b Σ_i a_mi b_ni", matrix("c", y))
	s.out("c", 0, y.RawRowView(0)...)
}

// blocks adds the sum of each block, alone and with its scales.
func (s *Sheet) blocks(a, b fp8.Blocked) {
	n, k := b.Codes.Dims()
	blocks := (k + fp8.Width - 1) / fp8.Width
	sums, scaled := mat.NewDense(blocks, n, nil), mat.NewDense(blocks, n, nil)
	labels := make([]string, blocks)
	for i := range blocks {
		from, to := i*fp8.Width, min((i+1)*fp8.Width, k)
		labels[i] = fmt.Sprintf("block %d", i)
		for j := range n {
			sum := mat.Dot(a.Codes.RowView(0).(*mat.VecDense).SliceVec(from, to),
				b.Codes.RowView(j).(*mat.VecDense).SliceVec(from, to))
			sums.Set(i, j, sum)
			scaled.Set(i, j, sum*a.Scales.At(0, i)*b.Scales.At(j/b.Block.Rows, i))
		}
	}
	s.step("The sum of each block's codes, a column for each row of B.", "", "Σ_i a_i b_i",
		matrix("sums", sums).along(labels...))
	s.step("Times both scales.", "", "s_a s_b Σ_i a_i b_i", matrix("scaled", scaled).along(labels...))
}
