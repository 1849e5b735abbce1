package moe

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

func TestClamp(t *testing.T) {
	for name, c := range map[string]struct{ gate, up, wantGate, wantUp float64 }{
		"the gate is bounded above":                   {12, 3, 10, 3},
		"and not below":                               {-12, 3, -12, 3},
		"the linear part on both sides, above":        {1, 12, 1, 10},
		"and below":                                   {1, -12, 1, -10},
		"what is inside stays":                        {9, -9, 9, -9},
		"what comes to the bound is at it, both ways": {10, -10, 10, -10},
	} {
		t.Run(name, func(t *testing.T) {
			if gate, up := Clamp(c.gate, c.up, 10); gate != c.wantGate || up != c.wantUp {
				t.Errorf("got %v and %v, want %v and %v", gate, up, c.wantGate, c.wantUp)
			}
		})
	}
	t.Run("a NaN stays one", func(t *testing.T) {
		gate, up := Clamp(math.NaN(), math.NaN(), 10)
		check.NaN(t, "clamped", gate, up)
	})
}

func TestSwiGLUClamped(t *testing.T) {
	const d, f = 5, 7
	x, w1, w3, w2 := network(d, f, 5)

	t.Run("without a limit it is SwiGLU, to the bit", func(t *testing.T) {
		check.NearAll(t, "y", SwiGLUClamped(x, w1, w3, w2, math.Inf(1)), SwiGLU(x, w1, w3, w2), 0)
	})
	t.Run("a limit that nothing reaches changes nothing, to the bit", func(t *testing.T) {
		// |W x| ≤ d.
		check.NearAll(t, "y", SwiGLUClamped(x, w1, w3, w2, d), SwiGLU(x, w1, w3, w2), 0)
	})
	t.Run("limit 0 leaves nothing", func(t *testing.T) {
		// The linear part is 0.
		check.NearAll(t, "y", SwiGLUClamped(x, w1, w3, w2, 0), make([]float64, d), 0)
	})
	t.Run("one unit far beyond the limit gives silu(c) c", func(t *testing.T) {
		one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
		for _, up := range []float64{50, -50} {
			y := SwiGLUClamped([]float64{1}, one(40), one(up), one(1), 10)
			check.Near(t, "y", y[0], math.Copysign(10*SiLU(10), up), 0)
		}
	})
	t.Run("a gate far below is shut, and not moved up to −c", func(t *testing.T) {
		// silu(−40) = −40 e⁻⁴⁰, where silu(−10) = −4.5·10⁻⁴.
		one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
		y := SwiGLUClamped([]float64{1}, one(-40), one(1), one(1), 10)
		check.Near(t, "y", y[0], -40*math.Exp(-40), 1e-30)
	})
}

func TestSwiGLUClampedBackward(t *testing.T) {
	const d, f = 4, 6
	x, w1, w3, w2 := network(d, f, 6)
	dy := check.Random(7, d, 1)

	t.Run("without a limit it is SwiGLUBackward, to the bit", func(t *testing.T) {
		dx, dw1, dw3, dw2 := SwiGLUClampedBackward(x, w1, w3, w2, dy, math.Inf(1))
		ex, ew1, ew3, ew2 := SwiGLUBackward(x, w1, w3, w2, dy)
		check.NearAll(t, "dx", dx, ex, 0)
		check.NearMatrix(t, "dW1", dw1, ew1, 0)
		check.NearMatrix(t, "dW3", dw3, ew3, 0)
		check.NearMatrix(t, "dW2", dw2, ew2, 0)
	})
	t.Run("it is the slope of SwiGLUClamped where some units are beyond the limit", func(t *testing.T) {
		const limit = 0.4
		beyond := 0
		a, b := times(w1, x), times(w3, x)
		for i := range a {
			if a[i] > limit || math.Abs(b[i]) > limit {
				beyond++
			}
		}
		if beyond == 0 || beyond == f {
			t.Fatalf("%d of %d units beyond the limit", beyond, f)
		}
		loss := func(p []float64) float64 {
			w := p[d:]
			return floats.Dot(dy, SwiGLUClamped(p[:d], mat.NewDense(f, d, w[:d*f]), mat.NewDense(f, d, w[d*f:2*d*f]),
				mat.NewDense(d, f, w[2*d*f:]), limit))
		}
		dx, dw1, dw3, dw2 := SwiGLUClampedBackward(x, w1, w3, w2, dy, limit)
		at := slices.Concat(x, w1.RawMatrix().Data, w3.RawMatrix().Data, w2.RawMatrix().Data)
		got := slices.Concat(dx, dw1.RawMatrix().Data, dw3.RawMatrix().Data, dw2.RawMatrix().Data)
		check.NearAll(t, "gradient", got, check.Gradient(loss, at), check.DifferenceBound(10, 100))
	})
	t.Run("at the bound the derivative is that of the inside, beyond it there is none", func(t *testing.T) {
		// a = b = 10: db = silu(10), da = 10 silu′(10).
		one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
		_, dw1, dw3, _ := SwiGLUClampedBackward([]float64{1}, one(10), one(10), one(1), []float64{1}, 10)
		check.Near(t, "dW1", dw1.At(0, 0), 10*SiLUDerivative(10), 0)
		check.Near(t, "dW3", dw3.At(0, 0), SiLU(10), 0)
		_, dw1, dw3, _ = SwiGLUClampedBackward([]float64{1}, one(11), one(-11), one(1), []float64{1}, 10)
		check.Near(t, "dW1", dw1.At(0, 0), 0, 0)
		check.Near(t, "dW3", dw3.At(0, 0), 0, 0)
	})
}
