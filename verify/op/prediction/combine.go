package prediction

import (
	"plumbline/mtp"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

func init() { op.Register(combineOp) }

// combineOp is mtp.combine.
var combineOp = &op.Op{
	Name: "mtp.combine",
	Doc: "What enters a module of multi-token prediction: the hidden state and the embedding of a later token, each " +
		"normalised, projected together.",
	Equations: []string{"mtp.Combine", "mtp.MaskFirst", "mtp.Concat", "norm.RMS"},
	Inputs: []op.Tensor{
		{Name: "hidden", Shape: []string{"N", "d"}, Doc: "representations of the depth before"},
		{Name: "embedding", Shape: []string{"N", "d"}, Doc: "row by row that of the token this depth has in view"},
		{Name: "norm_hidden", Shape: []string{"d"}, Doc: "weight of the norm of hidden"},
		{Name: "norm_embedding", Shape: []string{"d"}, Doc: "weight of the norm of embedding"},
		{
			Name: "projection", Shape: []string{"d", "2*d"}, Parts: true,
			Doc: "M; its first d columns are for what order names first",
		},
	},
	Outputs: []op.Tensor{{
		Name: "y", Shape: []string{"N", "d"}, Axes: []string{"token", "column"}, Doc: "what enters the block",
	}},
	Attrs: []op.Attr{
		{
			Name: "order", Kind: op.Choice, Default: "hidden_first",
			Choices: []string{"hidden_first", "embedding_first"},
			Doc:     "which half comes first: as the paper prints it, or as released weights need it",
		},
		step.EpsAttr,
		{Name: "mask_first", Kind: op.Flag, Default: false, Doc: "the embedding of row 0 is 0"},
	},
	Arithmetic: []op.Key{op.AccumulateKey, {
		Name: "intermediate", Default: "the input type", Doc: "normalised rows, before their weight and after it",
	}},
	Check: step.CheckEps,
	Truth: combine,
	Work:  combineWork,
}

// OrderOf returns which half comes first.
func OrderOf(c *op.Case) mtp.Order {
	if c.Word("order") == "embedding_first" {
		return mtp.EmbeddingFirst
	}
	return mtp.HiddenFirst
}

// combineWork counts the product, with that of its squares and of its two halves, and the runs.
func combineWork(c *op.Case) float64 {
	product := 2 * c.Extent("N") * c.Extent("d") * c.Extent("d")
	return 3*product + min(step.RunProducts, op.MostRuns*product)
}
