package main

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// pages is the geometry of a decode request: pages lie scattered, or as in the table given.
type pages struct {
	S, H, D, V, page, columns int
	lens                      []float64
	sharp                     int
	stale                     bool      // what no key fills is finite; otherwise NaN
	unused                    float64   // in the table behind the last page of each sequence; 0: other blocks
	table                     []float64 // nil: block 7i + 3 (mod blocks) is the i-th page
	qMean, kMean              float32
	decisive                  bool // the last key of every sequence draws most of the weight
}

// decode adds q, the cache, its table and kv_lens, with DeepSeek-V3's scale unless another is set.
func (b *builder) decode(p pages) {
	B := len(p.lens)
	blocks := B * p.columns
	if p.table == nil {
		p.table = scattered(blocks)
	}
	cache := b.bell(0, blocks, p.page, 1, p.D)
	if !p.stale {
		cache = planted(cache, p.behind(blocks)...)
	}
	q := b.bell(p.sharp, B, p.S, p.H, p.D)
	if p.decisive {
		q = around(0.125, q)
		for n, length := range p.lens {
			last := int(length) - 1
			cache = planted(cache, edit(2, int(p.table[n*p.columns+last/p.page]), last%p.page))
		}
	}
	b.make("q", shifted(p.qMean, q))
	b.make("kv_cache", shifted(p.kMean, cache))
	b.store("block_table", dtype.I32, p.shown(), B, p.columns)
	b.lengths(p.lens...)
	b.set("value_dim", p.V)
	if _, given := b.Attrs["scale"]; !given {
		b.set("scale", v3Scale)
	}
}

// scattered is a table whose neighbours lie apart. The step 7 has to have no factor in common with
// the number of blocks.
func scattered(blocks int) []float64 {
	step := 7
	if blocks%step == 0 {
		step = 11
	}
	table := make([]float64, blocks)
	for i := range table {
		table[i] = float64((step*i + 3) % blocks)
	}
	return table
}

// behind returns the edits that spoil all rows which hold no key of any sequence.
func (p pages) behind(blocks int) []recording.Edit {
	filled := make([]int, blocks) // rows of each block that hold keys
	for i, block := range p.table {
		rows := int(p.lens[i/p.columns]) - i%p.columns*p.page
		filled[int(block)] = max(filled[int(block)], min(rows, p.page))
	}
	var all []recording.Edit
	for block, rows := range filled {
		if rows == 0 {
			all = append(all, edit(poison, block))
			continue
		}
		for row := rows; row < p.page; row++ {
			all = append(all, edit(poison, block, row))
		}
	}
	return all
}

// shown is the table as it is stored.
func (p pages) shown() []float64 {
	table := append([]float64{}, p.table...)
	for i := range table {
		if p.unused != 0 && int(p.lens[i/p.columns]) <= i%p.columns*p.page {
			table[i] = p.unused
		}
	}
	return table
}

// small is a decode that most conventions are tried on; v3 is DeepSeek-V3's width.
var (
	small = pages{S: 1, H: 4, D: 80, V: 64, page: 8, columns: 5, lens: []float64{37, 8, 25}}
	v3    = pages{S: 1, H: 16, D: 576, V: 512, page: 64, columns: 2, lens: []float64{100}}
)

// with returns p changed.
func (p pages) with(change func(p *pages)) pages {
	change(&p)
	return p
}

var decodes = []request{
	{name: "plain", catch: "pages read in order instead of by the table; NaN behind the last keys",
		build: func(b *builder) {
			b.decode(small)
		}},
	{name: "two-queries", catch: "several queries taken for a fresh prefill, or their mask aligned to the first key",
		build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.S = 2 }))
		}},
	{name: "four-queries",
		catch: "the same with four, as in speculative decoding, and a length less than the queries: rows that see no " +
			"key", build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.S, p.lens = 4, []float64{37, 2, 40} }))
		}},
	{name: "not-causal", catch: "a causal mask where none is declared", build: func(b *builder) {
		b.set("causal", false)
		b.decode(small.with(func(p *pages) { p.S = 3 }))
	}},
	{name: "tile-edges", catch: "pages of 64 that end one early or late: lengths 63, 64 and 65",
		build: func(b *builder) {
			b.decode(v3.with(func(p *pages) { p.H, p.lens, p.decisive = 3, []float64{63, 64, 65}, true }))
		}},
	{name: "long-edges", catch: "the last of thousands of keys dropped: lengths 4095 and 4096",
		build: func(b *builder) {
			b.decode(pages{
				S: 1, H: 2, D: 40, V: 32, page: 64, columns: 64, lens: []float64{4095, 4096}, decisive: true,
			})
		}},
	{name: "last-key", catch: "the last key of every sequence dropped: most of the weight is on it",
		build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.decisive = true }))
		}},
	{name: "stale", catch: "keys up to the end of the page seen: they are finite, so nothing but the numbers tells",
		build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.stale, p.lens = true, []float64{37, 9, 25} }))
		}},
	{name: "no-keys", catch: "a sequence of kv_len 0: output 0, log-sum-exp −∞", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.lens = []float64{37, 0, 25} }))
	}},
	{name: "one-key", catch: "one key: the output is its latent, bit for bit", build: func(b *builder) {
		b.decode(v3.with(func(p *pages) { p.lens = []float64{1, 1} }))
	}},
	{name: "hidden-table", catch: "entries of the table behind a sequence's last page read: they are −1",
		build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.unused = -1 }))
		}},
	{name: "garbage-table", catch: "the same with entries far beyond the cache", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.unused = 2147480000 }))
	}},
	{name: "shared-prefix", catch: "two sequences that share their first pages", build: func(b *builder) {
		b.decode(small.with(func(p *pages) {
			p.lens, p.columns, p.table = []float64{30, 25}, 4, []float64{5, 2, 7, 1, 5, 2, 0, 3}
		}))
	}},
	{name: "page-of-one", catch: "pages of one key", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.page, p.columns, p.lens = 1, 23, []float64{23, 9} }))
	}},
	{name: "page-of-16", catch: "a tile of 64 keys that runs over several pages", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.page, p.columns, p.lens = 16, 9, []float64{130, 65} }))
	}},
	{name: "page-of-128", catch: "a page that holds several tiles", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.page, p.columns, p.lens = 128, 2, []float64{150, 128} }))
	}},
	{name: "lse-base-2", catch: "a natural log-sum-exp where base 2 is declared", build: func(b *builder) {
		b.set("lse_base", "2")
		b.decode(small)
	}},
	{name: "high-logits", catch: "a constant subtracted instead of the row maximum: logits around 170",
		build: func(b *builder) {
			b.decode(small.with(func(p *pages) { p.qMean, p.kMean = 4, 4 }))
		}},
	{name: "low-logits", catch: "a maximum that starts at 0: logits around −170", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.qMean, p.kMean = 4, -4 }))
	}},
	{name: "all-values", catch: "a value as wide as the key", build: func(b *builder) {
		b.decode(small.with(func(p *pages) { p.D, p.V = 64, 64 }))
	}},
	{name: "scale-plain", catch: "YaRN's temperature in the scale where none is declared", build: func(b *builder) {
		b.set("scale", 1/math.Sqrt(192))
		b.decode(v3)
	}},
	{name: "scale-v3", catch: "the scale of the latent's width, 1/√576, or YaRN's temperature left out",
		build: func(b *builder) {
			b.decode(v3)
		}},
	{name: "one-head", catch: "one head in a tile of 64", build: func(b *builder) {
		b.decode(v3.with(func(p *pages) { p.H = 1 }))
	}},
	{name: "odd-heads", catch: "heads that fill no tile: 5 of them, 3 queries", build: func(b *builder) {
		b.decode(v3.with(func(p *pages) { p.H, p.S = 5, 3 }))
	}},
	{name: "v3-heads", full: true, catch: "all 128 heads of DeepSeek-V3, a short sequence and one of one page",
		build: func(b *builder) {
			b.decode(v3.with(func(p *pages) { p.H, p.lens = 128, []float64{100, 64} }))
		}},
	{name: "v3", full: true, catch: "DeepSeek-V3 at its own size: 4 sequences of up to 4096 keys, 128 heads",
		build: func(b *builder) {
			b.decode(v3.with(func(p *pages) { p.H, p.columns, p.lens = 128, 64, []float64{4096, 4095, 2113, 640} }))
		}},
	{name: "v3-two-queries", full: true, catch: "the same with a token that was predicted ahead",
		build: func(b *builder) {
			b.decode(v3.with(func(p *pages) { p.S, p.H, p.columns, p.lens = 2, 128, 64, []float64{4096, 1025} }))
		}},
	{name: "v3-long", full: true, catch: "one sequence of 32768 keys, the 16 heads of one rank of eight",
		build: func(b *builder) {
			b.decode(v3.with(func(p *pages) { p.columns, p.lens = 512, []float64{32700} }))
		}},
	{name: "v3-batch", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "enough sequences to fill a GPU: 64 of 4096 keys", build: func(b *builder) {
			lens := make([]float64, 64)
			for i := range lens {
				lens[i] = 4096 - float64(i)
			}
			b.decode(v3.with(func(p *pages) { p.H, p.columns, p.lens = 128, 64, lens }))
		}},
}
