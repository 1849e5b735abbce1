package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// head is the geometry of an attention request.
type headShape struct {
	B, S, H, T, G, D, V int
	lens                []int
	window              int
	q, k, v             *tensor.Tensor
}

// heads makes q, k, v, lengths and conventions; most keys of a request are at most long.
func (m *maker) heads(long int) *headShape {
	h := &headShape{
		B: pick(m, 1, 1, 2, 3), G: pick(m, 1, 1, 2, 3), S: pick(m, 1, 1, 2, 3, 5, 8, 13),
		T: pick(m, 1, 5, 16, 33, 64, 65, 100, 150),
	}
	h.T = min(h.T, long)
	h.H, h.D, h.V = h.G*pick(m, 1, 1, 2, 4), pick(m, 8, 16, 24, 40, 64, 128), pick(m, 8, 16, 20, 32, 64)
	scale := 1 / math.Sqrt(float64(h.D))
	if m.chance(0.4) {
		scale *= m.within(0.5, 2)
		m.number("scale", scale)
	}
	h.q = m.normals(0, m.within(1, 4)/(math.Sqrt(float64(h.D))*scale), h.B, h.S, h.H, h.D)
	h.k = m.normals(0, 1, h.B, h.T, h.G, h.D)
	h.v = m.normals(pick(m, 0.0, 0, 1, -2), 1, h.B, h.T, h.G, h.V)
	m.conventions(h, scale)
	return h
}

// conventions chooses masks, lengths, caps and sinks.
func (m *maker) conventions(h *headShape, scale float64) {
	m.sometimes(0.6, "causal", true)
	if m.chance(0.3) {
		h.window = 1 + m.IntN(max(1, h.T*2/3))
		m.whole("window", h.window)
	}
	if m.chance(0.2) {
		m.number("softcap", pick(m, 5.0, 15, 30))
	} else if m.chance(0.15) {
		m.push(h, pick(m, 150.0, 150, -150)/scale)
	}
	m.sometimes(0.3, "lse_base", "2")
	h.lens = slices.Repeat([]int{h.T}, h.B)
	if m.chance(0.6) {
		for b := range h.lens {
			h.lens[b] = pick(m, m.IntN(h.T+1), m.IntN(h.T+1), max(0, h.T-1), h.T, min(h.T, h.S), 0)
		}
	}
}

// push moves all logits by the same amount over the scale, through the first channel.
func (m *maker) push(h *headShape, amount float64) {
	c := math.Sqrt(math.Abs(amount))
	for i := 0; i < len(h.q.Data); i += h.D {
		h.q.Data[i] = math.Copysign(c, amount)
	}
	for i := 0; i < len(h.k.Data); i += h.D {
		h.k.Data[i] = c
	}
}

// plant makes the last key of every sequence, and the one just outside the last query's window,
// decisive: nearer to the last query than the others, and with another value.
func (m *maker) plant(h *headShape) {
	for b, length := range h.lens {
		for _, t := range []int{length - 1, length - 1 - h.window} {
			if t < 0 || t >= h.T {
				continue
			}
			for g := range h.G {
				q, k := h.q.Row(b, h.S-1, g*h.H/h.G), h.k.Row(b, t, g)
				for c := range k {
					k[c] += q[c] * 4 / (1 + dot64(q, q)/math.Sqrt(float64(h.D)))
				}
				for c, v := range h.v.Row(b, t, g) {
					h.v.Row(b, t, g)[c] = v + 2
				}
			}
		}
	}
}

// poison fills what lies behind the lengths, which no kernel may see.
func (m *maker) poison(h *headShape) {
	with := pick(m, math.NaN(), math.NaN(), 1e3, 0)
	for b, length := range h.lens {
		for t := length; t < h.T; t++ {
			for g := range h.G {
				fill(h.k.Row(b, t, g), with)
				fill(h.v.Row(b, t, g), with)
			}
		}
	}
}

// setHeads stores q, k, v and the lengths.
func (m *maker) setHeads(h *headShape) {
	m.Set("q", m.input, h.q)
	m.Set("k", m.input, h.k)
	m.Set("v", m.input, h.v)
	if slices.Min(h.lens) < h.T {
		m.ints("kv_lens", h.lens, h.B)
	}
}

// sinks stores sinks now and then, one of them minus infinity.
func (m *maker) sinks(h *headShape) {
	if !m.chance(0.3) {
		return
	}
	sink := m.normals(2, 2, h.H)
	if m.chance(0.3) {
		sink.Data[m.IntN(h.H)] = math.Inf(-1)
	}
	m.Set("sink", dtype.F32, sink)
}

func (m *maker) attentionForward() {
	h := m.heads(150)
	if m.chance(0.4) {
		m.plant(h)
	}
	if m.chance(0.7) {
		m.poison(h)
	}
	m.setHeads(h)
	m.sinks(h)
}

func (m *maker) attentionBackward() {
	h := m.heads(65)
	if m.chance(0.3) {
		m.plant(h)
	}
	m.setHeads(h)
	m.sinks(h)
	m.Set("do", m.input, m.normals(0, 1, h.B, h.S, h.H, h.V))
	delete(m.Attrs, "lse_base")
}

func (m *maker) attentionMerge() {
	P, N, V := pick(m, 1, 2, 2, 3, 4, 7), 1+m.IntN(20), pick(m, 8, 20, 64, 128, 512)
	o, lse := m.normals(pick(m, 0.0, 1), 1, P, N, V), m.normals(m.within(-5, 10), m.within(0.5, 4), P, N)
	m.sometimes(0.3, "lse_base", "2")
	if m.chance(0.5) {
		garbage := pick(m, 0, math.NaN())
		for i := range lse.Data {
			if m.chance(0.25) {
				lse.Data[i] = math.Inf(-1)
				fill(vector(o.Data, i, V), garbage)
			}
		}
	}
	m.Set("o", m.input, o)
	m.Set("lse", dtype.F32, lse)
}
