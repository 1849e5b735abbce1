package objective

import (
	"plumbline/grpo"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(advantageOp) }

// advantageOp is grpo.advantage.
var advantageOp = &op.Op{
	Name:      "grpo.advantage",
	Doc:       "Advantages of outputs relative to their groups.",
	Equations: []string{"grpo.Advantage", "grpo.Normalize", "grpo.Centered"},
	Inputs: []op.Tensor{
		{Name: "rewards", Shape: []string{"N"}, Doc: "rewards of outputs"},
		{
			Name: "group", Shape: []string{"N"}, Integer: true,
			Doc: "the group of each output, any numbers in any order",
		},
	},
	Outputs: []op.Tensor{{
		Name: "advantage", Shape: []string{"N"}, Axes: []string{"output"},
		Doc: "advantages; equal rewards have 0, and a group of one has mean 0 and deviation 1",
	}},
	Attrs: []op.Attr{
		{
			Name: "std", Kind: op.Choice, Default: "population", Choices: []string{"population", "sample", "none"},
			Doc: "standard deviation of the group that is divided by",
		},
		{Name: "eps", Kind: op.Number, Default: 0.0, Doc: "added to the standard deviation"},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      func(c *op.Case) error { return checkAtLeast0(c, "eps") },
	Truth:      groupAdvantage,
}

var deviations = map[string]grpo.Std{"population": grpo.Population, "sample": grpo.Sample, "none": grpo.None}

// groupAdvantage normalises group by group.
func groupAdvantage(c *op.Case) ([]verdict.Expected, error) {
	rewards := c.Input("rewards").Data
	groups, members, order := make([]int, len(rewards)), map[int][]int{}, []int(nil)
	for i, g := range c.Input("group").Data {
		id := int(g)
		if members[id] == nil {
			order = append(order, id)
		}
		groups[i], members[id] = id, append(members[id], i)
	}
	truth := grpo.Advantage(rewards, groups, deviations[c.Word("std")], c.Float("eps"))
	return c.Run(advantageProgram(c, order, members), float64(12*len(rewards)),
		op.Expectation{Name: "advantage", Truth: truth, Shape: []int{len(truth)}}), nil
}

func pickEach(x []float64, indices []int) []float64 {
	y := make([]float64, len(indices))
	for k, i := range indices {
		y[k] = x[i]
	}
	return y
}
