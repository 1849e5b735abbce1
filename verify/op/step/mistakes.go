package step

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

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
		Sentence: "the table repeats each frequency for neighbours, the rotation takes halves",
		Hidden:   "in another layout than half, with one pair of channels, or with every position 0",
	},
	{
		ID: "direction-reversed", Numbers: []string{"R04"}, Ops: ofTables,
		Sentence: "the rotation is by minus the angle",
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
		Sentence: "positions are one too large",
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
		ID: "angle-bf16", Numbers: []string{"R17"}, Ops: ofTables,
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
		Sentence: "eps is 1e-5 whatever the request says",
		Hidden:   "where eps is 1e-5, or negligible beside the mean square",
	},
	{
		ID: "squares-bf16", Numbers: []string{"N04"}, Ops: ofNorms,
		Thread:   "dropbox/gemlite#6",
		Sentence: "the sum of squares is kept in BF16",
		Hidden:   "with rows of one element",
	},
}
