package evidence

import (
	"math"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// expected has a truth of n zeros, in float64, which right kernels err by s in.
func expected(n int, s float64) verdict.Expected {
	e := verdict.Expected{Type: dtype.F64, Truth: tensor.New(n), Sigma: make([]float64, n)}
	for i := range e.Sigma {
		e.Sigma[i] = s
	}
	return e
}

func TestStrength(t *testing.T) {
	t.Run("n numbers that move by k deviations have strength k√n", func(t *testing.T) {
		e := expected(16, 0.5)
		m := magnitudeOf(e, tensor.Of(filled(16, 1.5), 16), e.Truth)
		if m.strength != 12 || m.moved != 16 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("an output that is exact but for its last rounding errs by ulp/√12", func(t *testing.T) {
		e := expected(1, 0)
		e.Type, e.Truth.Data[0] = dtype.BF16, 1
		m := magnitudeOf(e, tensor.Of([]float64{1 + 0x1p-7}, 1), e.Truth)
		if math.Abs(m.strength-math.Sqrt(12)) > 1e-14 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("elements that are not judged do not count", func(t *testing.T) {
		e := expected(2, 1)
		e.Unjudged = []bool{true, false}
		if m := magnitudeOf(e, tensor.Of([]float64{7, 3}, 2), e.Truth); m.strength != 3 || m.moved != 1 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("another kind of number is infinitely far, the same kind is not", func(t *testing.T) {
		e := expected(1, 1)
		nan := tensor.Of([]float64{math.NaN()}, 1)
		if m := magnitudeOf(e, nan, e.Truth); !math.IsInf(m.strength, 1) {
			t.Errorf("%+v", m)
		}
		if m := magnitudeOf(e, nan, nan); m.strength != 0 || m.moved != 0 {
			t.Errorf("%+v", m)
		}
	})
}

func filled(n int, v float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// √12 deviations of each are one unit in the last place of an output that is exact otherwise.
func TestFaintIsWhatMovesByNoMoreThanAUnitInTheLastPlace(t *testing.T) {
	for _, c := range []struct {
		each  float64
		n     int
		faint bool
	}{{3.4, 100, true}, {3.5, 100, false}, {3.5, 1, false}, {math.Inf(1), 0, false}} {
		m := magnitude{0, c.each * math.Sqrt(max(1, float64(c.n))), c.n}
		if m.faint() != c.faint {
			t.Errorf("%+v: faint is %v", c, m.faint())
		}
	}
	both := magnitude{2, 3, 1}.and(magnitude{1, 4, 2})
	if both != (magnitude{2, 5, 3}) {
		t.Errorf("two outputs together: %+v", both)
	}
}
