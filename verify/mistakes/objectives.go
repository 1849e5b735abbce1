package mistakes

import "slices"

var (
	losses      = []string{"ppo.loss", "grpo.loss"}
	aggregating = []string{"ppo.loss", "grpo.loss", "ppo.value_loss"}
	estimating  = []string{"policy.kl", "ppo.loss", "grpo.loss"}
	estimates   = []string{"policy.kl"}
	logprobs    = []string{"policy.logprob"}
	recursive   = []string{"ppo.gae"}
	fitting     = []string{"ppo.value_loss"}
	grouping    = []string{"grpo.advantage"}
	preferring  = []string{"dpo.loss"}
)

// ofObjectives are the mistakes of losses, estimates and advantages.
var ofObjectives = []planted{
	{Mistake{
		"mask-missing", "huggingface/trl#2708",
		"tokens after the end are counted",
		"where the mask hides nothing",
	}, aggregating},
	{Mistake{
		"mask-shifted", "Goekdeniz-Guelmez/mlx-lm-lora#80",
		"the mask is one token early",
		"where no token is counted",
	}, slices.Concat(aggregating, recursive)},
	{Mistake{
		"aggregation-swapped", "huggingface/trl#3138",
		"the loss is aggregated in another mode: the mean of sequences for that of tokens, or the reverse",
		"where both modes give every token the same weight",
	}, aggregating},
	{Mistake{
		"micro-batch-mean", "allenai/open-instruct#1161",
		"the mean of two halves' means is taken for the mean over the batch",
		"where both means give every token the same weight",
	}, aggregating},
	{Mistake{
		"empty-sequences-counted", "",
		"sequences without tokens count in the mean",
		"where every sequence has a token, or the mean is over all tokens",
	}, aggregating},
	{Mistake{
		"clip-sides-swapped", "",
		"the lower and the upper width of the clip change places",
		"where the widths are equal, or no ratio lies outside of either",
	}, losses},
	{Mistake{
		"min-max-exchanged", "yandexdataschool/Practical_RL#248",
		"the minimum is taken for the maximum",
		"with cispo or without a clip, or where no ratio lies outside of it",
	}, losses},
	{Mistake{
		"clip-passes-gradient", "",
		"clipped tokens have a gradient, as with GPPO",
		"with another clip than ppo, or where no token is clipped",
	}, losses},
	{Mistake{
		"clipped-gradient-cut", "",
		"clipped tokens have no gradient where GPPO passes one",
		"with another clip than gppo, or where no token is clipped",
	}, losses},
	{Mistake{
		"dual-clip-for-positive", "thu-ml/tianshou#433",
		"the dual clip bounds tokens of positive advantage too",
		"without a dual clip, or where no token of positive advantage has a ratio below it",
	}, losses},
	{Mistake{
		"dual-clip-by-default", "volcengine/verl#783",
		"there is a dual clip at 3 that nobody asked for",
		"where one is asked for, with cispo, or where no token of negative advantage has a ratio above 3",
	}, losses},
	{Mistake{
		"dual-clip-missing", "",
		"the dual clip is ignored",
		"without a dual clip, or where it bounds no token",
	}, losses},
	{Mistake{
		"log-ratio-unlimited", "huggingface/trl#3015",
		"the logarithm of the ratio is not limited",
		"without a limit, or where no token reaches it",
	}, losses},
	{Mistake{
		"ratio-inverted", "",
		"the ratio is upside down",
		"where every ratio is 1, or every advantage 0",
	}, losses},
	{Mistake{
		"sequence-ratio-product", "NVIDIA-NeMo/RL#2269",
		"a sequence's ratio lacks the power of one over its length",
		"with ratios of tokens, or where every sequence has one token or a ratio of 1",
	}, losses},
	{Mistake{
		"sequence-gradient-undivided", "huggingface/trl#3823",
		"a sequence's gradient counts once for every token of it",
		"with ratios of tokens, with cispo, or where every sequence has one token or no gradient",
	}, losses},
	{Mistake{
		"k3-upside-down", "walkinglabs/hands-on-modern-rl#27",
		"the ratio in k3 is upside down",
		"with another estimator than k3, or where policy and reference agree",
	}, estimating},
	{Mistake{
		"kl-sign", "Unakar/Logic-RL#58",
		"the divergence has the wrong sign",
		"without a reference, or where the divergence and its derivative are 0",
	}, estimating},
	{Mistake{
		"k2-unhalved", "",
		"k2 is not halved",
		"with another estimator than k2, or where policy and reference agree",
	}, estimating},
	{Mistake{
		"estimator-falls-through", "areal-project/AReaL#408",
		"what k2 asks for is given to k3",
		"with another estimator than k2, or where policy and reference agree",
	}, estimates},
	{Mistake{
		"kl-unlimited", "huggingface/trl#3015",
		"the log-ratio in k3 is not limited",
		"without a limit, or where no token reaches it",
	}, estimates},
	{Mistake{
		"temperature-missing", "huggingface/trl#3029",
		"logits are not divided by the temperature",
		"with a temperature of 1",
	}, logprobs},
	{Mistake{
		"temperature-missing", "huggingface/trl#3029",
		"logits are not divided by the temperature",
		"without logits, or with a temperature of 1",
	}, losses},
	{Mistake{
		"gradient-untempered", "",
		"the gradient for the logits is not divided by the temperature",
		"without logits, or with a temperature of 1",
	}, losses},
	{Mistake{
		"softmax-dropped", "",
		"the gradient for the logits is that of the token's own alone",
		"without logits, or where every token has probability 1 or no gradient",
	}, losses},
	{Mistake{
		"filtered", "huggingface/trl#2358",
		"log-probabilities are renormalised over the likelier half of the tokens",
		"with at most three tokens to choose from, or where the other half is impossible",
	}, logprobs},
	{Mistake{
		"token-shifted", "Goekdeniz-Guelmez/mlx-lm-lora#80",
		"log-probabilities are of the next token's logits",
		"where the next token has the same logit",
	}, logprobs},
	{Mistake{
		"token-shifted", "Goekdeniz-Guelmez/mlx-lm-lora#80",
		"log-probabilities are of the next token's logits",
		"without logits, or where no counted token is followed by another one that differs",
	}, losses},
	{Mistake{
		"entropy-of-token", "",
		"the entropy is estimated by −log π of the token",
		"where that is the entropy, as with a token that is certain",
	}, logprobs},
	{Mistake{
		"gae-through-masked", "radixark/miles#1827",
		"the recursion runs through tokens outside the mask",
		"where the mask hides nothing before a sequence's last token",
	}, recursive},
	{Mistake{
		"lambda-missing", "",
		"λ is left out",
		"with λ = 1 or γ = 0",
	}, recursive},
	{Mistake{
		"bootstrap-repeated", "",
		"the last value stands for the one after the end",
		"where every sequence's last value is 0, or with γ = 0",
	}, recursive},
	{Mistake{
		"next-value-undiscounted", "",
		"the next value is not discounted",
		"where every next value is 0, or with γ = 1",
	}, recursive},
	{Mistake{
		"whiten-over-padding", "ray-project/ray#63900",
		"advantages are whitened with the zeros outside the mask",
		"without whitening, or where the mask hides nothing",
	}, recursive},
	{Mistake{
		"whiten-per-sequence", "",
		"each sequence is whitened by itself",
		"without whitening, or where fewer than two sequences have tokens",
	}, recursive},
	{Mistake{
		"whiten-population", "",
		"advantages are whitened with the population's variance",
		"without whitening, or where all advantages are equal",
	}, recursive},
	{Mistake{
		"returns-whitened", "",
		"returns are made of whitened advantages",
		"without whitening, or where it changes no advantage",
	}, recursive},
	{Mistake{
		"value-clip-ignored", "raven-ml/raven#107",
		"the clip of the value is ignored",
		"without a clip, or where the clipped error is never the larger one",
	}, fitting},
	{Mistake{
		"value-clip-relative", "",
		"the clip of the value is a share of the old one",
		"without a clip, or where both clips give the same errors",
	}, fitting},
	{Mistake{
		"value-min-for-max", "",
		"the smaller of the two squared errors is taken",
		"without a clip, or where every value is within it",
	}, fitting},
	{Mistake{
		"value-unhalved", "",
		"the squared error is not halved",
		"where every value is its return",
	}, fitting},
	{Mistake{
		"std-ddof", "huggingface/trl#4662",
		"the sample's standard deviation is taken for the population's, or the reverse",
		"without a division by the deviation, or where every group's rewards are equal",
	}, grouping},
	{Mistake{
		"std-missing", "",
		"rewards are not divided by their deviation",
		"without a division by the deviation, or where every group's rewards are equal",
	}, grouping},
	{Mistake{
		"std-always", "",
		"rewards are divided by their deviation although they should not be",
		"where they should be, or where every group's rewards are equal",
	}, grouping},
	{Mistake{
		"eps-inside-root", "",
		"eps is added to the variance",
		"without a division by the deviation, or where every group's rewards are equal, or eps is 0",
	}, grouping},
	{Mistake{
		"eps-default", "",
		"eps is 1e-4 whatever the request says",
		"without a division by the deviation, or where every group's rewards are equal, or eps is 1e-4",
	}, grouping},
	{Mistake{
		"group-over-batch", "langfengQ/verl-agent#138",
		"mean and deviation are those of the whole batch",
		"where they are those of every group, as with one group",
	}, grouping},
	{Mistake{
		"group-of-one-centred", "",
		"a group of one has advantage 0",
		"where no group has one output, or its reward is 0",
	}, grouping},
	{Mistake{
		"mean-missing", "",
		"the mean is not subtracted",
		"where every group has mean 0 or one output",
	}, grouping},
	{Mistake{
		"lengths-mistaken", "meta-pytorch/torchtune#1291",
		"log-probabilities are averaged over tokens where sums are meant, or the reverse",
		"without lengths, or where every chosen response has one token",
	}, preferring},
	{Mistake{
		"smoothing-missing", "huggingface/trl#7062",
		"label smoothing is dropped",
		"without label smoothing, or with the loss of IPO",
	}, preferring},
	{Mistake{
		"smoothing-sign", "",
		"label smoothing has the sign of the robust form",
		"without label smoothing, or with the loss of IPO",
	}, preferring},
	{Mistake{
		"reference-missing", "",
		"the reference is left out",
		"where the reference finds both responses of every pair equally likely",
	}, preferring},
	{Mistake{
		"preference-swapped", "",
		"the rejected response is preferred",
		"with a label smoothing of one half",
	}, preferring},
	{Mistake{
		"rewards-swapped", "",
		"the rewards of chosen and rejected change places",
		"where the rewards of a pair are equal",
	}, preferring},
	{Mistake{
		"beta-twice", "",
		"β multiplies the margin twice",
		"with β = 1, with the loss of IPO, or where every margin is 0",
	}, preferring},
	{Mistake{
		"ipo-target", "",
		"the margin that IPO aims at is 1/β",
		"with another loss than IPO's",
	}, preferring},
	{Mistake{
		"gradient-unaveraged", "",
		"the gradient is not divided by the number of pairs",
		"with one pair, or where every gradient is 0",
	}, preferring},
}
