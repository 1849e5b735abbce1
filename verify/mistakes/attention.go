package mistakes

import "slices"

var (
	scoring  = []string{"attention.forward", "mla.decode"}
	forward  = []string{"attention.forward"}
	backward = []string{"attention.backward"}
	both     = []string{"attention.forward", "attention.backward"}
	decode   = []string{"mla.decode"}
	layer    = []string{"mla.layer"}
	merging  = []string{"attention.merge"}
)

// ofAttention are the mistakes of attention, its gradients and its merging.
var ofAttention = []planted{
	{Mistake{
		"drop-last-key", "",
		"the last key of the sequence is not seen",
		"where no query sees the last key",
	}, scoring},
	{Mistake{
		"extra-key", "microsoft/onnxruntime-genai#2354",
		"the length counts one key too many, so that every query sees one more",
		"where no key is stored behind the length",
	}, scoring},
	{Mistake{
		"causal-top-left", "Dao-AILab/flash-attention#282",
		"the causal mask is aligned to the first key",
		"with as many queries as keys, or with neither causal mask nor window",
	}, slices.Concat(scoring, backward)},
	{Mistake{
		"causal-missing", "",
		"keys of the future are seen",
		"without a causal mask, or with one query, from which it hides no key",
	}, slices.Concat(both, decode, layer)},
	{Mistake{
		"cache-ignored", "sgl-project/sgl-kernel-xpu#196",
		"several queries with a cache are taken for a fresh prefill",
		"with one query, or where no query sees a key before the new ones",
	}, scoring},
	{Mistake{
		"window-off-by-one", "huggingface/transformers#39408",
		"the window is one key too wide",
		"without a window, or where it hides no key",
	}, both},
	{Mistake{
		"window-missing", "",
		"the window is not applied",
		"without a window, or where it hides no key",
	}, both},
	{Mistake{
		"empty-row-nan", "flashinfer-ai/flashinfer#4401",
		"a row that sees no key gives NaN",
		"where every query sees a key",
	}, scoring},
	{Mistake{
		"fixed-maximum", "HabanaAI/vllm-fork#275",
		"10 is subtracted in the exponent instead of the row maximum",
		"where every row's largest score is between −80 and 99, or with weights in F16 between −4 and 22",
	}, scoring},
	{Mistake{
		"heads-tiled", "ekzhang/jax-js#180",
		"query head h reads key head h mod G",
		"with one key head, or one for each query head",
	}, both},
	{Mistake{
		"heads-divided-by-groups", "HazyResearch/HipKittens#22",
		"query head h reads key head h ÷ G",
		"with one key head, or with as many as there are query heads in a group",
	}, both},
	{Mistake{
		"scale-one-percent", "",
		"the softmax scale is 1 % too large",
		"where no query sees more than one key, whose weight is 1 whatever its score",
	}, slices.Concat(scoring, backward, layer)},
	{Mistake{
		"scale-of-width", "huggingface/optimum-intel#1877",
		"the softmax scale is 1/√(width of the keys) whatever the request says",
		"where that is the scale, or no query sees more than one key",
	}, both},
	{Mistake{
		"scale-of-latent", "ollama/ollama#13893",
		"the softmax scale is 1/√(latent width + rope width)",
		"where that is the scale, or no query sees more than one key",
	}, slices.Concat(decode, layer)},
	{Mistake{
		"temperature-missing", "onnxruntime/mobius#548",
		"the softmax scale lacks YaRN's temperature",
		"where no query sees more than one key, whose weight is 1 whatever its score",
	}, decode},
	{Mistake{
		"temperature-missing", "onnxruntime/mobius#548",
		"the softmax scale lacks YaRN's temperature",
		"without YaRN, with a scale of the request's own, or where no query sees more than one key",
	}, layer},
	{Mistake{
		"softcap-missing", "",
		"scores are not capped",
		"without a soft cap",
	}, both},
	{Mistake{
		"softcap-before-scale", "ROCm/rocm-libraries#12229",
		"scores are capped before they are scaled",
		"without a soft cap, or with a scale of 1",
	}, forward},
	{Mistake{
		"lse-base", "sgl-project/sglang#35045",
		"the log-sum-exp is returned in the other base",
		"where every log-sum-exp is 0 or infinite",
	}, scoring},
	{Mistake{
		"merge-base", "sgl-project/sglang#35045",
		"natural log-sum-exps are merged to base 2, or the reverse",
		"where the parts that see a key have one log-sum-exp",
	}, slices.Concat(scoring, merging)},
	{Mistake{
		"split-dropped", "",
		"the last split is not merged",
		"where fewer than two parts see a key",
	}, scoring},
	{Mistake{
		"sink-missing", "kekzl/imp#1352",
		"the sink is left out of the denominator",
		"without sinks, or where they take less than 2 % of the weights",
	}, both},
	{Mistake{
		"sink-per-split", "kekzl/imp#1352",
		"the sink counts once for every split",
		"without sinks, or where they take less than 2 % of the weights, or fewer than two parts see a key",
	}, forward},
	{Mistake{
		"probabilities-truncated", "",
		"softmax weights are truncated, not rounded",
		"where weights are kept in the working type, or no query sees more than one key",
	}, scoring},
	{Mistake{
		"accumulate-bf16", "dropbox/gemlite#6",
		"sums of products are kept in BF16",
		"where sums are kept in 16 bits anyway, or no query sees more than one key",
	}, slices.Concat(scoring, backward, layer)},
	{Mistake{
		"accumulate-bf16", "dropbox/gemlite#6",
		"sums of products are kept in BF16",
		"with one part",
	}, merging},
	{Mistake{
		"masked-tail", "flashinfer-ai/flashinfer#941",
		"values behind the last key are multiplied with weight 0",
		"where the values stored behind the last key are finite",
	}, scoring},
	{Mistake{
		"page-end", "vllm-project/vllm-xpu-kernels#181",
		"keys up to the end of the page are seen",
		"where every query's last key ends a page",
	}, decode},
	{Mistake{
		"extra-page", "pegainfer-project/pegainfer#291",
		"one page too many is seen when the last one is full",
		"where no query's last key ends a page, or no page follows",
	}, decode},
	{Mistake{
		"pages-consecutive", "flashinfer-ai/flashinfer#3219",
		"the blocks of a sequence are taken for neighbours in memory",
		"where they are neighbours",
	}, decode},
	{Mistake{
		"value-columns", "",
		"the value is taken from the last columns of the cached row",
		"where the value is the whole row",
	}, decode},
	{Mistake{
		"delta-missing", "",
		"dS lacks the term D",
		"where D is 0",
	}, backward},
	{Mistake{
		"dq-unscaled", "",
		"dq lacks the softmax scale",
		"with a scale of 1, or where no query sees more than one key",
	}, backward},
	{Mistake{
		"dk-unscaled", "",
		"dk lacks the softmax scale",
		"with a scale of 1, or where no query sees more than one key",
	}, backward},
	{Mistake{
		"group-not-summed", "",
		"dk and dv come from the last head of each group alone",
		"where every query head has a key head of its own",
	}, backward},
	{Mistake{
		"softcap-derivative-missing", "",
		"dS lacks the derivative of the soft cap",
		"without a soft cap, or where no query sees more than one key",
	}, backward},
	{Mistake{
		"lse-base", "sgl-project/sglang#35045",
		"the log-sum-exp is read in the other base",
		"where no query sees more than one key, whose weight is 1 whatever its score",
	}, backward},
	{Mistake{
		"weights-unnormalised", "",
		"the weights of the parts are not divided by their sum",
		"where fewer than two parts see a key",
	}, merging},
	{Mistake{
		"parts-averaged", "",
		"the parts are averaged without weights",
		"where the parts that see a key have one log-sum-exp",
	}, merging},
}
