package mtp

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/norm"
)

const badShapes = "mtp: shapes do not fit"

// Order says which half of its input a projection takes first.
type Order int

const (
	HiddenFirst    Order = iota // [hidden; embedding], as the paper prints (21)
	EmbeddingFirst              // [embedding; hidden], as eh_proj of the released weights has it
)

// Concat returns the two halves of what is projected, side by side.
//
//	[a; b],  a = RMSNorm(h_i), b = RMSNorm(Emb(t_{i+k}))
//
// hidden and embedding are [T × d], as they come from their norms; the result is [T × 2d], with the
// embedding first where order says so. It implements DeepSeek-V3 (21), its bracket, and
// README_WEIGHTS of DeepSeek-V3's code.
func Concat(hidden, embedding mat.Matrix, order Order) *mat.Dense {
	checkAlike(hidden, embedding)
	var both mat.Dense
	if order == EmbeddingFirst {
		both.Augment(embedding, hidden)
	} else {
		both.Augment(hidden, embedding)
	}
	return &both
}

// Halves undoes Concat.
//
//	[hidden; embedding] = x, or [embedding; hidden] = x
//
// x is [T × 2d], both results are [T × d], as views. Of a projection [d × 2d] they are the parts
// that act on either: V4 keeps these as two matrices. It implements DeepSeek-V3 (21), its bracket.
func Halves(x *mat.Dense, order Order) (hidden, embedding *mat.Dense) {
	rows, cols := x.Dims()
	if cols%2 != 0 {
		panic(badShapes)
	}
	first := x.Slice(0, rows, 0, cols/2).(*mat.Dense)
	second := x.Slice(0, rows, cols/2, cols).(*mat.Dense)
	if order == EmbeddingFirst {
		return second, first
	}
	return first, second
}

// SwapHalves returns a projection for the other order.
//
//	[M_e M_h] = SwapHalves([M_h M_e]),  [M_e M_h][e; h] = [M_h M_e][h; e]
//
// projection is [d × 2d] and so is the result. Differs in code: eh_proj of a checkpoint used as
// printed in (21), without it: nothing fails, and drafts are refused. It implements DeepSeek-V3
// (21) with README_WEIGHTS of DeepSeek-V3's code.
func SwapHalves(projection *mat.Dense) *mat.Dense {
	first, second := Halves(projection, HiddenFirst)
	return Concat(second, first, HiddenFirst)
}

// Combine returns what enters the block of depth k: the representation of depth k−1 and the
// embedding of the token k places on, each normalised, projected together.
//
//	h'_i = M [RMSNorm(h_i); RMSNorm(Emb(t_{i+k}))]
//
// hidden and embedding are [T × d], normHidden and normEmbedding the weights of their norms, [d],
// projection is M, [d × 2d]; the result is [T × d]. Row i of embedding belongs to token i+k: to
// shift it is the caller's business. Differs in print: the released weights take the embedding
// first, which is order; see SwapHalves. It implements DeepSeek-V3 (21).
func Combine(
	hidden, embedding mat.Matrix, normHidden, normEmbedding []float64, projection mat.Matrix, order Order, eps float64,
) *mat.Dense {
	checkAlike(hidden, embedding)
	h, e := norm.RMSRows(hidden, normHidden, eps), norm.RMSRows(embedding, normEmbedding, eps)
	return attention.Project(Concat(h, e, order), projection)
}

// CombineBackward returns the gradients of Combine's result for its inputs and weights, given dy =
// ∂L/∂h'.
//
//	[da; db] = Mᵀ dy,  dM = Σ_i dy_i [a_i; b_i]ᵀ,  a = RMSNorm(h), b = RMSNorm(Emb)
//	dh = RMSNormᵀ(da),  dEmb = RMSNormᵀ(db)
//
// Shapes are those of Combine, dy is [T × d]. It implements DeepSeek-V3 (21) (derived).
func CombineBackward(
	hidden, embedding mat.Matrix, normHidden, normEmbedding []float64, projection mat.Matrix, order Order, eps float64,
	dy mat.Matrix,
) (dhidden, dembedding *mat.Dense, dnormHidden, dnormEmbedding []float64, dprojection *mat.Dense) {
	checkAlike(hidden, embedding)
	h, e := norm.RMSRows(hidden, normHidden, eps), norm.RMSRows(embedding, normEmbedding, eps)
	dboth, dprojection := attention.ProjectBackward(Concat(h, e, order), projection, dy)
	dh, de := Halves(dboth, order)
	dhidden, dnormHidden = norm.RMSRowsBackward(hidden, normHidden, dh, eps)
	dembedding, dnormEmbedding = norm.RMSRowsBackward(embedding, normEmbedding, de, eps)
	return dhidden, dembedding, dnormHidden, dnormEmbedding, dprojection
}

// Block is a transformer block, TRM: a function of rows, causal from each to those before it, and
// its gradient for these rows. What it learns itself it keeps: Backward adds to it.
type Block struct {
	Forward  func(x mat.Matrix) *mat.Dense
	Backward func(x, dy mat.Matrix) (dx *mat.Dense)
}

// Module is one depth of prediction. The embedding and the output head are not its own but the main
// model's.
type Module struct {
	NormHidden    []float64  // [d], hnorm of a checkpoint
	NormEmbedding []float64  // [d], enorm
	Projection    *mat.Dense // [d × 2d], M, eh_proj
	Order         Order      // of the columns of Projection
	Block         Block
	NormHead      []float64 // [d], shared_head.norm; nil: none, as the paper prints
	Eps           float64   // of the norms, 1e-6
}

// Forward returns the representations of this depth, given those of the depth before and the
// embeddings of the tokens k places on.
//
//	h'^k_i = M_k [RMSNorm(h^{k−1}_i); RMSNorm(Emb(t_{i+k}))],  h^k = TRM_k(h'^k)
//
// hidden and embedding are [n × d] and so is the result, n = T−k for a sequence of T tokens. It
// implements DeepSeek-V3 (21) and (22).
func (m Module) Forward(hidden, embedding mat.Matrix) *mat.Dense {
	return m.Block.Forward(m.combine(hidden, embedding))
}

func (m Module) combine(hidden, embedding mat.Matrix) *mat.Dense {
	return Combine(hidden, embedding, m.NormHidden, m.NormEmbedding, m.Projection, m.Order, m.Eps)
}

// Backward returns the gradients of Forward's result for its inputs and for the module's weights,
// given dh = ∂L/∂h^k.
//
//	dh'^k = TRM_kᵀ(dh^k), and CombineBackward of it
//
// hidden, embedding and dh are [n × d], so are the first two results; dm has the weights that
// Forward uses, its block none: that keeps its own. It implements DeepSeek-V3 (21) and (22)
// (derived).
func (m Module) Backward(hidden, embedding, dh mat.Matrix) (dhidden, dembedding *mat.Dense, dm Module) {
	dy := m.Block.Backward(m.combine(hidden, embedding), dh)
	dm = Module{Order: m.Order, Eps: m.Eps}
	dhidden, dembedding, dm.NormHidden, dm.NormEmbedding, dm.Projection = CombineBackward(
		hidden, embedding, m.NormHidden, m.NormEmbedding, m.Projection, m.Order, m.Eps, dy)
	return dhidden, dembedding, dm
}

// Normed returns what the output head of this depth is given.
//
//	RMSNorm(h^k_i), or h^k_i
//
// h is [n × d] and so is the result. Differs in print: (23) gives the head h^k itself, as here
// where NormHead is nil; the released weights have a norm before it, shared_head.norm. It
// implements DeepSeek-V3 (23) with README_WEIGHTS of DeepSeek-V3's code.
func (m Module) Normed(h mat.Matrix) *mat.Dense {
	if m.NormHead == nil {
		return mat.DenseCopyOf(h)
	}
	return norm.RMSRows(h, m.NormHead, m.Eps)
}

// Logits returns the logits of this depth, by the head it shares with the main model.
//
//	P^k_{i+k+1} = OutHead(h^k_i) = softmax(W h^k_i)
//
// h is [n × d], head is W, [V × d]; the result is [n × V], before the softmax, with
// shared_head.norm where the module has it. It implements DeepSeek-V3 (23).
func (m Module) Logits(h, head mat.Matrix) *mat.Dense { return attention.Project(m.Normed(h), head) }

// LogitsBackward returns the gradients of Logits for the representations, the shared head and the
// weight of the norm before it, given dlogits.
//
//	dh_i = RMSNormᵀ(Wᵀ dlogits_i),  dW = Σ_i dlogits_i RMSNorm(h_i)ᵀ
//
// h is [n × d], head is [V × d], dlogits is [n × V]; dh and dhead have the shapes of h and head,
// dnormHead is nil where there is no norm. It implements DeepSeek-V3 (23) (derived).
func (m Module) LogitsBackward(h, head, dlogits mat.Matrix) (dh, dhead *mat.Dense, dnormHead []float64) {
	dh, dhead = attention.ProjectBackward(m.Normed(h), head, dlogits)
	if m.NormHead == nil {
		return dh, dhead, nil
	}
	dh, dnormHead = norm.RMSRowsBackward(h, m.NormHead, dh, m.Eps)
	return dh, dhead, dnormHead
}

// checkAlike panics unless a and b have one shape.
func checkAlike(a, b mat.Matrix) {
	rows, cols := a.Dims()
	if r, c := b.Dims(); r != rows || c != cols {
		panic(badShapes)
	}
}
