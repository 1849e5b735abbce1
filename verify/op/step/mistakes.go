package step

import "plumbline/verify/op"

func init() {
	op.Plant(mistakes)
	op.Leave(beyond)
}

var (
	ofTables = []string{"rope.apply", "rope.table", "mla.layer"}
	ofTurns  = []string{"rope.apply", "mla.layer"}
	ofNorms  = []string{"norm.rms", "mla.layer"}
)

// mistakes are those of rotation and of norms, which a layer makes too.
var mistakes = []op.Mistake{
	{
		ID: "layout-swapped", Numbers: []string{"R01", "R02"}, Ops: ofTurns,
		Thread:   "huggingface/optimum-intel#1877",
		Sentence: "pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse",
		Hidden:   "with one pair of channels, or with every position 0",
	},
	{
		ID: "frequencies-repeated", Numbers: []string{"R03"}, Ops: ofTurns,
		Thread:   "raiyanyahya/how-to-train-your-gpt#7",
		Sentence: "the table repeats each frequency for neighbours, the rotation takes halves for partners",
		Hidden:   "with one pair of channels, or with every position 0",
	},
	{
		ID: "frequencies-concatenated", Ops: ofTurns,
		Sentence: "the table has all frequencies twice, one half after the other, the rotation takes neighbours for " +
			"partners",
		Hidden: "with one pair of channels, or with every position 0",
	},
	{
		ID: "direction-reversed", Numbers: []string{"R04"}, Ops: ofTables,
		Sentence: "the rotation is by minus the angle: sin has the other sign",
		Hidden:   "where every position is 0",
	},
	{
		ID: "rotation-missing", Numbers: []string{"R05"}, Ops: ofTables,
		Thread:   "sqliteai/warp#27",
		Sentence: "nothing is rotated",
		Hidden:   "where every position is 0",
	},
	{
		ID: "position-off-by-one", Numbers: []string{"R19"}, Ops: ofTables,
		Thread:   "microsoft/onnxruntime-genai#2354",
		Sentence: "positions are one too large, as where the length already counts the new token",
		Hidden:   "never",
	},
	{
		ID: "yarn-missing", Ops: ofTables,
		Sentence: "YaRN is not applied",
		Hidden:   "without YaRN, with every position 0, or where it changes neither frequencies nor amplitude",
	},
	{
		ID: "yarn-betas-swapped", Numbers: []string{"R12"}, Ops: ofTables,
		Thread:   "pytorch/torchtitan#3787",
		Sentence: "beta_fast and beta_slow change places",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "yarn-range-extended", Numbers: []string{"R13"}, Ops: ofTables,
		Thread:   "NVIDIA/Megatron-LM#1418",
		Sentence: "the correction range comes from the extended length",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "yarn-range-unrounded", Numbers: []string{"R14"}, Ops: ofTables,
		Thread:   "keras-team/keras-hub#2981",
		Sentence: "the correction range is not rounded to whole indices, or is where it should not be",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "amplitude-generic", Numbers: []string{"R10"}, Ops: ofTables,
		Thread:   "ggml-org/llama.cpp#7118",
		Sentence: "cos and sin are multiplied by YaRN's generic 1 + 0.1 ln s",
		Hidden:   "without YaRN, with every position 0, or where that is the amplitude",
	},
	{
		ID: "sine-fast", Ops: ofTables,
		Sentence: "sines take off whole turns in one step, of a float32 2π",
		Hidden:   "where no angle exceeds 1000",
	},
	{
		ID: "angle-bf16", Numbers: []string{"R17"}, Ops: ofTables, Declares: "angle=BF16",
		Thread:   "huggingface/candle#3520",
		Sentence: "position × frequency is formed in BF16",
		Hidden:   "where BF16 holds every position, as it does up to 256, or the kernel declares BF16",
	},
	{
		ID: "table-bf16", Numbers: []string{"R18"}, Ops: ofTables,
		Thread:   "KellerJordan/modded-nanogpt#39",
		Sentence: "cos and sin are stored in BF16",
		Hidden:   "where every position is 0",
	},
	{
		ID: "eps-default", Numbers: []string{"M02"}, Ops: ofNorms,
		Thread:   "huggingface/transformers#44261",
		Sentence: "eps is 1e-5, a class's default, whatever the request says",
		Hidden:   "where eps is 1e-5, or negligible beside the mean square",
	},
	{
		ID: "squares-bf16", Numbers: []string{"N04"}, Ops: ofNorms,
		Thread:   "dropbox/gemlite#6",
		Sentence: "the sum of squares is kept in BF16",
		Hidden:   "with rows of one element",
	},
	{
		ID: "yarn-range-clamped", Numbers: []string{"R14"}, Ops: ofTables,
		Thread:   "jingyaogong/minimind#602",
		Sentence: "the top of the correction range is at most d/2 − 1, not d − 1",
		Hidden: "without YaRN, with every position 0, or where the range ends below, as for a base of 10000 and " +
			"a context of 4096",
	},
	{
		ID: "yarn-linear", Ops: ofTables,
		Sentence: "every frequency is divided by the factor, fast ones too, as in linear scaling",
		Hidden:   "without YaRN, with every position 0, or where all are",
	},
	{
		ID: "yarn-ramp-reversed", Ops: ofTables,
		Sentence: "fast frequencies are divided by the factor and slow ones kept",
		Hidden:   "without YaRN, or with every position 0",
	},
	{
		ID: "yarn-periods-mixed", Ops: ofTables,
		Thread:   "jquesnelle/yarn#24",
		Sentence: "between the ends of the range wavelengths are mixed, not frequencies",
		Hidden:   "without YaRN, with every position 0, or where no pair lies within the range",
	},
	{
		ID: "yarn-base-stretched", Ops: ofTables,
		Thread:   "paiml/aprender#2161",
		Sentence: "frequencies come from the enlarged base of NTK scaling, b·s^(d/(d−2))",
		Hidden:   "without YaRN, with every position 0, or with one pair of channels",
	},
	{
		ID: "amplitude-undivided", Numbers: []string{"R11"}, Ops: ofTables,
		Sentence: "cos and sin are multiplied by m(s, mscale), which belongs in the softmax scale, and not " +
			"divided by m(s, mscale_all_dim)",
		Hidden: "without YaRN, with every position 0, with attention_factor, or where mscale_all_dim is 0",
	},
	{
		ID: "attention-factor-ignored", Numbers: []string{"R21"}, Ops: ofTables,
		Thread:   "raullenchai/Rapid-MLX#1225",
		Sentence: "attention_factor is ignored, and the amplitude is the default",
		Hidden:   "without attention_factor, or with every position 0",
	},
	{
		ID: "base-default", Numbers: []string{"R16"}, Ops: ofTables,
		Thread:   "ml-explore/mlx-lm#1189",
		Sentence: "the base is 10000 whatever the request says",
		Hidden:   "with that base, with every position 0, or with one pair of channels",
	},
	{
		ID: "exponent-halved", Ops: ofTables,
		Sentence: "frequencies are base^(−i/d), not base^(−2i/d)",
		Hidden:   "with every position 0, or with one pair of channels",
	},
	{
		ID: "exponent-quartered", Ops: ofTables, Thread: "pie-project/pie#603",
		Sentence: "frequencies are base^(−2i/4d), as of a head of which a quarter is rotated: its width is taken, " +
			"not that of what is rotated",
		Hidden: "with every position 0, or with one pair of channels",
	},
	{
		ID: "exponent-positive", Ops: ofTables,
		Thread:   "labmlai/annotated_deep_learning_paper_implementations#313",
		Sentence: "frequencies are base^(2i/d), not base^(−2i/d): the minus is missing in the exponent",
		Hidden:   "with every position 0, or with one pair of channels",
	},
	{
		ID: "positions-ignored", Ops: ofTables,
		Sentence: "tokens are at 0, 1, 2, … whatever positions or start says",
		Hidden:   "where that is where they are",
	},
	{
		ID: "mean-of-block", Ops: ofNorms,
		Sentence: "the sum of squares is divided by the next power of two, the width of a block",
		Hidden:   "where the width is a power of two",
	},
	{
		ID: "weight-missing", Ops: ofNorms,
		Sentence: "the weight of the norm is not applied",
		Hidden:   "where it is 1",
	},
	{
		ID: "positions-clamped", Ops: ofTables,
		Sentence: "the table ends at the original context: positions beyond it have its last row",
		Hidden:   "without YaRN, or where no position is beyond the original context",
	},
	{
		ID: "frequencies-bf16", Ops: ofTables, Thread: "huggingface/transformers#29496",
		Sentence: "frequencies are stored in BF16, and multiplied by positions then",
		Hidden:   "where BF16 holds them, or every position is 0",
	},
	{
		ID: "positions-bf16", Ops: ofTables, Thread: "EleutherAI/gpt-neox#1016",
		Sentence: "positions are stored in BF16, which does not hold all from 257 on",
		Hidden:   "where BF16 holds every position, as it does up to 256",
	},
	{
		ID: "cosine-for-sine", Ops: ofTables,
		Sentence: "cos and sin change places",
		Hidden:   "never",
	},
	{
		ID: "weight-before-norm", Ops: ofNorms,
		Sentence: "the weight multiplies before the norm, which is of x·weight",
		Hidden:   "where all weights are equal",
	},
	{
		ID: "root-missing", Ops: ofNorms,
		Sentence: "rows are divided by their mean square, not by its root",
		Hidden:   "where it is 1",
	},
	{
		ID: "yarn-factor-in-base", Ops: ofTables, Thread: "apache/tvm#18576",
		Sentence: "the factor multiplies the base of slowed frequencies, (s·b)^(−2i/d), and does not divide " +
			"them: b^(−2i/d)/s",
		Hidden: "without YaRN, with every position 0, or with one pair of channels",
	},
	{
		ID: "root-bf16", Ops: ofNorms, Thread: "amd/IRON#139",
		Sentence: "the inverse root of a row is rounded to BF16 before it multiplies",
		Hidden:   "where BF16 holds it",
	},
	{
		ID: "eps-floored", Ops: ofNorms, Thread: "nntrainer/nntrainer#4318",
		Sentence: "eps is at least 1e-4, whatever the request says, as where F16 has to hold it",
		Hidden:   "where eps is, or 1e-4 is negligible beside the mean square",
	},
	{
		ID: "amplitude-missing", Ops: ofTables,
		Sentence: "cos and sin are not multiplied by YaRN's amplitude, m(s, mscale)/m(s, mscale_all_dim) or " +
			"attention_factor",
		Hidden: "without YaRN, with every position 0, or where the amplitude is 1, as in released models",
	},
	{
		ID: "attention-factor-as-mscale", Ops: ofTables,
		Thread:   "NVIDIA/TensorRT-LLM#16379",
		Sentence: "attention_factor f is taken for an mscale: the amplitude is 1 + 0.1·f·ln s, not f",
		Hidden:   "without attention_factor, or with every position 0",
	},
	{
		ID: "attention-factor-multiplied", Ops: ofTables,
		Thread:   "sgl-project/sglang#33558",
		Sentence: "the amplitude is attention_factor times 1 + 0.1 ln s, not attention_factor alone",
		Hidden:   "without attention_factor, or with every position 0",
	},
	{
		ID: "yarn-turns-in-radians", Ops: ofTables,
		Sentence: "beta_fast and beta_slow are compared with angles, L·θ, not with turns, L·θ/2π",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes",
	},
	{
		ID: "yarn-range-doubled", Ops: ofTables,
		Sentence: "the ends of the correction range are twice as large: d·ln(L/2πβ)/ln b, not over 2 ln b",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes, as with a ramp over rotations",
	},
	{
		ID: "yarn-range-halved", Ops: ofTables,
		Sentence: "the ends of the correction range are half as large: d/2 stands for d in d·ln(L/2πβ)/2 ln b",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes, as with a ramp over rotations",
	},
	{
		ID: "yarn-ramp-stepped", Ops: ofTables,
		Sentence: "each frequency is either kept or divided by the factor, with no ramp between",
		Hidden:   "without YaRN, with every position 0, or where no pair lies within the range",
	},
	{
		ID: "logarithms-mixed", Ops: ofTables,
		Sentence: "frequencies are 2^(−2i/d·ln base): the natural logarithm of the base in a power of two",
		Hidden:   "with every position 0, or with one pair of channels",
	},
	{
		ID: "yarn-range-cut", Ops: ofTables,
		Sentence: "both ends of the correction range are rounded down, the upper one too, not up",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes, as with a ramp over rotations",
	},
	{
		ID: "yarn-ramp-by-channel", Ops: ofTables,
		Sentence: "the ramp is at the channel 2i for pair i, not at i, so that it ends at half the pairs",
		Hidden:   "without YaRN, with every position 0, or where no frequency changes, as with a ramp over rotations",
	},
	{
		ID: "yarn-ramp-unclamped", Ops: ofTables,
		Sentence: "the ramp is not bounded by 0 and 1 beyond the ends of its range",
		Hidden:   "without YaRN, or with every position 0",
	},
	{
		ID: "yarn-factor-twice", Ops: ofTables,
		Thread:   "ggml-org/ggml#835",
		Sentence: "positions are divided by the factor before frequencies are, which are slowed by it where they are",
		Hidden:   "without YaRN, or with every position 0",
	},
	{
		ID: "exponent-from-one", Ops: ofTables,
		Sentence: "frequencies are base^(−2(i+1)/d): pairs are counted from 1, and the formula takes them from 0",
		Hidden:   "where every position is 0",
	},
	{
		ID: "exponent-from-minus-one", Ops: ofTables,
		Thread:   "bkitano/llama-from-scratch#8",
		Sentence: "frequencies are base^(−2(i−1)/d): pairs are counted from 0, and the formula takes them from 1",
		Hidden:   "where every position is 0",
	},
	{
		ID: "exponent-odd", Ops: ofTables,
		Thread:   "stanford-cs336/assignment1-basics#22",
		Sentence: "frequencies are base^(−(2i+1)/d), with 2k − 1 for 2(k − 1), k counted from 1",
		Hidden:   "where every position is 0",
	},
	{
		ID: "exponent-to-the-end", Ops: ofTables,
		Sentence: "frequencies are base^(−2i/(d−2)), so that the last is 1/base, not base^(−2i/d)",
		Hidden:   "with every position 0, or with one pair of channels",
	},
	{
		ID: "sign-missing", Ops: ofTurns,
		Sentence: "a pair becomes (a·cos + b·sin, b·cos + a·sin): the minus is missing in a·cos − b·sin",
		Hidden:   "where every position is 0",
	},
	{
		ID: "signs-both-minus", Ops: ofTurns,
		Sentence: "a pair becomes (a·cos − b·sin, b·cos − a·sin), with a minus in b·cos + a·sin too",
		Hidden:   "where every position is 0",
	},
	{
		ID: "pair-overwritten", Ops: ofTurns, Thread: "flagos-ai/FlagGems#5142",
		Sentence: "a pair is turned in place: its second number is formed from the first as it is turned already",
		Hidden:   "where every position is 0",
	},
	{
		ID: "position-of-head", Ops: ofTurns,
		Thread: "tensorgi/TPA#4",
		Sentence: "each head is rotated by its own number for a position, as where the axes of tokens and heads have " +
			"changed places",
		Hidden: "where positions are 0 and there is one head",
	},
}

// beyond are those of rotation that a recording does not show.
var beyond = []op.Beyond{
	{
		Number: "R15", Thread: "huggingface/transformers#38224",
		Sentence: "YaRN's factor is not the one given, but the largest length over the original one",
		Why:      "a configuration's: the largest length is no attribute of any op",
	},
}
