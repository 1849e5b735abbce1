package attention

import (
	"plumbline/internal/parallel"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(backwardOp) }

// backwardOp is attention.backward.
var backwardOp = &op.Op{
	Name: "attention.backward",
	Doc:  "Gradients of attention.forward for q, k and v.",
	Equations: []string{
		"attention.Backward", "attention.SoftmaxBackward", "attention.SoftCapSlope", "attention.Group",
	},
	Inputs: append(
		attentionInputs[:len(attentionInputs):len(attentionInputs)],
		op.Tensor{Name: "do", Shape: []string{"B", "S", "H", "V"}, Doc: "gradient of the output"},
	),
	Outputs: []op.Tensor{
		{
			Name: "dq", Shape: []string{"B", "S", "H", "D"}, Axes: []string{"batch", "query", "head", "column"},
			Doc: "gradient of q",
		},
		{
			Name: "dk", Shape: []string{"B", "T", "G", "D"}, Axes: []string{"batch", "key", "head", "column"},
			Doc: "gradient of k, summed over the heads of a group",
		},
		{
			Name: "dv", Shape: []string{"B", "T", "G", "V"}, Axes: []string{"batch", "key", "head", "column"},
			Doc: "gradient of v, summed over the heads of a group",
		},
	},
	Attrs: attentionAttrs,
	Arithmetic: append(attentionKeys[:len(attentionKeys):len(attentionKeys)],
		op.Key{
			Name: "intermediate", Default: "the input type",
			Doc: "gradients of the scores before the products with k and q",
		},
		op.Key{Name: "group_sum", Default: "F32", Doc: "sum of the gradients of a group's heads, for dk and dv"}),
	Check: checkAttention,
	Truth: attentionBackward,
	Work: func(c *op.Case) float64 {
		return Pairs(c, c.Extent("T")) * (8*(c.Extent("D")+c.Extent("V")) + 3*op.ScoreWork)
	},
	Once: func(c *op.Case) float64 {
		return Pairs(c, c.Extent("T")) * (4*(c.Extent("D")+c.Extent("V")) + 2*op.ScoreWork)
	},
}

// attentionBackward splits the work by sequence and by key and value head.
func attentionBackward(c *op.Case) ([]verdict.Expected, error) {
	t := gradientTypes{
		inter: c.TypeOr(c.Arithmetic.Intermediate, "q"), output: c.Recording.Type("do"), k: c.Recording.Type("k"),
		v: c.Recording.Type("v"), group: c.Arithmetic.GroupSum, shared: c.Dim("H") > c.Dim("G"),
	}
	m := ModelOf(c, "v", c.Dim("D"))
	m.Mixed = true // of the forward pass only its rounded output is left
	g, groups := newGradientOutputs(c, m, t), c.Dim("G")
	parallel.Each(c.Dim("B")*groups, func(i int) { g.group(i/groups, i%groups) })
	return g.expected(), nil
}
