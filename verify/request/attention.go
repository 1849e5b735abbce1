package request

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var attentionForward = []design{
	{
		"causal",
		"fewer queries than keys, ragged lengths, one of them 0, NaN behind them, a causal mask with a " +
			"window, key heads of groups, a soft cap, logits of ±2000, sinks of both signs, decisive keys at " +
			"every edge",
		func(m *maker) { m.causal(8); m.forward(m.size(5, 128), m.size(8, 128), m.size(2, 32), 2e3) },
	},
	{
		"two-sided",
		"a window on both sides, groups of three heads, logits of ±180000, no soft cap; the rest as with " +
			"a causal mask",
		func(m *maker) { m.windowed(); m.forward(m.size(36, 320), m.size(6, 126), m.size(2, 42), 1.8e5) },
	},
}

var attentionBackward = []design{
	{
		"causal",
		"fewer queries than keys, ragged lengths, a causal mask with a window, key heads of groups, a " +
			"soft cap, sinks of both signs, decisive keys at every edge",
		func(m *maker) { m.causal(20); m.backward(m.size(5, 64), m.size(8, 128), m.size(2, 32), 0) },
	},
	{
		"two-sided",
		"a window on both sides, groups of three heads, no soft cap, values and gradients of one sign; the " +
			"rest as with a causal mask",
		func(m *maker) { m.windowed(); m.backward(m.size(16, 128), m.size(6, 126), m.size(2, 42), 1) },
	},
	{
		"square",
		"as many queries as keys, more than a tile of them, no mask, values wider than keys",
		square,
	},
}

var attentionMerge = []design{
	{
		"parts",
		"parts of very different weight, some that saw no key and hold NaN, one row without any",
		merge,
	},
}

// heads is the geometry of a call of attention.
type heads struct {
	B, S, H, T, G, D, V int
	lens                []int
	far                 float64 // how far above and below 0 the logits of two rows lie
	level               float32 // around which values lie
}

// causal sets a causal mask and a soft cap.
func (m *maker) causal(softcap float64) {
	m.set("causal", true)
	m.set("softcap", softcap)
}

// windowed sets none, for a window that hides keys on one side alone: of so many queries that some
// keys lie as far on the other.
func (m *maker) windowed() { m.set("causal", false) }

func (m *maker) forward(queries, queryHeads, keyHeads int, far float64) {
	h := heads{B: 4, S: queries, H: queryHeads, T: m.size(70, 1024), G: keyHeads, D: m.size(24, 192),
		V: m.size(20, 128), far: far}
	h.lens = []int{h.T, 0, h.S - 2, h.T * 2 / 3}
	m.set("window", m.size(31, 300))
	m.set("lse_base", "2")
	m.heads(h)
}

func (m *maker) backward(queries, queryHeads, keyHeads int, level float32) {
	h := heads{B: 2, S: queries, H: queryHeads, T: m.size(40, 256), G: keyHeads, D: m.size(24, 192),
		V: m.size(20, 128), level: level}
	h.lens = []int{h.T, h.T * 2 / 3}
	m.set("window", m.size(9, 100))
	m.heads(h)
	m.input("do", lifted(level, m.bell(0, h.B, h.S, h.H, h.V)))
}

// square is a call as in training, on a ring or on one rank.
func square(m *maker) {
	n := m.size(96, 256)
	h := heads{B: 1, S: n, T: n, H: 2, G: 1, D: m.size(16, 128), V: m.size(24, 192)}
	m.set("causal", false)
	m.input("q", m.bell(1, h.B, h.S, h.H, h.D))
	m.input("k", m.bell(0, h.B, h.T, h.G, h.D))
	m.input("v", m.bell(0, h.B, h.T, h.G, h.V))
	m.input("do", m.bell(0, h.B, h.S, h.H, h.V))
	m.set("scale", scale(m))
}

// scale lies far from the BF16 numbers, and is not 1/√D.
func scale(m *maker) float64 {
	if m.full {
		return 0.0627
	}
	return 0.2509
}

// heads adds q, k, v and sinks. The keys at the edges of what the last query sees are decisive, by
// a channel that it shares with them; where logits are to be far above and below 0, two heads of
// the first sequence's last query have them, by a mean that all keys have.
func (m *maker) heads(h heads) {
	q, k := m.bell(0, h.B, h.S, h.H, h.D), around(1, m.bell(0, h.B, h.T, h.G, h.D))
	v := lifted(h.level, m.bell(0, h.B, h.T, h.G, h.V))
	last := h.S - 1
	for b, length := range h.lens {
		if length == 0 {
			continue
		}
		for head := range h.H {
			q = planted(q, edit(3, b, last, head, 0))
		}
		k = planted(k, h.edges(b, length, m.whole("window", 1))...)
	}
	m.set("scale", scale(m))
	if h.far > 0 {
		far := h.far / (m.number("scale", 1) * float64(h.D)) // all keys have a mean of 1
		q = planted(q, edit(far, 0, last, 0), edit(-far, 0, last, h.H-1))
	}
	m.integers("kv_lens", h.lens, h.B)
	m.input("q", q)
	m.input("k", planted(k, h.behind()...))
	m.input("v", planted(v, h.behind()...))
	m.input("sink", as(dtype.F32, around(1, m.bell(1, h.H))))
}

// edges are decisive keys: the last one, and those on both sides of the last query's window.
func (h heads) edges(b, length, window int) (all []recording.Edit) {
	for _, t := range []int{length - 1, length - window, length - 1 - window} {
		if t < 0 {
			continue
		}
		for g := range h.G {
			all = append(all, edit(4, b, t, g, 0))
		}
	}
	return all
}

// behind is NaN behind the lengths.
func (h heads) behind() (all []recording.Edit) {
	for b, length := range h.lens {
		for t := length; t < h.T; t++ {
			all = append(all, edit(poison, b, t))
		}
	}
	return all
}

func merge(m *maker) {
	p, n, v := 4, m.size(9, 128), m.size(48, 512)
	o, lse := m.bell(0, p, n, v), as(dtype.F32, around(3, m.bell(1, p, n)))
	for part := range p { // the first row saw no key at all
		o, lse = planted(o, edit(poison, part, 0)), planted(lse, edit(math.Inf(-1), part, 0))
	}
	for i := range n {
		if i%3 == 1 {
			o, lse = planted(o, edit(poison, i%p, i)), planted(lse, edit(math.Inf(-1), i%p, i))
		}
	}
	for part := range p { // exponentials of the third overflow
		lse = planted(lse, edit(140+float64(part), part, 2))
	}
	m.set("lse_base", "2")
	m.input("o", o)
	m.input("lse", lse)
}
