package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// gates is a right recording of 24 tokens and 8 experts with a bias, of which each takes 2.
func gates() *recording.Recording {
	return given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 24, 8)
		bias := tensor.New(8)
		for e := range bias.Data {
			bias.Data[e] = math.Sin(float64(3*e)) / 5
		}
		r.Set("bias", dtype.F32, bias)
		r.Attrs["top_k"], r.Attrs["scale"] = recording.Number(2), recording.Number(1.5)
	})
}

// A gate may be that of another model: each difference alone explains next to nothing.
func TestRecipesOfOtherModels(t *testing.T) {
	softmax := func(r *recording.Recording) { r.Attrs["score"] = "softmax" }
	wrongs{
		{
			"three decisions", "gate-bias-in-weights and scale=1 and score=\"softmax\": weights are made of scores " +
				"with the bias, and with scale 1, where the recording has 1.5, and with score \"softmax\", where the " +
				"recording has sigmoid: explains everything",
			made(gates(), "gate-bias-in-weights", func(r *recording.Recording) {
				softmax(r)
				delete(r.Attrs, "scale")
			}),
		},
	}.check(t)
}

// What explains the choice alone is gone on from.
func TestExplanationsOfOneOutputAreGoneOnFrom(t *testing.T) {
	wrongs{
		{
			"two mistakes", "softmax-for-sigmoid and weights-over-length (G06): scores are a softmax over all " +
				"experts where sigmoids are asked for, and weights are divided by the root",
			made(gates(), "weights-over-length", func(r *recording.Recording) { r.Attrs["score"] = "softmax" }),
		},
	}.check(t)
}

// Of one expert a token many mistakes make a weight of 1: what is seen of all is said.
func TestWeightsOfOneAreSaid(t *testing.T) {
	right := given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 24, 8)
		r.Attrs["top_k"], r.Attrs["score"], r.Attrs["normalize"] = recording.Number(1), "softmax", false
	})
	wrong := made(right, "weights-normalized", func(*recording.Recording) {})
	if d := told(t, wrong); !strings.HasSuffix(d.Sentence, "; whatever it is, weights: 24 of 24 elements are 1") {
		t.Error(d.Sentence)
	}
}
