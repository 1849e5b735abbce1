package position

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

// mistakes are those that no layer makes.
var mistakes = []op.Mistake{
	{
		ID: "frequencies-recurrent", Ops: []string{"rope.apply", "rope.table"},
		Sentence: "each frequency is formed from the one before, undeclared",
		Hidden:   "with every position 0, with inputs of 16 bits, or where the frequencies are the same",
	},
	{
		ID: "eps-missing", Ops: []string{"norm.rms"},
		Sentence: "no eps under the root",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "eps-outside-root", Ops: []string{"norm.rms"},
		Sentence: "eps is added to the root",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "mean-subtracted", Ops: []string{"norm.rms"},
		Sentence: "a LayerNorm: the mean is subtracted",
		Hidden:   "where every row has mean 0",
	},
	{
		ID: "weight-plus-one", Ops: []string{"norm.rms"},
		Sentence: "the weight is taken as an offset from 1",
		Hidden:   "never",
	},
	{
		ID: "sum-for-mean", Ops: []string{"norm.rms"},
		Sentence: "the sum of squares is not divided by their number",
		Hidden:   "with rows of one element",
	},
}
