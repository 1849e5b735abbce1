package mla

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/norm"
	"plumbline/rope"
)

// Weights are those of one layer, in the layout of DeepSeek's checkpoints. Either WDQ and WUQ are
// given, or WQ.
type Weights struct {
	WDQ    *mat.Dense // [d_c' × d]
	WUQ    *mat.Dense // [n_h·(d_h+d_h^R) × d_c'], rows per head [nope; rope]
	WQ     *mat.Dense // [n_h·(d_h+d_h^R) × d], the same without query compression
	WDKV   *mat.Dense // [(d_c+d_h^R) × d], rows [latent; rope key]
	WUKV   *mat.Dense // [n_h·(d_h+d_v) × d_c], rows per head [key; value]
	WO     *mat.Dense // [d × n_h·d_v]
	NormQ  []float64  // [d_c'], weight of the RMSNorm on cQ; nil: none, as the paper prints
	NormKV []float64  // [d_c], weight of the RMSNorm on cKV; nil: none, as the paper prints
}

// Config is what the shapes of the weights do not say.
type Config struct {
	Heads, NopeDim, RopeDim, ValueDim int     // n_h, d_h, d_h^R, d_v
	Eps                               float64 // of the two norms, 1e-6
	Base                              float64 // of the rotation, 10000
	Layout                            rope.Layout
	YaRN                              *rope.YaRN // nil: none
	Scale                             float64    // of the scores; 0: SoftmaxScale times YaRN's ScoreFactor
	Causal                            bool
	Start                             int // position of the first token
}

// HeadWeights are those of one head, as views into the layer's, nothing copied.
type HeadWeights struct {
	UQ, QR *mat.Dense // [d_h × d_c'], [d_h^R × d_c']; without query compression d in the place of d_c'
	UK, UV *mat.Dense // [d_h × d_c], [d_v × d_c]
	O      *mat.Dense // [d × d_v]
}

// Head returns the weights of head i. It implements no equation: it slices.
func (w Weights) Head(i int, c Config) HeadWeights {
	wUQ := w.WUQ
	if w.WQ != nil {
		wUQ = w.WQ
	}
	q, kv, v := i*(c.NopeDim+c.RopeDim), i*(c.NopeDim+c.ValueDim), i*c.ValueDim
	d, _ := w.WO.Dims()
	return HeadWeights{
		UQ: rows(wUQ, q, c.NopeDim),
		QR: rows(wUQ, q+c.NopeDim, c.RopeDim),
		UK: rows(w.WUKV, kv, c.NopeDim),
		UV: rows(w.WUKV, kv+c.NopeDim, c.ValueDim),
		O:  w.WO.Slice(0, d, v, v+c.ValueDim).(*mat.Dense),
	}
}

// Down returns the two parts of WDKV as views: W^DKV [d_c × d] and W^KR [d_h^R × d]. It implements
// no equation: it slices.
func (w Weights) Down(c Config) (wDKV, wKR *mat.Dense) {
	n, _ := w.WDKV.Dims()
	return rows(w.WDKV, 0, n-c.RopeDim), rows(w.WDKV, n-c.RopeDim, c.RopeDim)
}

// rows returns n rows of m from the given one on, as a view.
func rows(m *mat.Dense, from, n int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(from, from+n, 0, cols).(*mat.Dense)
}

// ScoreScale returns what scores are multiplied by.
//
//	1/√(d_h+d_h^R) · mscale(s, mscale_all_dim)²
//
// A Scale in the configuration stands for the whole of it. Differs in print: the paper says of the
// temperature only that it acts on the attention; in code it multiplies the part without position
// too. It implements DeepSeek-V2 (18) with section 3.1.4, as Hugging Face's DeepSeek-V3 has it.
func (c Config) ScoreScale() float64 {
	switch {
	case c.Scale != 0:
		return c.Scale
	case c.YaRN != nil:
		return SoftmaxScale(c.NopeDim, c.RopeDim) * c.YaRN.ScoreFactor()
	}
	return SoftmaxScale(c.NopeDim, c.RopeDim)
}

// Rotation returns how tokens at positions Start, Start+1, … are turned.
//
//	cos(m θ'_i) · amplitude,  sin(m θ'_i) · amplitude
//
// Both tables are [tokens × d_h^R/2]; amplitude is that of YaRN, 1 in DeepSeek's checkpoints.
// It implements the RoPE(·) of DeepSeek-V2 (14) and (15), and DeepSeek-V3 (3) and (8).
func (c Config) Rotation(tokens int) Rotation {
	positions := make([]float64, tokens)
	for t := range positions {
		positions[t] = float64(c.Start + t)
	}
	theta, amplitude := rope.Frequencies(c.RopeDim, c.Base), 1.0
	if c.YaRN != nil {
		theta, amplitude = rope.YaRNFrequencies(c.RopeDim, c.Base, *c.YaRN), c.YaRN.Amplitude()
	}
	cos, sin := rope.Table(positions, theta)
	cos.Scale(amplitude, cos)
	sin.Scale(amplitude, sin)
	return Rotation{cos, sin, c.Layout}
}

// Compress returns what a layer makes of its tokens before there are heads: the latent of queries,
// and the two things that are cached.
//
//	cQ_t = RMSNorm(W^DQ h_t),  cKV_t = RMSNorm(W^DKV h_t),  kR_t = RoPE(W^KR h_t)
//
// x is [T × d]; cQ is [T × d_c'], latent is [T × d_c], ropeKey is [T × d_h^R]. Without query
// compression cQ is x itself, not normed. Differs in print: the RMSNorms are not in the equations,
// section 3.1.2 mentions them; kR has none. It implements DeepSeek-V2 (37), (41) and (43), and
// DeepSeek-V3 (1), (3) and (6), with the RMSNorms of DeepSeek-V3's inference code.
func Compress(x mat.Matrix, w Weights, c Config) (cQ mat.Matrix, latent, ropeKey *mat.Dense) {
	c.check(x, w)
	tokens, _ := x.Dims()
	wDKV, wKR := w.Down(c)
	latent = normed(CompressKV(x, wDKV), w.NormKV, c.Eps)
	ropeKey = RopeKey(x, wKR, c.Rotation(tokens))
	if w.WQ != nil {
		return x, latent, ropeKey
	}
	return normed(CompressQuery(x, w.WDQ), w.NormQ, c.Eps), latent, ropeKey
}

// normed returns x with RMSNorm applied to its rows, if there is a weight.
func normed(x *mat.Dense, weight []float64, eps float64) *mat.Dense {
	if weight == nil {
		return x
	}
	return norm.RMSRows(x, weight, eps)
}

// Naive returns queries, keys and values of one head, whose attention is the layer seen as MHA.
//
//	q_i = [W^UQ_i cQ; RoPE(W^QR_i cQ)],  k_i = [W^UK_i cKV; kR],  v_i = W^UV_i cKV
//
// cQ, latent and ropeKey come from Compress; q and k are [T × (d_h+d_h^R)], v is [T × d_v]. It
// implements DeepSeek-V2 (38)–(40), (42), (44) and (45), and DeepSeek-V3 (2), (4), (5) and (7)–(9).
func (h HeadWeights) Naive(cQ, latent, ropeKey mat.Matrix, r Rotation) (q, k, v *mat.Dense) {
	q = ConcatQuery(UpQuery(cQ, h.UQ), RopeQuery(cQ, h.QR, r))
	k = ConcatKey(UpKey(latent, h.UK), ropeKey)
	v = UpValue(latent, h.UV)
	return q, k, v
}

// Absorbed returns the queries of one head that face cached rows; the layer is then MQA.
//
//	[W^UK_iᵀ W^UQ_i cQ; RoPE(W^QR_i cQ)]
//
// cQ comes from Compress; the result is [T × (d_c+d_h^R)]. It implements DeepSeek-V2 (38)–(40) with
// the absorption after (47), and DeepSeek-V3 (7)–(9) likewise.
func (h HeadWeights) Absorbed(cQ mat.Matrix, r Rotation) *mat.Dense {
	return ConcatQuery(AbsorbQuery(UpQuery(cQ, h.UQ), h.UK), RopeQuery(cQ, h.QR, r))
}

// Layer returns the output of a layer for one sequence, in the naive form, and the two things it
// would cache.
//
//	u_t = W^O [o_{t,1}; …; o_{t,n_h}],  o_{t,i} = Attend(q_i, k_i, v_i)_t
//
// x is [T × d]; y is [T × d], latent is [T × d_c] (normed), ropeKey is [T × d_h^R] (turned). It
// implements DeepSeek-V2 (37)–(47) and DeepSeek-V3 (1)–(11), with the RMSNorms of DeepSeek-V3's
// inference code.
func Layer(x mat.Matrix, w Weights, c Config) (y, latent, ropeKey *mat.Dense) {
	cQ, latent, ropeKey := Compress(x, w, c)
	tokens, _ := x.Dims()
	r, mask := c.Rotation(tokens), attention.Mask{Causal: c.Causal}
	o := make([]*mat.Dense, c.Heads)
	for i := range o {
		q, k, v := w.Head(i, c).Naive(cQ, latent, ropeKey, r)
		o[i], _ = Attend(q, k, v, c.ScoreScale(), mask)
	}
	return Output(o, w.WO), latent, ropeKey
}

// LayerAbsorbed returns what Layer returns, in the absorbed form: no key and no value of a head is
// ever made.
//
//	o_{t,i} = W^UV_i Attend([q̃_i; qR_i], [cKV; kR], cKV)_t
//
// Shapes are those of Layer. It implements DeepSeek-V2 (37)–(47) with the absorption after (47),
// and the RMSNorms of DeepSeek-V3's inference code.
func LayerAbsorbed(x mat.Matrix, w Weights, c Config) (y, latent, ropeKey *mat.Dense) {
	cQ, latent, ropeKey := Compress(x, w, c)
	tokens, _ := x.Dims()
	r, mask := c.Rotation(tokens), attention.Mask{Causal: c.Causal}
	cached := ConcatKey(latent, ropeKey)
	o := make([]*mat.Dense, c.Heads)
	for i := range o {
		h := w.Head(i, c)
		oC, _ := Attend(h.Absorbed(cQ, r), cached, latent, c.ScoreScale(), mask)
		o[i] = AbsorbOutput(oC, h.UV)
	}
	return Output(o, w.WO), latent, ropeKey
}

// check panics unless all shapes fit together.
func (c Config) check(x mat.Matrix, w Weights) {
	lite := w.WQ != nil
	switch {
	case min(c.Heads, c.NopeDim, c.RopeDim, c.ValueDim) < 1:
		panic("mla: a width of the configuration is not positive")
	case w.WDKV == nil, w.WUKV == nil, w.WO == nil, lite == (w.WDQ != nil), lite == (w.WUQ != nil), lite &&
		w.NormQ != nil:
		panic("mla: weights missing, or both with and without query compression")
	}
	_, d := x.Dims()
	wUQ, dQ := w.WQ, d
	if !lite {
		wUQ = w.WUQ
		dQ, _ = w.WDQ.Dims()
		mustBe(w.WDQ, dQ, d)
	}
	n, _ := w.WDKV.Dims()
	mustBe(wUQ, c.Heads*(c.NopeDim+c.RopeDim), dQ)
	mustBe(w.WDKV, n, d)
	mustBe(w.WUKV, c.Heads*(c.NopeDim+c.ValueDim), n-c.RopeDim)
	mustBe(w.WO, d, c.Heads*c.ValueDim)
	if w.NormQ != nil && len(w.NormQ) != dQ || w.NormKV != nil && len(w.NormKV) != n-c.RopeDim {
		panic("mla: length of a norm's weight is not its latent's")
	}
}

// mustBe panics unless m is [r × c].
func mustBe(m *mat.Dense, r, c int) {
	if rows, cols := m.Dims(); rows != r || cols != c {
		panic("mla: shapes of the weights do not fit together")
	}
}
