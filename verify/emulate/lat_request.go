package emulate

import (
	"math"

	"plumbline/numbers/tensor"
)

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
