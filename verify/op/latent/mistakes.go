package latent

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

var (
	ofCache = []string{"mla.decode"}
	ofLayer = []string{"mla.layer"}
)

// mistakes are those of a paged cache, and of a layer.
var mistakes = []op.Mistake{
	{
		ID: "scale-of-latent", Numbers: []string{"M01"}, Ops: []string{"mla.decode", "mla.layer"},
		Thread:   "ollama/ollama#13893",
		Sentence: "the softmax scale is 1/√(latent width + rope width)",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "temperature-missing", Numbers: []string{"R08"}, Ops: ofCache,
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "temperature-missing", Numbers: []string{"R08"}, Ops: ofLayer,
		Thread:   "onnxruntime/mobius#548",
		Sentence: "the softmax scale lacks YaRN's temperature",
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
		Sentence: "the blocks of a sequence are taken for neighbours in memory",
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
		Sentence: "a query without latent is normed",
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
		Sentence: "the rope key is rotated twice",
		Hidden:   "where every position is 0",
	},
	{
		ID: "rope-first-channels", Numbers: []string{"R06"}, Ops: ofLayer,
		Thread:   "ml-explore/mlx-lm#1189",
		Sentence: "the first channels of a query are rotated, not the last",
		Hidden:   "where more channels are rotated than are not, or with one token",
	},
}
