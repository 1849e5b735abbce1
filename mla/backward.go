package mla

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/norm"
	"plumbline/rope"
)

// LayerBackward returns the gradients of Layer's y, given dy = ∂L/∂y, for the tokens and for every
// weight.
//
//	do_i = W^O_iᵀ dy,  dW^O_i = Σ_t dy_t o_{t,i}ᵀ
//	dq_i, dk_i, dv_i from the attention of head i
//	dcQ = Σ_i dcQ_i,  dcKV = Σ_i dcKV_i,  dkR = Σ_i dkR_i
//
// x and dy are [T × d]; dx is [T × d], dw has the shapes of w and is nil where w is. What a head
// passes on is NaiveBackward, what the latents do is CompressBackward. It implements DeepSeek-V2
// (37)–(47) and DeepSeek-V3 (1)–(11), with the RMSNorms of DeepSeek-V3's inference code (derived).
func LayerBackward(x mat.Matrix, w Weights, c Config, dy mat.Matrix) (dx *mat.Dense, dw Weights) {
	b := newBackward(x, w, c)
	type head struct{ q, k, v *mat.Dense }
	heads, o := make([]head, c.Heads), make([]*mat.Dense, c.Heads)
	for i := range heads {
		q, k, v := w.Head(i, c).Naive(b.cQ, b.latent, b.ropeKey, b.r)
		heads[i] = head{q, k, v}
		o[i], _ = Attend(q, k, v, b.o.Scale, b.o.Mask)
	}
	do, dWO := OutputBackward(o, w.WO, dy)
	for i, n := range heads {
		dq, dk, dv := attention.Backward(n.q, n.k, n.v, do[i], b.o)
		dh, dcQ, dLatent, dRopeKey := w.Head(i, c).NaiveBackward(b.cQ, b.latent, b.r, dq, dk, dv)
		b.add(i, dh, dcQ, dLatent, dRopeKey)
	}
	return b.finish(x, w, dWO)
}

// LayerAbsorbedBackward returns what LayerBackward returns, in the absorbed form: MQA on the
// latents.
//
//	doC_i = W^UV_iᵀ do_i,  dW^UV_i = Σ_t do_{t,i} oC_{t,i}ᵀ
//	[dq̃_i; dqR_i], [dcKV_i; dkR_i], dv_i from the attention of head i to the rows [cKV; kR]
//	dcKV = Σ_i (dcKV_i + dv_i): the latent is key and value
//
// Shapes are those of LayerBackward. It implements DeepSeek-V2 (37)–(47) with the absorption after
// (47), and the RMSNorms of DeepSeek-V3's inference code (derived).
func LayerAbsorbedBackward(x mat.Matrix, w Weights, c Config, dy mat.Matrix) (dx *mat.Dense, dw Weights) {
	b := newBackward(x, w, c)
	cached := ConcatKey(b.latent, b.ropeKey)
	q, oC, o := make([]*mat.Dense, c.Heads), make([]*mat.Dense, c.Heads), make([]*mat.Dense, c.Heads)
	for i := range o {
		h := w.Head(i, c)
		q[i] = h.Absorbed(b.cQ, b.r)
		oC[i], _ = Attend(q[i], cached, b.latent, b.o.Scale, b.o.Mask)
		o[i] = AbsorbOutput(oC[i], h.UV)
	}
	do, dWO := OutputBackward(o, w.WO, dy)
	for i := range o {
		h := w.Head(i, c)
		doC, dUV := attention.ProjectBackward(oC[i], h.UV, do[i])
		dq, dCached, dv := attention.Backward(q[i], cached, b.latent, doC, b.o)
		dh, dcQ := h.AbsorbedBackward(b.cQ, b.r, dq)
		dh.UV = dUV
		_, dc := b.latent.Dims()
		dLatent, dRopeKey := cut(dCached, dc)
		b.add(i, dh, dcQ, sum(dLatent, dv), dRopeKey)
	}
	return b.finish(x, w, dWO)
}

// OutputBackward returns the gradients of Output for the heads' outputs and for the weights.
//
//	[do_{t,1}; …; do_{t,n_h}] = W^Oᵀ du_t,  dW^O = Σ_t du_t [o_{t,1}; …; o_{t,n_h}]ᵀ
//
// o has n_h matrices [T × d_v], wO is [d × n_h·d_v], du is [T × d]; the results have the shapes of
// o and wO. It implements DeepSeek-V2 (19) and (47), and DeepSeek-V3 (11) (derived).
func OutputBackward(o []*mat.Dense, wO, du mat.Matrix) (do []*mat.Dense, dwO *mat.Dense) {
	all, dwO := attention.ProjectBackward(attention.ConcatHeads(o), wO, du)
	return attention.SplitHeads(all, len(o)), dwO
}

// NaiveBackward returns the gradients of one head's queries, keys and values for its weights,
// without O, and for what Compress returns.
//
//	[dqC; dqR′] = dq,  dqR = RoPEᵀ(dqR′),  [dkC; dkR] = dk
//	dW^UQ = Σ_t dqC_t cQ_tᵀ,  dW^QR = Σ_t dqR_t cQ_tᵀ,  dcQ = W^UQᵀ dqC + W^QRᵀ dqR
//	dW^UK = Σ_t dkC_t cKV_tᵀ,  dW^UV = Σ_t dv_t cKV_tᵀ,  dcKV = W^UKᵀ dkC + W^UVᵀ dv
//
// cQ is [T × d_c'], latent is [T × d_c]; dq and dk are [T × (d_h+d_h^R)], dv is [T × d_v]; dcQ,
// dLatent and dRopeKey are [T × d_c'], [T × d_c] and [T × d_h^R], the last of the turned key, that
// is cached. It implements DeepSeek-V2 (38)–(40), (42), (44) and (45), and DeepSeek-V3 (2), (4),
// (5) and (7)–(9) (derived).
func (h HeadWeights) NaiveBackward(
	cQ, latent mat.Matrix, r Rotation, dq, dk, dv *mat.Dense,
) (dh HeadWeights, dcQ, dLatent, dRopeKey *mat.Dense) {
	nope, _ := h.UK.Dims()
	dkC, dRopeKey := cut(dk, nope)
	dqC, dqR := cut(dq, nope)
	fromC, dUQ := attention.ProjectBackward(cQ, h.UQ, dqC)
	fromR, dQR := attention.ProjectBackward(cQ, h.QR, r.backward(dqR))
	fromK, dUK := attention.ProjectBackward(latent, h.UK, dkC)
	fromV, dUV := attention.ProjectBackward(latent, h.UV, dv)
	return HeadWeights{UQ: dUQ, QR: dQR, UK: dUK, UV: dUV}, sum(fromC, fromR), sum(fromK, fromV), dRopeKey
}

// AbsorbedBackward returns the gradients of one head's absorbed queries for its weights, those of
// the queries and W^UK, and for the latent of queries.
//
//	[dq̃; dqR′] = dq,  dqC = W^UK dq̃,  dW^UK = Σ_t qC_t dq̃_tᵀ
//	dcQ = W^UQᵀ dqC + W^QRᵀ RoPEᵀ(dqR′)
//
// cQ is [T × d_c'], dq is [T × (d_c+d_h^R)]; dcQ is [T × d_c'], dW^UQ and dW^QR are as in
// NaiveBackward. It implements DeepSeek-V2 (38)–(40) with the absorption after (47), and
// DeepSeek-V3 (7)–(9) likewise (derived).
func (h HeadWeights) AbsorbedBackward(cQ mat.Matrix, r Rotation, dq *mat.Dense) (dh HeadWeights, dcQ *mat.Dense) {
	_, dc := h.UK.Dims()
	dLatentQuery, dqR := cut(dq, dc)
	dqC, dUKT := attention.ProjectBackward(UpQuery(cQ, h.UQ), h.UK.T(), dLatentQuery)
	fromC, dUQ := attention.ProjectBackward(cQ, h.UQ, dqC)
	fromR, dQR := attention.ProjectBackward(cQ, h.QR, r.backward(dqR))
	return HeadWeights{UQ: dUQ, QR: dQR, UK: mat.DenseCopyOf(dUKT.T())}, sum(fromC, fromR)
}

// CompressBackward returns the gradients of what Compress returns for the tokens and for its
// weights: WDQ, WDKV, NormQ and NormKV, where the layer has them.
//
//	dcQ′ = RMSNormᵀ(dcQ),  dcKV′ = RMSNormᵀ(dcKV),  dkR′ = RoPEᵀ(dkR)
//	dx = W^DQᵀ dcQ′ + W^DKVᵀ dcKV′ + W^KRᵀ dkR′,  dW = Σ_t d(W x)_t x_tᵀ for each
//
// x is [T × d], dcQ is [T × d_c'], dLatent is [T × d_c], dRopeKey is [T × d_h^R]; dx is [T × d].
// Without query compression dcQ is [T × d], a part of dx. It implements DeepSeek-V2 (37), (41) and
// (43), and DeepSeek-V3 (1), (3) and (6), with the RMSNorms of DeepSeek-V3's inference code
// (derived).
func CompressBackward(
	x mat.Matrix, w Weights, c Config, dcQ, dLatent, dRopeKey *mat.Dense,
) (dx *mat.Dense, dw Weights) {
	c.check(x, w)
	tokens, _ := x.Dims()
	wDKV, _ := w.Down(c)
	dLatent, dw.NormKV = normedBackward(CompressKV(x, wDKV), w.NormKV, dLatent, c.Eps)
	down := concat(dLatent, c.Rotation(tokens).backward(dRopeKey))
	dx, dw.WDKV = attention.ProjectBackward(x, w.WDKV, down)
	if w.WQ != nil {
		return sum(dx, dcQ), dw
	}
	dcQ, dw.NormQ = normedBackward(CompressQuery(x, w.WDQ), w.NormQ, dcQ, c.Eps)
	fromQ, dWDQ := attention.ProjectBackward(x, w.WDQ, dcQ)
	dw.WDQ = dWDQ
	return sum(dx, fromQ), dw
}

// normedBackward returns the gradients of normed for its rows and its weight, which may be none.
func normedBackward(x *mat.Dense, weight []float64, dy *mat.Dense, eps float64) (dx *mat.Dense, dweight []float64) {
	if weight == nil {
		return dy, nil
	}
	return norm.RMSRowsBackward(x, weight, dy, eps)
}

// backward returns the gradient of rows for what was turned, [T × d_h^R].
func (r Rotation) backward(dy *mat.Dense) *mat.Dense {
	tokens, width := dy.Dims()
	if n, pairs := r.Cos.Dims(); n != tokens || width != 2*pairs {
		panic("mla: rotation does not fit the rows")
	}
	dx := mat.NewDense(tokens, width, nil)
	for t := range tokens {
		dx.SetRow(t, rope.RotateBackward(dy.RawRowView(t), r.Cos.RawRowView(t), r.Sin.RawRowView(t), r.Layout))
	}
	return dx
}

// backward is what both forms of a layer share on the way back.
type backward struct {
	c                      Config
	o                      attention.Options
	r                      Rotation
	cQ                     mat.Matrix
	latent, ropeKey        *mat.Dense
	dw                     Weights
	dcQ, dLatent, dRopeKey *mat.Dense // sums over the heads so far
}

func newBackward(x mat.Matrix, w Weights, c Config) *backward {
	b := &backward{c: c, o: attention.Options{Scale: c.ScoreScale(), Mask: attention.Mask{Causal: c.Causal}}}
	b.cQ, b.latent, b.ropeKey = Compress(x, w, c)
	tokens, dQ := b.cQ.Dims()
	b.r = c.Rotation(tokens)
	b.dcQ = mat.NewDense(tokens, dQ, nil)
	b.dLatent, b.dRopeKey = like(b.latent), like(b.ropeKey)
	b.dw = Weights{WUKV: like(w.WUKV), WO: like(w.WO)}
	if w.WQ != nil {
		b.dw.WQ = like(w.WQ)
	} else {
		b.dw.WUQ = like(w.WUQ)
	}
	return b
}

// add takes in what head i passes on.
func (b *backward) add(i int, dh HeadWeights, dcQ, dLatent, dRopeKey *mat.Dense) {
	to := b.dw.Head(i, b.c)
	to.UQ.Copy(dh.UQ)
	to.QR.Copy(dh.QR)
	to.UK.Copy(dh.UK)
	to.UV.Copy(dh.UV)
	b.dcQ.Add(b.dcQ, dcQ)
	b.dLatent.Add(b.dLatent, dLatent)
	b.dRopeKey.Add(b.dRopeKey, dRopeKey)
}

// finish goes from the latents on to the tokens.
func (b *backward) finish(x mat.Matrix, w Weights, dWO *mat.Dense) (dx *mat.Dense, dw Weights) {
	dx, down := CompressBackward(x, w, b.c, b.dcQ, b.dLatent, b.dRopeKey)
	b.dw.WDQ, b.dw.WDKV, b.dw.NormQ, b.dw.NormKV = down.WDQ, down.WDKV, down.NormQ, down.NormKV
	b.dw.WO = dWO
	return dx, b.dw
}

// like returns zeros of m's shape.
func like(m *mat.Dense) *mat.Dense {
	r, c := m.Dims()
	return mat.NewDense(r, c, nil)
}

// cut returns the first n columns of m and the others, as views.
func cut(m *mat.Dense, n int) (first, rest *mat.Dense) {
	r, c := m.Dims()
	return m.Slice(0, r, 0, n).(*mat.Dense), m.Slice(0, r, n, c).(*mat.Dense)
}

// sum returns a + b.
func sum(a, b mat.Matrix) *mat.Dense {
	var ab mat.Dense
	ab.Add(a, b)
	return &ab
}
