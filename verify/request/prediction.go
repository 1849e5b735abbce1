package request

import (
	"math"

	"plumbline/numbers/dtype"
)

var predictionCombine = []design{
	{
		"plain",
		"hidden states of very different sizes, different weights of the two norms",
		func(m *maker) {
			m.set("mask_first", false)
			combine(m)
		},
	},
	{
		"masked",
		"the same with the first embedding masked, halves in the order of the released weights",
		func(m *maker) {
			m.set("mask_first", true)
			m.set("order", "embedding_first")
			combine(m)
		},
	},
}

var predictionLoss = []design{
	{
		"depths",
		"three depths, fewer tokens than positions to predict, a weight that is not 1",
		predict,
	},
	{
		"valid",
		"the same, divided by the positions that count",
		func(m *maker) {
			m.set("divisor", "valid")
			predict(m)
		},
	},
}

var predictionAccept = []design{
	{
		"drafts",
		"drafts that are good and bad in every order, rows of the target that differ, two uniforms of 0",
		accept,
	},
}

func combine(m *maker) {
	n, d := m.size(8, 64), m.size(48, 7168)
	m.set("eps", 1e-5)
	m.input("hidden", planted(m.bell(3, n, d), small(n, d)...))
	m.input("embedding", planted(m.bell(-6, n, d), small(n, d)...))
	m.input("norm_hidden", m.level(1, -1, d))
	m.input("norm_embedding", m.level(0.6, -2, d))
	m.weight("projection", 0, d, 2*d)
}

func predict(m *maker) {
	depths, t, vocab := 3, m.size(12, 64), m.size(40, 129280)
	m.set("weight", 0.3)
	m.input("logits", m.bell(1, depths, t, vocab))
	m.input("tokens", ids(0, vocab, t))
}

// accept makes rows of probabilities that sum to about 1, each with one token that is likely under
// the draft, which drew it, and under the target between a tenth as likely and as likely; most of
// the target lies on another token.
func accept(m *maker) {
	b, k, vocab, exp2 := m.size(48, 64), 3, m.size(32, 129280), m.size(-6, -17)
	level := float32(math.Ldexp(1, exp2))
	q, p := unit(level, exp2, b, k, vocab), unit(level, exp2, b, k+1, vocab)
	drafts := make([]int, 0, b*k)
	for row := range b {
		for i := range k + 1 {
			token := (row*7 + i*5) % vocab
			p = planted(p, edit(0.3, row, i, (token+3)%vocab))
			if i < k {
				drafts = append(drafts, token)
				q = planted(q, edit(0.4, row, i, token), edit(0.2, row, i, (token+3)%vocab))
				p = planted(p, edit(0.4*float64(1+(row+3*i)%7)/8, row, i, token))
			}
		}
	}
	for i := range k + 1 {
		p = planted(p, edit(0, 5, i, 0))
	}
	m.integers("draft_tokens", drafts, b, k)
	m.input("draft_probs", q)
	m.input("target_probs", planted(p, edit(0, 3, 0, drafts[3*k])))
	m.input("uniforms", planted(unit(0.5, -1, b, k+1), edit(0, 3, 0), edit(0, 5, k)))
}

// unit is a recipe of float32 numbers from middle − 2^exp2 up to middle + 2^exp2.
func unit(middle float32, exp2 int, shape ...int) recipe {
	return around(middle, recipe{Type: dtype.F32, Shape: shape, Dist: "uniform", Exp2: exp2})
}
