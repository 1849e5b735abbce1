package attention_test

import (
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// visible returns 1 where a query sees a key; the same as the weights of zero scores
// times the number of keys seen.
func visible(m attention.Mask, keys int) *mat.Dense {
	x := empty(m.Queries, keys)
	for s := range m.Queries {
		for j := range keys {
			if m.Sees(s, j) {
				x.Set(s, j, 1)
			}
		}
	}
	return x
}

func TestMask(t *testing.T) {
	t.Run("causal is the lower triangle, diagonal included", func(t *testing.T) {
		got := visible(attention.Mask{Causal: true, Queries: 3, Keys: 3}, 3)
		same(t, "mask", got, mat.NewDense(3, 3, []float64{1, 0, 0, 1, 1, 0, 1, 1, 1}), 0)
	})

	// Two queries, four keys: the queries are the last two tokens, at positions 2 and 3.
	t.Run("queries are aligned to the last key, not to the first", func(t *testing.T) {
		got := visible(attention.Mask{Causal: true, Queries: 2, Keys: 4}, 4)
		same(t, "bottom right", got, mat.NewDense(2, 4, []float64{1, 1, 1, 0, 1, 1, 1, 1}), 0)
		// as if the keys ended with the queries
		topLeft := visible(attention.Mask{Causal: true, Queries: 2, Keys: 2}, 4)
		same(t, "top left", topLeft, mat.NewDense(2, 4, []float64{1, 0, 0, 0, 1, 1, 0, 0}), 0)
		q, k, v := empty(2, 2), empty(4, 2), mat.NewDense(4, 1, []float64{0, 0, 3, 12})
		out, _ := attention.Head(q, k, v, attention.Options{Mask: attention.Mask{Causal: true}})
		same(t, "the difference in an output", out, mat.NewDense(2, 1, []float64{1, 3.75}), 4*u) // ⅓·3, ¼·15
	})

	t.Run("for as many queries as keys both alignments agree", func(t *testing.T) {
		m := attention.Mask{Causal: true, Queries: 4, Keys: 4}
		for s := range 4 {
			for j := range 4 {
				if m.Sees(s, j) != (j <= s) {
					t.Errorf("query %d, key %d", s, j)
				}
			}
		}
	})

	t.Run("with more queries than keys the first see nothing", func(t *testing.T) {
		got := visible(attention.Mask{Causal: true, Queries: 3, Keys: 2}, 2)
		same(t, "mask", got, mat.NewDense(3, 2, []float64{0, 0, 1, 0, 1, 1}), 0)
	})

	t.Run("keys not in use are never seen", func(t *testing.T) {
		got := visible(attention.Mask{Queries: 1, Keys: 2}, 4)
		same(t, "mask", got, mat.NewDense(1, 4, []float64{1, 1, 0, 0}), 0)
	})

	t.Run("a window of 1 sees itself alone, one of w sees w keys", func(t *testing.T) {
		got := visible(attention.Mask{Causal: true, Window: 1, Queries: 2, Keys: 3}, 3)
		same(t, "window 1", got, mat.NewDense(2, 3, []float64{0, 1, 0, 0, 0, 1}), 0)
		for w := 1; w < 8; w++ {
			if n := mat.Sum(visible(attention.Mask{Causal: true, Window: w, Queries: 1, Keys: 7}, 7)); n != float64(w) {
				t.Errorf("a window of %d sees %v keys", w, n)
			}
		}
	})

	t.Run("a window without causality bounds the past and leaves the future", func(t *testing.T) {
		got := visible(attention.Mask{Window: 2, Queries: 3, Keys: 3}, 3)
		same(t, "mask", got, mat.NewDense(3, 3, []float64{1, 1, 1, 1, 1, 1, 0, 1, 1}), 0)
	})

	t.Run("a window as long as the keys is none", func(t *testing.T) {
		with := attention.Mask{Causal: true, Window: 5, Queries: 5, Keys: 5}
		without := with
		without.Window = 0
		same(t, "mask", visible(with, 5), visible(without, 5), 0)
	})

	// One formula by pairs, one by positions: over every small mask they are the same.
	t.Run("Range is the interval of what Sees sees, on every small mask", func(t *testing.T) {
		everyMask(func(m attention.Mask) {
			for s := range m.Queries {
				lo, hi := m.Range(s)
				for j := -1; j <= m.Keys+1; j++ {
					if m.Sees(s, j) != (lo <= j && j < hi) {
						t.Errorf("%+v: query %d, key %d: Sees %v, Range [%d, %d)", m, s, j, m.Sees(s, j), lo, hi)
					}
				}
			}
		})
	})

	t.Run("From counts the keys from another one on", func(t *testing.T) {
		everyMask(func(m attention.Mask) {
			for start := range 7 {
				part := m.From(start)
				for s := range m.Queries {
					for j := range 7 {
						if part.Sees(s, j) != m.Sees(s, start+j) {
							t.Errorf("%+v from %d: query %d, key %d", m, start, s, j)
						}
					}
				}
			}
		})
	})

	t.Run("the zero mask hides nothing, and sizes left out come from the matrices", func(t *testing.T) {
		rng := source(6)
		q, k := random(rng, 2, 3), random(rng, 4, 3)
		for _, pair := range [][2]attention.Mask{
			{{}, {Queries: 2, Keys: 4}},
			{{Causal: true}, {Causal: true, Queries: 2, Keys: 4}},
			{{Keys: 3}, {Queries: 2, Keys: 3}},
		} {
			got := attention.Scores(q, k, attention.Options{Mask: pair[0]})
			same(t, "scores", got, attention.Scores(q, k, attention.Options{Mask: pair[1]}), 0)
		}
	})

	// The first rows of a longer block of queries keep their positions.
	t.Run("a block of the queries can be computed alone", func(t *testing.T) {
		rng := source(7)
		q, k := random(rng, 5, 3), random(rng, 6, 3)
		whole := attention.Scores(q, k, attention.Options{Mask: attention.Mask{Causal: true}})
		for s := range 5 {
			o := attention.Options{Mask: attention.Mask{Causal: true, Queries: 5 - s, Keys: 6}}
			same(t, "row", attention.Scores(q.Slice(s, s+1, 0, 3), k, o), whole.Slice(s, s+1, 0, 6), 8*u)
		}
	})
}

// everyMask calls f with every mask of up to 4 queries, 5 keys and windows up to 6.
func everyMask(f func(attention.Mask)) {
	for queries := 1; queries <= 4; queries++ {
		for keys := range 6 {
			for window := range 7 {
				for _, causal := range []bool{false, true} {
					f(attention.Mask{Causal: causal, Window: window, Queries: queries, Keys: keys})
				}
			}
		}
	}
}
