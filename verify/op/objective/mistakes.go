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
		Hidden:   "where no token is counted",
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
		ID: "ratio-inverted", Ops: ofLosses,
		Sentence: "the ratio is upside down: π_old/π for π/π_old",
		Hidden:   "where every ratio is 1, or every advantage 0",
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
		ID: "lambda-missing", Ops: ofGAE,
		Sentence: "λ is left out",
		Hidden:   "with λ = 1 or γ = 0",
	},
	{
		ID: "bootstrap-repeated", Numbers: []string{"L21"}, Ops: ofGAE,
		Sentence: "the last value stands for the one after the end, as if the sequence were cut off there, not over",
		Hidden:   "where every sequence's last value is 0, or with γ = 0",
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
		ID: "value-min-for-max", Ops: ofValues,
		Sentence: "of the plain and the clipped squared error the smaller is taken, not the larger",
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
		ID: "gradient-unaveraged", Ops: ofPairs,
		Sentence: "the gradient is not divided by the number of pairs",
		Hidden:   "with one pair, or where every gradient is 0",
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
