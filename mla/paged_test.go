package mla

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// newCache returns pages full of NaN, so that whatever is read without having been written shows.
func newCache(pages, page, width int, table ...[]int) *PagedCache {
	c := &PagedCache{Table: table, Lengths: make([]int, len(table))}
	for range pages {
		m := mat.NewDense(page, width, nil)
		m.Apply(func(_, _ int, _ float64) float64 { return math.NaN() }, m)
		c.Pages = append(c.Pages, m)
	}
	return c
}

func TestPagedCache(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	const dc, dR, page = 10, 4, 4
	latent, ropeKey := normal(rng, 9, dc, 1), normal(rng, 9, dR, 1)
	q := []*mat.Dense{normal(rng, 3, dc+dR, 1), normal(rng, 3, dc+dR, 1)}
	scale := SoftmaxScale(6, dR)

	scattered := newCache(7, page, dc+dR, []int{6, 0, 3}, []int{2, 5, -1})
	scattered.Append(0, latent, ropeKey)
	scattered.Append(1, latent.Slice(0, 5, 0, dc), ropeKey.Slice(0, 5, 0, dR))
	dense := ConcatKey(latent, ropeKey)

	t.Run("Gather returns the rows that were appended, in order", func(t *testing.T) {
		identical(t, "sequence 0", scattered.Gather(0), dense)
		identical(t, "sequence 1", scattered.Gather(1), dense.Slice(0, 5, 0, dc+dR))
	})

	t.Run("GatherPages asks for each page in turn, with room for the rows in use", func(t *testing.T) {
		got := GatherPages(9, page, dc+dR, func(p int, rows []float64) {
			first := p * page * (dc + dR)
			copy(rows, dense.RawMatrix().Data[first:first+len(rows)])
		})
		identical(t, "rows", got, dense)
		if none := GatherPages(0, page, 3, nil); none.RawMatrix().Cols != 3 {
			t.Error("without rows")
		}
	})

	t.Run("row 4 of pages of 4 is the first of the second page", func(t *testing.T) {
		identical(t, "row", scattered.Pages[0].Slice(0, 1, 0, dc+dR), dense.Slice(4, 5, 0, dc+dR))
	})

	t.Run("rows appended one by one or together lie alike", func(t *testing.T) {
		one := newCache(7, page, dc+dR, []int{6, 0, 3})
		for n := range 9 {
			one.Append(0, latent.Slice(n, n+1, 0, dc), ropeKey.Slice(n, n+1, 0, dR))
		}
		identical(t, "rows", one.Gather(0), dense)
	})

	t.Run("Decode over scattered pages is Decode over contiguous ones, and attention over no pages",
		func(t *testing.T) {
			contiguous := newCache(3, page, dc+dR, []int{0, 1, 2})
			contiguous.Append(0, latent, ropeKey)
			got, lse := scattered.Decode(0, q, dc, scale, true)
			want, lseWant := contiguous.Decode(0, q, dc, scale, true)
			for i := range q {
				o, l := Attend(q[i], dense, latent, scale, causalMask)
				identical(t, "contiguous", got[i], want[i])
				identical(t, "dense", got[i], o)
				for s := range l {
					if lse[i][s] != l[s] || lse[i][s] != lseWant[i][s] {
						t.Errorf("lse of head %d, query %d: %v, %v and %v", i, s, lse[i][s], lseWant[i][s], l[s])
					}
				}
			}
		})

	// The last page is full of NaN behind its one row, and so are the pages that belong to nobody.
	t.Run("a NaN in the tail of the last page is never read", func(t *testing.T) {
		if !math.IsNaN(scattered.Pages[3].At(1, 0)) || !math.IsNaN(scattered.Pages[4].At(0, 0)) {
			t.Fatal("the tail is not poisoned")
		}
		for _, causal := range []bool{true, false} {
			out, _ := scattered.Decode(0, q, dc, scale, causal)
			for i := range out {
				if sum := mat.Sum(out[i]); math.IsNaN(sum) {
					t.Errorf("head %d is NaN", i)
				}
			}
		}
	})

	// Query s of S stands at position length−S+s.
	t.Run("of several queries each sees its own row and those before", func(t *testing.T) {
		out, _ := scattered.Decode(0, q, dc, scale, true)
		for s := range 3 {
			seen := 9 - 3 + s + 1
			row := q[0].Slice(s, s+1, 0, dc+dR)
			alone, _ := Attend(
				row, dense.Slice(0, seen, 0, dc+dR), latent.Slice(0, seen, 0, dc), scale, attention.Mask{},
			)
			bound := abs(alone)
			bound.Apply(func(_, _ int, _ float64) float64 { return 40 * gamma(seen+dc+dR) }, bound)
			within(t, fmt.Sprint("query ", s), out[0].Slice(s, s+1, 0, dc), alone, bound)
		}
	})

	t.Run("without causal all queries see all rows", func(t *testing.T) {
		out, _ := scattered.Decode(0, q, dc, scale, false)
		o, _ := Attend(q[1], dense, latent, scale, attention.Mask{})
		identical(t, "o", out[1], o)
	})

	// 0 queries of the sum are left: the output is 0 and the log of an empty sum −∞.
	t.Run("a query that sees nothing has output 0 and log-sum-exp −∞", func(t *testing.T) {
		short := newCache(2, page, dc+dR, []int{1}, []int{0})
		out, lse := short.Decode(1, q, dc, scale, true)
		identical(t, "empty sequence", out[0], mat.NewDense(3, dc, nil))
		if !math.IsInf(lse[0][2], -1) {
			t.Errorf("lse %v", lse[0])
		}
		short.Append(0, latent.Slice(0, 1, 0, dc), ropeKey.Slice(0, 1, 0, dR))
		out, lse = short.Decode(0, q, dc, scale, true) // three queries, one row: two stand before the sequence
		identical(t, "before the sequence", out[0].Slice(0, 2, 0, dc), mat.NewDense(2, dc, nil))
		identical(t, "at its only row", out[0].Slice(2, 3, 0, dc), latent.Slice(0, 1, 0, dc))
		if !math.IsInf(lse[0][0], -1) || !math.IsInf(lse[0][1], -1) || math.IsInf(lse[0][2], -1) {
			t.Errorf("lse %v", lse[0])
		}
	})

	t.Run("a row that the table has no page for panics", func(t *testing.T) {
		panicsWith(t, "mla: row is not in the block table", func() { scattered.Append(0, latent, ropeKey) })
		c := newCache(2, page, dc+dR, []int{1, -1})
		panicsWith(t, "mla: page of the block table does not exist", func() { c.Append(0, latent, ropeKey) })
		panicsWith(t, "mla: width of the new rows is not the cache's", func() { c.Append(0, ropeKey, ropeKey) })
		panicsWith(t, "mla: values are wider than the rows of the cache", func() {
			scattered.Decode(0, q, dc+dR+1, scale, true)
		})
		panicsWith(t, "mla: pages without rows", func() { GatherPages(1, 0, 3, nil) })
		mixed := newCache(1, page, dc+dR, []int{0, 1})
		mixed.Append(0, latent.Slice(0, 3, 0, dc), ropeKey.Slice(0, 3, 0, dR))
		mixed.Pages, mixed.Lengths[0] = append(mixed.Pages, mat.NewDense(page, dc, nil)), 5
		panicsWith(t, "mla: pages have different widths", func() { mixed.Gather(0) })
		panicsWith(t, "mla: cache without pages", func() {
			(&PagedCache{Table: [][]int{{0}}, Lengths: []int{0}}).Append(0, latent, ropeKey)
		})
	})
}

func TestLayerDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 2))
	c := threeBy
	c.YaRN = &v3YaRN
	const tokens, page = 11, 3
	width := small.dC + c.RopeDim
	table := []int{8, 1, 6, 3}

	// Token t sees the rows of tokens ≤ t in either case; the sums are the same, their order need
	// not be.
	t.Run("decoding token by token, or a few at a time, is the full layer", func(t *testing.T) {
		for _, s := range []shape{small, lite} {
			w, x := newWeights(rng, s, c), normal(rng, tokens, s.d, 1)
			full, _ := bothForms(t, "full", x, w, c)
			naive, bound := evaluate(x, w, c, false).e, evaluate(x, w, c, true).e
			for _, chunk := range []int{1, 2, 3, 4, tokens} {
				cache := newCache(9, page, width, table)
				for at := 0; at < tokens; at += chunk {
					end := min(at+chunk, tokens)
					y := LayerDecode(x.Slice(at, end, 0, s.d), w, c, cache, 0)
					part := func(m *mat.Dense) *mat.Dense { return m.Slice(at, end, 0, s.d).(*mat.Dense) }
					within(t, fmt.Sprintf("chunks of %d at %d", chunk, at), y, part(full), part(naive), part(bound))
				}
			}
		}
	})

	t.Run("what Layer returns beside y is what decoding caches", func(t *testing.T) {
		w, x := newWeights(rng, small, c), normal(rng, tokens, small.d, 1)
		full, bound := bothForms(t, "full", x, w, c)
		_, latent, ropeKey := Layer(x.Slice(0, tokens-1, 0, small.d), w, c)
		cache := newCache(9, page, width, table)
		cache.Append(0, latent, ropeKey)
		y := LayerDecode(x.Slice(tokens-1, tokens, 0, small.d), w, c, cache, 0)
		last := func(m *mat.Dense) *mat.Dense { return m.Slice(tokens-1, tokens, 0, small.d).(*mat.Dense) }
		within(t, "last token", y, last(full), last(bound), last(evaluate(x, w, c, true).e))
	})

	t.Run("sequences that share pages do not share tokens", func(t *testing.T) {
		w := newWeights(rng, small, c)
		a, b := normal(rng, 4, small.d, 1), normal(rng, 4, small.d, 1)
		both := newCache(4, page, width, []int{2, 0}, []int{3, 1})
		alone := newCache(4, page, width, []int{0, 1})
		for n := range 4 {
			LayerDecode(b.Slice(n, n+1, 0, small.d), w, c, both, 1)
			y := LayerDecode(a.Slice(n, n+1, 0, small.d), w, c, both, 0)
			identical(t, fmt.Sprint("token ", n), y, LayerDecode(a.Slice(n, n+1, 0, small.d), w, c, alone, 0))
		}
	})

	// kR is turned once, when it is cached. In a sequence, a position one too far for a query alone
	// changes its distances to all keys.
	t.Run("a position one too far is not the layer", func(t *testing.T) {
		w, x := newWeights(rng, small, c), normal(rng, 2, small.d, 1)
		full, _, _ := Layer(x, w, c)
		_, latent, ropeKey := Layer(x, w, c)
		c := c
		c.Start = 2
		cQ, _, _ := Compress(x.Slice(1, 2, 0, small.d), w, c)
		cache := newCache(1, page, width, []int{0})
		cache.Append(0, latent, ropeKey)
		o := make([]*mat.Dense, c.Heads)
		for i := range o {
			out, _ := cache.Decode(
				0, []*mat.Dense{w.Head(i, c).Absorbed(cQ, c.Rotation(1))}, small.dC, c.ScoreScale(), true,
			)
			o[i] = AbsorbOutput(out[0], w.Head(i, c).UV)
		}
		if d := apart(Output(o, w.WO), full.Slice(1, 2, 0, small.d)); d < 1e-3 {
			t.Errorf("apart by %g only", d)
		}
	})

	t.Run("a token costs 576 cached numbers at DeepSeek's widths, whatever the number of heads", func(t *testing.T) {
		c := Config{Heads: 2, NopeDim: 128, RopeDim: 64, ValueDim: 128, Eps: 1e-6, Base: 10000, Causal: true}
		w := newWeights(rng, shape{d: 16, dC: 512}, c)
		cache := newCache(1, 64, 512+64, []int{0})
		LayerDecode(normal(rng, 3, 16, 1), w, c, cache, 0)
		if n := len(cache.Gather(0).RawMatrix().Data); n != 3*576 {
			t.Errorf("%d numbers for 3 tokens", n)
		}
	})
}
