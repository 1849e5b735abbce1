package evidence

import (
	"math"
	"slices"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// pair is an output of an op whose inputs are of the same type.
func pair(opName, output string, t dtype.Type, got, truth []float64) *Pair {
	call := recording.New(opName)
	for _, name := range []string{"q", "a", "x"} {
		call.Set(name, t, tensor.New(1, 1))
	}
	return &Pair{Op: opName, Output: output, Type: t, Got: got, Truth: truth, Call: call}
}

// many returns n ones.
func many(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// oneOff is n numbers of which one is off by d.
func oneOff(n int, d float64) []float64 {
	x := many(n)
	x[n/2] += d
	return x
}

// aside is (1, ε) beside (1, 0): 1 − 2⟨x, y⟩/(‖x‖² + ‖y‖²) is ε²/(2 + ε²), which is d at
// ε² = 2d/(1 − d).
func aside(d float64) (got, truth []float64) {
	return []float64{1, math.Sqrt(2 * d / (1 - d))}, []float64{1, 0}
}

// edge is where a criterion's limit is met: at 1 of what make takes.
type edge struct {
	name, what string
	make       func(x float64) *Pair
}

// off is one number of many, 1, that is off by a tolerance.
func off(name, opName, output string, t dtype.Type, tolerance float64) edge {
	return edge{name, opName + " " + output + " " + t.String(), func(x float64) *Pair {
		return pair(opName, output, t, oneOff(10000, x*tolerance), many(10000))
	}}
}

// turned is two numbers of which the second is off by as much as the cosine allows.
func turned(name, opName, output string, t dtype.Type, d float64) edge {
	return edge{name, opName + " " + output + " cosine", func(x float64) *Pair {
		got, truth := aside(x * d)
		return pair(opName, output, t, got, truth)
	}}
}

// nearNothing is one number among ones that should be 0, where the absolute tolerance counts alone.
func nearNothing(name, opName, output string, t dtype.Type, tolerance float64) edge {
	return edge{name, opName + " " + output + " near 0", func(x float64) *Pair {
		got, truth := many(10000), many(10000)
		got[7], truth[7] = x*tolerance, 0
		return pair(opName, output, t, got, truth)
	}}
}

// larger is numbers of one size that are all off by the same factor 1 + δ, of which
// 1 − 2⟨x, y⟩/(‖x‖² + ‖y‖²) is δ²/((1 + δ)² + 1): that is d where (1 − d)δ² = 2dδ + 2d.
func larger(name, opName, output string, size, limit float64) edge {
	return edge{name, opName + " " + output + " cosine of all", func(x float64) *Pair {
		d := x * limit
		delta := (d + math.Sqrt(d*d+2*d*(1-d))) / (1 - d)
		return pair(
			opName, output, dtype.BF16, slices.Repeat([]float64{size * (1 + delta)}, 64),
			slices.Repeat([]float64{size}, 64),
		)
	}}
}

// meanSquareOff is one number whose NMSE, (1 − w)², is d.
func meanSquareOff(opName string, d float64) edge {
	return edge{"ggml NMSE", opName, func(x float64) *Pair {
		return pair(opName, map[string]string{"mla.decode": "o", "norm.rms": "y"}[opName], dtype.F32, many(1),
			[]float64{1 - math.Sqrt(x*d)})
	}}
}

// limits are those of criteria that hang on one number or on two.
func limits() []edge {
	const bf16, f16, f32 = dtype.BF16, dtype.F16, dtype.F32
	return []edge{
		off("torch assert_close", "norm.rms", "y", bf16, 1.6e-2+1e-5),
		off("torch assert_close", "norm.rms", "y", f16, 1e-3+1e-5),
		off("torch assert_close", "norm.rms", "y", f32, 1.3e-6+1e-5),
		off("torch assert_close", "norm.rms", "y", dtype.F64, 2e-7),
		off("allclose 1e-2", "norm.rms", "y", bf16, 2e-2),
		off("KernelBench", "norm.rms", "y", bf16, 2e-2),
		off("KernelBench", "norm.rms", "y", f32, 2e-4),
		off("gpuemu", "norm.rms", "y", bf16, 1e-2), off("gpuemu", "mla.decode", "o", bf16, 1e-1),
		off("gpuemu", "norm.rms", "y", f16, 2e-2), off("gpuemu", "mla.decode", "o", f16, 5e-2),
		off("gpuemu", "norm.rms", "y", f32, 1e-4), off("gpuemu", "mla.decode", "o", f32, 5e-2),
		off("FlashMLA", "mla.decode", "o", bf16, 2.01/128),
		off("FlashMLA", "mla.decode", "lse", bf16, 8.01/65536),
		off("FlashMLA", "attention.forward", "o", bf16, 8.01/128),
		off("cuDNN frontend", "mla.decode", "o", bf16, 8e-4+3.01/128),
		off("cuDNN frontend", "mla.decode", "lse", bf16, 2.01/65536),
		turned("vLLM cosine", "mla.decode", "o", bf16, 1e-5), turned("vLLM cosine", "mla.decode", "lse", bf16, 1e-3),
		off("SGLang MLA", "mla.decode", "o", bf16, 2e-2),
		off("flashinfer MLA", "mla.decode", "o", f16, 2e-3), off("flashinfer MLA", "mla.decode", "o", bf16, 2e-2),
		off("SGLang FP8", "fp8.gemm", "c", bf16, 1.02),
		turned("DeepGEMM calc_diff 1e-3", "fp8.gemm", "c", bf16, 1e-3),
		turned("DeepGEMM calc_diff 5e-6", "fp8.gemm", "c", f32, 5e-6),
		turned("DeepGEMM calc_diff 5e-6", "fp8.gemm", "c", bf16, 3e-5),
		off("vLLM block FP8", "fp8.gemm", "c", bf16, 10000*1e-3),
		nearNothing("FlashMLA", "mla.decode", "o", bf16, 8e-4),
		nearNothing("FlashMLA", "mla.decode", "lse", bf16, 1e-6),
		nearNothing("FlashMLA", "attention.forward", "o", bf16, 1e-3),
		larger("FlashMLA", "mla.decode", "o", 1, 5e-6), larger("FlashMLA", "mla.decode", "lse", 1e-3, 1e-7),
		larger("FlashMLA", "attention.forward", "o", 1, 7e-6),
		meanSquareOff("mla.decode", 5e-4), meanSquareOff("norm.rms", 1e-7),
		{"FlashMLA", "‖want‖² of 1e-12", func(x float64) *Pair {
			return pair("mla.decode", "o", bf16, []float64{7e-4}, []float64{math.Sqrt(x * 1e-12)})
		}},
		{"flashinfer 97 %", "zeros", func(x float64) *Pair {
			return pair("moe.experts", "y", bf16, slices.Repeat([]float64{0.05 * x}, 64), make([]float64, 64))
		}},
	}
}

// Every criterion has its own number: an output passes that is a thousandth within its limit, and
// one that is a thousandth beyond fails.
func TestEveryCriterionHasItsLimit(t *testing.T) {
	for _, e := range limits() {
		c := criterion(e.name)
		if !c.applies(e.make(1)) {
			t.Errorf("%s is not applied to %s", e.name, e.what)
		}
		if m := c.measure(e.make(0.999)); !m.Passes() {
			t.Errorf("%s, %s: fails within its limit: %v", e.name, e.what, m)
		}
		if m := c.measure(e.make(1.001)); m.Passes() {
			t.Errorf("%s, %s: passes beyond its limit: %v", e.name, e.what, m)
		}
	}
}

// passes demands what a criterion says of an output.
func passes(t *testing.T, name, what string, p *Pair, want bool) {
	t.Helper()
	if m := criterion(name).measure(p); m.Passes() != want {
		t.Errorf("%s, %s: measures %v, passes %v, want %v", name, what, m, m.Passes(), want)
	}
}

func TestWhatIsNoNumberHasToBeEqual(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.I32, dtype.F8E4M3} {
		passes(t, "torch assert_close", "equal", pair("moe.gate", "indices", typ, many(4), many(4)), true)
		passes(t, "torch assert_close", "one off", pair("moe.gate", "indices", typ, oneOff(4, 1), many(4)), false)
	}
}

// An eager kernel that is off by 2⁻⁷ allows 2⁻⁶ and for gradients 3·2⁻⁷. FlashAttention 3 adds
// twice what 1 + 0.3 − 0.3 is off by in bf16: 1.3 is 1.296875, and less 0.3 that is 0.99609375, so
// 2⁻⁷. TorchTitan adds one rounding of the truth, which is none for 1.
func TestYardsticks(t *testing.T) {
	const eager, more = 0x1p-7, 0x1p-12
	for _, c := range []struct {
		name, op, output string
		limit            float64
	}{
		{"FlashAttention 2×", "attention.forward", "o", 2 * eager},
		{"FlashAttention 2×", "attention.backward", "dq", 3 * eager},
		{"FlashAttention 3", "attention.forward", "o", 2*eager + 0x1p-7},
		{"TorchTitan 2×", "norm.rms", "y", 2 * eager},
	} {
		for d, want := range map[float64]bool{c.limit: true, c.limit + more: false} {
			p := pair(c.op, c.output, dtype.BF16, oneOff(8, d), many(8))
			if criterion(c.name).applies(p) {
				t.Errorf("%s is applied without an eager kernel", c.name)
			}
			p.Eager = oneOff(8, eager)
			passes(t, c.name, c.op, p, want)
		}
	}
	t.Run("an eager kernel that errs by a tenth decides nothing", func(t *testing.T) {
		p := pair("norm.rms", "y", dtype.BF16, oneOff(8, 5), many(8))
		for eager, want := range map[float64]bool{0.099: false, 0.101: true} {
			p.Eager = oneOff(8, eager)
			passes(t, "TorchTitan 2×", "far off", p, want)
		}
	})
}

// wrongOf is n numbers, ±1 in turn, of which so many are off by d.
func wrongOf(n, wrong int, d float64) *Pair {
	truth := make([]float64, n)
	for i := range truth {
		truth[i] = float64(1 - 2*(i%2))
	}
	got := slices.Clone(truth)
	for i := range wrong {
		got[i] += d
	}
	return pair("moe.experts", "y", dtype.BF16, got, truth)
}

// Of numbers of standard deviation 1 those count as right that are off by less than 1.5.
func TestShares(t *testing.T) {
	passes(t, "flashinfer 97 %", "3 of 100", wrongOf(100, 3, 2), true)
	passes(t, "flashinfer 97 %", "4 of 100", wrongOf(100, 4, 2), false)
	passes(t, "flashinfer 97 %", "all, by less", wrongOf(100, 100, 1.49), true)
	passes(t, "flashinfer 97 %", "all", wrongOf(100, 100, 1.51), false)
	passes(t, "flashinfer 85 %", "15 of 100", wrongOf(100, 15, 1), true)
	passes(t, "flashinfer 85 %", "16 of 100", wrongOf(100, 16, 1), false)
	passes(t, "flashinfer 85 %", "all, by 0.3", wrongOf(100, 100, 0.299), true)
	passes(t, "flashinfer 85 %", "all, by more", wrongOf(100, 100, 0.301), false)
}

// Σ (got − want)² over Σ got² is 2⁻²² for 1 + 2⁻¹¹ in the place of 1, all but a share of 2⁻¹⁰: more
// than 1e-7 and less than 5e-4. It is what the kernel gave that the error is measured by, so that a
// factor of 1000 in an output that should be 1 is off by 0.998.
func TestMeanSquareOfTheOutput(t *testing.T) {
	far := []float64{1 + 0x1p-11}
	passes(t, "ggml NMSE", "attention", pair("mla.decode", "o", dtype.F32, far, many(1)), true)
	passes(t, "ggml NMSE", "norm", pair("norm.rms", "y", dtype.F32, far, many(1)), false)
	passes(t, "ggml NMSE", "NaN", pair("norm.rms", "y", dtype.F32, []float64{math.NaN()}, many(1)), true)
	p := pair("norm.rms", "y", dtype.F32, []float64{1000}, many(1))
	if got, want := criterion("ggml NMSE").measure(p).Value, 0.998001; math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
}

// Products of n = 4 codes up to 2 and 8, with scales of 3 and 1/2, are 96 at most together. u is
// 2⁻²³, γ = 8u/(1 − 8u), and a bf16 output adds a rounding of 2⁻⁷.
func TestHipDNN(t *testing.T) {
	call := recording.New("fp8.gemm")
	call.Set("a", dtype.F8E4M3, tensor.Of([]float64{1, -2, 0, 1}, 1, 4))
	call.Set("b", dtype.F8E4M3, tensor.Of([]float64{1, 1, 8, 1}, 1, 4))
	call.Set("a_scale", dtype.F32, tensor.Of([]float64{3}, 1, 1))
	call.Set("b_scale", dtype.F32, tensor.Of([]float64{0.5}, 1, 1))
	g := 0x1p-20 / (1 - 0x1p-20)
	for typ, want := range map[dtype.Type]float64{dtype.F32: 96 * g, dtype.BF16: 96 * (g + 0x1p-7)} {
		for x, within := range map[float64]bool{0.999: true, 1.001: false} {
			p := &Pair{Op: "fp8.gemm", Type: typ, Got: []float64{2 + x*3*want}, Truth: []float64{2}, Call: call}
			passes(t, "hipDNN γ", typ.String(), p, within)
		}
	}
	t.Run("from 2nu = 0.01 on the bound grows with the root", func(t *testing.T) {
		const u = 0x1p-7
		if got := gamma(1, u/4); got != u/2/(1-u/2) {
			t.Errorf("γ %v below", got)
		}
		if got := gamma(8, u); got != 24*u { // 6·√16
			t.Errorf("γ %v above", got)
		}
		if below, above := gamma(1, 0.0049), gamma(1, 0.0051); below != 0.0098/0.9902 || above < 6*0.0051 {
			t.Errorf("γ %v just below, %v just above", below, above)
		}
	})
}

// Codes of the second of two matrices, in its second block of K and its second block of rows.
func TestDequantisedCodesHaveTheirOwnScale(t *testing.T) {
	codes, scales := tensor.New(2, 129, 130), tensor.New(2, 2, 2)
	for i := range scales.Data {
		scales.Data[i] = math.Ldexp(1, i)
	}
	at := codes.Index(1, 128, 129)
	codes.Data[at] = 3
	if got, want := dequantised(codes, scales)[at], 3*scales.Data[scales.Index(1, 1, 1)]; got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatIsNotFinite(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct{ x, y, want float64 }{
		{inf, inf, 0}, {nan, nan, 0}, {inf, -inf, inf}, {nan, 1, inf}, {1, nan, inf}, {1, -2, 3},
	} {
		if got := distance(c.x, c.y); got != c.want {
			t.Errorf("distance(%v, %v) = %v, want %v", c.x, c.y, got, c.want)
		}
	}
	for _, c := range Criteria() {
		p := pair("mla.decode", "o", dtype.BF16, []float64{nan, 1}, many(2))
		if p.Eager = many(2); c.applies(p) && c.measure(p).Passes() {
			t.Errorf("%s passes NaN", c.Name)
		}
	}
}

func TestEveryCriterionSaysWhereItComesFrom(t *testing.T) {
	for _, c := range Criteria() {
		if c.Name == "" || c.Source == "" || c.On == "" {
			t.Errorf("%+v", c)
		}
	}
}
