package course

var learningRoute = Route{
	ID:    "reinforcement-learning-up-to-grpo-and-r1",
	Title: Text{"Reinforcement learning up to GRPO and R1", "从强化学习基础到 GRPO 与 R1"},
	Intro: Text{
		`A model that writes is a policy: each token is an action, and the reward comes at the end. This route starts
		with averages of returns and ends with the objective that trained DeepSeek-R1.`,
		`生成文本的模型就是一个策略：每个 token 是一次动作，奖励到最后才来。这条路线从回报的平均值出发，
		终点是训练出 DeepSeek-R1 的目标函数。`,
	},
	Stations: []Station{
		{
			ID:    "monte-carlo",
			Title: Text{"Monte Carlo", "蒙特卡洛方法"},
			Why: Text{
				`What a state is worth is the mean of what followed it: play to the end, sum the rewards, move the
				estimate toward the sum.`,
				`一个状态的价值，就是从它出发平均能得到的回报：一直走到结束，把一路上的奖励加起来，
				再让估计值向这个和靠近一点。`,
			},
			Exercise: Text{
				`With which step size α is the estimate exactly the mean of all returns so far?`,
				`步长 α 取多少时，估计值恰好等于迄今所有回报的平均？`,
			},
			Answer: Text{
				`α = 1/n for the n-th return.`,
				`第 n 次回报用 α = 1/n。`,
			},
			Read:     []Read{{"Monte Carlo", "蒙特卡洛"}},
			Function: []string{"rl.MonteCarlo", "rl.Returns"},
			Look:     Look{Hand: "ladder", Picture: "rl", Story: "bandit"},
		},
		{
			ID:    "temporal-differences",
			Title: Text{"Temporal differences (TD)", "时序差分（TD）"},
			Why: Text{
				`Waiting for the end is slow and noisy; one reward and the present estimate of the next state make a
				target after a single step.`,
				`等到结束才更新，不仅慢，噪声也大；用一步的奖励加上对下一状态的当前估计作目标，
				每走一步就能更新一次。`,
			},
			Exercise: Text{
				`A random walk over five states in a row, to either side with ½, from the middle, with reward 1 behind the
				right end and no discount: what are the true values?`,
				`五个状态排成一行，从中间出发，以各 ½ 的概率向左或向右随机游走，从右端走出时奖励为 1，不打折扣：
				各状态的真实价值是多少？`,
			},
			Answer: Text{
				`1/6, 2/6, 3/6, 4/6, 5/6.`,
				`1/6、2/6、3/6、4/6、5/6。`,
			},
			Read:     []Read{{"TD", "TD"}},
			Function: []string{"rl.TD0", "rl.TDError", "rl.Target", "rl.SARSA"},
			Look:     Look{Hand: "ladder", Picture: "rl", Story: "bandit"},
		},
		{
			ID:    "q-learning",
			Title: Text{"Q-learning", "Q-learning"},
			Why: Text{
				`Values of states do not say what to do; values of actions do, and with the best next action in the target
				they become those of the best policy, whatever policy gathers the data, if only it tries everything.`,
				`光有状态价值还不知道该做什么，有了动作价值才知道；目标里取下一步的最优动作，
				那么不管数据由哪个策略收集，只要各种动作都试到，学到的都是最优策略的动作价值。`,
			},
			Exercise: Text{
				`SARSA and Q-learning differ in one symbol. For which policy do they agree?`,
				`SARSA 与 Q-learning 的公式只差一处。用哪种策略时两者相同？`,
			},
			Answer: Text{
				`For the greedy one.`,
				`贪心策略。`,
			},
			Read:     []Read{{"Q-learning", "Q-learning"}},
			Function: []string{"rl.QLearning"},
			Look:     Look{Hand: "ladder", Picture: "rl", Story: "bandit"},
		},
		{
			ID:    "dqn",
			Title: Text{"Deep Q-networks (DQN)", "深度 Q 网络（DQN）"},
			Why: Text{
				`A table cannot hold all states: a network gives the values, and its targets come from a copy that is kept
				still, for a target that moves with the guess is chased forever.`,
				`状态太多，表格存不下：改用网络来估计价值，目标则由一份固定不动的副本来算，
				否则目标跟着估计一起跑，永远追不上。`,
			},
			Exercise: Text{
				`The maximum chooses an action and says its value, and of noisy values it is too large. Which of the two
				does Double DQN give to which network?`,
				`取最大值既选出动作，又给出它的价值；价值带噪声时，结果会偏大。
				Double DQN 把“选动作”和“估价值”分别交给哪个网络？`,
			},
			Answer: Text{
				`The trained network chooses the action, the copy gives its value.`,
				`正在训练的网络选动作，固定的副本（目标网络）估它的价值。`,
			},
			Read:     []Read{{"DQN", "DQN"}},
			Function: []string{"rl.DQNLoss", "rl.DQNTargets", "rl.DoubleDQNTargets"},
			Look:     Look{Hand: "ladder", Picture: "rl", Story: "bandit"},
		},
		{
			ID:    "policy-gradients",
			Title: Text{"Policy gradients", "策略梯度"},
			Why: Text{
				`To act on values is to take their maximum, which jumps where two of them cross and names one action alone;
				let the network give the policy itself, as a language model does for 129,280 tokens, and push the
				log-probability of what was done up or down by what came of it.`,
				`靠价值行动，就要取最大值：两个价值一交叉，动作就突变，而且永远只给出一个动作；
				不如让网络直接给出策略（语言模型给出的正是 129,280 个 token 的概率），再按动作带来的结果，
				提高或降低它的对数概率。`,
			},
			Exercise: Text{
				`Two arms with rewards 1 and 0, policy σ(z): what is the gradient of the expected reward by z?`,
				`双臂老虎机，两臂的奖励分别为 1 和 0，以 σ(z) 的概率选第一臂：期望奖励对 z 的梯度是多少？`,
			},
			Answer: Text{
				`p(1 − p), with p = σ(z).`,
				`p(1 − p)，其中 p = σ(z)。`,
			},
			Read:     []Read{{"policy gradients", "策略梯度"}},
			Function: []string{"rl.PolicyGradient", "rl.Reinforce", "rl.PolicyObjective"},
			Look:     Look{Hand: "ladder", Picture: "rl", Derivation: "policy-gradient", Story: "bandit"},
		},
		{
			ID:    "baselines-and-actor-critic",
			Title: Text{"Baselines and actor-critic", "基线与 Actor-Critic"},
			Why: Text{
				`A reward of 10 says little if all are about 10: subtracting what was to be expected costs no bias and
				takes away noise, and a critic learns what to expect.`,
				`如果奖励都在 10 上下，拿到 10 说明不了什么：减去预期值不会引入偏差，却能减小方差；
				这个预期值由 critic 来学。`,
			},
			Exercise: Text{
				`Why may the baseline depend on the state, and on the other samples, but not on the action?`,
				`基线可以依赖状态，也可以依赖其他样本，却不能依赖动作本身，为什么？`,
			},
			Answer: Text{
				`Σ ∇π = ∇1 = 0 takes away what is the same for all actions, and nothing else.`,
				`因为 Σ ∇π = ∇1 = 0，只能消去对所有动作都相同的部分。`,
			},
			Read:     []Read{{"actor-critic", "Actor-Critic（演员-评论家）"}},
			Function: []string{"rl.Actor", "rl.Critic", "policy.LeaveOneOut"},
			Look: Look{
				Hand: "ladder", Picture: "rl", Derivation: "why-a-baseline-costs-nothing", Story: "bandit",
			},
		},
		{
			ID:    "gae",
			Title: Text{"Generalised advantages (GAE)", "广义优势估计（GAE）"},
			Why: Text{
				`One step's error is biased by the critic, the whole return is noisy: λ mixes all lengths, and becomes a
				sum of errors that a single pass from the end computes.`,
				`只看一步，会受 critic 的偏差影响；看到底，噪声又大：用 λ 把各种步数的估计混合起来，
				化简后就是一串 TD 误差的加权和，从后往前扫一遍就能算完。`,
			},
			Exercise: Text{
				`What are the advantages for λ = 0 and for λ = 1?`,
				`λ = 0 与 λ = 1 时，优势各是什么？`,
			},
			Answer: Text{
				`δ_t, and the return less V_t.`,
				`λ = 0 时是 δ_t；λ = 1 时是回报减去 V_t。`,
			},
			Read:     []Read{{`"By hand": GAE`, `手算：GAE`}},
			Function: []string{"ppo.GAE", "ppo.GAESum", "ppo.GAEMixture"},
			Look:     Look{Hand: "gae", Picture: "advantages"},
		},
		{
			ID:    "trpo",
			Title: Text{"Trust regions (TRPO)", "信赖域（TRPO）"},
			Why: Text{
				`Advantages say where to go and not how far: a gradient holds for a small step alone, and small must be
				measured in policies, not in parameters; TRPO takes the best step whose mean KL divergence stays below δ.`,
				`优势只说该往哪里走，没说走多远：梯度只在一小步之内可信，而步子的大小要用策略的变化来量，
				不能用参数的变化来量；TRPO 在平均 KL 散度不超过 δ 的范围内走最好的一步。`,
			},
			Exercise: Text{
				`If the KL divergence were exactly quadratic, what would it be after the full step?`,
				`假如 KL 散度恰好是二次函数，走完整一步之后它等于多少？`,
			},
			Answer: Text{
				`Exactly δ.`,
				`恰好等于 δ。`,
			},
			Read: []Read{{"TRPO", "TRPO"}},
			Function: []string{
				"rl.TrustRegion.Step", "rl.LocalObjective", "rl.SurrogateObjective", "rl.MeanKL", "rl.FisherVector",
				"rl.ConjugateGradient",
			},
			Look: Look{Hand: "trpo", Picture: "rl", Derivation: "from-trpo-to-ppo", Story: "bandit"},
		},
		{
			ID:    "ppo",
			Title: Text{"Proximal policy optimisation (PPO)", "近端策略优化（PPO）"},
			Why: Text{
				`TRPO's constraint needs second derivatives; cutting the ratio of new to old at 1 ± ε takes away the reason
				to go further, with a minimum and a first derivative.`,
				`TRPO 的约束要用到二阶导数；PPO 把新旧策略的概率比裁剪到 1 ± ε 之内，再取最小值，
				这样走得再远也没有好处，用一阶导数就够了。`,
			},
			Exercise: Text{
				`For which sign of the advantage, and on which side, does the gradient vanish? Why not on the other?`,
				`优势为正还是为负、概率比在哪一侧时，梯度为零？为什么在另一侧不为零？`,
			},
			Answer: Text{
				`For A > 0 above 1 + ε, for A < 0 below 1 − ε. On the other side the policy has moved the wrong way and
				is to be brought back.`,
				`A > 0 时在 1 + ε 以上，A < 0 时在 1 − ε 以下。落在另一侧，说明策略走反了，要靠梯度拉回来。`,
			},
			Read:     []Read{{"PPO", "PPO"}},
			Function: []string{"ppo.Clip", "policy.Clipped", "ppo.Surrogate", "ppo.ValueLoss", "ppo.Combined"},
			Look:     Look{Hand: "ppo", Picture: "clips", Derivation: "from-trpo-to-ppo", Story: "bandit"},
		},
		{
			ID:    "rlhf-and-its-four-models",
			Title: Text{"RLHF and its four models", "RLHF 与四个模型"},
			Why: Text{
				`For language the reward is learned from comparisons and comes with the last token; a frozen reference
				keeps the policy near what it was, token by token.`,
				`对语言模型来说，奖励要从偏好比较中学出来，而且到最后一个 token 才给；
				冻结的参考模型则在每个 token 上拉住策略，不让它走得太远。`,
			},
			Exercise: Text{
				`Of policy, reference, reward model and critic: which are trained during PPO, and by which loss?`,
				`策略模型、参考模型、奖励模型、critic 四者中，PPO 训练哪几个？各用什么损失？`,
			},
			Answer: Text{
				`The policy by the clipped surrogate, the critic by the squared error of its values; reference and reward
				model are frozen.`,
				`策略模型用裁剪后的代理目标，critic 用价值的平方误差；参考模型和奖励模型都冻结。`,
			},
			Function: []string{
				"ppo.RewardModelLoss", "ppo.KLReward", "ppo.TokenRewards", "ppo.InstructObjective",
			},
			Look: Look{Picture: "rlhf", Story: "ppo"},
		},
		{
			ID:    "three-estimates-of-kl",
			Title: Text{"Three estimates of the KL divergence", "KL 散度的三种估计"},
			Why: Text{
				`The divergence from the reference is a sum over the vocabulary, but one sampled token estimates it: k1
				without bias and with noise, k3 without bias, without negative values and, near the reference, with
				little noise.`,
				`与参考模型的 KL 散度要对整个词表求和，但用一个采样出来的 token 就能估计：k1 无偏，但方差大；
				k3 无偏、非负，在参考模型附近方差也小。`,
			},
			Exercise: Text{
				`The mean of k3 is KL(π‖π_ref). Of which divergence is the mean of its gradient the gradient?`,
				`k3 的期望是 KL(π‖π_ref)；它的梯度的期望，又是哪个散度的梯度？`,
			},
			Answer: Text{
				`Of KL(π_ref‖π).`,
				`是 KL(π_ref‖π) 的梯度。`,
			},
			Function: []string{"policy.K3", "policy.K1", "policy.K2", "policy.KL"},
			Look:     Look{Picture: "kl", Derivation: "k3-is-unbiased", Hand: "grpo"},
		},
		{
			ID:    "dpo",
			Title: Text{"Direct preference optimisation (DPO)", "直接偏好优化（DPO）"},
			Why: Text{
				`The best policy under a reward and a KL penalty is known in closed form; solved for the reward and put
				into the model of comparisons, it leaves a loss without reward model and without sampling.`,
				`奖励加上 KL 惩罚，这个目标的最优策略有闭式解；从中反解出奖励，代入偏好模型，
				就得到一个既不需要奖励模型、也不需要采样的损失。`,
			},
			Exercise: Text{
				`Z(x) cannot be computed. Where does it go?`,
				`配分函数 Z(x) 没法计算，它去了哪里？`,
			},
			Answer: Text{
				`It is the same for all answers to x, and cancels in the difference of two rewards.`,
				`它对 x 的所有回答都一样，在两个奖励相减时消掉了。`,
			},
			Read: []Read{{"DPO", "DPO"}, {`"By hand": DPO`, `手算：DPO`}},
			Function: []string{
				"dpo.Pairs.Loss", "dpo.SigmoidLoss", "dpo.Pairs.Margins", "dpo.Optimum", "dpo.ImplicitReward",
				"dpo.Preference", "dpo.PlackettLuceLoss",
			},
			Look: Look{Hand: "dpo", Derivation: "dpo-from-rlhf", Story: "bandit"},
		},
		{
			ID:    "grpo",
			Title: Text{"Group relative policy optimisation (GRPO)", "组相对策略优化（GRPO）"},
			Why: Text{
				`DPO learns from pairs that somebody has gathered, and PPO, which samples for itself, needs a critic as
				large as the policy; but G answers to one question have a mean of their own, and that is the baseline.`,
				`DPO 只能从别人收集好的偏好对里学，PPO 自己采样，却要一个与策略同样大的 critic；
				而同一个问题的 G 个回答本身就有平均奖励，拿它当基线就行。`,
			},
			Exercise: Text{
				`k of G answers are right, for a reward of 1: what advantages have the right and the wrong ones, with the
				standard deviation over G, and what if all are right?`,
				`G 个回答中对了 k 个，答对得 1 分：标准差按除以 G 来算，答对与答错的优势各是多少？全对时呢？`,
			},
			Answer: Text{
				`√((1−p)/p) and −√(p/(1−p)) with p = k/G. If all are right, 0 for all: the group teaches nothing.`,
				`分别是 √((1−p)/p) 和 −√(p/(1−p))，其中 p = k/G。全对时优势都是 0：从这一组里什么也学不到。`,
			},
			Read: []Read{{"GRPO", "GRPO"}, {`"By hand": GRPO`, `手算：GRPO`}},
			Function: []string{
				"grpo.Advantage", "grpo.GRPO", "grpo.Normalize", "grpo.Batch.TokenLoss", "grpo.Batch.SequenceLoss",
			},
			Look: Look{Hand: "grpo", Picture: "rlhf", Derivation: "from-ppo-to-grpo", Story: "grpo"},
		},
		{
			ID:    "dapo-and-dr-grpo",
			Title: Text{"DAPO and Dr. GRPO", "DAPO 与 Dr. GRPO"},
			Why: Text{
				`GRPO divides by an answer's length and by the group's deviation, so tokens of long answers weigh less,
				and questions that nearly all answers solve, or nearly none, more; DAPO averages over tokens instead and lets unlikely ones grow further, Dr.
				GRPO divides by neither.`,
				`GRPO 除以回答长度，又除以组内标准差，于是长回答里每个 token 的权重偏小，几乎全对或几乎全错的题权重偏大；
				DAPO 改为对所有 token 求平均，并放宽裁剪的上界，让低概率 token 的概率有更大的上涨空间；
				Dr. GRPO 则两个都不除。`,
			},
			Exercise: Text{
				`By which factor does Dr. GRPO's advantage differ from leave-one-out's?`,
				`Dr. GRPO 的优势与留一法的优势相差一个什么因子？`,
			},
			Answer: Text{
				`(G − 1)/G.`,
				`(G − 1)/G。`,
			},
			Function: []string{
				"grpo.Centered", "grpo.ClipHigher", "grpo.DynamicSampling", "grpo.OverlongPenalty",
			},
			Look: Look{Hand: "grpo", Story: "grpo"},
		},
		{
			ID:    "ratios-of-sequences",
			Title: Text{"Ratios of whole answers (GSPO)", "序列级概率比（GSPO）"},
			Why: Text{
				`The reward is of the whole answer, so should its ratio be: GSPO clips the geometric mean of the tokens'
				ratios, and V2, V3 and R1 print the ratio of the whole.`,
				`奖励是给整个回答的，概率比也该按整个回答来算：GSPO 裁剪的是各 token 概率比的几何平均；V2、V3、
				R1 的论文里写的则是整个回答的概率比。`,
			},
			Exercise: Text{
				`Why is GSPO's ε, 3e-4, so much smaller than GRPO's 0.2?`,
				`GSPO 的 ε 取 3e-4，为什么比 GRPO 的 0.2 小那么多？`,
			},
			Answer: Text{
				`The mean of |y| logarithms that swing independently is about √|y| times smaller than one of them, so its
				exponential stays near 1.`,
				`|y| 个各自独立波动的对数取平均，大小约为单个对数的 1/√|y|，所以取指数后仍在 1 附近。`,
			},
			Function: []string{"grpo.GSPO", "grpo.GSPOToken", "grpo.Sequence"},
			Look:     Look{Hand: "grpo"},
		},
		{
			ID:    "gppo",
			Title: Text{"Gradients kept beyond the clip (CISPO, GPPO)", "保留裁剪区外的梯度（CISPO、GPPO）"},
			Why: Text{
				`A clipped token teaches nothing, and the clipped ones are often those that decide; bound the weight of its
				gradient instead of dropping the gradient.`,
				`被裁剪的 token 对学习没有贡献，而被裁剪的往往正是关键的 token；那就只限制它们梯度的权重，
				不丢掉梯度本身。`,
			},
			Exercise: Text{
				`The value of GPPO's loss is that of clip-higher everywhere. Why do finite differences of it give the
				wrong gradient beyond the clip?`,
				`GPPO 的损失值处处与 clip-higher 相同。为什么在裁剪区外对它做有限差分，得到的梯度是错的？`,
			},
			Answer: Text{
				`sg(r) is a constant to the gradient and moves with r in the value: there r/sg(r) stays 1, and the slope is
				that of the clip, 0.`,
				`求梯度时 sg(r) 是常数，而计算损失值时它随 r 一起变：r/sg(r) 恒为 1，斜率就是裁剪后的斜率 0。`,
			},
			Read:     []Read{{"GPPO", "GPPO"}},
			Function: []string{"grpo.GPPO", "grpo.GPPOScaled", "grpo.CISPO"},
			Look:     Look{Hand: "ppo", Picture: "clips", Story: "grpo"},
		},
		{
			ID:    "the-unified-view",
			Title: Text{"The unified view", "统一视角"},
			Why: Text{
				`From SFT to GRPO all gradients are Σ GC ∇ log π; the methods differ in where the answers come from and in
				the coefficient GC alone.`,
				`从 SFT 到 GRPO，梯度都是 Σ GC ∇ log π；各方法的差别只在于回答从哪里来、梯度系数 GC 是什么。`,
			},
			Exercise: Text{
				`DeepSeekMath's coefficient of DPO does not give the gradient of the objective that it prints. What is
				missing?`,
				`DeepSeekMath 写出的 DPO 系数，与它写出的目标函数的梯度对不上，少了什么？`,
			},
			Answer: Text{
				`The factor β; and σ is of the difference of the whole answers, not token by token.`,
				`少了因子 β；而且 σ 的自变量应是两个完整回答之差，而不是逐 token 的。`,
			},
			Read: []Read{{"the unified view", "统一视角"}},
			Function: []string{
				"policy.UnifiedGradient", "policy.CoefficientGRPO", "policy.CoefficientPPO", "policy.CoefficientDPO",
				"policy.CoefficientSFT",
			},
			Look: Look{Hand: "unified"},
		},
		{
			ID:    "rejection-sampling",
			Title: Text{"Rejection sampling (RFT)", "拒绝采样微调（RFT）"},
			Why: Text{
				`The simplest coefficient beside SFT's is 1 for a right answer and 0 for a wrong one: sample, keep what is
				right, train on it.`,
				`除 SFT 之外，最简单的系数是答对取 1、答错取 0：也就是采样，留下对的，再拿来训练。`,
			},
			Exercise: Text{
				`RFT and online RFT have the same coefficient. What is the difference?`,
				`RFT 与在线 RFT 的系数相同，差别在哪里？`,
			},
			Answer: Text{
				`Who wrote the answers: the SFT model once, or the model as it now is.`,
				`在于回答是谁写的：RFT 由 SFT 模型一次写好，在线 RFT 由当前的模型来写。`,
			},
			Read:     []Read{{"RFT", "RFT"}},
			Function: []string{"policy.CoefficientRFT", "policy.CoefficientOnlineRFT"},
			Look:     Look{Hand: "unified", Story: "r1"},
		},
		{
			ID:    "rewards-by-rule",
			Title: Text{"Rewards by rule", "基于规则的奖励"},
			Why: Text{
				`A learned reward can be deceived; whether a number is right and a format kept can be checked, and R1-Zero
				learns from nothing else.`,
				`学出来的奖励会被钻空子；答案对不对、格式合不合规，却可以直接检查，R1-Zero 只靠这些来学。`,
			},
			Exercise: Text{
				`In R1's training an answer is right, keeps the format, and half of its words are of the language asked for:
				what is its reward?`,
				`在 R1 的训练中，某个回答的答案正确、格式合规，但目标语言的词只占一半：奖励是多少？`,
			},
			Answer: Text{
				`1 + 1 + 0.5 = 2.5.`,
				`1 + 1 + 0.5 = 2.5。`,
			},
			Function: []string{
				"grpo.RuleReward", "grpo.Accuracy", "grpo.Format", "grpo.LanguageConsistency", "grpo.TotalReward",
			},
			Look: Look{Story: "r1", Picture: "r1"},
		},
		{
			ID:    "the-pipeline-of-r1",
			Title: Text{"R1's pipeline", "R1 的训练流程"},
			Why: Text{
				`RL from the base alone reasons well and reads badly: a cold start before it, rejection sampling and SFT
				after it, a second RL over everything, and what was learned is distilled into smaller models.`,
				`直接在基座模型上做 RL，推理能力强，可读性却差：于是前面加冷启动，后面做拒绝采样与 SFT，
				再面向所有任务做第二次 RL，最后把学到的能力蒸馏给小模型。`,
			},
			Exercise: Text{
				`R1's clip ratio is ε = 10. Which of the two bounds can ever bind?`,
				`R1 的裁剪参数 ε = 10，上下两个界里，哪一个可能起作用？`,
			},
			Answer: Text{
				`The upper, 11: the lower is −9, and ratios are positive.`,
				`只有上界 11；下界是 −9，而概率比总为正。`,
			},
			Read:     []Read{{"R1's pipeline", "R1 的训练流程"}},
			Function: []string{"grpo.Algorithm.Train", "grpo.GeneralReward"},
			Look:     Look{Picture: "r1", Story: "r1"},
		},
	},
}
