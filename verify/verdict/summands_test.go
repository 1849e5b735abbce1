package verdict

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// mixed is an output whose rows move along summands by directions drawn once; runs err along the
// first of them by so much.
func mixed(rng *rand.Rand, rows, summands int, along float64) (Expected, []*mat.Dense) {
	const columns, runs = 32, 40
	toward := make([]*mat.Dense, summands)
	for k := range toward {
		toward[k] = mat.NewDense(rows, columns, nil)
		toward[k].Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, toward[k])
	}
	deviations := make([][]float64, runs+1)
	for r := range deviations {
		deviations[r] = make([]float64, rows*columns)
		for row := range rows {
			together := along * rng.NormFloat64()
			for c := range columns {
				deviations[r][row*columns+c] = 1e-3 * (rng.NormFloat64() + together*toward[0].At(row, c))
			}
		}
	}
	truth := tensor.New(rows, columns)
	for i := range truth.Data {
		truth.Data[i] = 10 * rng.NormFloat64()
	}
	want := Expected{Name: "o", Type: dtype.F32, Axes: []string{"row", "column"}, Truth: truth}
	want.AddForm(NewSample(deviations[1:], deviations[0], nil, truth.Data, nil, columns))
	want.Summands = &Summands{Axes: []string{"row", "page"}, Extents: []int{rows, summands}}
	want.Summands.Each = func(f func(SummandRows)) error {
		for row := range rows {
			f(SummandRows{
				Rows: []int{row}, Lines: []int{row}, N: summands - row%summands,
				Toward: func(from, to int) *mat.Dense { return sumOfRows(toward[from:to], row) },
			})
		}
		return nil
	}
	return want, toward
}

// sumOfRows adds up one row of some matrices.
func sumOfRows(all []*mat.Dense, row int) *mat.Dense {
	_, columns := all[0].Dims()
	sum := mat.NewDense(1, columns, nil)
	for _, m := range all {
		sum.Add(sum, m.Slice(row, row+1, 0, columns))
	}
	return sum
}

// movedBy returns the truth and so much of a direction in one row, with noise.
func movedBy(rng *rand.Rand, want Expected, toward *mat.Dense, row int, by float64) *tensor.Tensor {
	got := tensor.New(want.Truth.Shape...)
	for i, v := range want.Truth.Data {
		got.Data[i] = v + 1e-3*rng.NormFloat64()
		if columns := want.Columns(); i/columns == row {
			got.Data[i] += by * toward.At(row, i%columns)
		}
	}
	return got
}

func TestSummands(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 9))
	want, toward := mixed(rng, 3, 9, 0)
	maps := drawn(want, movedBy(rng, want, toward[4], 1, -1)).Picture.Maps
	m := maps[len(maps)-1]
	t.Run("a cell has the share and the strength that it is moved by", func(t *testing.T) {
		d2 := math.Sqrt(32) / 1e-3
		if at := 9 + 4; math.Abs(m.Shares[at]+1) > 0.01 || math.Abs(m.Strengths[at]/d2+1) > 0.3 {
			t.Errorf("share %v, strength %v, want about −1 and %v", m.Shares[at], m.Strengths[at], -d2)
		}
		for at, z := range m.Strengths {
			if at/9 != 1 && math.Abs(z) > 5 {
				t.Errorf("cell %d: %v", at, z)
			}
		}
	})
	t.Run("what rows do not have is blank", func(t *testing.T) {
		if !slices.Equal(m.Counts[18:], []int{32, 32, 32, 32, 32, 32, 32, 0, 0}) || m.RMS != nil {
			t.Errorf("%v", m.Counts)
		}
	})
	t.Run("no map of rows that could not be read, and none unasked", func(t *testing.T) {
		own := want
		own.Summands = &Summands{
			Axes: want.Summands.Axes, Extents: want.Summands.Extents,
			Each: func(func(SummandRows)) error { return errors.New("broken disk") },
		}
		unasked := want
		unasked.Summands = nil
		for _, w := range []Expected{own, unasked} {
			if all := drawn(w, w.Truth).Picture.Maps; len(all) != len(maps)-1 {
				t.Errorf("%d maps, want %d", len(all), len(maps)-1)
			}
		}
	})
}

func TestSummandsThatMoveNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 9))
	want, toward := mixed(rng, 2, 4, 0)
	for _, m := range toward {
		m.Scale(1e-9, m)
	}
	for _, m := range drawn(want, movedBy(rng, want, toward[0], 0, 0)).Picture.Maps {
		if m.Strengths != nil {
			t.Errorf("%+v", m)
		}
	}
}

// TestSummandsErrTogether: where right kernels err along a summand, a strength is in units of that.
func TestSummandsErrTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	want, toward := mixed(rng, 40, 3, 2)
	got := tensor.New(want.Truth.Shape...)
	for row := range 40 {
		by := 2e-3 * rng.NormFloat64()
		for c := range want.Columns() {
			i := row*want.Columns() + c
			got.Data[i] = want.Truth.Data[i] + 1e-3*rng.NormFloat64() + by*toward[0].At(row, c)
		}
	}
	maps := drawn(want, got).Picture.Maps
	m := maps[len(maps)-1]
	var squares, n float64
	for i, z := range m.Strengths {
		if i%3 == 0 && m.Counted(i) > 0 {
			squares, n = squares+z*z, n+1
		}
	}
	if rms := math.Sqrt(squares / n); rms < 0.5 || rms > 1.6 {
		t.Errorf("rms %v of %v cells", rms, n)
	}
}
