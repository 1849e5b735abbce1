package moe

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// u is the unit roundoff of float64.
const u = check.U

func TestSiLU(t *testing.T) {
	t.Run("at zero it is zero", func(t *testing.T) {
		if SiLU(0) != 0 {
			t.Errorf("got %v", SiLU(0))
		}
	})
	t.Run("far right it is z, far left nothing", func(t *testing.T) {
		if SiLU(100) != 100 || SiLU(-800) != 0 {
			t.Errorf("got %v and %v", SiLU(100), SiLU(-800))
		}
	})
	t.Run("the two sides differ by z", rapid.MakeCheck(func(t *rapid.T) {
		// z σ(z) + z σ(−z) = z.
		z := rapid.Float64Range(-800, 800).Draw(t, "z")
		if got := SiLU(z) - SiLU(-z); math.Abs(got-z) > 12*u*math.Abs(z) {
			t.Errorf("silu(z) − silu(−z) = %v, z = %v", got, z)
		}
	}))
	t.Run("it is smallest at −1.2784645, where it is −0.2784645", func(t *testing.T) {
		check.Near(t, "silu", SiLU(-1.2784645427610738), -0.2784645427610738, 8*u)
	})
	t.Run("at minus infinity it is NaN, although the limit is zero", func(t *testing.T) {
		if got := SiLU(math.Inf(-1)); !math.IsNaN(got) {
			t.Errorf("got %v", got)
		}
	})
}

func TestSiLUDerivative(t *testing.T) {
	t.Run("at zero it is one half", func(t *testing.T) {
		if SiLUDerivative(0) != 0.5 {
			t.Errorf("got %v", SiLUDerivative(0))
		}
	})
	t.Run("it is the slope of SiLU", func(t *testing.T) {
		for z := -8.0; z <= 8; z += 0.25 {
			check.Near(t, "silu′", SiLUDerivative(z), fd.Derivative(SiLU, z, &fd.Settings{Formula: fd.Central}), 1e-8)
		}
	})
	t.Run("the slopes of the two sides add to one", rapid.MakeCheck(func(t *rapid.T) {
		// From silu(z) − silu(−z) = z.
		z := rapid.Float64Range(-700, 700).Draw(t, "z")
		if sum := SiLUDerivative(z) + SiLUDerivative(-z); math.Abs(sum-1) > 32*u {
			t.Errorf("silu′(%v) + silu′(%v) = %v", z, -z, sum)
		}
	}))
	t.Run("it vanishes at the minimum", func(t *testing.T) {
		check.Near(t, "silu′", SiLUDerivative(-1.2784645427610738), 0, 8*u)
	})
}

func TestSwiGLU(t *testing.T) {
	const d, f = 5, 7
	x, w1, w3, w2 := network(d, f, 1)
	y := SwiGLU(x, w1, w3, w2)
	zero := mat.NewDense(f, d, nil)

	t.Run("one unit, by hand", func(t *testing.T) {
		// silu(2·3)·(5·3)·7 = 6σ(6)·105.
		one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
		check.Near(t, "y", SwiGLU([]float64{3}, one(2), one(5), one(7))[0], 6*105/(1+math.Exp(-6)), 630*8*u)
	})
	t.Run("a shut gate gives zero, exactly", func(t *testing.T) {
		// silu(0) = 0.
		check.NearAll(t, "y", SwiGLU(x, zero, w3, w2), make([]float64, d), 0)
	})
	t.Run("without anything behind the gate it gives zero, exactly", func(t *testing.T) {
		check.NearAll(t, "y", SwiGLU(x, w1, zero, w2), make([]float64, d), 0)
	})
	t.Run("a wide open gate is its own value: y = W2 (W1 x ⊙ W3 x)", func(t *testing.T) {
		// With W1 x ≥ 40, σ is 1 in float64.
		ones, open := make([]float64, d), mat.NewDense(f, d, nil)
		for k := range ones {
			ones[k] = 1
		}
		open.Apply(func(_, _ int, _ float64) float64 { return 8 }, open)
		h := times(w3, ones)
		floats.Scale(40, h)
		check.NearAll(t, "y", SwiGLU(ones, open, w3, w2), times(w2, h), 400*float64(d+f)*u)
	})
	t.Run("it is linear in what passes the gate", func(t *testing.T) {
		var w3Twice mat.Dense
		w3Twice.Scale(2, w3)
		check.NearAll(t, "y", SwiGLU(x, w1, &w3Twice, w2), floats.ScaleTo(make([]float64, d), 2, y), 0)
	})
	t.Run("inner units are a set: another order changes nothing", func(t *testing.T) {
		// Rows of W1 and W3 and columns of W2 move together; W2's sum of f terms below 1 is added
		// in another order.
		r1, r3, r2 := mat.NewDense(f, d, nil), mat.NewDense(f, d, nil), mat.NewDense(d, f, nil)
		for i := range f {
			r1.SetRow(i, mat.Row(nil, f-1-i, w1))
			r3.SetRow(i, mat.Row(nil, f-1-i, w3))
			r2.SetCol(i, mat.Col(nil, f-1-i, w2))
		}
		check.NearAll(t, "y", SwiGLU(x, r1, r3, r2), y, sumBound(d, f))
	})
	t.Run("two networks side by side are one of twice the inner width", func(t *testing.T) {
		// So DeepSeek's code runs N_s shared experts as a single one.
		_, v1, v3, v2 := network(d, f, 2)
		var both1, both3, both2 mat.Dense
		both1.Stack(w1, v1)
		both3.Stack(w3, v3)
		both2.Augment(w2, v2)
		want := floats.AddTo(make([]float64, d), y, SwiGLU(x, v1, v3, v2))
		check.NearAll(t, "y", SwiGLU(x, &both1, &both3, &both2), want, sumBound(d, 2*f))
	})
	t.Run("gate and up are not the same: swapped they give another result", func(t *testing.T) {
		if floats.EqualApprox(SwiGLU(x, w3, w1, w2), y, 0.01) {
			t.Error("the swap is not seen")
		}
	})
	t.Run("a weight on the way in is not a weight on the way out", func(t *testing.T) {
		// Gate and up both carry the weight, so a small token goes through as its square.
		half := floats.ScaleTo(make([]float64, d), 0.5, x)
		if floats.EqualApprox(SwiGLU(half, w1, w3, w2), floats.ScaleTo(make([]float64, d), 0.5, y), 0.01) {
			t.Error("FFN(x/2) = FFN(x)/2")
		}
	})
	t.Run("shapes that do not fit are a mistake of the caller", func(t *testing.T) {
		for _, f := range []func(){
			func() { SwiGLU(x[1:], w1, w3, w2) },
			func() { SwiGLU(x, w1, w2, w2) },
			func() { SwiGLU(x, w1, w3, w3) },
			func() { SwiGLUBackward(x, w1, w3, w2, x[1:]) },
		} {
			check.Panics(t, badShape, f)
		}
	})
}

func TestSwiGLUBackward(t *testing.T) {
	const d, f = 4, 6
	x, w1, w3, w2 := network(d, f, 3)
	dy := check.Random(4, d, 1)
	y := SwiGLU(x, w1, w3, w2)
	dx, dw1, dw3, dw2 := SwiGLUBackward(x, w1, w3, w2, dy)

	t.Run("it is the slope of SwiGLU", func(t *testing.T) {
		// All of x, W1, W3 and W2 in one vector. Central differences of a smooth function of size
		// 1: h² + u/h ≈ 10⁻¹⁰.
		loss := func(p []float64) float64 {
			w := p[d:]
			return floats.Dot(
				dy,
				SwiGLU(
					p[:d], mat.NewDense(f, d, w[:d*f]), mat.NewDense(f, d, w[d*f:2*d*f]), mat.NewDense(d, f, w[2*d*f:]),
				),
			)
		}
		at := slices.Concat(x, w1.RawMatrix().Data, w3.RawMatrix().Data, w2.RawMatrix().Data)
		got := slices.Concat(dx, dw1.RawMatrix().Data, dw3.RawMatrix().Data, dw2.RawMatrix().Data)
		check.NearAll(t, "gradient", got, fd.Gradient(nil, loss, at, &fd.Settings{Formula: fd.Central}), 1e-8)
	})
	t.Run("there are 3 d f parameters to learn", func(t *testing.T) {
		if got := len(slices.Concat(dw1.RawMatrix().Data, dw3.RawMatrix().Data, dw2.RawMatrix().Data)); got != 3*d*f {
			t.Errorf("got %d, want %d", got, 3*d*f)
		}
	})
	t.Run("what the network is linear in, W2 and W3, gives the loss back", func(t *testing.T) {
		// Euler: Σ W2 ⊙ dW2 = Σ W3 ⊙ dW3 = dy·y, sums of d f terms below 1.
		want := floats.Dot(dy, y)
		check.Near(t, "W2", floats.Dot(w2.RawMatrix().Data, dw2.RawMatrix().Data), want, d*sumBound(d, f))
		check.Near(t, "W3", floats.Dot(w3.RawMatrix().Data, dw3.RawMatrix().Data), want, d*sumBound(d, f))
	})
	t.Run("behind a shut gate the gate alone still learns", func(t *testing.T) {
		// silu(0) = 0 stops dW2, dW3 and, with W1 = 0, dx; silu′(0) = ½ leaves dW1 = ½ (W2ᵀdy ⊙ W3
		// x) xᵀ.
		dx, dw1, dw3, dw2 := SwiGLUBackward(x, mat.NewDense(f, d, nil), w3, w2, dy)
		stopped := slices.Concat(dx, dw3.RawMatrix().Data, dw2.RawMatrix().Data)
		check.NearAll(t, "dx, dW3, dW2", stopped, make([]float64, len(stopped)), 0)
		da := floats.MulTo(make([]float64, f), times(w2.T(), dy), times(w3, x))
		floats.Scale(0.5, da)
		check.NearAll(t, "dW1", dw1.RawMatrix().Data, outer(da, x).RawMatrix().Data, 4*u)
	})
	t.Run("where the token is zero nothing is learnt from it", func(t *testing.T) {
		dx, dw1, dw3, dw2 := SwiGLUBackward(make([]float64, d), w1, w3, w2, dy)
		all := slices.Concat(dx, dw1.RawMatrix().Data, dw3.RawMatrix().Data, dw2.RawMatrix().Data)
		check.NearAll(t, "gradient", all, make([]float64, len(all)), 0)
	})
}

// sumBound bounds what two orders of the sums in SwiGLU may differ by: inputs in [−1, 1], so |W x|
// ≤ d and each of f terms ≤ d².
func sumBound(d, f int) float64 { return float64(2*(d+f+8)*d*d*f) * u }

// network returns a token and weights in [−1, 1).
func network(d, f int, seed uint64) (x []float64, w1, w3, w2 *mat.Dense) {
	w := func(r, c int, seed uint64) *mat.Dense { return mat.NewDense(r, c, check.Random(seed, r*c, 1)) }
	return check.Random(seed, d, 1), w(f, d, seed+10), w(f, d, seed+20), w(d, f, seed+30)
}

func TestShapes(t *testing.T) {
	m := func(r, c int) *mat.Dense { return mat.NewDense(r, c, nil) }
	x, dy := make([]float64, 3), make([]float64, 3)
	for name, c := range map[string][3]*mat.Dense{
		"w1 for another token":   {m(4, 2), m(4, 3), m(3, 4)},
		"w3 for another token":   {m(4, 3), m(4, 2), m(3, 4)},
		"both for another token": {m(4, 2), m(4, 2), m(3, 4)},
		"w3 of another width":    {m(4, 3), m(5, 3), m(3, 4)},
		"w2 of another width":    {m(4, 3), m(4, 3), m(3, 5)},
	} {
		for way, f := range map[string]func(){
			"forward":  func() { SwiGLU(x, c[0], c[1], c[2]) },
			"backward": func() { SwiGLUBackward(x, c[0], c[1], c[2], dy) },
		} {
			t.Run("weights that do not fit are refused: "+name+", "+way, func(t *testing.T) {
				check.Panics(t, badShape, f)
			})
		}
	}
	t.Run("so is a gradient that is not the result's", func(t *testing.T) {
		check.Panics(t, badShape, func() { SwiGLUBackward(x, m(4, 3), m(4, 3), m(3, 4), dy[1:]) })
	})
}
