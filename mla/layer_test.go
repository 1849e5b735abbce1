package mla

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
	"plumbline/rope"
)

// shape is a layer's sizes; dQ of 0 is a layer without query compression.
type shape struct{ d, dQ, dC int }

var (
	small  = shape{d: 24, dQ: 14, dC: 10}
	lite   = shape{d: 24, dC: 10}
	v3YaRN = rope.YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	v2YaRN = rope.YaRN{
		Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 0.707, MScaleAllDim: 0.707,
	}
	threeBy = Config{Heads: 3, NopeDim: 6, RopeDim: 4, ValueDim: 5, Eps: 1e-6, Base: 10000, Causal: true}
)

// normal returns an [r × c] matrix of normal numbers with standard deviation sigma.
func normal(rng *rand.Rand, r, c int, sigma float64) *mat.Dense {
	m := mat.NewDense(r, c, nil)
	for i := range r {
		for j := range c {
			m.Set(i, j, sigma*rng.NormFloat64())
		}
	}
	return m
}

// integers returns an [r × c] matrix of integers from −n to n; small ones make sums of products
// exact in every order.
func integers(rng *rand.Rand, r, c, n int) *mat.Dense {
	m := mat.NewDense(r, c, nil)
	for i := range r {
		for j := range c {
			m.Set(i, j, float64(rng.IntN(2*n+1)-n))
		}
	}
	return m
}

// newWeights returns weights that keep activations near 1, with norm weights around 1.
func newWeights(rng *rand.Rand, s shape, c Config) Weights {
	by := func(out, in int) *mat.Dense { return normal(rng, out, in, 1/math.Sqrt(float64(in))) }
	about1 := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = 1 + rng.NormFloat64()/8
		}
		return w
	}
	w := Weights{
		WDKV:   by(s.dC+c.RopeDim, s.d),
		WUKV:   by(c.Heads*(c.NopeDim+c.ValueDim), s.dC),
		WO:     by(s.d, c.Heads*c.ValueDim),
		NormKV: about1(s.dC),
	}
	if s.dQ == 0 {
		w.WQ = by(c.Heads*(c.NopeDim+c.RopeDim), s.d)
		return w
	}
	w.WDQ, w.WUQ, w.NormQ = by(s.dQ, s.d), by(c.Heads*(c.NopeDim+c.RopeDim), s.dQ), about1(s.dQ)
	return w
}

// plain drops the norms, which leaves the papers' equations.
func (w Weights) plain() Weights {
	w.NormQ, w.NormKV = nil, nil
	return w
}

func identity(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}

// bothForms checks Layer and LayerAbsorbed against each other and against the test's own
// evaluation, and returns y and its bound.
func bothForms(t rapid.TB, what string, x mat.Matrix, w Weights, c Config) (y, bound *mat.Dense) {
	t.Helper()
	naive, absorbed := evaluate(x, w, c, false), evaluate(x, w, c, true)
	y, latent, ropeKey := Layer(x, w, c)
	yAbsorbed, latentAbsorbed, ropeKeyAbsorbed := LayerAbsorbed(x, w, c)
	within(t, what+", naive form by the test", y, naive.v, naive.e, naive.e)
	within(t, what+", absorbed form by the test", yAbsorbed, absorbed.v, absorbed.e, absorbed.e)
	within(t, what+", naive and absorbed", yAbsorbed, y, naive.e, absorbed.e)
	identical(t, what+", latents", latent, latentAbsorbed)
	identical(t, what+", rotary keys", ropeKey, ropeKeyAbsorbed)
	return y, naive.e
}

func TestLayerAndLayerAbsorbed(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))

	// Associativity: q·(W c) = (Wᵀ q)·c and Σ a_j (W c_j) = W Σ a_j c_j. Both sums are rounded,
	// each within its bound.
	t.Run("the absorbed layer is the naive one up to counted roundings", func(t *testing.T) {
		x := normal(rng, 7, small.d, 1)
		for _, s := range []shape{small, lite} {
			for _, layout := range []rope.Layout{rope.Interleaved, rope.Half, rope.InterleavedToHalf} {
				for _, yarn := range []*rope.YaRN{nil, &v3YaRN} {
					c := threeBy
					c.Layout, c.YaRN, c.Start, c.Causal = layout, yarn, 11, yarn == nil
					w := newWeights(rng, s, c)
					bothForms(t, fmt.Sprint(s, layout, yarn), x, w, c)
					bothForms(t, fmt.Sprint(s, layout, yarn, " without norms"), x, w.plain(), c)
				}
			}
		}
	})

	t.Run("so it is with the widths of DeepSeek-V3", func(t *testing.T) {
		c := Config{
			Heads: 2, NopeDim: 128, RopeDim: 64, ValueDim: 128, Eps: 1e-6, Base: 10000, YaRN: &v3YaRN, Causal: true,
		}
		w := newWeights(rng, shape{d: 48, dQ: 1536, dC: 512}, c)
		bothForms(t, "V3", normal(rng, 4, 48, 1), w, c)
	})

	t.Run("and with any widths", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(1, 5)
			c := Config{Heads: n.Draw(r, "heads"), NopeDim: n.Draw(r, "nope"), RopeDim: 2 * n.Draw(r, "rope/2"),
				ValueDim: n.Draw(r, "value"),
				Eps:      1e-6, Base: 10000, Causal: rapid.Bool().Draw(r, "causal"),
				Start:  rapid.IntRange(0, 5000).Draw(r, "start"),
				Layout: rope.Layout(rapid.IntRange(0, 2).Draw(r, "layout"))}
			s := shape{d: n.Draw(r, "d") + 1, dQ: rapid.IntRange(0, 5).Draw(r, "dQ"), dC: n.Draw(r, "dC")}
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 2))
			bothForms(
				r, fmt.Sprintf("%+v %+v", s, c), normal(rng, n.Draw(r, "tokens"), s.d, 1), newWeights(rng, s, c), c,
			)
		})
	})
}

func TestLayerClosedForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	x := normal(rng, 6, small.d, 1)

	// With d_c = d and W^DKV = I the latent is the token, so kC = W^UK h and vC = W^UV h are the
	// keys and values of MHA; a rotary part of zeros adds 0 to every score. The scale is then set
	// to MHA's.
	t.Run("with the identity for W^DKV and no rotary part it is multi-head attention", func(t *testing.T) {
		c := threeBy
		c.ValueDim, c.Scale = c.NopeDim, 1/math.Sqrt(float64(c.NopeDim))
		w := newWeights(rng, shape{d: small.d, dC: small.d}, c).plain()
		w.WDKV.Zero()
		w.WDKV.Slice(0, small.d, 0, small.d).(*mat.Dense).Copy(identity(small.d))
		var mha attention.Weights
		var wQ, wK, wV mat.Dense
		for i := range c.Heads {
			h := w.Head(i, c)
			h.QR.Zero()
			stack(&wQ, h.UQ)
			stack(&wK, h.UK)
			stack(&wV, h.UV)
		}
		mha = attention.Weights{WQ: &wQ, WK: &wK, WV: &wV, WO: w.WO}
		want := attention.MultiHead(x, x, mha, c.Heads, c.Heads, attention.Options{Mask: causalMask})
		y, bound := bothForms(t, "MHA", x, w, c)
		within(t, "MHA", y, want, bound, bound)
	})

	// A softmax over one score is e⁰/e⁰ = 1, so o_i = vC_i = W^UV_i c.
	t.Run("with one token u = W^O stack_i(W^UV_i c), whatever queries and keys are", func(t *testing.T) {
		w, one := newWeights(rng, small, threeBy), x.Slice(0, 1, 0, small.d)
		y, latent, _ := Layer(one, w, threeBy)
		o := make([]*mat.Dense, threeBy.Heads)
		for i := range o {
			o[i] = UpValue(latent, w.Head(i, threeBy).UV)
		}
		identical(t, "stacked values", y, Output(o, w.WO))

		other := newWeights(rng, small, threeBy)
		w.WDQ, w.WUQ, w.NormQ = other.WDQ, other.WUQ, other.NormQ
		_, wKR := w.Down(threeBy)
		wKR.Scale(3, wKR)
		y2, _, _ := Layer(one, w, threeBy)
		identical(t, "other queries and keys", y2, y)
		c := threeBy
		c.Scale, c.Start = 1/math.Sqrt(float64(small.dC+c.RopeDim)), 77
		y3, _, _ := Layer(one, w, c)
		identical(t, "a wrong scale stays hidden", y3, y)
	})

	// The width of the rows that scores are made of says nothing of the scale: absorption only
	// moves W^UK to the other side.
	t.Run("scaled by the width of a cached row it is another layer", func(t *testing.T) {
		w, c := newWeights(rng, small, threeBy), threeBy
		y, _, _ := LayerAbsorbed(x, w, c)
		c.Scale = 1 / math.Sqrt(float64(small.dC+c.RopeDim))
		wrong, _, _ := LayerAbsorbed(x, w, c)
		if d := apart(wrong, y); d < 1e-2 {
			t.Errorf("apart by %g only", d)
		}
	})

	// ⟨R_m q, R_n k⟩ depends on m−n alone. The angles m θ_i are rounded products, hence the bound
	// grows with the position.
	t.Run("moving all positions changes nothing but the rotary keys", func(t *testing.T) {
		for _, yarn := range []*rope.YaRN{nil, &v3YaRN} {
			c := threeBy
			c.YaRN = yarn
			w := newWeights(rng, small, c)
			y, bound := bothForms(t, "at 0", x, w, c)
			_, latent, ropeKey := Layer(x, w, c)
			c.Start = 3000
			moved, boundMoved := bothForms(t, "at 3000", x, w, c)
			_, latentMoved, ropeKeyMoved := Layer(x, w, c)
			within(t, "moved", moved, y, bound, boundMoved)
			identical(t, "latents", latentMoved, latent)
			if apart(ropeKeyMoved, ropeKey) < 0.1 {
				t.Error("the rotary keys did not turn")
			}
		}
	})

	// qR·0 = 0 leaves qC·kC, still divided by √(d_h+d_h^R).
	t.Run("with rotary keys of zero it is attention without position, scaled by both widths", func(t *testing.T) {
		w := newWeights(rng, small, threeBy)
		_, wKR := w.Down(threeBy)
		wKR.Zero()
		y, bound := bothForms(t, "kR = 0", x, w, threeBy)
		within(t, "kR = 0", y, nope(x, w, threeBy, 1/math.Sqrt(6+4)), bound, bound)
		if d := apart(nope(x, w, threeBy, 1/math.Sqrt(6)), y); d < 1e-2 {
			t.Errorf("1/√d_h cannot be told from 1/√(d_h+d_h^R): apart by %g", d)
		}
	})

	// W^UK = 0 leaves qR·kR. With all tokens equal, the score of a pair is then a function of its
	// distance alone.
	t.Run("with W^UK of zero only positions are left, and only their differences", func(t *testing.T) {
		same := mat.NewDense(6, small.d, nil)
		for n := range 6 {
			same.SetRow(n, x.RawRowView(0))
		}
		w := newWeights(rng, small, threeBy)
		for i := range threeBy.Heads {
			w.Head(i, threeBy).UK.Zero()
		}
		bothForms(t, "rotary part only", x, w, threeBy)
		cQ, latent, ropeKey := Compress(same, w, threeBy)
		q, k, _ := w.Head(0, threeBy).Naive(cQ, latent, ropeKey, threeBy.Rotation(6))
		scores := attention.Scores(q, k, attention.Options{Scale: threeBy.ScoreScale()})
		for s := 1; s < 6; s++ {
			for j := 1; j < 6; j++ {
				if math.Abs(scores.At(s, j)-scores.At(s-1, j-1)) > 1e-14 {
					t.Errorf("score of (%d, %d) is %v, of (%d, %d) %v",
						s, j, scores.At(s, j), s-1, j-1, scores.At(s-1, j-1))
				}
			}
		}
	})

	// cQ = h and W^Q = W^UQ W^DQ are the same queries when no norm stands between. Integers make
	// the product exact.
	t.Run("without query compression W^Q does what W^UQ W^DQ did", func(t *testing.T) {
		w := newWeights(rng, small, threeBy).plain()
		w.WDQ, w.WUQ = integers(rng, small.dQ, small.d, 2), integers(rng, threeBy.Heads*10, small.dQ, 2)
		w.WDQ.Scale(1.0/16, w.WDQ)
		y, bound := bothForms(t, "compressed", x, w, threeBy)
		w.WQ = product(w.WUQ, w.WDQ)
		w.WDQ, w.WUQ = nil, nil
		yLite, boundLite := bothForms(t, "direct", x, w, threeBy)
		within(t, "direct and compressed", yLite, y, bound, boundLite)
	})

	// With W^O = I the output is the heads side by side, and a head depends on its own rows of W^UQ
	// and W^UKV alone.
	t.Run("heads permuted with their weights permute their outputs", func(t *testing.T) {
		w, order := newWeights(rng, shape{d: 15, dQ: 14, dC: 10}, threeBy), []int{2, 0, 1}
		w.WO = identity(15)
		x := normal(rng, 6, 15, 1)
		y, _, _ := Layer(x, w, threeBy)
		permuted := w
		permuted.WUQ, permuted.WUKV = mat.DenseCopyOf(w.WUQ), mat.DenseCopyOf(w.WUKV)
		for i, from := range order {
			to, h := permuted.Head(i, threeBy), w.Head(from, threeBy)
			to.UQ.Copy(h.UQ)
			to.QR.Copy(h.QR)
			to.UK.Copy(h.UK)
			to.UV.Copy(h.UV)
		}
		got, _, _ := Layer(x, permuted, threeBy)
		for i, from := range order {
			identical(t, fmt.Sprint("head ", i), got.Slice(0, 6, 5*i, 5*i+5), y.Slice(0, 6, 5*from, 5*from+5))
		}
	})

	t.Run("a causal layer does not know later tokens", func(t *testing.T) {
		w := newWeights(rng, small, threeBy)
		y, _, _ := Layer(x, w, threeBy)
		later := mat.DenseCopyOf(x)
		later.SetRow(5, make([]float64, small.d))
		got, _, _ := Layer(later, w, threeBy)
		identical(t, "tokens before", got.Slice(0, 5, 0, small.d), y.Slice(0, 5, 0, small.d))
		if apart(got, y) == 0 {
			t.Error("the last token did not change")
		}
	})
}

// stack adds the rows of m to those of all.
func stack(all, m *mat.Dense) {
	if all.IsEmpty() {
		all.CloneFrom(m)
		return
	}
	var grown mat.Dense
	grown.Stack(all, m)
	*all = grown
}

// nope is the layer with the rotary parts left out, in the scale given.
func nope(x mat.Matrix, w Weights, c Config, scale float64) *mat.Dense {
	cQ, latent, _ := Compress(x, w, c)
	o := make([]*mat.Dense, c.Heads)
	for i := range o {
		h := w.Head(i, c)
		o[i], _ = Attend(
			UpQuery(cQ, h.UQ), UpKey(latent, h.UK), UpValue(latent, h.UV), scale, attention.Mask{Causal: c.Causal},
		)
	}
	return Output(o, w.WO)
}

func TestCompress(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 3))
	x := normal(rng, 4, small.d, 1)

	t.Run("without norms it is the papers' equations", func(t *testing.T) {
		w := newWeights(rng, small, threeBy).plain()
		wDKV, wKR := w.Down(threeBy)
		cQ, latent, ropeKey := Compress(x, w, threeBy)
		identical(t, "cQ", cQ, CompressQuery(x, w.WDQ))
		identical(t, "cKV", latent, CompressKV(x, wDKV))
		identical(t, "kR", ropeKey, RopeKey(x, wKR, threeBy.Rotation(4)))
	})

	// RMSNorm is invariant to scale when ε = 0, and a power of two is multiplied without rounding.
	t.Run("the norm forgets the size of W^DKV, and does not touch the rotary key", func(t *testing.T) {
		c := threeBy
		c.Eps = 0
		w := newWeights(rng, small, c)
		_, latent, ropeKey := Compress(x, w, c)
		w.WDKV.Scale(8, w.WDKV)
		_, latent8, ropeKey8 := Compress(x, w, c)
		identical(t, "latent", latent8, latent)
		ropeKey.Scale(8, ropeKey)
		identical(t, "rotary key", ropeKey8, ropeKey)
	})

	// mean((x/√(mean x²))²) = 1.
	t.Run("the returned latent is the normed one", func(t *testing.T) {
		c, w := threeBy, newWeights(rng, small, threeBy)
		c.Eps = 0
		for i := range w.NormKV {
			w.NormKV[i] = 1
		}
		_, latent, _ := Compress(x, w, c)
		for n := range 4 {
			square := math.Pow(mat.Norm(latent.RowView(n), 2), 2) / float64(small.dC)
			if math.Abs(square-1) > gamma(3*small.dC) {
				t.Errorf("mean square of latent %d is %v", n, square)
			}
		}
	})

	t.Run("without query compression the query's latent is the token, not normed", func(t *testing.T) {
		cQ, _, _ := Compress(x, newWeights(rng, lite, threeBy), threeBy)
		identical(t, "cQ", cQ, x)
	})
}

func TestWeightsHead(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 4))
	w := newWeights(rng, small, threeBy)

	t.Run("rows are per head [nope; rope] and [key; value], columns of W^O per head", func(t *testing.T) {
		h := w.Head(2, threeBy)
		for _, at := range []struct {
			name      string
			got, want float64
		}{
			{"UQ", h.UQ.At(5, 1), w.WUQ.At(2*10+5, 1)},
			{"QR", h.QR.At(3, 1), w.WUQ.At(2*10+6+3, 1)},
			{"UK", h.UK.At(5, 1), w.WUKV.At(2*11+5, 1)},
			{"UV", h.UV.At(4, 1), w.WUKV.At(2*11+6+4, 1)},
			{"O", h.O.At(1, 4), w.WO.At(1, 2*5+4)},
		} {
			if at.got != at.want {
				t.Errorf("%s: %v, want %v", at.name, at.got, at.want)
			}
		}
	})

	t.Run("slices are views", func(t *testing.T) {
		wDKV, wKR := w.Down(threeBy)
		wKR.Set(0, 0, 42)
		wDKV.Set(0, 1, 43)
		w.Head(1, threeBy).UV.Set(0, 0, 44)
		if w.WDKV.At(small.dC, 0) != 42 || w.WDKV.At(0, 1) != 43 || w.WUKV.At(11+6, 0) != 44 {
			t.Error("a slice was copied")
		}
	})
}

func TestConfigScoreScale(t *testing.T) {
	c := Config{NopeDim: 128, RopeDim: 64}
	for _, test := range []struct {
		name string
		yarn *rope.YaRN
		want float64
	}{
		{"1/√192 without YaRN", nil, 0.07216878365},
		{"times 1.3688879² in DeepSeek-V3", &v3YaRN, 0.13523377886},
		{"times 1.2608038² in DeepSeek-V2", &v2YaRN, 0.11472138679},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c.YaRN = test.yarn; math.Abs(c.ScoreScale()-test.want) > 5e-12 {
				t.Errorf("%.11f, want %.11f", c.ScoreScale(), test.want)
			}
		})
	}
	t.Run("a scale of its own stands for all of it", func(t *testing.T) {
		if c.Scale = 0.25; c.ScoreScale() != 0.25 {
			t.Error(c.ScoreScale())
		}
	})
}

func TestConfigRotation(t *testing.T) {
	t.Run("the first token stands at Start", func(t *testing.T) {
		c := threeBy
		whole := c.Rotation(5)
		c.Start = 2
		identical(t, "cos", c.Rotation(3).Cos, whole.Cos.Slice(2, 5, 0, 2))
		identical(t, "sin", c.Rotation(3).Sin, whole.Sin.Slice(2, 5, 0, 2))
	})
	t.Run("YaRN's amplitude multiplies both tables, and is 1 when both scales are equal", func(t *testing.T) {
		c, y := threeBy, v3YaRN
		c.YaRN = &y
		equal := c.Rotation(3)
		y.MScaleAllDim = 0.5
		r, amplitude := c.Rotation(3), y.Amplitude()
		for _, p := range [][2]*mat.Dense{{r.Cos, equal.Cos}, {r.Sin, equal.Sin}} {
			p[1].Scale(amplitude, p[1])
			identical(t, "table", p[0], p[1])
		}
		if equal.Cos.At(0, 0) != amplitude || v3YaRN.Amplitude() != 1 {
			t.Error("cos 0 is not the amplitude")
		}
	})
}

func TestPanics(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	x, w := normal(rng, 2, small.d, 1), newWeights(rng, small, threeBy)
	for name, spoil := range map[string]func(w *Weights, c *Config){
		"mla: shapes of the weights do not fit together": func(_ *Weights, c *Config) { c.Heads = 2 },
		"mla: weights missing, or both with and without query compression": func(w *Weights, _ *Config) {
			w.WQ = w.WUQ
		},
		"mla: length of a norm's weight is not its latent's": func(w *Weights, _ *Config) {
			w.NormKV = w.NormKV[1:]
		},
		"mla: a width of the configuration is not positive": func(_ *Weights, c *Config) {
			c.RopeDim = 0
		},
		"mla: scale of the scores is not positive": func(_ *Weights, c *Config) {
			c.Scale = -1
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := w, threeBy
			spoil(&w, &c)
			panicsWith(t, name, func() { Layer(x, w, c) })
		})
	}
	panicsWith(t, "mla: widths of rows and weights differ", func() { CompressKV(x, w.WUKV) })
	panicsWith(t, "mla: numbers of rows differ", func() { ConcatKey(x, w.WO) })
	panicsWith(t, "mla: rotation does not fit the rows", func() { RopeKey(x, w.WDKV, threeBy.Rotation(3)) })
}

func panicsWith(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}
