// Package attention has the ops attention.forward, attention.backward and attention.merge: what
// they are, their truth, and the program of softmax attention as kernels compute it, which the ops
// of latent attention run too.
package attention

import (
	"math"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(forwardOp, mergeOp) }

// forwardOp is attention.forward.
var forwardOp = &op.Op{
	Name:      "attention.forward",
	Doc:       "Softmax attention of H query heads over G key and value heads (MHA, GQA, MQA).",
	Equations: []string{"attention.Scores", "attention.Softmax", "attention.Values", "attention.Group"},
	Inputs:    attentionInputs,
	Outputs: []op.Tensor{
		{
			Name: "o", Shape: []string{"B", "S", "H", "V"}, Axes: []string{"batch", "query", "head", "column"},
			Doc: "output; a row that sees no key is 0",
		},
		{
			Name: "lse", Shape: []string{"B", "H", "S"}, Axes: []string{"batch", "head", "query"},
			Doc: "log-sum-exp of the scaled scores, without the sink; −∞ for a row that sees no key",
		},
	},
	Attrs:      attentionAttrs,
	Arithmetic: attentionKeys,
	Check:      checkAttention,
	Truth:      attentionForward,
	Work: func(c *op.Case) float64 {
		return Pairs(c, c.Extent("T")) * (3*(c.Extent("D")+c.Extent("V")) + op.ScoreWork)
	},
}

// mergeOp is attention.merge.
var mergeOp = &op.Op{
	Name:      "attention.merge",
	Doc:       "Joins the attention of the same queries to P disjoint parts of the keys.",
	Equations: []string{"attention.Merge"},
	Inputs: []op.Tensor{
		{Name: "o", Shape: []string{"P", "N", "V"}, Doc: "outputs of the parts"},
		{
			Name: "lse", Shape: []string{"P", "N"},
			Doc: "log-sum-exps of the parts; −∞ for a part without keys, whose output is not read",
		},
	},
	Outputs: []op.Tensor{
		{Name: "o", Shape: []string{"N", "V"}, Axes: []string{"query", "column"}, Doc: "output"},
		{Name: "lse", Shape: []string{"N"}, Axes: []string{"query"}, Doc: "log-sum-exp"},
	},
	Attrs:      []op.Attr{LSEBase},
	Arithmetic: []op.Key{SoftmaxKeys[0], step.ExpKey, op.SubnormalsKey},
	Truth:      attentionMerge,
	Work:       func(c *op.Case) float64 { return 20 * c.Extent("P") * c.Extent("N") * c.Extent("V") },
}

// attentionForward splits the work by sequence, head and block of queries.
func attentionForward(c *op.Case) ([]verdict.Expected, error) {
	h := NewHeads(c, ModelOf(c, "v", c.Dim("D")), c.Dim("T"), c.Dim("V"))
	parallel.Each(c.Dim("B")*c.Dim("G"), func(i int) { forwardGroup(c, h, i/c.Dim("G"), i%c.Dim("G")) })
	return h.Expected(), nil
}

// forwardGroup computes the query heads that use key and value head g of sequence b.
func forwardGroup(c *op.Case, out *Heads, b, g int) {
	queries, heads, used := c.Dim("S"), c.Dim("H"), KeysInUse(c, b)
	if used == 0 {
		eachOfGroup(c, g, func(h int) {
			for s := range queries {
				out.Nothing(Place{b, s, h})
			}
		})
		return
	}
	k, v := c.HeadRows("k", b, g, 0, used), c.HeadRows("v", b, g, 0, used)
	keys, blocks := NewKeys(k, v), step.Pages(queries, BlockRows(used))
	parallel.Each(heads*blocks, func(i int) {
		h, s0 := i/blocks, i%blocks*BlockRows(used)
		if attention.Group(h, heads, c.Dim("G")) != g {
			return
		}
		s1 := min(queries, s0+BlockRows(used))
		mask := attention.Mask{Causal: c.Flag("causal"), Window: c.Int("window"), Queries: queries - s0, Keys: used}
		var at []Place
		for s := s0; s < s1; s++ {
			at = append(at, Place{b, s, h})
		}
		out.Block(c.HeadRows("q", b, h, s0, s1), keys, attention.Options{Mask: mask, Sink: Sink(c, h)}, at)
	})
}

// Nothing leaves the output of a row that sees no key 0, and sets its log-sum-exp −∞.
func (h *Heads) Nothing(p Place) { h.lse.set(h.lseOf(p), []float64{math.Inf(-1)}) }
