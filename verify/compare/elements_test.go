package compare

import (
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// of3 returns what one side recorded of three elements whose truths are 1, 2 and 3, with the σ that
// it declares.
func of3(typ dtype.Type, sigma float64, got ...float64) values {
	e := verdict.Expected{
		Name: "y", Type: typ, Axes: []string{"row"}, Truth: tensor.Of([]float64{1, 2, 3}, 3),
		Sigma: []float64{sigma, sigma, sigma},
	}
	return values{typ: typ, got: tensor.Of(got, 3), expect: e, settled: e}
}

func TestElements(t *testing.T) {
	// d = 2σ in every element, each side erring by σ alone, as float64 rounds nearly nothing:
	// w = 2σ/√(σ² + σ²) = √2.
	t.Run("errors of one σ in opposite directions have an rms of √2", func(t *testing.T) {
		const sigma = 0x1p-10
		a, b := of3(dtype.F64, sigma, 1+sigma, 2-sigma, 3+sigma), of3(dtype.F64, sigma, 1-sigma, 2+sigma, 3-sigma)
		o := elements(a, b)
		check.Near(t, "rms", o.RMS, math.Sqrt2, 8*check.U)
		if o.Differ != 3 {
			t.Errorf("%d differ", o.Differ)
		}
	})
	// s_a = 3, s_b = 4, d = 5 in one of three elements: w = 5/5 there, rms = √(1/3).
	t.Run("deviations of two declarations add as squares", func(t *testing.T) {
		o := elements(of3(dtype.F64, 3, 1, 2, 8), of3(dtype.F64, 4, 1, 2, 3))
		check.Near(t, "rms", o.RMS, math.Sqrt(1.0/3), 8*check.U)
	})
	t.Run("steps are spacings at the larger number, and a neighbour across a power of two is one", func(t *testing.T) {
		below := 2 - dtype.BF16.Spacing(1.9)
		o := elements(of3(dtype.BF16, 1, 1, below, 3), of3(dtype.BF16, 1, 1, 2, 3))
		if o.Differ != 1 || o.Steps != 1 || o.First.Index[0] != 1 || o.First.Got != below || o.First.Against != 2 {
			t.Errorf("%+v", o)
		}
		if o := elements(of3(dtype.BF16, 1, 1, 2, 3), of3(dtype.BF16, 1, 1, 2, 3+3*0x1p-6)); o.Steps != 3 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("zeros of two signs differ, and NaN does not differ from NaN", func(t *testing.T) {
		nan, zero := math.NaN(), math.Copysign(0, -1)
		other := math.Float64frombits(math.Float64bits(nan) ^ 1<<40)
		o := elements(of3(dtype.F32, 1, nan, zero, 3), of3(dtype.F32, 1, other, 0, 3))
		if o.Differ != 1 || o.Steps != 1 || o.First.Index[0] != 1 {
			t.Errorf("%+v", o)
		}
		o = elements(of3(dtype.F32, 1, nan, 2, 3), of3(dtype.F32, 1, 1, 2, 3))
		if !math.IsInf(o.Steps, 1) || o.RMS != 0 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("an element that two have decided otherwise is counted and not scored", func(t *testing.T) {
		a, b := of3(dtype.F64, 0x1p-10, 1, 2, 7), of3(dtype.F64, 0x1p-10, 1, 2, 3)
		a.settled.Truth = tensor.Of([]float64{1, 2, 7}, 3)
		if o := elements(a, b); o.Decided != 1 || o.RMS != 0 || o.Differ != 1 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("where nothing may err there is no score", func(t *testing.T) {
		if o := elements(of3(dtype.F32, 0, 1, 2, 3), of3(dtype.F32, 0, 1, 2, 4)); o.Differ != 1 || o.RMS != 0 {
			t.Errorf("%+v", o)
		}
	})
}
