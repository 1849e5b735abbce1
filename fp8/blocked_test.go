package fp8

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
)

// blocks are those of activations, of weights, and others of code; small ones show their edges.
var (
	tile   = BlockSize{1, Width}
	square = BlockSize{Width, Width}
	blocks = []BlockSize{tile, {Width, 1}, {1, 32}, square, {2, 3}}
)

// config quantises as DeepSeek-V3 does.
func config(b BlockSize) Config { return Config{Block: b, Format: e4m3, Floor: floor} }

// powers is config with scales that are powers of two.
func powers(b BlockSize) Config {
	c := config(b)
	c.UE8M0 = true
	return c
}

// normal returns a matrix of bf16 numbers.
func normal(rows, cols int, seed uint64) *mat.Dense {
	rng, m := rand.New(rand.NewPCG(seed, 8)), mat.NewDense(rows, cols, nil)
	m.Apply(func(int, int, float64) float64 { return dtype.BF16.Round(rng.NormFloat64()) }, m)
	return m
}

// times returns c x.
func times(c float64, x mat.Matrix) *mat.Dense {
	var y mat.Dense
	y.Scale(c, x)
	return &y
}

// same demands the same codes and scales.
func same(t check.T, what string, got, want Blocked) {
	t.Helper()
	check.NearMatrix(t, what+": codes", got.Codes, want.Codes, 0)
	check.NearMatrix(t, what+": scales", got.Scales, want.Scales, 0)
}

// each calls f for all blocks, formats, scales and recipes.
func each(t *testing.T, name string, f func(t *testing.T, c Config)) {
	for _, b := range blocks {
		for _, format := range formats {
			for _, ue8m0 := range []bool{false, true} {
				for recipe := ByQuotient; recipe <= ByLargest; recipe++ {
					c := Config{Block: b, Format: format, UE8M0: ue8m0, Recipe: recipe, Floor: floor}
					t.Run(fmt.Sprintf("%s, %v %v UE8M0 %v %v", name, b, format, ue8m0, recipe),
						func(t *testing.T) { f(t, c) })
				}
			}
		}
	}
}

func TestQuantise(t *testing.T) {
	x := normal(5, 300, 1)
	each(t, "every element is the code of its recipe under the scale of its block", func(t *testing.T, c Config) {
		q := Quantise(x, c)
		for m := range 5 {
			for k := range 300 {
				amax, s := blockOf(x, q, m, k)
				want := CodeOfQuotient(x.At(m, k), s, c.Format)
				switch {
				case c.Recipe == ByLargest && !c.UE8M0:
					want = CodeByLargest(x.At(m, k), amax, c.Format)
				case c.Recipe != ByQuotient:
					want = CodeByInverse(x.At(m, k), s, c.Format)
				}
				wantScale := Scale(amax, floor, c.Format)
				if c.UE8M0 {
					wantScale = ScaleUE8M0(amax, floor, c.Format)
				}
				if q.Codes.At(m, k) != want || s != wantScale {
					t.Fatalf("[%d %d]: %v · %v, want %v · %v", m, k, q.Codes.At(m, k), s, want, wantScale)
				}
			}
		}
	})
	each(t, "what a ragged edge misses counts as 0", func(t *testing.T, c Config) {
		rows, cols := c.Block.Scales(5, 300)
		padded := mat.NewDense(rows*c.Block.Rows, cols*c.Block.Cols, nil)
		padded.Copy(x)
		whole, q := Quantise(padded, c), Quantise(x, c)
		whole.Codes = whole.Codes.Slice(0, 5, 0, 300).(*mat.Dense)
		same(t, "ragged", q, whole)
	})
	each(t, "a power of two times the matrix has the same codes", func(t *testing.T, c Config) {
		// The floor is far below, so that scales are the powers of two times what they were.
		q := Quantise(x, c)
		for _, e := range []int{-5, 1, 20} {
			q2 := Quantise(times(math.Ldexp(1, e), x), c)
			same(t, "2^e x", q2, Blocked{q.Codes, times(math.Ldexp(1, e), q.Scales), c.Block})
		}
	})
	each(t, "the negative matrix has the negative codes", func(t *testing.T, c Config) {
		q := Quantise(x, c)
		same(t, "−x", Quantise(times(-1, x), c), Blocked{times(-1, q.Codes), q.Scales, c.Block})
	})
	each(t, "zeros have codes 0 and the least scale, whatever is beside them", func(t *testing.T, c Config) {
		q := Quantise(mat.NewDense(3, 4, nil), c)
		check.NearMatrix(t, "codes", q.Codes, mat.NewDense(3, 4, nil), 0)
		check.Near(t, "scale", q.Scales.At(0, 0), c.scale(0), 0)
	})
}

// blockOf returns the maximum and the scale of the block of an element.
func blockOf(x *mat.Dense, q Blocked, m, k int) (amax, s float64) {
	rows, cols := x.Dims()
	i, j := m/q.Block.Rows, k/q.Block.Cols
	for r := i * q.Block.Rows; r < min((i+1)*q.Block.Rows, rows); r++ {
		for c := j * q.Block.Cols; c < min((j+1)*q.Block.Cols, cols); c++ {
			amax = max(amax, math.Abs(x.At(r, c)))
		}
	}
	return amax, q.Scales.At(i, j)
}

func TestQuantiseClosedForms(t *testing.T) {
	t.Run("where all are equal in size every code is the largest", rapid.MakeCheck(func(t *rapid.T) {
		// The exact scale is rounded to float32, and 448 times it is the number again but for that.
		x := mat.NewDense(4, 256, nil)
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 9))
		size := dtype.F32.Round(rapid.Float64Range(0.001, 1000).Draw(t, "size"))
		x.Apply(func(int, int, float64) float64 { return math.Copysign(size, rng.NormFloat64()) }, x)
		q := Quantise(x, config(tile))
		check.NearMatrix(t, "codes", q.Codes, times(448/size, x), 1e-9)
		check.NearMatrix(t, "x̂", q.Dequantise(), x, size*0x1p-24*(1+0x1p-20))
	}))
	// amax ≤ 16·2^e has s = 2^(e−4) at most: codes 16 n have 4 bits for |n| ≤ 16 and fit below 448.
	t.Run("integers up to 16 times a power of two are exact under UE8M0", rapid.MakeCheck(func(t *rapid.T) {
		e := rapid.IntRange(-8, 60).Draw(t, "e")
		n := rapid.SliceOfN(rapid.IntRange(-16, 16), 12, 12).Draw(t, "n")
		x := mat.NewDense(3, 4, nil)
		x.Apply(func(i, j int, _ float64) float64 { return math.Ldexp(float64(n[4*i+j]), e) }, x)
		check.NearMatrix(t, "x̂", Quantise(x, powers(tile)).Dequantise(), x, 0)
	}))
	t.Run("17 is not: it lies between 16 and 18", func(t *testing.T) {
		x := mat.NewDense(1, 1, []float64{17})
		check.Near(t, "x̂", Quantise(x, powers(tile)).Dequantise().At(0, 0), 16, 0)
	})
	t.Run("scaling one tile changes its scale and nothing else", func(t *testing.T) {
		x, y := normal(3, 384, 2), normal(3, 384, 2)
		for k := Width; k < 2*Width; k++ {
			y.Set(1, k, 8*x.At(1, k))
		}
		want := Quantise(x, config(tile))
		want.Scales.Set(1, 1, 8*want.Scales.At(1, 1))
		same(t, "8 x", Quantise(y, config(tile)), want)
	})
	t.Run("an outlier costs its own tile bits, and its whole block of 128 × 128", func(t *testing.T) {
		x := times(0x1p-13, normal(2, 256, 3))
		x.Set(0, 5, 448)
		tiles, whole := Quantise(x, config(tile)).Dequantise(), Quantise(x, config(square)).Dequantise()
		check.Near(t, "the tile beside it", tiles.At(0, 200), x.At(0, 200), math.Abs(x.At(0, 200))/17*(1+0x1p-20))
		check.Near(t, "the row below, in a tile", tiles.At(1, 5), x.At(1, 5), math.Abs(x.At(1, 5))/17*(1+0x1p-20))
		check.Near(t, "in its block", whole.At(1, 5), 0, 0)
	})
	t.Run("a NaN makes its block NaN and no other", func(t *testing.T) {
		x := normal(2, 256, 4)
		x.Set(0, 3, math.NaN())
		q := Quantise(x, config(tile))
		check.NaN(t, "its tile", q.Scales.At(0, 0), q.Codes.At(0, 0), q.Codes.At(0, 127))
		x.Set(0, 3, 0)
		check.Near(t, "the next", q.Codes.At(0, 128), Quantise(x, config(tile)).Codes.At(0, 128), 0)
	})
}

func TestBlocks(t *testing.T) {
	t.Run("there are as many scales as blocks, ragged ones too", func(t *testing.T) {
		for _, c := range []struct {
			b                      BlockSize
			rows, cols, sRow, sCol int
		}{
			{tile, 3, 7168, 3, 56}, {square, 576, 7168, 5, 56}, {
				BlockSize{Width, 1}, 129, 2, 2, 2,
			}, {BlockSize{1, 32}, 1, 1, 1, 1},
		} {
			if r, s := c.b.Scales(c.rows, c.cols); r != c.sRow || s != c.sCol {
				t.Errorf("%v of [%d × %d]: [%d × %d], want [%d × %d]", c.b, c.rows, c.cols, r, s, c.sRow, c.sCol)
			}
		}
	})
	t.Run("what does not fit is a mistake of the caller", func(t *testing.T) {
		x, other := mat.NewDense(2, 2, nil), config(tile)
		other.Format = dtype.F16
		check.Panics(t, "fp8: a block without elements", func() { Quantise(x, config(BlockSize{0, 128})) })
		check.Panics(t, "fp8: a format of codes is F8E4M3 or F8E5M2", func() { Quantise(x, other) })
		for _, s := range []*mat.Dense{mat.NewDense(1, 1, nil), mat.NewDense(2, 2, nil), mat.NewDense(3, 1, nil)} {
			check.Panics(t, badScales, func() { Blocked{x, s, tile}.Dequantise() })
			check.Panics(t, badScales, func() { Blocked{x, s, tile}.T() })
		}
	})
	t.Run("recipes are called by what they compute", func(t *testing.T) {
		if got := fmt.Sprint(
			ByQuotient, ByInverse, ByLargest, Recipe(3),
		); got != "x/s x·(1/s) x·(largest/amax) fp8.Recipe(3)" {
			t.Error(got)
		}
	})
}

func TestDequantise(t *testing.T) {
	each(t, "it is exact: a code has 4 bits and a scale 24", func(t *testing.T, c Config) {
		q := Quantise(normal(4, 300, 5), c)
		x := q.Dequantise()
		for m := range 4 {
			for k := range 300 {
				s := q.Scales.At(m/c.Block.Rows, k/c.Block.Cols)
				if got := x.At(m, k); got/s != q.Codes.At(m, k) {
					t.Fatalf("[%d %d]: %v / %v is not %v", m, k, got, s, q.Codes.At(m, k))
				}
			}
		}
	})
	t.Run("under UE8M0, what was quantised once is quantised to the same codes again",
		rapid.MakeCheck(func(t *rapid.T) {
			// The maximum's code is 256 at least if it was above 224.5 of the scale, and else the
			// scale would have been half of it; from it the same power of two follows, but where
			// the maximum was rounded down to 224 of the scale.
			q := Quantise(normal(2, 256, rapid.Uint64().Draw(t, "seed")), powers(tile))
			again := Quantise(q.Dequantise(), powers(tile))
			check.NearMatrix(t, "x̂", again.Dequantise(), q.Dequantise(), 0)
		}))
	t.Run("exact scales are the smaller: UE8M0 leaves up to half of the codes unused, and errs alike",
		func(t *testing.T) {
			x := normal(8, 1024, 6)
			exact, ue8m0 := Quantise(x, config(tile)), Quantise(x, powers(tile))
			var a, b mat.Dense
			a.Sub(exact.Dequantise(), x)
			b.Sub(ue8m0.Dequantise(), x)
			if ratio := mat.Norm(&b, 2) / mat.Norm(&a, 2); ratio < 0.9 || ratio > 1.2 {
				t.Errorf("errors are %v times as large", ratio)
			}
			if mat.Max(exact.Codes) != 448 || mat.Max(ue8m0.Codes) > 448 || mat.Max(ue8m0.Codes) < 224 {
				t.Errorf("largest codes %v and %v", mat.Max(exact.Codes), mat.Max(ue8m0.Codes))
			}
		})
}
