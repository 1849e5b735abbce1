package model

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/numbers/tensor"
)

// Weights are all that a model learns, and the gates' biases, which are moved in another way. The
// gradients of a loss are Weights too, with biases of 0.
type Weights struct {
	Embedding *mat.Dense // [V × d]
	Blocks    []Block
	Norm      []float64  // [d]
	Head      *mat.Dense // [V × d], not the embedding
	Modules   []Module   // depth 1 first
}

// Block is one layer: attention, then a network, each behind a norm.
type Block struct {
	NormAttention []float64 // [d]
	Attention     mla.Weights
	NormFeed      []float64 // [d]
	Feed          moe.Layer // dense: one shared expert, and none routed
}

// Module is one depth of further prediction, whose block stands beside what joins its inputs.
type Module struct {
	Joined mtp.Module // norms and projection; its Block is made of the one below
	Block  Block
}

// NewWeights returns weights of 0 in the shapes that a configuration asks for. It implements no
// equation: it allocates.
func NewWeights(c Config) Weights {
	w := Weights{
		Embedding: mat.NewDense(c.Vocabulary, c.Width, nil),
		Norm:      make([]float64, c.Width),
		Head:      mat.NewDense(c.Vocabulary, c.Width, nil),
	}
	for l := range c.Layers {
		w.Blocks = append(w.Blocks, c.newBlock(l))
	}
	for k := range c.Depths {
		w.Modules = append(w.Modules, Module{
			Joined: mtp.Module{
				NormHidden: make([]float64, c.Width), NormEmbedding: make([]float64, c.Width),
				Projection: mat.NewDense(c.Width, 2*c.Width, nil), Order: c.Order,
				NormHead: make([]float64, c.Width), Eps: c.Eps,
			},
			Block: c.newBlock(c.Layers + k),
		})
	}
	return w
}

// newBlock returns layer l, from 0, with weights of 0.
func (c Config) newBlock(l int) Block {
	b := Block{
		NormAttention: make([]float64, c.Width), NormFeed: make([]float64, c.Width),
		Attention: c.newAttention(),
	}
	if !c.hasExperts(l) {
		b.Feed.Shared = []moe.Expert{c.newExpert(c.Inner)}
		return b
	}
	b.Feed = moe.Layer{Gate: c.Gate, Centroids: mat.NewDense(c.Experts, c.Width, nil)}
	if !c.Unbiased {
		b.Feed.Bias = make([]float64, c.Experts)
	}
	for range c.Experts {
		b.Feed.Routed = append(b.Feed.Routed, c.newExpert(c.ExpertInner))
	}
	if c.SharedExperts > 0 {
		b.Feed.Shared = []moe.Expert{c.newExpert(c.SharedExperts * c.ExpertInner)}
	}
	return b
}

func (c Config) newExpert(inner int) moe.Expert {
	return moe.Expert{
		W1: mat.NewDense(inner, c.Width, nil), W3: mat.NewDense(inner, c.Width, nil),
		W2: mat.NewDense(c.Width, inner, nil),
	}
}

func (c Config) newAttention() mla.Weights {
	a := c.Attention
	queries := a.Heads * (a.NopeDim + a.RopeDim)
	w := mla.Weights{
		WDKV:   mat.NewDense(c.Latent+a.RopeDim, c.Width, nil),
		WUKV:   mat.NewDense(a.Heads*(a.NopeDim+a.ValueDim), c.Latent, nil),
		WO:     mat.NewDense(c.Width, a.Heads*a.ValueDim, nil),
		NormKV: make([]float64, c.Latent),
	}
	if c.QueryLatent == 0 {
		w.WQ = mat.NewDense(queries, c.Width, nil)
		return w
	}
	w.WDQ, w.NormQ = mat.NewDense(c.QueryLatent, c.Width, nil), make([]float64, c.QueryLatent)
	w.WUQ = mat.NewDense(queries, c.QueryLatent, nil)
	return w
}

// Each calls f for every weight under the name that a checkpoint has for it, always in the same
// order. The tensors are views: what f writes, the model has. It implements no equation: it lists.
func (w Weights) Each(f func(name string, x *tensor.Tensor)) {
	matrix(f, "model.embed_tokens.weight", w.Embedding)
	for l, b := range w.Blocks {
		b.each(layer(l), f)
	}
	vector(f, "model.norm.weight", w.Norm)
	matrix(f, "lm_head.weight", w.Head)
	for k, m := range w.Modules {
		prefix := layer(len(w.Blocks) + k)
		vector(f, prefix+"enorm.weight", m.Joined.NormEmbedding)
		vector(f, prefix+"hnorm.weight", m.Joined.NormHidden)
		matrix(f, prefix+"eh_proj.weight", m.Joined.Projection)
		m.Block.each(prefix, f)
		vector(f, prefix+"shared_head.norm.weight", m.Joined.NormHead)
	}
}

// layer returns how the names of layer l, from 0, begin.
func layer(l int) string { return fmt.Sprintf("model.layers.%d.", l) }

func (b Block) each(prefix string, f func(name string, x *tensor.Tensor)) {
	vector(f, prefix+"input_layernorm.weight", b.NormAttention)
	eachOfAttention(b.Attention, prefix+"self_attn.", f)
	vector(f, prefix+"post_attention_layernorm.weight", b.NormFeed)
	prefix += "mlp."
	if b.Feed.Routed == nil {
		eachOfExpert(b.Feed.Shared[0], prefix, f)
		return
	}
	matrix(f, prefix+"gate.weight", b.Feed.Centroids)
	if len(b.Feed.Bias) > 0 {
		vector(f, prefix+"gate.e_score_correction_bias", b.Feed.Bias)
	}
	for i, e := range b.Feed.Routed {
		eachOfExpert(e, fmt.Sprintf("%sexperts.%d.", prefix, i), f)
	}
	for _, e := range b.Feed.Shared {
		eachOfExpert(e, prefix+"shared_experts.", f)
	}
}

func eachOfAttention(w mla.Weights, prefix string, f func(name string, x *tensor.Tensor)) {
	if w.WQ != nil {
		matrix(f, prefix+"q_proj.weight", w.WQ)
	} else {
		matrix(f, prefix+"q_a_proj.weight", w.WDQ)
		vector(f, prefix+"q_a_layernorm.weight", w.NormQ)
		matrix(f, prefix+"q_b_proj.weight", w.WUQ)
	}
	matrix(f, prefix+"kv_a_proj_with_mqa.weight", w.WDKV)
	vector(f, prefix+"kv_a_layernorm.weight", w.NormKV)
	matrix(f, prefix+"kv_b_proj.weight", w.WUKV)
	matrix(f, prefix+"o_proj.weight", w.WO)
}

func eachOfExpert(e moe.Expert, prefix string, f func(name string, x *tensor.Tensor)) {
	matrix(f, prefix+"gate_proj.weight", e.W1)
	matrix(f, prefix+"up_proj.weight", e.W3)
	matrix(f, prefix+"down_proj.weight", e.W2)
}

// matrix and vector call f for a weight as a tensor over the same numbers.
func matrix(f func(name string, x *tensor.Tensor), name string, m *mat.Dense) {
	rows, cols := m.Dims()
	f(name, tensor.Of(m.RawMatrix().Data, rows, cols))
}

func vector(f func(name string, x *tensor.Tensor), name string, v []float64) {
	f(name, tensor.Of(v, len(v)))
}
