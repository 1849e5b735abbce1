package request

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var latentDecode = []design{
	{
		"paged",
		"scattered pages, ragged lengths, one that fills its last page, one of 0 and one of 1, NaN " +
			"behind the last keys and in pages that nobody has, decisive last keys, logits of ±600, two " +
			"queries",
		func(m *maker) { decode(m, 5, 2, m.size(4, 128), 4, 1200) },
	},
	{
		"spread",
		"two sequences of one query, no decisive keys, more heads; the rest as with paged",
		func(m *maker) { decode(m, 2, 1, m.size(56, 128), 0, 3) },
	},
}

var latentLayer = []design{
	{
		"absorbed",
		"the absorbed form, F32 between its products, with as many latent as key channels, YaRN, halves, " +
			"latents of the size of eps, positions from 150000 on",
		func(m *maker) {
			m.set("yarn", yarn())
			m.layer(true)
		},
	},
	{
		"no-latent",
		"queries without a latent, a scale of its own, another YaRN on another base, latents of the size " +
			"of eps, positions from 150000 on",
		func(m *maker) { m.prefer(dtype.F32); m.otherYaRN(); m.layer(false) },
	},
	{
		"given-scale",
		"queries without a latent, a scale of its own, DeepSeek-V3's YaRN, whose temperature that has in it",
		func(m *maker) {
			m.prefer(dtype.F32)
			m.set("yarn", yarn())
			m.layer(false)
		},
	},
}

// pages is the geometry of a paged cache.
type pages struct {
	page, columns int
	lens, table   []int
}

// decode makes sequences, queries and heads, with a last key that is decisive by that much in its
// first channel, and logits of two heads so far above and below 0.
func decode(m *maker, b, s, h int, decisive, far float64) {
	d := m.attrOf("value_dim", 32, 512) + m.size(8, 64)
	p := pages{page: m.size(16, 64), columns: m.size(6, 65)}
	p.lens = []int{p.page * (p.columns - 2), p.page*(p.columns-1) - 3, 0, 1, p.page + 1}[:b]
	p.table = scattered(b * p.columns)
	m.set("scale", 0.1352337788608801) // DeepSeek-V3's: YaRN's temperature squared over √192
	m.set("lse_base", "2")
	m.set("causal", true)
	q, cache := m.bell(1, b, s, h, d), around(0.5, m.bell(0, b*p.columns, p.page, 1, d))
	for n, length := range p.lens {
		for head := range h {
			q = planted(q, edit(decisive, n, s-1, head, 0))
		}
		if length > 0 {
			at := length - 1
			cache = planted(cache, edit(6, p.table[n*p.columns+at/p.page], at%p.page, 0, 0))
		}
	}
	far /= m.number("scale", 1) * float64(d)
	m.input("q", planted(q, edit(far, 0, s-1, 0), edit(-far, 0, s-1, h-1)))
	m.input("kv_cache", planted(cache, p.behind()...))
	m.store("block_table", dtype.I64, floats(p.table), b, p.columns)
	m.integers("kv_lens", p.lens, b)
}

// scattered is a table whose neighbours lie apart: the step has no factor in common with n.
func scattered(n int) []int {
	step := 7
	for n%step == 0 {
		step += 4
	}
	table := make([]int, n)
	for i := range table {
		table[i] = (step*i + 3) % n
	}
	return table
}

// behind is NaN in all rows that hold no key.
func (p pages) behind() (all []recording.Edit) {
	for i, block := range p.table {
		filled := max(0, p.lens[i/p.columns]-i%p.columns*p.page)
		if filled == 0 {
			all = append(all, edit(poison, block))
			continue
		}
		for row := filled; row < p.page; row++ {
			all = append(all, edit(poison, block, row))
		}
	}
	return all
}

// layer makes a layer whose queries have a latent or none: as DeepSeek-V3, and as V2-Lite.
func (m *maker) layer(latent bool) {
	heads, width := 128, 7168
	if !latent {
		heads, width = 16, 2048
	}
	h, dn, dr, v := m.attrOf("heads", 4, heads), m.attrOf("nope_dim", 16, 128), m.attrOf("rope_dim", 8, 64),
		m.attrOf("value_dim", 16, 128)
	d, c := m.size(64, width), m.size(24, 512)
	if latent {
		c = dn // W_UK is square
		m.queryLatent(h*(dn+dr), d)
	} else {
		m.set("scale", 0.3)
		m.weight("w_q", 1, h*(dn+dr), d)
	}
	m.set("start", 150000)
	m.input("x", m.bell(0, m.size(2, 1), m.size(12, 64), d))
	m.weight("w_dkv", -9, c+dr, d)
	m.input("norm_kv", m.level(1, -1, c))
	m.weight("w_ukv", 1, h*(dn+v), c)
	m.weight("w_o", 0, d, h*v)
}

// queryLatent adds what makes queries of so many channels from a latent, in the absorbed form.
func (m *maker) queryLatent(channels, d int) {
	q := m.size(24, 1536)
	m.Arithmetic["form"], m.Arithmetic["intermediate"] = "absorbed", "F32"
	m.set("layout", "half")
	m.weight("w_dq", -1, q, d)
	m.input("norm_q", m.level(1, -1, q))
	m.weight("w_uq", 1, channels, q)
}

// attrOf sets an attribute that is a size, and returns it as it is fixed.
func (m *maker) attrOf(name string, small, full int) int {
	m.set(name, m.size(small, full))
	return m.whole(name, small)
}

// weight adds matrices [out × in] whose products with numbers around 1 are around 2^gain.
func (m *maker) weight(name string, gain int, shape ...int) {
	for n := shape[len(shape)-1]; n > 3; n /= 4 {
		gain--
	}
	m.input(name, m.bell(gain, shape...))
}
