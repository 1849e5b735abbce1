package emulate

func init() {
	register("mla.decode", kernel{
		float32: mlaDecode[float32], float64: mlaDecode[float64], request: (*maker).mlaDecode,
		right: append(flash(), frameworks()...),
	})
}

// cache is a paged cache of latent and rope key, [blocks, page, 1, D], read through a block table
// [B, cols].
type cache[T number] struct {
	*job
	rows               []T
	table, lens        []int
	blocks, page, cols int
	D, V               int
	nothing            []T
}

func loadCache[T number](j *job) *cache[T] {
	return &cache[T]{
		job: j, rows: load[T](j, "kv_cache"), table: j.loadInts("block_table"), lens: j.loadInts("kv_lens"),
		blocks: j.Dim("blocks"), page: j.Dim("page"), cols: j.Dim("cols"), D: j.Dim("D"), V: j.Dim("value_dim"),
		nothing: make([]T, j.Dim("D")),
	}
}

// room returns how many keys the table of sequence b has storage for.
func (c *cache[T]) room(b int) int {
	for col, block := range vector(c.table, b, c.cols) {
		if block < 0 || block >= c.blocks {
			return col * c.page
		}
	}
	return c.cols * c.page
}

// key returns the cached row of key j of sequence b.
func (c *cache[T]) key(b, j int) []T {
	block := c.table[b*c.cols+j/c.page]
	if c.makes("pages-consecutive") {
		follows := c.table[b*c.cols] + j/c.page
		c.show(follows != block)
		if follows >= c.blocks {
			return c.nothing
		}
		block = follows
	}
	return vector(c.rows, block*c.page+j%c.page, c.D)
}

// value returns the columns of a cached row that are the value: the first.
func (c *cache[T]) value(b, j int) []T {
	key := c.key(b, j)
	if c.makes("value-columns") {
		c.show(c.D > c.V)
		return key[c.D-c.V:]
	}
	return key[:c.V]
}

// mlaDecode is an absorbed decode kernel over a paged cache: every head reads the same keys, whose
// first columns are the values. Its roundings are those of attentionForward.
func mlaDecode[T number](j *job) {
	c, q := loadCache[T](j), load[T](j, "q")
	B, S, H := j.Dim("B"), j.Dim("S"), j.Dim("H")
	k := newSoftmax[T](j, j.wrongScale(j.Float("scale"), c.D), 0, j.rec.Type("kv_cache"), c.V)
	o, lse := make([]T, 0, B*S*H*c.V), make([]T, B*H*S)
	for b := range B {
		m := mask{causal: j.Flag("causal"), queries: S, keys: c.lens[b], stored: c.room(b), page: c.page}
		for i := range S * H {
			r := c.row(k, m, vector(q, b*S*H+i, c.D), b, i/H)
			out, l := k.run(r)
			o = append(o, out...)
			lse[(b*H+i%H)*S+i/H] = l
		}
	}
	storeMain(j, "o", j.rec.Type("q"), o)
	storeLSE(j, lse)
}

// row returns what a query at place s of sequence b sees.
func (c *cache[T]) row(k *softmax[T], m mask, q []T, b, s int) *row[T] {
	r := &row[T]{length: m.keys}
	r.lo, r.hi = m.span(c.job, s)
	r.tail = min(m.pageEnd(r.hi), m.stored)
	r.score = func(j int) T { return k.products.dot(q, c.key(b, j)) }
	r.value = func(j int) []T { return c.value(b, j) }
	return r
}
