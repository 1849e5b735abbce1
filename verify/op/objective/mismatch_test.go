package objective_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// engineLogits is the sampler's logits: those of the trainer, as an engine has them.
type engineLogits func(z float64) float64

// gap is a recording of log-probabilities alone: of a trainer in float32 and of a sampler whose
// logits are rounded, or changed.
func gap(seed uint64, sampler engineLogits) *recording.Recording {
	const tokens, vocab = 64, 200
	a, b, delta := tensor.New(1, tokens), tensor.New(1, tokens), tensor.New(1, tokens)
	for n := range tokens {
		z := check.Random(1000*seed+uint64(n), vocab, 8)
		other := make([]float64, vocab)
		for i := range z {
			z[i] = float64(float32(z[i] + 16))
			other[i] = sampler(z[i])
		}
		token := n % vocab
		a.Data[n] = float64(float32(policy.LogProb(z, token, 1)))
		b.Data[n] = float64(float32(policy.LogProb(other, token, 1)))
		delta.Data[n] = a.Data[n] - b.Data[n]
	}
	r := recording.New("policy.mismatch")
	r.Name = "r.safetensors"
	r.Set("logprob_a", dtype.F32, a)
	r.Set("logprob_b", dtype.F32, b)
	r.Set("out.delta", dtype.F32, delta)
	r.Attrs["largest_logit"] = json.Number("24")
	return r
}

func toBF16(z float64) float64 { return dtype.BF16.Round(z) }

func TestMismatchOfLogProbabilities(t *testing.T) {
	narrow := map[string]any{"intermediate": "BF16"}
	t.Run("logits in BF16 on one side explain the gap where they are declared, on every seed", func(t *testing.T) {
		for seed := range uint64(check.Times(200, 3)) {
			r := gap(seed, toBF16)
			judged(t, r, verdict.Unexplained, "delta")
			r.Arithmetic["b"] = narrow
			judged(t, r, verdict.Explained, "")
			delete(r.Arithmetic, "b")
			r.Arithmetic["intermediate"] = "BF16" // of both
			judged(t, r, verdict.Explained, "")
		}
	})
	t.Run("they do not explain a temperature on one side alone", func(t *testing.T) {
		r := gap(1, func(z float64) float64 { return toBF16(z / 0.9) })
		r.Arithmetic["b"] = narrow
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("nor a filter on one side alone", func(t *testing.T) {
		r := gap(2, func(z float64) float64 {
			if z < 23 {
				return math.Inf(-1)
			}
			return toBF16(z)
		})
		r.Arithmetic["b"] = narrow
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("nor a token that one side excludes", func(t *testing.T) {
		r := gap(2, toBF16)
		b, _ := r.Tensor("logprob_b")
		delta, _ := r.Tensor("out.delta")
		b.Data[3], delta.Data[3] = math.Inf(-1), math.Inf(1)
		r.Set("logprob_b", dtype.F32, b)
		r.Set("out.delta", dtype.F32, delta)
		r.Arithmetic["b"] = narrow
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("nor logits that are a hundred times smaller", func(t *testing.T) {
		r := gap(3, toBF16)
		r.Arithmetic["b"] = narrow
		r.Attrs["largest_logit"] = json.Number("0.2")
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("where it is not said how large logits were it says how large they had to be", func(t *testing.T) {
		r := gap(4, toBF16)
		r.Arithmetic["b"] = narrow
		delete(r.Attrs, "largest_logit")
		judged(t, r, verdict.Undetermined, "explain the largest difference")
		r.Arithmetic["b"] = map[string]any{"intermediate": "F32"}
		judged(t, r, verdict.Undetermined, "below 4096, all that models have, would not explain the largest difference")
	})
	// Neighbours in float32, as are the logits 10 − 23.0857…: they are no less off than others.
	t.Run("log-probabilities in float32 are rounded even where their logits need not be", func(t *testing.T) {
		r := gap(6, toBF16)
		a, b := -23.085756301879883, -23.085758209228516
		for name, x := range map[string]float64{"logprob_a": a, "logprob_b": b, "out.delta": a - b} {
			r.Set(name, dtype.F32, tensor.Of([]float64{x}, 1, 1))
		}
		r.Attrs["largest_logit"] = json.Number("10")
		judged(t, r, verdict.Explained, "")
	})
	t.Run("statistics alone say nothing of the gap", func(t *testing.T) {
		r := gap(5, toBF16)
		r.Arithmetic["b"] = narrow
		a, b := optest.Input(t, r, "logprob_a").Data, optest.Input(t, r, "logprob_b").Data
		m := policy.MismatchOf(a, b, slices.Repeat([]float64{1}, len(a)), 2)
		r.Delete("out.delta")
		r.Set("out.mean", dtype.F32, tensor.Of([]float64{m.Mean}))
		judged(t, r, verdict.Undetermined, "told by delta alone")
	})
	t.Run("what counts is a number", func(t *testing.T) {
		r := gap(5, toBF16)
		a := optest.Input(t, r, "logprob_a")
		a.Data[3] = math.NaN()
		r.Set("logprob_a", dtype.F32, a)
		judged(t, r, verdict.Unusable, `tensor "logprob_a": index [0 3] is NaN`)
	})
	t.Run("roundings of many tokens are not one", func(t *testing.T) {
		r := gap(7, func(z float64) float64 { return toBF16(z) })
		r.Arithmetic["b"] = narrow
		b, delta := optest.Input(t, r, "logprob_b"), optest.Input(t, r, "out.delta")
		for i := range b.Data { // less than two roundings are at most, on every token
			b.Data[i] = float64(float32(b.Data[i] + 0.1))
			delta.Data[i] = float64(float32(optest.Input(t, r, "logprob_a").Data[i] - b.Data[i]))
		}
		r.Set("logprob_b", dtype.F32, b)
		r.Set("out.delta", dtype.F32, delta)
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("what is recorded is the difference, whatever is explained", func(t *testing.T) {
		r := gap(5, toBF16)
		r.Arithmetic["b"] = narrow
		zeros := tensor.New(1, 64)
		r.Set("out.delta", dtype.F32, zeros)
		judged(t, r, verdict.Unexplained, "delta")
	})
}

// TestMismatchOfHeads gives a trainer and a sampler one head and different hidden states.
func TestMismatchOfHeads(t *testing.T) {
	const n, vocab, d = 12, 30, 8
	heads := func(sampler float64) *recording.Recording {
		r := recording.New("policy.mismatch")
		r.Name = "r.safetensors"
		h, w := check.Random(1, n*d, 2), check.Random(2, vocab*d, 1)
		other, tokens, delta := make([]float64, n*d), make([]float64, n), make([]float64, n)
		for i := range h {
			h[i] = float64(float32(h[i]))
			other[i] = float64(float32(h[i] * sampler))
		}
		for i := range w {
			w[i] = float64(float32(w[i]))
		}
		for i := range n {
			tokens[i] = float64(i)
			delta[i] = logprobOf(h[i*d:(i+1)*d], w, i) - logprobOf(other[i*d:(i+1)*d], w, i)
		}
		r.Set("hidden_a", dtype.F32, tensor.Of(h, n, d))
		r.Set("hidden_b", dtype.F32, tensor.Of(other, n, d))
		r.Set("weight_a", dtype.F32, tensor.Of(w, vocab, d))
		r.Set("tokens", dtype.I32, tensor.Of(tokens, n))
		r.Set("out.delta", dtype.F32, tensor.Of(delta, n))
		return r
	}
	t.Run("a gap that hidden states have is explained, and no other", func(t *testing.T) {
		r := heads(1.01)
		judged(t, r, verdict.Explained, "")
		r.Delete("hidden_b")
		judged(t, r, verdict.Unexplained, "delta")
	})
	t.Run("statistics are of the differences that are recorded", func(t *testing.T) {
		r := heads(1.01)
		delta, _ := r.Tensor("out.delta")
		m := policy.MismatchOf(delta.Data, make([]float64, n), []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 2)
		r.Set("out.k1", dtype.F32, tensor.Of([]float64{m.K1}))
		r.Set("out.k3", dtype.F32, tensor.Of([]float64{m.K3}))
		judged(t, r, verdict.Explained, "")
		r.Set("out.k1", dtype.F32, tensor.Of([]float64{-m.K1}))
		judged(t, r, verdict.Unexplained, "k1")
	})
	t.Run("statistics tell nothing where there is no gap", func(t *testing.T) {
		r := heads(1)
		r.Delete("out.delta")
		r.Set("out.mean", dtype.F32, tensor.Of([]float64{1e-7}))
		judged(t, r, verdict.Undetermined, "told by delta alone")
	})
	t.Run("a ratio near the limit may count or not", func(t *testing.T) {
		r := heads(1.01)
		delta, _ := r.Tensor("out.delta")
		limit, _ := json.Marshal(math.Exp(math.Abs(delta.Data[0])))
		r.Attrs["limit"] = json.Number(limit)
		expected, err := op.Expect(shareAlone(r))
		if err != nil {
			t.Fatal(err)
		}
		if others := expected[0].Others[0]; len(others) != 2 {
			t.Errorf("%v are right, want two shares", others)
		}
	})
	t.Run("either group is given, and whole", func(t *testing.T) {
		r := heads(1)
		r.Set("logprob_a", dtype.F32, tensor.New(n, 1))
		judged(t, r, verdict.Unusable, `tensor "logprob_a": want one of three: logprob_a and logprob_b;`)
		r = heads(1)
		r.Delete("weight_a")
		judged(t, r, verdict.Unusable, `tensor "weight_a": missing`)
		r = heads(1)
		r.Arithmetic["a"] = "BF16"
		judged(t, r, verdict.Unusable, `arithmetic: "a": found "BF16", want an object`)
		r.Arithmetic["a"] = map[string]any{"scores": "BF16"}
		judged(t, r, verdict.Unusable, `of side "a": arithmetic: key "scores"`)
	})
}

func logprobOf(h, w []float64, token int) float64 {
	z := make([]float64, len(w)/len(h))
	for j := range z {
		for c, x := range h {
			z[j] += w[j*len(h)+c] * x
		}
	}
	return policy.LogProb(z, token, 1)
}

// shareAlone leaves a recording its share.
func shareAlone(r *recording.Recording) *recording.Recording {
	r = r.Clone()
	r.Delete("out.delta")
	r.Set("out.share", dtype.F32, tensor.Of([]float64{0}))
	return r
}
