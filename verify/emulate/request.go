package emulate

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Request returns a small random request for an op: shapes even and odd, lengths, groups, masks,
// layouts and types as they occur, logits of standard deviation 1 to 4. It depends on the seed
// alone. It panics for an op that cannot be emulated.
func Request(op string, seed uint64) *recording.Recording {
	k, ok := kernels[op]
	if !ok {
		panic("emulate: no request for this op")
	}
	m := &maker{Rand: newRand(seed, op), Recording: recording.New(op)}
	m.Name = fmt.Sprintf("%s, seed %d", op, seed)
	m.input = pick(m, dtype.BF16, dtype.BF16, dtype.F16, dtype.F32)
	k.request(m)
	return m.Recording
}

// newRand returns random numbers that depend on seed and name alone.
func newRand(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}

// maker makes one request.
type maker struct {
	*rand.Rand
	*recording.Recording
	input dtype.Type
}

// pick returns one of the choices.
func pick[T any](m *maker, choices ...T) T { return choices[m.IntN(len(choices))] }

// chance is true with probability p.
func (m *maker) chance(p float64) bool { return m.Float64() < p }

// within returns a number between lo and hi.
func (m *maker) within(lo, hi float64) float64 { return lo + (hi-lo)*m.Float64() }

// normals returns a tensor of normal numbers around mean.
func (m *maker) normals(mean, deviation float64, shape ...int) *tensor.Tensor {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = mean + deviation*m.NormFloat64()
	}
	return x
}

func (m *maker) ints(name string, data []int, shape ...int) {
	x := tensor.New(shape...)
	for i, v := range data {
		x.Data[i] = float64(v)
	}
	m.Set(name, pick(m, dtype.I32, dtype.I64), x)
}

// sometimes sets an attribute with probability p.
func (m *maker) sometimes(p float64, name string, value any) {
	if m.chance(p) {
		m.Attrs[name] = value
	}
}

func (m *maker) number(name string, x float64) { m.Attrs[name] = recording.Number(x) }
func (m *maker) whole(name string, x int)      { m.number(name, float64(x)) }

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

func dot64(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
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

func fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
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

// paged is the geometry of a paged cache.
type paged struct {
	page, cols, blocks int
	lens, table        []int
}

func (m *maker) mlaDecode() {
	D, V := m.latentWidths()
	B, S, H := pick(m, 1, 2, 3), pick(m, 1, 1, 2, 4), pick(m, 1, 3, 4, 8, 16)
	if D == 576 {
		B, H = 1, min(H, 4)
	}
	p := m.paged(B, S)
	scale := math.Sqrt(3/float64(D)) * pick(m, 1, 1.8738542)
	q := m.normals(0, m.within(1, 4)/(math.Sqrt(float64(D))*scale), B, S, H, D)
	cache := m.normals(pick(m, 0, 0, 0.5), 1, p.blocks, p.page, 1, D)
	m.plantPaged(p, q, cache)
	m.poisonPaged(p, cache)
	m.Set("q", m.input, q)
	m.Set("kv_cache", m.input, cache)
	m.ints("block_table", p.table, B, p.cols)
	m.ints("kv_lens", p.lens, B)
	m.number("scale", scale)
	m.whole("value_dim", V)
	m.sometimes(0.3, "lse_base", "2")
	m.sometimes(0.2, "causal", false)
}

// latentWidths returns the widths of keys and values: DeepSeek's now and then, else smaller ones.
func (m *maker) latentWidths() (D, V int) {
	switch m.IntN(7) {
	case 0:
		return 576, 512
	case 1, 2:
		return 144, 128
	case 3, 4:
		return 80, 64
	}
	return 40, 32
}

// paged chooses lengths and a block table, scattered or in order, whose unused columns hold nothing
// or other blocks.
func (m *maker) paged(B, S int) *paged {
	p := &paged{page: pick(m, 4, 16, 16, 64), lens: make([]int, B)}
	long := pick(m, 20, 70, 140)
	for b := range p.lens {
		whole := (1 + m.IntN(max(1, long/p.page))) * p.page
		p.lens[b] = pick(m, 1+m.IntN(long), 1+m.IntN(long), 1+m.IntN(long), whole, whole, S, 1, 0)
		p.cols = max(p.cols, (p.lens[b]+p.page-1)/p.page)
	}
	p.cols = max(1, p.cols+m.IntN(3))
	p.blocks = B*p.cols + m.IntN(4)
	order := m.Perm(p.blocks)
	if m.chance(0.15) {
		for i := range order {
			order[i] = i
		}
	}
	p.table = order[:B*p.cols]
	if m.chance(0.4) {
		m.hideUnused(p)
	}
	return p
}

// hideUnused overwrites the table behind the last block of each sequence.
func (m *maker) hideUnused(p *paged) {
	with := pick(m, -1, 2147480000)
	for b, length := range p.lens {
		for col := (length + p.page - 1) / p.page; col < p.cols; col++ {
			p.table[b*p.cols+col] = with
		}
	}
}

// cell returns the cached row of key t of sequence b.
func (p *paged) cell(cache *tensor.Tensor, b, t int) []float64 {
	return cache.Row(p.table[b*p.cols+t/p.page], t%p.page, 0)
}

// plantPaged makes the last key of a sequence decisive, now and then.
func (m *maker) plantPaged(p *paged, q, cache *tensor.Tensor) {
	if !m.chance(0.4) {
		return
	}
	for b, length := range p.lens {
		if length > 0 {
			last, query := p.cell(cache, b, length-1), q.Row(b, q.Shape[1]-1, 0)
			for c := range last {
				last[c] = last[c]*1.5 + query[c]*4/(1+dot64(query, query)/math.Sqrt(float64(len(last))))
			}
		}
	}
}

// poisonPaged fills the tails of last pages and the blocks that no sequence uses.
func (m *maker) poisonPaged(p *paged, cache *tensor.Tensor) {
	if !m.chance(0.5) {
		return // stale keys
	}
	used := map[int]bool{}
	with := pick(m, math.NaN(), math.NaN(), 0)
	for b, length := range p.lens {
		end := (length + p.page - 1) / p.page * p.page
		for t := range end {
			used[p.table[b*p.cols+t/p.page]] = true
			if t >= length {
				fill(p.cell(cache, b, t), with)
			}
		}
	}
	size := len(cache.Data) / p.blocks
	for block := range p.blocks {
		if !used[block] {
			fill(vector(cache.Data, block, size), with)
		}
	}
}

// yarn chooses YaRN's parameters with probability p.
func (m *maker) yarn(p float64) bool {
	if !m.chance(p) {
		return false
	}
	mscale := pick(m, 1, 1, 0.707)
	all := mscale
	if m.chance(0.25) {
		all = pick(m, 0, 1.0)
	}
	m.Attrs["yarn"] = map[string]any{
		"factor":           recording.Number(pick(m, 40.0, 40, 4, 16)),
		"original_context": recording.Number(pick(m, 4096.0, 4096, 2048)),
		"beta_fast":        recording.Number(32), "beta_slow": recording.Number(1),
		"mscale": recording.Number(mscale), "mscale_all_dim": recording.Number(all), "ramp": pick(
			m, "index", "index", "index", "rotations",
		),
	}
	return true
}

// positions stores n positions: in a row from somewhere, or scattered, up to the extended context
// if there is one.
func (m *maker) positions(n int, extended bool) {
	reach := pick(m, 64, 1000, 4096, 16000)
	if extended && m.chance(0.5) {
		reach = 160000
	}
	start := m.IntN(reach)
	scattered := m.chance(0.5)
	if m.chance(0.3) {
		start, scattered = 0, false
	}
	positions := make([]int, n)
	for i := range positions {
		positions[i] = start + i
		if scattered {
			positions[i] = m.IntN(reach)
		}
	}
	m.ints("positions", positions, n)
}

func (m *maker) base() {
	if m.chance(0.4) {
		m.number("base", pick(m, 10000.0, 500000, 1000000))
	}
}

func (m *maker) ropeTable() {
	m.whole("dim", pick(m, 2, 16, 64, 64, 128))
	m.base()
	extended := m.yarn(0.4)
	m.positions(1+m.IntN(40), extended)
}

func (m *maker) ropeApply() {
	N, H, D := 1+m.IntN(30), 1+m.IntN(4), pick(m, 2, 8, 16, 64, 64, 128)
	m.base()
	m.layout()
	m.sometimes(0.2, "inverse", true)
	extended := m.yarn(0.4)
	m.Set("x", m.input, m.normals(0, m.within(0.3, 3), N, H, D))
	m.positions(N, extended)
}

func (m *maker) layout() {
	if m.chance(0.6) {
		m.Attrs["layout"] = pick(m, "interleaved", "half", "half", "interleaved_to_half")
	}
}

func (m *maker) normRMS() {
	N, d := 1+m.IntN(8), pick(m, 1, 7, 64, 100, 512, 1536)
	if m.chance(0.4) {
		m.number("eps", pick(m, 1e-6, 1e-5))
	}
	x := m.normals(pick(m, 0.0, 0, 0.7), 1, N, d)
	for n := range N {
		size := pick(m, 1, 1, 0.001, 0.003, 30)
		for c := range d {
			x.Set(x.At(n, c)*size, n, c)
		}
	}
	m.Set("x", m.input, x)
	m.Set("weight", m.input, m.normals(1, 0.3, d))
}

func (m *maker) mlaLayer() {
	B, S, d := pick(m, 1, 1, 2), pick(m, 1, 2, 5, 12, 20), pick(m, 32, 64, 96)
	H, Dn, Dr, V := pick(m, 1, 2, 4), pick(m, 8, 16, 32), pick(m, 4, 8, 16), pick(m, 8, 16, 32)
	C, Q := pick(m, Dn, 16, 32, 48), pick(m, 24, 48)
	gain := math.Sqrt(m.within(1, 3))
	m.layerConventions(H, Dn, Dr, V)
	m.Set("x", m.input, m.normals(0, 1, B, S, d))
	if m.chance(0.7) {
		m.weight("w_dq", 1, Q, d)
		m.Set("norm_q", m.input, m.normals(1, 0.2, Q))
		m.weight("w_uq", gain, H*(Dn+Dr), Q)
	} else {
		m.weight("w_q", gain, H*(Dn+Dr), d)
	}
	m.weight("w_dkv", pick(m, 1, 1, 1, 0.002), C+Dr, d)
	m.Set("norm_kv", m.input, m.normals(1, 0.2, C))
	m.weight("w_ukv", gain, H*(Dn+V), C)
	m.weight("w_o", 1, d, H*V)
}

// weight stores a matrix [out × in] whose product with numbers around 1 is around gain.
func (m *maker) weight(name string, gain float64, out, in int) {
	m.Set(name, m.input, m.normals(0, gain/math.Sqrt(float64(in)), out, in))
}

func (m *maker) layerConventions(H, Dn, Dr, V int) {
	m.whole("heads", H)
	m.whole("nope_dim", Dn)
	m.whole("rope_dim", Dr)
	m.whole("value_dim", V)
	m.number("base", pick(m, 10000.0, 10000, 500000))
	m.layout()
	m.yarn(0.5)
	if start := pick(m, 0, 0, 7, 300, 4000); start > 0 {
		m.whole("start", start)
	}
	if m.chance(0.3) {
		m.number("eps", 1e-5)
	}
	if m.chance(0.15) {
		m.number("scale", m.within(0.5, 2)/math.Sqrt(float64(Dn+Dr)))
	}
	m.sometimes(0.15, "causal", false)
}
