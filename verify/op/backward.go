package op

import (
	"plumbline/internal/parallel"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name: "attention.backward",
		Doc:  "Gradients of attention.forward for q, k and v.",
		Equations: []string{
			"attention.Backward", "attention.SoftmaxBackward", "attention.SoftCapSlope", "attention.Group",
		},
		Inputs: append(
			attentionInputs[:len(attentionInputs):len(attentionInputs)],
			Tensor{Name: "do", Shape: []string{"B", "S", "H", "V"}, Doc: "gradient of the output"},
		),
		Outputs: []Tensor{
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
			Key{"intermediate", "the input type", "gradients of the scores before the products with k and q"},
			Key{"group_sum", "F32", "sum of the gradients of a group's heads, for dk and dv"}),
		check: checkAttention,
		truth: attentionBackward,
	})
}

// attentionBackward splits the work by sequence and by key and value head.
func attentionBackward(c *Case) ([]verdict.Expected, error) {
	t := gradientTypes{
		inter: c.typeOr(c.Arithmetic.Intermediate, "q"), output: c.rec.Type("do"), k: c.rec.Type("k"),
		v: c.rec.Type("v"), group: c.Arithmetic.GroupSum, shared: c.Dim("H") > c.Dim("G"),
	}
	m := c.attentionModel("v", c.Dim("D"))
	m.mixed = true // of the forward pass only its rounded output is left
	g, groups := c.newGradientOutputs(m, t), c.Dim("G")
	parallel.Each(c.Dim("B")*groups, func(i int) { g.group(i/groups, i%groups) })
	return g.expected(), nil
}
