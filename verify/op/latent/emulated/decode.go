// Package emulated has kernels of latent attention, right and wrong, as hardware would run them.
package emulated

import (
	"plumbline/verify/emulate"
	"plumbline/verify/op/attention/emulated"
)

func init() {
	emulate.Register("mla.decode", emulate.Kernel{
		Float32: mlaDecode[float32], Float64: mlaDecode[float64], Request: requestDecode,
		Right: append(emulated.Flash(), emulated.Frameworks()...),
	})
}

// cache is a paged cache of latent and rope key, [blocks, page, 1, D], read through a block table
// [B, cols].
type cache[T emulate.Number] struct {
	*emulate.Job
	rows               []T
	table, lens        []int
	blocks, page, cols int
	D, V               int
	nothing            []T
}

func loadCache[T emulate.Number](j *emulate.Job) *cache[T] {
	return &cache[T]{
		Job: j, rows: emulate.Load[T](j, "kv_cache"), table: j.LoadInts("block_table"), lens: j.LoadInts("kv_lens"),
		blocks: j.Dim("blocks"), page: j.Dim("page"), cols: j.Dim("cols"), D: j.Dim("D"), V: j.Dim("value_dim"),
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
	block := c.table[b*c.cols+j/c.page]
	if c.Makes("pages-consecutive") {
		follows := c.table[b*c.cols] + j/c.page
		c.Show(follows != block)
		if follows >= c.blocks {
			return c.nothing
		}
		block = follows
	}
	return emulate.Row(c.rows, block*c.page+j%c.page, c.D)
}

// value returns the columns of a cached row that are the value: the first.
func (c *cache[T]) value(b, j int) []T {
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
	c, q := loadCache[T](j), emulate.Load[T](j, "q")
	B, S, H := j.Dim("B"), j.Dim("S"), j.Dim("H")
	k := emulate.NewSoftmax[T](j, j.WrongScale(j.Float("scale"), c.D), 0, j.Recording.Type("kv_cache"), c.V)
	o, lse := make([]T, 0, B*S*H*c.V), make([]T, B*H*S)
	for b := range B {
		m := emulate.Mask{Causal: j.Flag("causal"), Queries: S, Keys: c.lens[b], Stored: c.room(b), Page: c.page}
		for i := range S * H {
			r := c.row(k, m, emulate.Row(q, b*S*H+i, c.D), b, i/H)
			out, l := k.Run(r)
			o = append(o, out...)
			lse[(b*H+i%H)*S+i/H] = l
		}
	}
	emulate.StoreMain(j, "o", j.Recording.Type("q"), o)
	emulate.StoreLSE(j, lse)
}

// row returns what a query at place s of sequence b sees.
func (c *cache[T]) row(k *emulate.Softmax[T], m emulate.Mask, q []T, b, s int) *emulate.Query[T] {
	r := &emulate.Query[T]{Length: m.Keys}
	r.Lo, r.Hi = m.Span(c.Job, s)
	r.Tail = min(m.PageEnd(r.Hi), m.Stored)
	r.Score = func(j int) T { return k.Products.Dot(q, c.key(b, j)) }
	r.Value = func(j int) []T { return c.value(b, j) }
	return r
}
