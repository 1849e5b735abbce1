package attention

import "plumbline/verify/op"

func init() { op.Plant(mistakes, faint) }

var (
	ofForward  = []string{"attention.forward"}
	ofBackward = []string{"attention.backward"}
	ofHeads    = []string{"attention.forward", "attention.backward"}
	ofDecoding = []string{"attention.forward", "mla.decode"}
	ofMasks    = []string{"attention.forward", "mla.decode", "attention.backward"}
	ofScores   = []string{"attention.forward", "mla.decode", "attention.backward", "mla.layer"}
	ofMerging  = []string{"attention.merge"}
)

// mistakes are those of attention, its gradients and its merging, those of its softmax for latent
// ops too.
var mistakes = []op.Mistake{
	{
		ID: "drop-last-key", Ops: ofDecoding,
		Sentence: "the last key of the sequence is not seen",
		Hidden:   "where no query sees the last key",
	},
	{
		ID: "extra-key", Numbers: []string{"P03"}, Ops: ofDecoding,
		Thread:   "microsoft/onnxruntime-genai#2354",
		Sentence: "the length counts one key too many, so that every query sees one more",
		Hidden:   "where no key is stored behind the length",
	},
	{
		ID: "causal-top-left", Numbers: []string{"A01"}, Ops: ofMasks,
		Thread:   "Dao-AILab/flash-attention#282",
		Sentence: "the causal mask is aligned to the first key",
		Hidden:   "with as many queries as keys, or with neither causal mask nor window",
	},
	{
		ID: "causal-missing", Ops: ofScores,
		Sentence: "keys of the future are seen",
		Hidden:   "without a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "cache-ignored", Numbers: []string{"A02"}, Ops: ofDecoding,
		Thread:   "sgl-project/sgl-kernel-xpu#196",
		Sentence: "several queries with a cache are taken for a fresh prefill",
		Hidden:   "with one query, or where no query sees a key before the new ones",
	},
	{
		ID: "window-off-by-one", Numbers: []string{"A12"}, Ops: ofHeads,
		Thread:   "huggingface/transformers#39408",
		Sentence: "the window is one key too wide",
		Hidden:   "without a window, or where it hides no key",
	},
	{
		ID: "window-missing", Ops: ofHeads,
		Sentence: "the window is not applied",
		Hidden:   "without a window, or where it hides no key",
	},
	{
		ID: "empty-row-nan", Numbers: []string{"A03"}, Ops: ofDecoding,
		Thread:   "flashinfer-ai/flashinfer#4401",
		Sentence: "a row that sees no key gives NaN",
		Hidden:   "where every query sees a key",
	},
	{
		ID: "fixed-maximum", Numbers: []string{"A05"}, Ops: ofDecoding,
		Thread:   "HabanaAI/vllm-fork#275",
		Sentence: "10 is subtracted in the exponent instead of the row maximum",
		Hidden:   "where every row's largest score is between −80 and 99, or with weights in F16 between −4 and 22",
	},
	{
		ID: "heads-tiled", Numbers: []string{"A13", "A16"}, Ops: ofHeads,
		Thread:   "ekzhang/jax-js#180",
		Sentence: "query head h reads key head h mod G",
		Hidden:   "with one key head, or one for each query head",
	},
	{
		ID: "heads-divided-by-groups", Numbers: []string{"A14"}, Ops: ofHeads,
		Thread:   "HazyResearch/HipKittens#22",
		Sentence: "query head h reads key head h ÷ G",
		Hidden:   "with one key head, or with as many as there are query heads in a group",
	},
	{
		ID: "scale-one-percent", Ops: ofScores,
		Sentence: "the softmax scale is 1 % too large",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "scale-of-width", Numbers: []string{"A07"}, Ops: ofHeads,
		Thread:   "huggingface/optimum-intel#1877",
		Sentence: "the softmax scale is 1/√(width of the keys) whatever the request says",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "softcap-missing", Ops: ofHeads,
		Sentence: "scores are not capped",
		Hidden:   "without a soft cap",
	},
	{
		ID: "softcap-before-scale", Numbers: []string{"A18"}, Ops: ofForward,
		Thread:   "ROCm/rocm-libraries#12229",
		Sentence: "scores are capped before they are scaled",
		Hidden:   "without a soft cap, or with a scale of 1",
	},
	{
		ID: "lse-base", Numbers: []string{"A08"}, Ops: ofDecoding,
		Thread:   "sgl-project/sglang#35045",
		Sentence: "the log-sum-exp is returned in the other base",
		Hidden:   "where every log-sum-exp is 0 or infinite",
	},
	{
		ID: "merge-base", Numbers: []string{"A08"}, Ops: []string{"attention.forward", "mla.decode", "attention.merge"},
		Thread:   "sgl-project/sglang#35045",
		Sentence: "natural log-sum-exps are merged to base 2, or the reverse",
		Hidden:   "where the parts that see a key have one log-sum-exp",
	},
	{
		ID: "split-dropped", Ops: ofDecoding,
		Sentence: "the last split is not merged",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "sink-missing", Numbers: []string{"A10"}, Ops: ofHeads,
		Thread:   "kekzl/imp#1352",
		Sentence: "the sink is left out of the denominator",
		Hidden:   "without sinks, or where they take less than 2 % of the weights",
	},
	{
		ID: "sink-per-split", Numbers: []string{"A10"}, Ops: ofForward,
		Thread:   "kekzl/imp#1352",
		Sentence: "the sink counts once for every split",
		Hidden:   "without sinks, or where they take less than 2 % of the weights, or fewer than two parts see a key",
	},
	{
		ID: "probabilities-truncated", Ops: ofDecoding,
		Sentence: "softmax weights are truncated, not rounded",
		Hidden:   "where weights are kept in the working type, or no query sees more than one key",
	},
	{
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofScores,
		Thread:   "dropbox/gemlite#6",
		Sentence: "sums of products are kept in BF16",
		Hidden:   "where sums are kept in 16 bits anyway, or no query sees more than one key",
	},
	{
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofMerging,
		Thread:   "dropbox/gemlite#6",
		Sentence: "sums of products are kept in BF16",
		Hidden:   "with one part",
	},
	{
		ID: "masked-tail", Numbers: []string{"P01"}, Ops: ofDecoding,
		Thread:   "flashinfer-ai/flashinfer#941",
		Sentence: "values behind the last key are multiplied with weight 0",
		Hidden:   "where the values stored behind the last key are finite",
	},
	{
		ID: "delta-missing", Ops: ofBackward,
		Sentence: "dS lacks the term D",
		Hidden:   "where D is 0",
	},
	{
		ID: "dq-unscaled", Ops: ofBackward,
		Sentence: "dq lacks the softmax scale",
		Hidden:   "with a scale of 1, or where no query sees more than one key",
	},
	{
		ID: "dk-unscaled", Ops: ofBackward,
		Sentence: "dk lacks the softmax scale",
		Hidden:   "with a scale of 1, or where no query sees more than one key",
	},
	{
		ID: "group-not-summed", Ops: ofBackward,
		Sentence: "dk and dv come from the last head of each group alone",
		Hidden:   "where every query head has a key head of its own",
	},
	{
		ID: "softcap-derivative-missing", Ops: ofBackward,
		Sentence: "dS lacks the derivative of the soft cap",
		Hidden:   "without a soft cap, or where no query sees more than one key",
	},
	{
		ID: "lse-base", Numbers: []string{"A08"}, Ops: ofBackward,
		Thread:   "sgl-project/sglang#35045",
		Sentence: "the log-sum-exp is read in the other base",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "weights-unnormalised", Ops: ofMerging,
		Sentence: "the weights of the parts are not divided by their sum",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "parts-averaged", Ops: ofMerging,
		Sentence: "the parts are averaged without weights",
		Hidden:   "where the parts that see a key have one log-sum-exp",
	},
}

// faint are mistakes that no element and no slice shows, only many together.
var faint = []op.Mistake{
	{
		ID: "exp-2e-3", Ops: ofDecoding,
		Sentence: "exponentials of the softmax are off by up to 2e-3, as a quadratic for 2^f is",
		Hidden:   "where every row sees one key alone",
	},
	{
		ID: "denominator-bf16", Ops: ofDecoding,
		Sentence: "the softmax's sum of weights is kept in BF16",
		Hidden:   "where every sum is a BF16 number",
	},
	{
		ID: "delta-bf16", Ops: ofBackward,
		Sentence: "D = Σ do·o is kept in BF16",
		Hidden:   "where D is a BF16 number, and beside larger errors of dS",
	},
	{
		ID: "sink-next-head", Ops: ofForward,
		Sentence: "the sink is that of the next head",
		Hidden:   "without sinks, or where all are alike",
	},
	{
		ID: "dq-scale-bf16", Ops: ofBackward,
		Sentence: "dq is multiplied by the scale rounded to BF16",
		Hidden:   "where the scale is a BF16 number",
	},
	{
		ID: "sink-bf16", Ops: ofForward,
		Sentence: "sinks given in F32 are rounded to BF16",
		Hidden:   "without sinks, or where they are BF16 numbers",
	},
}
