package hand

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mla"
	"plumbline/norm"
	"plumbline/rope"
	"plumbline/verify/op"
	"plumbline/verify/op/latent"
)

func latentWalks() []walk {
	return []walk{{"mla.layer", latentSheet, walkLatent, func(c *op.Case) float64 {
		return 6 * c.Extent("S") * c.Extent("S")
	}}}
}

// layer is what a layer of MLA is worked from.
type layer struct {
	x *mat.Dense
	w mla.Weights
	c mla.Config
	r mla.Rotation
}

// tinyLayer has two heads, two tokens, and d_c = 2; positions turn by π/2, and the scale is ln 2.
func tinyLayer() layer {
	cos, sin := rope.Table([]float64{0, 1}, []float64{math.Pi / 2})
	return layer{
		x: dense([]float64{1, 0}, []float64{0, 1}),
		w: mla.Weights{
			WDQ:  dense([]float64{1, 0}, []float64{0, 1}),
			WUQ:  dense([][]float64{{1, 0}, {1, 1}, {0, 0}, {1, -1}, {1, 0}, {0, 1}, {0, 0}, {0, 0}}...),
			WDKV: dense([][]float64{{1, 1}, {0, 1}, {1, 0}, {0, 1}}...),
			WUKV: dense([][]float64{{1, 1}, {0, 1}, {3, 0}, {0, 3}, {1, 0}, {0, 1}, {0, 6}, {6, 0}}...),
			WO:   dense([][]float64{{1, 0, 0, 1}, {0, 1, 1, 0}}...),
		},
		c: mla.Config{Heads: 2, NopeDim: 2, RopeDim: 2, ValueDim: 2, Scale: math.Ln2, Causal: true},
		r: mla.Rotation{Cos: cos, Sin: sin, Layout: rope.Interleaved},
	}
}

func latentSheet() *Sheet {
	s := newSheet("mla.layer", "MLA: naive beside absorbed", "Two tokens, two heads, d_c = 2. As the paper prints "+
		"it, without norms of the latents; a position turns by π/2 and scores are multiplied by ln 2, so that all "+
		"numbers are whole or simple fractions. Matrices of heads are those of the first.")
	s.layer(tinyLayer())
	return s
}

// walkLatent works the first sequence, its first head, and the output of its first token.
func walkLatent(s *Sheet, c *op.Case) {
	l := layer{x: c.Input("x").View(1, 0), w: latent.Weights(c), c: latent.Config(c)}
	l.r = l.c.Rotation(c.Dim("S"))
	y, cKV, kR := s.layer(l)
	s.out("y", 0, y.RawRowView(0)...)
	s.out("latent", 0, cKV.RawRowView(0)...)
	s.out("rope_key", 0, kR.RawRowView(0)...)
}

// layer adds the steps of a layer, and returns its output and what it caches.
func (s *Sheet) layer(l layer) (y, cKV, kR *mat.Dense) {
	s.given("What enters the layer, a row for each token.", matrix("h", l.x))
	cQ, cKV, kR := s.compress(l)
	h := l.w.Head(0, l.c)
	q, k, v := s.naive(l, h, cQ, cKV, kR)
	o := s.headOf("Naive: the head attends as any head does, to keys and values of its own.", "k", l, q, k, v)
	s.step("That is the first head's output.", "mla.Attend", "o_t = Σ_{j ≤ t} p_tj vC_j", matrix("o", o))
	s.absorbed(l, h, cQ, cKV, kR)
	all := l.outputs(cQ, cKV, kR)
	y = mla.Output(all, l.w.WO)
	s.step("The outputs of all heads, side by side, are projected; `mla.Layer` and `mla.LayerAbsorbed` do it all.",
		"mla.Output", "u_t = W^O [o_{t,1}; o_{t,2}; …]", matrix("[o₁ o₂ …]", attention.ConcatHeads(all)),
		matrix("u", y))
	s.cached(l)
	return y, cKV, kR
}

// compress adds the steps before there are heads.
func (s *Sheet) compress(l layer) (cQ mat.Matrix, cKV, kR *mat.Dense) {
	wDKV, wKR := l.w.Down(l.c)
	cKV = mla.CompressKV(l.x, wDKV)
	s.step("Keys and values share a latent.", "mla.CompressKV", "cKV_t = W^DKV h_t", matrix("W^DKV", wDKV),
		matrix("cKV", cKV))
	cKV = s.normed("cKV", cKV, l.w.NormKV, l.c.Eps)
	kR = mla.RopeKey(l.x, wKR, l.r)
	s.step("Position goes into a key of its own, which all heads share; it is cached turned.", "mla.RopeKey",
		"kR_t = RoPE(W^KR h_t)", matrix("W^KR h", attention.Project(l.x, wKR)), matrix("cos", l.r.Cos),
		matrix("sin", l.r.Sin), matrix("kR", kR))
	if l.w.WQ != nil {
		s.given("Queries are not compressed here: cQ is h itself.")
		return l.x, cKV, kR
	}
	query := mla.CompressQuery(l.x, l.w.WDQ)
	s.step("Queries have a latent too. It saves memory in training and is never cached.", "mla.CompressQuery",
		"cQ_t = W^DQ h_t", matrix("cQ", query))
	return s.normed("cQ", query, l.w.NormQ, l.c.Eps), cKV, kR
}

// normed adds the norm of a latent, if there is one.
func (s *Sheet) normed(name string, x *mat.Dense, weight []float64, eps float64) *mat.Dense {
	if weight == nil {
		return x
	}
	y := norm.RMSRows(x, weight, eps)
	s.step("The latent is normalised.", "norm.RMSRows", name+"_t = RMSNorm("+name+"_t)", matrix(name, y))
	return y
}

// naive adds queries, keys and values of a head.
func (s *Sheet) naive(l layer, h mla.HeadWeights, cQ, cKV, kR mat.Matrix) (q, k, v *mat.Dense) {
	q, k, v = h.Naive(cQ, cKV, kR, l.r)
	s.step("The first head's query has a part without position and one that is turned.", "mla.UpQuery",
		"qC = W^UQ cQ\nqR = RoPE(W^QR cQ)", matrix("qC", mla.UpQuery(cQ, h.UQ)),
		matrix("qR", mla.RopeQuery(cQ, h.QR, l.r)))
	s.step("Naive: its keys and values are made from the latent, for every token again.", "mla.UpKey",
		"kC = W^UK cKV\nvC = W^UV cKV", matrix("W^UK", h.UK), matrix("kC", mla.UpKey(cKV, h.UK)),
		matrix("W^UV", h.UV), matrix("vC", v))
	s.step("Both parts stand side by side, and one product adds up both scores.", "mla.ConcatKey",
		"q = [qC; qR]\nk = [kC; kR]", matrix("q", q), matrix("k", k))
	return q, k, v
}

// headOf adds scores and weights of a head, and returns its output.
func (s *Sheet) headOf(says, key string, l layer, q, k, v mat.Matrix) *mat.Dense {
	o := attention.Options{Scale: l.c.ScoreScale(), Mask: attention.Mask{Causal: l.c.Causal}}
	x := attention.Scores(q, k, o)
	p, _ := attention.Softmax(x, nil)
	s.step(says, "attention.Scores", "x_tj = scale · q_t·"+key+"_j\np_tj = e^{x_tj} / Σ_i e^{x_ti}",
		number("scale", o.Scale), matrix("q·"+key, attention.Products(q, k)), matrix("x", x), matrix("p", p))
	out, _ := mla.Attend(q, k, v, o.Scale, o.Mask)
	return out
}

// absorbed adds the same head in the absorbed form.
func (s *Sheet) absorbed(l layer, h mla.HeadWeights, cQ, cKV, kR mat.Matrix) {
	qC := mla.UpQuery(cQ, h.UQ)
	s.step("Absorbed: W^UK moves to the other side of the product, onto the query, and no key is made.",
		"mla.AbsorbQuery", "q̃_t = W^UKᵀ qC_t\nq̃_t·cKV_j = qC_t·(W^UK cKV_j)",
		matrix("q̃", mla.AbsorbQuery(qC, h.UK)))
	q, k := h.Absorbed(cQ, l.r), mla.ConcatKey(cKV, kR)
	oC := s.headOf("The scores are the same numbers, of cached rows as they stand.", "c", l, q, k, cKV)
	s.step("What is averaged is the latents, and W^UV comes after the sum: the same output, without a value.",
		"mla.AbsorbOutput", "oC_t = Σ_{j ≤ t} p_tj cKV_j\no_t = W^UV oC_t", matrix("c = [cKV kR]", k),
		matrix("oC", oC), matrix("o", mla.AbsorbOutput(oC, h.UV)))
}

// outputs returns those of all heads.
func (l layer) outputs(cQ, cKV, kR mat.Matrix) []*mat.Dense {
	all := make([]*mat.Dense, l.c.Heads)
	for i := range all {
		q, k, v := l.w.Head(i, l.c).Naive(cQ, cKV, kR, l.r)
		all[i], _ = mla.Attend(q, k, v, l.c.ScoreScale(), attention.Mask{Causal: l.c.Causal})
	}
	return all
}

// cached says what is kept of a token.
func (s *Sheet) cached(l layer) {
	rows, _ := l.w.WDKV.Dims()
	s.step("What is cached of each token: the latent and the rope key, however many heads there are; full keys "+
		"and values would be as many numbers as stand below.", "", "d_c + d_h^R  against  n_h (d_h + d_h^R + d_v)",
		number("MLA", float64(rows)),
		number("MHA", float64(l.c.Heads*(l.c.NopeDim+l.c.RopeDim+l.c.ValueDim))))
}
