package emulated

import (
	"math"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// paged is the geometry of a paged cache.
type paged struct {
	page, cols, blocks int
	lens, table        []int
}

func requestDecode(m *emulate.Maker) {
	D, V := latentWidths(m)
	B, S, H := emulate.Pick(m, 1, 2, 3), emulate.Pick(m, 1, 1, 2, 4), emulate.Pick(m, 1, 3, 4, 8, 16)
	if D == 576 {
		B, H = 1, min(H, 4)
	}
	p := makePages(m, B, S)
	scale := math.Sqrt(3/float64(D)) * emulate.Pick(m, 1, 1.8738542)
	q := m.Normals(0, m.Within(1, 4)/(math.Sqrt(float64(D))*scale), B, S, H, D)
	cache := m.Normals(emulate.Pick(m, 0, 0, 0.5), 1, p.blocks, p.page, 1, D)
	plantPaged(m, p, q, cache)
	poisonPaged(m, p, cache)
	m.Set("q", m.Input, q)
	m.Set("kv_cache", m.Input, cache)
	m.Ints("block_table", p.table, B, p.cols)
	m.Ints("kv_lens", p.lens, B)
	m.Number("scale", scale)
	m.Whole("value_dim", V)
	m.Sometimes(0.3, "lse_base", "2")
	m.Sometimes(0.2, "causal", false)
	if m.Chance(0.1) { // exponentials of scores like these overflow
		for i := range q.Data {
			q.Data[i] *= 30
		}
		m.Set("q", m.Input, q)
	}
}

// latentWidths returns the widths of keys and values: DeepSeek's now and then, else smaller ones.
func latentWidths(m *emulate.Maker) (D, V int) {
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

// makePages chooses lengths and a block table, scattered or in order, whose unused columns hold
// nothing or other blocks.
func makePages(m *emulate.Maker, B, S int) *paged {
	p := &paged{page: emulate.Pick(m, 4, 16, 16, 64), lens: make([]int, B)}
	long := emulate.Pick(m, 20, 70, 140)
	for b := range p.lens {
		whole := (1 + m.IntN(max(1, long/p.page))) * p.page
		p.lens[b] = emulate.Pick(m, 1+m.IntN(long), 1+m.IntN(long), 1+m.IntN(long), whole, whole, S, 1, 0)
		p.cols = max(p.cols, (p.lens[b]+p.page-1)/p.page)
	}
	p.cols = max(1, p.cols+m.IntN(3))
	p.blocks = B*p.cols + m.IntN(4)
	order := m.Perm(p.blocks)
	if m.Chance(0.15) {
		for i := range order {
			order[i] = i
		}
	}
	p.table = order[:B*p.cols]
	if m.Chance(0.4) {
		hideUnused(m, p)
	}
	return p
}

// hideUnused overwrites the table behind the last block of each sequence.
func hideUnused(m *emulate.Maker, p *paged) {
	with := emulate.Pick(m, -1, 2147480000)
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
func plantPaged(m *emulate.Maker, p *paged, q, cache *tensor.Tensor) {
	if !m.Chance(0.4) {
		return
	}
	for b, length := range p.lens {
		if length > 0 {
			last, query := p.cell(cache, b, length-1), q.Row(b, q.Shape[1]-1, 0)
			for c := range last {
				last[c] = last[c]*1.5 + query[c]*4/(1+emulate.Dot(query, query)/math.Sqrt(float64(len(last))))
			}
		}
	}
}

// poisonPaged fills the tails of last pages and the blocks that no sequence uses.
func poisonPaged(m *emulate.Maker, p *paged, cache *tensor.Tensor) {
	if !m.Chance(0.5) {
		return // stale keys
	}
	used := map[int]bool{}
	with := emulate.Pick(m, math.NaN(), math.NaN(), 0)
	for b, length := range p.lens {
		end := (length + p.page - 1) / p.page * p.page
		for t := range end {
			used[p.table[b*p.cols+t/p.page]] = true
			if t >= length {
				emulate.Fill(p.cell(cache, b, t), with)
			}
		}
	}
	size := len(cache.Data) / p.blocks
	for block := range p.blocks {
		if !used[block] {
			emulate.Fill(emulate.Row(cache.Data, block, size), with)
		}
	}
}

func requestLayer(m *emulate.Maker) {
	B, S, d := emulate.Pick(m, 1, 1, 2), emulate.Pick(m, 1, 2, 5, 12, 20), emulate.Pick(m, 32, 64, 96)
	H, Dn := emulate.Pick(m, 1, 2, 4), emulate.Pick(m, 8, 16, 32)
	Dr, V := emulate.Pick(m, 4, 8, 16), emulate.Pick(m, 8, 16, 32)
	C, Q := emulate.Pick(m, Dn, 16, 32, 48), emulate.Pick(m, 24, 48)
	gain := math.Sqrt(m.Within(1, 3))
	layerConventions(m, H, Dn, Dr, V)
	m.Set("x", m.Input, m.Normals(0, 1, B, S, d))
	if m.Chance(0.7) {
		weight(m, "w_dq", 1, Q, d)
		m.Set("norm_q", m.Input, m.Normals(1, 0.2, Q))
		weight(m, "w_uq", gain, H*(Dn+Dr), Q)
	} else {
		weight(m, "w_q", gain, H*(Dn+Dr), d)
	}
	weight(m, "w_dkv", emulate.Pick(m, 1, 1, 1, 0.002), C+Dr, d)
	m.Set("norm_kv", m.Input, m.Normals(1, 0.2, C))
	weight(m, "w_ukv", gain, H*(Dn+V), C)
	weight(m, "w_o", 1, d, H*V)
	m.VaryYaRN()
}

// weight stores a matrix [out × in] whose product with numbers around 1 is around gain.
func weight(m *emulate.Maker, name string, gain float64, out, in int) {
	m.Set(name, m.Input, m.Normals(0, gain/math.Sqrt(float64(in)), out, in))
}

func layerConventions(m *emulate.Maker, H, Dn, Dr, V int) {
	m.Whole("heads", H)
	m.Whole("nope_dim", Dn)
	m.Whole("rope_dim", Dr)
	m.Whole("value_dim", V)
	m.Number("base", emulate.Pick(m, 10000.0, 10000, 500000))
	m.Layout()
	m.YaRN(0.5)
	if start := emulate.Pick(m, 0, 0, 7, 300, 4000); start > 0 {
		m.Whole("start", start)
	}
	if m.Chance(0.3) {
		m.Number("eps", 1e-5)
	}
	if m.Chance(0.15) {
		m.Number("scale", m.Within(0.5, 2)/math.Sqrt(float64(Dn+Dr)))
	}
	m.Sometimes(0.15, "causal", false)
}
