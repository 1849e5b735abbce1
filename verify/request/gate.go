package request

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var gateChoice = []design{
	{
		"sigmoid",
		"sigmoids in groups scored by their two best, a bias of both signs that outweighs the scores, " +
			"norm_eps that counts, logits that BF16 has not",
		func(m *maker) { m.prefer(dtype.F32); m.sigmoids(); m.logits(0) },
	},
	{
		"softmax",
		"a softmax in groups scored by their best, weights that are not normalised, no scale",
		func(m *maker) { m.prefer(dtype.F32); m.softmax(); m.logits(0) },
	},
	{
		"far",
		"square roots of softplus of logits far below 0, which are small beside the bias",
		func(m *maker) { m.prefer(dtype.F32); m.roots(); m.logits(-23) },
	},
	{
		"ties",
		"scores that tie, and that differ by a few parts in ten million, where the choice ends",
		func(m *maker) { m.prefer(dtype.F32); ties(m) },
	},
	{
		"few",
		"a softmax over experts that are no power of two, a bias far below 0, weights that are not normalised",
		func(m *maker) { m.prefer(dtype.F32); few(m) },
	},
	{
		"narrow",
		"sigmoids in groups, in BF16, tokens and centroids for logits",
		func(m *maker) { m.sigmoids(); m.tokens() },
	},
}

var expertLayer = []design{
	{
		"sigmoid",
		"sigmoids in groups scored by their two best, a bias of both signs that outweighs the scores, " +
			"norm_eps that counts; inner units on both sides of the limit, shared experts",
		func(m *maker) { m.mixture(0.75, "output"); m.sigmoids(); m.tokens() },
	},
	{
		"softmax",
		"a softmax in groups scored by their best, weights that are not normalised, no scale; inner " +
			"units without a limit, weights on them",
		func(m *maker) { m.Arithmetic["intermediate"] = "F32"; m.mixture(0, "hidden"); m.softmax(); m.tokens() },
	},
	{
		"roots",
		"square roots of softplus without groups, in F32; inner units without a limit",
		func(m *maker) { m.prefer(dtype.F32); m.mixture(0, "output"); m.roots(); m.tokens() },
	},
}

// experts is how many experts a gate has: as many in each group, however many groups are fixed.
func (m *maker) experts() int {
	if m.Op == "moe.layer" {
		return m.network().E
	}
	groups := m.whole("groups", 1)
	return (m.size(64, 256) + groups - 1) / groups * groups
}

// choice sets how many groups and experts are chosen.
func (m *maker) choice(grouped bool) {
	k, groups := 8, 8
	if m.Op == "moe.layer" {
		k, groups = 3, 4
	}
	m.set("top_k", k)
	if grouped {
		m.set("groups", groups)
		m.set("top_groups", max(1, m.whole("groups", groups)/2))
	}
}

func (m *maker) sigmoids() {
	m.choice(true)
	m.set("score", "sigmoid")
	m.set("norm_eps", 0.05)
	m.set("scale", 2.5)
	m.input("bias", unit(-1.5, 0, m.experts()))
}

func (m *maker) softmax() {
	m.choice(true)
	m.set("score", "softmax")
	m.set("group_score", "max")
	m.set("normalize", false)
	m.input("bias", unit(0, -4, m.experts()))
}

func (m *maker) roots() {
	m.choice(false)
	m.set("score", "sqrt_softplus")
	m.set("scale", 1.5)
	m.input("bias", unit(4, 0, m.experts()))
}

// logits adds logits around a level.
func (m *maker) logits(level float32) {
	m.input("logits", around(level, m.bell(1, m.size(48, 320), m.experts())))
}

// tokens adds tokens and centroids.
func (m *maker) tokens() {
	n, d := m.size(24, 64), m.size(48, 7168)
	m.input("x", m.bell(0, n, d))
	m.weight("weight", 1, m.experts(), d)
}

// few makes logits of 24 experts, which a bias puts below −1.
func few(m *maker) {
	n, e := m.size(24, 64), 24
	m.set("top_k", 4)
	m.set("score", "softmax")
	m.set("normalize", false)
	m.input("bias", unit(-3, 0, e))
	m.input("logits", m.bell(1, n, e))
}

// ties makes rows in which three experts are chosen for sure, two of which tie now and then, and
// the last one is one of two: they tie, or the one of the higher number is better by a few units of
// float32.
func ties(m *maker) {
	n, e, k := m.size(24, 64), m.experts(), 4
	m.set("top_k", k)
	z := around(-4, m.bell(-2, n, e))
	for i := range n {
		var row []recording.Edit
		for j := range k - 1 {
			row = append(row, edit(3+float64(max(j-i%2, 0)), i, 10+(i+j)%20))
		}
		apart := float64(i%4) * 0x1p-18
		z = planted(z, append(row, edit(1, i, 1), edit(1+apart, i, e-1-i%7))...)
	}
	m.input("logits", z)
}
