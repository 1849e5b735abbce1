package evidence

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// Criteria that cases alone have.
const (
	ligerAtol = 5e-2 // Liger-Kernel, test/transformers/test_grpo_loss.py: of bf16 gradients
	ligerRtol = 5e-1 //
	llmcGrads = 2e-2 // llm.c, test_gpt2.c: |Δ| of a gradient
)

func lossCases() []falsePass {
	return []falsePass{
		{
			"Liger-Kernel GRPO", "the gradient lacks the softmax of all logits but the token's own",
			"normal logits, 4 sequences of 32 tokens, vocabulary 1024", "0.16 of its tolerance", func() (scene, error) {
				m := policyOf(31)
				return withMistake(m.Recording, "softmax-dropped", against("dlogits", func(p *Pair) Measure {
					return within(both(p.Got, p.reference(), ligerAtol, ligerRtol))
				}))
			},
		},
		{
			"llm.c", "gradients are zeros", "cross-entropy of 64 tokens, 64 wide, vocabulary 512",
			"below 2e-2 nothing is checked", func() (scene, error) {
				measure := against("dhidden", func(p *Pair) Measure {
					return Measure{Value: furthest(p.Got, p.reference()), Limit: llmcGrads}
				})
				return withWrong(headOf(32).Recording, measure, spoils("dhidden", zero))
			},
		},
	}
}

// policyOf makes a batch of a policy loss that is given logits.
func policyOf(seed uint64) maker {
	const n, length, vocab = 4, 32, 1024
	m := newMaker("grpo.loss", seed)
	m.normal("logits", dtype.BF16, 2, n, length, vocab)
	tokens, mask := make([]float64, n*length), tensor.New(n, length)
	for i := range tokens {
		tokens[i] = float64(m.rng.IntN(vocab))
		mask.Data[i] = 1
	}
	m.whole("tokens", tokens, n, length)
	m.Set("mask", dtype.F32, mask)
	m.normal("advantage", dtype.F32, 1, n)
	old := tensor.New(n, length)
	for i := range old.Data {
		old.Data[i] = -math.Log(vocab) - 2 + 0.1*m.rng.NormFloat64()
	}
	m.Set("old_logprob", dtype.F32, old)
	return m
}

// headOf makes the head of a small model.
func headOf(seed uint64) maker {
	const n, width, vocab = 64, 64, 512
	m := newMaker("policy.cross_entropy", seed)
	m.normal("hidden", dtype.F32, 1, n, width)
	m.normal("weight", dtype.F32, 1/math.Sqrt(width), vocab, width)
	targets := make([]float64, n)
	for i := range targets {
		targets[i] = float64(m.rng.IntN(vocab))
	}
	m.whole("targets", targets, n)
	return m
}
