package arithmetic

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
)

func TestRounding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	t.Run("ρ is the root mean square of roundings of numbers spread evenly over the logarithm", func(t *testing.T) {
		for _, typ := range []dtype.Type{dtype.BF16, dtype.F16, dtype.F8E4M3, dtype.F32} {
			var sum float64
			const n = 200_000
			for range n {
				x := math.Exp2(rng.Float64() * 4)
				e := (typ.Round(x) - x) / x
				sum += e * e
			}
			if got := math.Sqrt(sum/n) / Rho(typ); math.Abs(got-1) > 0.01 {
				t.Errorf("%v: measured over ρ is %.4f, want 1", typ, got)
			}
		}
	})
	t.Run("for bf16 it is 2⁻⁸/√3 · 0.736", func(t *testing.T) {
		if want := math.Ldexp(1, -8) / math.Sqrt(3) * 0.736; math.Abs(Rho(dtype.BF16)/want-1) > 1e-3 {
			t.Errorf("got %v, want %v", Rho(dtype.BF16), want)
		}
	})
	t.Run("below the smallest normal number the step is constant", func(t *testing.T) {
		step := math.Ldexp(1, -24)
		if got := Rounding(dtype.F16, 1e-6); got != step*step/12 {
			t.Errorf("got %v, want %v", got, step*step/12)
		}
	})
	t.Run("zero is exact", func(t *testing.T) {
		if got := Rounding(dtype.BF16, 0); got != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// sumInOrder adds float32 products one after the other, each rounded before it is added, and
// returns the error.
func sumInOrder(terms []float64, round dtype.Type) float64 {
	var sum, exact float64
	for _, x := range terms {
		sum = round.Round(sum + x)
		exact += x
	}
	return sum - exact
}

func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	inputs := map[string]func(i int) float64{
		"zero mean":    func(int) float64 { return rng.NormFloat64() },
		"all positive": func(int) float64 { return rng.Float64() },
		"one large": func(i int) float64 {
			return map[bool]float64{true: 60 + 80*rng.Float64(), false: rng.NormFloat64()}[i == 7]
		},
		"mean and scatter": func(int) float64 { return 0.3 + rng.NormFloat64() },
	}
	for name, draw := range inputs {
		t.Run(name+": shuffled additions err by the formula's second moment", func(t *testing.T) {
			var measured, predicted float64 // over many lengths, so that the sums spread over a binade
			for n := 100; n < 400; n += 3 {
				terms := make([]float64, n)
				var sum, squares float64
				for i := range terms {
					terms[i] = draw(i)
					sum += terms[i]
					squares += terms[i] * terms[i]
				}
				for range 40 {
					rng.Shuffle(n, func(i, j int) { terms[i], terms[j] = terms[j], terms[i] })
					e := sumInOrder(terms, dtype.F32)
					measured += e * e / squares
					predicted += F32.Sum(n, sum, squares) / squares
				}
			}
			ratio := math.Sqrt(measured / predicted)
			if ratio < 0.85 || ratio > 1.1 {
				t.Errorf("measured over predicted is %.3f, want 0.85 to 1.1", ratio)
			}
		})
	}
	t.Run("equal terms round alike", func(t *testing.T) {
		var measured, predicted float64
		for n := 200; n < 1200; n += 7 {
			terms := make([]float64, n)
			x := float64(float32(rng.Float64()))
			for i := range terms {
				terms[i] = x
			}
			e := sumInOrder(terms, dtype.F32) / x
			measured += e * e
			predicted += F32.Sum(n, float64(n), float64(n))
		}
		if ratio := math.Sqrt(measured / predicted); ratio < 0.6 || ratio > 1.1 {
			t.Errorf("measured over predicted is %.3f, want 0.6 to 1.1", ratio)
		}
	})
	t.Run("it stays below the worst case", func(t *testing.T) {
		for n := 1; n < 5000; n *= 3 {
			if sigma := math.Sqrt(F32.Sum(n, float64(n), float64(n))); sigma > F32.Gamma(n)*float64(n) {
				t.Errorf("n=%d: σ %v above γ Σ|a| %v", n, sigma, F32.Gamma(n)*float64(n))
			}
		}
	})
	t.Run("no terms, or only zeros, have no error", func(t *testing.T) {
		if F32.Sum(0, 0, 0) != 0 || F32Hopper.Sum(16, 0, 0) != 0 || BF16.Sum(512, 0, 0) != 0 {
			t.Error("want 0")
		}
	})
	t.Run("γ is infinite where n·u reaches 1", func(t *testing.T) {
		if !math.IsInf(BF16.Gamma(256), 1) {
			t.Errorf("got %v", BF16.Gamma(256))
		}
	})
}

func TestParse(t *testing.T) {
	keys := []string{"accumulate", "probabilities", "form", "promote_every"}
	good, err := Parse(
		map[string]any{
			"accumulate": "F32_HOPPER", "probabilities": "BF16", "form": "absorbed",
			"promote_every": json.Number("128"),
		},
		Declared{}, keys,
	)
	if want := (Declared{
		Accumulate: F32Hopper, Probabilities: dtype.BF16, Form: "absorbed", PromoteEvery: 128,
	}); err != nil || good != want {
		t.Fatalf("got %+v, %v, want %+v", good, err, want)
	}
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"scores", "F32", `key "scores": this op knows accumulate`},
		{"accumulate", "FP32", `found "FP32", want one of F32, F64, F16, BF16, F32_HOPPER, `},
		{"accumulate", "FP32", `; did you mean "F32"?`},
		{"accumulate", "hopper", `; did you mean "F32_HOPPER"?`},
		{"probabilities", "torch.bfloat16", `; did you mean "BF16"?`},
		{"form", "Absorbed", `found "Absorbed", want naive or absorbed or any or stable; did you mean "absorbed"?`},
		{
			"accum", "F32",
			`key "accum": this op knows accumulate, probabilities, form, promote_every; did you mean "accumulate"?`,
		},
		{"promote_every", json.Number(strings.Repeat("1", 20000)), "..., want a whole number"},
		{strings.Repeat("k", 20000), "F32", `k…": this op knows`},
		{"accumulate", json.Number("32"), "want a string"},
		{"probabilities", "I32", `found "I32", want a floating-point type`},
		{"probabilities", "F8_E8M0", "want a floating-point type"},
		{"form", "fused", "want naive or absorbed"},
		{"promote_every", json.Number("1.5"), "want a whole number"},
		{"promote_every", json.Number("0"), "want a whole number"},
		{"promote_every", "128", "want a whole number"},
	} {
		_, err := Parse(map[string]any{c.key: c.value}, Declared{}, keys)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("%.40s = %.40v: got %v, want %q", c.key, c.value, err, c.want)
		}
	}
}

func TestAccumulatorNames(t *testing.T) {
	for _, name := range accumulatorNames {
		a, err := ParseAccumulator(name)
		if err != nil || a.String() != name {
			t.Errorf("%v is called %s, %v", name, a, err)
		}
		if device := strings.HasPrefix(name, "F32_") || name == "TF32"; a.Truncates() != device {
			t.Errorf("%v truncates: %v", a, a.Truncates())
		}
	}
	for a, want := range map[Accumulator][2]dtype.Type{
		F64: {dtype.F64, dtype.F64}, F16: {dtype.F16, dtype.F32}, BF16: {dtype.BF16, dtype.F32},
		F32Hopper: {dtype.F32, dtype.F32},
	} {
		if a.Type() != want[0] || a.Working() != want[1] {
			t.Errorf("%v: kept in %v, scalars in %v", a, a.Type(), a.Working())
		}
	}
}
