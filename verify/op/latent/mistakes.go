package latent

import "plumbline/verify/op"

func init() {
	op.Plant(mistakes)
	op.Leave(beyond)
}

var (
	ofCache = []string{"mla.decode"}
	ofLayer = []string{"mla.layer"}
)

// mistakes are those of a paged cache, and of a layer.
var mistakes = []op.Mistake{
	{
		ID: "scale-of-latent", Numbers: []string{"M01"}, Ops: []string{"mla.decode", "mla.layer"},
		Thread:   "ollama/ollama#13893",
		Sentence: "the softmax scale is 1/√(latent width + rope width), 576, not 1/√(nope width + rope width), 192",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "temperature-missing", Numbers: []string{"R08"}, Ops: ofCache,
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature, (0.1·mscale_all_dim·ln s + 1)²",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "temperature-missing", Numbers: []string{"R08"}, Ops: ofLayer,
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature, (0.1·mscale_all_dim·ln s + 1)²",
		Hidden:   "without YaRN, with a scale of the request's own, or where no query sees more than one key",
	},
	{
		ID: "page-end", Numbers: []string{"A17"}, Ops: ofCache,
		Thread:   "vllm-project/vllm-xpu-kernels#181",
		Sentence: "keys up to the end of the page are seen",
		Hidden:   "where every query's last key ends a page",
	},
	{
		ID: "extra-page", Numbers: []string{"P02"}, Ops: ofCache,
		Thread:   "pegainfer-project/pegainfer#291",
		Sentence: "one page too many is seen when the last one is full",
		Hidden:   "where no query's last key ends a page, or no page follows",
	},
	{
		ID: "pages-consecutive", Numbers: []string{"P04"}, Ops: ofCache,
		Thread:   "flashinfer-ai/flashinfer#3219",
		Sentence: "blocks of a sequence are taken for neighbours in memory: only the first entry of its table is read",
		Hidden:   "where they are neighbours",
	},
	{
		ID: "value-columns", Ops: ofCache,
		Sentence: "the value is taken from the last columns of the cached row",
		Hidden:   "where the value is the whole row",
	},
	{
		ID: "norm-missing-q", Numbers: []string{"M04"}, Ops: ofLayer,
		Sentence: "the query's latent is not normed",
		Hidden:   "where the query has no latent, or with one token",
	},
	{
		ID: "norm-missing-kv", Numbers: []string{"M04"}, Ops: ofLayer,
		Sentence: "the latent of keys and values is not normed",
		Hidden:   "never",
	},
	{
		ID: "norm-with-rope-key", Numbers: []string{"M04"}, Ops: ofLayer,
		Sentence: "latent and rope key are normed together",
		Hidden:   "never",
	},
	{
		ID: "norm-extra", Numbers: []string{"M03"}, Ops: ofLayer,
		Thread:   "NVIDIA-NeMo/Megatron-Bridge#5261",
		Sentence: "a query is normed that has no latent, and no norm",
		Hidden:   "where the query has a latent, or with one token",
	},
	{
		ID: "kv-up-split", Numbers: []string{"M05"}, Ops: ofLayer,
		Sentence: "w_ukv is split as all keys, then all values",
		Hidden:   "with one head",
	},
	{
		ID: "query-untransposed", Numbers: []string{"M07"}, Ops: ofLayer,
		Sentence: "the query is absorbed with W_UK, not its transpose",
		Hidden:   "in the naive form, where W_UK is not square, or with one token",
	},
	{
		ID: "value-from-key", Numbers: []string{"M07"}, Ops: ofLayer,
		Sentence: "the value's up-projection is taken from the key's rows",
		Hidden:   "where values are wider than keys",
	},
	{
		ID: "rope-key-twice", Numbers: []string{"M10"}, Ops: ofLayer,
		Sentence: "the rope key is rotated twice, as where it is cached rotated and the kernel rotates too",
		Hidden:   "where every position is 0",
	},
	{
		ID: "rope-first-channels", Numbers: []string{"R06"}, Ops: ofLayer,
		Thread:   "ml-explore/mlx-lm#1189",
		Sentence: "the first channels of a query are rotated, not the last",
		Hidden:   "where more channels are rotated than are not, or with one token",
	},
	{
		ID: "query-parts-exchanged", Ops: []string{"mla.decode", "mla.layer"},
		Sentence: "a query is taken for [rope; latent], in a layer [rope; nope]",
		Hidden:   "where values are whole rows of the cache, or with one token",
	},
	{
		ID: "rope-part-missing", Ops: ofCache,
		Sentence: "scores are those of the latent alone: the product of the rope parts is left out",
		Hidden:   "where values are whole rows of the cache, or no query sees more than one key",
	},
	{
		ID: "tables-tiled-over-queries", Ops: ofCache,
		Sentence: "tables and lengths are repeated one after the other for each query, but read query by query: " +
			"query s of sequence b has those of sequence (b·S + s) mod B",
		Hidden: "with one sequence or one query",
	},
	{
		ID: "temperature-tenth-twice", Ops: ofLayer,
		Thread: "ggml-org/llama.cpp#17945",
		Sentence: "0.1 is multiplied twice in YaRN's temperature in the softmax scale, (0.01·mscale_all_dim·ln s + " +
			"1)², as where a file has 0.1·mscale_all_dim",
		Hidden: "without YaRN or with attention_factor, where the request has its own scale, or with one token",
	},
	{
		ID: "heads-untransposed", Ops: ofLayer,
		Thread:   "jsbaan/transformer-from-scratch#6",
		Sentence: "the heads' outputs [head, query, column] are taken for [query, head, column] by the last linear",
		Hidden:   "with one head or one token",
	},
	{
		ID: "mask-by-head", Ops: ofCache,
		Thread:   "flashinfer-ai/flashinfer#4830",
		Sentence: "rows of a tile of queries and heads are taken head by head for their masks, not query by query",
		Hidden:   "with one head or one query, or without a causal mask",
	},
	{
		ID: "cache-tiled", Numbers: []string{"P09"}, Ops: ofCache,
		Thread:   "vllm-project/vllm#52109",
		Sentence: "pages are written row by row and read as [D/8, page, 8]",
		Hidden:   "with pages of one row, or rows that are not whole tiles",
	},
	{
		ID: "table-as-32-bit", Numbers: []string{"P06"}, Ops: ofCache,
		Thread:   "tenstorrent/tt-metal#57364",
		Sentence: "a block table in I64 is read as I32: every second entry is 0",
		Hidden:   "where the table is I32, or no key is past the first page of the first sequence",
	},
	{
		ID: "table-of-first", Ops: ofCache,
		Sentence: "every sequence reads its blocks from the table of the first",
		Hidden:   "with one sequence",
	},
	{
		ID: "table-stride", Ops: ofCache,
		Sentence: "rows of the block table are taken to be as long as the longest sequence has pages",
		Hidden:   "with one sequence, or where they are",
	},
	{
		ID: "value-rows-drift", Ops: ofCache,
		Thread: "ikawrakow/ik_llama.cpp#2031",
		Sentence: "values are walked in steps of as many rows as values have columns, keys in steps of theirs: value " +
			"j is row j ÷ D·V + j mod D, and not j",
		Hidden: "where values are whole rows of the cache, or no sequence has more keys than a row has columns",
	},
	{
		ID: "block-as-row", Ops: ofCache,
		Sentence: "a block is taken for the row at which it begins: slot i of it is row block + i, not block·page + i",
		Hidden:   "with pages of one row, or where all is in block 0",
	},
	{
		ID: "table-stride-of-first", Ops: ofCache,
		Sentence: "rows of the block table are taken to be as long as the first sequence has pages",
		Hidden:   "with one sequence, or where they are",
	},
	{
		ID: "table-written-as-first", Ops: ofCache,
		Sentence: "rows of the block table are written as long as the first sequence has pages, and read as long as " +
			"the table is wide",
		Hidden: "with one sequence, or where they are",
	},
	{
		ID: "table-written-tight", Ops: ofCache,
		Thread: "sgl-project/sglang#9675",
		Sentence: "rows of the block table are written as long as the longest sequence has pages, and read as long " +
			"as the table is wide",
		Hidden: "with one sequence, or where they are",
	},
	{
		ID: "padding-sees-first-block", Numbers: []string{"P07"}, Ops: ofCache,
		Thread:   "vllm-project/vllm#45324",
		Sentence: "a padded row, of length 0, sees the first slot of block 0",
		Hidden:   "where every sequence has keys",
	},
	{
		ID: "temperature-of-mscale", Numbers: []string{"R09"}, Ops: ofLayer,
		Thread:   "NVIDIA/Megatron-LM#1429",
		Sentence: "YaRN's temperature in the softmax scale is that of mscale, not of mscale_all_dim",
		Hidden: "without YaRN, with a scale of the request's own, where both are equal, as in released models, or " +
			"where no query sees more than one key",
	},
	{
		ID: "temperature-once", Ops: ofLayer,
		Sentence: "YaRN's temperature is in the softmax scale once, not squared",
		Hidden: "without YaRN, with a scale of the request's own, where mscale_all_dim is 0, or where no query sees " +
			"more than one key",
	},
	{
		ID: "scale-of-hidden", Numbers: []string{"A06"}, Ops: ofLayer,
		Thread:   "NVIDIA/Megatron-LM#1501",
		Sentence: "the softmax scale is 1/√(width of the hidden states ÷ heads)",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "exponent-of-head", Ops: ofLayer,
		Sentence: "frequencies are base^(−2i/d) with the width of a whole head for d, not that of its rope part",
		Hidden:   "where every position is 0, or with one pair of channels",
	},
	{
		ID: "query-up-split", Ops: ofLayer,
		Sentence: "rows of w_uq or w_q are taken for all nope parts, then all rope parts",
		Hidden:   "with one head or one token",
	},
	{
		ID: "rope-key-first", Ops: ofLayer,
		Sentence: "rows of w_dkv are taken for rope key, then latent",
		Hidden:   "never",
	},
	{
		ID: "rope-rows-transposed", Numbers: []string{"M06"}, Ops: ofLayer,
		Thread: "vllm-project/vllm-ascend#3850",
		Sentence: "the permutation that makes halves of pairs is applied to the columns of the rope key's rows, not " +
			"to the rows",
		Hidden: "with a layout of halves, or with one pair of channels",
	},
	{
		ID: "temperature-on-given-scale", Ops: ofLayer,
		Thread:   "NVIDIA/Megatron-LM#3698",
		Sentence: "a softmax scale of the request's own is multiplied by YaRN's temperature, which it has in it",
		Hidden: "without YaRN, without a scale of the request's own, where mscale_all_dim is 0, or where no query " +
			"sees more than one key",
	},
	{
		ID: "query-unrotated", Ops: ofLayer,
		Sentence: "queries are not rotated, the key is",
		Hidden:   "where every position is 0, or with one token",
	},
	{
		ID: "rope-key-unrotated", Ops: ofLayer,
		Sentence: "the rope key is not rotated, queries are",
		Hidden:   "where every position is 0",
	},
	{
		ID: "query-layout-swapped", Ops: ofLayer,
		Sentence: "queries are rotated in the other layout than the key: pairs (i, i+d/2) for (2i, 2i+1), or the " +
			"reverse",
		Hidden: "with one pair of channels, or with one token",
	},
	{
		ID: "query-start-missing", Ops: ofLayer,
		Sentence: "queries are rotated for positions 0, 1, 2, …, without the start that the key's have",
		Hidden:   "where start is 0, or with one token",
	},
	{
		ID: "rope-key-start-missing", Ops: ofLayer,
		Sentence: "the rope key is rotated for positions 0, 1, 2, …, without the start that queries have",
		Hidden:   "where start is 0",
	},
	{
		ID: "position-plus-head", Ops: ofLayer,
		Sentence: "head h of a query is rotated for its position + h: the axis of heads is taken for that of tokens",
		Hidden:   "with one head, or with one token",
	},
	{
		ID: "cache-unnormed", Ops: ofLayer,
		Sentence: "the latent is kept as it is before its norm, and attended to after",
		Hidden:   "without the latent among the outputs",
	},
	{
		ID: "cache-unrotated", Ops: ofLayer,
		Sentence: "the rope key is kept as it is before its rotation, and attended to after",
		Hidden:   "without the rope key among the outputs, or where every position is 0",
	},
}

// beyond are those of caches and layers that no recording of one call shows.
var beyond = []op.Beyond{
	{
		Number: "M08", Thread: "vllm-project/vllm#44630",
		Sentence: "w_ukv is dequantised with scales that another kernel has transposed in place",
		Why:      "weights of a layer have no scales here; in a product it is scales-transposed",
	},
	{
		Number: "M09", Thread: "sgl-project/sglang#6265",
		Sentence: "absorbed copies of weights are not made anew after an update",
		Why:      "spans two calls: the layer that is recorded has the weights that it used",
	},
	{
		Number: "P05", Thread: "Dao-AILab/flash-attention#2711",
		Sentence: "the block table is read past its columns, or a block past the cache",
		Why:      "a request with such a length or block is refused",
	},
	{
		Number: "P11", Thread: "Dao-AILab/flash-attention#772",
		Sentence: "offsets of 32 bits wrap in a cache of 2³¹ numbers",
		Why:      "such a cache is too large for what kernels are emulated on",
	},
	{
		Number: "P12", Thread: "vllm-project/vllm#48611",
		Sentence: "rows of a packed FP8 cache are read as plain numbers",
		Why:      "no op of the catalogue has a cache with scales in it",
	},
	{
		Number: "P13", Thread: "sgl-project/sglang#34765",
		Sentence: "the scale of values is forgotten, or that of keys stands for it",
		Why:      "no op of the catalogue has a cache with scales",
	},
	{
		Number: "P14", Thread: "vllm-project/vllm#42956",
		Sentence: "the scale of a cached row is that of its latent alone, and the rope key saturates",
		Why:      "no op of the catalogue has a cache with scales",
	},
	{
		Number: "P15", Thread: "vllm-project/vllm#49435",
		Sentence: "a scale is stored that is no power of two, and read as one",
		Why:      "no op of the catalogue has a cache with scales; in a product it is scale-truncated",
	},
	{
		Number: "P16", Thread: "InternLM/lmdeploy#4917",
		Sentence: "cached keys are kept after the weights have changed",
		Why:      "spans two calls: the recorded cache is what the kernel read",
	},
	{
		Number: "R07", Thread: "junfanz1/MiniGPT-and-DeepSeek-MLA#1",
		Sentence: "the down projection is split at the nope width, not at the rope width",
		Why:      "the shapes of the recording say where it is split",
	},
}
