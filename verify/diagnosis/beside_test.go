package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
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
	taken := func(mistake string, change func(r *recording.Recording)) *recording.Recording {
		request := right.Request()
		change(request)
		gives, err := outputsOf(emulate.Run(request, emulate.Exact(mistake)))
		optest.Must(err)
		return recordedAs(right, gives)
	}
	wrongs{
		{
			"the gate of another model", `gate-bias-in-weights and score="softmax": weights are made of scores with ` +
				`the bias, and with score "softmax", where the recording has "sigmoid": explains`,
			taken("gate-bias-in-weights", func(r *recording.Recording) { r.Attrs["score"] = "softmax" }),
		},
	}.check(t)
}
