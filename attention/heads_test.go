package attention_test

import (
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// sameHeads is same for a matrix per head.
func sameHeads(t *testing.T, what string, got, want []*mat.Dense, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d heads, want %d", what, len(got), len(want))
	}
	for h := range want {
		same(t, what, got[h], want[h], bound)
	}
}

func TestGroup(t *testing.T) {
	t.Run("neighbouring heads share a group", func(t *testing.T) {
		for h, want := range []int{0, 0, 0, 1, 1, 1} {
			if g := attention.Group(h, 6, 2); g != want {
				t.Errorf("head %d of 6 in 2 groups uses %d, want %d", h, g, want)
			}
		}
	})
	t.Run("with as many groups as heads each has its own, with one all share it", func(t *testing.T) {
		for h := range 8 {
			if attention.Group(h, 8, 8) != h || attention.Group(h, 8, 1) != 0 {
				t.Errorf("head %d uses %d and %d", h, attention.Group(h, 8, 8), attention.Group(h, 8, 1))
			}
		}
	})
	// h ÷ n_g is right where a group has as many heads as there are groups: 64 heads, 8 groups.
	t.Run("dividing by the number of groups is right for 64 heads in 8 groups, and not for 48", func(t *testing.T) {
		wrong := func(heads, groups int) (n int) {
			for h := range heads {
				if attention.Group(h, heads, groups) != h/groups {
					n++
				}
			}
			return n
		}
		if wrong(64, 8) != 0 || wrong(48, 8) == 0 {
			t.Errorf("it parts for %d of 64 heads and %d of 48", wrong(64, 8), wrong(48, 8))
		}
	})
}

func TestHeads(t *testing.T) {
	rng := source(20)
	q, k, v := several(rng, 6, 4, 3), several(rng, 6, 5, 3), several(rng, 6, 5, 2)
	o := attention.Options{Mask: attention.Mask{Causal: true}, Sinks: []float64{-1, 0, 1, 2, 3, 4}}

	t.Run("with as many groups as heads GQA is MHA", func(t *testing.T) {
		want, wantLSE := attention.MHA(q, k, v, o)
		got, lse := attention.GQA(q, k, v, o)
		sameHeads(t, "out", got, want, 0)
		for h := range lse {
			sameRow(t, "lse", lse[h], wantLSE[h], 0)
		}
	})

	t.Run("with one group GQA is MQA", func(t *testing.T) {
		want, _ := attention.MQA(q, k[0], v[0], o)
		got, _ := attention.GQA(q, k[:1], v[:1], o)
		sameHeads(t, "out", got, want, 0)
	})

	t.Run("repeating each group's keys and values and running MHA is GQA", func(t *testing.T) {
		want, _ := attention.MHA(q, attention.Repeat(k[:2], 6), attention.Repeat(v[:2], 6), o)
		got, _ := attention.GQA(q, k[:2], v[:2], o)
		sameHeads(t, "out", got, want, 0)
	})

	// h mod n_g is 0 1 0 1 0 1, ⌊h·n_g/n_h⌋ is 0 0 0 1 1 1: heads 1 and 4 part.
	t.Run("tiling the heads over the groups is another function", func(t *testing.T) {
		tiledK := []*mat.Dense{k[0], k[1], k[0], k[1], k[0], k[1]}
		tiledV := []*mat.Dense{v[0], v[1], v[0], v[1], v[0], v[1]}
		tiled, _ := attention.MHA(q, tiledK, tiledV, o)
		grouped, _ := attention.GQA(q, k[:2], v[:2], o)
		for h, want := range []bool{true, false, true, true, false, true} {
			if mat.EqualApprox(tiled[h], grouped[h], 1e-3) != want {
				t.Errorf("head %d: equal is not %v", h, want)
			}
		}
	})

	t.Run("a head of MHA is Head", func(t *testing.T) {
		got, lse := attention.MHA(q[:1], k[:1], v[:1], attention.Options{})
		want, wantLSE := attention.Head(q[0], k[0], v[0], attention.Options{})
		same(t, "out", got[0], want, 0)
		sameRow(t, "lse", lse[0], wantLSE, 0)
	})
}

func TestPoolHeads(t *testing.T) {
	rng := source(21)

	// (w + w)/2 = w and (w + w + w + w)/4 = w without rounding.
	t.Run("pooling identical heads is exact, and the model computes the same", func(t *testing.T) {
		const heads, groups, d, width = 4, 2, 3, 5
		one, two := random(rng, d, width), random(rng, d, width)
		var wK, upper, lower mat.Dense
		upper.Stack(one, one)
		lower.Stack(two, two)
		wK.Stack(&upper, &lower)
		pooled := attention.PoolHeads(&wK, heads, groups)
		var want mat.Dense
		want.Stack(one, two)
		same(t, "pooled", pooled, &want, 0)

		x := random(rng, 6, width)
		w := attention.Weights{WQ: random(rng, heads*d, width), WK: &wK, WV: &wK, WO: random(rng, width, heads*d)}
		before := attention.MultiHead(x, x, w, heads, heads, attention.Options{})
		w.WK, w.WV = pooled, pooled
		after := attention.MultiHead(x, x, w, heads, groups, attention.Options{})
		same(t, "layer", after, before, 0)
	})

	t.Run("a pooled head is the mean of the heads of its group", func(t *testing.T) {
		w := mat.NewDense(6, 1, []float64{1, 10, 3, 30, 5, 50}) // three heads of two rows
		same(t, "one group", attention.PoolHeads(w, 3, 1), mat.NewDense(2, 1, []float64{3, 30}), 0)
		same(t, "as many groups as heads", attention.PoolHeads(w, 3, 3), w, 0)
	})

	// Projection is linear: mean of keys = (mean of projections) x, per group of neighbours.
	t.Run("a pooled projection gives the mean of the group's keys", func(t *testing.T) {
		w, x := random(rng, 8, 3), random(rng, 4, 3)
		keys := attention.SplitHeads(attention.Project(x, w), 4)
		pooled := attention.SplitHeads(attention.Project(x, attention.PoolHeads(w, 4, 2)), 2)
		for g := range pooled {
			var mean mat.Dense
			mean.Add(keys[2*g], keys[2*g+1])
			mean.Scale(0.5, &mean)
			same(t, "keys", pooled[g], &mean, 16*u)
		}
	})
}

func TestMultiHead(t *testing.T) {
	rng := source(22)
	const heads, d, v, width = 3, 4, 2, 5
	x := random(rng, 6, width)
	w := attention.Weights{
		WQ: random(rng, heads*d, width), WK: random(rng, heads*d, width),
		WV: random(rng, heads*v, width), WO: random(rng, width, heads*v),
	}
	o := attention.Options{Mask: attention.Mask{Causal: true}}

	t.Run("one head with identity projections is Head of the tokens themselves", func(t *testing.T) {
		one := identity(width)
		got := attention.MultiHead(x, x, attention.Weights{WQ: one, WK: one, WV: one, WO: one}, 1, 1, o)
		want, _ := attention.Head(x, x, x, o)
		same(t, "layer", got, want, 0)
	})

	// W^O [o_1; o_2; …] = Σ_h W^O_h o_h with W^O_h the columns of head h.
	t.Run("the output is the sum of every head's part", func(t *testing.T) {
		q := attention.SplitHeads(attention.Project(x, w.WQ), heads)
		k := attention.SplitHeads(attention.Project(x, w.WK), heads)
		values := attention.SplitHeads(attention.Project(x, w.WV), heads)
		out, _ := attention.MHA(q, k, values, o)
		sum := empty(6, width)
		for h := range heads {
			var part mat.Dense
			part.Mul(out[h], w.WO.(*mat.Dense).Slice(0, width, h*v, (h+1)*v).T())
			sum.Add(sum, &part)
		}
		same(t, "layer", attention.MultiHead(x, x, w, heads, heads, o), sum, float64(2*heads*(v+2))*u*heads*v)
	})

	t.Run("a causal layer gives a prefix the same as the whole text", func(t *testing.T) {
		whole := attention.MultiHead(x, x, w, heads, heads, o)
		first := x.Slice(0, 3, 0, width)
		prefix := attention.MultiHead(first, first, w, heads, heads, o)
		// projections grow values to 5, scores to 50
		same(t, "first three", prefix, whole.Slice(0, 3, 0, width), 64*bound(d, 6))
	})

	// x = W^V y for every query where all tokens are the same y, whatever the weights.
	t.Run("on equal tokens the layer is its value and output projections", func(t *testing.T) {
		y := empty(4, width)
		for r := range 4 {
			y.SetRow(r, x.RawRowView(0))
		}
		got := attention.MultiHead(x, y, w, heads, heads, attention.Options{})
		want := attention.Project(attention.Project(y.Slice(0, 1, 0, width), w.WV), w.WO)
		for s := range 6 {
			same(t, "layer", got.Slice(s, s+1, 0, width), want, 64*bound(d, 4))
		}
	})

	t.Run("joining the heads undoes splitting them", func(t *testing.T) {
		long := random(rng, 4, 12)
		for _, n := range []int{1, 2, 3, 12} {
			same(t, "tokens", attention.ConcatHeads(attention.SplitHeads(long, n)), long, 0)
		}
		second := attention.SplitHeads(long, 3)[1]
		same(t, "second head", second, long.Slice(0, 4, 4, 8), 0)
	})
}

// identity returns the [n × n] identity.
func identity(n int) *mat.Dense {
	m := empty(n, n)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}
