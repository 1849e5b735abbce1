package op

func init() { Plant(storing, faint) }

// ofRows are the ops whose main output is rows that are stored one by one.
var ofRows = []string{
	"attention.forward", "fp8.gemm", "fp8.grouped_gemm", "mla.decode", "mla.layer", "moe.experts", "moe.layer",
	"norm.rms", "rope.apply",
}

// storing are the mistakes of writing an output.
var storing = []Mistake{
	{
		ID: "rows-swapped", Ops: ofRows,
		Sentence: "two rows of the output change places",
		Hidden:   "with one row, or where the last two are equal",
	},
	{
		ID: "row-repeated", Ops: ofRows,
		Sentence: "the last row of the output is the one before it",
		Hidden:   "with one row, or where the last two are equal",
	},
	{
		ID: "output-truncated", Ops: ofRows,
		Sentence: "the output is truncated, not rounded",
		Hidden:   "where the type of the output holds every result",
	},
	{
		ID: "output-unwritten", Ops: ofRows,
		Sentence: "a block of the output is never written",
		Hidden:   "where the block is 0",
	},
}

// faint are mistakes that no element and no slice shows, only many together.
var faint = []Mistake{
	{
		ID: "output-per-mille", Ops: []string{"attention.forward", "mla.decode", "norm.rms"},
		Sentence: "the output is 1.001 times what it should be",
		Hidden:   "where the output is 0",
	},
}
