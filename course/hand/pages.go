package hand

// pages returns the pages in the order of the list.
func pages() []handPage { return append(modelPages(), learningPages()...) }

func modelPages() []handPage {
	return []handPage{
		{"attention", "Attention", attentionAbout, attentionPage},
		{"gqa", "From MHA to MQA", "Four query heads with four, two and one heads of keys and values.", gqaPage},
		{"cache", "The KV cache", "Three tokens decoded one by one, and why no query is kept.", cachePage},
		{"rope", "RoPE", "A quarter of a turn for each position; scores that depend on distances alone.", ropePage},
		{"yarn", "YaRN", "Which frequencies are stretched, and the temperature, in DeepSeek-V3's numbers.", yarnPage},
		{"mla", "Multi-head latent attention", mlaAbout, mlaPage},
		{"experts", "Mixture of experts", expertsAbout, expertsPage},
		{"balance", "Load balancing", "Loads, MaxVio, a step of the bias, and the loss that it replaces.", balancePage},
		{"fp8", "FP8", "One 1×128 tile quantised, a product of two blocks, and what tensor cores lose.", fp8Page},
		{"mtp", "Multi-token prediction", "A module of depth 1 from its two inputs to its loss.", mtpPage},
		{"speculative", "Speculative decoding", speculativeAbout, speculativePage},
	}
}

func learningPages() []handPage {
	return []handPage{
		{"ladder", "From Monte Carlo to actor-critic", ladderAbout, ladderPage},
		{"gae", "Generalised advantage estimation", gaeAbout, gaePage},
		{"trpo", "TRPO", "One softmax state: gradient, Fisher, step, and the KL that it reaches.", trpoPage},
		{"ppo", "PPO and its clips", ppoAbout, ppoPage},
		{"grpo", "GRPO", "Four answers: advantages of the group, the divergence, the loss and its gradient.", grpoPage},
		{"dpo", "DPO", "Three responses: the optimal policy, implicit rewards, preferences, the loss.", dpoPage},
		{"unified", "One gradient for all", unifiedAbout, unifiedPage},
	}
}

const (
	attentionAbout = "Two queries and two keys in whole numbers: scores, softmax, values; a causal mask, a sink, the " +
		"way back, and two parts of the keys joined."
	mlaAbout = "The naive form beside the absorbed one, with d_c = 2; a step of decoding from a paged cache; the norm."

	expertsAbout     = "One token through a gate of four groups and eight experts, and the sort before them."
	speculativeAbout = "One draft over three tokens: kept or replaced, how often, and how many tokens a step brings."

	ladderAbout = "One episode of three states: Monte Carlo, TD(0), SARSA, Q-learning, DQN, Double DQN, policy " +
		"gradient, actor-critic."
	gaeAbout     = "Three tokens: surprises, advantages, returns; the two ends of λ; the loss of the values."
	ppoAbout     = "Ratios, clips of both signs, the dual clip, CISPO, and the gradient that GPPO keeps."
	unifiedAbout = "The gradient coefficients of SFT, RFT, DPO, PPO and GRPO on the same answers."
)

func attentionPage() []*Sheet {
	causal := work("With a causal mask", "The first query sees the first key alone: its weight is 1.",
		tinyAttention(map[string]any{"causal": true}).Recording, walkAttention)
	sink := work("With a sink", "A sink of ln 3 takes the share of a key whose exponential is 3.",
		tinyAttention(map[string]any{}).put("sink", nil, ln3).Recording, walkAttention)
	return []*Sheet{attentionSheet(), causal, sink, backwardSheet(), mergeSheet()}
}

func ropePage() []*Sheet { return []*Sheet{rotationSheet(), distanceSheet(), tableSheet()} }

func mlaPage() []*Sheet { return []*Sheet{latentSheet(), decodeSheet(), normSheet()} }

func expertsPage() []*Sheet { return []*Sheet{layerSheet(), dispatchSheet()} }

func balancePage() []*Sheet { return []*Sheet{biasSheet(), balanceSheet()} }

func fp8Page() []*Sheet { return []*Sheet{castSheet(), productSheet(), stepSheet()} }

func mtpPage() []*Sheet { return []*Sheet{combineSheet(), moduleSheet(), predictedSheet()} }

func speculativePage() []*Sheet { return []*Sheet{acceptSheet(), ratesSheet()} }

func gaePage() []*Sheet { return []*Sheet{gaeSheet(), endsSheet(), valueSheet()} }

func ppoPage() []*Sheet { return []*Sheet{ppoSheet(), clipsSheet()} }

func grpoPage() []*Sheet { return []*Sheet{advantageSheet(), klSheet(), grpoSheet()} }

func dpoPage() []*Sheet { return []*Sheet{optimumSheet(), dpoSheet()} }

func unifiedPage() []*Sheet {
	return []*Sheet{logprobSheet(), unifiedSheet(), entropySheet(), mismatchSheet()}
}
