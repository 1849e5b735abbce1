package diagnosis

import (
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Where one thing explains what is chosen, another may explain the weights beside it.
func TestTwoThingsAtOnce(t *testing.T) {
	right := given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 24, 16)
		bias := tensor.New(16)
		for i := range bias.Data {
			bias.Data[i] = float64(i*5%16) / 32
		}
		r.Set("bias", dtype.F32, bias)
		r.Attrs["top_k"], r.Attrs["score"], r.Attrs["normalize"] = recording.Number(4), "sigmoid", true
	})
	wrongs{
		{
			"the gate of another model", `gate-bias-in-weights and score="softmax": weights are made of scores with ` +
				`the bias, and with score "softmax", where the recording has "sigmoid": explains`,
			made(right, "gate-bias-in-weights", func(r *recording.Recording) { r.Attrs["score"] = "softmax" }),
		},
	}.check(t)
}
