package emulated

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

func requestCombine(m *emulate.Maker) {
	n, d := emulate.Pick(m, 1, 3, 6, 12), emulate.Pick(m, 4, 24, 65, 128, 256)
	if m.Chance(0.5) {
		m.Attrs["order"] = emulate.Pick(m, "embedding_first", "embedding_first", "hidden_first")
	}
	m.Sometimes(0.4, "mask_first", emulate.Pick(m, true, true, false))
	if m.Chance(0.3) {
		m.Number("eps", emulate.Pick(m, 1e-6, 1e-5))
	}
	hidden := m.Normals(0, 1, n, d)
	for i := range n {
		size := emulate.Pick(m, 1, 1, 0.01, 40.0)
		for c := range d {
			hidden.Set(hidden.At(i, c)*size, i, c)
		}
	}
	m.Set("hidden", m.Input, hidden)
	m.Set("embedding", m.Input, m.Normals(0, emulate.Pick(m, 0.02, 1), n, d))
	m.Set("norm_hidden", m.Input, m.Normals(1, 0.3, d))
	m.Set("norm_embedding", m.Input, m.Normals(0.6, 0.2, d))
	m.Set("projection", m.Input, m.Normals(0, 1/math.Sqrt(float64(2*d)), d, 2*d))
}

func requestLoss(m *emulate.Maker) {
	depths, positions := emulate.Pick(m, 1, 1, 2, 3), emulate.Pick(m, 4, 7, 16)
	vocab := emulate.Pick(m, 7, 50, 300)
	count := positions + emulate.Pick(m, 0, 1, 1, 1+depths, 5)
	tokens := make([]int, count)
	for i := range tokens {
		tokens[i] = m.IntN(vocab)
	}
	m.Set("logits", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), m.Normals(
		emulate.Pick(m, 0.0, 0, 15), m.Within(0.5, 4), depths, positions, vocab,
	))
	m.Ints("tokens", tokens, count)
	if m.Chance(0.5) {
		m.Number("weight", emulate.Pick(m, 0.1, 0.3, 1))
	}
	m.Sometimes(0.5, "divisor", emulate.Pick(m, "valid", "valid", "T"))
}

func requestAccept(m *emulate.Maker) {
	b, k, vocab := emulate.Pick(m, 2, 5, 16), emulate.Pick(m, 1, 2, 4), emulate.Pick(m, 5, 60, 400)
	if m.Chance(0.05) {
		vocab = 3000
	}
	away := emulate.Pick(m, 0.3, 1, 2)
	draft, uniforms := make([]int, b*k), tensor.New(b, k+1)
	q, p := tensor.New(b, k, vocab), tensor.New(b, k+1, vocab)
	for i := range b {
		for s := range k + 1 {
			uniforms.Set(m.Float64(), i, s)
			logits := m.Normals(0, 2, vocab).Data
			copy(p.Row(i, s), softmax(logits))
			if s < k {
				copy(q.Row(i, s), softmax(moved(m, logits, away)))
				draft[i*k+s] = sampled(m, q.Row(i, s))
			}
		}
	}
	drawAtZero(draft, p, uniforms)
	m.Ints("draft_tokens", draft, b, k)
	typ := emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16)
	m.Set("draft_probs", typ, q)
	m.Set("target_probs", typ, p)
	m.Set("uniforms", dtype.F32, uniforms)
}

// drawAtZero makes uniforms of 0 beside tokens that the target excludes, in large batches: the
// first draft of row 3, and token 0 of row 5.
func drawAtZero(draft []int, p, uniforms *tensor.Tensor) {
	rows, drafts := p.Shape[0], p.Shape[1]-1
	if rows < 16 {
		return
	}
	exclude := func(row []float64, token int) {
		row[(token+1)%len(row)] += row[token]
		row[token] = 0
	}
	exclude(p.Row(3, 0), draft[3*drafts])
	uniforms.Set(0, 3, 0)
	for s := range drafts + 1 {
		exclude(p.Row(5, s), 0)
	}
	uniforms.Set(0, 5, drafts)
}

// moved returns logits that are away from others.
func moved(m *emulate.Maker, logits []float64, away float64) []float64 {
	x := make([]float64, len(logits))
	for i, z := range logits {
		x[i] = z + away*m.NormFloat64()
	}
	return x
}

// softmax returns probabilities; those of tokens that are far from likely are 0, as a sampler's
// filter leaves them.
func softmax(logits []float64) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	for x, z := range logits {
		if z > -3 || x == 0 {
			p[x] = math.Exp(z)
		}
		sum += p[x]
	}
	for x := range p {
		p[x] /= sum
	}
	return p
}

// sampled draws a token.
func sampled(m *emulate.Maker, p []float64) int {
	left := m.Float64()
	for x, w := range p {
		if left -= w; left < 0 {
			return x
		}
	}
	return 0
}
