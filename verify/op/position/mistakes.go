package position

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

var (
	ofTables = []string{"rope.apply", "rope.table"}
	ofNorm   = []string{"norm.rms"}
)

// mistakes are those that no layer makes.
var mistakes = []op.Mistake{
	{
		ID: "frequencies-recurrent", Ops: ofTables, Declares: "frequencies=recurrent",
		Sentence: "each frequency is formed from the one before, undeclared",
		Hidden:   "with every position 0, with inputs of 16 bits, or where the frequencies are the same",
	},
	{
		ID: "eps-missing", Ops: ofNorm,
		Sentence: "no eps under the root",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "eps-outside-root", Ops: ofNorm,
		Sentence: "eps is added to the root",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "mean-subtracted", Ops: ofNorm,
		Sentence: "a LayerNorm: the mean is subtracted",
		Hidden:   "where every row has mean 0",
	},
	{
		ID: "weight-plus-one", Ops: ofNorm,
		Sentence: "the weight is taken as an offset from 1",
		Hidden:   "never",
	},
	{
		ID: "sum-for-mean", Ops: ofNorm,
		Sentence: "the sum of squares is not divided by their number",
		Hidden:   "with rows of one element",
	},
	{
		ID: "positions-restarted", Numbers: []string{"R20"}, Ops: ofTables,
		Thread: "NVIDIA/Megatron-LM#5243",
		Sentence: "the second half of the tokens has the positions of the first, as where each sequence or rank " +
			"starts anew",
		Hidden: "with one token, or where both halves have the same",
	},
}
