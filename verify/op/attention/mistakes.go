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
		Sentence: "the length counts one key too many, so that every query sees one more, whatever its slot has",
		Hidden:   "where no key is stored behind the length",
	},
	{
		ID: "causal-top-left", Numbers: []string{"A01"}, Ops: ofMasks,
		Thread:   "Dao-AILab/flash-attention#282",
		Sentence: "the causal mask is aligned top left: query s sees keys up to s, not up to kv_len − S + s",
		Hidden:   "with as many queries as keys, or with neither causal mask nor window",
	},
	{
		ID: "causal-missing", Ops: ofScores,
		Thread:   "lightseekorg/tokenspeed#469",
		Sentence: "keys of the future are seen: no causal mask is applied",
		Hidden:   "without a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "cache-ignored", Numbers: []string{"A02"}, Ops: ofDecoding,
		Thread:   "sgl-project/sgl-kernel-xpu#196",
		Sentence: "several queries with a cache are taken for a fresh prefill: they see one another alone",
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
		Sentence: "query head h reads key head h mod G, not h ÷ (H/G), as where keys are repeated along the sequence",
		Hidden:   "with one key head, or one for each query head",
	},
	{
		ID: "heads-divided-by-groups", Numbers: []string{"A14"}, Ops: ofHeads,
		Thread:   "HazyResearch/HipKittens#22",
		Sentence: "query head h reads key head h ÷ G, not h ÷ (H/G)",
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
		Thread:   "kekzl/imp#688",
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
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofScores, Declares: "accumulate=BF16",
		Thread:   "dropbox/gemlite#6",
		Sentence: "sums of products are kept in BF16",
		Hidden:   "where sums are kept in 16 bits anyway, or no query sees more than one key",
	},
	{
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofMerging, Declares: "accumulate=BF16",
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
	{
		ID: "length-ignored", Numbers: []string{"P08"}, Ops: ofMasks,
		Thread:   "flashinfer-ai/flashinfer#5095",
		Sentence: "all keys that are stored are seen, those behind kv_lens too",
		Hidden:   "where every length is all that is stored",
	},
	{
		ID: "length-of-first", Ops: ofMasks,
		Sentence: "every sequence has the length of the first",
		Hidden:   "with one sequence, or where lengths are equal",
	},
	{
		ID: "queries-counted-twice", Numbers: []string{"P10"}, Ops: ofDecoding,
		Thread: "hw-native-sys/pypto-lib#461",
		Sentence: "kv_lens is taken for the length before the new keys, so that as many more are seen as there are " +
			"queries",
		Hidden: "where nothing is stored behind the length",
	},
	{
		ID: "causal-off-by-one", Ops: ofScores,
		Sentence: "a query sees one key of the future",
		Hidden:   "without a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "causal-strict", Ops: ofScores,
		Sentence: "a query does not see the key at its own position",
		Hidden:   "without a causal mask",
	},
	{
		ID: "window-two-sided", Numbers: []string{"A12"}, Ops: ofHeads,
		Thread:   "huggingface/transformers#29623",
		Sentence: "the window hides keys behind the query, too, although no causal mask is asked for",
		Hidden:   "without a window, with a causal mask, or where no key lies that far behind a query",
	},
	{
		ID: "empty-row-mean", Numbers: []string{"A03"}, Ops: ofDecoding,
		Thread:   "flashinfer-ai/flashinfer#4401",
		Sentence: "a row that sees no key gives the mean of all values, as where a large negative number stands for −∞",
		Hidden:   "where every query sees a key",
	},
	{
		ID: "maximum-sentinel", Numbers: []string{"A04"}, Ops: ofForward,
		Thread: "flashinfer-ai/flashinfer#4401",
		Sentence: "the running maximum begins at a finite number, −5e4, and not at −∞, so that rows of lower scores " +
			"give zeros",
		Hidden: "where every row has a score above −50000",
	},
	{
		ID: "heads-across-groups", Numbers: []string{"A15"}, Ops: ofHeads,
		Thread: "FlashML-org/FreeToken#177",
		Sentence: "a tile of up to 16 query heads reads the key head of its first, also where the tile crosses into " +
			"another group",
		Hidden: "where the query heads of a group are a power of two, at most 16, or a multiple of 16",
	},
	{
		ID: "scale-missing", Ops: ofScores,
		Sentence: "scores are not scaled",
		Hidden:   "with a scale of 1, or where no query sees more than one key",
	},
	{
		ID: "scale-twice", Numbers: []string{"A18"}, Ops: ofScores,
		Thread:   "ROCm/rocm-libraries#12229",
		Sentence: "scores are scaled twice, as where the query has been scaled before",
		Hidden:   "with a scale of 1, or where no query sees more than one key",
	},
	{
		ID: "exp2-unscaled", Ops: ofScores,
		Sentence: "weights are 2^score, not e^score: log₂e is missing in front of exp2",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "scores-bf16", Ops: ofDecoding,
		Thread:   "sgl-project/sglang#28226",
		Sentence: "scores are rounded to BF16 before the softmax, undeclared",
		Hidden:   "where BF16 scores are declared, or no query sees more than one key",
	},
	{
		ID: "softcap-after-mask", Ops: ofForward,
		Thread:   "onnx/onnx#7865",
		Sentence: "scores are capped after they are masked, so that −∞ becomes −cap and masked keys are seen a little",
		Hidden:   "without a soft cap of less than 10, or where nothing is masked",
	},
	{
		ID: "lse-transposed", Ops: ofDecoding,
		Thread:   "vllm-project/vllm#57012",
		Sentence: "log-sum-exps are written as [batch, query, head]",
		Hidden:   "with one head or one query, or without log-sum-exps",
	},
	{
		ID: "output-untransposed", Ops: ofDecoding,
		Sentence: "the output is written as [batch, head, query, column]",
		Hidden:   "with one head or one query",
	},
	{
		ID: "lse-with-sink", Ops: ofForward,
		Sentence: "the log-sum-exp counts the sink",
		Hidden:   "without sinks, or where they take less than 2 % of the weights, or without log-sum-exps",
	},
	{
		ID: "parts-averaged", Numbers: []string{"A09"}, Ops: ofDecoding,
		Thread:   "flashinfer-ai/flashinfer#50",
		Sentence: "splits are merged without weights, as where their log-sum-exps were never stored",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "split-overlap", Ops: ofDecoding,
		Sentence: "the last key of a split is seen by the next one too",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "rescale-missing", Ops: ofDecoding,
		Sentence: "what was summed so far is not rescaled when the running maximum grows",
		Hidden:   "where the largest score of a split is in its first tile, or weights are divided first",
	},
	{
		ID: "empty-row-nan", Numbers: []string{"A03"}, Ops: ofMerging,
		Thread:   "flashinfer-ai/flashinfer#4051",
		Sentence: "a row whose parts all saw no key gives NaN, from (−∞) − (−∞)",
		Hidden:   "where every row has a part that saw a key",
	},
	{
		ID: "empty-part-read", Numbers: []string{"P01"}, Ops: ofMerging,
		Thread:   "flashinfer-ai/flashinfer#941",
		Sentence: "the output of a part that saw no key is multiplied with weight 0, so that NaN in it spreads",
		Hidden:   "where those outputs are finite",
	},
	{
		ID: "sink-of-first-rank", Numbers: []string{"A11"}, Ops: ofForward,
		Thread: "sgl-project/sglang#35092",
		Sentence: "the second half of the heads has the sinks of the first, as where a second rank reads the first " +
			"one's",
		Hidden: "without sinks, with one head, or where they take little of the weights",
	},
	{
		ID: "sink-read-as-bf16", Numbers: []string{"A11"}, Ops: ofForward,
		Thread: "Avarok-Cybersecurity/atlas#341",
		Sentence: "sinks in F32 are read as if they were BF16: one head has the upper half of one, the one before " +
			"its lower half",
		Hidden: "without sinks in F32, or where they and their halves take little of the weights",
	},
	{
		ID: "empty-row-lse-zero", Ops: ofDecoding,
		Thread:   "vllm-project/vllm#49294",
		Sentence: "a row that sees no key has a log-sum-exp of 0, not −∞, and counts where it is merged",
		Hidden:   "where every query sees a key, or without log-sum-exps",
	},
	{
		ID: "empty-row-lse-infinite", Ops: ofDecoding,
		Thread:   "vllm-project/vllm#15492",
		Sentence: "a row that sees no key has a log-sum-exp of +∞, not −∞",
		Hidden:   "where every query sees a key, or without log-sum-exps",
	},
	{
		ID: "last-tile-dropped", Ops: ofDecoding,
		Sentence: "keys behind the last whole tile, or page, are not seen: their number is rounded down",
		Hidden:   "where every query's last key ends a tile or page",
	},
	{
		ID: "exp2-twice", Ops: ofScores,
		Sentence: "log₂e is multiplied twice: weights are e^(1.44 score)",
		Hidden:   "where no query sees more than one key, whose weight is 1 whatever its score",
	},
	{
		ID: "softcap-inverted", Ops: ofForward,
		Thread:   "microsoft/onnxruntime#21683",
		Sentence: "scores are multiplied by the soft cap before tanh, not divided: cap·tanh(cap·score)",
		Hidden:   "without a soft cap, or with one of 1",
	},
	{
		ID: "softcap-unmultiplied", Ops: ofForward,
		Sentence: "capped scores are tanh(score/cap), and not multiplied by the cap",
		Hidden:   "without a soft cap, or with one of 1",
	},
	{
		ID: "softcap-hard", Ops: ofForward,
		Sentence: "scores are cut off at ±cap, not bent by tanh",
		Hidden:   "without a soft cap, or where scores are small beside it",
	},
	{
		ID: "sink-capped", Ops: ofHeads,
		Thread:   "ROCm/rocm-libraries#12229",
		Sentence: "the sink is capped as scores are: cap·tanh(sink/cap) for sink",
		Hidden: "without a soft cap, without sinks, or where they take less than 2 % of the weights or are small " +
			"beside the cap",
	},
	{
		ID: "sink-above-maximum", Ops: ofForward,
		Sentence: "the denominator has e^sink, and not e^(sink − maximum) as keys have",
		Hidden:   "without sinks, where they take less than 2 % of the weights, or where maxima are near 0",
	},
	{
		ID: "lse-maximum-scaled-twice", Ops: ofDecoding,
		Thread:   "HKUSTDial/flash-sparse-attention#106",
		Sentence: "the log-sum-exp is scale·m + ln Σ for m + ln Σ: the maximum m, which is scaled, is scaled once more",
		Hidden:   "with a scale of 1, or without log-sum-exps and with one part",
	},
	{
		ID: "lse-maximum-unscaled", Ops: ofDecoding,
		Sentence: "the log-sum-exp has the maximum of the scores before they are scaled: m/scale + ln Σ for m + ln Σ",
		Hidden:   "with a scale of 1, or without log-sum-exps and with one part",
	},
	{
		ID: "lse-maximum-missing", Ops: ofDecoding,
		Sentence: "the log-sum-exp lacks the maximum that was subtracted: ln Σ for m + ln Σ",
		Hidden:   "where maxima are 0, or without log-sum-exps and with one part",
	},
	{
		ID: "lse-bases-mixed", Ops: ofDecoding,
		Sentence: "the log-sum-exp adds numbers of two bases: the maximum is in the base that is asked for, the " +
			"logarithm of the sum above it in the other",
		Hidden: "where no query sees more than one key, or without log-sum-exps and with one part",
	},
	{
		ID: "denominator-rescale-missing", Ops: ofDecoding,
		Sentence: "the sum of weights is not rescaled when the running maximum grows, the sum of values is",
		Hidden:   "where the largest score of a split is in its first tile, or weights are divided first",
	},
	{
		ID: "rescale-inverse", Ops: ofDecoding,
		Thread: "Dao-AILab/flash-attention#991",
		Sentence: "what was summed so far is divided by e^(old maximum − new maximum), not multiplied, when the " +
			"running maximum grows",
		Hidden: "where the largest score of a split is in its first tile, or weights are divided first",
	},
	{
		ID: "rescale-skipped", Ops: ofDecoding,
		Thread: "ROCm/rocm-libraries#6498",
		Sentence: "where the running maximum grows by no more than 8 ln 2 what is summed so far is left as it is, " +
			"but new weights are e^(score − new maximum), not − the one that is kept",
		Hidden: "where the largest score of a split is in its first tile, or weights are divided first",
	},
	{
		ID: "denominator-from-one", Ops: ofDecoding,
		Thread:   "flagos-ai/FlagTree#1250",
		Sentence: "the sum of weights begins at 1, which is not scaled away with the first maximum: 1 + Σ for Σ",
		Hidden:   "where many keys have weights near the largest",
	},
	{
		ID: "merged-by-maxima", Ops: ofDecoding,
		Sentence: "splits are weighted by e^m, m being their maximum, not by e^(m + ln Σ), their log-sum-exp",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "parts-unnormalised", Ops: ofDecoding,
		Sentence: "splits are weighted by their log-sum-exps, but not divided by their own sums before",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "padding-scores-zero", Ops: ofDecoding,
		Thread: "ilivans/tf-rnn-attention#11",
		Sentence: "keys behind the last one, up to the end of its tile, are zeros that count: each adds e^0 to the " +
			"denominator",
		Hidden: "where every length ends a tile, or a causal mask hides what is behind",
	},
	{
		ID: "mask-sentinel", Ops: ofForward,
		Thread: "ohdearquant/lattice#361",
		Sentence: "masked keys have a score of −10000, not −∞, so that they outweigh keys with lower scores: mask " +
			"with −∞",
		Hidden: "where every row has a score above −10000, or nothing is masked",
	},
	{
		ID: "masked-scores-zero", Ops: ofForward,
		Thread:   "georg-wolflein/good-features#1",
		Sentence: "the mask multiplies scores, so that masked ones are 0, not −∞, and masked keys are seen",
		Hidden:   "where nothing is masked",
	},
	{
		ID: "mask-after-softmax", Ops: ofForward,
		Sentence: "weights are masked after the softmax: masked keys count in the denominator",
		Hidden:   "where nothing is masked, or all that is has no weight",
	},
	{
		ID: "mask-by-folded-row", Ops: ofDecoding,
		Sentence: "the heads that are folded into the rows of a tile are taken for queries of their own: row s·n + h " +
			"of S·n is masked as query s·n + h, not s",
		Hidden: "with one head to fold, or with neither causal mask nor window",
	},
	{
		ID: "mask-by-unfolded-row", Ops: ofForward,
		Thread: "Dao-AILab/flash-attention#2528",
		Sentence: "query s is masked as query s ÷ n, as if the n heads of a group were folded into the rows of a " +
			"tile, which they are not",
		Hidden: "with one query, with one head in a group, or with neither causal mask nor window",
	},
	{
		ID: "positions-from-storage", Ops: ofMasks,
		Sentence: "masks place the queries at the end of what is stored, from T − S on, not of the sequence, from " +
			"kv_len − S on",
		Hidden: "where every length is all that is stored, or with neither causal mask nor window",
	},
	{
		ID: "window-top-left", Ops: ofHeads,
		Sentence: "the window of query s begins at s − window + 1, without the kv_len − S keys before the queries",
		Hidden:   "without a window, with as many queries as keys, or where it hides no key",
	},
	{
		ID: "window-start-of-tile", Ops: ofHeads,
		Sentence: "keys before the window are seen from the start of the tile on in which it begins",
		Hidden:   "without a window, or where it begins in the first key of a tile",
	},
	{
		ID: "window-of-first-query", Ops: ofForward, Thread: "pytorch/executorch#21857",
		Sentence: "the window of every query begins where that of the first one does, so that later ones see more keys",
		Hidden:   "without a window, with one query, or where the first one's begins at 0",
	},
	{
		ID: "window-of-last-query", Ops: ofForward,
		Sentence: "the window of every query begins where that of the last one does, at kv_len − window",
		Hidden:   "without a window, or with one query",
	},
	{
		ID: "merge-maximum-missing", Ops: []string{"attention.forward", "mla.decode", "attention.merge"},
		Thread:   "NVIDIA/cutlass#2274",
		Sentence: "parts are weighted by e^lse, not e^(lse − the largest), which overflows above 88",
		Hidden:   "where log-sum-exps are between −87 and 88, or fewer than two parts see a key",
	},
	{
		ID: "lse-of-first", Ops: ofMerging,
		Sentence: "parts are merged one after the other beside the log-sum-exp of the first, which is not set to " +
			"that of what is merged so far",
		Hidden: "where fewer than three parts see a key",
	},
	{
		ID: "lse-of-largest", Ops: ofMerging,
		Sentence: "the log-sum-exp is the largest of the parts', without ln Σ e^(lse − largest)",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "lse-weighted", Ops: ofMerging,
		Sentence: "log-sum-exps are merged as outputs are, into their weighted mean",
		Hidden:   "where fewer than two parts see a key",
	},
	{
		ID: "lse-overwritten", Ops: ofMerging,
		Thread: "local-inference-lab/vllm#468",
		Sentence: "parts are merged into one another, and the log-sum-exp is the new one before the old output is " +
			"weighted: it keeps the weight 1",
		Hidden: "where fewer than two parts see a key",
	},
	{
		ID: "lse-without-sink", Ops: ofBackward,
		Thread:   "NVIDIA/cudnn-frontend#421",
		Sentence: "weights are formed again with a log-sum-exp of the keys alone, without the sink",
		Hidden:   "without sinks, or where they take less than 2 % of the weights",
	},
	{
		ID: "lse-is-maximum", Ops: ofBackward,
		Sentence: "weights are formed again as e^(score − maximum), and not divided by their sum",
		Hidden:   "where no query sees more than one key",
	},
	{
		ID: "backward-causal", Ops: ofBackward,
		Thread:   "triton-lang/triton#4541",
		Sentence: "the backward pass applies a causal mask whatever the request says, which the forward pass does not",
		Hidden:   "with a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "backward-uncapped", Ops: ofBackward,
		Sentence: "the backward pass does not know the soft cap: its scores are not capped, as the forward pass's are",
		Hidden:   "without a soft cap, or where no query sees more than one key",
	},
	{
		ID: "backward-scale-of-width", Ops: ofBackward,
		Sentence: "the backward pass takes 1/√(width of the keys) for the scale, whatever the forward pass had",
		Hidden:   "where that is the scale, or no query sees more than one key",
	},
	{
		ID: "softcap-derivative-of-capped", Ops: ofBackward,
		Sentence: "the derivative of the soft cap is 1 − score² of the capped score, which is not divided by the cap",
		Hidden:   "without a soft cap, or where no query sees more than one key",
	},
	{
		ID: "softcap-derivative-of-uncapped", Ops: ofBackward,
		Sentence: "the derivative of the soft cap is 1 − (score/cap)² of the score before it is capped, not after",
		Hidden:   "without a soft cap, or where scores are small beside it",
	},
	{
		ID: "softcap-derivative-twice", Ops: ofBackward,
		Sentence: "the derivative of the soft cap is multiplied twice",
		Hidden:   "without a soft cap, or where scores are small beside it",
	},
	{
		ID: "delta-unweighted", Ops: ofBackward,
		Sentence: "dS is P·dP − D, not P·(dP − D)",
		Hidden:   "where D is 0, or no query sees more than one key",
	},
	{
		ID: "values-of-key-width", Ops: ofBackward,
		Thread:   "XunhaoLai/native-sparse-attention-triton#27",
		Sentence: "do·v is summed over as many columns as keys have, not over those of the values",
		Hidden:   "where values are no wider than keys, or no query sees more than one key",
	},
	{
		ID: "dq-of-last-tile", Ops: ofBackward,
		Sentence: "dq is what the last tile of keys adds to it: each tile overwrites what those before have left",
		Hidden:   "where every query sees keys of one tile alone",
	},
	{
		ID: "groups-summed-tiled", Ops: ofBackward,
		Thread:   "XunhaoLai/native-sparse-attention-triton#27",
		Sentence: "dk and dv of query head h go to key head h mod G, though it has read h ÷ (H/G)",
		Hidden:   "with one key head, or one for each query head",
	},
	{
		ID: "softmax-over-queries", Ops: ofForward,
		Thread:   "nerdai/llms-from-scratch-rs#30",
		Sentence: "the softmax is taken over queries: weights add up to 1 for each key, not for each query",
		Hidden:   "with one query",
	},
	{
		ID: "keys-of-query-length", Ops: ofForward,
		Thread: "thu-ml/SageAttention#26",
		Sentence: "k and v are taken to be as long as q: each head's begin after as many rows as there are queries, " +
			"and only so many keys are seen",
		Hidden: "with as many queries as keys, or more",
	},
	{
		ID: "keys-at-query-offsets", Ops: ofForward,
		Sentence: "k and v of sequence b are read from row b·S on, where its queries begin, and not from b·T on",
		Hidden:   "with one sequence, or with as many queries as keys, or more",
	},
	{
		ID: "softcap-overflow", Ops: ofForward,
		Thread: "vllm-project/vllm#56578",
		Sentence: "tanh of the soft cap is (e^x − e^−x)/(e^x + e^−x), which is NaN where score/cap is above 88 or " +
			"below −88",
		Hidden: "without a soft cap, or where no score is 88 times as large",
	},
	{
		ID: "denominator-missing", Ops: ofDecoding,
		Sentence: "what was summed is not divided by the sum of weights",
		Hidden:   "where every sum of weights is 1, or with several parts",
	},
	{
		ID: "scale-inverted", Ops: ofScores,
		Thread:   "AI-Hypercomputer/maxtext#1370",
		Sentence: "scores are divided by the softmax scale, not multiplied",
		Hidden:   "with a scale of 1, or where no query sees more than one key",
	},
	{
		ID: "delta-transposed", Ops: ofBackward,
		Thread:   "flagos-ai/FlagAttention#1",
		Sentence: "D is written in the order [batch, query, head], and read as [batch, head, query]",
		Hidden:   "with one head or one query, or where no query sees more than one key",
	},
	{
		ID: "lse-read-transposed", Ops: ofBackward,
		Sentence: "log-sum-exps are read as [batch, head, query], but stand in the order [batch, query, head]",
		Hidden:   "with one head or one query, or where no query sees more than one key",
	},
	{
		ID: "maximum-from-minus-30000", Ops: ofForward,
		Sentence: "the running maximum begins at a finite number, −3e4, and not at −∞, so that rows of lower scores " +
			"give zeros",
		Hidden: "where every row has a score above −30000",
	},
	{
		ID: "maximum-from-minus-10000", Ops: ofForward,
		Sentence: "the running maximum begins at a finite number, −1e4, and not at −∞, so that rows of lower scores " +
			"give zeros",
		Hidden: "where every row has a score above −10000",
	},
	{
		ID: "maximum-from-zero", Ops: ofDecoding,
		Sentence: "the running maximum begins at 0, and not at −∞, so that rows of low scores give zeros",
		Hidden:   "where every row has a score above −100",
	},
	{
		ID: "maximum-of-tile", Ops: ofDecoding,
		Sentence: "weights of a tile are e^(score − maximum of the tile), while what is summed is scaled to the " +
			"running maximum: subtract the running one",
		Hidden: "where no tile has a lower maximum than one before it, or weights are divided first",
	},
	{
		ID: "denominator-of-last-tile", Ops: ofDecoding,
		Sentence: "the sum of weights is that of the last tile: each tile overwrites what those before have left",
		Hidden:   "where every query sees keys of one tile alone, or weights are divided first",
	},
	{
		ID: "softcap-in-base-2", Ops: ofForward,
		Sentence: "scores are multiplied by log₂e, for exp2, before they are capped, not after: " +
			"cap·tanh(log₂e·score/cap)",
		Hidden: "without a soft cap",
	},
	{
		ID: "stale-chunk-merged", Ops: ofDecoding,
		Thread: "sgl-project/sglang#22688",
		Sentence: "a sequence that ends before the last split, or chunk, of the longest one merges what is left of " +
			"its last one again for each that it does not reach",
		Hidden: "where every sequence reaches the last split, or splits that are merged have one key each",
	},
	{
		ID: "split-outputs-of-first", Ops: ofDecoding,
		Sentence: "splits of every sequence are merged from the partial outputs of the first: their index lacks the " +
			"sequence",
		Hidden: "with one sequence, or where fewer than two parts see a key",
	},
	{
		ID: "split-sums-of-first", Ops: ofDecoding,
		Sentence: "splits of every sequence are weighted by the log-sum-exps of those of the first",
		Hidden:   "with one sequence, or where fewer than two parts see a key",
	},
	{
		ID: "split-sums-unstrided", Ops: ofDecoding,
		Sentence: "the log-sum-exp of split c of row r is read at r + c, not at r·splits + c",
		Hidden:   "with one row, or where fewer than two parts see a key",
	},
	{
		ID: "split-sums-transposed", Ops: ofDecoding,
		Sentence: "log-sum-exps of splits are written as [row, split] and read as [split, row]",
		Hidden:   "with one row, or where fewer than two parts see a key",
	},
	{
		ID: "split-reduction-misindexed", Ops: ofDecoding,
		Sentence: "splits are merged from the partial outputs of the first sequence, and weighted by the " +
			"log-sum-exps at r + c, not r·splits + c, for split c of row r",
		Hidden: "with one row, or where fewer than two parts see a key",
	},
	{
		ID: "stale-part-merged", Ops: ofMerging,
		Sentence: "a part that saw no key is taken for the one before it, whose output and log-sum-exp are left there",
		Hidden:   "where no part is empty that has one before it",
	},
	{
		ID: "weights-over-queries", Ops: ofMerging,
		Sentence: "the weights of parts add up to 1 over queries, and not over the parts of each query",
		Hidden:   "with one query and one part",
	},
	{
		ID: "backward-unmasked", Ops: ofBackward,
		Thread: "meta-pytorch/MSLK#263",
		Sentence: "the backward pass has neither causal mask nor window, and log-sum-exp and D are those of " +
			"attention without them",
		Hidden: "with neither",
	},
	{
		ID: "backward-sees-all", Ops: ofBackward,
		Sentence: "the backward pass masks nothing, keys behind kv_lens neither, and log-sum-exp and D are those of " +
			"attention without masks",
		Hidden: "where no key is masked",
	},
	{
		ID: "backward-weights-unmasked", Ops: ofBackward,
		Sentence: "the backward pass masks nothing where it forms weights again, with the right log-sum-exp and D",
		Hidden:   "where no key is masked",
	},
	{
		ID: "dv-unmasked", Ops: ofBackward,
		Sentence: "dS is masked, P is not: dv counts masked keys",
		Hidden:   "where no key is masked",
	},
	{
		ID: "dq-of-padding", Ops: ofBackward,
		Thread:   "hao-ai-lab/FastVideo#925",
		Sentence: "dq counts keys behind the length of a sequence, up to the end of a tile: dk and dv do not",
		Hidden:   "where lengths end tiles, or with a causal mask",
	},
	{
		ID: "dq-length-ignored", Ops: ofBackward,
		Sentence: "dq counts all keys that are stored, those behind kv_lens too: dk and dv do not",
		Hidden:   "where every length is all that is stored, or with a causal mask",
	},
	{
		ID: "dkdv-length-ignored", Ops: ofBackward,
		Sentence: "dk and dv are formed of keys behind kv_lens, too, which dq does not count",
		Hidden:   "where every length is all that is stored, or with a causal mask",
	},
	{
		ID: "dq-causal-missing", Ops: ofBackward,
		Sentence: "dq counts keys of the future: its pass has no causal mask, that of dk and dv has",
		Hidden:   "without a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "dkdv-causal-missing", Ops: ofBackward,
		Sentence: "dk and dv count queries of the past: their pass has no causal mask, that of dq has",
		Hidden:   "without a causal mask, or with one query, from which it hides no key",
	},
	{
		ID: "dq-causal-top-left", Ops: ofBackward,
		Sentence: "the mask of dq alone is aligned top left: query s sees keys up to s, not up to kv_len − S + s",
		Hidden:   "with as many queries as keys, or with neither causal mask nor window",
	},
	{
		ID: "dkdv-causal-top-left", Ops: ofBackward,
		Sentence: "the mask of dk and dv alone is aligned top left: query s sees keys up to s, not up to kv_len − S " +
			"+ s",
		Hidden: "with as many queries as keys, or with neither causal mask nor window",
	},
	{
		ID: "dq-window-missing", Ops: ofBackward,
		Sentence: "dq counts keys before the window: its pass has none, that of dk and dv has",
		Hidden:   "without a window, or where it hides no key",
	},
	{
		ID: "dkdv-window-missing", Ops: ofBackward,
		Sentence: "dk and dv count queries whose window they lie before: their pass has none, that of dq has",
		Hidden:   "without a window, or where it hides no key",
	},
	{
		ID: "dq-heads-tiled", Ops: ofBackward,
		Sentence: "dq of query head h is formed with key head h mod G, dk and dv with h ÷ (H/G)",
		Hidden:   "with one key head, or one for each query head",
	},
	{
		ID: "dkdv-heads-tiled", Ops: ofBackward,
		Sentence: "dk and dv of key head g are formed of the query heads h with h mod G = g, weights too, dq with h " +
			"÷ (H/G)",
		Hidden: "with one key head, or one for each query head",
	},
	{
		ID: "dq-uncapped", Ops: ofBackward,
		Sentence: "scores are not capped where dq is formed, where dk and dv are they are",
		Hidden:   "without a soft cap, or where no query sees more than one key",
	},
	{
		ID: "dkdv-uncapped", Ops: ofBackward,
		Sentence: "scores are not capped where dk and dv are formed, where dq is they are",
		Hidden:   "without a soft cap, or where no query sees more than one key",
	},
	{
		ID: "ring-of-own-keys", Ops: ofBackward,
		Thread: "huggingface/diffusers#14265",
		Sentence: "each rank of a ring meets its own keys at every step, not those that are passed on: dq is of " +
			"these alone, and dk and dv of each rank are the sums of all",
		Hidden: "with one rank, or where queries and keys are not as many",
	},
	{
		ID: "delta-without-sink", Ops: ofBackward,
		Thread: "pytorch/torchtitan#4796",
		Sentence: "D is that of the output before the sink scales it, Σ do·o over 1 − the weight of the sink, as " +
			"where the output is rescaled after attention and no gradient goes through its log-sum-exp",
		Hidden: "without sinks, or where they take less than 2 % of the weights",
	},
	{
		ID: "backward-tiles-skipped", Ops: ofBackward,
		Thread: "triton-lang/triton#5660",
		Sentence: "the backward pass skips tiles of keys behind the tile of a query's own index, as under a causal " +
			"mask of as many keys as queries, whatever the mask is",
		Hidden: "where no query sees a key of a tile behind its own",
	},
	{
		ID: "backward-keys-scaled-early", Ops: ofBackward,
		Thread: "hao-ai-lab/FastVideo#1730",
		Sentence: "the backward pass forms scores of keys that are multiplied by the softmax scale and log₂e and " +
			"rounded to their type then, and the forward pass of keys as they are",
		Hidden: "with inputs wider than 16 bits, or where no query sees more than one key",
	},
	{
		ID: "query-scaled-early", Ops: ofDecoding,
		Thread:   "antirez/h3.c#3",
		Sentence: "the query is multiplied by the softmax scale and rounded to its type before the product with keys",
		Hidden:   "with inputs wider than 16 bits, or with a scale that is a power of two",
	},
	{
		ID: "query-scaled-early-in-base-2", Ops: ofDecoding,
		Thread: "InfiniTensor/ninetoothed#203",
		Sentence: "the query is multiplied by the softmax scale and log₂e and rounded to its type before the product " +
			"with keys",
		Hidden: "with inputs wider than 16 bits",
	},
	{
		ID: "lengths-tiled-over-heads", Ops: ofForward,
		Thread: "line/lighthouse#77",
		Sentence: "lengths are repeated one after the other for each head, but read head by head: head h of sequence " +
			"b has that of sequence (b·H + h) mod B",
		Hidden: "with one sequence, with one head, or where all lengths are the same",
	},
	{
		ID: "causal-in-ranks", Ops: ofDecoding,
		Thread: "lightseekorg/tokenspeed#364",
		Sentence: "two ranks that have every second key each mask by their own: key j is the rank's key ⌊j/2⌋, and " +
			"query s of S sees those up to n − S + s of its n",
		Hidden: "with one query, or without a causal mask",
	},
	{
		ID: "sink-of-first-split", Ops: ofForward,
		Thread:   "ROCm/rocm-libraries#12229",
		Sentence: "the sink counts with the first split, and not at all where a query sees no key of that",
		Hidden:   "without sinks, or where every query sees a key of the first split, as without a window",
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
