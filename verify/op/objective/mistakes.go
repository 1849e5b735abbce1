package objective

import "plumbline/verify/op"

func init() { op.Plant(mistakes) }

// mistakes are those of losses, estimates and advantages.
var mistakes = []op.Mistake{
	{
		ID: "mask-missing", Ops: []string{"ppo.loss", "grpo.loss", "ppo.value_loss"},
		Thread:   "huggingface/trl#2708",
		Sentence: "tokens after the end are counted",
		Hidden:   "where the mask hides nothing",
	},
	{
		ID: "mask-shifted", Ops: []string{"policy.kl", "ppo.loss", "grpo.loss", "ppo.value_loss", "ppo.gae"},
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "the mask is one token early",
		Hidden:   "where no token is counted",
	},
	{
		ID: "aggregation-swapped", Ops: []string{"ppo.loss", "grpo.loss", "ppo.value_loss"},
		Thread:   "huggingface/trl#3138",
		Sentence: "the loss is aggregated in another mode: the mean of sequences for that of tokens, or the reverse",
		Hidden:   "where both modes give every token the same weight",
	},
	{
		ID: "micro-batch-mean", Ops: []string{"ppo.loss", "grpo.loss", "ppo.value_loss"},
		Thread:   "allenai/open-instruct#1161",
		Sentence: "the mean of two halves' means is taken for the mean over the batch",
		Hidden:   "where both means give every token the same weight",
	},
	{
		ID: "empty-sequences-counted", Ops: []string{"ppo.loss", "grpo.loss", "ppo.value_loss"},
		Sentence: "sequences without tokens count in the mean",
		Hidden:   "where every sequence has a token, or the mean is over all tokens",
	},
	{
		ID: "clip-sides-swapped", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "the lower and the upper width of the clip change places",
		Hidden:   "where the widths are equal, or no ratio lies outside of either",
	},
	{
		ID: "min-max-exchanged", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "yandexdataschool/Practical_RL#248",
		Sentence: "the minimum is taken for the maximum",
		Hidden:   "with cispo or without a clip, or where no ratio lies outside of it",
	},
	{
		ID: "clip-passes-gradient", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "clipped tokens have a gradient, as with GPPO",
		Hidden:   "with another clip than ppo, or where no token is clipped",
	},
	{
		ID: "clipped-gradient-cut", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "clipped tokens have no gradient where GPPO passes one",
		Hidden:   "with another clip than gppo, or where no token is clipped",
	},
	{
		ID: "dual-clip-for-positive", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "thu-ml/tianshou#433",
		Sentence: "the dual clip bounds tokens of positive advantage too",
		Hidden:   "without a dual clip, or where no token of positive advantage has a ratio below it",
	},
	{
		ID: "dual-clip-by-default", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "volcengine/verl#783",
		Sentence: "there is a dual clip at 3 that nobody asked for",
		Hidden:   "where one is asked for, with cispo, or where no token of negative advantage has a ratio above 3",
	},
	{
		ID: "dual-clip-missing", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "the dual clip is ignored",
		Hidden:   "without a dual clip, or where it bounds no token",
	},
	{
		ID: "log-ratio-unlimited", Ops: []string{"policy.kl", "ppo.loss", "grpo.loss"},
		Thread:   "huggingface/trl#3015",
		Sentence: "the logarithm of the ratio is not limited",
		Hidden:   "without a limit, or where no token reaches it",
	},
	{
		ID: "ratio-inverted", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "the ratio is upside down",
		Hidden:   "where every ratio is 1, or every advantage 0",
	},
	{
		ID: "sequence-ratio-product", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "NVIDIA-NeMo/RL#2269",
		Sentence: "a sequence's ratio lacks the power of one over its length",
		Hidden:   "with ratios of tokens, or where every sequence has one token or a ratio of 1",
	},
	{
		ID: "sequence-gradient-undivided", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "huggingface/trl#3823",
		Sentence: "a sequence's gradient counts once for every token of it",
		Hidden:   "with ratios of tokens, with cispo, or where every sequence has one token or no gradient",
	},
	{
		ID: "k3-upside-down", Ops: []string{"policy.kl", "ppo.loss", "grpo.loss"},
		Thread:   "walkinglabs/hands-on-modern-rl#27",
		Sentence: "the ratio in k3 is upside down",
		Hidden:   "with another estimator than k3, or where policy and reference agree",
	},
	{
		ID: "kl-sign", Ops: []string{"policy.kl", "ppo.loss", "grpo.loss"},
		Thread:   "Unakar/Logic-RL#58",
		Sentence: "the divergence has the wrong sign",
		Hidden:   "without a reference, or where the divergence and its derivative are 0",
	},
	{
		ID: "k2-unhalved", Ops: []string{"policy.kl", "ppo.loss", "grpo.loss"},
		Sentence: "k2 is not halved",
		Hidden:   "with another estimator than k2, or where policy and reference agree",
	},
	{
		ID: "estimator-falls-through", Ops: []string{"policy.kl"},
		Thread:   "areal-project/AReaL#408",
		Sentence: "what k2 asks for is given to k3",
		Hidden:   "with another estimator than k2, or where policy and reference agree",
	},
	{
		ID: "sampling-temperature-missing", Ops: []string{"policy.logprob"},
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "with a temperature of 1",
	},
	{
		ID: "sampling-temperature-missing", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "gradient-untempered", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "the gradient for the logits is not divided by the temperature",
		Hidden:   "without logits, or with a temperature of 1",
	},
	{
		ID: "softmax-dropped", Ops: []string{"ppo.loss", "grpo.loss"},
		Sentence: "the gradient for the logits is that of the token's own alone",
		Hidden:   "without logits, or where every token has probability 1 or no gradient",
	},
	{
		ID: "ignored-counted", Ops: []string{"policy.cross_entropy"},
		Thread:   "NVIDIA/Megatron-LM#3159",
		Sentence: "the divisor counts rows whose target is ignored",
		Hidden:   "with a sum, or where every row counts",
	},
	{
		ID: "ignored-leak", Ops: []string{"policy.cross_entropy"},
		Sentence: "rows whose target is ignored have a gradient",
		Hidden:   "where every row counts",
	},
	{
		ID: "sampling-temperature-missing", Ops: []string{"policy.cross_entropy"},
		Thread:   "huggingface/trl#3029",
		Sentence: "logits are not divided by the temperature",
		Hidden:   "with a temperature of 1, or where no row counts",
	},
	{
		ID: "gradient-untempered", Ops: []string{"policy.cross_entropy"},
		Sentence: "gradients are not divided by the temperature",
		Hidden:   "with a temperature of 1, or where no row counts",
	},
	{
		ID: "gradient-undivided", Ops: []string{"policy.cross_entropy"},
		Sentence: "gradients are those of the sum where the loss is the mean",
		Hidden:   "with a sum, or where fewer than two rows count",
	},
	{
		ID: "targets-shifted", Ops: []string{"policy.cross_entropy"},
		Thread:   "radixark/miles#2215",
		Sentence: "targets are shifted once more: each row has the next one's",
		Hidden:   "never",
	},
	{
		ID: "target-missing", Ops: []string{"policy.cross_entropy"},
		Sentence: "the gradient of logits is that of all tokens, without the target's own",
		Hidden:   "where no row counts",
	},
	{
		ID: "last-chunk-dropped", Ops: []string{"policy.cross_entropy"},
		Sentence: "the last chunk of the vocabulary is left out of the sum of exponentials",
		Hidden:   "with one chunk",
	},
	{
		ID: "last-chunk-alone", Ops: []string{"policy.cross_entropy"},
		Sentence: "the gradient of the head is that of the last chunk of rows, and not their sum",
		Hidden:   "with one chunk",
	},
	{
		ID: "sampling-temperature-missing", Ops: []string{"policy.mismatch"},
		Thread:   "huggingface/trl#3029",
		Sentence: "logits of the trainer are not divided by the sampler's temperature",
		Hidden:   "with log-probabilities, or with a temperature of 1",
	},
	{
		ID: "filtered", Ops: []string{"policy.mismatch"},
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities of the sampler alone are renormalised over the likelier half of the tokens",
		Hidden:   "with log-probabilities, or with at most three tokens to choose from",
	},
	{
		ID: "token-shifted", Ops: []string{"policy.mismatch"},
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities of the sampler are one token late",
		Hidden:   "with one token, or where neighbours have the same",
	},
	{
		ID: "stale-head", Ops: []string{"policy.mismatch"},
		Thread:   "vllm-project/vllm-ascend#13209",
		Sentence: "the sampler has the weights of a step before",
		Hidden:   "without hidden states",
	},
	{
		ID: "ratio-inverted", Ops: []string{"policy.mismatch"},
		Sentence: "differences are the sampler's less the trainer's",
		Hidden:   "where both are equal",
	},
	{
		ID: "k3-upside-down", Ops: []string{"policy.mismatch"},
		Thread:   "walkinglabs/hands-on-modern-rl#27",
		Sentence: "the ratio in k3 is upside down",
		Hidden:   "where both engines agree",
	},
	{
		ID: "mask-missing", Ops: []string{"policy.mismatch"},
		Thread:   "huggingface/trl#2708",
		Sentence: "statistics count tokens outside the mask",
		Hidden:   "where the mask hides nothing",
	},
	{
		ID: "filtered", Ops: []string{"policy.logprob"},
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities are renormalised over the likelier half of the tokens",
		Hidden:   "with at most three tokens to choose from, or where the other half is impossible",
	},
	{
		ID: "token-shifted", Ops: []string{"policy.logprob"},
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities are of the next token's logits",
		Hidden:   "where the next token has the same logit",
	},
	{
		ID: "token-shifted", Ops: []string{"ppo.loss", "grpo.loss"},
		Thread:   "Goekdeniz-Guelmez/mlx-lm-lora#80",
		Sentence: "log-probabilities are of the next token's logits",
		Hidden:   "without logits, or where no counted token is followed by another one that differs",
	},
	{
		ID: "kept-missing", Ops: []string{"policy.logprob"},
		Thread:   "huggingface/trl#2358",
		Sentence: "log-probabilities are not renormalised over the tokens that the sampler kept",
		Hidden:   "without a kept set, or where it has every possible token",
	},
	{
		ID: "lse-subtracted", Ops: []string{"policy.logprob"},
		Sentence: "log-probabilities are z − lse, which is rounded as logits are, though the stable form is declared",
		Hidden:   "where no logit is large",
	},
	{
		ID: "entropy-of-token", Ops: []string{"policy.logprob"},
		Sentence: "the entropy is estimated by −log π of the token",
		Hidden:   "where that is the entropy, as with a token that is certain",
	},
	{
		ID: "gae-through-masked", Ops: []string{"ppo.gae"},
		Thread:   "radixark/miles#1827",
		Sentence: "the recursion runs through tokens outside the mask",
		Hidden:   "where the mask hides nothing before a sequence's last token",
	},
	{
		ID: "lambda-missing", Ops: []string{"ppo.gae"},
		Sentence: "λ is left out",
		Hidden:   "with λ = 1 or γ = 0",
	},
	{
		ID: "bootstrap-repeated", Ops: []string{"ppo.gae"},
		Sentence: "the last value stands for the one after the end",
		Hidden:   "where every sequence's last value is 0, or with γ = 0",
	},
	{
		ID: "next-value-undiscounted", Ops: []string{"ppo.gae"},
		Sentence: "the next value is not discounted",
		Hidden:   "where every next value is 0, or with γ = 1",
	},
	{
		ID: "whiten-over-padding", Ops: []string{"ppo.gae"},
		Thread:   "ray-project/ray#63900",
		Sentence: "advantages are whitened with the zeros outside the mask",
		Hidden:   "without whitening, or where the mask hides nothing",
	},
	{
		ID: "whiten-per-sequence", Ops: []string{"ppo.gae"},
		Sentence: "each sequence is whitened by itself",
		Hidden:   "without whitening, or where fewer than two sequences have tokens",
	},
	{
		ID: "whiten-population", Ops: []string{"ppo.gae"},
		Sentence: "advantages are whitened with the population's variance",
		Hidden:   "without whitening, or where all advantages are equal",
	},
	{
		ID: "returns-whitened", Ops: []string{"ppo.gae"},
		Sentence: "returns are made of whitened advantages",
		Hidden:   "without whitening, or where it changes no advantage",
	},
	{
		ID: "value-clip-ignored", Ops: []string{"ppo.value_loss"},
		Thread:   "raven-ml/raven#107",
		Sentence: "the clip of the value is ignored",
		Hidden:   "without a clip, or where the clipped error is never the larger one",
	},
	{
		ID: "value-clip-relative", Ops: []string{"ppo.value_loss"},
		Sentence: "the clip of the value is a share of the old one",
		Hidden:   "without a clip, or where both clips give the same errors",
	},
	{
		ID: "value-min-for-max", Ops: []string{"ppo.value_loss"},
		Sentence: "the smaller of the two squared errors is taken",
		Hidden:   "without a clip, or where every value is within it",
	},
	{
		ID: "value-gradient-cut", Ops: []string{"ppo.value_loss"},
		Thread:   "ray-project/ray#22171",
		Sentence: "the gradient of a value outside its clip is 0 whichever error is the larger",
		Hidden:   "without a clip, or where the clipped error is the larger for every value outside of it",
	},
	{
		ID: "value-unhalved", Ops: []string{"ppo.value_loss"},
		Sentence: "the squared error is not halved",
		Hidden:   "where every value is its return",
	},
	{
		ID: "std-ddof", Ops: []string{"grpo.advantage"},
		Thread:   "huggingface/trl#4662",
		Sentence: "the sample's standard deviation is taken for the population's, or the reverse",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal",
	},
	{
		ID: "std-missing", Ops: []string{"grpo.advantage"},
		Sentence: "rewards are not divided by their deviation",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal",
	},
	{
		ID: "std-always", Ops: []string{"grpo.advantage"},
		Sentence: "rewards are divided by their deviation although they should not be",
		Hidden:   "where they should be, or where every group's rewards are equal",
	},
	{
		ID: "eps-inside-root", Ops: []string{"grpo.advantage"},
		Sentence: "eps is added to the variance",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal, or eps is 0",
	},
	{
		ID: "eps-default", Ops: []string{"grpo.advantage"},
		Sentence: "eps is 1e-4 whatever the request says",
		Hidden:   "without a division by the deviation, or where every group's rewards are equal, or eps is 1e-4",
	},
	{
		ID: "group-over-batch", Ops: []string{"grpo.advantage"},
		Thread:   "langfengQ/verl-agent#138",
		Sentence: "mean and deviation are those of the whole batch",
		Hidden:   "where they are those of every group, as with one group",
	},
	{
		ID: "group-of-one-centred", Ops: []string{"grpo.advantage"},
		Sentence: "a group of one has advantage 0",
		Hidden:   "where no group has one output, or its reward is 0",
	},
	{
		ID: "mean-missing", Ops: []string{"grpo.advantage"},
		Sentence: "the mean is not subtracted",
		Hidden:   "where every group has mean 0 or one output",
	},
	{
		ID: "lengths-mistaken", Ops: []string{"dpo.loss"},
		Thread:   "meta-pytorch/torchtune#1291",
		Sentence: "log-probabilities are averaged over tokens where sums are meant, or the reverse",
		Hidden:   "without lengths, or where every chosen response has one token",
	},
	{
		ID: "smoothing-missing", Ops: []string{"dpo.loss"},
		Thread:   "huggingface/trl#7062",
		Sentence: "label smoothing is dropped",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "smoothing-sign", Ops: []string{"dpo.loss"},
		Sentence: "label smoothing has the sign of the robust form",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "smoothing-unpaired", Ops: []string{"dpo.loss"},
		Sentence: "the smoothed share of a label goes to the same order",
		Hidden:   "without label smoothing, or with the loss of IPO",
	},
	{
		ID: "reference-missing", Ops: []string{"dpo.loss"},
		Sentence: "the reference is left out",
		Hidden:   "where the reference finds both responses of every pair equally likely",
	},
	{
		ID: "preference-swapped", Ops: []string{"dpo.loss"},
		Sentence: "the rejected response is preferred",
		Hidden:   "with a label smoothing of one half",
	},
	{
		ID: "rewards-swapped", Ops: []string{"dpo.loss"},
		Sentence: "the rewards of chosen and rejected change places",
		Hidden:   "where the rewards of a pair are equal",
	},
	{
		ID: "beta-twice", Ops: []string{"dpo.loss"},
		Sentence: "β multiplies the margin twice",
		Hidden:   "with β = 1, with the loss of IPO, or where every margin is 0",
	},
	{
		ID: "ipo-target", Ops: []string{"dpo.loss"},
		Sentence: "the margin that IPO aims at is 1/β",
		Hidden:   "with another loss than IPO's",
	},
	{
		ID: "gradient-unaveraged", Ops: []string{"dpo.loss"},
		Sentence: "the gradient is not divided by the number of pairs",
		Hidden:   "with one pair, or where every gradient is 0",
	},
}
