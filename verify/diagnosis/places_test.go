package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

func numbersOf(r *recording.Recording, name string) *tensor.Tensor {
	x, err := r.Tensor(name)
	optest.Must(err)
	return x
}

// rotated is a right recording of 48 tokens in order.
func rotated() *recording.Recording {
	return given("rope.apply", func(r *recording.Recording) {
		generate(r, "x", 1, 48, 2, 16)
		positions := tensor.New(48)
		for i := range positions.Data {
			positions.Data[i] = float64(i)
		}
		r.Set("positions", dtype.I32, positions)
	})
}

// picked is a right recording of the log-probabilities of 48 tokens, each another one.
func picked() *recording.Recording {
	return given("policy.logprob", func(r *recording.Recording) {
		generate(r, "logits", 1, 48, 48)
		r.Set("tokens", dtype.I32, numbersOf(rotated(), "positions"))
	})
}

// Whole numbers may stop where a table ends, at any number. What is rotated by 0 is not rotated.
func TestNumbersThatStop(t *testing.T) {
	beyond := func(right *recording.Recording, name string, most, instead float64) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			r.Set(name, dtype.I32, eachOf(numbersOf(r, name), func(x float64) float64 {
				if x > most {
					return instead
				}
				return x
			}))
		})
	}
	wrongs{
		{"at the last", "positions stops at 36: what is above is taken for that: explains everything",
			beyond(rotated(), "positions", 36, 36)},
		{"at none", "tokens is taken for 0 above 36: explains everything", beyond(picked(), "tokens", 36, 0)},
		{"at no rotation", "rotation-missing (R05): nothing is rotated (only y in token from 37 on, of 48): explains",
			beyond(rotated(), "positions", 36, 0)},
	}.check(t)
}

// causally is a right recording of attention backward where late queries see many keys, so that
// their gradients are small and so are their errors.
func causally() *recording.Recording {
	right := backwards().Request()
	right.Attrs["causal"] = true
	right, err := emulate.Run(right, emulate.Config{})
	optest.Must(err)
	return right
}

// What stands in another place errs as it does where it belongs.
func TestRowsErrWhereTheyBelong(t *testing.T) {
	right := causally()
	dq := numbersOf(right, "out.dq").Data
	const query, batch = 2 * 8, 16 * 2 * 8
	wrongs{{
		"a sequence is read early", "dq holds what belongs 6 queries before, and zeros where there is none " +
			"(only dq in batch 1 of 2, query from 1 on, of 16): explains everything",
		edited(right, "out.dq", func(i int, x float64) float64 {
			switch {
			case i < batch:
				return x
			case i < batch+6*query:
				return 0
			}
			return dq[i-6*query]
		}),
	}}.check(t)
}

// A row of zeros may be any row that is masked, or none.
func TestZerosAreNoOtherRow(t *testing.T) {
	right := causally() // of whose dq the first row is 0
	wrong := edited(right, "out.dq", func(int, float64) float64 { return 0 })
	if d := told(t, wrong); strings.Contains(d.Sentence, "in another order") {
		t.Error(d.Sentence)
	}
}

// One number is fitted until all outputs have it, the most exact one too.
func TestNumbersAreFittedExactly(t *testing.T) {
	right := wide(4, 16, false)
	wrong := confused(right, func(r *recording.Recording) { r.Attrs["scale"] = recording.Number(0.3899) })
	wrongs{{"a scale", "the kernel takes the scores times 2.206: explains everything", wrong}}.check(t)
}

// The memory of keys may be taken for that of another number of heads, a width for a padded one.
func TestOtherSizesAreTaken(t *testing.T) {
	right := given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 2, []int{2, 24, 24}[i], 4, 20)
		}
	})
	wrongs{
		{
			"half the heads", "k and v are taken to have 2 heads, and have 4: explains everything",
			confused(right, func(r *recording.Recording) {
				for _, name := range []string{"k", "v"} {
					r.Set(name, dtype.BF16, withHeads(numbersOf(right, name), 2, 2, false))
				}
			}),
		},
	}.check(t)
	wrongs{
		{
			"a padded width", "with scale 0.20412414523193154, which is 1/√24, where the recording has",
			confused(right, func(r *recording.Recording) { r.Attrs["scale"] = recording.Number(1 / math.Sqrt(24)) }),
		},
	}.check(t)
}
