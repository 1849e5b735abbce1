package fp8

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// operands returns a in tiles and b in blocks of 128 × 128, rows of different size.
func operands(m, n, k int, seed uint64) (a, b Blocked) {
	x, w := normal(m, k, seed), normal(n, k, seed+100)
	x.Apply(func(i, j int, v float64) float64 { return math.Ldexp(v, i%5-j/Width%3) }, x)
	w.Apply(func(i, j int, v float64) float64 { return math.Ldexp(v, i/Width+j/Width%2) }, w)
	return Quantise(x, config(tile)), Quantise(w, config(square))
}

// plain returns the product of what codes stand for, and that of their magnitudes.
func plain(a, b Blocked) (c, magnitudes *mat.Dense) {
	abs := func(b Blocked) *mat.Dense {
		x := b.Dequantise()
		x.Apply(func(_, _ int, v float64) float64 { return math.Abs(v) }, x)
		return x
	}
	c, magnitudes = &mat.Dense{}, &mat.Dense{}
	c.Mul(a.Dequantise(), b.Dequantise().T())
	magnitudes.Mul(abs(a), abs(b).T())
	return c, magnitudes
}

// nearProduct demands the product of what codes stand for. Of K terms, and of the blocks' partial
// sums, each rounds once or twice.
func nearProduct(t *testing.T, c *mat.Dense, a, b Blocked) {
	t.Helper()
	want, magnitudes := plain(a, b)
	_, k := a.Codes.Dims()
	rows, cols := want.Dims()
	for m := range rows {
		for n := range cols {
			check.Near(t, "C", c.At(m, n), want.At(m, n), float64(k+6)*check.U*magnitudes.At(m, n))
		}
	}
}

func TestProduct(t *testing.T) {
	t.Run("it is the product of what the codes stand for, ragged edges too", func(t *testing.T) {
		for _, size := range [][3]int{{1, 1, 1}, {3, 5, 128}, {7, 200, 300}, {4, 128, 512}, {2, 129, 7}} {
			a, b := operands(size[0], size[1], size[2], 1)
			nearProduct(t, Product(a, b), a, b)
		}
	})
	t.Run("and in any blocks of one width", func(t *testing.T) {
		x, w := normal(6, 100, 2), normal(9, 100, 3)
		for _, b := range [][2]BlockSize{{{1, 32}, {1, 32}}, {{2, 32}, {4, 32}}, {{6, 7}, {1, 7}}, {tile, square}} {
			a, b := Quantise(x, config(b[0])), Quantise(w, powers(b[1]))
			nearProduct(t, Product(a, b), a, b)
		}
	})
	// Codes and their products are whole, and the scales powers of two: not one rounding.
	t.Run("of small integers it is exact under UE8M0", func(t *testing.T) {
		whole := func(seed uint64) *mat.Dense {
			m := normal(5, 300, seed)
			m.Apply(func(_, _ int, v float64) float64 { return math.Round(4 * v) }, m)
			return m
		}
		x, w := whole(4), whole(5)
		var want mat.Dense
		want.Mul(x, w.T())
		check.NearMatrix(t, "C", Product(Quantise(x, powers(tile)), Quantise(w, powers(square))), &want, 0)
	})
	// C = Σ 448² s_A s_B over blocks, where 448 s is the number to 2⁻²⁴.
	t.Run("where all are equal in a tile it is exact to the roundings of the scales", func(t *testing.T) {
		x, w := mat.NewDense(2, 256, nil), mat.NewDense(2, 256, nil)
		for k := range 256 {
			for i := range 2 {
				x.Set(i, k, 0.1*float64(1+i+k/Width))
				w.Set(i, k, -0.7*float64(1+k/Width))
			}
		}
		var want mat.Dense
		want.Mul(x, w.T())
		c := Product(Quantise(x, config(tile)), Quantise(w, config(square)))
		for _, v := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
			check.Near(t, "C", c.At(v[0], v[1])/want.At(v[0], v[1]), 1, 4*0x1p-24)
		}
	})
	t.Run("what a scale multiplies is its own block", func(t *testing.T) {
		// Twice the scale of tile (1, 2) adds the block's own part once more, to row 1 alone.
		a, b := operands(3, 200, 384, 6)
		before := Product(a, b)
		a.Scales.Set(1, 2, 2*a.Scales.At(1, 2))
		after := Product(a, b)
		for n := range 200 {
			dot := floats.Dot(a.Codes.RawRowView(1)[256:384], b.Codes.RawRowView(n)[256:384])
			part := a.Scales.At(1, 2) / 2 * b.Scales.At(n/Width, 2) * dot
			check.Near(t, "row 1", after.At(1, n)-before.At(1, n), part, 16*check.U*math.Abs(after.At(1, n)))
			check.Near(t, "row 0", after.At(0, n), before.At(0, n), 0)
			check.Near(t, "row 2", after.At(2, n), before.At(2, n), 0)
		}
	})
	t.Run("a NaN reaches its row, beside zeros too", func(t *testing.T) {
		a, b := operands(2, 3, 128, 7)
		a.Codes.Set(1, 5, math.NaN())
		b.Codes.Set(2, 5, 0)
		c := Product(a, b)
		check.NaN(t, "row 1", c.RawRowView(1)...)
		check.Near(t, "row 0", c.At(0, 2), c.At(0, 2), 0)
	})
}

// Each known mistake with scales is right where these are equal, and shows where they are not.
func TestMistakesOfScales(t *testing.T) {
	a, b := operands(4, 128, 512, 8)
	right := Product(a, b)
	wrong := func(scales *mat.Dense) *mat.Dense { return Product(Blocked{a.Codes, scales, a.Block}, b) }
	apart := func(t *testing.T, got *mat.Dense, least float64) {
		t.Helper()
		var e mat.Dense
		e.Sub(got, right)
		if ratio := mat.Norm(&e, 2) / mat.Norm(right, 2); ratio < least {
			t.Errorf("apart by %.3f, want %v", ratio, least)
		}
	}
	mapped := func(f func(i, j int, s float64) float64) *mat.Dense {
		var s mat.Dense
		s.Apply(f, a.Scales)
		return &s
	}
	t.Run("the first of a row's scales for all of its blocks", func(t *testing.T) {
		apart(t, wrong(mapped(func(i, _ int, _ float64) float64 { return a.Scales.At(i, 0) })), 0.2)
	})
	t.Run("scales in the other order of memory: a square grid fits", func(t *testing.T) {
		apart(t, wrong(mapped(func(i, j int, _ float64) float64 { return a.Scales.At(j, i) })), 0.2)
	})
	t.Run("neither shows where all scales are one", func(t *testing.T) {
		constant := mapped(func(int, int, float64) float64 { return 0.5 })
		var turned, first mat.Dense
		turned.CloneFrom(constant.T())
		first.Apply(func(i, _ int, _ float64) float64 { return constant.At(i, 0) }, constant)
		check.NearMatrix(t, "turned", wrong(&turned), wrong(constant), 0)
		check.NearMatrix(t, "first", wrong(&first), wrong(constant), 0)
	})
	// What codes were divided by is s, and the mistake multiplies them by its power of two: each
	// block is 1 to 2 times as large, by 2^⌈log₂ s⌉/s.
	t.Run("codes by the exact scale, read with the next power of two", func(t *testing.T) {
		up := mapped(func(_, _ int, s float64) float64 { return ScaleUE8M0(448*s, 0, e4m3) })
		apart(t, wrong(up), 0.2)
		for i, s := range up.RawMatrix().Data {
			if ratio := s / a.Scales.RawMatrix().Data[i]; ratio < 1 || ratio >= 2 {
				t.Errorf("a block is %v times as large", ratio)
			}
		}
	})
	// 2^⌊log₂ s⌋ is ½ to 1 of s.
	t.Run("a scale that is read without its fraction", func(t *testing.T) {
		down := mapped(func(_, _ int, s float64) float64 { return math.Ldexp(0.5, exponent(s)) })
		apart(t, wrong(down), 0.1)
		for i, s := range down.RawMatrix().Data {
			if ratio := s / a.Scales.RawMatrix().Data[i]; ratio <= 0.5 || ratio > 1 {
				t.Errorf("a block is %v times as large", ratio)
			}
		}
	})
	t.Run("under UE8M0 there is no fraction to lose, nor a next power", func(t *testing.T) {
		s := ScaleUE8M0(3, floor, e4m3)
		check.Near(t, "down", math.Ldexp(0.5, exponent(s)), s, 0)
		check.Near(t, "up", ScaleUE8M0(448*s, 0, e4m3), s, 0)
	})
}

// exponent is that of Frexp.
func exponent(s float64) int {
	_, e := math.Frexp(s)
	return e
}

func TestGroupedProduct(t *testing.T) {
	a, _ := operands(7, 1, 300, 9)
	var b []Blocked
	for e := range 4 {
		_, w := operands(1, 150, 300, uint64(10+e))
		b = append(b, w)
	}
	t.Run("the rows of an expert are multiplied by its own matrix", func(t *testing.T) {
		c := GroupedProduct(a, b, []int{2, 0, 4, 1})
		for m, e := range []int{0, 0, 2, 2, 2, 2, 3} {
			check.NearMatrix(t, "row", c.Slice(m, m+1, 0, 150), Product(a.rows(m, m+1), b[e]), 0)
		}
	})
	t.Run("one expert is a plain product, whoever it is", func(t *testing.T) {
		for e := range 4 {
			counts := make([]int, 4)
			counts[e] = 7
			check.NearMatrix(t, "C", GroupedProduct(a, b, counts), Product(a, b[e]), 0)
		}
	})
	t.Run("another order of the experts with no rows changes nothing", func(t *testing.T) {
		check.NearMatrix(t, "C", GroupedProduct(a, []Blocked{b[1], b[0], b[3], b[2]}, []int{0, 3, 0, 4}),
			GroupedProduct(a, []Blocked{b[0], b[3], b[2], b[1]}, []int{3, 0, 4, 0}), 0)
	})
	t.Run("counts that do not add up are a mistake of the caller", func(t *testing.T) {
		for _, counts := range [][]int{{2, 0, 4, 0}, {2, 0, 4, 2}, {-1, 4, 4, 0}, {-1, 7, 0, 0}, {8, -1, 0, 0}} {
			check.Panics(t, badCounts, func() { GroupedProduct(a, b, counts) })
		}
	})
}

func TestProductShapes(t *testing.T) {
	const widths, experts = "fp8: widths of the operands or of their blocks differ",
		"fp8: rows in tiles and a count for each expert are wanted"
	a, b := operands(2, 3, 300, 20)
	narrow := Quantise(normal(3, 299, 1), config(square))
	other := Quantise(normal(3, 300, 1), config(BlockSize{1, 32}))
	check.Panics(t, widths, func() { Product(a, narrow) })
	check.Panics(t, widths, func() { Product(a, other) })
	check.Panics(t, badScales, func() { Product(Blocked{a.Codes, b.Scales, tile}, b) })
	check.Panics(t, badScales, func() { Product(a, Blocked{b.Codes, a.Scales, square}) })
	check.Panics(t, experts, func() { GroupedProduct(a, []Blocked{b}, []int{1, 1}) })
	check.Panics(t, experts, func() { GroupedProduct(a, nil, nil) })
	check.Panics(t, experts, func() { GroupedProduct(b, []Blocked{b}, []int{3}) })
}
