package attention_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
)

// part returns the attention to the keys from start up to end alone.
func part(q, k, v *mat.Dense, start, end int, o attention.Options) (*mat.Dense, []float64) {
	o.Mask = o.Mask.From(start)
	d, width := k.RawMatrix().Cols, v.RawMatrix().Cols
	switch {
	case start == end:
		return attention.Head(q, empty(0, d), empty(0, width), o)
	case start%2 == 0: // one form or the other
		return attention.Online(q, k.Slice(start, end, 0, d), v.Slice(start, end, 0, width), 2, o)
	}
	return attention.Head(q, k.Slice(start, end, 0, d), v.Slice(start, end, 0, width), o)
}

// mergeParts attends to the keys between each cut and the next, and merges what comes out.
func mergeParts(q, k, v *mat.Dense, cuts []int, o attention.Options) (*mat.Dense, []float64) {
	var outs []*mat.Dense
	var lses [][]float64
	for i := range len(cuts) - 1 {
		out, lse := part(q, k, v, cuts[i], cuts[i+1], o)
		outs, lses = append(outs, out), append(lses, lse)
	}
	return attention.Merge(outs, lses)
}

func TestMerge(t *testing.T) {
	// Each part is Σ e^x v / e^lse_p; weighted by e^lse_p and divided by the sum of these
	// it is the whole. Cuts anywhere, empty parts included; parts that see nothing too.
	t.Run("the parts of any split merge to the whole", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			q, k, v, o := problem(t)
			keys := k.RawMatrix().Rows
			cuts := []int{0}
			for range rapid.IntRange(0, 4).Draw(t, "cuts") {
				cuts = append(cuts, rapid.IntRange(cuts[len(cuts)-1], keys).Draw(t, "cut"))
			}
			cuts = append(cuts, keys)
			sink := o.Sink
			o.Sink = nil
			out, lse := mergeParts(q, k, v, cuts, o)
			if sink != nil { // once, on the whole
				for s := range lse {
					for c := range out.RawMatrix().Cols {
						out.Set(s, c, out.At(s, c)*attention.SinkFactor(lse[s], *sink))
					}
				}
			}
			o.Sink = sink
			want, wantLSE := attention.Head(q, k, v, o)
			same(t, "out", out, want, 4*bound(8, keys))
			sameRow(t, "lse", lse, wantLSE, 4*bound(8, keys))
		})
	})

	rng := source(30)
	q, k, v := random(rng, 3, 4), random(rng, 8, 4), random(rng, 8, 2)
	o := attention.Options{Mask: attention.Mask{Queries: 3, Keys: 8}}
	a, la := part(q, k, v, 0, 2, o)
	b, lb := part(q, k, v, 2, 7, o)
	c, lc := part(q, k, v, 7, 8, o)

	t.Run("merging is associative and commutative", func(t *testing.T) {
		want, wantLSE := attention.Merge([]*mat.Dense{a, b, c}, [][]float64{la, lb, lc})
		ab, lab := attention.Merge([]*mat.Dense{a, b}, [][]float64{la, lb})
		got, lse := attention.Merge([]*mat.Dense{c, ab}, [][]float64{lc, lab})
		same(t, "out", got, want, bound(4, 8))
		sameRow(t, "lse", lse, wantLSE, bound(4, 8))
	})

	// e^{lse − lse} = 1, and log e^0 = 0.
	t.Run("one part alone is left as it is", func(t *testing.T) {
		got, lse := attention.Merge([]*mat.Dense{a}, [][]float64{la})
		same(t, "out", got, a, 0)
		sameRow(t, "lse", lse, la, 0)
	})

	t.Run("a part with lse −∞ is left out, whatever it holds", func(t *testing.T) {
		garbage := mat.NewDense(3, 2, []float64{nan, inf, 1, 2, nan, -inf})
		none := []float64{-inf, -inf, -inf}
		got, lse := attention.Merge([]*mat.Dense{garbage, a, garbage}, [][]float64{none, la, none})
		same(t, "out", got, a, 0)
		sameRow(t, "lse", lse, la, 0)
		got, lse = attention.Merge([]*mat.Dense{garbage, garbage}, [][]float64{none, none})
		same(t, "nothing but such", got, empty(3, 2), 0)
		sameRow(t, "nothing but such", lse, none, 0)
	})

	t.Run("parts of equal lse give their mean", func(t *testing.T) {
		zero := []float64{0, 0, 0}
		got, lse := attention.Merge([]*mat.Dense{a, b}, [][]float64{zero, zero})
		var mean mat.Dense
		mean.Add(a, b)
		mean.Scale(0.5, &mean)
		same(t, "out", got, &mean, 8*u)
		sameRow(t, "lse", lse, []float64{math.Ln2, math.Ln2, math.Ln2}, 0)
	})

	// Weights 2^lse instead of e^lse: right for one part, and for parts of equal lse only.
	t.Run("an lse in base 2 read as natural gives another output", func(t *testing.T) {
		base2 := make([][]float64, 2)
		for i, l := range [][]float64{la, lb} {
			for _, x := range l {
				base2[i] = append(base2[i], x/math.Ln2)
			}
		}
		want, _ := attention.Merge([]*mat.Dense{a, b}, [][]float64{la, lb})
		got, _ := attention.Merge([]*mat.Dense{a, b}, base2)
		if mat.EqualApprox(got, want, 1e-3) {
			t.Error("the inputs cannot tell the bases apart")
		}
	})

	// Counted in each of P parts, a sink would stand P times in the denominator.
	t.Run("a sink in every part is not the sink of the whole", func(t *testing.T) {
		sink := 1.0
		o := o
		o.Sink = &sink
		a, la := part(q, k, v, 0, 2, o)
		b, lb := part(q, k, v, 2, 8, o)
		got, lse := attention.Merge([]*mat.Dense{a, b}, [][]float64{la, lb})
		want, wantLSE := attention.Head(q, k, v, o)
		if mat.EqualApprox(got, want, 1e-3) {
			t.Error("the inputs cannot tell them apart")
		}
		sameRow(t, "lse, which does not count it,", lse, wantLSE, bound(4, 8))
	})
}

// problem draws shapes, a mask that may be causal, windowed or cut short, a cap and a sink.
func problem(t *rapid.T) (q, k, v *mat.Dense, o attention.Options) {
	queries, keys := rapid.IntRange(1, 6).Draw(t, "queries"), rapid.IntRange(0, 9).Draw(t, "keys")
	d, width := rapid.IntRange(1, 8).Draw(t, "key width"), rapid.IntRange(1, 3).Draw(t, "value width")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	q, k, v = random(rng, queries, d), random(rng, keys, d), random(rng, keys, width)
	o.Mask = attention.Mask{
		Causal:  rapid.Bool().Draw(t, "causal"),
		Window:  rapid.IntRange(0, 5).Draw(t, "window"),
		Queries: queries,
		Keys:    rapid.IntRange(0, keys).Draw(t, "kv_len"),
	}
	o.SoftCap = rapid.SampledFrom([]float64{0, 0.5, 30}).Draw(t, "cap")
	o.Sink = rapid.SampledFrom([]*float64{nil, new(float64)}).Draw(t, "sink")
	return q, k, v, o
}
