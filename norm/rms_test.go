package norm

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// u is the unit roundoff of float64.
const u = 0x1p-53

// rounding bounds, relative, what RMS rounds for a row of d: d squares and sums, a mean, ε, a root,
// a quotient, two products.
func rounding(d int) float64 { return float64(d+8) * u }

func TestRMS(t *testing.T) {
	const d = 16
	x, w := vector(d, 1), vector(d, 2)

	t.Run("three and four, by hand", func(t *testing.T) {
		// mean(9, 16) = 12.5.
		nearAll(t, "y", RMS([]float64{3, 4}, ones(2), 0),
			[]float64{3 / math.Sqrt(12.5), 4 / math.Sqrt(12.5)}, rounding(2)*2)
	})
	t.Run("without weight and ε the root mean square of the result is one", func(t *testing.T) {
		y := RMS(x, ones(d), 0)
		near(t, "RMS(y)", math.Sqrt(floats.Dot(y, y)/d), 1, 2*rounding(d))
	})
	t.Run("the length of a row does not matter", rapid.MakeCheck(func(t *rapid.T) {
		// Without ε; the length divides out, and what is left is rounding, twice.
		c := rapid.Float64Range(1e-6, 1e6).Draw(t, "c")
		longer := RMS(floats.ScaleTo(make([]float64, d), c, x), w, 0)
		if want := RMS(x, w, 0); !floats.EqualFunc(longer, want, within(2*rounding(d))) {
			t.Errorf("RMS(%v x) = %v, RMS(x) = %v", c, longer, want)
		}
	}))
	t.Run("not a bit changes when the length doubles", func(t *testing.T) {
		if !floats.Equal(RMS(floats.ScaleTo(make([]float64, d), 2, x), w, 0), RMS(x, w, 0)) {
			t.Error("RMS(2x) ≠ RMS(x)")
		}
	})
	t.Run("the direction matters: the negative row gives the negative result", func(t *testing.T) {
		minus := RMS(floats.ScaleTo(make([]float64, d), -1, x), w, 1e-6)
		if floats.Scale(-1, minus); !floats.Equal(minus, RMS(x, w, 1e-6)) {
			t.Error("RMS(−x) ≠ −RMS(x)")
		}
	})
	t.Run("once normalised, normalising changes nothing", func(t *testing.T) {
		y := RMS(x, ones(d), 0)
		nearAll(t, "RMS(RMS(x))", RMS(y, ones(d), 0), y, 4*rounding(d))
	})
	t.Run("a row of zeros gives zeros, because ε is not zero", func(t *testing.T) {
		for _, y := range RMS(make([]float64, d), w, 1e-6) {
			if y != 0 {
				t.Errorf("got %v", y)
			}
		}
		for _, y := range RMS(make([]float64, d), w, 0) {
			if !math.IsNaN(y) {
				t.Errorf("with ε = 0: got %v, want 0/0", y)
			}
		}
	})
	t.Run("a constant row gives the weight", func(t *testing.T) {
		// mean(c²) = c², all exact for c = 4 and d = 16.
		x := make([]float64, d)
		floats.AddConst(4, x)
		if !floats.Equal(RMS(x, w, 0), w) {
			t.Errorf("got %v, want %v", RMS(x, w, 0), w)
		}
	})
	t.Run("of one element only the sign is left", func(t *testing.T) {
		near(t, "y", RMS([]float64{-0.3}, []float64{5}, 0)[0], -5, 5*rounding(1))
	})
	t.Run("ε counts beside the mean square, not beside its root", func(t *testing.T) {
		// x² = ε: y = x/√(2ε) = 1/√2, where ε added to the root would give 1/(1+√ε) ≈ 1.
		near(t, "y", RMS([]float64{1e-3}, ones(1), 1e-6)[0], 1/math.Sqrt2, rounding(1))
	})
	t.Run("a row far below √ε is divided by √ε alone", func(t *testing.T) {
		near(t, "y", RMS([]float64{1e-20}, ones(1), 1e-6)[0]*1e17, 1, 2*rounding(1))
	})
	t.Run("another ε is seen in small rows, hardly in large ones", func(t *testing.T) {
		// The quotient is √((m+10⁻⁵)/(m+10⁻⁶)) for mean square m: √5.5 at m = 10⁻⁶, 1 + 4.5·10⁻⁶ at
		// m = 1.
		for _, c := range []struct{ x, want float64 }{{1e-3, math.Sqrt(5.5)}, {1, math.Sqrt(1.00001 / 1.000001)}} {
			one, ten := RMS([]float64{c.x}, ones(1), 1e-6), RMS([]float64{c.x}, ones(1), 1e-5)
			near(t, "quotient", one[0]/ten[0], c.want, 4*rounding(1)*c.want)
		}
	})
	t.Run("no mean is subtracted: a shifted row is another row", func(t *testing.T) {
		shifted := append([]float64(nil), x...)
		floats.AddConst(1, shifted)
		if floats.EqualApprox(RMS(shifted, ones(d), 0), RMS(x, ones(d), 0), 0.1) {
			t.Error("a shift is not seen")
		}
	})
	t.Run("rows and weights of different length are a mistake of the caller", func(t *testing.T) {
		defer func() {
			if got := recover(); got != badShape {
				t.Errorf("panic: %v", got)
			}
		}()
		RMS(x, w[1:], 0)
	})
}

func TestRMSBackward(t *testing.T) {
	const d = 8
	x, w, dy := vector(d, 3), vector(d, 4), vector(d, 5)

	t.Run("it is the slope of RMS", func(t *testing.T) {
		// Central differences of a smooth function of size 1: h² + u/h ≈ 10⁻¹⁰ for the h ≈ 6·10⁻⁶
		// of fd.
		for _, eps := range []float64{0, 1e-6, 0.5} {
			dx, dw := RMSBackward(x, w, dy, eps)
			settings := &fd.Settings{Formula: fd.Central}
			byX := fd.Gradient(nil, func(x []float64) float64 { return floats.Dot(dy, RMS(x, w, eps)) }, x, settings)
			byW := fd.Gradient(nil, func(w []float64) float64 { return floats.Dot(dy, RMS(x, w, eps)) }, w, settings)
			nearAll(t, "dx", dx, byX, 1e-8)
			nearAll(t, "dw", dw, byW, 1e-8)
		}
	})
	t.Run("without ε the gradient is orthogonal to the row, for any weight", func(t *testing.T) {
		// The length of x does not matter to y, so it does not matter to the loss.
		for _, weight := range [][]float64{ones(d), w} {
			dx, _ := RMSBackward(x, weight, dy, 0)
			near(t, "x·dx", floats.Dot(x, dx), 0, 8*rounding(d)*floats.Norm(x, 2)*floats.Norm(dx, 2))
		}
	})
	t.Run("with ε the gradient along the row is ε r³ Σ w dy x", func(t *testing.T) {
		// x·dx = r A − r³ mean(x²) A with A = Σ w dy x, and mean(x²) = 1/r² − ε.
		const eps = 0.5
		dx, _ := RMSBackward(x, w, dy, eps)
		r := 1 / math.Sqrt(floats.Dot(x, x)/d+eps)
		var a float64
		for i := range x {
			a += w[i] * dy[i] * x[i]
		}
		near(t, "x·dx", floats.Dot(x, dx), eps*r*r*r*a, 8*rounding(d)*floats.Norm(x, 2)*floats.Norm(dy, 2))
	})
	t.Run("at a row of zeros it is w dy/√ε", func(t *testing.T) {
		dx, dw := RMSBackward(make([]float64, d), w, dy, 1e-6)
		for i := range dx {
			near(t, "dx", dx[i], w[i]*dy[i]*1e3, 1e3*rounding(d))
			near(t, "dw", dw[i], 0, 0)
		}
	})
	t.Run("weights learn in proportion to what they weigh", func(t *testing.T) {
		// y = w ⊙ y₁, so dw = dy ⊙ y₁ with y₁ the result at w = 1.
		_, dw := RMSBackward(x, w, dy, 1e-6)
		nearAll(t, "dw", dw, floats.MulTo(make([]float64, d), dy, RMS(x, ones(d), 1e-6)), 4*u*math.Sqrt(d))
	})
	t.Run("of one element nothing is left to learn from", func(t *testing.T) {
		// y is ±w: dx = r w dy − r³ x² w dy = 0.
		dx, _ := RMSBackward([]float64{0.25}, []float64{3}, []float64{1}, 0)
		near(t, "dx", dx[0], 0, 0)
	})
	t.Run("a gradient of another length is a mistake of the caller", func(t *testing.T) {
		defer func() {
			if got := recover(); got != badShape {
				t.Errorf("panic: %v", got)
			}
		}()
		RMSBackward(x, w, dy[1:], 0)
	})
}

func TestRMSRows(t *testing.T) {
	t.Run("each row is normalised by itself", func(t *testing.T) {
		x, w := mat.NewDense(3, 8, vector(24, 6)), vector(8, 7)
		y := RMSRows(x, w, 1e-6)
		for n := range 3 {
			if !floats.Equal(y.RawRowView(n), RMS(x.RawRowView(n), w, 1e-6)) {
				t.Errorf("row %d differs", n)
			}
		}
	})
}

// near fails unless got is within bound of want.
func near(t *testing.T, what string, got, want, bound float64) {
	t.Helper()
	if !(math.Abs(got-want) <= bound) {
		t.Errorf("%s: got %.17g, want %.17g, allowed %.3g", what, got, want, bound)
	}
}

// nearAll is near for every element.
func nearAll(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		near(t, what, got[i], want[i], bound)
	}
}

// within returns whether two numbers agree up to a relative bound.
func within(bound float64) func(a, b float64) bool {
	return func(a, b float64) bool { return math.Abs(a-b) <= bound*math.Abs(b) }
}

// vector returns d values in [−1, 1).
func vector(d int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, d)
	for i := range x {
		x[i] = 2*r.Float64() - 1
	}
	return x
}

// ones returns a weight that changes nothing.
func ones(d int) []float64 {
	w := make([]float64, d)
	floats.AddConst(1, w)
	return w
}

func TestShapes(t *testing.T) {
	refuses := func(what string, f func()) {
		t.Run("lengths that differ are refused: "+what, func(t *testing.T) {
			defer func() {
				if got := recover(); got != badShape {
					t.Errorf("panic %v, want %q", got, badShape)
				}
			}()
			f()
		})
	}
	two, three := make([]float64, 2), make([]float64, 3)
	refuses("a short weight", func() { RMS(three, two, 1) })
	refuses("a long weight", func() { RMS(two, three, 1) })
	refuses("a short weight, backward", func() { RMSBackward(three, two, three, 1) })
	refuses("a long weight, backward", func() { RMSBackward(two, three, two, 1) })
	refuses("a short gradient", func() { RMSBackward(three, three, two, 1) })
	refuses("a long gradient", func() { RMSBackward(two, two, three, 1) })
	refuses("a weight for other rows", func() { RMSRows(mat.NewDense(2, 3, nil), two, 1) })
}

// A row times 2^k has the same direction: with ε = 0 the result is the same to the bit, and dx is
// 2^−k times it.
func TestRange(t *testing.T) {
	x, w, dy := []float64{3, -1, 0.5, 2}, []float64{1, 2, -1, 0.5}, []float64{0.25, -1, 2, 1}
	want := RMS(x, w, 0)
	wantDx, wantDw := RMSBackward(x, w, dy, 0)
	t.Run("rows whose squares overflow or vanish are normalised like any other", func(t *testing.T) {
		for _, k := range []int{-1060, -700, -500, -401, -302, -301, 0, 290, 399, 500, 700, 1021} {
			far := make([]float64, len(x))
			for i := range far {
				far[i] = math.Ldexp(x[i], k)
			}
			for i, y := range RMS(far, w, 0) {
				if y != want[i] {
					t.Errorf("2^%d: y is %v, want %v", k, y, want[i])
				}
			}
			dx, dw := RMSBackward(far, w, dy, 0)
			for i := range dx {
				if dx[i] != math.Ldexp(wantDx[i], -k) || dw[i] != wantDw[i] {
					t.Errorf("2^%d: dx is %v, dw is %v, want %v and %v",
						k, dx[i], dw[i], math.Ldexp(wantDx[i], -k), wantDw[i])
				}
			}
		}
	})
	t.Run("rows far below √ε are divided by it", func(t *testing.T) {
		y := RMS([]float64{0x1p-700, -0x1p-701}, []float64{1, 1}, 0x1p-20)
		if y[0] != 0x1p-690 || y[1] != -0x1p-691 {
			t.Errorf("y is %v", y)
		}
	})
	t.Run("an infinity or a NaN is not hidden", func(t *testing.T) {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if y := RMS([]float64{1, bad}, []float64{1, 1}, 1e-6); !math.IsNaN(y[1]) {
				t.Errorf("of %v: %v", bad, y)
			}
		}
	})
}

func TestRMSRowsBackward(t *testing.T) {
	x, dy := mat.NewDense(
		2, 3, []float64{1, -2, 0.5, 3, 0.25, -1},
	), mat.NewDense(2, 3, []float64{0.5, 1, -1, 2, 0.25, -3})
	w := []float64{1, 0.5, -2}
	dx, dw := RMSRowsBackward(x, w, dy, 1e-6)
	t.Run("each row has its own gradient, and the weight the sum of all", func(t *testing.T) {
		sum := make([]float64, 3)
		for n := range 2 {
			row, dwn := RMSBackward(x.RawRowView(n), w, dy.RawRowView(n), 1e-6)
			if !floats.Equal(row, dx.RawRowView(n)) {
				t.Errorf("row %d: %v, want %v", n, dx.RawRowView(n), row)
			}
			floats.Add(sum, dwn)
		}
		if !floats.Equal(dw, sum) {
			t.Errorf("dw is %v, want %v", dw, sum)
		}
	})
	t.Run("it is the derivative of RMSRows", func(t *testing.T) {
		loss := func(x mat.Matrix, w []float64) float64 {
			var p mat.Dense
			p.MulElem(RMSRows(x, w, 1e-6), dy)
			return mat.Sum(&p)
		}
		settings := &fd.Settings{Formula: fd.Central, Step: 0x1p-17}
		wantX := fd.Gradient(nil, func(x []float64) float64 {
			return loss(mat.NewDense(2, 3, x), w)
		}, x.RawMatrix().Data, settings)
		wantW := fd.Gradient(nil, func(w []float64) float64 { return loss(x, w) }, w, settings)
		if !floats.EqualApprox(dx.RawMatrix().Data, wantX, 1e-8) || !floats.EqualApprox(dw, wantW, 1e-8) {
			t.Errorf("dx is %v, want %v; dw is %v, want %v", dx.RawMatrix().Data, wantX, dw, wantW)
		}
	})
	t.Run("a gradient of another shape is refused", func(t *testing.T) {
		for _, dy := range []*mat.Dense{
			mat.NewDense(1, 3, nil), mat.NewDense(3, 3, nil), mat.NewDense(2, 2, nil), mat.NewDense(2, 4, nil),
		} {
			func() {
				defer func() {
					if got := recover(); got != badShape {
						t.Errorf("panic %v, want %q", got, badShape)
					}
				}()
				RMSRowsBackward(x, w, dy, 1e-6)
			}()
		}
	})
}
