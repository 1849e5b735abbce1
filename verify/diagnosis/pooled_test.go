package diagnosis

import (
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Ratios of tokens may be formed of the sums of their sequences, and gradients with them.
func TestTakenForTheSumOfTheirRow(t *testing.T) {
	const tokens = 8
	summed := func(x *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(x.Shape...)
		for i := range x.Data[:2*tokens] { // those that count
			y.Data[i] = sum(x.Data[i/tokens*tokens : (i/tokens+1)*tokens])
		}
		return y
	}
	rec := confused(lossOf(tokens), func(r *recording.Recording) {
		for _, name := range []string{"logprob", "old_logprob"} {
			r.Set(name, dtype.F64, summed(numbersOf(r, name)))
		}
	})
	gradient := summed(numbersOf(rec, "out.dlogprob"))
	rec.Set("out.dlogprob", dtype.F32, gradient)
	wrongs{{
		"sums", "the kernel takes logprob and old_logprob in each place for the sum over token: " +
			"explains everything", rec,
	}}.check(t)
}
