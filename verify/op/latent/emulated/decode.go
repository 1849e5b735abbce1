// Package emulated has kernels of latent attention, right and wrong, as hardware would run them.
package emulated

import (
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/op/attention/emulated"
)

func init() {
	emulate.Register("mla.decode", emulate.Kernel{
		Float32: mlaDecode[float32], Float64: mlaDecode[float64], Request: requestDecode,
		Right:      append(emulated.Flash(), emulated.Frameworks()...),
		Quantities: emulated.Weighing("B", "S", "H", "cols*page"),
	})
}

// cache is a paged cache of latent and rope key, [blocks, page, 1, D], read through a block table
// [B, cols].
type cache[T emulate.Number] struct {
	*emulate.Job
	q, rows            []T
	table, lens        []int
	blocks, page, cols int
	B, S, H, D, V      int
	nothing            []T
}

func loadCache[T emulate.Number](j *emulate.Job) *cache[T] {
	return &cache[T]{
		Job: j, q: emulate.Load[T](j, "q"), rows: emulate.Load[T](j, "kv_cache"),
		table: j.LoadInts("block_table"), lens: j.LoadInts("kv_lens"),
		blocks: j.Dim("blocks"), page: j.Dim("page"), cols: j.Dim("cols"),
		B: j.Dim("B"), S: j.Dim("S"), H: j.Dim("H"), D: j.Dim("D"), V: j.Dim("value_dim"),
		nothing: make([]T, j.Dim("D")),
	}
}

// room returns how many keys the table of sequence b has storage for.
func (c *cache[T]) room(b int) int {
	for col, block := range emulate.Row(c.table, b, c.cols) {
		if block < 0 || block >= c.blocks {
			return col * c.page
		}
	}
	return c.cols * c.page
}

// key returns the cached row of key j of sequence b.
func (c *cache[T]) key(b, j int) []T {
	block := c.block(b, j/c.page)
	if block < 0 || block >= c.blocks {
		return c.nothing
	}
	if c.Makes("cache-tiled") && c.D%tile == 0 {
		return c.tiled(emulate.Row(c.rows, block, c.page*c.D), j%c.page)
	}
	return emulate.Row(c.rows, c.rowAt(block, j%c.page), c.D)
}

// rowAt returns which row of the cache a slot of a block is.
func (c *cache[T]) rowAt(block, slot int) int {
	if c.Makes("block-as-row") {
		c.Show(block > 0 && c.page > 1)
		return block + slot
	}
	return block*c.page + slot
}

// block returns the block that holds a page of sequence b.
func (c *cache[T]) block(b, page int) int {
	right := c.table[b*c.cols+page]
	wrong := right
	switch {
	case c.First("pages-consecutive"):
		wrong = c.table[b*c.cols] + page
	case c.First("table-of-first"):
		wrong = c.table[page]
	case c.First("table-stride"):
		wrong = c.table[b*c.pagesOf(slices.Max(c.lens))+page]
	case c.First("table-stride-of-first"):
		wrong = c.table[b*c.pagesOf(c.lens[0])+page]
	case c.First("table-written-tight"):
		wrong = c.tight(b*c.cols+page, c.pagesOf(slices.Max(c.lens)))
	case c.First("table-written-as-first"):
		wrong = c.tight(b*c.cols+page, c.pagesOf(c.lens[0]))
	case c.First("table-as-32-bit"):
		wrong = c.half(b*c.cols + page)
	}
	c.Show(wrong != right)
	return wrong
}

// pagesOf returns the pages of so many keys.
func (c *cache[T]) pagesOf(keys int) int { return (keys + c.page - 1) / c.page }

// tight returns what stands at a place of a table whose rows were written one after the other, of
// so many pages each and with nothing behind the last.
func (c *cache[T]) tight(at, pitch int) int {
	if pitch == 0 || at/pitch >= len(c.lens) {
		return 0
	}
	return c.table[at/pitch*c.cols+at%pitch]
}

// half returns what stands at a place of the table if it is taken for I32: half of an entry in I64.
func (c *cache[T]) half(at int) int {
	if c.Recording.Type("block_table") != dtype.I64 {
		return c.table[at]
	}
	return int(int32(c.table[at/2] >> (32 * (at % 2))))
}

// tile is how many numbers of a row stand together where a page is stored by tiles.
const tile = 8

// tiled returns the row of a slot from a page that is taken for [D/8, page, 8].
func (c *cache[T]) tiled(page []T, slot int) []T {
	c.Show(c.page > 1)
	row := make([]T, 0, c.D)
	for i := range c.D / tile {
		row = append(row, emulate.Row(page, i*c.page+slot, tile)...)
	}
	return row
}

// value returns the columns of a cached row that are the value: the first.
func (c *cache[T]) value(b, j int) []T {
	if at := j/c.D*c.V + j%c.D; c.Makes("value-rows-drift") {
		c.Show(at != j)
		j = at
	}
	key := c.key(b, j)
	if c.Makes("value-columns") {
		c.Show(c.D > c.V)
		return key[c.D-c.V:]
	}
	return key[:c.V]
}

// mlaDecode is an absorbed decode kernel over a paged cache: every head reads the same keys, whose
// first columns are the values. Its roundings are those of attentionForward.
func mlaDecode[T emulate.Number](j *emulate.Job) {
	c := loadCache[T](j)
	k := emulate.NewSoftmax[T](j, j.WrongScale(j.Float("scale"), c.D), 0, j.Recording.Type("kv_cache"), c.V)
	k.Batch = emulate.Batch[T]{Each: c.S * c.H, All: c.B * c.S * c.H, Row: func(i int) *emulate.Query[T] {
		return c.rowOf(k, i/(c.S*c.H), i%c.S*c.H+i/c.S%c.H)
	}}
	o, lse := make([]T, 0, c.B*c.S*c.H*c.V), make([]T, c.B*c.H*c.S)
	for b := range c.B {
		for i := range c.S * c.H {
			r := c.rowOf(k, b, i)
			out, l := k.Run(r)
			o = append(o, out...)
			lse[r.Row] = l
		}
	}
	emulate.StoreMain(j, "o", j.Recording.Type("q"), o)
	emulate.StoreLSE(j, lse)
}

// rowOf returns what row i of the S·H rows of sequence b sees.
func (c *cache[T]) rowOf(k *emulate.Softmax[T], b, i int) *emulate.Query[T] {
	from := c.sequence(b, i/c.H)
	m := emulate.Mask{
		Causal: c.Flag("causal"), Queries: c.S, Keys: c.lens[from], Stored: c.room(from), Page: c.page,
		First: c.lens[0],
	}
	q := k.ScaledEarly(c.query(emulate.Row(c.q, b*c.S*c.H+i, c.D)), c.Recording.Type("q"))
	r := c.row(k, m, q, from, c.place(m, i, c.H))
	c.foldRow(m, r, i, c.H)
	r.MaskInRanks(c.Job, m, i/c.H)
	r.Place, r.Row = (b*c.S*c.H+i)*c.cols*c.page, (b*c.H+i%c.H)*c.S+i/c.H
	r.Longest = slices.Max(c.lens)
	return r
}

// sequence returns the sequence whose table and length query s of sequence b has: its own, and by
// mistake that which has its turn where all are repeated one after the other for each query.
func (c *cache[T]) sequence(b, s int) int {
	if !c.Makes("tables-tiled-over-queries") {
		return b
	}
	other := (b*c.S + s) % c.B
	c.Show(other != b && max(c.lens[b], c.lens[other]) > 0)
	return other
}

// place returns which query of a sequence row i of its S·H rows is.
func (c *cache[T]) place(m emulate.Mask, i, heads int) int {
	s := i / heads
	if !c.Makes("mask-by-head") {
		return s
	}
	wrong := i % m.Queries
	_, right := m.Right(s)
	_, hi := m.Right(wrong)
	c.Show(hi != right)
	return wrong
}

// foldRow makes the mistake of a mask for which heads are queries of their own.
func (c *cache[T]) foldRow(m emulate.Mask, r *emulate.Query[T], i, heads int) {
	if !c.Makes("mask-by-folded-row") {
		return
	}
	m.Queries *= heads
	lo, hi := m.Right(i)
	c.Show(lo != r.Lo || hi != r.Hi)
	r.Lo, r.Hi = lo, hi
}

// query returns a query as [latent; rope].
func (c *cache[T]) query(q []T) []T {
	if !c.Makes("query-parts-exchanged") {
		return q
	}
	c.Show(c.D > c.V)
	return slices.Concat(q[c.D-c.V:], q[:c.D-c.V])
}

// padded lets a sequence without keys see the first row of the cache.
func (c *cache[T]) padded(r *emulate.Query[T]) {
	c.Show(true)
	r.Lo, r.Hi, r.Length, r.Tail = 0, 1, 1, 1
	r.Score, r.Value = func(int) T { return 0 }, func(int) []T { return c.rows[:c.V] }
}

// row returns what a query at place s of sequence b sees.
func (c *cache[T]) row(k *emulate.Softmax[T], m emulate.Mask, q []T, b, s int) *emulate.Query[T] {
	r := &emulate.Query[T]{Length: m.Keys}
	r.Lo, r.Hi = m.Span(c.Job, s)
	r.Tail = min(m.PageEnd(r.Hi), m.Stored)
	width := c.D
	if c.Makes("rope-part-missing") {
		c.Show(c.D > c.V && r.Hi-r.Lo > 1)
		width = c.V
	}
	r.Score = func(j int) T { return k.Products.Dot(q[:width], c.key(b, j)[:width]) }
	r.Value = func(j int) []T { return c.value(b, j) }
	if c.Makes("padding-sees-first-block") && m.Keys == 0 {
		c.padded(r)
	}
	return r
}
