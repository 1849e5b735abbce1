package attention_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// withNaN returns m with NaN in one row.
func withNaN(m *mat.Dense, row int) *mat.Dense {
	p := mat.DenseCopyOf(m)
	for i := range p.RawRowView(row) {
		p.Set(row, i, math.NaN())
	}
	return p
}

// nanRows returns which rows of a matrix have a NaN.
func nanRows(m *mat.Dense) (rows []int) {
	n, _ := m.Dims()
	for t := range n {
		if slices.ContainsFunc(m.RawRowView(t), math.IsNaN) {
			rows = append(rows, t)
		}
	}
	return rows
}

// Why there is a cache of keys and values and none of queries: o_t is a sum over j ≤ t of functions
// of q_t, k_j and v_j. Of all rows of q it has the last alone.
func TestNoLaterStepReadsAnOldQuery(t *testing.T) {
	rng := source(41)
	const tokens, d, width, old = 6, 4, 3, 2
	q, k, v := random(rng, tokens, d), random(rng, tokens, d), random(rng, tokens, width)
	causal := attention.Options{Mask: attention.Mask{Causal: true}}

	t.Run("an old query changes its own row and no other", func(t *testing.T) {
		out, _ := attention.Head(withNaN(q, old), k, v, causal)
		if rows := nanRows(out); !slices.Equal(rows, []int{old}) {
			t.Errorf("rows %d", rows)
		}
	})
	for name, o := range map[string][2]*mat.Dense{"key": {withNaN(k, old), v}, "value": {k, withNaN(v, old)}} {
		t.Run(fmt.Sprintf("an old %s changes every row from its own on", name), func(t *testing.T) {
			out, _ := attention.Head(q, o[0], o[1], causal)
			if rows := nanRows(out); !slices.Equal(rows, []int{2, 3, 4, 5}) {
				t.Errorf("rows %d", rows)
			}
		})
	}
	t.Run("decoding with every old query overwritten is the whole pass", func(t *testing.T) {
		want, _ := attention.Head(q, k, v, causal)
		queries, cache := mat.DenseCopyOf(q), attention.Cache{}
		for s := range tokens {
			cache = cache.Append(k.Slice(s, s+1, 0, d), v.Slice(s, s+1, 0, width))
			out, _ := attention.Decode(queries.Slice(s, s+1, 0, d), cache, causal)
			same(t, "out", out, want.Slice(s, s+1, 0, width), bound(d, tokens))
			queries.Copy(withNaN(queries, s))
		}
	})
}
