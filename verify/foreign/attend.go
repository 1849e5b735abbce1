package foreign

import (
	"fmt"
	"slices"

	"plumbline/internal/spelling"
)

// single maps attention of one sequence: queries [S, H, D], or [H, D] of one, over keys [T, G, D].
func (c *call) single() {
	q, k, v := c.need("q", 3, 2), c.need("k", 3), c.need("v", 3)
	if c.err != nil {
		return
	}
	if len(q.Shape) == 2 {
		q = c.oneQuery(q)
	}
	k, v = c.tokensFirst(k, 1, 0, 2), c.tokensFirst(v, 1, 0, 2)
	if c.err != nil {
		return
	}
	b := batch{queries: []span{{0, q.Shape[0]}}, chosen: []int{0}, count: q.Shape[0]}
	for i, a := range []Array{q, k, v} {
		name := []string{"q", "k", "v"}[i]
		c.put(name, name, a.first(), "the only sequence")
	}
	c.convention(b)
}

// first returns the array as the only entry of a new first axis.
func (a Array) first() Array { return a.reshaped(append([]int{1}, a.Shape...)...) }

// oneQuery gives the query and the results an axis of queries.
func (c *call) oneQuery(q Array) Array {
	for name, axes := range map[string]int{"out.output": 2, "out.lse": 1} {
		if a, ok := c.arrays[name]; ok && len(a.Shape) == axes {
			c.arrays[name] = a.first()
		}
	}
	return q.first()
}

// tokensFirst returns keys with the axis of tokens before that of heads, whatever kv_layout says:
// NHD is so, HND is turned round by axes.
func (c *call) tokensFirst(a Array, axes ...int) Array {
	c.used["kv_layout"] = true
	switch layout := c.scalars["kv_layout"]; layout {
	case nil, "NHD":
		return a
	case "HND":
		a, err := a.permuted(axes...)
		c.ok("kv_layout", err)
		return a
	default:
		c.fail("kv_layout: found %s, want NHD or HND", spelling.Show(layout))
		return a
	}
}

// ragged maps attention of sequences whose queries and keys stand one behind the other.
func (c *call) ragged() {
	q, b, ok := c.asked("q")
	k, v := c.need("k", 3), c.need("v", 3)
	if c.err != nil || !ok {
		return
	}
	offsets := c.sequences("kv_indptr", b, min(k.Shape[0], v.Shape[0]))
	if c.err != nil {
		return
	}
	var rows keys
	for _, i := range b.chosen {
		rows.lens = append(rows.lens, offsets[i].len())
		rows.runs = append(rows.runs, []span{offsets[i]})
	}
	c.attended(q, b, rows, keyed{k, v, "k", "v", "kv_indptr"})
}

// asked returns the queries of the sequences that are taken; ok is false where these cannot be.
func (c *call) asked(name string) (q Array, b batch, ok bool) {
	if q = c.need(name, 3); c.err != nil {
		return q, b, false
	}
	queries := c.queries(q.Shape[0])
	if c.err != nil {
		return q, b, false
	}
	b, ok = c.choose(queries)
	return q, b, ok
}

// keyed are keys and values, a row each, and what the files call them and their lengths.
type keyed struct {
	k, v              Array
	keys, values, len string
}

// cached maps attention of sequences whose keys are in pages.
func (c *call) cached() {
	q, b, ok := c.asked("q")
	k, v := c.need("k_cache", 4), c.need("v_cache", 4)
	if c.err != nil || !ok {
		return
	}
	k, v = c.tokensFirst(k, 0, 2, 1, 3), c.tokensFirst(v, 0, 2, 1, 3)
	if c.err == nil && !slices.Equal(k.Shape[:3], v.Shape[:3]) {
		c.fail("k_cache of shape %v and v_cache of %v, want pages alike", k.Shape, v.Shape)
	}
	p := c.paged(b, k.Shape[0], k.Shape[1])
	if c.err == nil {
		c.attended(q, b, p.keys(), keyed{rowsOf(k), rowsOf(v), "k_cache", "v_cache", "kv_indptr, kv_indices"})
	}
}

// attended puts queries, keys and values of the sequences that are taken, and their lengths.
func (c *call) attended(q Array, b batch, rows keys, from keyed) {
	queries, err := b.gather(q)
	k, err2 := rows.gather(from.k)
	v, err3 := rows.gather(from.v)
	if !c.ok("q", err) || !c.ok(from.keys, err2) || !c.ok(from.values, err3) {
		return
	}
	const how = "the rows of each sequence, zeros behind its last"
	c.put("q", "q", queries, b.how())
	c.put("k", from.keys, k, how)
	c.put("v", from.values, v, how)
	c.set("kv_lens", from.len, ofInts(rows.lens, len(rows.lens)), "")
	c.convention(b)
}

// latent maps MLA over a paged cache: content and position stand apart there, and are joined here.
func (c *call) latent() {
	content, b, ok := c.asked("q_nope")
	position, ckv, kpe := c.need("q_pe", 3), c.need("ckv_cache", 3), c.need("kpe_cache", 3)
	if c.err != nil || !ok {
		return
	}
	q, err := joined(content, position)
	cache, err2 := joined(ckv, kpe)
	if !c.ok("q_nope and q_pe", err) || !c.ok("ckv_cache and kpe_cache", err2) {
		return
	}
	p := c.paged(b, cache.Shape[0], cache.Shape[1])
	table, err := p.table()
	queries, err2 := b.gather(q)
	if !c.ok("kv_indices", err) || !c.ok("q_nope", err2) {
		return
	}
	c.attr("value_dim", ckv.Shape[2])
	c.put("q", "q_nope", queries, "with q_pe, "+b.how())
	cache = cache.reshaped(cache.Shape[0], cache.Shape[1], 1, cache.Shape[2])
	c.put("kv_cache", "ckv_cache", cache, "with kpe_cache")
	c.put("block_table", "kv_indices", table, "a row for each sequence")
	c.set("kv_lens", "kv_indptr", ofInts(p.lens, len(p.lens)), "")
	c.convention(b)
}

// joined puts two arrays side by side along their last axis.
func joined(x, y Array) (Array, error) {
	last := len(x.Shape) - 1
	if x.Type != y.Type || len(y.Shape) != len(x.Shape) || !slices.Equal(x.Shape[:last], y.Shape[:last]) {
		return x, fmt.Errorf("%v %v and %v %v, want one type, and one shape but for the last axis", x.Type, x.Shape,
			y.Type, y.Shape)
	}
	both, err := newArray(x.Type, x.Size, append(slices.Clone(x.Shape[:last]), x.Shape[last]+y.Shape[last]))
	if err != nil {
		return x, err
	}
	left, right := x.Shape[last]*x.Size, y.Shape[last]*y.Size
	for at, i := 0, 0; at < len(both.Data); i++ {
		at += copy(both.Data[at:], x.Data[i*left:(i+1)*left])
		at += copy(both.Data[at:], y.Data[i*right:(i+1)*right])
	}
	return both, nil
}

// convention maps what the numbers mean, and the results. FlashInfer's sums are to base 2, unless
// it is told otherwise.
func (c *call) convention(b batch) {
	if scale, given := c.number("sm_scale"); given {
		c.attr("scale", scale)
	}
	base := "2"
	if natural, _ := c.flag("return_lse_base_on_e"); natural {
		base = "e"
	}
	c.attr("lse_base", base)
	if left, given := c.number("window_left"); given && left >= 0 {
		c.attr("window", int(min(left, 1<<31))+1)
	}
	if limit, given := c.number("logits_soft_cap"); given && limit > 0 {
		c.attr("softcap", limit)
	}
	c.masked(b.count > 1)
	c.results(b)
}

// masked says whether queries see the keys behind their own. Of one query each it means nothing.
func (c *call) masked(matters bool) {
	causal, given := c.flag("causal")
	_, said := c.o.Attrs["causal"]
	switch {
	case given:
		c.attr("causal", causal)
	case said || !matters:
	case c.causal == nil:
		c.refuse("causal", "nothing says whether queries see keys behind their own; -attrs '{\"causal\":true}' does")
	default:
		c.attr("causal", c.causal())
	}
}
