package arithmetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/numbers/dtype"
)

// productsOf returns n pairs of operands of a type, their exact sum of products, and that of the
// products' squares and magnitudes.
func productsOf(operands dtype.Type, n int, draw func() float64) (x, y []float64, sum, squares, magnitudes float64) {
	x, y = make([]float64, n), make([]float64, n)
	for i := range x {
		x[i], y[i] = operands.Round(draw()), operands.Round(draw())
		if operands == dtype.F32 {
			x[i], y[i] = CutTF32(x[i]), CutTF32(y[i])
		}
		product := x[i] * y[i]
		sum, squares, magnitudes = sum+product, squares+product*product, magnitudes+math.Abs(product)
	}
	return x, y, sum, squares, magnitudes
}

// measuredOverPredicted is the root mean square error of sums of n products, over the model's.
func measuredOverPredicted(
	t *testing.T, name string, core TensorCore, operands dtype.Type, n, repeats int, draw func() float64,
) float64 {
	t.Helper()
	var measured, predicted float64
	for range repeats {
		x, y, sum, squares, magnitudes := productsOf(operands, n, draw)
		e := core.Dot(0, x, y) - sum
		measured, predicted = measured+e*e/squares, predicted+core.Sum(n, sum, squares)/squares
		if core.Late == 0 && core.Result == dtype.F32 && math.Abs(e) > core.worst(n)*magnitudes {
			t.Fatalf("%s: an error of %v, at worst %v", name, e, core.worst(n)*magnitudes)
		}
	}
	return math.Sqrt(measured / predicted)
}

// TestTensorCoreSums runs dot products through the steps of every device and type, and compares the
// root mean square of the errors with the model's. One rounding errs less where terms are few, or
// exact.
func TestTensorCoreSums(t *testing.T) {
	everyCore(t, func(t *testing.T, core TensorCore, operands dtype.Type) {
		rng := rand.New(rand.NewPCG(5, 6))
		for i, draw := range []func() float64{rng.NormFloat64, rng.Float64, func() float64 {
			return 0.5 + rng.NormFloat64()
		}} {
			for _, n := range []int{16, 64, 192, 576, 4096} {
				repeats := 40
				if operands.Size() == 1 {
					repeats = 300 // few products lose anything, and those much
				}
				if n > 600 && (core.Result == dtype.F16 || operands.Size() == 1) {
					continue // sums beyond float16, and time
				}
				name := fmt.Sprintf("%s, n=%d", []string{"zero mean", "all positive", "mean and scatter"}[i], n)
				ratio := measuredOverPredicted(t, name, core, operands, n, repeats+4000/n, draw)
				t.Logf("%s: measured over predicted is %.3f", name, ratio)
				least := 0.25
				if operands.Size() == 1 {
					least = 0 // most products are exact
				}
				if ratio < least || ratio > 1.15 {
					t.Errorf("%s: measured over predicted is %.3f, want %v to 1.15", name, ratio, least)
				}
			}
		}
	})
}

// TestSumOf: products of F16 and TF32 have more bits than those of bf16, and are cut off beside
// smaller sums; FP8 has its own steps.
func TestSumOf(t *testing.T) {
	const n = 1024
	bf16 := F32Hopper.Sum(n, n, n)
	for _, c := range []struct {
		a           Accumulator
		operands    dtype.Type
		least, most float64 // of the root, in units of bf16's on Hopper
	}{
		{F32Hopper, dtype.BF16, 1, 1},
		{F32Hopper, dtype.F16, 1.3, 3},
		{F32Hopper, dtype.F32, 1.3, 4},
		{F32Hopper, dtype.F8E4M3, 1000, 20000},
		{F32Hopper, dtype.F64, 1, 1}, // no step: that of Sum
		{F32Ampere, dtype.BF16, 1, 3},
		{F32Volta, dtype.F16, 1, 8},
		{F32Blackwell, dtype.F8E5M2, 0, 1},
		{TF32, dtype.F32, 1, 8},
	} {
		ratio := math.Sqrt(c.a.SumOf(c.operands, n, n, n) / bf16)
		t.Logf("%v of %v: %.2f", c.a, c.operands, ratio)
		if ratio < c.least || ratio > c.most {
			t.Errorf("%v of %v: %.2f of bf16's on Hopper, want %v to %v", c.a, c.operands, ratio, c.least, c.most)
		}
	}
	if got, want := F32.SumOf(dtype.BF16, n, n, n), F32.Sum(n, n, n); got != want {
		t.Errorf("F32: %v, want %v", got, want)
	}
	for a := range TF32 + 1 {
		if a.SumOf(dtype.F16, 0, 0, 0) != 0 || a.Sum(16, 0, 0) != 0 {
			t.Errorf("%v: nothing errs", a)
		}
	}
}

// TestGammaOfSteps: a step loses less than an alignment unit of each term, and a unit in the last
// place of its result.
func TestGammaOfSteps(t *testing.T) {
	for a, nu := range map[Accumulator]float64{
		F32:       32 * 0x1p-24,
		F32Hopper: 2 * (17*0x1p-25 + 0x1p-23),
		F32Ampere: 4 * (9*0x1p-24 + 0x1p-23),
		F32Volta:  8 * (5*0x1p-23 + 0x1p-23),
		TF32:      8 * (5*0x1p-24 + 0x1p-23),
	} {
		if got, want := a.Gamma(32), nu/(1-nu); math.Abs(got/want-1) > 1e-12 {
			t.Errorf("%v: γ of 32 terms is %v, want %v", a, got, want)
		}
	}
}
