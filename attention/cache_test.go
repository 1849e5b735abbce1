package attention_test

import (
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

func TestDecode(t *testing.T) {
	rng := source(40)
	const tokens, d, width = 7, 4, 3
	q, k, v := random(rng, tokens, d), random(rng, tokens, d), random(rng, tokens, width)
	sink := 0.5

	for name, o := range map[string]attention.Options{
		"plain":             {},
		"windowed":          {Mask: attention.Mask{Window: 3}},
		"capped and sinked": {SoftCap: 2, Sink: &sink},
	} {
		full := o
		full.Mask.Causal = true
		want, wantLSE := attention.Head(q, k, v, full)

		// A causal row depends on the keys up to its own alone, and these are the cache.
		t.Run("decoding token by token is the full causal forward, "+name, func(t *testing.T) {
			var cache attention.Cache
			for s := range tokens {
				cache = cache.Append(k.Slice(s, s+1, 0, d), v.Slice(s, s+1, 0, width))
				out, lse := attention.Decode(q.Slice(s, s+1, 0, d), cache, o)
				same(t, "out", out, want.Slice(s, s+1, 0, width), bound(d, tokens))
				sameRow(t, "lse", lse, wantLSE[s:s+1], bound(d, tokens))
			}
			if cache.Len() != tokens {
				t.Errorf("%d tokens in the cache, want %d", cache.Len(), tokens)
			}
		})

		// Prefill of 4, then 3 drafted tokens at once: they see the cache and each other.
		t.Run("several tokens on a filled cache are the rest of the full forward, "+name, func(t *testing.T) {
			cache := attention.Cache{}.Append(k.Slice(0, 4, 0, d), v.Slice(0, 4, 0, width))
			cache = cache.Append(k.Slice(4, 7, 0, d), v.Slice(4, 7, 0, width))
			out, _ := attention.Decode(q.Slice(4, 7, 0, d), cache, o)
			same(t, "out", out, want.Slice(4, 7, 0, width), bound(d, tokens))
		})
	}

	t.Run("appending leaves the old cache as it was, and nothing adds nothing", func(t *testing.T) {
		old := attention.Cache{}.Append(k.Slice(0, 2, 0, d), v.Slice(0, 2, 0, width))
		old.Append(k.Slice(2, 3, 0, d), v.Slice(2, 3, 0, width))
		if n := old.Append(empty(0, d), empty(0, width)).Len(); n != 2 || old.Len() != 2 {
			t.Errorf("%d and %d tokens, want 2", n, old.Len())
		}
		same(t, "keys", old.K, k.Slice(0, 2, 0, d), 0)
	})

	t.Run("the cache of a grouped layer holds one entry per group", func(t *testing.T) {
		w := attention.Weights{
			WQ: random(rng, 4*d, 5), WK: random(rng, 2*d, 5), WV: random(rng, 2*width, 5), WO: random(rng, 5, 4*width),
		}
		x := random(rng, tokens, 5)
		want := attention.MultiHead(x, x, w, 4, 2, attention.Options{Mask: attention.Mask{Causal: true}})
		caches := make([]attention.Cache, 2)
		for s := range tokens {
			token := x.Slice(s, s+1, 0, 5)
			k, v := attention.SplitHeads(
				attention.Project(token, w.WK), 2,
			), attention.SplitHeads(attention.Project(token, w.WV), 2)
			for g := range caches {
				caches[g] = caches[g].Append(k[g], v[g])
			}
			heads := make([]*mat.Dense, 4)
			for h, q := range attention.SplitHeads(attention.Project(token, w.WQ), 4) {
				heads[h], _ = attention.Decode(q, caches[attention.Group(h, 4, 2)], attention.Options{})
			}
			y := attention.Project(attention.ConcatHeads(heads), w.WO)
			same(t, "layer", y, want.Slice(s, s+1, 0, 5), 64*bound(d, tokens)) // values up to 5, 12 of them summed
		}
	})
}
