package foreign

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
)

// span is a range of rows, from … to−1.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// spans reads offsets, of which each sequence has the rows from its own to the next.
func (c *call) spans(name string, rows int) []span {
	offsets := c.ints(name)
	if c.err == nil && len(offsets) < 2 {
		c.fail("%s has %s, want one more than there are sequences", name, plural(len(offsets), "offset"))
	}
	var list []span
	for i := 1; i < len(offsets) && c.err == nil; i++ {
		s := span{offsets[i-1], offsets[i]}
		if s.from < 0 || s.len() < 0 || s.to > rows {
			c.fail("%s has %d after %d, want offsets that do not fall, within %d", name, s.to, s.from, rows)
		}
		list = append(list, s)
	}
	return list
}

// queries returns the rows of queries of each sequence: one each where there are no offsets.
func (c *call) queries(rows int) []span {
	if _, ok := c.arrays["qo_indptr"]; ok {
		return c.spans("qo_indptr", rows)
	}
	list := make([]span, rows)
	for i := range list {
		list[i] = span{i, i + 1}
	}
	return list
}

// batch is which sequences of a call are taken, all with as many queries.
type batch struct {
	queries []span
	chosen  []int
	count   int // of queries of each
}

// choose takes the sequences that the options ask for, or all. Those of a recording have equally
// many queries; where they have not, one has to be chosen.
func (c *call) choose(queries []span) (batch, bool) {
	b := batch{queries: queries}
	c.batched = true
	for i := range queries {
		if c.o.Sequence == 0 || c.o.Sequence == i+1 {
			b.chosen = append(b.chosen, i)
		}
	}
	if len(b.chosen) == 0 {
		c.refuse("-sequence", "%d, and the batch has %d", c.o.Sequence, len(queries))
		return b, false
	}
	b.count = queries[b.chosen[0]].len()
	for _, i := range b.chosen {
		if queries[i].len() != b.count {
			c.refuse("qo_indptr", "sequence 1 has %s and sequence %d %d; a recording has as many of each: take one "+
				"with -sequence N", plural(b.count, "query"), i+1, queries[i].len())
			return b, false
		}
	}
	return b, true
}

// gather returns the rows of the queries that are taken, as [B, S, …].
func (b batch) gather(a Array) (Array, error) {
	g, err := newArray(a.Type, a.Size, append([]int{len(b.chosen), b.count}, a.Shape[1:]...))
	if err != nil {
		return g, err
	}
	at := 0
	for _, i := range b.chosen {
		at += copy(g.Data[at:], a.rows(b.queries[i].from, b.queries[i].to).Data)
	}
	return g, nil
}

// how says what became of the axes of a batch.
func (b batch) how() string {
	if len(b.chosen) == 1 && len(b.queries) > 1 {
		return fmt.Sprintf("sequence %d of %d", b.chosen[0]+1, len(b.queries))
	}
	return "a sequence each"
}

// results maps outputs [queries, heads, V] and sums [queries, heads].
func (c *call) results(b batch) {
	if o := c.result("output", b, 3); o.Data != nil {
		c.put("out.o", "out.output", o, b.how())
	}
	if lse := c.result("lse", b, 2); lse.Data != nil {
		lse, err := lse.permuted(0, 2, 1)
		if c.ok("lse", err) {
			c.put("out.lse", "out.lse", lse, b.how()+", heads before queries")
		}
	}
}

// result returns the rows of a result that belong to the sequences that are taken, if there is one.
func (c *call) result(name string, b batch, axes int) Array {
	a, ok := c.array("out." + name)
	if !ok || c.err != nil {
		return Array{}
	}
	last := 0
	for _, s := range b.queries {
		last = max(last, s.to)
	}
	if len(a.Shape) != axes || a.Shape[0] < last {
		c.fail("%s of shape %v, want %s and a row for each of %d queries", name, a.Shape, plural(axes, "axis"), last)
		return Array{}
	}
	g, err := b.gather(a)
	c.ok(name, err)
	return g
}

// keys is where the keys of the sequences that are taken lie: lens rows each, in runs of rows of an
// array.
type keys struct {
	lens []int
	runs [][]span
}

// longest returns the length of the longest sequence.
func (k keys) longest() int { return slices.Max(append([]int{0}, k.lens...)) }

// gather returns rows as [B, T, …], zeros behind the last of a sequence.
func (k keys) gather(a Array) (Array, error) {
	longest := k.longest()
	g, err := newArray(a.Type, a.Size, append([]int{len(k.lens), longest}, a.Shape[1:]...))
	if err != nil {
		return g, err
	}
	for i, runs := range k.runs {
		at := 0
		row := g.row(i)
		for _, run := range runs {
			at += copy(row[at:], a.rows(run.from, run.to).Data)
		}
	}
	return g, nil
}

// pages is a cache in pages.
type pages struct {
	size    int     // rows of a page
	of      [][]int // the pages of each sequence that is taken
	lens    []int   // rows in use of each
	longest int     // pages of the one with the most
}

// paged reads which pages the sequences that are taken have, and how many rows are in use.
func (c *call) paged(b batch, count, size int) pages {
	p := pages{size: size}
	indices := c.ints("kv_indices")
	table := c.sequences("kv_indptr", b, len(indices))
	lens := c.lengths(table, size)
	if c.err != nil {
		return p
	}
	for _, i := range b.chosen {
		list := indices[table[i].from:table[i].to]
		if len(list) > 0 && (slices.Min(list) < 0 || slices.Max(list) >= count) {
			c.fail("kv_indices has pages %d to %d, and there are %d", slices.Min(list), slices.Max(list), count)
		}
		p.of, p.lens = append(p.of, list), append(p.lens, lens[i])
		p.longest = max(p.longest, len(list))
	}
	return p
}

// sequences is spans of as many sequences as the queries are of.
func (c *call) sequences(name string, b batch, rows int) []span {
	list := c.spans(name, rows)
	if c.err == nil && len(list) != len(b.queries) {
		c.fail("%s has %s, and there are queries of %d", name, plural(len(list), "sequence"), len(b.queries))
	}
	return list
}

// lengths returns how many rows of its pages each sequence has in use: all, unless something says
// how many of the last page, or how many in all.
func (c *call) lengths(table []span, size int) []int {
	lens := make([]int, len(table))
	for i, s := range table {
		lens[i] = s.len() * size
	}
	for _, name := range []string{"kv_last_page_len", "kv_len_arr"} {
		if _, ok := c.arrays[name]; ok && c.err == nil {
			c.shorten(lens, c.ints(name), name, size)
		}
	}
	return lens
}

// shorten replaces lengths of whole pages by those that are in use, which end in the last page.
func (c *call) shorten(lens, used []int, name string, size int) {
	if c.err == nil && len(used) != len(lens) {
		c.fail("%s has %d entries for %s", name, len(used), plural(len(lens), "sequence"))
	}
	for i := 0; i < len(lens) && c.err == nil; i++ {
		n, before := used[i], lens[i]-size
		switch {
		case lens[i] == 0 && (n == 0 || name == "kv_last_page_len"):
			continue
		case name == "kv_last_page_len":
			n += before
		}
		if n <= before || n > lens[i] {
			c.fail("%s has %d for a sequence of %s of %d", name, used[i], plural(lens[i]/max(1, size), "page"), size)
		}
		lens[i] = n
	}
}

// keys returns where the rows of the pages lie, one page behind the other.
func (p pages) keys() keys {
	k := keys{lens: p.lens}
	for i, list := range p.of {
		var runs []span
		for left, j := p.lens[i], 0; left > 0; left, j = left-p.size, j+1 {
			first := list[j] * p.size
			runs = append(runs, span{first, first + min(left, p.size)})
		}
		k.runs = append(k.runs, runs)
	}
	return k
}

// table returns the pages as a table with a row for each sequence; behind its last page it has 0.
func (p pages) table() (Array, error) {
	if _, err := bytesOf([]int{len(p.of), p.longest}, 4); err != nil {
		return Array{}, err
	}
	list := make([]int, 0, len(p.of)*p.longest)
	for _, row := range p.of {
		list = append(append(list, row...), make([]int, p.longest-len(row))...)
	}
	return ofInts(list, len(p.of), p.longest), nil
}

// rowsOf joins the first two axes: pages and their rows.
func rowsOf(a Array) Array {
	n, _ := tensor.Elements(a.Shape[:2])
	return a.reshaped(append([]int{n}, a.Shape[2:]...)...)
}
