package objective

import "plumbline/verify/op"

func init() {
	op.Plant(mistakes)
	op.Leave(beyond)
}

var (
	ofMasks      = []string{"policy.kl", "ppo.loss", "grpo.loss", "ppo.value_loss", "ppo.gae"}
	ofWeights    = []string{"ppo.loss", "grpo.loss", "ppo.value_loss"}
	ofKL         = []string{"policy.kl", "ppo.loss", "grpo.loss"}
	ofLosses     = []string{"ppo.loss", "grpo.loss"}
	ofDivergence = []string{"policy.kl"}
	ofLogProb    = []string{"policy.logprob"}
	ofHead       = []string{"policy.cross_entropy"}
	ofMismatch   = []string{"policy.mismatch"}
	ofGAE        = []string{"ppo.gae"}
	ofValues     = []string{"ppo.value_loss"}
	ofGroups     = []string{"grpo.advantage"}
	ofPairs      = []string{"dpo.loss"}
	ofWhitened   = []string{"ppo.gae", "grpo.advantage"}
)

// mistakes are those of losses, estimates and advantages.
var mistakes = []op.Mistake{
	{
		ID: "mask-missing", Numbers: []string{"L18"}, Ops: ofWeights,
		Thread:   "huggingface/trl#2708",
		Sentence: "the mask is ignored: tokens that should not count do",
		Hidden:   "where the mask hides nothing",
	},
	{
		ID: "mask-shifted", Numbers: []string{"L17"}, Ops: ofMasks,
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "the mask is one token early: token t counts where mask[t+1] is set",
		Hidden:   "where no token is counted, or where policy and reference agree in policy.kl",
	},
	{
		ID: "mask-inverted", Numbers: []string{"L32"}, Ops: ofMasks,
		Thread:   "QwenAudio/CosyVoice#1449",
		Sentence: "the mask is inverted: tokens count where it is 0",
		Hidden:   "where what counts is the same, as where policy and reference agree",
	},
	{
		ID: "last-token-dropped", Numbers: []string{"L19"}, Ops: ofMasks,
		Thread:   "huggingface/trl#5303",
		Sentence: "the last token of every sequence does not count: its end is taken for padding",
		Hidden:   "where what counts is the same without it",
	},
	{
		ID: "aggregation-swapped", Numbers: []string{"L01"}, Ops: ofWeights,
		Thread:   "huggingface/trl#3138",
		Sentence: "the loss is aggregated in another mode: the mean of sequences for that of tokens, or the reverse",
		Hidden:   "where both modes give every token the same weight",
	},
	{
		ID: "micro-batch-mean", Numbers: []string{"L02"}, Ops: ofWeights,
		Thread:   "allenai/open-instruct#1161",
		Sentence: "the mean of two halves' means is taken for the mean over the batch",
		Hidden:   "where both means give every token the same weight",
	},
	{
		ID: "rows-joined", Numbers: []string{"L03"}, Ops: ofWeights,
		Thread:   "google/tunix#1662",
		Sentence: "two neighbouring sequences have the weight of one, as in a packed row that is taken for a sequence",
		Hidden:   "where every token has the same weight either way, as with the mean over tokens",
	},
	{
		ID: "padding-in-mean", Numbers: []string{"L01"}, Ops: ofWeights,
		Thread:   "huggingface/trl#6439",
		Sentence: "means divide by all places of a sequence or batch, those outside the mask too",
		Hidden:   "without means, or where the mask hides nothing",
	},
	{
		ID: "losses-summed", Ops: ofWeights,
		Sentence: "the losses of tokens are added up, not aggregated",
		Hidden:   "where every token has weight 1",
	},
	{
		ID: "empty-sequence-nan", Numbers: []string{"L35"}, Ops: ofWeights,
		Thread:   "volcengine/verl#782",
		Sentence: "the mean of a sequence without tokens is 0/0, and with it the loss is NaN",
		Hidden:   "with another mode than sequence_mean, or where every sequence has a token",
	},
	{
		ID: "empty-sequences-counted", Ops: ofWeights,
		Sentence: "sequences without tokens count in the divisor where empty_rows says skip, or the reverse",
		Hidden:   "where every sequence has a token, or the mean is over all tokens",
	},
	{
		ID: "clip-sides-swapped", Ops: ofLosses,
		Sentence: "clip_low and clip_high change places",
		Hidden:   "where the widths are equal, or no ratio lies outside of either",
	},
	{
		ID: "clip-symmetric", Ops: ofLosses,
		Sentence: "clip_high is ignored: the clip is as wide above 1 as clip_low is below",
		Hidden:   "where the widths are equal, or no ratio lies between both bounds",
	},
	{
		ID: "clip-missing", Ops: ofLosses,
		Thread:   "rllm-org/rllm#81",
		Sentence: "the plain loss is taken, and the clipped one never",
		Hidden:   "with cispo or without a clip, or where the clipped loss is never the larger",
	},
	{
		ID: "surrogate-negated", Numbers: []string{"L27"}, Ops: ofLosses,
		Thread:   "openai/spinningup#255",
		Sentence: "the advantage has the wrong sign: what should be maximised is minimised",
		Hidden:   "where every advantage is 0",
	},
	{
		ID: "min-max-exchanged", Numbers: []string{"L27"}, Ops: ofLosses,
		Thread:   "yandexdataschool/Practical_RL#248",
		Sentence: "of the plain and the clipped loss the smaller is taken, not the larger",
		Hidden:   "with cispo or without a clip, or where no ratio lies outside of it",
	},
	{
		ID: "clip-passes-gradient", Ops: ofLosses,
		Sentence: "clipped tokens have a gradient, which ppo does not give them: as with gppo",
		Hidden:   "with another clip than ppo, or where no token is clipped",
	},
	{
		ID: "clipped-gradient-cut", Ops: ofLosses,
		Sentence: "clipped tokens have no gradient, where gppo passes one on",
		Hidden:   "with another clip than gppo, or where no token is clipped",
	},
	{
		ID: "cispo-upper-only", Ops: ofLosses,
		Thread:   "allenai/open-instruct#1264",
		Sentence: "the weight of cispo is not bounded below",
		Hidden:   "with another clip than cispo, or where no ratio lies below its bound",
	},
	{
		ID: "cispo-differentiated", Ops: ofLosses,
		Sentence: "the weight of cispo is differentiated, not held constant: log π multiplies the gradient once more",
		Hidden:   "with another clip than cispo, or where every ratio is clipped",
	},
	{
		ID: "dual-clip-for-positive", Numbers: []string{"L25"}, Ops: ofLosses,
		Thread:   "thu-ml/tianshou#433",
		Sentence: "the dual clip bounds tokens of positive advantage too",
		Hidden:   "without a dual clip, or where no token of positive advantage has a ratio below it",
	},
	{
		ID: "dual-clip-by-default", Numbers: []string{"L26"}, Ops: ofLosses,
		Thread:   "volcengine/verl#783",
		Sentence: "there is a dual clip at 3 that nobody asked for",
		Hidden:   "where one is asked for, with cispo, or where no token of negative advantage has a ratio above 3",
	},
	{
		ID: "dual-clip-missing", Ops: ofLosses,
		Thread:   "RLinf/RLinf#316",
		Sentence: "the dual clip is ignored",
		Hidden:   "without a dual clip, or where it bounds no token",
	},
	{
		ID: "log-ratio-unlimited", Numbers: []string{"L13"}, Ops: ofKL,
		Thread:   "huggingface/trl#3015",
		Sentence: "the logarithm of the ratio is not clamped to its limit before the exponential",
		Hidden:   "without a limit, or where no token reaches it",
	},
	{
		ID: "limit-passes-gradient", Ops: ofLosses,
		Sentence: "tokens whose log-ratio is clamped have a gradient",
		Hidden:   "without a limit, or where no token reaches it",
	},
	{
		ID: "ratio-assumed-one", Numbers: []string{"L30", "L36"}, Ops: ofLosses,
		Thread:   "meta-pytorch/torchforge#571",
		Sentence: "the ratio is 1, as if the policy were still the one that sampled",
		Hidden:   "where every ratio is 1",
	},
	{
		ID: "reference-for-old", Ops: ofLosses,
		Sentence: "ratios are to the reference, not to the policy that sampled",
		Hidden:   "without a divergence, or where both policies agree",
	},
	{
		ID: "ratio-inverted", Ops: ofLosses,
		Sentence: "the ratio is upside down: π_old/π for π/π_old",
		Hidden:   "where every ratio is 1, or every advantage 0",
	},
	{
		ID: "sequence-ratio-ignored", Numbers: []string{"L28", "L30"}, Ops: ofLosses,
		Thread:   "MakazhanAlpamys/Soup#723",
		Sentence: "ratios are of tokens, and so is the clip, where those of sequences are asked for",
		Hidden:   "with ratios of tokens, or where every sequence has one token",
	},
	{
		ID: "sequence-ratio-product", Numbers: []string{"L29"}, Ops: ofLosses,
		Thread:   "NVIDIA-NeMo/RL#2269",
		Sentence: "a sequence's ratio is the product of its tokens', exp(Σ), not their geometric mean, exp(mean)",
		Hidden:   "with ratios of tokens, or where every sequence has one token or a ratio of 1",
	},
	{
		ID: "sequence-gradient-undivided", Numbers: []string{"L28"}, Ops: ofLosses,
		Thread:   "huggingface/trl#3823",
		Sentence: "the gradient of a sequence's ratio counts once for every token of it, not once divided among them",
		Hidden:   "with ratios of tokens, with cispo, or where every sequence has one token or no gradient",
	},
	{
		ID: "k3-upside-down", Numbers: []string{"L08"}, Ops: ofKL,
		Thread:   "walkinglabs/hands-on-modern-rl#27",
		Sentence: "the ratio in k3 is upside down",
		Hidden:   "with another estimator than k3, or where policy and reference agree",
	},
	{
		ID: "kl-sign", Numbers: []string{"L11"}, Ops: ofKL,
		Thread:   "Unakar/Logic-RL#58",
		Sentence: "the divergence has the wrong sign, so that it is maximised",
		Hidden:   "without a reference, or where the divergence and its derivative are 0",
	},
	{
		ID: "k1-for-all", Numbers: []string{"L10"}, Ops: ofKL,
		Thread:   "allenai/open-instruct#534",
		Sentence: "the divergence is k1, whose gradient has no pull as a loss, whichever is asked for",
		Hidden:   "with k1, without a divergence, or where policy and reference agree",
	},
	{
		ID: "kl-absolute", Ops: ofKL,
		Sentence: "the divergence is the absolute value of the log-ratio, whichever is asked for",
		Hidden: "without a divergence, where policy and reference agree, or with k1 where the policy likes no " +
			"token less than the reference does",
	},
	{
		ID: "kl-missing", Numbers: []string{"L30"}, Ops: ofLosses,
		Sentence: "the divergence is left out of the loss",
		Hidden:   "without a divergence, or where policy and reference agree",
	},
	{
		ID: "kl-coefficient-missing", Ops: ofLosses,
		Sentence: "the divergence is not multiplied by its coefficient",
		Hidden:   "without a divergence, or with a coefficient of 1",
	},
	{
		ID: "kl-gradient-missing", Ops: ofLosses,
		Thread:   "allenai/open-instruct#530",
		Sentence: "the divergence has no gradient: it is computed where nothing is differentiated",
		Hidden:   "without a divergence, or where its gradient is 0",
	},
	{
		ID: "kl-gradient-of-k2", Ops: ofLosses,
		Thread:   "verl-project/verl#6058",
		Sentence: "the divergence has the gradient of k2, as of a straight-through estimate, whatever its value is",
		Hidden:   "with k2, without a divergence, or where policy and reference agree",
	},
	{
		ID: "kl-in-advantage", Numbers: []string{"L12"}, Ops: ofLosses,
		Thread:   "NVIDIA-NeMo/RL#2530",
		Sentence: "the divergence is taken off the advantages too, as a reward, beside the loss",
		Hidden:   "without a divergence, or where policy and reference agree",
	},
	{
		ID: "kl-times-ratio", Numbers: []string{"L14"}, Ops: ofLosses,
		Thread:   "huggingface/trl#4638",
		Sentence: "the divergence is multiplied by π/π_old, as in DeepSeek-V3.2, where the plain one is asked for",
		Hidden:   "without a divergence, or where every ratio is 1",
	},
	{
		ID: "old-for-reference", Ops: ofLosses,
		Sentence: "the divergence is from the policy that sampled, not from the reference",
		Hidden:   "without a divergence, or where both agree",
	},
	{
		ID: "k3-clamped", Ops: ofDivergence,
		Thread:   "verl-project/verl#2928",
		Sentence: "k3 itself is limited to 10",
		Hidden:   "with another estimator than k3, or where no estimate is larger",
	},
	{
		ID: "k3-is-square", Ops: ofKL, Thread: "one-covenant/grail#42",
		Sentence: "the divergence is the square of the log-ratio, not k3",
		Hidden:   "with another estimator than k3, or where policy and reference agree",
	},
	{
		ID: "k2-unhalved", Ops: ofKL,
		Sentence: "k2 is not halved",
		Hidden:   "with another estimator than k2, or where policy and reference agree",
	},
	{
		ID: "estimator-falls-through", Numbers: []string{"L09"}, Ops: ofDivergence,
		Thread:   "areal-project/AReaL#408",
		Sentence: "estimators fall through: the value of k2 is given to k3",
		Hidden:   "with another estimator than k2, or where policy and reference agree",
	},
	{
		ID: "sampling-temperature-missing", Numbers: []string{"L15", "T19"}, Ops: ofLogProb,
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "with a temperature of 1",
	},
	{
		ID: "sampling-temperature-missing", Numbers: []string{"L15"}, Ops: ofLosses,
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "sampling-temperature-inverted", Ops: []string{"policy.logprob", "ppo.loss", "grpo.loss"},
		Sentence: "logits are multiplied by the temperature, not divided",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "sampling-temperature-twice", Ops: []string{"policy.logprob", "ppo.loss", "grpo.loss"},
		Sentence: "logits are divided by the temperature twice",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "gradient-untempered", Numbers: []string{"L15"}, Ops: ofLosses,
		Sentence: "the gradient for the logits is not divided by the temperature",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "softmax-dropped", Ops: ofLosses,
		Sentence: "the gradient for the logits is that of the token's own alone",
		Hidden:   "without logits, or where every token has probability 1 or no gradient",
	},
	{
		ID: "ignored-counted", Numbers: []string{"T10"}, Ops: ofHead,
		Thread:   "NVIDIA/Megatron-LM#3159",
		Sentence: "the divisor counts rows whose target is ignored",
		Hidden:   "with a sum, or where every row counts",
	},
	{
		ID: "mask-rolled-twice", Numbers: []string{"T07"}, Ops: ofHead,
		Thread:   "radixark/miles#3219",
		Sentence: "the mask is rolled once too often: a row counts where the next one does, if need be with token 0",
		Hidden:   "where every row but the last counts and it does not",
	},
	{
		ID: "ignored-leak", Ops: ofHead,
		Sentence: "rows whose target is ignored have a gradient",
		Hidden:   "where every row counts",
	},
	{
		ID: "sampling-temperature-missing", Numbers: []string{"L15"}, Ops: ofHead,
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "with a temperature of 1, or where no row counts",
	},
	{
		ID: "gradient-untempered", Numbers: []string{"L15"}, Ops: ofHead,
		Sentence: "gradients are not divided by the temperature",
		Hidden:   "with a temperature of 1, or where no row counts",
	},
	{
		ID: "gradient-undivided", Ops: ofHead,
		Sentence: "gradients are those of the sum where the loss is the mean",
		Hidden:   "with a sum, or where fewer than two rows count",
	},
	{
		ID: "targets-shifted", Numbers: []string{"T06"}, Ops: ofHead,
		Thread:   "radixark/miles#2215",
		Sentence: "targets are shifted once more: each row has the next one's",
		Hidden:   "never",
	},
	{
		ID: "target-missing", Ops: ofHead,
		Sentence: "the gradient of logits is that of all tokens, without the target's own",
		Hidden:   "where no row counts",
	},
	{
		ID: "head-gradient-bf16", Ops: ofHead,
		Thread:   "axolotl-ai-cloud/axolotl#1601",
		Sentence: "parts of the gradient of the head are added up in BF16, which is not declared",
		Hidden:   "where the gradient has a narrow type, or the gradients of logits have",
	},
	{
		ID: "last-chunk-dropped", Ops: ofHead,
		Sentence: "the last chunk of the vocabulary is left out of the sum of exponentials",
		Hidden:   "with one chunk",
	},
	{
		ID: "last-chunk-alone", Ops: ofHead,
		Sentence: "the gradient of the head is that of the last chunk of rows, and not their sum",
		Hidden:   "with one chunk",
	},
	{
		ID: "sampling-temperature-missing", Numbers: []string{"L15"}, Ops: ofMismatch,
		Thread:   "huggingface/trl#3029",
		Sentence: "logits of the trainer are not divided by the sampler's temperature",
		Hidden:   "with log-probabilities, or with a temperature of 1",
	},
	{
		ID: "filtered", Numbers: []string{"L16"}, Ops: ofMismatch,
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities of the sampler alone are renormalised over the likelier half of the tokens",
		Hidden:   "with log-probabilities, or with at most three tokens to choose from",
	},
	{
		ID: "token-shifted", Numbers: []string{"L17"}, Ops: ofMismatch,
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities of the sampler are one token late",
		Hidden:   "with one token, or where neighbours have the same",
	},
	{
		ID: "stale-head", Numbers: []string{"T21"}, Ops: ofMismatch,
		Thread:   "vllm-project/vllm-ascend#13209",
		Sentence: "the sampler's head has weights of a step before the trainer's",
		Hidden:   "without hidden states",
	},
	{
		ID: "probabilities-subtracted", Ops: ofMismatch,
		Sentence: "differences are of probabilities, not of their logarithms",
		Hidden:   "where both are equal, or nearly",
	},
	{
		ID: "ratio-inverted", Ops: ofMismatch,
		Sentence: "differences are the sampler's less the trainer's",
		Hidden:   "where both are equal",
	},
	{
		ID: "k3-upside-down", Numbers: []string{"L08"}, Ops: ofMismatch,
		Thread:   "walkinglabs/hands-on-modern-rl#27",
		Sentence: "the ratio in k3 is upside down",
		Hidden:   "where both engines agree",
	},
	{
		ID: "mask-missing", Numbers: []string{"L18"}, Ops: ofMismatch,
		Thread:   "huggingface/trl#2708",
		Sentence: "statistics count tokens outside the mask",
		Hidden:   "where the mask hides nothing",
	},
	{
		ID: "filtered", Numbers: []string{"L16"}, Ops: ofLogProb,
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities are renormalised over the likelier half of the tokens",
		Hidden:   "with at most three tokens to choose from, or where the other half is impossible",
	},
	{
		ID: "token-shifted", Numbers: []string{"L17"}, Ops: ofLogProb,
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities are of the next token under this one's logits: labels are shifted once more",
		Hidden:   "where the next token has the same logit",
	},
	{
		ID: "token-shifted", Numbers: []string{"L17"}, Ops: ofLosses,
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities are of the next token under this one's logits: labels are shifted once more",
		Hidden:   "without logits, or where no counted token is followed by another one that differs",
	},
	{
		ID: "kept-missing", Numbers: []string{"L16", "T19"}, Ops: ofLogProb,
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities are not renormalised over the tokens that the sampler kept",
		Hidden:   "without a kept set, or where it has every possible token",
	},
	{
		ID: "lse-subtracted", Ops: ofLogProb,
		Sentence: "log-probabilities are z − lse, which is rounded as logits are, though the stable form is declared",
		Hidden:   "where no logit is large",
	},
	{
		ID: "logprob-tempered", Numbers: []string{"L15"}, Ops: ofLogProb,
		Thread:   "PrimeIntellect-ai/prime-rl#697",
		Sentence: "log-probabilities are divided by the temperature, not the logits before the softmax",
		Hidden:   "with a temperature of 1",
	},
	{
		ID: "entropy-nan", Ops: ofLogProb,
		Thread:   "huggingface/trl#7221",
		Sentence: "a token of probability 0 makes the entropy NaN: 0 times −∞",
		Hidden:   "where every token is possible",
	},
	{
		ID: "entropy-untempered", Ops: ofLogProb,
		Sentence: "the entropy is that of logits that are not divided by the temperature",
		Hidden:   "with a temperature of 1",
	},
	{
		ID: "entropy-of-token", Ops: ofLogProb,
		Sentence: "the entropy is estimated by −log π of the token",
		Hidden:   "where that is the entropy, as with a token that is certain",
	},
	{
		ID: "gae-through-masked", Numbers: []string{"L22"}, Ops: ofGAE,
		Thread:   "radixark/miles#1827",
		Sentence: "the recursion runs through tokens outside the mask",
		Hidden:   "where the mask hides nothing before a sequence's last token",
	},
	{
		ID: "gae-from-padding", Ops: ofGAE, Thread: "alibaba/ROLL#447",
		Sentence: "the recursion takes every place for a token: rewards and values count that the mask leaves out, " +
			"inside a sequence and behind it",
		Hidden: "where the mask hides nothing behind a sequence's last token",
	},
	{
		ID: "ends-ignored", Ops: ofGAE,
		Sentence: "the recursion is not reset at the end of a sequence: it runs on into the next one",
		Hidden:   "with one sequence that has tokens, or with λ = 1 where none that follows has a reward",
	},
	{
		ID: "values-of-next", Ops: ofGAE,
		Sentence: "values are taken one token late: they are of the states after the tokens, not before",
		Hidden:   "where every value is 0, or with one whitened token",
	},
	{
		ID: "terminal-reward-late", Numbers: []string{"L20"}, Ops: ofGAE,
		Thread:   "huggingface/trl#3750",
		Sentence: "the reward of the last token counts one step after it: it is discounted by γλ",
		Hidden:   "with γλ = 1, or where the last rewards are 0",
	},
	{
		ID: "discounted-from-start", Ops: ofGAE,
		Thread:   "huggingface/trl#6626",
		Sentence: "advantages are discounted from the start of the sequence too, by γ to the power of their place",
		Hidden:   "with γ = 1",
	},
	{
		ID: "gamma-missing", Ops: ofGAE,
		Sentence: "γ is left out",
		Hidden:   "with γ = 1, or where no sequence has two tokens",
	},
	{
		ID: "decay-without-gamma", Ops: ofGAE,
		Sentence: "the recursion decays by λ, not by γλ",
		Hidden:   "with γ = 1 or λ = 0, or where no sequence has two tokens",
	},
	{
		ID: "returns-without-values", Ops: ofGAE,
		Sentence: "returns are the advantages, without the values",
		Hidden:   "where every value is 0",
	},
	{
		ID: "lambda-missing", Ops: ofGAE,
		Sentence: "λ is left out",
		Hidden:   "with λ = 1 or γ = 0, or where no sequence has two tokens",
	},
	{
		ID: "bootstrap-repeated", Numbers: []string{"L21"}, Ops: ofGAE,
		Thread:   "tensorflow/agents#953",
		Sentence: "the last value stands for the one after the end, as if the sequence were cut off there, not over",
		Hidden:   "where every sequence's last value is 0, or with γ = 0",
	},
	{
		ID: "next-value-masked", Ops: ofGAE,
		Sentence: "the value after a sequence's last token is what stands at the next place, padding, and not 0",
		Hidden:   "where the mask hides no place right behind a token that counts, or no value there, or with γ = 0",
	},
	{
		ID: "next-value-undiscounted", Ops: ofGAE,
		Sentence: "the next value is not discounted",
		Hidden:   "where every next value is 0, or with γ = 1",
	},
	{
		ID: "whiten-over-padding", Numbers: []string{"L23"}, Ops: ofGAE,
		Thread:   "ray-project/ray#63900",
		Sentence: "advantages are whitened with the zeros outside the mask",
		Hidden:   "without whitening, or where the mask hides nothing",
	},
	{
		ID: "whiten-per-sequence", Numbers: []string{"L23"}, Ops: ofGAE,
		Sentence: "each sequence is whitened by itself, as shards would be, not all together",
		Hidden:   "without whitening, or where fewer than two sequences have tokens",
	},
	{
		ID: "whiten-population", Ops: ofGAE,
		Sentence: "advantages are whitened with the population's variance",
		Hidden:   "without whitening, or where all advantages are equal",
	},
	{
		ID: "whiten-mean-kept", Ops: ofGAE,
		Sentence: "whitened advantages have their mean added back",
		Hidden:   "without whitening, or where the mean is 0",
	},
	{
		ID: "returns-whitened", Ops: ofGAE,
		Sentence: "returns are made of whitened advantages",
		Hidden:   "without whitening, or where it changes no advantage",
	},
	{
		ID: "value-clip-ignored", Numbers: []string{"L24"}, Ops: ofValues,
		Thread:   "raven-ml/raven#107",
		Sentence: "the clip of the value is ignored",
		Hidden:   "without a clip, or where the clipped error is never the larger one",
	},
	{
		ID: "value-clip-relative", Ops: ofValues,
		Sentence: "the clip of the value is a share of the old one",
		Hidden:   "without a clip, or where both clips give the same errors",
	},
	{
		ID: "value-loss-clamped", Ops: ofValues,
		Thread:   "ray-project/ray#19291",
		Sentence: "the clip bounds the squared error itself, not how far the value moves",
		Hidden:   "without a clip, or where no error reaches it and no value is clipped",
	},
	{
		ID: "value-min-for-max", Ops: ofValues,
		Thread:   "ray-project/ray#2233",
		Sentence: "of the plain and the clipped squared error the smaller is taken, not the larger",
		Hidden:   "without a clip, or where every value is within it",
	},
	{
		ID: "value-larger-before-square", Ops: ofValues, Thread: "implementation-matters/code-for-paper#1",
		Sentence: "the larger of the plain and the clipped error is squared, signs and all, not the larger square",
		Hidden:   "without a clip, or where every value is within it",
	},
	{
		ID: "value-gradient-cut", Numbers: []string{"L24"}, Ops: ofValues,
		Thread:   "ray-project/ray#22171",
		Sentence: "the gradient of a value outside its clip is 0 whichever error is the larger",
		Hidden:   "without a clip, or where the clipped error is the larger for every value outside of it",
	},
	{
		ID: "value-unhalved", Ops: ofValues,
		Sentence: "the squared error is not halved: loss and gradient are twice as large",
		Hidden:   "where every value is its return",
	},
	{
		ID: "std-ddof", Numbers: []string{"L05"}, Ops: ofGroups,
		Thread:   "huggingface/trl#4662",
		Sentence: "the sample's standard deviation is taken for the population's, or the reverse",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal",
	},
	{
		ID: "std-missing", Numbers: []string{"L06"}, Ops: ofGroups,
		Thread:   "Open-Reasoner-Zero/Open-Reasoner-Zero#75",
		Sentence: "rewards are not divided by their deviation",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal",
	},
	{
		ID: "std-always", Numbers: []string{"L06"}, Ops: ofGroups,
		Sentence: "rewards are divided by their deviation although they should not be",
		Hidden:   "where they should be, or where every group's rewards are equal",
	},
	{
		ID: "eps-inside-root", Numbers: []string{"L06"}, Ops: ofGroups,
		Sentence: "eps is added to the variance, under the root, not to the deviation",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal, or eps is 0",
	},
	{
		ID: "eps-default", Numbers: []string{"L06"}, Ops: ofGroups,
		Sentence: "eps is 1e-4 whatever the request says",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal, or eps is 1e-4",
	},
	{
		ID: "group-over-batch", Numbers: []string{"L04"}, Ops: ofGroups,
		Thread:   "langfengQ/verl-agent#138",
		Sentence: "mean and deviation are those of the whole batch, not of each group",
		Hidden:   "where they are those of every group, as with one group",
	},
	{
		ID: "groups-tiled", Ops: ofGroups,
		Sentence: "statistics of groups are laid out over outputs in turn, not group by group",
		Hidden:   "with one group, or where groups are laid out in turn",
	},
	{
		ID: "deviation-of-batch", Numbers: []string{"L04"}, Ops: ofGroups,
		Sentence: "the mean is that of the group, but the deviation that of the whole batch",
		Hidden:   "with one group, or without a division by the deviation",
	},
	{
		ID: "mean-without-own", Ops: ofGroups,
		Sentence: "the mean is that of the other outputs of the group, as in RLOO",
		Hidden:   "where every group has one output, or equal rewards",
	},
	{
		ID: "group-of-one-nan", Numbers: []string{"L05"}, Ops: ofGroups,
		Thread:   "axolotl-ai-cloud/axolotl#3353",
		Sentence: "a group of one has the deviation 0/0, and its advantage is NaN",
		Hidden:   "without a division by the deviation, or where no group has one output, or its reward is 0",
	},
	{
		ID: "group-of-one-centred", Ops: ofGroups,
		Sentence: "a group of one has advantage 0",
		Hidden:   "where no group has one output, or its reward is 0",
	},
	{
		ID: "mean-missing", Ops: ofGroups,
		Sentence: "the mean is not subtracted",
		Hidden:   "where every group has mean 0 or one output",
	},
	{
		ID: "lengths-mistaken", Numbers: []string{"L31"}, Ops: ofPairs,
		Thread:   "meta-pytorch/torchtune#1291",
		Sentence: "log-probabilities are averaged over tokens where sums are meant, or the reverse",
		Hidden:   "without lengths, or where every chosen response has one token",
	},
	{
		ID: "length-of-chosen", Numbers: []string{"L32"}, Ops: ofPairs,
		Thread:   "QwenAudio/CosyVoice#1449",
		Sentence: "the length of the chosen response divides the log-ratio of the rejected one too",
		Hidden:   "without length_normalize, or where both have the same length",
	},
	{
		ID: "kind-ignored", Numbers: []string{"L30"}, Ops: ofPairs,
		Sentence: "the loss is the sigmoid one, where that of IPO is asked for",
		Hidden:   "with the sigmoid loss",
	},
	{
		ID: "smoothing-missing", Numbers: []string{"L30"}, Ops: ofPairs,
		Thread:   "huggingface/trl#7062",
		Sentence: "label smoothing is dropped",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "smoothing-sign", Numbers: []string{"L34"}, Ops: ofPairs,
		Sentence: "the smoothed share is subtracted, as in the robust form, but nothing is divided by 1 − 2ε",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "smoothing-unpaired", Numbers: []string{"L34"}, Ops: ofPairs,
		Sentence: "the smoothed share is not paired with the other order: ε multiplies log σ(βh) for log σ(−βh)",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "reference-missing", Ops: ofPairs,
		Sentence: "the reference's log-probabilities are left out: margins and rewards are those of the policy alone",
		Hidden:   "where the reference finds both responses of every pair equally likely",
	},
	{
		ID: "preference-swapped", Ops: ofPairs,
		Sentence: "chosen and rejected change places in the loss: the rejected response is preferred",
		Hidden:   "with a label smoothing of one half",
	},
	{
		ID: "rewards-swapped", Ops: ofPairs,
		Sentence: "the rewards of chosen and rejected change places",
		Hidden:   "where the rewards of a pair are equal",
	},
	{
		ID: "rewards-unscaled", Ops: ofPairs,
		Sentence: "rewards are log-ratios without β",
		Hidden:   "with β = 1, or where every log-ratio is 0",
	},
	{
		ID: "rewards-per-token", Ops: ofPairs,
		Sentence: "rewards are divided by the lengths, which divide the loss alone",
		Hidden:   "without length_normalize, or where every response has one token",
	},
	{
		ID: "beta-twice", Ops: ofPairs,
		Sentence: "β multiplies the margin twice",
		Hidden:   "with β = 1, with the loss of IPO, or where every margin is 0",
	},
	{
		ID: "ipo-target", Ops: ofPairs,
		Sentence: "the margin that IPO aims at is 1/β for 1/2β",
		Hidden:   "with another loss than IPO's",
	},
	{
		ID: "loss-unaveraged", Ops: ofPairs,
		Sentence: "the losses of pairs are summed, not averaged",
		Hidden:   "with one pair",
	},
	{
		ID: "gradient-unaveraged", Ops: ofPairs,
		Sentence: "the gradient is not divided by the number of pairs",
		Hidden:   "with one pair, or where every gradient is 0",
	},
	{
		ID: "kl-aggregation-swapped", Ops: ofLosses, Thread: "huggingface/trl#2995",
		Sentence: "the divergence is aggregated in another mode than the rest: the mean of sequences beside that " +
			"of tokens, or that of tokens beside another",
		Hidden: "without a divergence, or where both modes give every token the same weight",
	},
	{
		ID: "kl-padding-in-mean", Ops: ofLosses, Thread: "allenai/open-instruct#535",
		Sentence: "the mean of the divergence divides by all places of the batch, those outside the mask too",
		Hidden:   "without a divergence, or where every token has that weight",
	},
	{
		ID: "surrogate-aggregation-swapped", Ops: ofLosses,
		Sentence: "the clipped loss is aggregated in another mode than the divergence: the mean of sequences for " +
			"that of tokens, or that of tokens for another",
		Hidden: "without a divergence, or where both modes give every token the same weight",
	},
	{
		ID: "gradient-aggregation-swapped", Ops: ofWeights,
		Sentence: "the gradient is that of a loss aggregated in another mode: it does not belong to the loss",
		Hidden:   "where both modes give every token the same weight",
	},
	{
		ID: "micro-batch-means-added", Ops: ofWeights,
		Sentence: "the means of two halves of the batch are added",
		Hidden:   "where the sum of both is the loss",
	},
	{
		ID: "clip-always", Ops: ofLosses,
		Sentence: "the clipped loss is taken for every token, and the plain one never, as where the larger of " +
			"two means is taken",
		Hidden: "with cispo or without a clip, or where the clipped loss is never the smaller",
	},
	{
		ID: "clipped-without-advantage", Ops: ofLosses, Thread: "google/trax#396",
		Sentence: "the clipped ratio is not multiplied by the advantage",
		Hidden:   "with cispo or without a clip, or where the clipped loss is never the larger",
	},
	{
		ID: "clip-on-log-ratio", Ops: ofLosses,
		Sentence: "the logarithm of the ratio is clipped to −clip_low … clip_high, not the ratio to 1 − clip_low " +
			"… 1 + clip_high",
		Hidden: "without a clip, or where no ratio is clipped",
	},
	{
		ID: "exponential-missing", Ops: ofLosses,
		Sentence: "the ratio is log π − log π_old, without an exponential",
		Hidden:   "with an advantage of 0",
	},
	{
		ID: "dual-clip-passes-gradient", Ops: ofLosses,
		Sentence: "tokens that the dual clip bounds have the gradient of the plain loss, where theirs is 0",
		Hidden:   "without a dual clip, or where it bounds no token",
	},
	{
		ID: "limit-above-only", Ops: ofKL,
		Sentence: "the logarithm of the ratio is bounded from above alone, not by −limit from below",
		Hidden:   "without a limit, or where no token is so far below",
	},
	{
		ID: "cispo-drops-clipped", Ops: ofLosses,
		Sentence: "with cispo a clipped token does not count, where its weight is the bound",
		Hidden:   "with another clip than cispo, or where no ratio is clipped",
	},
	{
		ID: "advantages-whitened", Ops: ofLosses, Thread: "axon-rl/gem#113",
		Sentence: "advantages are whitened once more, over the tokens of the batch",
		Hidden:   "where their mean is 0 and their deviation 1",
	},
	{
		ID: "sequence-ratio-over-padding", Ops: ofLosses,
		Sentence: "a sequence's log-ratios are summed and divided by the width of the batch, not by its own length",
		Hidden:   "with ratios of tokens, or where the mask hides nothing",
	},
	{
		ID: "sequence-ratios-averaged", Ops: ofLosses,
		Sentence: "a sequence's ratio is the mean of its tokens' ratios, not the exponential of the mean log-ratio",
		Hidden:   "with ratios of tokens, or where a sequence's log-ratios are equal",
	},
	{
		ID: "k3-without-one", Ops: ofKL,
		Sentence: "k3 is e^δ − δ, without the −1",
		Hidden:   "with another estimator than k3",
	},
	{
		ID: "k3-sign-inside", Ops: ofKL,
		Sentence: "k3 is e^δ − 1 + δ: its two differences have opposite signs",
		Hidden:   "with another estimator than k3, or where policy and reference agree",
	},
	{
		ID: "kl-times-probability", Ops: ofKL,
		Sentence: "the divergence of a token is multiplied by its probability π, as in a sum over the vocabulary",
		Hidden:   "without a divergence, or where policy and reference agree",
	},
	{
		ID: "target-missing", Ops: ofLosses,
		Sentence: "the gradient of logits is that of all tokens, without the token's own: −g·p for g·(onehot − p)",
		Hidden:   "without logits, or where no token has a gradient",
	},
	{
		ID: "probabilities-untempered", Ops: []string{"ppo.loss", "grpo.loss", "policy.cross_entropy"},
		Sentence: "the softmax in the gradient of logits is of logits that are not divided by the temperature",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "entropy-of-probabilities", Ops: ofLogProb, Thread: "verl-project/verl#1672",
		Sentence: "logits are overwritten by their probabilities before the entropy is taken of them: it is that of " +
			"softmax(softmax(z))",
		Hidden: "with one token in the vocabulary",
	},
	{
		ID: "entropy-unfiltered", Ops: ofLogProb,
		Sentence: "the entropy is over all tokens, the log-probability over those that the sampler kept",
		Hidden:   "without a kept set, or where it has every possible token",
	},
	{
		ID: "vocabulary-padded", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the softmax counts padding of the vocabulary up to a multiple of 128, as tokens of logit 0",
		Hidden:   "where the vocabulary is such a multiple, or where logits are far above 0",
	},
	{
		ID: "vocabulary-halved", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the softmax is over the half of the vocabulary that has the token, as where two devices do " +
			"not add their sums",
		Hidden: "where the other half is impossible",
	},
	{
		ID: "sum-not-rescaled", Ops: ofHead,
		Sentence: "the sum of exponentials of earlier chunks is not rescaled where a later one has a larger maximum",
		Hidden:   "with one chunk, or where the first has the largest logit",
	},
	{
		ID: "chunk-means-averaged", Ops: ofHead,
		Sentence: "the mean of two halves' means is taken for the mean over all rows",
		Hidden:   "with a sum, or where both halves have as many rows that count",
	},
	{
		ID: "chunk-means-added", Ops: ofHead,
		Sentence: "the means of two halves of the rows are added",
		Hidden:   "with a sum, or with one row that counts",
	},
	{
		ID: "means-over-padding", Ops: ofMismatch,
		Sentence: "means divide by all tokens, those outside the mask too",
		Hidden:   "where the mask hides nothing",
	},
	{
		ID: "differences-signed", Ops: ofMismatch,
		Sentence: "mean and largest are of differences with their sign, not of their size",
		Hidden:   "where no difference is negative",
	},
	{
		ID: "share-above-only", Ops: ofMismatch,
		Sentence: "the share counts ratios above the limit alone, not those below 1/limit",
		Hidden:   "where none is below",
	},
	{
		ID: "limit-on-logarithm", Ops: ofMismatch,
		Sentence: "the share counts differences of logarithms beyond the limit, not ratios",
		Hidden:   "where as many are beyond either",
	},
	{
		ID: "k2-unhalved", Ops: ofMismatch,
		Sentence: "k2 is not halved",
		Hidden:   "where both engines agree",
	},
	{
		ID: "returns-of-rewards", Ops: ofGAE,
		Sentence: "returns are discounted sums of rewards, not advantages plus values",
		Hidden:   "with λ = 1, or where they are the same",
	},
	{
		ID: "returns-without-advantages", Ops: ofGAE, Thread: "vwxyzjn/cleanrl#337",
		Sentence: "returns are the values, without the advantages",
		Hidden:   "where every advantage is 0",
	},
	{
		ID: "value-clip-always", Ops: ofValues,
		Sentence: "the clipped squared error is taken for every value, and the plain one never, as where the larger " +
			"of two means is",
		Hidden: "without a clip, or where the clipped error is the larger for every value outside of it",
	},
	{
		ID: "clipped-value-passes-gradient", Ops: ofValues,
		Sentence: "a clipped value has a gradient, 2·(clipped − return)/2, where it does not move with the value",
		Hidden:   "without a clip, or where no clipped error is the larger",
	},
	{
		ID: "ids-ignored", Ops: ofGroups, Thread: "areal-project/AReaL#1419",
		Sentence: "outputs are grouped as they stand, in runs of equal length, whatever group says",
		Hidden:   "where groups stand so, or with one",
	},
	{
		ID: "mean-of-batch", Ops: ofGroups,
		Sentence: "the mean is that of the whole batch, and the deviation that of the group",
		Hidden:   "where every group has that mean",
	},
	{
		ID: "eps-missing", Ops: ofGroups,
		Sentence: "eps is not added to the deviation, which it bounds from below at most",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal",
	},
	{
		ID: "root-missing", Ops: ofGroups,
		Sentence: "rewards are divided by the variance, not by its root",
		Hidden:   "without a division by the deviation, or where it is 0 or 1",
	},
	{
		ID: "references-exchanged", Ops: ofPairs,
		Sentence: "the reference's log-probabilities of chosen and rejected change places",
		Hidden:   "where the reference finds both responses of every pair equally likely",
	},
	{
		ID: "reference-added", Ops: ofPairs,
		Sentence: "the reference's log-probabilities are added, not subtracted",
		Hidden:   "where the reference finds both responses of every pair equally likely",
	},
	{
		ID: "rewards-without-reference", Ops: ofPairs,
		Sentence: "rewards are β·log π, without the reference, which the loss has",
		Hidden:   "where the reference's log-probabilities are 0",
	},
	{
		ID: "chosen-alone", Ops: ofPairs, Thread: "locuslab/open-unlearning#30",
		Sentence: "the loss is that of the chosen responses alone, −log π: what was computed for pairs is overwritten",
		Hidden:   "never",
	},
	{
		ID: "hinge-for-sigmoid", Ops: ofPairs,
		Sentence: "the loss is the hinge max(0, 1 − βh), not −log σ(βh)",
		Hidden:   "with the loss of IPO",
	},
	{
		ID: "smoothing-robust", Ops: ofPairs,
		Sentence: "label smoothing is that of robust DPO: the smoothed share is subtracted, and all divided by 1 " +
			"− 2ε",
		Hidden: "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "lengths-exchanged", Ops: ofPairs,
		Sentence: "the lengths of chosen and rejected change places",
		Hidden:   "without length_normalize, or where both have the same length",
	},
	{
		ID: "unmasked-sum", Ops: ofWeights, Thread: "alibaba/ROLL#444",
		Sentence: "the sum has tokens outside the mask too, and is divided by the number of those in it",
		Hidden:   "where the mask hides nothing of a sequence that counts, or where losses there are 0",
	},
	{
		ID: "vocabulary-twice", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Thread: "NVIDIA/Megatron-LM#7452",
		Sentence: "every token counts twice in the sum of exponentials, as where two devices have all of it and " +
			"add: log 2 too much",
		Hidden: "never",
	},
	{
		ID: "lengths-with-end", Ops: ofPairs, Thread: "PaddlePaddle/PaddleFormers#4908",
		Sentence: "lengths are one too large: they count a token that the sums do not have, as the end",
		Hidden:   "without length_normalize",
	},
	{
		ID: "ipo-margin-scaled", Ops: ofPairs, Thread: "ContextualAI/HALOs#30",
		Sentence: "the margin is multiplied by β with the loss of IPO, whose target 1/2β has it already",
		Hidden:   "with another loss than IPO's, with β = 1, or where every margin is 0",
	},
	{
		ID: "log-missing", Ops: ofPairs,
		Sentence: "the loss is −σ(βh), without a logarithm",
		Hidden:   "with the loss of IPO",
	},
	{
		ID: "whiten-mean-over-padding", Ops: ofGAE, Thread: "NovaSky-AI/SkyRL#1305",
		Sentence: "advantages are whitened with a mean over all places, those outside the mask too, and a " +
			"deviation over the mask",
		Hidden: "without whitening, where the mask hides nothing, or where the mean is 0",
	},
	{
		ID: "whitened-again", Ops: ofGroups, Thread: "amazon-science/reskill#12",
		Sentence: "advantages of all groups are whitened together once more",
		Hidden:   "where their mean is 0 and their deviation 1",
	},
	{
		ID: "mask-multiplied", Ops: ofWeights, Thread: "OpenRLHF/OpenRLHF#1240",
		Sentence: "losses are multiplied by the mask, and NaN outside of it stays NaN: 0·NaN, where tokens " +
			"should be left out",
		Hidden: "where nothing is NaN outside the mask",
	},
	{
		ID: "carry-begins-with-value", Ops: ofGAE, Thread: "simonsays1980/rl-triton#4",
		Sentence: "the recursion begins with the last value as the advantage after the end, not with 0",
		Hidden:   "where every sequence's last value is 0, or with γλ = 0",
	},
	{
		ID: "ends-early", Ops: ofGAE, Thread: "anthonytorlucci/rlevo#342",
		Sentence: "sequences end one token early: the token before the last has neither the value nor the " +
			"advantage after it",
		Hidden: "where no sequence has two tokens, or with γ = 0",
	},
	{
		ID: "statistics-without-own", Ops: ofGroups, Thread: "NVIDIA-NeMo/RL#1518",
		Sentence: "mean and deviation are those of the other outputs of the group",
		Hidden:   "where no group has three outputs, or every group's rewards are equal",
	},
	{
		ID: "variance-by-moments", Ops: ofGroups, Thread: "NVIDIA-NeMo/RL#4161",
		Sentence: "the variance is the mean of squares less the square of the mean, of which roundings leave " +
			"nothing where rewards are nearly equal",
		Hidden: "without a division by the deviation, or where it is not small beside the mean",
	},
	{
		ID: "upstream-of-first", Ops: ofHead, Thread: "linkedin/Liger-Kernel#1298",
		Sentence: "gradients of all rows are multiplied by the gradient of the first row's loss, which is 0 where " +
			"that is ignored",
		Hidden: "where the first row counts",
	},
	{
		ID: "probability-floored", Ops: ofLogProb, Thread: "Samyssmile/edux#201",
		Sentence: "the logarithm is that of a probability of at least 1e-7: no log-probability is below −16.1",
		Hidden:   "where no token is less likely",
	},
	{
		ID: "kl-times-reference", Ops: ofKL,
		Sentence: "the divergence is π_ref·(log π_ref − log π) of the token, as kl_div of two logarithms has it",
		Hidden:   "without a divergence, or where policy and reference agree",
	},
	{
		ID: "limit-in-exponential", Ops: ofDivergence,
		Sentence: "k3 has the limited log-ratio in the exponential alone: e^clamp(δ) − 1 − δ",
		Hidden:   "with another estimator than k3, without a limit, or where no token reaches it",
	},
	{
		ID: "limit-in-divergence", Ops: ofLosses,
		Sentence: "the limit of the ratio's logarithm clamps that of the divergence too",
		Hidden:   "with another estimator than k3, without a limit, or where no token is so far from the reference",
	},
	{
		ID: "limit-on-ratio", Ops: ofLosses,
		Sentence: "the limit bounds the ratio from above, not its logarithm on both sides",
		Hidden:   "without a limit, or where no ratio reaches it",
	},
	{
		ID: "gradient-cut-outside", Ops: ofLosses,
		Sentence: "every token whose ratio is outside of the clip has no gradient, whichever of the plain and the " +
			"clipped loss is the larger",
		Hidden: "with cispo or without a clip, or where the clipped loss is the larger for all of them",
	},
	{
		ID: "gradient-without-ratio", Ops: ofLosses,
		Sentence: "the gradient is −A, without the ratio: that of −A·log π, as for the policy that sampled",
		Hidden:   "with cispo, or where every ratio is 1 or has no gradient",
	},
	{
		ID: "clipped-gradient-of-plain", Ops: ofLosses,
		Sentence: "clipped tokens have the gradient of the plain loss, −A·π/π_old",
		Hidden:   "with another clip than ppo and gppo, or where no token is clipped",
	},
	{
		ID: "bounds-without-one", Ops: ofLosses,
		Sentence: "the ratio is clipped to clip_low … clip_high themselves, not to 1 − clip_low … 1 + clip_high",
		Hidden:   "without a clip",
	},
	{
		ID: "cispo-unbounded", Ops: ofLosses,
		Sentence: "the weight of cispo is not bounded",
		Hidden:   "with another clip than cispo, or where no ratio is outside of it",
	},
	{
		ID: "dual-clip-below", Ops: ofLosses,
		Sentence: "the dual clip is a lower bound: the loss of a negative advantage is at least −c·A, not at most",
		Hidden:   "without a dual clip, or where no advantage is negative",
	},
	{
		ID: "dual-clip-of-plain", Ops: ofLosses,
		Sentence: "where the dual clip is, for negative advantages, the clipped loss is left out: min(−rA, −cA)",
		Hidden:   "without a dual clip, or where the clipped loss of no negative advantage is the larger",
	},
	{
		ID: "sequence-gradient-own", Ops: ofLosses,
		Sentence: "with ratios of sequences each token has the gradient of its own loss, not the mean over all " +
			"that share the ratio",
		Hidden: "with ratios of tokens, or where the tokens of a sequence have one advantage",
	},
	{
		ID: "advantage-on-last-token", Ops: ofLosses,
		Sentence: "the advantage of a sequence counts at its last token alone",
		Hidden:   "with advantages of tokens, or where every sequence has one token",
	},
	{
		ID: "advantages-whitened-whole", Ops: ofLosses,
		Sentence: "advantages are normalised once more over the whole tensor, whatever the mask is",
		Hidden:   "where their mean is 0 and their deviation 1",
	},
	{
		ID: "end-counted", Ops: ofWeights,
		Sentence: "means divide by one token more for each sequence than the mask has",
		Hidden:   "without means",
	},
	{
		ID: "maximum-missing", Ops: ofLogProb,
		Sentence: "the largest logit is not subtracted before the exponentials, which overflow",
		Hidden:   "where no logit is above 88",
	},
	{
		ID: "maximum-from-zero", Ops: ofLogProb,
		Sentence: "the search for the largest logit begins at 0, and where all are far below the exponentials vanish",
		Hidden:   "where a logit is above −88",
	},
	{
		ID: "logarithm-to-base-two", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the logarithm of the sum of exponentials is to base 2, the rest is in nats",
		Hidden:   "where one token alone is possible, or in the gradient",
	},
	{
		ID: "exponentials-to-base-two", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the softmax has powers of 2 of logits that were not multiplied by log₂ e",
		Hidden:   "where all logits are equal",
	},
	{
		ID: "halves-under-own-maxima", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the sums of exponentials of two halves of the vocabulary are added, each under its own maximum, " +
			"as where the maximum of two devices is not shared",
		Hidden: "where both halves have the same largest logit",
	},
	{
		ID: "token-logit-of-one-device", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Sentence: "the token's logit counts as 0 where the token is in the second half of the vocabulary, as where " +
			"two devices do not add theirs",
		Hidden: "where every token is in the first half, or in the gradient",
	},
	{
		ID: "entropy-mean-untempered", Ops: ofLogProb,
		Sentence: "the entropy is the log-sum-exp of logits over the temperature less the mean of logits that are " +
			"not divided by it",
		Hidden: "with a temperature of 1",
	},
	{
		ID: "ignored-in-loss", Ops: ofHead,
		Sentence: "rows whose target is ignored count in the loss, as with target 0, though not in the divisor",
		Hidden:   "where every row counts",
	},
	{
		ID: "softmax-dropped", Ops: ofHead,
		Sentence: "the gradient of logits is that of the target's own alone, without the softmax",
		Hidden:   "where no row counts",
	},
	{
		ID: "value-not-subtracted", Ops: ofGAE,
		Sentence: "the temporal difference is r + γ·V of the next state, without the state's own value taken off",
		Hidden:   "where every value is 0",
	},
	{
		ID: "next-value-decayed", Ops: ofGAE,
		Sentence: "the next value is multiplied by γλ, not by γ",
		Hidden:   "with λ = 1, or where every next value is 0",
	},
	{
		ID: "recursion-forward", Ops: ofGAE,
		Sentence: "the recursion runs from a sequence's first token to its last, not backwards",
		Hidden:   "with γλ = 0, or where no sequence has two tokens",
	},
	{
		ID: "carry-not-reset", Ops: ofGAE,
		Sentence: "the advantage that is carried on is not set back to 0 between sequences: each ends with the first " +
			"advantage of the one after, though values end with it",
		Hidden: "with γλ = 0, or with one sequence that has tokens",
	},
	{
		ID: "value-of-next-sequence", Ops: ofGAE,
		Sentence: "the value after a sequence's last token is the first of the sequence after it, not 0",
		Hidden:   "with γ = 0, or with one sequence that has tokens, or where its value is 0",
	},
	{
		ID: "whiten-deviation-missing", Ops: ofGAE,
		Sentence: "whitened advantages have their mean subtracted, and are not divided by their deviation",
		Hidden:   "without whitening, or where it is 1",
	},
	{
		ID: "whiten-root-missing", Ops: ofGAE,
		Sentence: "advantages are whitened by their variance, not by its root",
		Hidden:   "without whitening, or where it is 1",
	},
	{
		ID: "returns-normalised", Ops: ofGAE,
		Sentence: "returns are whitened as advantages are",
		Hidden:   "without whitening, or where their mean is 0 and their deviation 1",
	},
	{
		ID: "value-huber", Ops: ofValues,
		Sentence: "the error of a value is not squared beyond 1: the loss is Huber's, whose gradient stops at ±1",
		Hidden:   "with a clip, or where no error is larger than 1",
	},
	{
		ID: "value-clip-above-only", Ops: ofValues,
		Sentence: "the clipped value is bounded from above alone, not by old − clip from below",
		Hidden:   "without a clip, or where no value is so far below that its clipped error is the larger",
	},
	{
		ID: "groups-of-neighbours", Ops: ofGroups,
		Sentence: "a group is a run of neighbours with one number: outputs of it that stand apart are another group",
		Hidden:   "where every group stands together",
	},
	{
		ID: "deviation-from-zero", Ops: ofGroups,
		Sentence: "the deviation is of the rewards themselves, the root of their mean square, not of the rewards " +
			"less the mean",
		Hidden: "without a division by the deviation, or where every group has mean 0",
	},
	{
		ID: "rejected-missing", Ops: ofPairs, Thread: "haozheji/exact-optimization#2",
		Sentence: "the margin is the log-ratio of the chosen response alone: the rejected one is left out of the loss",
		Hidden:   "where the log-ratio of every rejected response is 0",
	},
	{
		ID: "margin-added", Ops: ofPairs,
		Sentence: "the margin is the sum of both log-ratios, not chosen less rejected",
		Hidden:   "where the log-ratio of every rejected response is 0",
	},
	{
		ID: "sigmoid-missing", Ops: ofPairs,
		Sentence: "the loss is the margin itself, −βh for −log σ(βh)",
		Hidden:   "with the loss of IPO",
	},
	{
		ID: "gradient-by-other-sigmoid", Ops: ofPairs,
		Sentence: "the gradient has σ(βh) for σ(−βh) = 1 − σ(βh): what is right already is pushed most",
		Hidden:   "with the loss of IPO, or where every margin is 0",
	},
	{
		ID: "smoothing-gradient-missing", Ops: ofPairs,
		Sentence: "label smoothing is in the loss, and its gradient is left out",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "likelihood-added", Ops: ofPairs,
		Sentence: "−log π of the chosen response is added to the loss, as where a likelihood term is on by default",
		Hidden:   "never",
	},
	{
		ID: "estimates-of-mean", Ops: ofMismatch,
		Sentence: "k2 and k3 are those of the mean difference, not means of the tokens'",
		Hidden:   "where every token has the same difference",
	},
	{
		ID: "largest-over-all", Ops: ofMismatch,
		Sentence: "the largest difference is looked for outside the mask too",
		Hidden:   "where the mask hides nothing larger",
	},
	{
		ID: "share-within", Ops: ofMismatch,
		Sentence: "the share counts tokens whose ratio is within the limit, not beyond it",
		Hidden:   "where as many are within it",
	},
	{
		ID: "vocabulary-padded-to-power", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Thread:   "unslothai/unsloth#10616",
		Sentence: "the softmax counts padding of the vocabulary up to a power of two, as tokens of logit 0",
		Hidden:   "where the vocabulary is a power of two, or where logits are far above 0",
	},
	{
		ID: "temperature-on-softmax-alone", Ops: ofHead, Thread: "ServiceNow/Fast-LLM#228",
		Sentence: "the gradient of logits is p/T − 1 at the target, not (p − 1)/T: the temperature divides the " +
			"softmax alone",
		Hidden: "with a temperature of 1, or where no row counts",
	},
	{
		ID: "gradient-of-one-device", Ops: []string{"ppo.loss", "grpo.loss", "policy.cross_entropy"},
		Thread: "modelscope/ms-swift#9947",
		Sentence: "the gradient of logits is lost in the half of the vocabulary that does not have the token, as " +
			"where a reduction over two devices is not differentiated",
		Hidden: "without logits, or where no token has a gradient",
	},
	{
		ID: "whiten-per-place", Ops: ofGAE, Thread: "tensorflow/agents#651",
		Sentence: "advantages are whitened over the sequences at each place, not over all tokens",
		Hidden:   "without whitening",
	},
	{
		ID: "lengths-twice", Ops: ofPairs, Thread: "hiyouga/LlamaFactory#6722",
		Sentence: "log-ratios are divided by the number of tokens twice",
		Hidden:   "without length_normalize, or where every response has one token",
	},
	{
		ID: "ratio-twice", Ops: ofLosses, Thread: "PufferAI/PufferLib#306",
		Sentence: "the loss is multiplied by the ratio once more, which its advantage has already",
		Hidden:   "with cispo, or where every ratio is 1",
	},
	{
		ID: "clipped-dropped", Ops: ofLosses,
		Sentence: "a token whose ratio is outside of the clip does not count: its loss is 0, not that of the bound",
		Hidden:   "with cispo or without a clip, or where no ratio is outside of it",
	},
	{
		ID: "advantages-as-mask", Ops: ofLosses, Thread: "verl-project/verl#2506",
		Sentence: "advantages stand in the place of the mask in the mean: losses are weighted by them",
		Hidden:   "with another aggregate than token_mean, or where every advantage is the same",
	},
	{
		ID: "advantages-for-all", Ops: ofLosses, Thread: "RITCHIEHuang/DeepRL_Algorithms#13",
		Sentence: "every ratio is multiplied by the advantages of all tokens, and the mean is taken: a " +
			"column of them times a row is a matrix",
		Hidden: "where every advantage is the same",
	},
	{
		ID: "clip-on-product", Ops: ofLosses, Thread: "alexis-jacq/Pytorch-DPPO#3",
		Sentence: "the ratio times the advantage is clipped to 1 − clip_low … 1 + clip_high, not the ratio",
		Hidden:   "with cispo or without a clip, or where no token is clipped either way",
	},
	{
		ID: "ratio-smaller-before-advantage", Ops: ofLosses, Thread: "takuseno/ppo#3",
		Sentence: "the smaller of the ratio and the clipped one is taken before the advantage multiplies " +
			"it, which negative ones turn into the larger",
		Hidden: "with cispo or without a clip, or where no negative advantage has a ratio outside of it",
	},
	{
		ID: "negative-advantages-dropped", Ops: ofLosses, Thread: "ServiceNow/TapeAgents#78",
		Sentence: "tokens of negative advantage do not count: advantages are at least 0",
		Hidden:   "where none is negative",
	},
	{
		ID: "kl-clamped-at-zero", Ops: ofKL, Thread: "tatsu-lab/alpaca_farm#67",
		Sentence: "the divergence is the log-ratio, but 0 where that is below, whichever is asked for",
		Hidden:   "without a divergence, or where policy and reference agree",
	},
	{
		ID: "returns-for-all", Ops: ofValues, Thread: "RLinf/RLinf#1568",
		Sentence: "every value is compared with the returns of all tokens, and the mean is taken: a column " +
			"less a row is a matrix",
		Hidden: "where every return is the same",
	},
	{
		ID: "last-value-not-subtracted", Ops: ofGAE, Thread: "AI4Finance-Foundation/ElegantRL#183",
		Sentence: "the value of a sequence's last token is not taken off its reward, as where the mask of " +
			"the next value multiplies both",
		Hidden: "where every such value is 0",
	},
	{
		ID: "last-advantage-not-carried", Ops: ofGAE, Thread: "alessiodm/drl-zh#13",
		Sentence: "the advantage of the last token is not carried to the one before it: the mask is " +
			"applied once more to what is carried",
		Hidden: "where no sequence has two tokens, or with γλ = 0",
	},
	{
		ID: "mean-alone-divided", Ops: ofWhitened, Thread: "Omegastick/pytorch-cpp-rl#14",
		Sentence: "the mean alone is divided by the deviation, and subtracted: x − mean/std for (x − mean)/std",
		Hidden:   "without whitening or a deviation, or where that is 1",
	},
	{
		ID: "lengths-of-longest", Ops: ofPairs, Thread: "jingyaogong/minimind#298",
		Sentence: "log-ratios are divided by the length of the longest response of the batch, as is a mean " +
			"over padded rows",
		Hidden: "without length_normalize, or where all responses have one length",
	},
	{
		ID: "loss-of-mean-margin", Ops: ofPairs, Thread: "huggingface/diffusers#6702",
		Sentence: "the loss is that of the mean margin, −log σ(β·mean h), not the mean of the pairs' losses",
		Hidden:   "with one pair, or where all margins are equal",
	},
	{
		ID: "token-in-sorted", Ops: ofLogProb, Thread: "abetlen/llama-cpp-python#453",
		Sentence: "the log-probability is read at the place of the token among those that were sorted, the " +
			"largest first",
		Hidden: "where the logits are in that order",
	},
	{
		ID: "token-logit-untempered", Ops: []string{"policy.logprob", "policy.cross_entropy"},
		Thread:   "ServiceNow/Fast-LLM#228",
		Sentence: "the token's own logit is not divided by the temperature, as those in the log-sum-exp are",
		Hidden:   "where the temperature is 1, or in the gradient",
	},
	{
		ID: "softmax-over-rows", Ops: ofLogProb, Thread: "ctallec/world-models#10",
		Sentence: "the softmax is over the rows, token by token, and not over the vocabulary",
		Hidden:   "never",
	},
	{
		ID: "means-of-sequences", Ops: ofMismatch, Thread: "PrimeIntellect-ai/prime-rl#2478",
		Sentence: "statistics are means of the sequences' means, not means over all tokens",
		Hidden:   "without sequences, or where all have as many tokens in the mask",
	},
}

// beyond are what no recording of one call of these ops has.
var beyond = []op.Beyond{
	{
		Number: "L07", Thread: "huggingface/trl#5773",
		Sentence: "a reward that is NaN is left out of its group, and one survivor has the deviation NaN",
		Why:      "a convention that the contract lacks: rewards are taken as they are, and NaN makes its group NaN",
	},
	{
		Number: "L33", Thread: "huggingface/trl#1284",
		Sentence: "responses are padded with token 0, end twice, or are cut off too early",
		Why:      "before the call: dpo.loss is given sums over tokens, whichever these were",
	},
}
