package step

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

// mistakes are those of rotation and of norms, which a layer makes too.
var mistakes = []op.Mistake{
	{
		ID: "layout-swapped", Ops: []string{"rope.apply", "mla.layer"},
		Thread:   "huggingface/optimum-intel#1877",
		Sentence: "pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse",
		Hidden:   "with one pair of channels, or with every position 0",
	},
	{
		ID: "frequencies-repeated", Ops: []string{"rope.apply", "mla.layer"},
		Thread:   "raiyanyahya/how-to-train-your-gpt#7",
		Sentence: "the table repeats each frequency for neighbours, the rotation takes halves",
		Hidden:   "in another layout than half, with one pair of channels, or with every position 0",
	},
	{
		ID: "direction-reversed", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Sentence: "the rotation is by minus the angle",
		Hidden:   "where every position is 0",
	},
	{
		ID: "rotation-missing", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "sqliteai/warp#27",
		Sentence: "nothing is rotated",
		Hidden:   "where every position is 0",
	},
	{
		ID: "position-off-by-one", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "microsoft/onnxruntime-genai#2354",
		Sentence: "positions are one too large",
		Hidden:   "never",
	},
	{
		ID: "yarn-missing", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Sentence: "YaRN is not applied",
		Hidden:   "without YaRN, with every position 0, or where it changes neither frequencies nor amplitude",
	},
	{
		ID: "yarn-betas-swapped", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "pytorch/torchtitan#3787",
		Sentence: "beta_fast and beta_slow change places",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "yarn-range-extended", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "NVIDIA/Megatron-LM#1418",
		Sentence: "the correction range comes from the extended length",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "yarn-range-unrounded", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "keras-team/keras-hub#2981",
		Sentence: "the correction range is not rounded to whole indices, or is where it should not be",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "amplitude-generic", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "ggml-org/llama.cpp#7118",
		Sentence: "cos and sin are multiplied by YaRN's generic 1 + 0.1 ln s",
		Hidden:   "without YaRN, with every position 0, or where that is the amplitude",
	},
	{
		ID: "sine-fast", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Sentence: "sines take off whole turns in one step, of a float32 2π",
		Hidden:   "where no angle exceeds 1000",
	},
	{
		ID: "angle-bf16", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "huggingface/candle#3520",
		Sentence: "position × frequency is formed in BF16",
		Hidden:   "where BF16 holds every position, as it does up to 256, or the kernel declares BF16",
	},
	{
		ID: "table-bf16", Ops: []string{"rope.apply", "rope.table", "mla.layer"},
		Thread:   "KellerJordan/modded-nanogpt#39",
		Sentence: "cos and sin are stored in BF16",
		Hidden:   "where every position is 0",
	},
	{
		ID: "eps-default", Ops: []string{"norm.rms", "mla.layer"},
		Thread:   "huggingface/transformers#44261",
		Sentence: "eps is 1e-5 whatever the request says",
		Hidden:   "where eps is 1e-5, or negligible beside the mean square",
	},
	{
		ID: "squares-bf16", Ops: []string{"norm.rms", "mla.layer"},
		Thread:   "dropbox/gemlite#6",
		Sentence: "the sum of squares is kept in BF16",
		Hidden:   "with rows of one element",
	},
}
