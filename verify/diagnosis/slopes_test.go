package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// tokens are numbers in F32, of two sequences.
func tokens(r *recording.Recording, n int, names ...string) {
	for i, name := range names {
		random := emulate.NewRand(uint64(i+1), name)
		r.Set(name, dtype.F32, eachOf(tensor.New(2, n), func(float64) float64 { return random.NormFloat64() }))
	}
	r.Set("mask", dtype.U8, filled(1, 2, n))
}

// givingBoth returns the recording with outputs of a kernel that goes on with other quantities.
func givingBoth(rec *recording.Recording, of map[string][]float64) *recording.Recording {
	s, err := newSubject(rec, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	formed, _ := s.formed()
	other := map[string]*tensor.Tensor{}
	for name, x := range of {
		other[name] = tensor.Of(x, formed[name].Shape...)
	}
	gives, err := s.between(&emulate.Quantities{Instead: other})
	optest.Must(err)
	return recordedAs(rec, gives)
}

// A loss may be another function, with its own derivative.
func TestOtherFunctionsHaveTheirDerivatives(t *testing.T) {
	right := given("ppo.value_loss", func(r *recording.Recording) {
		tokens(r, 12, "values", "old_values", "returns")
		r.Attrs["clip"] = recording.Number(0)
	})
	values, returns := numbersOf(right, "values").Data, numbersOf(right, "returns").Data
	loss, slope := make([]float64, len(values)), make([]float64, len(values))
	for i, v := range values {
		if loss[i], slope[i] = v-returns[i], 1; loss[i] < 0 {
			loss[i], slope[i] = -loss[i], -1
		}
	}
	both := givingBoth(right, map[string][]float64{
		"half the larger squared error": loss, "the derivative of each token's loss for its value": slope,
	})
	wrongs{{"sizes for squares", "the kernel takes for half the larger squared error the error of the value taken " +
		"without its sign, with its derivative: explains everything", both}}.check(t)
}

// The last token may have what none has.
func TestEndsHaveSomethingElse(t *testing.T) {
	right := given("ppo.gae", func(r *recording.Recording) {
		tokens(r, 12, "rewards", "values")
		r.Attrs["gamma"], r.Attrs["lambda"] = recording.Number(0.9), recording.Number(0.8)
	})
	rewards := numbersOf(right, "rewards").Data
	wrongs{{"the last reward", "the kernel takes rewards for the advantage in the return at the last token that " +
		"counts: explains everything",
		withQuantity(right, "the advantage in the return", func(x *tensor.Tensor) *tensor.Tensor {
			y := eachOf(x, func(v float64) float64 { return v })
			for i := 11; i < y.Len(); i += 12 {
				y.Data[i] = rewards[i]
			}
			return y
		})}}.check(t)
}

// A mask may say the opposite.
func TestMasksInverted(t *testing.T) {
	right := given("policy.mismatch", func(r *recording.Recording) {
		tokens(r, 12, "logprob_a", "logprob_b")
		for _, name := range []string{"logprob_a", "logprob_b"} {
			r.Set(name, dtype.F32, eachOf(numbersOf(r, name), func(x float64) float64 { return -x * x }))
		}
		r.Attrs["largest_logit"] = recording.Number(10)
		m := filled(1, 2, 12)
		for _, i := range []int{3, 7, 8, 11, 14, 15, 22} {
			m.Data[i] = 0
		}
		r.Set("mask", dtype.U8, m)
	})
	wrongs{{"inverted", "mask is taken for its opposite: what is 0 counts, and nothing else: explains everything",
		confused(right, func(r *recording.Recording) {
			r.Set("mask", dtype.U8, eachOf(numbersOf(right, "mask"), opposite))
		})}}.check(t)
}
