package model

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mtp"
	"plumbline/norm"
)

// Forward returns the logits of a model for one sequence: those of the next token, and then those
// that each module gives.
//
//	h_0 = Emb(t),  h_i = Block_i(h_{i−1}),  z = W RMSNorm(h_l)
//	z^k = W RMSNorm(h^k),  h^0 = h_l or RMSNorm(h_l)
//
// tokens are T rows of the embedding, W is the head; logits[0] is z, [T × V], and logits[k] is z^k,
// [T−k × V], whose h^k are those of mtp.Depths.Forward. see, which may be nil, is shown every
// tensor under the name of the module in Hugging Face's code that gives it. Differs in print: (21)
// calls h^0 the representation and says not whether it is normed; serving code gives modules the
// normed one, which is PassNormed. It implements DeepSeek-V3 section 2.1 with (21)–(23).
func Forward(tokens []int, w Weights, c Config, see See) (logits []*mat.Dense) {
	h := see.seen("model.embed_tokens", mtp.Embed(tokens, w.Embedding))
	for l, b := range w.Blocks {
		h = b.Forward(h, c, layer(l), see)
	}
	normed := see.seen("model.norm", norm.RMSRows(h, w.Norm, c.Eps))
	main := see.seen("lm_head", attention.Project(normed, w.Head))
	further, _ := w.depths(c, see, nil).Forward(c.handedOn(h, normed), tokens)
	for k, l := range further {
		see.seen(layer(len(w.Blocks)+k)+"shared_head.head", l)
	}
	return append([]*mat.Dense{main}, further...)
}

// Backward returns the gradients of a loss for all weights, given those for the logits of Forward.
//
//	dh_l = RMSNormᵀ(Wᵀ dz) + dh^0,  or RMSNormᵀ(Wᵀ dz + dh^0)
//	dh_{i−1} = Block_iᵀ(dh_i),  dEmb(v) = Σ_{i: t_i = v} dh_{0,i},  dW = Σ_t dz_t RMSNorm(h_l)_tᵀ
//
// dlogits has the shapes of logits, dw those of w; biases of gates have gradient 0. dh^0 comes from
// mtp.Depths.Backward, and so does what is added to dEmb and dW: both learn from all depths. It
// implements DeepSeek-V3 section 2.1 with (21)–(23) (derived).
func Backward(tokens []int, w Weights, c Config, dlogits []*mat.Dense) (dw Weights) {
	h := []*mat.Dense{mtp.Embed(tokens, w.Embedding)}
	for l, b := range w.Blocks {
		h = append(h, b.Forward(h[l], c, layer(l), nil))
	}
	last := h[len(w.Blocks)]
	normed := norm.RMSRows(last, w.Norm, c.Eps)
	dw = Weights{Blocks: make([]Block, len(w.Blocks)), Modules: make([]Module, len(w.Modules))}
	dh0, ds := w.depths(c, nil, dw.Modules).Backward(c.handedOn(last, normed), tokens, dlogits[1:])
	for k := range dw.Modules {
		dw.Modules[k].Joined = ds.Modules[k]
	}
	dnormed, dhead := attention.ProjectBackward(normed, w.Head, dlogits[0])
	dw.Head = sum(dhead, ds.Head)
	dh, dnorm := c.normBackward(last, w.Norm, dnormed, dh0)
	dw.Norm = dnorm
	for l := len(w.Blocks) - 1; l >= 0; l-- {
		dh, dw.Blocks[l] = w.Blocks[l].Backward(h[l], c, dh)
	}
	dw.Embedding = sum(mtp.EmbedBackward(tokens, c.Vocabulary, dh), ds.Embedding)
	return dw
}

// handedOn returns what the main model gives the first module.
func (c Config) handedOn(h, normed *mat.Dense) *mat.Dense {
	if c.PassNormed {
		return normed
	}
	return h
}

// normBackward returns the gradients of the last norm for its rows and its weight, from those of
// the head's input and of what is handed on.
func (c Config) normBackward(
	h *mat.Dense, weight []float64, dnormed, dh0 *mat.Dense,
) (dh *mat.Dense, dweight []float64) {
	if c.PassNormed {
		return norm.RMSRowsBackward(h, weight, sum(dnormed, dh0), c.Eps)
	}
	dh, dweight = norm.RMSRowsBackward(h, weight, dnormed, c.Eps)
	return sum(dh, dh0), dweight
}

// depths returns the modules with their blocks, which show what they compute and write what they
// learn into dmodules.
func (w Weights) depths(c Config, see See, dmodules []Module) mtp.Depths {
	d := mtp.Depths{Embedding: w.Embedding, Head: w.Head, PassNormed: c.PassNormed}
	for k, m := range w.Modules {
		prefix := layer(len(w.Blocks) + k)
		m.Joined.Block = mtp.Block{
			Forward: func(x mat.Matrix) *mat.Dense {
				joined := see.seen(prefix+"eh_proj", mat.DenseCopyOf(x))
				return m.Block.Forward(joined, c, prefix, see)
			},
			Backward: func(x, dy mat.Matrix) (dx *mat.Dense) {
				dx, dmodules[k].Block = m.Block.Backward(x, c, dy)
				return dx
			},
		}
		d.Modules = append(d.Modules, m.Joined)
	}
	return d
}
