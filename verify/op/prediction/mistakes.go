package prediction

import "plumbline/verify/op"

func init() { op.Plant(combining, losing, accepting) }

var (
	ofCombine = []string{"mtp.combine"}
	ofLoss    = []string{"mtp.loss"}
	ofAccept  = []string{"mtp.accept"}
)

// combining are the mistakes at the entrance of a module.
var combining = []op.Mistake{
	{
		ID: "halves-exchanged", Ops: ofCombine, Thread: "sgl-project/sglang#6423",
		Sentence: "the halves are in the other order than the projection has them",
		Hidden:   "where both halves are equal",
	},
	{
		ID: "hidden-norm-missing", Ops: ofCombine, Thread: "waybarrios/vllm-mlx#657",
		Sentence: "the hidden state is not normalised",
		Hidden:   "where it is 0, or has a root mean square of 1 and a weight of ones",
	},
	{
		ID: "embedding-norm-missing", Ops: ofCombine,
		Sentence: "the embedding is not normalised",
		Hidden:   "where it is 0, or has a root mean square of 1 and a weight of ones",
	},
	{
		ID: "hidden-normed-twice", Ops: ofCombine, Thread: "jundot/omlx#2277",
		Sentence: "the hidden state is normalised, and the result once more",
		Hidden:   "where the weight is ones",
	},
	{
		ID: "norms-exchanged", Ops: ofCombine,
		Sentence: "the weights of the two norms change places",
		Hidden:   "where they are equal",
	},
	{
		ID: "embedding-unshifted", Ops: ofCombine, Thread: "wyf3/llm_related#20",
		Sentence: "the embedding of the token before stands in each row",
		Hidden:   "with one row",
	},
	{
		ID: "first-not-masked", Ops: ofCombine,
		Sentence: "the embedding of row 0 counts",
		Hidden:   "where mask_first is false",
	},
	{
		ID: "first-masked", Ops: ofCombine,
		Sentence: "the embedding of row 0 is 0",
		Hidden:   "where mask_first is true",
	},
}

// losing are those of the losses.
var losing = []op.Mistake{
	{
		ID: "labels-shifted-twice", Ops: ofLoss, Thread: "radixark/miles#2215",
		Sentence: "each position is compared with the token after the one that it predicts",
		Hidden:   "where no position counts, or neighbouring tokens are equal",
	},
	{
		ID: "labels-unshifted", Ops: ofLoss,
		Sentence: "each position is compared with the token before the one that it predicts",
		Hidden:   "where no position counts, or neighbouring tokens are equal",
	},
	{
		ID: "roll-wraps", Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#1609",
		Sentence: "labels are rolled: the first tokens are those that the last positions predict",
		Hidden:   "where every position has a token to predict",
	},
	{
		ID: "divisor-exchanged", Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#3159",
		Sentence: "the mean is over all positions for those that count, or the reverse",
		Hidden:   "where all count, or none",
	},
	{
		ID: "divisor-of-tokens", Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#3159",
		Sentence: "the sum of a depth is divided by the number of tokens",
		Hidden:   "where that is the divisor, or no position counts",
	},
	{
		ID: "summed", Ops: ofLoss, Thread: "NVIDIA/Megatron-LM#1532",
		Sentence: "losses of positions are summed, not averaged",
		Hidden:   "where one position counts, or none",
	},
	{
		ID: "weight-undivided", Ops: ofLoss,
		Sentence: "the weight is that of every depth, λ·Σ for λ/D·Σ",
		Hidden:   "with one depth, as DeepSeek-V3 has",
	},
	{
		ID: "weight-missing", Ops: ofLoss,
		Sentence: "the mean of the depths is not weighted",
		Hidden:   "where the weight is 1",
	},
}

// accepting are those of speculative sampling.
var accepting = []op.Mistake{
	{
		ID: "accepted-if-sampled", Ops: ofAccept, Thread: "ml-explore/mlx-swift-lm#459",
		Sentence: "a draft is kept where a sample of the target is that token",
		Hidden:   "where no decision changes, as at temperature 0",
	},
	{
		ID: "draft-taken-for-sure", Ops: ofAccept, Thread: "jaymody/speculative-sampling#3",
		Sentence: "a draft is kept with probability p, as if q were 1 at it",
		Hidden:   "where no decision changes",
	},
	{
		ID: "accepted-if-likelier", Ops: ofAccept,
		Sentence: "a draft is kept where the target likes it no less than the draft does, whatever the uniform",
		Hidden:   "where no decision changes",
	},
	{
		ID: "ratio-inverted", Ops: ofAccept,
		Sentence: "a draft is kept with probability q/p",
		Hidden:   "where no decision changes",
	},
	{
		ID: "acceptances-counted", Ops: ofAccept,
		Sentence: "drafts behind one that is refused are counted",
		Hidden:   "with one draft, or where none behind a refused one is good",
	},
	{
		ID: "sampled-from-target", Ops: ofAccept,
		Sentence: "after a refusal the next token is drawn from p, not from what q leaves over of it",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "bonus-row-always", Ops: ofAccept, Thread: "antirez/ds4#750",
		Sentence: "the next token is drawn from the last row, whatever was refused",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "residual-absolute", Ops: ofAccept,
		Sentence: "the residual is the size of p − q, not what of it is above 0",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "residual-unnormalised", Ops: ofAccept,
		Sentence: "the uniform is not multiplied by the sum of the residual",
		Hidden:   "where every draft is kept, or the same token is drawn",
	},
	{
		ID: "uniform-reused", Ops: ofAccept,
		Sentence: "the uniform that refused a draft draws the next token too",
		Hidden:   "where the same token is drawn",
	},
}
