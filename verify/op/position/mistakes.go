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
		ID: "eps-added-to-reciprocal", Ops: ofNorm, Thread: "tile-ai/tilelang#1243",
		Sentence: "eps is added to the reciprocal of the root, not under it",
		Hidden:   "where eps is negligible beside the mean square and the reciprocal",
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
		ID: "eps-as-floor", Ops: ofNorm,
		Sentence: "the mean square is at least eps, the larger of both, not their sum",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "eps-before-mean", Ops: ofNorm,
		Sentence: "eps is added to the sum of squares before it is divided by their number",
		Hidden:   "where eps is negligible beside the mean square, or with rows of one element",
	},
	{
		ID: "eps-times-largest", Ops: ofNorm,
		Thread: "apple/coremltools#2821",
		Sentence: "rows are divided by their largest size m first, and eps is added after: it is eps·m² for the " +
			"row as it was",
		Hidden: "where eps is negligible beside the mean square, or the largest size is 1",
	},
	{
		ID: "variance-for-mean-square", Ops: ofNorm,
		Thread:   "keras-team/keras#22393",
		Sentence: "rows are divided by the root of their variance, from which the mean is taken off, not of x²",
		Hidden:   "where every row has mean 0",
	},
	{
		ID: "halves-apart", Ops: ofNorm,
		Thread: "axonn-ai/yalis#36",
		Sentence: "each half of a row is divided by its own root mean square, as on two ranks that do not add up " +
			"their squares",
		Hidden: "with rows of one element, or where both halves have the same",
	},
	{
		ID: "squares-of-tail-missing", Ops: ofNorm,
		Sentence: "elements behind the last whole 64 do not count in the mean square",
		Hidden:   "where rows are multiples of 64",
	},
	{
		ID: "squares-of-partial-warp-missing", Ops: ofNorm,
		Thread: "flashinfer-ai/flashinfer#3879",
		Sentence: "elements behind the last whole 256, those of a warp that is not full, do not count in the mean " +
			"square",
		Hidden: "where rows are multiples of 256, or shorter",
	},
	{
		ID: "mean-of-all", Ops: ofNorm,
		Sentence: "all rows are divided by one root mean square, that of the whole tensor, not each by its own",
		Hidden:   "with one row, or where all have the same",
	},
	{
		ID: "mean-of-column", Ops: ofNorm,
		Sentence: "each column is divided by its root mean square over the rows: the norm is along the other axis",
		Hidden:   "with one number",
	},
	{
		ID: "squares-f16", Ops: ofNorm,
		Sentence: "the sum of squares is kept in F16, and is infinite from 65520 on: rows of large numbers become 0",
		Hidden:   "where no sum of squares is so large",
	},
	{
		ID: "squares-of-last-tile", Ops: ofNorm,
		Sentence: "the sum of squares begins anew with every 128 columns: those of the last count alone",
		Hidden:   "with 128 columns at most",
	},
	{
		ID: "head-added-to-position", Ops: []string{"rope.apply"}, Thread: "elixir-nx/emlx#121",
		Sentence: "each head is rotated by its number more than the position: the axis of heads is taken for that of " +
			"tokens",
		Hidden: "with one head",
	},
	{
		ID: "positions-restarted", Numbers: []string{"R20"}, Ops: ofTables,
		Thread: "NVIDIA/Megatron-LM#5243",
		Sentence: "the second half of the tokens has the positions of the first, as where each sequence or rank " +
			"starts anew",
		Hidden: "with one token, or where both halves have the same",
	},
	{
		ID: "positions-from-first", Ops: ofTables, Thread: "turboderp/exllama#101",
		Sentence: "positions count on from that of the first token, whatever those of the others are",
		Hidden:   "where they do",
	},
	{
		ID: "positions-f16", Ops: ofTables, Thread: "NVIDIA/Megatron-LM#535",
		Sentence: "positions are stored in F16, which does not hold all from 2049 on",
		Hidden:   "where F16 holds every position, as it does up to 2048",
	},
	{
		ID: "positions-wrapped", Ops: ofTables,
		Sentence: "positions are taken modulo the length of a table, the power of two below the largest",
		Hidden:   "where every position is below it, as where all are 0",
	},
	{
		ID: "positions-along-heads", Ops: []string{"rope.apply"},
		Sentence: "cosines and sines have the axis of heads for that of tokens: head h has those of token h",
		Hidden:   "where all tokens have the same position",
	},
	{
		ID: "heads-before-tokens", Ops: []string{"rope.apply"},
		Sentence: "rows are taken for [H,N]: row r of all has the position of token r mod N, not ⌊r/H⌋",
		Hidden:   "with one head or one token, or where all tokens have the same position",
	},
	{
		ID: "sines-behind-padding", Ops: []string{"rope.apply"}, Thread: "vllm-project/vllm-ascend#12723",
		Sentence: "sines are read from a table's row behind as many cosines as the next power of two of pairs, " +
			"not behind D/2",
		Hidden: "where D/2 is a power of two",
	},
}
