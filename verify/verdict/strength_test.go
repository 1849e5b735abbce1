package verdict

import (
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// zeros expects n zeros in float64, σ 1, with runs that deviate as given.
func zeros(n int, runs ...[]float64) Expected {
	return Expected{
		Type: dtype.F64, Axes: []string{"element"}, Truth: tensor.New(n), Sigma: ones(n),
		Sample: &Sample{Deviations: runs, Native: make([]float64, n)},
	}
}

func filled(n int, v float64) []float64 {
	x := make([]float64, n)
	fill(x, v)
	return x
}

func TestStrength(t *testing.T) {
	const n = 16
	t.Run("n numbers that move by k deviations, and err apart, have strength k√n", func(t *testing.T) {
		// Four runs that err in elements of their own: along the move each has ±1 of one element,
		// 1/√n of a deviation, and the variance of independent errors is the least.
		var runs [][]float64
		for r := range 4 {
			run := make([]float64, n)
			run[r] = 1
			runs = append(runs, run)
		}
		e := zeros(n, runs...)
		check.Near(t, "strength", e.Strength(filled(n, 3), e.Truth.Data), 3*4, 1e-12)
	})
	t.Run("where all err together it is that of one number", func(t *testing.T) {
		// A run of ±1 throughout has ±√n along the move, with variance n·4/3 of four runs: k√n over
		// √(n·4/3) is k√¾.
		e := zeros(n, filled(n, 1), filled(n, -1), filled(n, 1), filled(n, -1))
		check.Near(t, "strength", e.Strength(filled(n, 3), e.Truth.Data), 3*math.Sqrt(0.75), 1e-12)
	})
	t.Run("of two forms it is that in which more is hidden", func(t *testing.T) {
		apart, together := zeros(n, make([]float64, n), make([]float64, n)), zeros(n, filled(n, 1), filled(n, -1))
		want := together.Strength(filled(n, 3), together.Truth.Data)
		for _, forms := range [][2]Expected{{apart, together}, {together, apart}} {
			e := forms[0]
			e.AddForm(forms[1].Sample, forms[1].Sigma)
			check.Near(t, "strength", e.Strength(filled(n, 3), e.Truth.Data), want, 1e-12)
		}
	})
}

func TestStrengthOfWhatIsRounded(t *testing.T) {
	e := zeros(2, make([]float64, 2), make([]float64, 2))
	e.Type, e.Truth.Data, e.Sigma = dtype.BF16, []float64{1, 3}, []float64{1e-9, 1e-9}
	t.Run("what is rounded away has strength 0", func(t *testing.T) {
		if s := e.Strength([]float64{1.001, 3.003}, e.Truth.Data); s != 0 {
			t.Error(s)
		}
	})
	t.Run("what is rounded up counts for the whole step", func(t *testing.T) {
		// 1.005 becomes 1 + 2⁻⁷: one step, √12 deviations. Alone it moves.
		got := e.Strength([]float64{1.005, 3}, e.Truth.Data)
		check.Near(t, "strength", got, math.Sqrt(12), 1e-6)
	})
	t.Run("numbers that are exact are not cut off; those below are, by a whole step", func(t *testing.T) {
		cut := []float64{1 - 0x1p-9, 3 - 0x1p-7}
		if s := e.StrengthOfTruncation(cut, e.Truth.Data); s != 0 {
			t.Error(s)
		}
		// the spacing below 1 is 2⁻⁸, and that of 3 is 2⁻⁶. Along (−½, −½) steps of the spacing
		// above, 2⁻⁷, the first has half a step of it, and the second a whole one.
		e.Sample.Native = []float64{-1e-9, -1e-9}
		got, d := e.StrengthOfTruncation([]float64{1 - 0x1p-8, 3 - 0x1p-7}, e.Truth.Data), math.Sqrt(3)
		check.Near(t, "strength", got, (d*d+2*d*d)/(d*math.Sqrt2), 1e-6)
	})
}

func TestStrengthOfNoise(t *testing.T) {
	const n = 4096
	rng := rand.New(rand.NewPCG(1, 7))
	runs := make([][]float64, 32)
	for r := range runs {
		runs[r] = make([]float64, n)
		for i := range runs[r] {
			runs[r][i] = rng.NormFloat64()
		}
	}
	e := zeros(n, runs...)
	t.Run("is nothing within what σ may be short by, a tenth", func(t *testing.T) {
		if s := e.StrengthOfNoise(filled(n, 0.4), e.Truth.Data); s != 0 {
			t.Error(s)
		}
	})
	t.Run("grows with the mean square, whose deviation is √(2/n)", func(t *testing.T) {
		// 31 degrees of freedom know a variance to a quarter.
		got := e.StrengthOfNoise(filled(n, 1), e.Truth.Data)
		check.Near(t, "strength", got, (1-0.21)/math.Sqrt(2.0/n), 0.4*got)
	})
}
