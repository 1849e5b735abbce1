package mla

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/rope"
)

// Small integers make every sum exact, so that products of matrices can be asked for to the bit.

func TestProjections(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	x, w := integers(rng, 5, 7, 9), integers(rng, 6, 7, 9)
	for name, f := range map[string]func(x, w mat.Matrix) *mat.Dense{
		"CompressKV (9)": CompressKV, "UpKey (10)": UpKey, "UpValue (11)": UpValue, "CompressQuery (12)": CompressQuery,
		"UpQuery (13)": UpQuery,
	} {
		t.Run(name+" is its matrix on every token", func(t *testing.T) {
			y := f(x, w)
			for n := range 5 {
				for a := range 6 {
					var sum float64
					for b := range 7 {
						sum += w.At(a, b) * x.At(n, b)
					}
					if y.At(n, a) != sum {
						t.Fatalf("(%d, %d) is %v, want %v", n, a, y.At(n, a), sum)
					}
				}
			}
		})
		t.Run(name+" of one head is a part of that of all", func(t *testing.T) {
			identical(t, "second of two heads", f(x, w.Slice(3, 6, 0, 7)), f(x, w).Slice(0, 5, 3, 6))
		})
	}

	// What W^DKV h does not keep, no head can see.
	t.Run("tokens with one latent have one key and one value", func(t *testing.T) {
		h, wDKV := integers(rng, 2, 7, 9), integers(rng, 3, 7, 9)
		h.SetRow(1, h.RawRowView(0))
		for a := range 3 {
			wDKV.Set(a, 6, 0)
		}
		h.Set(1, 6, 100)
		cKV := CompressKV(h, wDKV)
		for _, y := range []*mat.Dense{UpKey(cKV, integers(rng, 8, 3, 9)), UpValue(cKV, integers(rng, 8, 3, 9))} {
			identical(t, "second token", y.Slice(1, 2, 0, 8), y.Slice(0, 1, 0, 8))
		}
	})
}

func TestRopeQueryAndRopeKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	c, h, w := threeBy, integers(rng, 5, 7, 9), integers(rng, 4, 7, 9)

	t.Run("at position 0 nothing turns", func(t *testing.T) {
		for _, layout := range []rope.Layout{rope.Interleaved, rope.Half} {
			c.Layout = layout
			first := h.Slice(0, 1, 0, 7)
			identical(t, "kR", RopeKey(first, w, c.Rotation(1)), project(first, w))
			identical(t, "qR", RopeQuery(first, w, c.Rotation(1)), project(first, w))
		}
	})

	t.Run("the heads of all queries turn like one", func(t *testing.T) {
		all := integers(rng, 3*4, 7, 9)
		for _, layout := range []rope.Layout{rope.Interleaved, rope.Half, rope.InterleavedToHalf} {
			c.Layout = layout
			r := c.Rotation(5)
			for i := range 3 {
				identical(t, layout.String(), RopeQuery(h, all, r).Slice(0, 5, 4*i, 4*i+4),
					RopeQuery(h, rows(all, 4*i, 4), r))
			}
		}
	})

	// Rotation by R_m leaves the length of each pair, and a pair of DeepSeek's is two neighbours.
	t.Run("every pair keeps its length", func(t *testing.T) {
		c.Layout = rope.Interleaved
		kR, plain := RopeKey(h, w, c.Rotation(5)), project(h, w)
		for n := range 5 {
			for i := 0; i < 4; i += 2 {
				got, want := math.Hypot(kR.At(n, i), kR.At(n, i+1)), math.Hypot(plain.At(n, i), plain.At(n, i+1))
				if math.Abs(got-want) > 8*u*want {
					t.Errorf("pair %d of token %d has length %v, want %v", i/2, n, got, want)
				}
			}
		}
	})

	// Permuting query and key alike leaves q·k. The order of the sum changes, nothing else.
	t.Run("pairs written as halves give the same scores and permuted keys", func(t *testing.T) {
		wQR := integers(rng, 4, 7, 9)
		c.Layout = rope.Interleaved
		q, k := RopeQuery(h, wQR, c.Rotation(5)), RopeKey(h, w, c.Rotation(5))
		c.Layout = rope.InterleavedToHalf
		qHalf, kHalf := RopeQuery(h, wQR, c.Rotation(5)), RopeKey(h, w, c.Rotation(5))
		for n := range 5 {
			identical(t, "kR", mat.NewDense(1, 4, kHalf.RawRowView(n)),
				mat.NewDense(1, 4, rope.Permute(k.RawRowView(n))))
		}
		size := product(abs(q), abs(k).T())
		size.Scale(2*gamma(4), size)
		within(t, "scores", product(qHalf, kHalf.T()), product(q, k.T()), size)
	})
}

func TestConcatQueryAndConcatKey(t *testing.T) {
	// [a; b]·[c; d] = a·c + b·d: the two parts of a score do not mix.
	t.Run("a score is the part without position plus the part with it", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 3))
		qC, kC, qR, kR := integers(rng, 5, 6, 9), integers(rng, 5, 6, 9), integers(rng, 5, 4, 9), integers(rng, 5, 4, 9)
		sum := product(qC, kC.T())
		sum.Add(sum, product(qR, kR.T()))
		q, k := ConcatQuery(qC, qR), ConcatKey(kC, kR)
		identical(t, "scores", product(q, k.T()), sum)
		identical(t, "nope part first", q.Slice(0, 5, 0, 6), qC)
		identical(t, "rotary part last", k.Slice(0, 5, 6, 10), kR)
	})
}

func TestAttend(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	q, k, v := normal(rng, 5, 10, 1), normal(rng, 5, 10, 1), normal(rng, 5, 5, 1)

	t.Run("the first token of a causal sequence gets its own value", func(t *testing.T) {
		o, lse := Attend(q, k, v, SoftmaxScale(6, 4), causalMask)
		identical(t, "o", o.Slice(0, 1, 0, 5), v.Slice(0, 1, 0, 5))
		if want := mat.Dot(q.RowView(0), k.RowView(0)) / math.Sqrt(10); math.Abs(lse[0]-want) > gamma(20) {
			t.Errorf("lse %v, want the only score, %v", lse[0], want)
		}
	})

	t.Run("the scale is 1/√(d_h+d_h^R), 1/√192 in DeepSeek's models", func(t *testing.T) {
		if SoftmaxScale(128, 64) != 1/math.Sqrt(192) || SoftmaxScale(6, 4) != 1/math.Sqrt(10) {
			t.Error(SoftmaxScale(128, 64))
		}
	})

	t.Run("equal keys give the mean of the values seen", func(t *testing.T) {
		o, _ := Attend(q, mat.NewDense(4, 10, nil), integers(rng, 4, 5, 9), 1, attention.Mask{})
		for s := 1; s < 5; s++ {
			identical(t, "o", o.Slice(s, s+1, 0, 5), o.Slice(0, 1, 0, 5))
		}
	})
}

func TestOutput(t *testing.T) {
	t.Run("with the identity for W^O it is the heads side by side", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 5))
		o := []*mat.Dense{integers(rng, 3, 4, 9), integers(rng, 3, 4, 9)}
		identical(t, "u", Output(o, identity(8)), concat(o[0], o[1]))
	})
}

func TestAbsorption(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 6))
	const tokens, dh, dv, dc, dq, d = 6, 8, 5, 20, 14, 12

	// (W^UKᵀ qC)·cKV = Σ_ab qC_a W_ab cKV_b = qC·(W^UK cKV): integers, so to the bit.
	t.Run("the score of a key is the absorbed query times the latent", func(t *testing.T) {
		qC, wUK, cKV := integers(rng, tokens, dh, 9), integers(rng, dh, dc, 9), integers(rng, tokens, dc, 9)
		identical(t, "scores", product(AbsorbQuery(qC, wUK), cKV.T()), product(qC, UpKey(cKV, wUK).T()))
	})

	// Either order makes at most d_h + d_c roundings on each of the products q_a W_ab c_b.
	t.Run("with rounding the two differ by 2γ(d_h+d_c) Σ|q||W||c| at most", func(t *testing.T) {
		qC, wUK, cKV := normal(rng, tokens, dh, 1), normal(rng, dh, dc, 1), normal(rng, tokens, dc, 1)
		size := product(abs(qC), product(abs(wUK), abs(cKV).T()))
		size.Scale(2*gamma(dh+dc), size)
		within(t, "scores", product(AbsorbQuery(qC, wUK), cKV.T()), product(qC, UpKey(cKV, wUK).T()), size)
	})

	// W^UV Σ_j a_j c_j = Σ_j a_j W^UV c_j, for any weights a.
	t.Run("values can be made after the sum over keys", func(t *testing.T) {
		a, wUV, cKV := integers(rng, tokens, tokens, 9), integers(rng, dv, dc, 9), integers(rng, tokens, dc, 9)
		identical(t, "o", AbsorbOutput(product(a, cKV), wUV), product(a, UpValue(cKV, wUV)))
	})

	t.Run("two weights can be made one, of rank d_h or d_v", func(t *testing.T) {
		wUQ, wUK, cQ := integers(rng, dh, dq, 9), integers(rng, dh, dc, 9), integers(rng, tokens, dq, 9)
		wQ := AbsorbQueryWeight(wUQ, wUK)
		identical(t, "query", project(cQ, wQ), AbsorbQuery(UpQuery(cQ, wUQ), wUK))
		wO, wUV, oC := integers(rng, d, dv, 9), integers(rng, dv, dc, 9), integers(rng, tokens, dc, 9)
		wOut := AbsorbOutputWeight(wO, wUV)
		identical(t, "output", project(oC, wOut), Output([]*mat.Dense{AbsorbOutput(oC, wUV)}, wO))
		for m, rank := range map[*mat.Dense]int{wQ: dh, wOut: dv} {
			var svd mat.SVD
			if !svd.Factorize(m, mat.SVDNone) || svd.Rank(1e-12) != rank {
				t.Errorf("rank %d, want %d", svd.Rank(1e-12), rank)
			}
		}
	})
}

// The same layer is multi-head attention or multi-query attention, depending on which side of the
// dot product W^UK stands.
func TestOtherAttentions(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 7))
	c := Config{Heads: 3, NopeDim: 128, RopeDim: 64, ValueDim: 128, Eps: 1e-6, Base: 10000, Causal: true}
	w := newWeights(rng, shape{d: 32, dQ: 40, dC: 512}, c)
	x := normal(rng, 3, 32, 1)
	cQ, latent, ropeKey := Compress(x, w, c)
	options := attention.Options{Scale: c.ScoreScale(), Mask: causalMask}

	t.Run("expanded it is MHA of widths 192 and 128, 320 products per query, key and head, or GQA with a group per "+
		"head", func(t *testing.T) {
		q, k, v := make([]*mat.Dense, 3), make([]*mat.Dense, 3), make([]*mat.Dense, 3)
		for i := range q {
			q[i], k[i], v[i] = w.Head(i, c).Naive(cQ, latent, ropeKey, c.Rotation(3))
		}
		y, _, _ := Layer(x, w, c)
		o, _ := attention.MHA(q, k, v, options)
		identical(t, "MHA", Output(o, w.WO), y)
		o, _ = attention.GQA(q, k, v, options)
		identical(t, "GQA", Output(o, w.WO), y)
		widths(t, k[0], v[0], 192, 128, 320)
	})

	t.Run("absorbed it is MQA of widths 576 and 512, 1088 products, over the cached rows", func(t *testing.T) {
		q, cached := make([]*mat.Dense, 3), ConcatKey(latent, ropeKey)
		for i := range q {
			q[i] = w.Head(i, c).Absorbed(cQ, c.Rotation(3))
		}
		y, _, _ := LayerAbsorbed(x, w, c)
		o, _ := attention.MQA(q, cached, latent, options)
		for i := range o {
			o[i] = AbsorbOutput(o[i], w.Head(i, c).UV)
		}
		identical(t, "MQA", Output(o, w.WO), y)
		widths(t, cached, latent, 576, 512, 1088)
	})
}

// widths checks the widths, and with them the products that a query, a key and a head cost: one per
// element of the key and of the value.
func widths(t *testing.T, k, v *mat.Dense, key, value, products int) {
	t.Helper()
	_, gotKey := k.Dims()
	_, gotValue := v.Dims()
	if gotKey != key || gotValue != value || gotKey+gotValue != products {
		t.Errorf("widths %d and %d, want %d and %d: %d products", gotKey, gotValue, key, value, products)
	}
}

func TestParameters(t *testing.T) {
	// The formula is first held against the elements of weights that Layer accepts, then asked for
	// the models.
	t.Run("a layer of DeepSeek-V3 has 187,107,328 parameters, of V2 149,227,520, of V2-Lite 13,763,072",
		func(t *testing.T) {
			rng := rand.New(rand.NewPCG(4, 8))
			for _, s := range []shape{small, lite} {
				w := newWeights(rng, s, threeBy)
				Layer(normal(rng, 1, s.d, 1), w, threeBy)
				n := len(w.NormQ) + len(w.NormKV)
				for _, m := range []*mat.Dense{w.WDQ, w.WUQ, w.WQ, w.WDKV, w.WUKV, w.WO} {
					if m != nil {
						n += len(m.RawMatrix().Data)
					}
				}
				if n != parameters(s, threeBy) {
					t.Fatalf("%d elements, the formula says %d", n, parameters(s, threeBy))
				}
			}
			heads := Config{Heads: 128, NopeDim: 128, RopeDim: 64, ValueDim: 128}
			few := Config{Heads: 16, NopeDim: 128, RopeDim: 64, ValueDim: 128}
			for _, m := range []struct{ got, want int }{
				{parameters(shape{7168, 1536, 512}, heads), 187_107_328},
				{parameters(shape{5120, 1536, 512}, heads), 149_227_520},
				{parameters(shape{2048, 0, 512}, few), 13_763_072},
			} {
				if m.got != m.want {
					t.Errorf("%d, want %d", m.got, m.want)
				}
			}
		})
}

func parameters(s shape, c Config) int {
	query := s.d * c.Heads * (c.NopeDim + c.RopeDim)
	if s.dQ > 0 {
		query = s.d*s.dQ + s.dQ + s.dQ*c.Heads*(c.NopeDim+c.RopeDim)
	}
	return query + s.d*(s.dC+c.RopeDim) + s.dC + s.dC*c.Heads*(c.NopeDim+c.ValueDim) + c.Heads*c.ValueDim*s.d
}
