package experts

import (
	"slices"

	"plumbline/verify/op"
)

func init() { op.Plant(choosing, weighing, networking, sending, balancing) }

var (
	ofGate    = []string{"moe.gate", "moe.layer"}
	ofExperts = []string{"moe.experts", "moe.layer"}
)

// choosing are the mistakes of a gate that chooses experts.
var choosing = []op.Mistake{
	{
		ID: "group-score-max", Numbers: []string{"G02"}, Ops: ofGate, Thread: "vllm-project/vllm#13474",
		Sentence: "a group's score is its best, as in DeepSeek-V2, whatever the request says",
		Hidden:   "without groups, where that is asked for, or where no token's experts change",
	},
	{
		ID: "group-score-top2", Numbers: []string{"G03"}, Ops: ofGate, Thread: "NVIDIA/Megatron-LM#1441",
		Sentence: "a group's score is the sum of its two best, whatever the request says",
		Hidden:   "without groups, where that is asked for, or where no token's experts change",
	},
	{
		ID: "groups-missing", Decides: "groups", Ops: ofGate, Thread: "vllm-project/vllm-ascend#3265",
		Sentence: "experts of all groups may be chosen",
		Hidden:   "without groups, or where every token's best experts are in its best groups",
	},
	{
		ID: "groups-masked-with-zero", Numbers: []string{"G04"}, Ops: ofGate, Thread: "deepseek-ai/DeepSeek-V3#741",
		Sentence: "0 stands for the scores of dropped groups, which beats negative ones",
		Hidden:   "without groups, or where no score with its bias is negative, as in released models",
	},
	{
		ID: "softmax-for-sigmoid", Numbers: []string{"G06"}, Ops: ofGate, Thread: "ggml-org/llama.cpp#18980",
		Sentence: "scores are a softmax over all experts where sigmoids are asked for",
		Hidden:   "with another score than sigmoid",
	},
	{
		ID: "weights-of-other-score", Decides: "weights", Ops: ofGate, Thread: "MetaX-MACA/vLLM-metax#270",
		Sentence: "experts are chosen by their scores, and weighed by those of another kind: softmax for sigmoid, or " +
			"sigmoid for another",
		Hidden: "with one expert for each token, whose weight is 1 where weights add up to 1",
	},
	{
		ID: "gate-bf16", Numbers: []string{"G14"}, Ops: ofGate, Thread: "sgl-project/sglang#38695",
		Declares: "gate=BF16",
		Sentence: "logits are stored in BF16",
		Hidden:   "where BF16 holds every logit, or the kernel declares it",
	},
	{
		ID: "scores-bf16", Declares: "gate=BF16", Numbers: []string{"G16"}, Ops: ofGate, Thread: "ViperEkura/AstrAI#57",
		Sentence: "scores are stored in BF16",
		Hidden:   "where BF16 holds every score",
	},
	{
		ID: "bias-bf16", Numbers: []string{"G15"}, Ops: []string{"moe.gate"}, Thread: "vllm-project/vllm#23640",
		Sentence: "the bias is stored in BF16",
		Hidden:   "without a bias, where BF16 holds it, or where no token's experts change",
	},
	{
		ID: "bias-missing", Decides: "bias", Numbers: []string{"G23"}, Ops: ofGate,
		Thread:   "tenstorrent/tt-metal#47705",
		Sentence: "experts are chosen without the bias",
		Hidden:   "without a bias, or where no token's experts change",
	},
	{
		ID: "ties-by-epsilon", Numbers: []string{"G18"}, Ops: []string{"moe.gate"}, Thread: "sgl-project/sglang#31768",
		Sentence: "3e-7 times its index is taken off a score, so that ties go to the lower index",
		Hidden:   "where no scores lie that close at the end of the choice",
	},
	{
		ID: "expert-twice", Numbers: []string{"G19"}, Ops: ofGate, Thread: "vllm-project/vllm-omni#7175",
		Sentence: "a chosen expert is taken out of the choice by writing 0, and chosen again where all others are " +
			"negative",
		Hidden: "where enough experts have scores above 0",
	},
	{
		ID: "last-choice-lost", Numbers: []string{"G20"}, Ops: ofGate, Thread: "sgl-project/sglang#8125",
		Sentence: "one expert more is chosen, in the order of their numbers, and the last gives way to the shared " +
			"expert",
		Hidden: "where the last is the worst, or there is no expert more",
	},
	{
		ID: "sigmoid-always", Ops: ofGate, Thread: "flashinfer-ai/flashinfer#5211",
		Sentence: "scores are sigmoids, as in DeepSeek-V3, whatever score the request asks for",
		Hidden:   "where sigmoids are asked for",
	},
	{
		ID: "root-missing", Ops: ofGate,
		Sentence: "scores of sqrt_softplus are log(1 + e^z), without the root",
		Hidden:   "with another score",
	},
	{
		ID: "softplus-literal", Ops: []string{"moe.gate"}, Thread: "sgl-project/sglang#34459",
		Sentence: "log(1 + e^z) is formed as it stands, in F32, and is 0 for z below −16.6",
		Hidden:   "with another score than sqrt_softplus, or where no logit is far below 0",
	},
	{
		ID: "bias-on-logits", Decides: "bias", Ops: ofGate,
		Sentence: "the bias is added to logits, before they become scores, so that weights feel it too",
		Hidden:   "without a bias, or with a softmax and a bias that is the same for all",
	},
	{
		ID: "group-score-unbiased", Ops: ofGate,
		Sentence: "groups are scored without the bias",
		Hidden:   "without a bias or groups, or where no token's experts change",
	},
	{
		ID: "bias-of-groups-only", Ops: ofGate,
		Sentence: "the bias counts where groups are chosen, and not where experts are",
		Hidden:   "without a bias, or where no token's experts change",
	},
	{
		ID: "groups-inverted", Ops: ofGate,
		Sentence: "experts are chosen from the groups of the lowest scores: the mask keeps those that it should drop",
		Hidden:   "without groups",
	},
	{
		ID: "ids-of-candidates", Ops: []string{"moe.gate"},
		Sentence: "ids are places among the experts of the kept groups, not numbers of experts",
		Hidden:   "without groups, or where the first groups are kept",
	},
	{
		ID: "ids-within-groups", Ops: []string{"moe.gate"},
		Sentence: "ids are places within a group, not numbers of experts",
		Hidden:   "without groups, or where all that are chosen are in the first",
	},
	{
		ID: "softmax-over-padding", Ops: ofGate,
		Sentence: "the softmax is over experts that are padded to the next power of two, by logits of 0 for −∞",
		Hidden:   "with another score than softmax, where experts are a power of two, or weights add up to 1",
	},
	{
		ID: "found-by-score", Ops: []string{"moe.gate"},
		Sentence: "experts are looked up by their scores: of those that tie, the first is chosen twice",
		Hidden:   "where no chosen scores tie",
	},
	{
		ID: "search-begins-at-minus-one", Ops: []string{"moe.gate"}, Thread: "vllm-project/vllm#31478",
		Sentence: "the search for the best expert begins at −1 and expert 0, which no score with its bias beats that " +
			"is below −1",
		Hidden: "where scores of chosen experts with their bias are at least −1",
	},
	{
		ID: "groups-strided", Ops: ofGate,
		Sentence: "expert e is taken to be in group e mod groups, not in one of groups that stand one behind the other",
		Hidden:   "without groups, or where no token's experts change",
	},
	{
		ID: "group-score-mean", Ops: ofGate,
		Sentence: "a group's score is the mean of all of its scores, not the sum of its best",
		Hidden:   "without groups, or where no token's experts change",
	},
	{
		ID: "choice-by-group", Ops: ofGate,
		Sentence: "as many experts are chosen from each kept group as from another, not the best of all that are " +
			"left",
		Hidden: "without groups, or where no token's experts change",
	},
	{
		ID: "softmax-over-tokens", Ops: []string{"moe.gate"},
		Sentence: "the softmax is over tokens, of each expert by itself, not over the experts of each token",
		Hidden:   "with another score than softmax",
	},
	{
		ID: "logits-ranked", Decides: "bias", Ops: ofGate,
		Sentence: "the bias is added to logits where experts are chosen, and weights are made of scores",
		Hidden:   "without a bias, or where no token's experts change",
	},
	{
		ID: "search-begins-at-zero", Ops: ofGate, Thread: "flashinfer-ai/flashinfer#2168",
		Sentence: "the search for the best expert begins at 0 and expert 0, which no negative score with its " +
			"bias beats",
		Hidden: "where no chosen score with its bias is negative",
	},
}

// weighing are the mistakes of weights.
var weighing = []op.Mistake{
	{
		ID: "gate-bias-in-weights", Decides: "bias", Numbers: []string{"G01"}, Ops: ofGate,
		Thread:   "vllm-project/vllm#12002",
		Sentence: "weights are made of scores with the bias",
		Hidden:   "without a bias, or with one expert whose weight is normalised",
	},
	{
		ID: "softmax-after-mask", Numbers: []string{"G05"}, Ops: ofGate, Thread: "InternLM/lmdeploy#3030",
		Sentence: "the softmax of the weights is over the experts of the kept groups",
		Hidden:   "with another score than softmax, without groups, or with normalised weights",
	},
	{
		ID: "weights-unnormalized", Numbers: []string{"G07"}, Ops: ofGate, Thread: "pytorch/torchtitan#1448",
		Sentence: "weights are not divided by their sum",
		Hidden:   "where they should not be",
	},
	{
		ID: "weights-normalized", Ops: ofGate, Thread: "lablup/mlxcel#391",
		Sentence: "weights are divided by their sum although they should not be",
		Hidden:   "where they should be",
	},
	{
		ID: "weights-logits", Decides: "weights", Numbers: []string{"G08"}, Ops: ofGate,
		Thread:   "sgl-project/sglang#35160",
		Sentence: "weights that are not normalised are logits",
		Hidden:   "with normalised weights",
	},
	{
		ID: "eps-after-division", Numbers: []string{"G09"}, Ops: ofGate, Thread: "tenstorrent/tt-metal#33153",
		Sentence: "norm_eps is added to the quotient",
		Hidden:   "without it or normalised weights, or where it is negligible beside 1 and the sum is not beside it",
	},
	{
		ID: "norm-eps-missing", Ops: ofGate,
		Sentence: "norm_eps is left out",
		Hidden:   "without it or normalised weights, or where it is negligible beside every sum",
	},
	{
		ID: "routed-scale-missing", Numbers: []string{"G10"}, Ops: ofGate, Thread: "sgl-project/sglang#8333",
		Sentence: "weights are not multiplied by scale, on one path of several it may be",
		Hidden:   "with a scale of 1",
	},
	{
		ID: "routed-scale-twice", Numbers: []string{"G11"}, Ops: ofGate, Thread: "vllm-project/vllm#24119",
		Sentence: "weights are multiplied by scale twice",
		Hidden:   "with a scale of 1",
	},
	{
		ID: "weights-misplaced", Ops: ofGate,
		Sentence: "experts are sorted by their numbers, and their weights are not",
		Hidden:   "where both orders agree, or with one expert a token",
	},
	{
		ID: "score-by-subtraction", Ops: []string{"moe.gate"}, Thread: "flashinfer-ai/flashinfer#3875",
		Sentence: "scores for weights are what is left of those with the bias when it is subtracted again, in F32",
		Hidden:   "without a bias, or where no score is small beside it",
	},
	{
		ID: "softmax-of-chosen", Decides: "weights", Ops: ofGate,
		Sentence: "weights are a softmax over the logits of the chosen experts, as in Mixtral",
		Hidden: "with softmax scores, with weights that are not normalised, with one expert a token, or where " +
			"sigmoids are next to 0",
	},
	{
		ID: "sum-of-all-scores", Ops: ofGate,
		Sentence: "weights are divided by the sum of the scores of all experts, not of the chosen",
		Hidden:   "where weights are not normalised, or all experts are chosen",
	},
	{
		ID: "absent-scale-is-zero", Numbers: []string{"G12"}, Ops: ofGate, Thread: "ggml-org/llama.cpp#18980",
		Sentence: "the routed experts do not count: a scale that the request leaves out is 0, not 1",
		Hidden:   "where it is given",
	},
	{
		ID: "weights-bf16", Ops: []string{"moe.gate"},
		Sentence: "weights are rounded to BF16 before they are stored",
		Hidden:   "where BF16 holds every weight",
	},
	{
		ID: "sum-of-biased-scores", Ops: ofGate,
		Sentence: "weights are divided by the sum of the chosen scores with their bias, not without",
		Hidden:   "without a bias, or where weights are not normalised",
	},
	{
		ID: "weights-over-length", Ops: ofGate,
		Sentence: "weights are divided by the root of the sum of their squares, not by their sum",
		Hidden:   "where weights are not normalised, or with one expert a token",
	},
	{
		ID: "softmax-of-chosen-scores", Decides: "weights", Ops: ofGate,
		Sentence: "weights are a softmax over the scores of the chosen experts, which are scores already: a " +
			"second one",
		Hidden: "with one expert a token",
	},
	{
		ID: "weights-normalized-over-tokens", Ops: []string{"moe.gate"}, Thread: "databricks/megablocks#87",
		Sentence: "weights are divided by sums over all tokens of a slot, not over the experts of each token",
		Hidden:   "where weights are not normalised, or with one token",
	},
	{
		ID: "sum-without-last", Ops: ofGate,
		Sentence: "weights are divided by the sum of all that are chosen but the last, as where that is the shared " +
			"expert's",
		Hidden: "with one expert for each token, or where weights are not normalised",
	},
	{
		ID: "sum-so-far", Ops: ofGate,
		Sentence: "each weight is divided by the sum of those so far, not of all that are chosen",
		Hidden:   "with one expert for each token, or where weights are not normalised",
	},
	{
		ID: "sum-floored", Ops: []string{"moe.gate"}, Thread: "openvinotoolkit/openvino#37421",
		Sentence: "the sum that weights are divided by is at least 2^−14, though norm_eps does not say so",
		Hidden:   "where weights are not normalised, or no sum is that small",
	},
}

// networking are the mistakes of expert networks.
var networking = []op.Mistake{
	{
		ID: "gate-up-swapped", Numbers: []string{"X09"}, Ops: ofExperts, Thread: "ml-explore/mlx-lm#767",
		Sentence: "W1 and W3 change places: SiLU(W3 x) ⊙ (W1 x)",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "gate-up-interleaved", Numbers: []string{"X10"}, Ops: ofExperts, Thread: "Dao-AILab/sonic-moe#12",
		Sentence: "W1 and W3 stand one behind the other, and are read as rows in turn",
		Hidden:   "with one inner unit",
	},
	{
		ID: "limit-missing", Ops: ofExperts,
		Sentence: "inner units have no limit",
		Hidden:   "without a limit, or where none reaches it",
	},
	{
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofExperts, Declares: "accumulate=BF16",
		Sentence: "sums of products are kept in BF16",
		Hidden:   "where the kernel declares that",
	},
	{
		ID: "shared-expert-missing", Numbers: []string{"X08"}, Ops: ofExperts,
		Sentence: "the shared experts are left out",
		Hidden:   "where there are none",
	},
	{
		ID: "shared-expert-scaled", Numbers: []string{"X06"}, Ops: ofExperts, Thread: "sgl-project/sglang#35535",
		Sentence: "the shared experts count twice, as where two devices add them",
		Hidden:   "where there are none",
	},
	{
		ID: "shared-expert-divided", Numbers: []string{"G13"}, Ops: []string{"moe.layer"},
		Thread:   "sgl-project/sglang#28237",
		Sentence: "the shared experts are divided by scale, which nothing multiplies them by",
		Hidden:   "where there are none, or with a scale of 1",
	},
	{
		ID: "tile-unwritten", Numbers: []string{"X13"}, Ops: ofExperts, Thread: "Avarok-Cybersecurity/atlas#474",
		Sentence: "the second half of the columns that an expert gives is never written",
		Hidden:   "with one column",
	},
	{
		ID: "combine-bf16", Ops: ofExperts, Declares: "combine=BF16",
		Sentence: "outputs of experts are weighted and added up in BF16",
		Hidden:   "where the kernel declares that",
	},
	{
		ID: "swiglu-of-gpt-oss", Ops: ofExperts,
		Sentence: "the activation is that of gpt-oss: g σ(1.702 g) times u + 1, for W1 x = g and W3 x = u",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "gelu-for-silu", Ops: ofExperts,
		Sentence: "the activation is GELU",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "shared-limit-missing", Ops: ofExperts, Thread: "sgl-project/sglang#23776",
		Sentence: "the limit is that of routed experts alone: inner units of the shared ones have none",
		Hidden:   "without shared experts or a limit, or where none of their units reaches it",
	},
	{
		ID: "routed-limit-missing", Ops: ofExperts, Thread: "vllm-project/vllm-ascend#14364",
		Sentence: "the limit is that of the shared experts alone: inner units of routed ones have none",
		Hidden:   "without a limit, or where no unit of theirs reaches it",
	},
	{
		ID: "gate-limited-below", Ops: ofExperts, Thread: "anthony-chaudhary/fak#4837",
		Sentence: "the limit bounds W1 x from below too, by its negative",
		Hidden:   "without a limit, where no W1 x is so negative, or with a large one: SiLU of it is next to 0",
	},
	{
		ID: "limit-on-activation", Ops: ofExperts,
		Sentence: "the limit bounds SiLU(W1 x), not W1 x",
		Hidden:   "without a limit, where none reaches it, or with a large one, of which SiLU takes next to nothing",
	},
	{
		ID: "limit-on-product", Ops: ofExperts, Thread: "AMD-AGI/Primus#698",
		Sentence: "the limit bounds SiLU(W1 x) ⊙ (W3 x), not its two sides",
		Hidden:   "without a limit, or where neither side reaches it",
	},
	{
		ID: "offset-wraps", Numbers: []string{"X12"}, Ops: ofExperts, Thread: "vllm-project/vllm#50220",
		Sentence: "the offset of an expert's weights loses its highest bit, as one of 32 bits does in a tensor of " +
			"more elements than it counts",
		Hidden: "where no expert begins behind the largest power of two below the elements of a tensor",
	},
	{
		ID: "shared-expert-eightfold", Numbers: []string{"X06"}, Ops: ofExperts, Thread: "sgl-project/sglang#35535",
		Sentence: "the shared experts count eight times, as where eight devices add them",
		Hidden:   "where there are none",
	},
	{
		ID: "shared-expert-unreduced", Numbers: []string{"X07"}, Ops: ofExperts,
		Thread: "vllm-project/tpu-inference#3435",
		Sentence: "only the first half of the inner units of the shared experts counts, as where the other is on a " +
			"second device and nobody adds it",
		Hidden: "where there are none, or one unit",
	},
	{
		ID: "shared-expert-multiplied", Ops: []string{"moe.layer"},
		Sentence: "scale multiplies the shared experts too",
		Hidden:   "where there are none, or with a scale of 1",
	},
	{
		ID: "shared-expert-by-sum", Ops: []string{"moe.layer"}, Thread: "vllm-project/vllm#15502",
		Sentence: "the shared experts are weighted by the sum of a token's weights over scale, which is 1 where " +
			"these are normalised",
		Hidden: "where there are none, or with normalised weights",
	},
	{
		ID: "k-tail-dropped", Ops: ofExperts,
		Sentence: "columns of x and inner units behind the last whole 32 are left out of the sums of products",
		Hidden:   "where both widths are whole steps of 32",
	},
	{
		ID: "routed-sum-twice", Ops: ofExperts,
		Sentence: "the sum of routed experts counts twice, as where two devices have all of it and add",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "relu-for-silu", Ops: ofExperts,
		Sentence: "the activation is ReLU",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "sigmoid-for-silu", Ops: ofExperts,
		Sentence: "the activation is the sigmoid σ(W1 x): SiLU without its factor W1 x",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "quick-gelu-for-silu", Ops: ofExperts,
		Sentence: "the activation is z σ(1.702 z), not z σ(z)",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "activation-missing", Ops: ofExperts,
		Sentence: "there is no activation: W1 x itself multiplies W3 x",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "linear-part-missing", Ops: ofExperts,
		Sentence: "W3 x does not multiply SiLU(W1 x)",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "up-limited-above", Ops: ofExperts,
		Sentence: "the limit bounds W3 x from above alone, not by its negative from below",
		Hidden:   "without a limit, or where no W3 x is so negative",
	},
	{
		ID: "up-unlimited", Ops: ofExperts,
		Sentence: "the limit bounds W1 x alone, and W3 x not",
		Hidden:   "without a limit, or where no W3 x reaches it",
	},
	{
		ID: "gate-unlimited", Ops: ofExperts,
		Sentence: "the limit bounds W3 x alone, and W1 x not",
		Hidden:   "without a limit, or where no W1 x reaches it",
	},
}

// sending are the mistakes between tokens and experts.
var sending = slices.Concat([]op.Mistake{
	{
		ID: "weight-on-input", Numbers: []string{"X02"}, Ops: ofExperts, Thread: "vllm-project/vllm#16744",
		Sentence: "a weight multiplies what its expert reads, not what it gives",
		Hidden:   "with weights of 1",
	},
	{
		ID: "weight-twice", Numbers: []string{"X01"}, Ops: ofExperts, Thread: "vllm-project/vllm#43694",
		Sentence: "what an expert gives is multiplied by its weight twice",
		Hidden:   "with weights of 1",
	},
	{
		ID: "weight-of-first-slot", Numbers: []string{"X03"}, Ops: ofExperts,
		Thread:   "vllm-project/vllm-xpu-kernels#66",
		Sentence: "the weight of a token's first expert is that of all",
		Hidden:   "with one expert a token, or equal weights",
	},
	{
		ID: "weights-missing", Numbers: []string{"X04"}, Ops: ofExperts, Thread: "deepseek-ai/DeepEP#112",
		Sentence: "outputs of experts are summed without weights",
		Hidden:   "with weights of 1",
	},
	{
		ID: "counts-shifted", Numbers: []string{"X05"}, Ops: ofExperts, Thread: "InternLM/xtuner#2053",
		Sentence: "segments begin one row late: the first row of each expert goes to the one before",
		Hidden:   "where one expert has all tokens",
	},
	{
		ID: "local-ids", Numbers: []string{"X11"}, Ops: ofExperts, Thread: "vllm-project/vllm-gaudi#1796",
		Sentence: "ids of all experts are taken for those of one device of two: experts of the second half are none",
		Hidden:   "where no token has one of those",
	},
	{
		ID: "last-choice-lost", Numbers: []string{"G20"}, Ops: []string{"moe.experts"},
		Thread:   "sgl-project/sglang#8125",
		Sentence: "the last expert of a token is left out",
		Hidden:   "where no token has one there",
	},
	{
		ID: "negative-ids-wrap", Ops: []string{"moe.experts"},
		Sentence: "ids below 0 count from the end",
		Hidden:   "where there are none",
	},
	{
		ID: "duplicates-dropped", Ops: []string{"moe.experts"}, Thread: "ggml-org/llama.cpp#26295",
		Sentence: "an expert that a token has twice counts once, in the first of its slots",
		Hidden:   "where no token has one twice",
	},
	{
		ID: "duplicates-overwritten", Ops: []string{"moe.experts"}, Thread: "ggml-org/llama.cpp#27015",
		Sentence: "an expert that a token has twice counts once, with the weight of the later slot: it is written " +
			"over the earlier one",
		Hidden: "where no token has one twice",
	},
	{
		ID: "last-row-only", Ops: ofExperts,
		Sentence: "of the tokens of an expert the last alone has its output: its list is overwritten, not extended",
		Hidden:   "where none has two",
	},
	{
		ID: "experts-counted-busy", Ops: ofExperts,
		Sentence: "experts without rows are not counted: the second that has rows has the second matrices",
		Hidden:   "where every expert before the last with rows has some",
	},
	{
		ID: "tile-of-one-expert", Numbers: []string{"X14"}, Ops: ofExperts, Thread: "deepseek-ai/DeepGEMM#15",
		Sentence: "rows sorted by expert are multiplied in tiles by the matrices of the expert of the first of them",
		Hidden:   "where these are of one expert",
	},
	{
		ID: "activation-of-product", Ops: ofExperts,
		Sentence: "the activation is of the product, SiLU((W1 x) ⊙ (W3 x)), not SiLU(W1 x) ⊙ (W3 x)",
		Hidden:   "never",
	},
	{
		ID: "gpt-oss-fused", Ops: []string{"moe.experts"}, Thread: "microsoft/onnxruntime#28738",
		Sentence: "experts are those of gpt-oss: rows of W1 and W3 by turns, a limit of 7, and g σ(1.702 g) (u + 1)",
		Hidden:   "never",
	},
	{
		ID: "up-plus-one", Ops: ofExperts,
		Sentence: "1 is added to W3 x, as in gpt-oss: SiLU(W1 x) ⊙ (W3 x + 1)",
		Hidden:   "never",
	},
	{
		ID: "row-tail-dropped", Ops: ofExperts,
		Sentence: "an expert with more than 16 tokens computes whole tiles of 16 alone, and gives the last nothing",
		Hidden:   "where no expert has more than 16, or has whole tiles",
	},
	{
		ID: "first-tile-only", Ops: []string{"moe.experts"},
		Sentence: "an expert computes one tile of its tokens alone, and gives the others nothing",
		Hidden:   "where no expert has more than a tile, of 64",
	},
	{
		ID: "shared-expert-weighted", Ops: ofExperts, Thread: "MooreThreads/torchada#84",
		Sentence: "the shared experts have the weight of a token's first expert, where they have none",
		Hidden:   "without shared experts, or where that is 1",
	},
	{
		ID: "residual-added", Ops: ofExperts,
		Sentence: "x is added to the output, which is that of the experts alone",
		Hidden:   "never",
	},
	{
		ID: "shared-reads-routed", Ops: ofExperts, Thread: "FlashML-org/FreeToken#463",
		Sentence: "the shared experts read the sum of the routed ones, which is written in place of x before",
		Hidden:   "without shared experts",
	},
	{
		ID: "ids-flattened", Ops: []string{"moe.experts"}, Thread: "vcruz305/vllm-exl3#2",
		Sentence: "ids and weights are read as if they were flat: token n has one expert, the n-th of N·K",
		Hidden:   "with one slot",
	},
	{
		ID: "weight-on-both", Numbers: []string{"X01"}, Ops: ofExperts, Thread: "vllm-project/vllm#43694",
		Sentence: "a weight multiplies what its expert reads, and again what it gives",
		Hidden:   "with weights of 1",
	},
	{
		ID: "expert-weights-bf16", Ops: []string{"moe.experts"},
		Sentence: "weights are rounded to BF16 before they multiply",
		Hidden:   "where BF16 holds them; outputs in BF16 hide it too, where they are few",
	},
	{
		ID: "combine-skipped", Numbers: []string{"X15"}, Ops: ofExperts, Thread: "deepspeedai/DeepSpeed#8213",
		Sentence: "outputs of experts are neither weighted nor summed: row n is that of pair n, of N·K",
		Hidden:   "with one expert a token, of weight 1",
	},
	{
		ID: "outputs-unsorted", Ops: ofExperts,
		Sentence: "outputs of experts stay in the order of these: row r of all that are sorted by expert is taken " +
			"for that of pair r",
		Hidden: "where pairs stand in the order of their experts",
	},
	{
		ID: "outputs-sorted-again", Ops: ofExperts, Thread: "lablup/mlxcel#1600",
		Sentence: "outputs of experts are put back by the order that sorted them, not by its inverse",
		Hidden:   "where the two are the same, as where pairs stand in the order of their experts",
	},
	{
		ID: "experts-as-many-as-slots", Ops: []string{"moe.experts"}, Thread: "huggingface/transformers#43154",
		Sentence: "the number of slots K is taken for that of experts: experts from K on are none",
		Hidden:   "where no token has one of those",
	},
	{
		ID: "combine-overwrites", Ops: ofExperts,
		Sentence: "the last expert of a token overwrites what those before it gave",
		Hidden:   "with one expert a token",
	},
	{
		ID: "first-row-only", Ops: ofExperts, Thread: "vllm-project/vllm-xpu-kernels#453",
		Sentence: "an expert computes the first of its tokens alone, and gives the others nothing",
		Hidden:   "where none has two",
	},
	{
		ID: "last-row-missing", Ops: ofExperts,
		Sentence: "an expert computes one token less than it has",
		Hidden:   "where no token has an expert",
	},
	{
		ID: "capacity-dropped", Ops: ofExperts,
		Sentence: "an expert takes ⌈N·K/E⌉ tokens at most, and the others lose it",
		Hidden:   "where none has more",
	},
	{
		ID: "negative-ids-first", Ops: []string{"moe.experts"},
		Sentence: "ids below 0 are taken for the first expert",
		Hidden:   "where there are none",
	},
	{
		ID: "weights-unsorted", Ops: ofExperts,
		Sentence: "rows are sorted by expert and weights are not: row r has the weight of pair r, not of its own",
		Hidden:   "where pairs stand in the order of their experts, or with equal weights",
	},
	{
		ID: "weights-normalized-again", Ops: []string{"moe.experts"},
		Sentence: "weights are divided by the sum of their token's, as if they were scores",
		Hidden:   "where weights add up to 1",
	},
	{
		ID: "token-by-remainder", Ops: ofExperts,
		Sentence: "the token of pair p is p mod N, not ⌊p/K⌋: an expert reads another token's row",
		Hidden:   "with one token or one slot",
	},
	{
		ID: "unrouted-passed-on", Ops: []string{"moe.experts"},
		Sentence: "a token without an expert keeps its x, where its output is 0",
		Hidden:   "where every token has an expert",
	},
	{
		ID: "weights-through-softmax", Ops: []string{"moe.experts"},
		Sentence: "weights are taken for logits: a softmax of a token's is multiplied",
		Hidden:   "where a token's weights are its softmax",
	},
	{
		ID: "weights-stride-missing", Ops: ofExperts, Thread: "ByteDance-Seed/Triton-distributed#133",
		Sentence: "the weight of slot k of token n is the flat weight n + k, not n·K + k",
		Hidden:   "with one token or one slot, or where the weights are equal",
	},
	{
		ID: "ids-stride-missing", Ops: []string{"moe.experts"},
		Sentence: "the expert of slot k of token n is the flat id n + k, not n·K + k",
		Hidden:   "with one token or one slot",
	},
}, dispatching)

// dispatching are the mistakes of sorting pairs.
var dispatching = []op.Mistake{
	{
		ID: "unstable-sort", Ops: []string{"moe.dispatch"},
		Sentence: "pairs of one expert stand in the order in which they happened to come",
		Hidden:   "where no expert has two",
	},
	{
		ID: "counts-cumulative", Ops: []string{"moe.dispatch"},
		Sentence: "counts are those of all experts so far",
		Hidden:   "where only the last expert has rows",
	},
	{
		ID: "counts-shifted", Numbers: []string{"X05"}, Ops: []string{"moe.dispatch"}, Thread: "InternLM/xtuner#2053",
		Sentence: "counts are those of the expert before",
		Hidden:   "where all experts have the same number of rows",
	},
	{
		ID: "padding-counted", Numbers: []string{"G24"}, Ops: []string{"moe.dispatch"},
		Thread:   "NVIDIA/Megatron-LM#5542",
		Sentence: "pairs without an expert are counted for the first",
		Hidden:   "where every pair has one",
	},
	{
		ID: "padding-counted-last", Ops: []string{"moe.dispatch"},
		Sentence: "pairs without an expert are counted for the last one, as ids that wrap do",
		Hidden:   "where every pair has one",
	},
	{
		ID: "duplicates-counted-once", Ops: []string{"moe.dispatch"},
		Sentence: "counts are of tokens, not of pairs: an expert that a token has twice is counted once",
		Hidden:   "where no token has one twice",
	},
	{
		ID: "tiles-overwrite", Ops: []string{"moe.dispatch"},
		Sentence: "every tile of tokens begins at the first row of an expert, and writes over what those before wrote",
		Hidden:   "with one tile, of 64 tokens",
	},
	{
		ID: "pairs-by-slot", Ops: []string{"moe.dispatch"},
		Sentence: "pairs are numbered slot by slot, k·N + n",
		Hidden:   "with one token or one slot",
	},
	{
		ID: "tokens-for-pairs", Ops: []string{"moe.dispatch"},
		Sentence: "rows name tokens, not pairs",
		Hidden:   "with one slot",
	},
	{
		ID: "order-inverted", Ops: []string{"moe.dispatch"},
		Sentence: "order has the row of each pair, not the pair of each row",
		Hidden:   "where the two are the same, as for pairs in order",
	},
	{
		ID: "first-row-only", Ops: []string{"moe.dispatch"}, Thread: "vllm-project/vllm-xpu-kernels#453",
		Sentence: "every row but the first has N·K, which stands for padding",
		Hidden:   "with one row",
	},
	{
		ID: "counts-padded", Ops: []string{"moe.dispatch"},
		Sentence: "counts are rounded up to whole tiles of 128",
		Hidden:   "where each is a whole number of them",
	},
	{
		ID: "scan-restarted", Ops: []string{"moe.dispatch"}, Thread: "ROCm/aiter#4482",
		Sentence: "the rows in which experts begin are summed over 32 experts at a time, as by one warp, and nothing " +
			"is carried on: every 33rd begins at row 0 again",
		Hidden: "with 32 experts at most, or where none behind the first 32 has rows",
	},
	{
		ID: "counts-of-starts", Ops: []string{"moe.dispatch"},
		Sentence: "counts are the rows in which experts begin",
		Hidden:   "where no expert has rows",
	},
	{
		ID: "padding-first", Ops: []string{"moe.dispatch"},
		Sentence: "pairs without an expert are sorted before all others, and the order begins with them",
		Hidden:   "where every pair has one",
	},
	{
		ID: "slots-apart", Ops: []string{"moe.dispatch"},
		Sentence: "the pairs of an expert stand slot by slot, not token by token",
		Hidden:   "with one token or one slot",
	},
	{
		ID: "first-count-of-second", Ops: []string{"moe.dispatch"}, Thread: "vllm-project/vllm-ascend#5023",
		Sentence: "the first count is that of the second expert, as where counts are differences of cumulative ones",
		Hidden:   "where both are equal, or with one expert",
	},
}

// balancing are the mistakes of losses and of the bias.
var balancing = []op.Mistake{
	{
		ID: "first-choices-only", Ops: []string{"moe.balance_loss"},
		Sentence: "only the first expert of a token counts, as in GShard",
		Hidden:   "with one expert a token, or where the loss is the same",
	},
	{
		ID: "counts-of-scores", Ops: []string{"moe.balance_loss"},
		Sentence: "the experts of the highest scores count, not those that were chosen",
		Hidden:   "where they are the same",
	},
	{
		ID: "padding-counted", Numbers: []string{"G24"}, Ops: []string{"moe.balance_loss"},
		Thread:   "NVIDIA/Megatron-LM#5542",
		Sentence: "slots without an expert count for the first",
		Hidden:   "where every slot has one",
	},
	{
		ID: "loss-unscaled", Ops: []string{"moe.balance_loss"},
		Sentence: "the factor E/K is left out",
		Hidden:   "with as many experts as slots, or where tokens of devices are counted",
	},
	{
		ID: "alpha-missing", Ops: []string{"moe.balance_loss"}, Thread: "NVIDIA-NeMo/Automodel#1408",
		Sentence: "alpha is left out",
		Hidden:   "with an alpha of 1",
	},
	{
		ID: "batch-mean-for-sequence", Ops: []string{"moe.balance_loss"},
		Sentence: "shares and mean scores are those of the whole batch",
		Hidden:   "with another kind than sequence, or with one",
	},
	{
		ID: "sequences-summed", Ops: []string{"moe.balance_loss"},
		Sentence: "the losses of sequences are summed",
		Hidden:   "with another kind than sequence, or with one",
	},
	{
		ID: "scores-unnormalized", Ops: []string{"moe.balance_loss"},
		Sentence: "scores are not divided by the sum of their row",
		Hidden:   "where they should not be, or rows sum to 1",
	},
	{
		ID: "device-shares-summed", Ops: []string{"moe.balance_loss"},
		Sentence: "the share of a device is the sum of its experts'",
		Hidden:   "with another kind than device, or with one expert on each",
	},
	{
		ID: "experts-for-devices", Ops: []string{"moe.balance_loss"},
		Sentence: "a token counts for a device as often as it has experts there",
		Hidden:   "with another kind than communication, or where no token has two on one device",
	},
	{
		ID: "top-groups-missing", Ops: []string{"moe.balance_loss"},
		Sentence: "a token may go to all devices",
		Hidden:   "with another kind than communication, or where it may",
	},
	{
		ID: "bias-sign-reversed", Numbers: []string{"G22"}, Ops: []string{"moe.bias_update"},
		Sentence: "the bias of experts with much load grows",
		Hidden:   "where every step is lost in the bias",
	},
	{
		ID: "bias-frozen", Numbers: []string{"G22"}, Ops: []string{"moe.bias_update"},
		Thread:   "AI-Hypercomputer/maxtext#2494",
		Sentence: "the bias stays as it is",
		Hidden:   "where every step is lost in the bias",
	},
	{
		ID: "rules-exchanged", Ops: []string{"moe.bias_update"},
		Sentence: "steps are proportional where signs are asked for, or the reverse",
		Hidden:   "where every load is within one of the mean",
	},
	{
		ID: "center-missing", Ops: []string{"moe.bias_update"},
		Sentence: "the mean of the steps is not subtracted",
		Hidden:   "where it should not be, or is 0",
	},
	{
		ID: "bias-centered", Ops: []string{"moe.bias_update"},
		Sentence: "the mean of the bias is subtracted, not that of the steps",
		Hidden:   "where none should be, or both are the same",
	},
	{
		ID: "balanced-moved", Ops: []string{"moe.bias_update"},
		Sentence: "an expert of mean load has a step up",
		Hidden:   "with the proportional rule, or where no expert has mean load",
	},
	{
		ID: "empty-experts-left-out", Ops: []string{"moe.bias_update"},
		Sentence: "the mean load is that of experts which have any",
		Hidden:   "where every expert has, or no step changes",
	},
	{
		ID: "counts-capped", Ops: []string{"moe.balance_loss"}, Thread: "NVIDIA/Megatron-LM#1513",
		Sentence: "an expert's tokens count up to its capacity, K T/E, alone",
		Hidden:   "where none has more",
	},
	{
		ID: "loss-times-tokens", Ops: []string{"moe.balance_loss"}, Thread: "NVIDIA-NeMo/Automodel#1408",
		Sentence: "the loss is multiplied by the number of tokens",
		Hidden:   "with one token",
	},
	{
		ID: "chosen-scores-only", Ops: []string{"moe.balance_loss"}, Thread: "paiml/aprender#2162",
		Sentence: "the mean score of an expert is over the tokens that chose it alone: other tokens' scores are 0",
		Hidden:   "where all experts are chosen, or each expert is scored 0 by the others",
	},
	{
		ID: "chosen-scores-normalized", Ops: []string{"moe.balance_loss"}, Thread: "AI-Hypercomputer/maxtext#1432",
		Sentence: "mean scores are those of weights: scores of a token's experts, divided by their sum, and 0 for " +
			"the others",
		Hidden: "where all experts are chosen",
	},
	{
		ID: "multiplied-by-token", Ops: []string{"moe.balance_loss"},
		Sentence: "the loss is a mean of products, token by token: chosen or not times the score, not share " +
			"times mean",
		Hidden: "with one token, or where all have the same experts or scores",
	},
	{
		ID: "scores-for-shares", Ops: []string{"moe.balance_loss"},
		Sentence: "mean scores stand for the shares of tokens: Σ P² for Σ f P",
		Hidden:   "where they are equal",
	},
	{
		ID: "sequences-interleaved", Ops: []string{"moe.balance_loss"},
		Sentence: "token t is taken to be in sequence t mod B, as in a batch whose first axis is time",
		Hidden:   "with another kind than sequence, or with one",
	},
	{
		ID: "unrouted-left-out", Ops: []string{"moe.balance_loss"},
		Sentence: "tokens without an expert do not count: shares and mean scores are over the others",
		Hidden:   "where every token has an expert",
	},
	{
		ID: "scores-through-softmax", Ops: []string{"moe.balance_loss"}, Thread: "huggingface/transformers#45111",
		Sentence: "scores are taken for logits: a softmax of them is summed",
		Hidden:   "where they are equal",
	},
	{
		ID: "device-scores-averaged", Ops: []string{"moe.balance_loss"},
		Sentence: "the score of a device is the mean of its experts', not the sum",
		Hidden:   "with kinds that have no devices, or with one expert on each",
	},
	{
		ID: "balanced-lowered", Ops: []string{"moe.bias_update"},
		Sentence: "an expert of mean load has a step down",
		Hidden:   "with the proportional rule, or where no expert has mean load",
	},
	{
		ID: "mean-floored", Ops: []string{"moe.bias_update"},
		Sentence: "the mean load is rounded down to a whole number",
		Hidden:   "where it is whole, or no step changes",
	},
	{
		ID: "update-bf16", Ops: []string{"moe.bias_update"},
		Sentence: "the bias is kept in BF16, where most steps are lost",
		Hidden:   "where the bias has that type",
	},
	{
		ID: "sums-multiplied", Ops: []string{"moe.balance_loss"}, Thread: "mindspore-ai/hyper-parallel#752",
		Sentence: "shares and mean scores are summed each by itself, and the sums multiplied: the loss does not " +
			"depend on the balance",
		Hidden: "where all shares or all mean scores are equal",
	},
	{
		ID: "slots-uncounted", Ops: []string{"moe.balance_loss"}, Thread: "huggingface/transformers#43688",
		Sentence: "shares of tokens are not divided by the number of slots K: they sum to E·K, not to E",
		Hidden:   "with one slot, or where tokens of devices are counted",
	},
	{
		ID: "batch-shares-for-sequence", Ops: []string{"moe.balance_loss"},
		Sentence: "shares of tokens are those of the whole batch, mean scores those of a sequence",
		Hidden:   "with another kind than sequence, or with one",
	},
	{
		ID: "scores-counted", Ops: []string{"moe.balance_loss"},
		Sentence: "a token counts for its experts with their scores, not as 1",
		Hidden:   "where scores are 1, or where tokens of devices are counted",
	},
	{
		ID: "scores-over-slots", Ops: []string{"moe.balance_loss"}, Thread: "datawhalechina/llm-algo-leetcode#43",
		Sentence: "mean scores are divided by the number of pairs, T·K, not of tokens",
		Hidden:   "with one slot",
	},
	{
		ID: "loss-averaged", Ops: []string{"moe.balance_loss"},
		Sentence: "the loss is the mean of f P over experts or devices, not the sum",
		Hidden:   "with one of them",
	},
	{
		ID: "alpha-twice", Ops: []string{"moe.balance_loss"},
		Sentence: "alpha multiplies the loss twice",
		Hidden:   "with an alpha of 1",
	},
	{
		ID: "shares-for-scores", Ops: []string{"moe.balance_loss"},
		Sentence: "shares of tokens stand for the mean scores too: Σ f² for Σ f P",
		Hidden:   "where they are equal",
	},
	{
		ID: "shares-of-routed-slots", Ops: []string{"moe.balance_loss"},
		Sentence: "shares are of the slots that have an expert, not of all T·K",
		Hidden:   "where every slot has one, or where tokens of devices are counted",
	},
	{
		ID: "mean-over-choosers", Ops: []string{"moe.balance_loss"},
		Sentence: "the mean score of an expert is over the tokens that chose it, not over all",
		Hidden:   "where all experts are chosen by all, or the loss is the same",
	},
	{
		ID: "result-centered", Ops: []string{"moe.bias_update"},
		Sentence: "the mean of the bias after the step is subtracted from it",
		Hidden:   "where it is 0",
	},
	{
		ID: "median-for-mean", Ops: []string{"moe.bias_update"},
		Sentence: "loads are compared with their median, not with their mean",
		Hidden:   "where both are the same, or no step changes",
	},
	{
		ID: "load-bf16", Ops: []string{"moe.bias_update"}, Thread: "NVIDIA/Megatron-LM#7081",
		Sentence: "loads are kept in BF16: those near the mean may step the other way, or not at all",
		Hidden:   "where BF16 holds every load, or no step changes",
	},
	{
		ID: "share-for-mean", Ops: []string{"moe.bias_update"}, Thread: "gfyddha/FlyLoRA#1",
		Sentence: "loads are compared with the share 1/E, not with their mean",
		Hidden:   "where every load is 0, or no step changes",
	},
}

func init() { op.Leave(refused) }

// refused are what a recording of one call cannot show, and what no recording has.
var refused = []op.Beyond{
	{
		Number: "G17", Thread: "vllm-project/vllm#52679",
		Sentence: "of scores that tie, a kernel chooses another expert than the reference does",
		Why:      "both are right: where scores tie, any choice among them is accepted",
	},
	{
		Number: "G21", Thread: "huggingface/transformers#48649",
		Sentence: "scores are reshaped into groups where the experts are no multiple of them, and rows mix",
		Why:      "refused: groups have to be of equal size",
	},
}
