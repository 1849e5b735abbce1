package arithmetic

import (
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/numbers/dtype"
)

func TestCutTF32(t *testing.T) {
	for _, c := range [][2]float64{
		{1 + 0x1p-10, 1 + 0x1p-10}, {1 + 0x1p-11, 1}, {-1 - 0x1.8p-10, -1 - 0x1p-10}, {0, 0},
		{math.Inf(-1), math.Inf(-1)}, {0x1p-136, 0x1p-136}, {0x1p-137, 0},
	} {
		if got := CutTF32(c[0]); got != c[1] {
			t.Errorf("%v is cut to %v, want %v", c[0], got, c[1])
		}
		if IsTF32(c[0]) != (c[0] == c[1]) {
			t.Errorf("%v: IsTF32 says %v", c[0], IsTF32(c[0]))
		}
	}
}

// TestOperandError cuts the operands of sums of products to TF32, one or both of them, and compares
// with the second moment.
func TestOperandError(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	keep := func(x float64) float64 { return x }
	for i, draw := range []func() float64{rng.NormFloat64, rng.ExpFloat64} {
		for k, cut := range []func(float64) float64{CutTF32, keep} {
			name, second := []string{"zero mean", "all positive"}[i], []dtype.Type{dtype.F32, dtype.BF16}[k]
			var measured, predicted float64
			for n := 16; n < 400; n += 3 {
				var e, sum, squares float64
				for range n {
					x, y := float64(float32(draw())), second.Round(draw())
					e += CutTF32(x)*cut(y) - x*y
					sum, squares = sum+x*y, squares+x*x*y*y
				}
				apart, together := TF32.OperandError(dtype.F32, second, sum, squares)
				measured, predicted = measured+e*e/squares, predicted+(apart+together)/squares
			}
			if ratio := math.Sqrt(measured / predicted); ratio < 0.85 || ratio > 1.1 {
				t.Errorf("%s with %v: measured over predicted is %.3f, want 0.85 to 1.1", name, second, ratio)
			}
		}
	}
	t.Run("operands that TF32 holds are exact", func(t *testing.T) {
		for _, typ := range []dtype.Type{dtype.F16, dtype.BF16, dtype.F8E4M3, dtype.F8E5M2} {
			if apart, together := TF32.OperandError(typ, typ, 1, 1); apart != 0 || together != 0 {
				t.Errorf("%v: %v, %v", typ, apart, together)
			}
		}
		if apart, together := F32Hopper.OperandError(dtype.F32, dtype.F32, 1, 1); apart != 0 || together != 0 {
			t.Errorf("another accumulator: %v, %v", apart, together)
		}
	})
}
