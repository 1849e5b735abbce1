package mla

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Why there is no cache of queries, compressed or not: what a step leaves behind for later ones is
// its latent and its rotated key, and neither is made from a query.
func TestNoLaterStepReadsAnOldQuery(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 4))
	const tokens, page, early = 9, 4, 5
	c := threeBy
	for _, s := range []shape{small, lite} {
		w, x := newWeights(rng, s, c), normal(rng, tokens, s.d, 1)
		full, naive := bothForms(t, "full", x, w, c)
		bound := evaluate(x, w, c, true).e
		part := func(m *mat.Dense) *mat.Dense { return m.Slice(early, tokens, 0, s.d).(*mat.Dense) }
		decode := func(w Weights, cache *PagedCache, from, to int) *mat.Dense {
			return LayerDecode(x.Slice(from, to, 0, s.d), w, c, cache, 0)
		}

		t.Run("steps whose queries are all NaN leave later steps as they are", func(t *testing.T) {
			cache := newCache(3, page, s.dC+c.RopeDim, []int{0, 1, 2})
			if y := decode(withoutQueries(w), cache, 0, early); !math.IsNaN(y.At(early-1, 0)) {
				t.Fatal("the queries are not NaN")
			}
			within(t, "later steps", decode(w, cache, early, tokens), part(full), part(naive), part(bound))
		})
		t.Run("one cached row that is NaN reaches every later step", func(t *testing.T) {
			cache := newCache(3, page, s.dC+c.RopeDim, []int{0, 1, 2})
			decode(w, cache, 0, early)
			cache.Pages[0].Set(2, 0, math.NaN())
			y := decode(w, cache, early, tokens)
			for step := range tokens - early {
				if !math.IsNaN(y.At(step, 0)) {
					t.Errorf("step %d does not read it", early+step)
				}
			}
		})
	}
}

// withoutQueries returns the weights with NaN wherever a query is made.
func withoutQueries(w Weights) Weights {
	nan := func(m *mat.Dense) *mat.Dense {
		if m == nil {
			return nil
		}
		m = mat.DenseCopyOf(m)
		m.Apply(func(_, _ int, _ float64) float64 { return math.NaN() }, m)
		return m
	}
	w.WDQ, w.WUQ, w.WQ = nan(w.WDQ), nan(w.WUQ), nan(w.WQ)
	return w
}
