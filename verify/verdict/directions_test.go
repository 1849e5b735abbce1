package verdict

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// shapes are truths [2, 16, 64] with independent errors of 0.01, and a direction.
func shapes(rng *rand.Rand) (Expected, func() *tensor.Tensor) {
	truth := tensor.New(2, 16, 64)
	along, deviations := make([]float64, truth.Len()), make([][]float64, 25)
	for i := range truth.Data {
		truth.Data[i], along[i] = rng.NormFloat64(), rng.NormFloat64()
	}
	noise := func() []float64 {
		x := make([]float64, truth.Len())
		for i := range x {
			x[i] = 0.01 * rng.NormFloat64()
		}
		return x
	}
	for k := range deviations {
		deviations[k] = noise()
	}
	want := Expected{
		Name: "y", Type: dtype.F32, Axes: []string{"batch", "head", "column"}, Truth: truth,
		Directions: []Direction{{Name: "the scale of the scores", Values: along}},
	}
	want.AddForm(NewSample(deviations[1:], deviations[0], nil, truth.Data, nil, 64))
	return want, func() *tensor.Tensor {
		got := noise()
		for i, t := range truth.Data {
			got[i] += t
		}
		return tensor.Of(got, truth.Shape...)
	}
}

func TestDirections(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	want, right := shapes(rng)
	check := func(t *testing.T, got *tensor.Tensor, says string) {
		t.Helper()
		out := Judge(want, got)
		if says == "" && out.Status != Explained {
			t.Errorf("%s: %q", out.Status, out.Reasons)
		}
		if says != "" && !slices.ContainsFunc(out.Reasons, func(r string) bool { return strings.HasPrefix(r, says) }) {
			t.Errorf("%q, want one that begins %q", out.Reasons, says)
		}
	}
	t.Run("right outputs go nowhere", func(t *testing.T) {
		for range 50 {
			check(t, right(), "")
		}
	})
	t.Run("one that the op names", func(t *testing.T) {
		got := right()
		for i, v := range want.Directions[0].Values {
			got.Data[i] += 0.003 * v // a third of what an element errs by
		}
		check(t, got, "the scale of the scores is 0.3")
	})
	t.Run("a part of the next head's row", func(t *testing.T) {
		got := right()
		for i, truth := range want.Truth.Data {
			if i/64%16 < 15 {
				got.Data[i] += 0.003 * (want.Truth.Data[i+64] - truth)
			}
		}
		check(t, got, "each head is 0.3")
	})
	t.Run("away from it goes no mistake", func(t *testing.T) {
		got := right()
		for i, truth := range want.Truth.Data {
			if i/64%16 < 15 {
				got.Data[i] -= 0.0016 * (want.Truth.Data[i+64] - truth)
			}
		}
		for _, reason := range Judge(want, got).Reasons {
			if strings.Contains(reason, "to the next") {
				t.Errorf("found %q", reason)
			}
		}
	})
}

// lastHead are truths [64, 4, 1] that differ by 0.01, of which those of the last head alone are
// run, and the first, with independent errors of 0.001; and an output that errs so.
func lastHead(rng *rand.Rand) (Expected, *tensor.Tensor) {
	truth, got, elements := tensor.New(64, 4, 1), tensor.New(64, 4, 1), []int{0}
	for i := range truth.Data {
		truth.Data[i] = 10 + 0.01*rng.NormFloat64()
		got.Data[i] = truth.Data[i] + 1e-3*rng.NormFloat64()
		if i%4 == 3 {
			elements = append(elements, i)
		}
	}
	deviations := make([][]float64, 25)
	for k := range deviations {
		for range elements {
			deviations[k] = append(deviations[k], 1e-3*rng.NormFloat64())
		}
	}
	e := Expected{Name: "lse", Type: dtype.F32, Axes: []string{"batch", "head", "query"}, Truth: truth}
	e.AddForm(NewSample(deviations[1:], deviations[0], elements, truth.Data, nil, 1))
	return e, got
}

// Rows of one head have next to nothing of the way to the next: what their mean tells of it is
// worth that much.
func TestRowsBlindToADirection(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	for range 100 {
		if out := Judge(lastHead(rng)); out.Status != Explained {
			t.Errorf("%q", out.Reasons)
		}
	}
}
