package fp8

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// paperBits is about what the paper says of the H800. nC is its N_C.
const paperBits, nC = 14, Width

func TestShortSum(t *testing.T) {
	ones := func(n int, first float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = 1
		}
		x[0] = first
		return x
	}
	t.Run("what fits into the bits is exact", rapid.MakeCheck(func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Map(rapid.IntRange(-7, 7), func(n int) float64 { return float64(n) }), 200, 200)
		a, b := x.Draw(t, "a"), x.Draw(t, "b")
		check.Near(t, "sum", ShortSum(a, b, paperBits, 0), floats.Dot(a, b), 0)
		check.Near(t, "promoted", ShortSum(a, b, paperBits, nC), floats.Dot(a, b), 0)
	}))
	// From 2^(F+1) on the last bit is 2.
	t.Run("beside 2^(F+1) a product of 1 is lost, and so are 4095", func(t *testing.T) {
		const large = 1 << (paperBits + 1)
		check.Near(t, "sum", ShortSum(ones(4096, large), ones(4096, 1), paperBits, 0), large, 0)
		minus := ones(4096, large)
		floats.Scale(-1, minus)
		check.Near(t, "−sum", ShortSum(minus, ones(4096, 1), paperBits, 0), -large, 0)
	})
	t.Run("promoted, the 127 beside it are lost, and 31 times 128 are not", func(t *testing.T) {
		const large = 1 << (paperBits + 1)
		check.Near(t, "sum", ShortSum(ones(4096, large), ones(4096, 1), paperBits, nC), large+31*128, 0)
	})
	t.Run("promoted after each product nothing is lost but the rest of that one", func(t *testing.T) {
		a := []float64{1, 1 + 0x1p-14, 1 + 0x1p-15}
		check.Near(t, "sum", ShortSum(a, []float64{1, 1, 1}, paperBits, 1), 3+0x1p-14, 0)
	})
	t.Run("operands of different length are a mistake of the caller", func(t *testing.T) {
		check.Panics(t, "fp8: operands of a sum differ in length", func() { ShortSum(ones(2, 1), ones(3, 1), 14, 0) })
	})
}

// The paper: over K = 4096, sums of two random matrices err by up to nearly 2 % without promotion.
// Of which sums it does not say; here it is of the largest. The steps of Hopper, as recorded
// results have them, put it between 0.2 % and 6.5 %, by how far the signs of the products agree.
func TestWithoutPromotionSumsErrByPercents(t *testing.T) {
	x, w := normal(16, 4096, 1), normal(16, 4096, 2)
	positive := func(m *mat.Dense) *mat.Dense {
		var a mat.Dense
		a.Apply(func(_, _ int, v float64) float64 { return math.Abs(v) }, m)
		return &a
	}
	oneByOne := func(a, b []float64, every int) float64 { return ShortSum(a, b, paperBits, every) }
	for _, c := range []struct {
		name                  string
		a, b                  *mat.Dense
		sum                   func(a, b []float64, every int) float64
		least, most, promoted float64
	}{
		{"one by one, by some percent", x, w, oneByOne, 0.01, 0.04, 0.0003},
		{"by the steps of Hopper, where signs are mixed, by a tenth of that", x, w, hopper, 0.001, 0.004, 0.0003},
		{"by the steps of Hopper, where all are positive, by more", positive(x), positive(w), hopper, 0.05, 0.1, 0.001},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := Quantise(c.a, config(tile)).Codes, Quantise(c.b, config(tile)).Codes
			never, promoted := worst(a, b, 0, c.sum), worst(a, b, nC, c.sum)
			t.Logf("off by %.4f, promoted %.6f", never, promoted)
			if never < c.least || never > c.most || promoted > c.promoted {
				t.Errorf(
					"off by %.4f, promoted %.6f, want %v to %v and %v", never, promoted, c.least, c.most, c.promoted,
				)
			}
		})
	}
}

// hopper sums as the tensor cores do.
func hopper(a, b []float64, every int) (c float64) {
	core, err := arithmetic.F32Hopper.TensorCore(e4m3, dtype.F32)
	if err != nil {
		panic(err)
	}
	return floats.Sum(core.Chain(nil, core.Row(a), core.Row(b), every))
}

// worst returns the largest error of the sums of rows of a and b, of the largest sum.
func worst(a, b *mat.Dense, every int, sum func(a, b []float64, every int) float64) float64 {
	var e, size float64
	for m := range a.RawMatrix().Rows {
		for n := range b.RawMatrix().Rows {
			x, y := a.RawRowView(m), b.RawRowView(n)
			want := floats.Dot(x, y)
			size, e = max(size, math.Abs(want)), max(e, math.Abs(sum(x, y, every)-want))
		}
	}
	return e / size
}
