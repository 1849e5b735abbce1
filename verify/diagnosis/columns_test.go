package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// What a matrix multiplies may have a factor in each column: a weight of the recording once more,
// or one that it does not have.
func TestFactorsOfMultipliedColumns(t *testing.T) {
	const rows, wide = 24, 16
	right := given("mtp.combine", func(r *recording.Recording) {
		generate(r, "hidden", 1, rows, wide)
		generate(r, "embedding", 2, rows, wide)
		generate(r, "norm_hidden", 3, wide)
		generate(r, "norm_embedding", 4, wide)
		generate(r, "projection", 5, wide, 2*wide)
	})
	columns := func(x, by *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(x.Shape...)
		for i, v := range x.Data {
			y.Data[i] = v * by.Data[i%wide]
		}
		return y
	}
	unknown := tensor.New(wide)
	for c := range unknown.Data {
		unknown.Data[c] = 1.2 + math.Sin(float64(c*c))
	}
	wrongs{{
		"a weight twice", "the kernel takes the normalised hidden state times norm_embedding: explains everything",
		withQuantity(right, "the normalised hidden state", func(x *tensor.Tensor) *tensor.Tensor {
			return columns(x, numbersOf(right, "norm_embedding"))
		}),
	}}.check(t)
	rec := confused(right, func(r *recording.Recording) {
		r.Set("hidden", dtype.BF16, columns(numbersOf(r, "hidden"), unknown))
	})
	v, expected := op.JudgeKnown(rec, op.MaxWork)
	s, err := newSubject(rec, expected, v, Budget)
	optest.Must(err)
	s.tryColumns() // alone: what has so many numbers fitted ends no search
	const want = "the kernel takes hidden times another number in each column, 0.18 to 1.9, as of a weight"
	if len(s.explaining) == 0 || !strings.HasPrefix(s.explaining[0].Sentence, want) {
		t.Errorf("%+v, want %s", s.explaining, want)
	}
}
