package latent

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

// mistakes are those of a paged cache, and of a layer.
var mistakes = []op.Mistake{
	{
		ID: "scale-of-latent", Ops: []string{"mla.decode", "mla.layer"},
		Thread:   "ollama/ollama#13893",
		Sentence: "the softmax scale is 1/√(latent width + rope width)",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "temperature-missing", Ops: []string{"mla.decode"},
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "temperature-missing", Ops: []string{"mla.layer"},
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature",
		Hidden:   "without YaRN, with a scale of the request's own, or where no query sees more than one key",
	},
	{
		ID: "page-end", Ops: []string{"mla.decode"},
		Thread:   "vllm-project/vllm-xpu-kernels#181",
		Sentence: "keys up to the end of the page are seen",
		Hidden:   "where every query's last key ends a page",
	},
	{
		ID: "extra-page", Ops: []string{"mla.decode"},
		Thread:   "pegainfer-project/pegainfer#291",
		Sentence: "one page too many is seen when the last one is full",
		Hidden:   "where no query's last key ends a page, or no page follows",
	},
	{
		ID: "pages-consecutive", Ops: []string{"mla.decode"},
		Thread:   "flashinfer-ai/flashinfer#3219",
		Sentence: "the blocks of a sequence are taken for neighbours in memory",
		Hidden:   "where they are neighbours",
	},
	{
		ID: "value-columns", Ops: []string{"mla.decode"},
		Sentence: "the value is taken from the last columns of the cached row",
		Hidden:   "where the value is the whole row",
	},
	{
		ID: "norm-missing-q", Ops: []string{"mla.layer"},
		Sentence: "the query's latent is not normed",
		Hidden:   "where the query has no latent, or with one token",
	},
	{
		ID: "norm-missing-kv", Ops: []string{"mla.layer"},
		Sentence: "the latent of keys and values is not normed",
		Hidden:   "never",
	},
	{
		ID: "norm-with-rope-key", Ops: []string{"mla.layer"},
		Sentence: "latent and rope key are normed together",
		Hidden:   "never",
	},
	{
		ID: "norm-extra", Ops: []string{"mla.layer"},
		Thread:   "NVIDIA-NeMo/Megatron-Bridge#5261",
		Sentence: "a query without latent is normed",
		Hidden:   "where the query has a latent, or with one token",
	},
	{
		ID: "kv-up-split", Ops: []string{"mla.layer"},
		Sentence: "w_ukv is split as all keys, then all values",
		Hidden:   "with one head",
	},
	{
		ID: "query-untransposed", Ops: []string{"mla.layer"},
		Sentence: "the query is absorbed with W_UK, not its transpose",
		Hidden:   "in the naive form, where W_UK is not square, or with one token",
	},
	{
		ID: "value-from-key", Ops: []string{"mla.layer"},
		Sentence: "the value's up-projection is taken from the key's rows",
		Hidden:   "where values are wider than keys",
	},
	{
		ID: "rope-key-twice", Ops: []string{"mla.layer"},
		Sentence: "the rope key is rotated twice",
		Hidden:   "where every position is 0",
	},
	{
		ID: "rope-first-channels", Ops: []string{"mla.layer"},
		Thread:   "ml-explore/mlx-lm#1189",
		Sentence: "the first channels of a query are rotated, not the last",
		Hidden:   "where more channels are rotated than are not, or with one token",
	},
}
