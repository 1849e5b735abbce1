package op

func init() {
	Plant(storing, faint)
	Leave(numerics)
}

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
		ID: "output-unwritten", Numbers: []string{"X13"}, Ops: ofRows,
		Thread:   "Avarok-Cybersecurity/atlas#474",
		Sentence: "a block of the output is never written: the second half of the columns of the last rows",
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

// numerics are what no verdict on one call takes for a mistake.
var numerics = []Beyond{
	{
		Number: "N01", Thread: "ROCm/aiter#4378",
		Sentence: "the result depends on the number of splits, and so on the batch",
		Why:      "spans two calls: each of them is explained by its own roundings",
	},
	{
		Number: "N02", Thread: "huggingface/transformers#43362",
		Sentence: "parts are added by atomics, in another order each time",
		Why:      "spans two calls: every order is right, and the verdict allows for all",
	},
	{
		Number: "N03", Thread: "vllm-project/vllm#13232",
		Sentence: "the residual is scaled once for each dense layer, so that F16 does not overflow, not once in all",
		Why:      "spans layers: the residual is added outside of every op",
	},
	{
		Number: "N05", Thread: "sgl-project/sglang#28226",
		Sentence: "a fused kernel keeps F32 where one that is not fused rounds to BF16, or the reverse",
		Why:      "a convention that the recording declares; undeclared, it is scores-bf16",
	},
}
