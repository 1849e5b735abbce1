package ppo_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/ppo"
)

func TestWhiten(t *testing.T) {
	// Mean 2, sample variance ((−1)² + 1²)/(2−1) = 2; the population's would be 1.
	t.Run("1 and 3 become minus and plus 1/√2", func(t *testing.T) {
		w := ppo.Whiten(check.Matrix([]float64{1, 3}), check.Matrix([]float64{1, 1}))
		want := 1 / math.Sqrt(2+1e-8)
		check.NearAll(t, "Â", w.RawRowView(0), []float64{-want, want}, 2*u)
	})
	// Their variance is σ²/(σ² + 1e-8).
	t.Run("the mean becomes 0 and the sample variance 1, but for the 10⁻⁸", rapid.MakeCheck(func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		x := floatsOf(t, "Â", n, 8)
		ones := make([]float64, n)
		for i := range ones {
			ones[i] = 1
		}
		before := stat.Variance(x, nil)
		w := ppo.Whiten(check.Matrix(x), check.Matrix(ones)).RawRowView(0)
		mean, variance := stat.MeanVariance(w, nil)
		scale := 1 / math.Sqrt(before+1e-8)
		check.Near(t, "mean", mean, 0, float64(n)*8*scale*4*u)
		check.Near(t, "variance", variance, before/(before+1e-8), 1e3*u+float64(n)*8*scale*8*u)
	}))
	t.Run("the statistics are those of the whole batch's mask, whatever lies outside", func(t *testing.T) {
		w := ppo.Whiten(
			check.Matrix([]float64{1, nan, 3}, []float64{inf, 5, 7}),
			check.Matrix([]float64{1, 0, 1}, []float64{0, 1, 1}),
		)
		want := ppo.Whiten(check.Matrix([]float64{1, 3, 5, 7}), check.Matrix([]float64{1, 1, 1, 1})).RawRowView(0)
		check.NearAll(t, "Â", w.RawMatrix().Data, []float64{want[0], 0, want[1], 0, want[2], want[3]}, 0)
	})
	t.Run("outputs of one token each are a batch like any other", func(t *testing.T) {
		w := ppo.Whiten(check.Matrix([]float64{1}, []float64{3}), check.Matrix([]float64{1}, []float64{1}))
		check.NearAll(t, "Â", w.RawMatrix().Data,
			ppo.Whiten(check.Matrix([]float64{1, 3}), check.Matrix([]float64{1, 1})).RawRowView(0), 0)
	})
	t.Run("row by row, or with the padding, it would be something else", func(t *testing.T) {
		x, mask := check.Matrix(
			[]float64{1, 3, 0}, []float64{5, 7, 0},
		), check.Matrix([]float64{1, 1, 0}, []float64{1, 1, 0})
		whole := ppo.Whiten(x, mask)
		row := ppo.Whiten(x.Slice(0, 1, 0, 3), mask.Slice(0, 1, 0, 3))
		padded := ppo.Whiten(x, check.Matrix([]float64{1, 1, 1}, []float64{1, 1, 1}))
		for _, wrong := range []*mat.Dense{row, padded} {
			if d := math.Abs(whole.At(0, 0) - wrong.At(0, 0)); d < 0.1 {
				t.Errorf("only %v apart", d)
			}
		}
	})
	t.Run("moving and scaling all advantages changes nothing that 10⁻⁸ does not", func(t *testing.T) {
		x, ones := []float64{1, -2, 4, 0.5}, check.Matrix([]float64{1, 1, 1, 1})
		moved := []float64{}
		for _, v := range x {
			moved = append(moved, 3*v+7)
		}
		check.NearAll(t, "Â", ppo.Whiten(check.Matrix(moved), ones).RawRowView(0),
			ppo.Whiten(check.Matrix(x), ones).RawRowView(0), 1e-8)
	})
	// Differences from 2⁵² are exact. In E[Â²] − E[Â]² none of them would be left, and the mean
	// itself has an ulp of 1 there. 0, 1 and 5 have mean 2, variance (4 + 1 + 9)/2 = 7.
	t.Run("a mean that is large beside the deviation costs no digits", func(t *testing.T) {
		for _, far := range []float64{0, 0x1p26, 0x1p40, 0x1p52, -0x1p52} {
			w := ppo.Whiten(check.Matrix([]float64{far, far + 1, far + 5}), check.Matrix([]float64{1, 1, 1}))
			scale := math.Sqrt(7 + 1e-8)
			check.NearAll(t, "Â", w.RawRowView(0), []float64{-2 / scale, -1 / scale, 3 / scale}, 8*u)
		}
	})
	t.Run("nor does a deviation whose square overflows, and one whose square vanishes is over 10⁻⁴",
		func(t *testing.T) {
			ones := check.Matrix([]float64{1, 1, 1})
			w := ppo.Whiten(check.Matrix([]float64{0, 0x1p1000, 5 * 0x1p1000}), ones)
			check.NearAll(t, "Â", w.RawRowView(0),
				[]float64{-2 / math.Sqrt(7), -1 / math.Sqrt(7), 3 / math.Sqrt(7)}, 8*u)
			w = ppo.Whiten(check.Matrix([]float64{0, 0x1p-1000, 5 * 0x1p-1000}), ones)
			check.NearAll(t, "Â", w.RawRowView(0),
				[]float64{-2 * 0x1p-1000 / 1e-4, -0x1p-1000 / 1e-4, 3 * 0x1p-1000 / 1e-4}, 8*u*0x1p-980)
		})
	t.Run("equal tokens become 0 exactly, whatever their last bits", func(t *testing.T) {
		w := ppo.Whiten(check.Matrix([]float64{0.1, 0.1, 0.1}), check.Matrix([]float64{1, 1, 1}))
		check.NearAll(t, "Â", w.RawRowView(0), []float64{0, 0, 0}, 0)
	})
	t.Run("one token, or equal ones, become 0; none stay nothing", func(t *testing.T) {
		check.NearAll(t, "one",
			ppo.Whiten(check.Matrix([]float64{5, nan}), check.Matrix([]float64{1, 0})).RawRowView(0),
			[]float64{0, 0}, 0)
		check.NearAll(t, "equal",
			ppo.Whiten(check.Matrix([]float64{5, 5}), check.Matrix([]float64{1, 1})).RawRowView(0), []float64{0, 0}, 0)
		check.NearAll(t, "none",
			ppo.Whiten(check.Matrix([]float64{5, nan}), check.Matrix([]float64{0, 0})).RawRowView(0),
			[]float64{0, 0}, 0)
		if r, c := ppo.Whiten(&mat.Dense{}, &mat.Dense{}).Dims(); r != 0 || c != 0 {
			t.Errorf("[%d %d] advantages of an empty batch", r, c)
		}
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		check.Panics(t, "ppo: shapes of the batch's matrices differ", func() {
			ppo.Whiten(check.Matrix([]float64{1, 2}), check.Matrix([]float64{1}))
		})
	})
}
