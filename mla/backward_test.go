package mla

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rope"
)

// tiny is a layer small enough to be differentiated weight by weight: two heads, all widths
// different.
var (
	tiny     = shape{d: 5, dQ: 4, dC: 3}
	tinyLite = shape{d: 5, dC: 3}
	twoBy    = Config{Heads: 2, NopeDim: 3, RopeDim: 4, ValueDim: 2, Eps: 1e-2, Base: 100, Causal: true, Start: 3}
)

// layerSlope is what central differences of a layer's loss are off by: some dozen roundings of sums
// up to 20.
var layerSlope = check.DifferenceBound(20, 32)

// parts are the weights of a layer by name, as flat numbers that may be moved; norms' weights are
// vectors.
func (w Weights) parts() map[string][]float64 {
	parts := map[string][]float64{}
	for name, m := range map[string]*mat.Dense{
		"WDQ": w.WDQ, "WUQ": w.WUQ, "WQ": w.WQ, "WDKV": w.WDKV, "WUKV": w.WUKV, "WO": w.WO,
	} {
		if m != nil {
			parts[name] = m.RawMatrix().Data
		}
	}
	for name, v := range map[string][]float64{"NormQ": w.NormQ, "NormKV": w.NormKV} {
		if v != nil {
			parts[name] = v
		}
	}
	return parts
}

// weighted returns Σ y∘dy, the loss whose gradient for y is dy.
func weighted(y, dy *mat.Dense) float64 {
	return floats.Dot(y.RawMatrix().Data, dy.RawMatrix().Data)
}

// eachLayer calls f for layers with and without query compression and norms, in every layout, with
// and without YaRN and causality.
func eachLayer(t *testing.T, f func(t *testing.T, rng *rand.Rand, w Weights, c Config, d int)) {
	yarn := rope.YaRN{Factor: 40, OriginalContext: 64, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 0.5}
	for name, s := range map[string]shape{"compressed": tiny, "lite": tinyLite} {
		for _, layout := range []rope.Layout{rope.Interleaved, rope.Half, rope.InterleavedToHalf} {
			for _, bare := range []bool{false, true} {
				c := twoBy
				c.Layout = layout
				if bare {
					c.YaRN, c.Causal = &yarn, false
				}
				rng := rand.New(rand.NewPCG(7, uint64(layout)))
				w := newWeights(rng, s, c)
				if bare {
					w = w.plain()
				}
				t.Run(fmt.Sprintf("%s, %v, norms and causal: %v", name, layout, !bare), func(t *testing.T) {
					f(t, rng, w, c, s.d)
				})
			}
		}
	}
}

func TestLayerBackward(t *testing.T) {
	eachLayer(t, func(t *testing.T, rng *rand.Rand, w Weights, c Config, d int) {
		x, dy := normal(rng, 4, d, 1), normal(rng, 4, d, 1)
		dx, dw := LayerBackward(x, w, c, dy)
		loss := func() float64 { y, _, _ := Layer(x, w, c); return weighted(y, dy) }
		got, weights := dw.parts(), w.parts()
		check.NearAll(t, "dx", dx.RawMatrix().Data, check.Moved(loss, x.RawMatrix().Data), layerSlope)
		if len(got) != len(weights) {
			t.Errorf("gradients of %d weights, want %d", len(got), len(weights))
		}
		for name, x := range weights {
			check.NearAll(t, "d"+name, got[name], check.Moved(loss, x), layerSlope)
			if floats.Norm(got[name], math.Inf(1)) < 0.01 {
				t.Errorf("d%s is %v, too small to be told from none", name, got[name])
			}
		}
	})
}

func TestLayerAbsorbedBackward(t *testing.T) {
	// (WᵀU)ᵀ = UᵀW: both forms are one function of the weights, and have one gradient. Each element
	// is a sum of some dozens of products through at most ten products of matrices of width 7.
	eachLayer(t, func(t *testing.T, rng *rand.Rand, w Weights, c Config, d int) {
		x, dy := normal(rng, 4, d, 1), normal(rng, 4, d, 1)
		dx, dw := LayerBackward(x, w, c, dy)
		gotX, gotW := LayerAbsorbedBackward(x, w, c, dy)
		bound := func(x []float64) float64 { return 10 * 7 * 16 * check.U * max(1, floats.Norm(x, math.Inf(1))) }
		want, got := dw.parts(), gotW.parts()
		check.NearAll(t, "dx", gotX.RawMatrix().Data, dx.RawMatrix().Data, bound(dx.RawMatrix().Data))
		for name, x := range want {
			check.NearAll(t, "d"+name, got[name], x, bound(x))
		}
		if len(got) != len(want) {
			t.Errorf("gradients of %d weights, want %d", len(got), len(want))
		}
	})
	t.Run("it is the derivative of the absorbed layer itself", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 9))
		w, x, dy := newWeights(rng, tiny, twoBy), normal(rng, 4, 5, 1), normal(rng, 4, 5, 1)
		_, dw := LayerAbsorbedBackward(x, w, twoBy, dy)
		loss := func() float64 { y, _, _ := LayerAbsorbed(x, w, twoBy); return weighted(y, dy) }
		got := dw.parts()
		for name, x := range w.parts() {
			check.NearAll(t, "d"+name, got[name], check.Moved(loss, x), layerSlope)
		}
	})
}

func TestLayerBackwardClosedForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 10))
	w, dy := newWeights(rng, tiny, twoBy), normal(rng, 1, 5, 1)
	x := normal(rng, 1, 5, 1)
	forms := map[string]func(x mat.Matrix, w Weights, c Config, dy mat.Matrix) (*mat.Dense, Weights){
		"naive": LayerBackward, "absorbed": LayerAbsorbedBackward,
	}
	for name, backward := range forms {
		// The weight of the only key is 1 whatever the score: u = W^O [W^UV_i cKV].
		t.Run("one token alone passes nothing to queries and keys, "+name, func(t *testing.T) {
			_, dw := backward(x, w, twoBy, dy)
			for name, g := range map[string][]float64{
				"WDQ": dw.WDQ.RawMatrix().Data, "WUQ": dw.WUQ.RawMatrix().Data, "NormQ": dw.NormQ,
			} {
				check.NearAll(t, "d"+name, g, make([]float64, len(g)), 0)
			}
			for i := range twoBy.Heads {
				h := dw.Head(i, twoBy)
				check.NearMatrix(t, "dWUK", h.UK, mat.NewDense(3, 3, nil), 0)
			}
			_, dKR := dw.Down(twoBy)
			check.NearMatrix(t, "dWKR", dKR, mat.NewDense(4, 5, nil), 0)
		})
		// Values are linear in W^UV and y in W^O: Σ W∘dW is the loss for either.
		t.Run("values and outputs carry the whole loss, "+name, func(t *testing.T) {
			x, dy := normal(rng, 4, 5, 1), normal(rng, 4, 5, 1)
			_, dw := backward(x, w, twoBy, dy)
			y, _, _ := Layer(x, w, twoBy)
			loss, bound := weighted(y, dy), 10*7*16*check.U*20
			check.Near(t, "Σ WO∘dWO", weighted(w.WO, dw.WO), loss, bound)
			var values float64
			for i := range twoBy.Heads {
				values += weighted(mat.DenseCopyOf(w.Head(i, twoBy).UV), mat.DenseCopyOf(dw.Head(i, twoBy).UV))
			}
			check.Near(t, "Σ WUV∘dWUV", values, loss, bound)
		})
		// Tokens before a token do not see it.
		t.Run("a causal layer passes nothing back to later tokens, "+name, func(t *testing.T) {
			x, dy := normal(rng, 4, 5, 1), normal(rng, 4, 5, 1)
			for _, row := range []int{2, 3} {
				for k := range 5 {
					dy.Set(row, k, 0)
				}
			}
			dx, _ := backward(x, w, twoBy, dy)
			check.NearMatrix(t, "dx", dx.Slice(2, 4, 0, 5), mat.NewDense(2, 5, nil), 0)
		})
	}
}

// What the four steps say of their own outputs alone, with the others' gradients 0.
func TestCompressBackward(t *testing.T) {
	eachLayer(t, func(t *testing.T, rng *rand.Rand, w Weights, c Config, d int) {
		x := normal(rng, 3, d, 1)
		cQ, latent, ropeKey := Compress(x, w, c)
		of := func(m mat.Matrix) *mat.Dense { r, c := m.Dims(); return normal(rng, r, c, 1) }
		dcQ, dLatent, dRopeKey := of(cQ), of(latent), of(ropeKey)
		loss := func() float64 {
			cQ, latent, ropeKey := Compress(x, w, c)
			return weighted(mat.DenseCopyOf(cQ), dcQ) + weighted(latent, dLatent) + weighted(ropeKey, dRopeKey)
		}
		dx, dw := CompressBackward(x, w, c, dcQ, dLatent, dRopeKey)
		check.NearAll(t, "dx", dx.RawMatrix().Data, check.Moved(loss, x.RawMatrix().Data), layerSlope)
		weights := w.parts()
		for name, g := range dw.parts() {
			check.NearAll(t, "d"+name, g, check.Moved(loss, weights[name]), layerSlope)
		}
	})
}

func TestHeadBackward(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	h := HeadWeights{
		UQ: normal(rng, 3, 4, 1), QR: normal(rng, 4, 4, 1), UK: normal(rng, 3, 3, 1), UV: normal(rng, 2, 3, 1),
	}
	cQ, latent, ropeKey := normal(rng, 3, 4, 1), normal(rng, 3, 3, 1), normal(rng, 3, 4, 1)
	for _, layout := range []rope.Layout{rope.Interleaved, rope.Half, rope.InterleavedToHalf} {
		c := twoBy
		c.Layout = layout
		r := c.Rotation(3)
		t.Run("NaiveBackward is the derivative of Naive, "+layout.String(), func(t *testing.T) {
			dq, dk, dv := normal(rng, 3, 7, 1), normal(rng, 3, 7, 1), normal(rng, 3, 2, 1)
			loss := func() float64 {
				q, k, v := h.Naive(cQ, latent, ropeKey, r)
				return weighted(q, dq) + weighted(k, dk) + weighted(v, dv)
			}
			dh, dcQ, dLatent, dRopeKey := h.NaiveBackward(cQ, latent, r, dq, dk, dv)
			for _, p := range [][2]*mat.Dense{{dh.UQ, h.UQ}, {dh.QR, h.QR}, {dh.UK, h.UK}, {dh.UV, h.UV}, {dcQ, cQ},
				{dLatent, latent},
				{mat.DenseCopyOf(dRopeKey), ropeKey}} {
				want := check.Moved(loss, p[1].RawMatrix().Data)
				check.NearAll(t, "gradient", p[0].RawMatrix().Data, want, layerSlope)
			}
		})
		t.Run("AbsorbedBackward is the derivative of Absorbed, "+layout.String(), func(t *testing.T) {
			dq := normal(rng, 3, 7, 1)
			loss := func() float64 { return weighted(h.Absorbed(cQ, r), dq) }
			dh, dcQ := h.AbsorbedBackward(cQ, r, dq)
			for _, p := range [][2]*mat.Dense{{dh.UQ, h.UQ}, {dh.QR, h.QR}, {dh.UK, h.UK}, {dcQ, cQ}} {
				want := check.Moved(loss, p[1].RawMatrix().Data)
				check.NearAll(t, "gradient", p[0].RawMatrix().Data, want, layerSlope)
			}
		})
	}
	t.Run("OutputBackward is the derivative of Output", func(t *testing.T) {
		o, wO, du := []*mat.Dense{
			normal(rng, 3, 2, 1), normal(rng, 3, 2, 1),
		}, normal(rng, 5, 4, 1), normal(rng, 3, 5, 1)
		loss := func() float64 { return weighted(Output(o, wO), du) }
		do, dwO := OutputBackward(o, wO, du)
		check.NearAll(t, "dWO", dwO.RawMatrix().Data, check.Moved(loss, wO.RawMatrix().Data), layerSlope)
		for i := range o {
			check.NearAll(t, "do", do[i].RawMatrix().Data, check.Moved(loss, o[i].RawMatrix().Data), layerSlope)
		}
	})
	t.Run("rows that the rotation is not for are refused", func(t *testing.T) {
		for _, rows := range []int{2, 4} {
			panicsWith(t, "mla: rotation does not fit the rows", func() {
				h.AbsorbedBackward(normal(rng, 3, 4, 1), twoBy.Rotation(rows), normal(rng, 3, 7, 1))
			})
		}
		panicsWith(t, "mla: rotation does not fit the rows", func() {
			h.AbsorbedBackward(cQ, twoBy.Rotation(3), normal(rng, 3, 9, 1))
		})
	})
}

// Each weight that is missing, doubled or of another shape is refused by name, with query
// compression and without.
func TestShapes(t *testing.T) {
	const missing = "mla: weights missing, or both with and without query compression"
	const fit = "mla: shapes of the weights do not fit together"
	const length = "mla: length of a norm's weight is not its latent's"
	const widths = "mla: a width of the configuration is not positive"
	grown := func(m *mat.Dense, r, c int) *mat.Dense {
		rows, cols := m.Dims()
		return mat.NewDense(rows+r, cols+c, nil)
	}
	for want, spoils := range map[string][]func(w *Weights, c *Config){
		missing: {
			func(w *Weights, _ *Config) { w.WDKV = nil }, func(w *Weights, _ *Config) { w.WUKV = nil },
			func(w *Weights, _ *Config) { w.WO = nil }, func(w *Weights, _ *Config) { w.WDQ = nil },
			func(w *Weights, _ *Config) { w.WUQ = nil }, func(w *Weights, _ *Config) { w.WQ, w.WUQ = w.WUQ, nil },
			func(w *Weights, _ *Config) {
				w.WQ, w.WDQ = w.WUQ, nil
			}, func(w *Weights, _ *Config) { w.WQ, w.WDQ, w.WUQ = grown(w.WUQ, 0, 1), nil, nil },
			func(w *Weights, _ *Config) { *w = Weights{} },
		},
		fit: {
			func(w *Weights, _ *Config) {
				w.WDQ = grown(w.WDQ, 0, 1)
			}, func(w *Weights, _ *Config) { w.WDQ = grown(w.WDQ, 1, 0) },
			func(w *Weights, _ *Config) {
				w.WUQ = grown(w.WUQ, 0, 1)
			}, func(w *Weights, _ *Config) { w.WUQ = grown(w.WUQ, 1, 0) },
			func(w *Weights, _ *Config) {
				w.WDKV = grown(w.WDKV, 0, 1)
			}, func(w *Weights, _ *Config) { w.WDKV = grown(w.WDKV, 1, 0) },
			func(w *Weights, _ *Config) {
				w.WUKV = grown(w.WUKV, 0, 1)
			}, func(w *Weights, _ *Config) { w.WUKV = grown(w.WUKV, 1, 0) },
			func(w *Weights, _ *Config) {
				w.WO = grown(w.WO, 0, 1)
			}, func(w *Weights, _ *Config) { w.WO = grown(w.WO, 1, 0) },
			func(w *Weights, _ *Config) { w.WQ, w.WDQ, w.WUQ, w.NormQ = w.WUQ, nil, nil, nil },
		},
		length: {
			func(w *Weights, _ *Config) {
				w.NormQ = w.NormQ[1:]
			}, func(w *Weights, _ *Config) { w.NormQ = append(w.NormQ, 1) },
			func(w *Weights, _ *Config) {
				w.NormKV = w.NormKV[1:]
			}, func(w *Weights, _ *Config) { w.NormKV = append(w.NormKV, 1) },
		},
		widths: {
			func(_ *Weights, c *Config) { c.Heads = 0 }, func(_ *Weights, c *Config) { c.NopeDim = 0 },
			func(_ *Weights, c *Config) { c.RopeDim = -2 }, func(_ *Weights, c *Config) { c.ValueDim = 0 },
		},
	} {
		for _, spoil := range spoils {
			rng := rand.New(rand.NewPCG(7, 12))
			w, c := newWeights(rng, tiny, twoBy), twoBy
			spoil(&w, &c)
			x := normal(rng, 2, tiny.d, 1)
			panicsWith(t, want, func() { Layer(x, w, c) })
			panicsWith(t, want, func() { LayerAbsorbedBackward(x, w, c, x) })
		}
	}
	w := newWeights(rand.New(rand.NewPCG(7, 13)), tiny, twoBy)
	x := mat.NewDense(2, tiny.d, nil)
	for _, dy := range []*mat.Dense{mat.NewDense(1, 5, nil), mat.NewDense(2, 4, nil)} {
		panicsWith(t, "attention: widths of tokens and weights differ", func() { LayerBackward(x, w, twoBy, dy) })
	}
	panicsWith(t, "mla: rotation does not fit the rows", func() {
		RopeKey(x, mat.NewDense(6, 5, nil), twoBy.Rotation(2))
	})
}

func TestPagesOutOfRange(t *testing.T) {
	const row, page = "mla: row is not in the block table", "mla: page of the block table does not exist"
	at := func(b, length int, table ...int) func() {
		return func() {
			p := PagedCache{
				Pages: []*mat.Dense{mat.NewDense(2, 3, nil)}, Table: [][]int{table}, Lengths: []int{length, length},
			}
			p.Append(b, mat.NewDense(1, 2, nil), mat.NewDense(1, 1, nil))
		}
	}
	t.Run("a row outside the table and a page outside the cache are refused, on either side", func(t *testing.T) {
		panicsWith(t, row, at(1, 0, 0))
		panicsWith(t, row, at(0, 2, 0))
		panicsWith(t, row, at(0, -1, 0))
		panicsWith(t, page, at(0, 0, 1))
		panicsWith(t, page, at(0, 0, -1))
	})
	t.Run("and so is a sequence before the first", func(t *testing.T) {
		p := PagedCache{Pages: []*mat.Dense{mat.NewDense(2, 3, nil)}, Table: [][]int{{0}}}
		panicsWith(t, row, func() { p.row(-1, 0) })
	})
}
