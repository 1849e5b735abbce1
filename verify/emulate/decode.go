package emulate

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
	shape, table := j.shape("kv_cache", 4), j.shape("block_table", 2)
	c := &cache[T]{job: j, blocks: shape[0], page: shape[1], cols: table[1], D: shape[3], V: j.whole("value_dim", 512)}
	c.rows, c.table, c.lens = load[T](j, "kv_cache"), j.loadInts("block_table"), j.loadInts("kv_lens")
	c.nothing = make([]T, c.D)
	return c
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
	shape := j.shape("q", 4)
	c, q := loadCache[T](j), load[T](j, "q")
	B, S, H := shape[0], shape[1], shape[2]
	if j.err != nil {
		return
	}
	scale := j.wrongScale(j.number("scale", 0), c.D)
	k := newSoftmax[T](j, scale, 0, j.in.Type("kv_cache"), c.V)
	o, lse := make([]T, 0, B*S*H*c.V), make([]T, B*H*S)
	for b := range B {
		m := mask{causal: j.flag("causal", true), queries: S, keys: c.lens[b], stored: c.room(b), page: c.page}
		for i := range S * H {
			r := c.row(k, m, vector(q, b*S*H+i, c.D), b, i/H)
			out, l := k.run(r)
			o = append(o, out...)
			lse[(b*H+i%H)*S+i/H] = l
		}
	}
	storeMain(j, "o", j.in.Type("q"), o, B, S, H, c.V)
	storeLSE(j, lse, B, H, S)
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
