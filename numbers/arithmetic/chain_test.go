package arithmetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
)

// hopper8 is the step that sums FP8 on Hopper.
func hopper8() TensorCore { return mustCore(F32Hopper, dtype.F8E4M3, dtype.F32) }

// chain returns the sums of one core's Chain.
func chain(core TensorCore, a, b []float64, every int) []float64 {
	return core.Chain(nil, core.Row(a), core.Row(b), every)
}

// equal demands the same bits, so that NaN is NaN.
func equal(t check.T, what string, got, want []float64) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestChain(t *testing.T) {
	core := hopper8()
	t.Run("a product of 2⁻¹³ stays beside 1, one of 2⁻¹⁴ is lost", func(t *testing.T) {
		equal(t, "2⁻¹³", chain(core, []float64{1, 0x1p-6}, []float64{1, 0x1p-7}, 0), []float64{1 + 0x1p-13})
		equal(t, "2⁻¹⁴", chain(core, []float64{1, 0x1p-6}, []float64{1, 0x1p-8}, 0), []float64{1})
		equal(t, "−2⁻¹⁴", chain(core, []float64{-1, 0x1p-6}, []float64{1, 0x1p-8}, 0), []float64{-1})
	})
	// 31 of them are lost in the step of the 1 and 32 in each step that begins with an accumulator
	// of 1; where the chain begins again at 0 they add up.
	t.Run("so are any number of them, until the chain begins again", func(t *testing.T) {
		a, b := repeat(0x1p-6, 256), repeat(0x1p-8, 256)
		a[0], b[0] = 1, 1
		equal(t, "never promoted", chain(core, a, b, 0), []float64{1})
		equal(t, "promoted", chain(core, a, b, 128), []float64{1, 0x1p-7})
	})
	t.Run("the low ten bits of every sum are 0", rapid.MakeCheck(func(t *rapid.T) {
		x, y := drawOperands(t, dtype.F8E4M3, 96)
		for _, s := range chain(core, x, y, 32) {
			if bits := math.Float32bits(float32(s)); float64(float32(s)) != s || bits&(1<<10-1) != 0 {
				t.Errorf("%v has the bits %032b", s, bits)
			}
		}
	}))
	t.Run("what is left over makes a shorter chain", func(t *testing.T) {
		equal(t, "sums", chain(core, repeat(1, 300), repeat(1, 300), 128), []float64{128, 128, 44})
		equal(t, "none", chain(core, nil, nil, 128), nil)
	})
	t.Run("rows of different lengths are a mistake of the caller", func(t *testing.T) {
		check.Panics(t, "arithmetic: rows differ in length", func() { chain(core, repeat(1, 8), repeat(1, 16), 0) })
	})
}

// Products of 1.125² = 81/64 = 1 + 2⁻² + 2⁻⁶, so that 32 are 40.5. The sum's exponent e sets the
// unit 2^(e−13):
//
//	e ≤ 7, the sum before a step below 256: nothing is lost, 7 steps make 283.5
//	8 ≤ e ≤ 11, below 4096: units of 2⁻⁵ to 2⁻² take 2⁻⁶ away, 40 a step, 96 steps make 4123.5
//	e = 12, below 8192: units of ½ leave 1 of a product, 32 a step
//
// K = 7168 is 224 steps, the last 121 of them 32 each: 7995.5, where 7168·81/64 = 9072.
func TestChainDriftsAsByHand(t *testing.T) {
	core, row := hopper8(), repeat(1.125, 7168)
	t.Run("without promotion an eighth is lost over the width of DeepSeek-V3", func(t *testing.T) {
		for k, want := range map[int]float64{
			7 * 32: 283.5, 8 * 32: 323.5, 103 * 32: 4123.5, 104 * 32: 4155.5, 7168: 7995.5,
		} {
			equal(t, fmt.Sprintf("K = %d", k), chain(core, row[:k], row[:k], 0), []float64{want})
		}
	})
	t.Run("promoted every 128 nothing is lost: each sum is 162", func(t *testing.T) {
		equal(t, "sums", chain(core, row, row, 128), repeat(162, 56))
	})
}

// drawOperands returns n pairs of numbers of a type: any codes, or, so that none is much larger
// than the others, what is left of them within ±1.
func drawOperands(t *rapid.T, operands dtype.Type, n int) (x, y []float64) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	small := rapid.Bool().Draw(t, "small")
	draw := func() float64 {
		for {
			v := operands.FromBits(rng.Uint64())
			if small {
				v = operands.Round(math.Remainder(v, 2))
			}
			if dtype.Finite(v) {
				return v
			}
		}
	}
	for range n {
		x, y = append(x, draw()), append(y, draw())
	}
	return x, y
}

func TestChainIsDot(t *testing.T) {
	everyCore(t, func(t *testing.T, core TensorCore, operands dtype.Type) {
		if operands == dtype.F32 {
			operands = dtype.BF16 // which TF32 holds
		}
		t.Run("bit for bit, wherever it begins again", rapid.MakeCheck(func(t *rapid.T) {
			x, y := drawOperands(t, operands, rapid.IntRange(1, 150).Draw(t, "K"))
			every := rapid.SampledFrom([]int{0, 8, 12, 32, 64, 128}).Draw(t, "every")
			var want []float64
			for start, step := 0, every; start < len(x); start += step {
				if every == 0 {
					step = len(x)
				}
				end := min(start+step, len(x))
				want = append(want, core.Dot(0, x[start:end], y[start:end]))
			}
			equal(t, "sums", chain(core, x, y, every), want)
		}))
		t.Run("with what is not finite too", func(t *testing.T) {
			x, y := repeat(1, 64), repeat(1, 64)
			x[40] = math.NaN()
			if got := chain(core, x, y, 32); got[0] != 32 || !math.IsNaN(got[1]) {
				t.Errorf("got %v, want 32 and NaN", got)
			}
		})
	})
}

// TestPromotedSum compares the second moment of what chains lose with what they do lose. It is
// never too small; short chains of positive products lose a third of it, for few bits of a product
// lie below the unit, and those of mean and scatter a seventh.
func TestPromotedSum(t *testing.T) {
	core, rng := hopper8(), rand.New(rand.NewPCG(7, 8))
	for name, draw := range map[string]func() float64{
		"zero mean": rng.NormFloat64, "all positive": rng.Float64,
		"mean and scatter": func() float64 { return 0.5 + rng.NormFloat64() },
	} {
		for _, every := range []int{128, 512} {
			t.Run(fmt.Sprintf("%s, every %d", name, every), func(t *testing.T) {
				var measured, predicted float64
				for range 40 {
					x, y, sum, squares, _ := productsOf(dtype.F8E4M3, 4096, draw)
					e := -sum
					for _, s := range chain(core, x, y, every) {
						e += s
					}
					measured, predicted = measured+e*e, predicted+core.PromotedSum(4096, every, sum, squares)
				}
				ratio := math.Sqrt(measured / predicted)
				t.Logf("measured over predicted is %.3f", ratio)
				if ratio < 0.12 || ratio > 1.15 {
					t.Errorf("measured over predicted is %.3f, want 0.12 to 1.15", ratio)
				}
			})
		}
	}
	t.Run("one chain is Sum, whatever is said of promotion", func(t *testing.T) {
		want := core.Sum(128, 100, 200)
		for _, every := range []int{0, 128, 256} {
			if got := core.PromotedSum(128, every, 100, 200); got != want || got == 0 {
				t.Errorf("every %d: got %v, want %v", every, got, want)
			}
		}
	})
	// c(m²+v) is about squares, of which the sum's mean is none: the pulls of c chains add up as
	// their variances do; equal chains add up their pulls.
	t.Run("losses of chains that share a sign add up, those of chains that do not add as variances do",
		func(t *testing.T) {
			pull, scatter := core.Loss(128, math.Sqrt(128), 128)
			check.Near(t, "apart", core.PromotedSum(1024, 128, 0, 1024), 8*(pull*pull+scatter), 1e-12*pull*pull)
			pull, scatter = core.Loss(128, 128, 128)
			check.Near(t, "together", core.PromotedSum(1024, 128, 1024, 1024), 64*pull*pull+8*scatter, 1e-9*pull*pull)
		})
}

// BenchmarkChain tells the products that one core sums in a second, in rows of the width of
// DeepSeek-V3.
func BenchmarkChain(b *testing.B) {
	core := hopper8()
	x, y, _, _, _ := productsOf(dtype.F8E4M3, 7168, rand.New(rand.NewPCG(1, 2)).NormFloat64)
	rowX, rowY, sums := core.Row(x), core.Row(y), make([]float64, 0, 56)
	for name, f := range map[string]func(){
		"Dot":                   func() { core.Dot(0, x, y) },
		"Chain, never promoted": func() { core.Chain(sums, rowX, rowY, 0) },
		"Chain, promoted":       func() { core.Chain(sums, rowX, rowY, 128) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.N)*7168/b.Elapsed().Seconds()/1e6, "Mproducts/s")
		})
	}
}
