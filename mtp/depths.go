package mtp

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/norm"
)

// Depths are the modules of a model, depth 1 first, with what they share with it.
type Depths struct {
	Embedding *mat.Dense // [V × d], Emb
	Head      *mat.Dense // [V × d], OutHead
	Modules   []Module
	// MaskFirst zeroes the embedding of position 0; see the function.
	MaskFirst bool
	// PassNormed hands RMSNorm(h^k) on to depth k+1 in the place of h^k.
	PassNormed bool
}

// Embed returns the embeddings of tokens.
//
//	Emb(t)
//
// embedding is [V × d], tokens are rows of it; the result is [len(tokens) × d]. It implements
// DeepSeek-V3 (21), its Emb.
func Embed(tokens []int, embedding mat.Matrix) *mat.Dense {
	_, d := embedding.Dims()
	rows := mat.NewDense(len(tokens), d, nil)
	for i, token := range tokens {
		rows.SetRow(i, mat.Row(nil, token, embedding))
	}
	return rows
}

// EmbedBackward returns the gradient of Embed for the embedding, given that of its rows.
//
//	dEmb(v) = Σ_{i: t_i = v} dx_i
//
// drows is dx, [len(tokens) × d], the result is [vocabulary × d]. It implements DeepSeek-V3 (21),
// its Emb (derived).
func EmbedBackward(tokens []int, vocabulary int, drows mat.Matrix) *mat.Dense {
	rows, d := drows.Dims()
	if rows != len(tokens) {
		panic(badShapes)
	}
	dembedding := mat.NewDense(vocabulary, d, nil)
	for i, token := range tokens {
		floats.Add(dembedding.RawRowView(token), mat.Row(nil, i, drows))
	}
	return dembedding
}

// MaskFirst returns embeddings with zeros in the rows that stand at position 0.
//
//	Emb_i = 0 where position_i = 0
//
// embedding is [n × d] and so is the result; positions are those of the representations that the
// rows are combined with, so that what goes is the embedding of token k at the first of a sequence.
// The norm leaves zeros, and the projection the part of the representation. It is its own gradient.
// Differs in print: (21) has no such thing. It implements DeepSeek-V3 (21) as the code of vLLM has
// it.
func MaskFirst(embedding mat.Matrix, positions []int) *mat.Dense {
	masked := mat.DenseCopyOf(embedding)
	if rows, _ := masked.Dims(); rows != len(positions) {
		panic(badShapes)
	}
	for i, position := range positions {
		if position == 0 {
			clear(masked.RawRowView(i))
		}
	}
	return masked
}

// Forward returns the logits of all depths and their representations, given those of the main model
// for T tokens.
//
//	h^k_{1:T−k} = TRM_k(M_k [RMSNorm(h^{k−1}_{1:T−k}); RMSNorm(Emb(t_{1+k:T}))])
//	P^k_{i+k+1} = OutHead(h^k_i)
//
// h0 is [T × d], tokens are the T it was made of, and any after them are not looked at; logits[k−1]
// is [T−k × V], hidden[k−1] is [T−k × d]. There are fewer than T depths. Row i of depth k depends
// on the first i+k tokens, counted from 1, and on no other. Differs in code: frameworks keep all T
// rows and roll the tokens, so that the last k rows are of no meaning and have to be masked; with
// PassNormed, serving code hands on what the head is given and not what the block gives. It
// implements DeepSeek-V3 (21)–(23).
func (s Depths) Forward(h0 mat.Matrix, tokens []int) (logits, hidden []*mat.Dense) {
	before := h0
	for k, m := range s.Modules {
		h := m.Forward(s.inputs(before, h0, tokens, k+1))
		logits, hidden = append(logits, m.Logits(h, s.Head)), append(hidden, h)
		before = s.passed(m, h)
	}
	return logits, hidden
}

// inputs returns the first T−k rows of the depth before k, and the embeddings of tokens k+1 … T.
func (s Depths) inputs(before, h0 mat.Matrix, tokens []int, k int) (h, e *mat.Dense) {
	length, _ := h0.Dims()
	if length <= k || len(tokens) < length {
		panic(badShapes)
	}
	e = Embed(tokens[k:length], s.Embedding)
	if s.MaskFirst {
		e = MaskFirst(e, count(length-k))
	}
	return first(before, length-k), e
}

// passed returns what a module hands on to the next.
func (s Depths) passed(m Module, h *mat.Dense) *mat.Dense {
	if s.PassNormed {
		return m.Normed(h)
	}
	return h
}

// count returns 0 … n−1.
func count(n int) []int {
	x := make([]int, n)
	for i := range x {
		x[i] = i
	}
	return x
}

// first returns a copy of the first n rows of m.
func first(m mat.Matrix, n int) *mat.Dense {
	_, cols := m.Dims()
	top := mat.NewDense(n, cols, nil)
	top.Copy(m)
	return top
}

// Extend returns m with rows of zeros below, as many rows as there are positions.
//
//	z_i = 0 for i > T−k
//
// m is [n × V], the result is [rows × V]. It gives the logits of depth k, which has T−k positions,
// the T rows that the losses divide by; the others count in none. It implements DeepSeek-V3 (24),
// its division by T.
func Extend(m mat.Matrix, rows int) *mat.Dense {
	n, cols := m.Dims()
	if n > rows {
		panic(badShapes)
	}
	all := mat.NewDense(rows, cols, nil)
	all.Copy(m)
	return all
}

// Backward returns the gradients of all depths' logits for the main model's representations, for
// what is shared and for the modules, given dlogits.
//
//	dh^k = dOutHead(dP^k) + dh^{k+1} through depth k+1
//	dEmb = Σ_k dEmb^k,  dW = Σ_k dW^k
//
// h0 and tokens are those of Forward, dlogits[k−1] is [T−k × V]; dh0 is [T × d], ds has the shapes
// of s. What the embedding and the head learn is to be added to what the main model's own loss has
// for them. It implements DeepSeek-V3 (21)–(23) (derived).
func (s Depths) Backward(h0 mat.Matrix, tokens []int, dlogits []*mat.Dense) (dh0 *mat.Dense, ds Depths) {
	_, hidden := s.Forward(h0, tokens)
	if len(dlogits) != len(hidden) {
		panic(badShapes)
	}
	ds = Depths{
		Embedding: like(s.Embedding), Head: like(s.Head), Modules: make([]Module, len(hidden)),
		MaskFirst: s.MaskFirst, PassNormed: s.PassNormed,
	}
	length, d := h0.Dims()
	dpassed := mat.NewDense(length, d, nil)
	for k := len(hidden); k >= 1; k-- {
		before := h0
		if k > 1 {
			before = s.passed(s.Modules[k-2], hidden[k-2])
		}
		dh, dnorm := s.headBackward(k, hidden[k-1], first(dpassed, length-k), dlogits[k-1], ds)
		dpassed = s.moduleBackward(k, before, h0, tokens, dh, ds)
		ds.Modules[k-1].NormHead = dnorm
	}
	return dpassed, ds
}

// headBackward returns the gradients for what module k gives, from its logits and from the depth
// that it is handed on to.
func (s Depths) headBackward(k int, h, dpassed, dlogits *mat.Dense, ds Depths) (dh *mat.Dense, dnormHead []float64) {
	m := s.Modules[k-1]
	dh, dhead, dnormHead := m.LogitsBackward(h, s.Head, dlogits)
	ds.Head.Add(ds.Head, dhead)
	if s.PassNormed && m.NormHead != nil {
		through, dweight := norm.RMSRowsBackward(h, m.NormHead, dpassed, m.Eps)
		floats.Add(dnormHead, dweight)
		dpassed = through
	}
	dh.Add(dh, dpassed)
	return dh, dnormHead
}

// moduleBackward returns the gradient for what module k is given of the depth before, in all T
// rows, and adds to those of the embedding and the module.
func (s Depths) moduleBackward(k int, before, h0 mat.Matrix, tokens []int, dh *mat.Dense, ds Depths) *mat.Dense {
	x, e := s.inputs(before, h0, tokens, k)
	dhidden, de, dm := s.Modules[k-1].Backward(x, e, dh)
	length, _ := h0.Dims()
	if s.MaskFirst {
		de = MaskFirst(de, count(length-k))
	}
	vocabulary, _ := s.Embedding.Dims()
	ds.Embedding.Add(ds.Embedding, EmbedBackward(tokens[k:length], vocabulary, de))
	ds.Modules[k-1] = dm
	return Extend(dhidden, length)
}

// like returns zeros of m's shape.
func like(m *mat.Dense) *mat.Dense {
	rows, cols := m.Dims()
	return mat.NewDense(rows, cols, nil)
}
