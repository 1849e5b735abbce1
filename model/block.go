package model

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/norm"
)

// See is shown every tensor of a forward pass as soon as it is there, under its name; what it
// writes into one, the pass goes on with.
type See func(name string, x *mat.Dense)

// seen shows x and returns it.
func (see See) seen(name string, x *mat.Dense) *mat.Dense {
	if see != nil {
		see(name, x)
	}
	return x
}

// Forward returns what leaves a layer.
//
//	h = x + MLA(RMSNorm(x)),  y = h + FFN(RMSNorm(h))
//
// x is [T × d] and so is y; names of what is seen begin with prefix, and y's is prefix without its
// dot. FFN is a dense network in the first layers and a mixture of experts in the others. Differs
// in print: the papers write residuals into (12) of the experts, and norms nowhere. It implements
// DeepSeek-V3 section 2.1, its Transformer block.
func (b Block) Forward(x mat.Matrix, c Config, prefix string, see See) *mat.Dense {
	n := see.seen(prefix+"input_layernorm", norm.RMSRows(x, b.NormAttention, c.Eps))
	h := sum(x, attend(n, b.Attention, c.Attention, prefix+"self_attn", see))
	see.seen(prefix+"attended", h)
	n = see.seen(prefix+"post_attention_layernorm", norm.RMSRows(h, b.NormFeed, c.Eps))
	return see.seen(prefix[:len(prefix)-1], sum(h, feed(n, b.Feed, prefix+"mlp", see)))
}

// Backward returns the gradients of a layer's y, given dy = ∂L/∂y.
//
//	dh = dy + RMSNormᵀ(FFNᵀ(dy)),  dx = dh + RMSNormᵀ(MLAᵀ(dh))
//
// x and dy are [T × d] and so is dx; db has the shapes of b. The choice of experts has no gradient.
// It implements DeepSeek-V3 section 2.1, its Transformer block (derived).
func (b Block) Backward(x mat.Matrix, c Config, dy mat.Matrix) (dx *mat.Dense, db Block) {
	n := norm.RMSRows(x, b.NormAttention, c.Eps)
	u, _, _ := mla.Layer(n, b.Attention, c.Attention)
	h := sum(x, u)
	dn, dfeed := feedBackward(norm.RMSRows(h, b.NormFeed, c.Eps), b.Feed, dy)
	db.Feed = dfeed
	dn, db.NormFeed = norm.RMSRowsBackward(h, b.NormFeed, dn, c.Eps)
	dh := sum(dy, dn)
	dn, db.Attention = mla.LayerBackward(n, b.Attention, c.Attention, dh)
	dn, db.NormAttention = norm.RMSRowsBackward(x, b.NormAttention, dn, c.Eps)
	return sum(dh, dn), db
}

// attend is mla.Layer with everything seen.
func attend(x mat.Matrix, w mla.Weights, c mla.Config, name string, see See) *mat.Dense {
	cQ, latent, ropeKey := mla.Compress(x, w, c)
	if w.WDQ != nil {
		see.seen(name+".q_a_layernorm", cQ.(*mat.Dense))
	}
	see.seen(name+".kv_a_layernorm", latent)
	see.seen(name+".rope_key", ropeKey)
	tokens, _ := x.Dims()
	r, options := c.Rotation(tokens), attention.Options{Scale: c.ScoreScale(), Mask: attention.Mask{Causal: c.Causal}}
	o := make([]*mat.Dense, c.Heads)
	for i := range o {
		q, k, v := w.Head(i, c).Naive(cQ, latent, ropeKey, r)
		see.seen(head(name, "query", i), q)
		see.seen(head(name, "key", i), k)
		see.seen(head(name, "value", i), v)
		p, _ := attention.Softmax(attention.Scores(q, k, options), nil)
		see.seen(head(name, "weights", i), p)
		o[i] = see.seen(head(name, "output", i), attention.Values(p, v, options))
	}
	return see.seen(name, mla.Output(o, w.WO))
}

// head returns the name of what belongs to head i, from 0.
func head(name, part string, i int) string { return fmt.Sprintf("%s.%s.%d", name, part, i) }

// feed is moe.Layer.Output for every token, with everything seen.
func feed(x *mat.Dense, l moe.Layer, name string, see See) *mat.Dense {
	shared := eachRow(x, func(_ int, u []float64) []float64 { return moe.SharedOutput(u, l.Shared) })
	if l.Routed == nil {
		return see.seen(name, shared)
	}
	logits := see.seen(name+".gate", moe.Logits(x, l.Centroids))
	experts, weights := l.Gate.RouteRows(logits, l.Bias)
	gathered := see.seen(name+".gate.weights", spread(experts, weights, len(l.Routed)))
	routed := see.seen(name+".experts", eachRow(x, func(t int, u []float64) []float64 {
		return moe.RoutedOutput(u, l.Routed, experts[t], moe.GateValues(gathered.RawRowView(t), experts[t]))
	}))
	if l.Shared == nil {
		return see.seen(name, routed)
	}
	see.seen(name+".shared_experts", shared)
	return see.seen(name, sum(routed, shared))
}

// feedBackward returns the gradients of feed's result, given dy, for the tokens and the weights.
func feedBackward(x *mat.Dense, l moe.Layer, dy mat.Matrix) (dx *mat.Dense, dl moe.Layer) {
	dl = zeroed(l)
	dx = eachRow(x, func(t int, u []float64) []float64 {
		d := mat.Row(nil, t, dy)
		g := l.Backward(u, d)
		addLayer(dl, g)
		return floats.SubTo(g.U, g.U, d) // the residual is the block's
	})
	return dx, dl
}

// eachRow returns f of every row.
func eachRow(x *mat.Dense, f func(t int, u []float64) []float64) *mat.Dense {
	rows, cols := x.Dims()
	y := mat.NewDense(rows, cols, nil)
	for t := range rows {
		y.SetRow(t, f(t, x.RawRowView(t)))
	}
	return y
}

// spread returns what every expert weighs for every token, [T × N], 0 where it is not chosen.
func spread(experts [][]int, weights [][]float64, n int) *mat.Dense {
	all := mat.NewDense(len(experts), n, nil)
	for t := range experts {
		for k, i := range experts[t] {
			all.Set(t, i, weights[t][k])
		}
	}
	return all
}

// zeroed returns a layer of the same shapes whose weights are 0.
func zeroed(l moe.Layer) moe.Layer {
	zero := moe.Layer{Routed: zeroedExperts(l.Routed), Shared: zeroedExperts(l.Shared)}
	if l.Routed != nil {
		zero.Centroids, zero.Bias = like(l.Centroids), make([]float64, len(l.Bias))
	}
	return zero
}

func zeroedExperts(experts []moe.Expert) []moe.Expert {
	var zero []moe.Expert
	for _, e := range experts {
		zero = append(zero, moe.Expert{W1: like(e.W1), W3: like(e.W3), W2: like(e.W2)})
	}
	return zero
}

// addLayer adds the gradients of one token.
func addLayer(dl moe.Layer, g moe.LayerGradient) {
	for i, e := range g.Shared {
		addExpert(dl.Shared[i], e)
	}
	if g.Centroids == nil {
		return
	}
	dl.Centroids.Add(dl.Centroids, g.Centroids)
	for k, i := range g.Chosen {
		addExpert(dl.Routed[i], g.Routed[k])
	}
}

func addExpert(to, e moe.Expert) {
	to.W1.Add(to.W1, e.W1)
	to.W3.Add(to.W3, e.W3)
	to.W2.Add(to.W2, e.W2)
}

// like returns zeros of m's shape.
func like(m *mat.Dense) *mat.Dense {
	rows, cols := m.Dims()
	return mat.NewDense(rows, cols, nil)
}

// sum returns a + b.
func sum(a, b mat.Matrix) *mat.Dense {
	var ab mat.Dense
	ab.Add(a, b)
	return &ab
}
