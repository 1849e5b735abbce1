package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// head is the geometry of an attention request.
type headShape struct {
	B, S, H, T, G, D, V int
	lens                []int
	scale               float64
	window              int
	q, k, v             *tensor.Tensor
}

// makeHeads makes q, k, v, lengths and conventions; most keys of a request are at most long.
func makeHeads(m *emulate.Maker, long int) *headShape {
	h := &headShape{
		B: emulate.Pick(m, 1, 1, 2, 3), G: emulate.Pick(m, 1, 1, 2, 3), S: emulate.Pick(m, 1, 1, 2, 3, 5, 8, 13),
		T: emulate.Pick(m, 1, 5, 16, 33, 64, 65, 100, 150),
	}
	h.T = min(h.T, long)
	h.H = h.G * emulate.Pick(m, 1, 1, 2, 4)
	if h.H > h.G && (h.S == 3 || h.S == 13) {
		h.H = h.G * 3 // no power of two
	}
	h.D, h.V = emulate.Pick(m, 8, 16, 24, 40, 64, 128), emulate.Pick(m, 8, 16, 20, 32, 64)
	scale := 1 / math.Sqrt(float64(h.D))
	if m.Chance(0.4) {
		scale *= m.Within(0.5, 2)
		m.Number("scale", scale)
	}
	h.scale = scale
	h.q = m.Normals(0, m.Within(1, 4)/(math.Sqrt(float64(h.D))*scale), h.B, h.S, h.H, h.D)
	h.k = m.Normals(0, 1, h.B, h.T, h.G, h.D)
	h.v = m.Normals(emulate.Pick(m, 0.0, 0, 1, -2), 1, h.B, h.T, h.G, h.V)
	conventions(m, h, scale)
	return h
}

// conventions chooses masks, lengths, caps and sinks.
func conventions(m *emulate.Maker, h *headShape, scale float64) {
	m.Sometimes(0.6, "causal", true)
	if m.Chance(0.3) {
		h.window = 1 + m.IntN(max(1, h.T*2/3))
		m.Whole("window", h.window)
	}
	if m.Chance(0.2) {
		m.Number("softcap", emulate.Pick(m, 5.0, 15, 30))
	} else if m.Chance(0.15) {
		push(m, h, emulate.Pick(m, 150.0, 150, -150)/scale)
	}
	m.Sometimes(0.3, "lse_base", "2")
	h.lens = slices.Repeat([]int{h.T}, h.B)
	if m.Chance(0.6) {
		for b := range h.lens {
			h.lens[b] = emulate.Pick(m, m.IntN(h.T+1), m.IntN(h.T+1), max(0, h.T-1), h.T, min(h.T, h.S), 0)
		}
	}
}

// push moves all logits by the same amount over the scale, through the first channel.
func push(m *emulate.Maker, h *headShape, amount float64) {
	c := math.Sqrt(math.Abs(amount))
	for i := 0; i < len(h.q.Data); i += h.D {
		h.q.Data[i] = math.Copysign(c, amount)
	}
	for i := 0; i < len(h.k.Data); i += h.D {
		h.k.Data[i] = c
	}
}

// lower moves all logits below what some kernels take for minus infinity.
func lower(m *emulate.Maker, h *headShape) {
	const depth, scale = -6e4, 64
	for i := range h.q.Data {
		h.q.Data[i] *= h.scale / scale
	}
	m.Number("scale", scale)
	push(m, h, depth/scale)
	m.Set("q", m.Input, h.q)
	m.Set("k", m.Input, h.k)
}

// steepen makes logits so large that exponentials of them over the soft cap overflow.
func steepen(m *emulate.Maker, h *headShape) {
	for i := range h.q.Data {
		h.q.Data[i] *= 1000
	}
	m.Set("q", m.Input, h.q)
}

// plant makes the last key of every sequence, and the one just outside the last query's window,
// decisive: nearer to the last query than the others, and with another value.
func plant(m *emulate.Maker, h *headShape) {
	for b, length := range h.lens {
		for _, t := range []int{length - 1, length - 1 - h.window} {
			if t < 0 || t >= h.T {
				continue
			}
			for g := range h.G {
				q, k := h.q.Row(b, h.S-1, g*h.H/h.G), h.k.Row(b, t, g)
				for c := range k {
					k[c] += q[c] * 4 / (1 + emulate.Dot(q, q)/math.Sqrt(float64(h.D)))
				}
				for c, v := range h.v.Row(b, t, g) {
					h.v.Row(b, t, g)[c] = v + 2
				}
			}
		}
	}
}

// poison fills what lies behind the lengths, which no kernel may see.
func poison(m *emulate.Maker, h *headShape) {
	with := emulate.Pick(m, math.NaN(), math.NaN(), 1e3, 0)
	for b, length := range h.lens {
		for t := length; t < h.T; t++ {
			for g := range h.G {
				emulate.Fill(h.k.Row(b, t, g), with)
				emulate.Fill(h.v.Row(b, t, g), with)
			}
		}
	}
}

// setHeads stores q, k, v and the lengths.
func setHeads(m *emulate.Maker, h *headShape) {
	m.Set("q", m.Input, h.q)
	m.Set("k", m.Input, h.k)
	m.Set("v", m.Input, h.v)
	if slices.Min(h.lens) < h.T {
		m.Ints("kv_lens", h.lens, h.B)
	}
}

// sinks stores sinks now and then, one of them minus infinity.
func sinks(m *emulate.Maker, h *headShape) {
	if !m.Chance(0.3) {
		return
	}
	sink := m.Normals(2, 2, h.H)
	if m.Chance(0.3) {
		sink.Data[m.IntN(h.H)] = math.Inf(-1)
	}
	m.Set("sink", dtype.F32, sink)
}

func requestForward(m *emulate.Maker) {
	h := makeHeads(m, 150)
	if m.Chance(0.4) {
		plant(m, h)
	}
	if m.Chance(0.7) {
		poison(m, h)
	}
	setHeads(m, h)
	sinks(m, h)
	if m.Attrs["softcap"] == nil && !m.Has("sink") && m.Chance(0.1) {
		lower(m, h)
	} else if m.Attrs["softcap"] != nil && m.Chance(0.3) {
		steepen(m, h)
	}
}

func requestBackward(m *emulate.Maker) {
	h := makeHeads(m, 65)
	if m.Chance(0.3) {
		plant(m, h)
	}
	setHeads(m, h)
	sinks(m, h)
	m.Set("do", m.Input, m.Normals(0, 1, h.B, h.S, h.H, h.V))
	delete(m.Attrs, "lse_base")
	if h.S > 1 && h.S < h.T && m.Chance(0.2) {
		squared(m, h)
	}
}

// squared leaves as many keys as there are queries, as in training.
func squared(m *emulate.Maker, h *headShape) {
	for name, x := range map[string]*tensor.Tensor{"k": h.k, "v": h.v} {
		short := tensor.New(h.B, h.S, h.G, x.Shape[3])
		n := len(short.Data) / h.B
		for b := range h.B {
			copy(short.Data[b*n:(b+1)*n], x.Data[b*len(x.Data)/h.B:])
		}
		m.Set(name, m.Input, short)
	}
	m.Delete("kv_lens")
}

func requestMerge(m *emulate.Maker) {
	P, N, V := emulate.Pick(m, 1, 2, 2, 3, 4, 7), 1+m.IntN(20), emulate.Pick(m, 8, 20, 64, 128, 512)
	o, lse := m.Normals(emulate.Pick(m, 0.0, 1), 1, P, N, V), m.Normals(m.Within(-5, 10), m.Within(0.5, 4), P, N)
	m.Sometimes(0.3, "lse_base", "2")
	if m.Chance(0.5) {
		garbage := emulate.Pick(m, 0, math.NaN())
		for i := range lse.Data {
			if m.Chance(0.25) {
				lse.Data[i] = math.Inf(-1)
				emulate.Fill(emulate.Row(o.Data, i, V), garbage)
			}
		}
	}
	if m.Chance(0.15) { // exponentials of these overflow
		for i := range lse.Data {
			lse.Data[i] += 120
		}
	}
	m.Set("o", m.Input, o)
	m.Set("lse", dtype.F32, lse)
}
