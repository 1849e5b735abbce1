package prediction

import "plumbline/verify/op"

func init() {
	op.Plant(combining, losing, accepting)
	op.Leave(beyond)
}

var (
	ofCombine = []string{"mtp.combine"}
	ofLoss    = []string{"mtp.loss"}
	ofAccept  = []string{"mtp.accept"}
)

// combining are the mistakes at the entrance of a module.
var combining = []op.Mistake{
	{
		ID: "halves-exchanged", Numbers: []string{"T01"}, Ops: ofCombine, Thread: "sgl-project/sglang#6423",
		Sentence: "the halves are in the other order than the projection has them: [norm(h); norm(e)], or the reverse",
		Hidden:   "where both halves are equal",
	},
	{
		ID: "hidden-norm-missing", Numbers: []string{"T04"}, Ops: ofCombine, Thread: "waybarrios/vllm-mlx#657",
		Sentence: "the hidden state is not normalised",
		Hidden:   "where it is 0, or has a root mean square of 1 and a weight of ones",
	},
	{
		ID: "embedding-norm-missing", Ops: ofCombine,
		Sentence: "the embedding is not normalised",
		Hidden:   "where it is 0, or has a root mean square of 1 and a weight of ones",
	},
	{
		ID: "hidden-normed-twice", Numbers: []string{"T04"}, Ops: ofCombine, Thread: "jundot/omlx#2277",
		Sentence: "the hidden state is normalised, and the result once more",
		Hidden:   "where the weight is ones",
	},
	{
		ID: "norms-exchanged", Ops: ofCombine,
		Sentence: "the weights of the two norms change places",
		Hidden:   "where they are equal",
	},
	{
		ID: "embedding-unshifted", Numbers: []string{"T05"}, Ops: ofCombine, Thread: "wyf3/llm_related#20",
		Sentence: "embeddings are not shifted against hidden states: each row has that of the row before",
		Hidden:   "with one row",
	},
	{
		ID: "embedding-shifted-twice", Ops: ofCombine,
		Sentence: "embeddings are shifted once too often against hidden states: each row has that of the row after",
		Hidden:   "with one row",
	},
	{
		ID: "one-norm-for-both", Ops: ofCombine,
		Sentence: "the embedding is normalised with the weight of the norm of the hidden state",
		Hidden:   "where both weights are equal, or embeddings are 0",
	},
	{
		ID: "weight-plus-one", Ops: ofCombine, Thread: "Blaizzy/mlx-vlm#1554",
		Sentence: "both norms multiply by 1 + weight: weights are taken as offsets from 1",
		Hidden:   "where hidden states and embeddings are 0",
	},
	{
		ID: "sum-for-mean", Ops: ofCombine,
		Sentence: "the sum of squares of a norm is not divided by their number",
		Hidden:   "with rows of one element",
	},
	{
		ID: "eps-missing", Ops: ofCombine,
		Sentence: "no eps under the root of either norm",
		Hidden:   "where eps is negligible beside the mean square",
	},
	{
		ID: "first-not-masked", Numbers: []string{"T12"}, Ops: ofCombine,
		Sentence: "the embedding of row 0 is not set to 0, though mask_first asks for it",
		Hidden:   "where mask_first is false",
	},
	{
		ID: "first-masked", Numbers: []string{"T12"}, Ops: ofCombine,
		Sentence: "the embedding of row 0 is set to 0, though mask_first is false",
		Hidden:   "where mask_first is true",
	},
	{
		ID: "embedding-normed-twice", Ops: ofCombine,
		Sentence: "the embedding is normalised, and the result once more",
		Hidden:   "where the weight is ones, or embeddings are 0",
	},
	{
		ID: "normed-together", Ops: ofCombine,
		Sentence: "one norm is over both halves together, 2d wide, not one over each",
		Hidden:   "where both halves have the same mean square",
	},
	{
		ID: "hidden-added", Ops: ofCombine,
		Sentence: "the hidden state is added to the projection, as a residual",
		Hidden:   "where it is 0",
	},
	{
		ID: "mean-subtracted", Ops: ofCombine,
		Sentence: "both norms are LayerNorms: the mean is subtracted",
		Hidden:   "where every row has mean 0",
	},
	{
		ID: "weight-missing", Ops: ofCombine,
		Sentence: "the weights of the norms are not applied",
		Hidden:   "where they are 1",
	},
	{
		ID: "weight-before-norm", Ops: ofCombine,
		Sentence: "weights multiply before the norm, which is of x·weight",
		Hidden:   "where all weights of a norm are equal",
	},
	{
		ID: "root-missing", Ops: ofCombine,
		Sentence: "both norms divide by the mean square, not by its root",
		Hidden:   "where it is 1",
	},
	{
		ID: "first-hidden-masked", Ops: ofCombine,
		Sentence: "the hidden state of row 0 is set to 0 too, where mask_first is for the embedding",
		Hidden:   "where mask_first is false",
	},
	{
		ID: "halves-interleaved", Ops: ofCombine,
		Sentence: "the halves are stacked column by column, not one behind the other",
		Hidden:   "with rows of one element",
	},
}

// losing are those of the losses.
var losing = []op.Mistake{
	{
		ID: "labels-shifted-twice", Numbers: []string{"T06"}, Ops: ofLoss, Thread: "radixark/miles#2215",
		Sentence: "labels are shifted once too often: position i of depth k is compared with token i+k+2 for i+k+1",
		Hidden:   "where no position counts, or neighbouring tokens are equal",
	},
	{
		ID: "labels-unshifted", Ops: ofLoss,
		Sentence: "labels are shifted once too little: position i of depth k is compared with token i+k for i+k+1",
		Hidden:   "where no position counts, or neighbouring tokens are equal",
	},
	{
		ID: "labels-of-first-depth", Ops: ofLoss,
		Sentence: "labels are not shifted from depth to depth: all are compared with those of depth 1",
		Hidden:   "with one depth",
	},
	{
		ID: "mask-rolled-twice", Numbers: []string{"T07"}, Ops: ofLoss, Thread: "radixark/miles#3219",
		Sentence: "the mask is rolled once too often: the last position that has a token to predict does not count",
		Hidden:   "where the token after every target is there too",
	},
	{
		ID: "roll-wraps", Numbers: []string{"T08"}, Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#1609",
		Sentence: "labels are rolled and wrap around: the last positions are compared with the first tokens",
		Hidden:   "where every position has a token to predict",
	},
	{
		ID: "divisor-exchanged", Numbers: []string{"T10"}, Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#3159",
		Sentence: "a depth's sum is divided by all positions where divisor says those that count, or the reverse",
		Hidden:   "where all count, or none",
	},
	{
		ID: "divisor-of-tokens", Numbers: []string{"T10"}, Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#3159",
		Sentence: "a depth's sum is divided by the number of the sequence's tokens, whatever its own divisor is",
		Hidden:   "where that is the divisor, or no position counts",
	},
	{
		ID: "summed", Numbers: []string{"T10"}, Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#1532",
		Sentence: "losses of positions are summed, not averaged",
		Hidden:   "where one position counts, or none",
	},
	{
		ID: "weight-undivided", Numbers: []string{"T11"}, Ops: ofLoss,
		Sentence: "the depths' losses are summed, not averaged, before the weight: λ·Σ for λ/D·Σ",
		Hidden:   "with one depth, as DeepSeek-V3 has",
	},
	{
		ID: "weight-missing", Ops: ofLoss,
		Sentence: "the mean of the depths is not weighted",
		Hidden:   "where the weight is 1",
	},
	{
		ID: "depths-pooled", Ops: ofLoss,
		Sentence: "the mean is over the positions of all depths together, not over the depths' means",
		Hidden:   "with one depth, or where every depth has as many that count",
	},
	{
		ID: "divisor-of-first-depth", Ops: ofLoss,
		Sentence: "every depth's sum is divided by the number of positions that count at the first",
		Hidden:   "with one depth, or where every depth has as many that count",
	},
	{
		ID: "weight-to-the-depth", Ops: ofLoss,
		Sentence: "depth k is weighted by λ^k, not by λ as all are",
		Hidden:   "with one depth, or a weight of 1",
	},
	{
		ID: "rolled-in-zeros", Ops: ofLoss,
		Sentence: "labels are rolled with zeros behind them: the last positions are compared with token 0, and count",
		Hidden:   "where every position has a token to predict",
	},
	{
		ID: "shifts-accumulate", Ops: ofLoss,
		Sentence: "depth k shifts labels that were shifted before: by 1 + 2 + … + k, not by k",
		Hidden:   "with one depth",
	},
	{
		ID: "logarithm-to-base-two", Ops: ofLoss,
		Sentence: "the logarithm of the sum of exponentials is to base 2, the rest is in nats",
		Hidden:   "where no position counts",
	},
	{
		ID: "exponentials-to-base-two", Ops: ofLoss,
		Sentence: "the softmax has powers of 2 of logits that were not multiplied by log₂ e",
		Hidden:   "where no position counts, or all logits are equal",
	},
	{
		ID: "vocabulary-padded-to-power", Ops: ofLoss, Thread: "unslothai/unsloth#10616",
		Sentence: "the softmax counts padding of the vocabulary up to a power of two, as tokens of logit 0",
		Hidden:   "where the vocabulary is a power of two, or where logits are far above 0",
	},
	{
		ID: "softmax-over-positions", Ops: ofLoss, Thread: "ctallec/world-models#10",
		Sentence: "the softmax is over the positions, token by token, and not over the vocabulary",
		Hidden:   "where no position counts",
	},
}

// accepting are those of speculative sampling.
var accepting = []op.Mistake{
	{
		ID: "accepted-if-sampled", Numbers: []string{"T16"}, Ops: ofAccept, Thread: "ml-explore/mlx-swift-lm#459",
		Sentence: "a draft is kept where one sample of the target is the same token, not with probability p/q",
		Hidden:   "where no decision changes, as at temperature 0",
	},
	{
		ID: "draft-taken-for-sure", Numbers: []string{"T17"}, Ops: ofAccept, Thread: "jaymody/speculative-sampling#3",
		Sentence: "a draft is kept with probability p, not p/q, as if it had been drawn greedily, with q = 1",
		Hidden:   "where no decision changes",
	},
	{
		ID: "accepted-if-likelier", Ops: ofAccept,
		Sentence: "a draft is kept where the target likes it no less than the draft does, whatever the uniform",
		Hidden:   "where no decision changes",
	},
	{
		ID: "accepted-over-maximum", Ops: ofAccept, Thread: "1bit-MONSTER/1bit-MONSTER#637",
		Sentence: "a draft is kept with p over the largest p of its row, and the draft's own probability is not read",
		Hidden:   "where no decision changes",
	},
	{
		ID: "accepted-if-likeliest", Ops: ofAccept, Thread: "lablup/mlxcel#902",
		Sentence: "a draft is kept where it is the target's likeliest token, as at temperature 0, whatever the uniform",
		Hidden:   "where no decision changes, as at temperature 0",
	},
	{
		ID: "target-row-late", Ops: ofAccept, Thread: "mlx-node/mlx-node#11",
		Sentence: "rows of the target are taken one late: draft i is judged by row i+1, which is the model's after it",
		Hidden:   "where no decision changes",
	},
	{
		ID: "first-draft-unjudged", Ops: ofAccept, Thread: "ohdearquant/lattice#243",
		Sentence: "the first draft is kept without being judged",
		Hidden:   "where it is good",
	},
	{
		ID: "uniform-shared", Ops: ofAccept,
		Sentence: "one uniform, the first, decides all drafts of a sequence",
		Hidden:   "with one draft, or where no decision changes",
	},
	{
		ID: "ratio-inverted", Ops: ofAccept,
		Sentence: "a draft is kept with probability q/p, not p/q",
		Hidden:   "where no decision changes",
	},
	{
		ID: "acceptances-counted", Ops: ofAccept,
		Sentence: "all good drafts are counted, not those before the first that is refused",
		Hidden:   "with one draft, or where none behind a refused one is good",
	},
	{
		ID: "sampled-from-target", Numbers: []string{"T20"}, Ops: ofAccept,
		Sentence: "after a refusal the next token is drawn from p, not from what q leaves over of it",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "bonus-row-always", Numbers: []string{"T15"}, Ops: ofAccept, Thread: "antirez/ds4#750",
		Sentence: "the next token is drawn from the row behind all drafts, whatever was refused before it",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "first-row-always", Numbers: []string{"T15"}, Ops: ofAccept, Thread: "antirez/ds4#750",
		Sentence: "the next token is drawn from row 0, however many drafts are kept",
		Hidden:   "where none is kept, or the same token is drawn",
	},
	{
		ID: "bonus-row-early", Ops: ofAccept,
		Sentence: "where every draft is kept the next token is drawn from the row of the last draft, not the one after",
		Hidden:   "where a draft is refused, or the same token is drawn",
	},
	{
		ID: "bonus-counted", Ops: ofAccept,
		Sentence: "accepted counts the token after the drafts too",
		Hidden:   "never",
	},
	{
		ID: "next-likeliest", Ops: ofAccept,
		Sentence: "the next token is the likeliest one, not drawn by the last uniform",
		Hidden:   "where the same token is drawn",
	},
	{
		ID: "residual-without-token", Numbers: []string{"T17"}, Ops: ofAccept, Thread: "z-lab/dflash#74",
		Sentence: "the residual is p without the refused token, as for a greedy draft, not what q leaves over of p",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "residual-unclamped", Ops: ofAccept,
		Sentence: "the residual is p − q, without a bound at 0",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "residual-absolute", Ops: ofAccept,
		Sentence: "the residual is the absolute value of p − q, not max(p − q, 0)",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "residual-unnormalised", Ops: ofAccept,
		Sentence: "the residual is not normalised: the uniform is not multiplied by its sum",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "uniform-reused", Ops: ofAccept,
		Sentence: "the uniform that refused a draft draws the next token too",
		Hidden:   "where the same token is drawn",
	},
	{
		ID: "accepted-by-product", Ops: ofAccept, Thread: "vllm-project/vllm-ascend#7807",
		Sentence: "a draft is kept with the product of all ratios so far, as if the drafts were judged together",
		Hidden:   "with one draft, or where no decision changes",
	},
	{
		ID: "accepted-by-blocks", Ops: ofAccept, Thread: "vllm-project/vllm-ascend#7603",
		Sentence: "drafts are verified as a block: all are kept up to the last whose product of ratios exceeds its " +
			"uniform number, so that a later one saves those before it",
		Hidden: "with one draft, or where no decision changes",
	},
	{
		ID: "acceptance-negated", Ops: ofAccept,
		Sentence: "a draft is kept where the uniform is above p/q, not below",
		Hidden:   "where no decision changes",
	},
	{
		ID: "bonus-missing", Ops: ofAccept, Thread: "ohdearquant/lattice#389",
		Sentence: "where all drafts are accepted the token after them is not set: it stays 0",
		Hidden:   "where a draft of every sequence is rejected",
	},
	{
		ID: "bonus-from-residual", Ops: ofAccept,
		Sentence: "where every draft is kept the next token is drawn from what the last q leaves over of p, not " +
			"from p",
		Hidden: "where a draft is refused, or the same token is drawn",
	},
	{
		ID: "residual-reversed", Ops: ofAccept,
		Sentence: "the residual is max(q − p, 0), not max(p − q, 0)",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "drawn-in-order-of-weight", Ops: ofAccept,
		Sentence: "the next token is drawn from tokens in the order of their weights, not of the vocabulary",
		Hidden:   "where the same token is drawn",
	},
	{
		ID: "cumulated-before", Ops: ofAccept,
		Sentence: "the cumulative sum of a token does not count its own weight, and the token behind is drawn",
		Hidden:   "where the same token is drawn",
	},
	{
		ID: "draft-one-hot", Ops: ofAccept, Thread: "SafeAILab/EAGLE#183",
		Sentence: "draft_probs is not read, as if each draft were its distribution's only token: it is kept with " +
			"probability p, and the residual is p without it",
		Hidden: "where the same tokens are kept and drawn",
	},
	{
		ID: "residual-of-token-alone", Ops: ofAccept,
		Sentence: "q is taken off p at the refused token alone, not at every token",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "sampled-from-draft", Ops: ofAccept,
		Sentence: "after a refusal the next token is drawn from q, not from what q leaves over of p",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "all-counted-as-none", Ops: ofAccept,
		Sentence: "where every draft is kept none is counted: the first refused one is looked for, and there is none",
		Hidden:   "where a draft is refused",
	},
	{
		ID: "refused-counted", Ops: ofAccept,
		Sentence: "accepted counts the draft that was refused too",
		Hidden:   "where every draft is kept",
	},
	{
		ID: "uniform-after-refused", Ops: ofAccept,
		Sentence: "the next token is drawn by the uniform after that of the refused draft, not by the last one",
		Hidden:   "where the last draft is reached, or the same token is drawn",
	},
	{
		ID: "accepted-at-equality", Ops: ofAccept, Thread: "sgl-project/sglang#35771",
		Sentence: "a draft is kept where the uniform is p/q, not below alone: with a uniform of 0 one that the " +
			"target excludes is kept",
		Hidden: "where no uniform is 0, or the draft beside it is possible",
	},
	{
		ID: "drawn-at-equality", Ops: ofAccept, Thread: "sgl-project/sglang#35798",
		Sentence: "the next token is the first whose cumulative sum reaches the threshold, not exceeds it: with a " +
			"uniform of 0 it is token 0, possible or not",
		Hidden: "where no last uniform is 0, or token 0 is possible",
	},
	{
		ID: "accepted-if-typical", Ops: ofAccept, Thread: "vllm-project/vllm#5131",
		Sentence: "a draft is kept where the target gives it more than min(0.09, 0.3·e^−H), H the entropy " +
			"of its row, whatever the uniform",
		Hidden: "where no decision changes",
	},
	{
		ID: "refused-by-likeliest", Ops: ofAccept, Thread: "vllm-project/vllm#8320",
		Sentence: "after a refusal the next token is the target's likeliest, not drawn from what q leaves over of p",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "bonus-likeliest", Ops: ofAccept,
		Sentence: "where every draft is kept the next token is the likeliest, not drawn from p",
		Hidden:   "where a draft is refused, or the same token is drawn",
	},
	{
		ID: "refused-emitted", Ops: ofAccept,
		Sentence: "after a refusal the next token is the draft that was refused",
		Hidden:   "where every draft is kept",
	},
}

// beyond are what no recording of one call of these ops has.
var beyond = []op.Beyond{
	{
		Number: "T02", Thread: "ROCm/ATOM#643",
		Sentence: "the final norm of the module is skipped before the output matrix",
		Why:      "spans two calls: the norm is a call of norm.rms, and one that is not made is not recorded",
	},
	{
		Number: "T03", Thread: "ROCm/ATOM#1764",
		Sentence: "the hidden state goes into the next draft step before its final norm",
		Why:      "spans two calls: what the step before hands over is an input of mtp.combine, and taken as given",
	},
	{
		Number: "T09", Thread: "NVIDIA/Megatron-LM#1675",
		Sentence: "positions, mask and packing offsets are not shifted with the tokens",
		Why:      "spans two calls: they are inputs of the block's attention, where a common shift is hidden",
	},
	{
		Number: "T13", Thread: "antirez/ds4#411",
		Sentence: "the module's block reads the configuration of a layer of the main model",
		Why:      "of a model: which layer's sizes and base a call was given does not stand in its recording",
	},
	{
		Number: "T14", Thread: "Avarok-Cybersecurity/atlas#364",
		Sentence: "the draft's cache is never filled with the prompt",
		Why:      "spans two calls: what earlier ones left in the cache is an input of attention",
	},
	{
		Number: "T18", Thread: "deepseek-ai/DeepSpec#31",
		Sentence: "drafts are drawn from probabilities in BF16, and judged by those in F32",
		Why:      "spans two calls: the draw is the draft's, and mtp.accept is given its result",
	},
}
