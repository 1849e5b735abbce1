package diagnosis

import (
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// A sampler that keeps the largest may keep one more.
func TestMasksKeepOneMore(t *testing.T) {
	const most = 12
	right := given("policy.logprob", func(r *recording.Recording) {
		generate(r, "logits", 1, 16, 64)
		x := numbersOf(r, "logits")
		kept, tokens := tensor.New(16, 64), tensor.New(16)
		for i := range tokens.Data {
			order := ranks(x.Row(i))
			for _, at := range order[64-most:] {
				kept.Set(1, i, at)
			}
			tokens.Data[i] = float64(order[63-i%3])
		}
		r.Set("kept", dtype.U8, kept)
		r.Set("tokens", dtype.I32, tokens)
	})
	one := func(b bounding) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			r.Set("kept", dtype.U8, rebound(numbersOf(r, "kept"), numbersOf(r, "logits"), b))
		})
	}
	wrongs{
		{"more", "the kernel keeps one more in each row than kept does, the next by logits: explains everything",
			one(boundings[0])},
	}.check(t)
}
