package verdict

import (
	"math/rand/v2"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// twoRows are truths [4, 32, 32] whose rows are copies of two in turn, with errors that copies
// share, of which 8 rows are run; and what kernels of these errors record.
func twoRows(rng *rand.Rand) (Expected, func() *tensor.Tensor) {
	const rows, columns, run = 128, 32, 8
	inTurn := func(size float64) []float64 {
		x := make([]float64, rows*columns)
		for i := range x {
			if x[i] = size * rng.NormFloat64(); i >= 2*columns {
				x[i] = x[i-2*columns]
			}
		}
		return x
	}
	truth, elements := tensor.Of(inTurn(1), 4, 32, columns), []int(nil)
	for part := range run {
		row := part*rows/run + rng.IntN(rows/run)
		for column := range columns {
			elements = append(elements, row*columns+column)
		}
	}
	deviations := make([][]float64, 25)
	for k := range deviations {
		deviations[k] = pick(inTurn(3e-4), elements)
	}
	want := Expected{Name: "o", Type: dtype.BF16, Axes: []string{"query", "head", "column"}, Truth: truth}
	want.AddForm(NewSample(deviations[1:], deviations[0], elements, truth.Data, nil, columns))
	return want, func() *tensor.Tensor {
		got := inTurn(3e-4)
		for i, t := range truth.Data {
			got[i] = want.Type.Round(t + got[i])
		}
		return tensor.Of(got, truth.Shape...)
	}
}

// The errors of copies are no independent errors, however many there are.
func TestCopiesOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 15))
	for range 20 {
		want, right := twoRows(rng)
		if out := Judge(want, right()); out.Status != Explained {
			t.Errorf("right: %q", out.Reasons)
		}
		wrong := right()
		for i := range wrong.Data[:4*32] { // what copies are wrong in is not lost among them
			wrong.Data[i] = want.Type.Round(1.02 * wrong.Data[i])
		}
		if out := Judge(want, wrong); out.Status != Unexplained {
			t.Error("four rows that are 2 % too large are explained")
		}
	}
}

func TestSharesOfCopies(t *testing.T) {
	sizes, half := sizes([]float64{1, 2, -1, 3, 1, 4, 2, 2}), func(i int) int { return i / 4 }
	for i, want := range []float64{1. / 3, 1. / 3, 1. / 3, 1, 1. / 3, 1, 1. / 3, 1. / 3} {
		if got := shares(sizes, nil, nil)[i]; got != want {
			t.Errorf("number %d of all: %v, want %v", i, got, want)
		}
	}
	for i, want := range []float64{.5, 1, .5, 1, 1, 1, .5, .5} {
		if got := shares(sizes, nil, half)[i]; got != want {
			t.Errorf("number %d of its half: %v, want %v", i, got, want)
		}
	}
	if got := shares(sizes, []bool{true, true, false, true, false, true, false, false}, nil); got != nil {
		t.Errorf("numbers that differ: %v", got)
	}
}
