package arithmetic

import (
	"math"
	"testing"

	"plumbline/numbers/dtype"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// everyCore calls f with each tensor core that is known.
func everyCore(t *testing.T, f func(t *testing.T, core TensorCore, operands dtype.Type)) {
	for a := range TF32 + 1 {
		for _, operands := range []dtype.Type{dtype.F16, dtype.BF16, dtype.F32, dtype.F8E4M3, dtype.F8E5M2} {
			for _, result := range []dtype.Type{dtype.F32, dtype.F16} {
				core, err := a.TensorCore(operands, result)
				if err != nil {
					continue
				}
				t.Run(a.String()+" "+operands.String()+" "+result.String(), func(t *testing.T) { f(t, core, operands) })
			}
		}
	}
}

// TestSpecialValues: what is not finite gives what IEEE arithmetic makes of the terms, whatever
// finite operand stands beside it.
func TestSpecialValues(t *testing.T) {
	everyCore(t, func(t *testing.T, core TensorCore, operands dtype.Type) {
		infinite := operands.Round(inf) // E4M3 has none: NaN
		tiny := operands.Spacing(0)
		for _, c := range []struct {
			name string
			acc  float64
			a, b []float64
			want float64
		}{
			{"0·∞ is NaN", 1, []float64{0}, []float64{infinite}, nan},
			{"∞·0 is NaN", 0, []float64{1, infinite}, []float64{1, 0}, nan},
			{"−0·∞ is NaN", 0, []float64{math.Copysign(0, -1)}, []float64{infinite}, nan},
			{"0·NaN is NaN", 0, []float64{0}, []float64{nan}, nan},
			{"NaN·0 is NaN", 2, []float64{nan, 1}, []float64{0, 1}, nan},
			{"∞ times the smallest number is ∞", 0, []float64{tiny}, []float64{infinite}, infinite},
			{"∞ times minus the smallest number is −∞", 0, []float64{-tiny}, []float64{infinite}, -infinite},
			{"∞·∞ is ∞", -1, []float64{infinite}, []float64{infinite}, infinite},
			{"∞ − ∞ is NaN", 0, []float64{infinite, infinite}, []float64{1, -1}, nan},
			{"a NaN accumulator stays", nan, []float64{1}, []float64{1}, nan},
			{"a NaN accumulator stays beside zeros", nan, []float64{0}, []float64{0}, nan},
			{"an infinite accumulator stays", -inf, []float64{1}, []float64{operands.Max()}, -inf},
			{"an infinite accumulator and its negative are NaN", inf, []float64{-infinite}, []float64{1}, nan},
		} {
			if got := core.Dot(c.acc, c.a, c.b); math.Float64bits(got) != math.Float64bits(c.want) &&
				!(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

// TestResultsOverflow: a sum of finite terms beyond the largest number of the result is infinite,
// and one in which they cancel is not.
func TestResultsOverflow(t *testing.T) {
	everyCore(t, func(t *testing.T, core TensorCore, operands dtype.Type) {
		big := operands.Max()
		want := 0.0
		if core.Paired {
			want = inf // its first step overflows float16, which the second cannot mend
		}
		if got := core.Dot(0, []float64{big, big, -big, -big}, []float64{big, 1, big, 1}); got != want {
			t.Errorf("terms that cancel: %v, want %v", got, want)
		}
		if got := core.Dot(0, []float64{big}, []float64{-big}); big*big > core.Result.Max() && got != -inf {
			t.Errorf("overflow: %v, want −Inf", got)
		}
	})
	t.Run("products beyond float32", func(t *testing.T) {
		core := mustCore(F32Hopper, dtype.BF16, dtype.F32)
		for _, sign := range []float64{1, -1} {
			if got := core.Step(0, []float64{0x1p100}, []float64{sign * 0x1p100}); !math.IsInf(got, int(sign)) {
				t.Errorf("got %v", got)
			}
		}
		if got := core.Step(0x1p127, []float64{0x1p127}, []float64{1}); !math.IsInf(got, 1) {
			t.Errorf("2¹²⁷ + 2¹²⁷ is %v", got)
		}
		if got := core.Step(dtype.F32.Max(), []float64{0x1p50}, []float64{0x1p50}); got != dtype.F32.Max() {
			t.Errorf("the largest number and less than its last place are %v", got)
		}
	})
}

// A zero never sets the scale: in a product with the largest number, and as accumulator, it costs
// the other terms nothing.
func TestZerosCostNothing(t *testing.T) {
	core := mustCore(F32Hopper, dtype.BF16, dtype.F32)
	if got := core.Step(0, []float64{0, 0x1p-20}, []float64{0x1p127, 0x1p-20}); got != 0x1p-40 {
		t.Errorf("beside 0·2¹²⁷: %v, want 2⁻⁴⁰", got)
	}
}
