package course

var expertsRoute = Route{
	ID:    "experts-fp8-and-multi-token-prediction",
	Title: Text{"Experts, FP8 and multi-token prediction", "MoE、FP8 与多 token 预测"},
	Intro: Text{
		`What DeepSeek-V3 does beside attention: 256 small experts of which a token has eight, kept evenly busy by a
		bias instead of a loss; products in eight bits; a module that looks one token further.`,
		`DeepSeek-V3 在注意力之外的设计：256 个小专家，每个 token 用其中 8 个，负载均衡靠偏置而不靠损失函数；
		矩阵乘用 FP8；再加一个模块，多往后预测一个 token。`,
	},
	Stations: []Station{
		{
			ID:    "the-feed-forward-network",
			Title: Text{"The feed-forward network", "前馈网络"},
			Why: Text{
				`Attention moves information between tokens; the gated network works on each token alone, and most of a
				model's parameters are in it.`,
				`注意力在 token 之间传递信息；门控前馈网络则对每个 token 单独计算，模型的大部分参数都在这里。`,
			},
			Exercise: Text{
				`What is the slope of SiLU at 0, and where is its minimum?`,
				`SiLU 在 0 处的斜率是多少？最小值在哪里？`,
			},
			Answer: Text{
				`1/2; the minimum is −0.278, at −1.278.`,
				`斜率是 1/2；最小值是 −0.278，在 −1.278 处。`,
			},
			Function: []string{"moe.SwiGLU", "moe.SiLU", "moe.Expert.Output"},
			Look:     Look{Hand: "experts"},
		},
		{
			ID:    "a-mixture-of-experts",
			Title: Text{"A mixture of experts", "混合专家（MoE）"},
			Why: Text{
				`To have more parameters without more work per token, put many networks side by side and let a gate
				choose K of them, weighted by how well they suit the token.`,
				`想增加参数而不增加每个 token 的计算量，就并排放许多个网络，由门控选出与 token 最匹配的 K 个，
				再按匹配程度加权。`,
			},
			Exercise: Text{
				`The output is linear in the gate values. What happens to it if all experts are the same network?`,
				`输出是门控值的线性函数。如果所有专家都是同一个网络，输出会怎样？`,
			},
			Answer: Text{
				`It is the sum of the chosen gate values times what the one network gives, whichever are chosen.`,
				`等于选中专家的门控值之和乘以这个网络的输出，不管选中的是哪几个。`,
			},
			Read: []Read{{"DeepSeekMoE", "DeepSeekMoE"}, {`"By hand": experts`, `手算：专家`}},
			Function: []string{
				"moe.Logits", "moe.SoftmaxScores", "moe.TopK", "moe.GateValues", "moe.RoutedOutput",
			},
			Look: Look{Hand: "experts", Picture: "experts"},
		},
		{
			ID:    "fine-grained-and-shared-experts",
			Title: Text{"DeepSeekMoE: fine-grained and shared experts", "DeepSeekMoE：细粒度专家与共享专家"},
			Why: Text{
				`Few large experts must each know a little of everything; cut each into m and choose m times as many, and
				set some apart that every token has, and the others can specialise.`,
				`专家少而大，每个就不得不样样都懂一点；把每个专家切成 m 份，选的个数也乘以 m，
				再留出几个所有 token 都用的共享专家，其余专家就能各有专长。`,
			},
			Exercise: Text{
				`2 of 16 experts, or each cut into 4: how many combinations are there for a token in either case?`,
				`16 个专家选 2 个，或者把每个专家再切成 4 份：两种情况下，一个 token 各有多少种组合？`,
			},
			Answer: Text{
				`120, and C(64, 8) = 4,426,165,368.`,
				`前者 120 种，后者 C(64, 8) = 4,426,165,368 种。`,
			},
			Read: []Read{{"DeepSeekMoE", "DeepSeekMoE"}},
			Function: []string{
				"moe.Layer.Forward", "moe.Layer.Output", "moe.SharedOutput", "moe.DeepSeekMoEGate",
			},
			Look: Look{Hand: "experts", Picture: "experts"},
		},
		{
			ID:    "the-balance-loss",
			Title: Text{"Keeping experts busy: the balance loss", "负载均衡损失：别让专家忙闲不均"},
			Why: Text{
				`Left alone, a gate sends ever more tokens to the experts that have learned most; a loss that multiplies each
				expert's share of tokens with its mean score pulls the scores of the busy ones down.`,
				`放任不管的话，门控会把越来越多的 token 送给学得最多的那几个专家；
				把每个专家分到的 token 比例与它的平均得分相乘，求和后作为损失，就能把繁忙专家的得分压下来。`,
			},
			Exercise: Text{
				`f has no gradient, only P has. Why does the loss still balance f?`,
				`f 没有梯度，只有 P 有；为什么这个损失仍能让 f 变得均衡？`,
			},
			Answer: Text{
				`The slope by P_i is α f_i: the scores of the busy experts are pushed down hardest, and so fewer tokens
				choose them.`,
				`损失对 P_i 的梯度是 α f_i：越忙的专家，得分被压得越狠，选它的 token 也就越少。`,
			},
			Function: []string{"moe.ExpertLoss", "moe.RelativeLoads", "moe.MeanScores", "moe.SequenceLoss"},
			Look:     Look{Hand: "balance", Picture: "balance"},
		},
		{
			ID:    "device-and-node-limits",
			Title: Text{"Limits by device and node", "设备受限与节点受限路由"},
			Why: Text{
				`Experts lie on many devices, and a token that needs many of them is sent over many links: let it choose
				M groups first, and its experts within.`,
				`专家分布在许多设备上，一个 token 要去的设备越多，通信量就越大：所以让它先选 M 组，
				再在这 M 组里选专家。`,
			},
			Exercise: Text{
				`Dropped groups are masked with −∞ here and with 0 in Hugging Face's code. When do the two differ?`,
				`落选的组，这里用 −∞ 屏蔽，Hugging Face 的代码用 0。什么时候两者结果不同？`,
			},
			Answer: Text{
				`When the K-th best biased score of the kept groups is negative: a 0 of a dropped group then beats
				it.`,
				`保留的各组里，加上偏置后排第 K 的得分为负时：落选组的 0 反而更大，会被选中。`,
			},
			Function: []string{
				"moe.LimitGroups", "moe.GroupScoresMax", "moe.GroupScoresTop2", "moe.DeviceLoss",
				"moe.CommunicationLoss",
			},
			Look: Look{Hand: "experts"},
		},
		{
			ID:    "the-gate-of-v3",
			Title: Text{"The gate of DeepSeek-V3", "DeepSeek-V3 的门控"},
			Why: Text{
				`A softmax over 256 experts makes each score depend on all others; V3 takes a sigmoid of each, and
				normalises over the chosen eight alone.`,
				`对 256 个专家做 softmax，每个得分都受其他得分影响；V3 改为逐个取 sigmoid，
				只在选中的 8 个之间归一化。`,
			},
			Exercise: Text{
				`All logits are equal and all biases 0. Which experts are chosen, and with which weights?`,
				`所有 logits 相等、偏置全为 0 时，选中哪些专家？权重是多少？`,
			},
			Answer: Text{
				`The first eight, as ties go to the lower index, each with 2.5/8 = 0.3125.`,
				`得分相同时先选下标小的，所以是前 8 个，权重各为 2.5/8 = 0.3125。`,
			},
			Function: []string{
				"moe.DeepSeekV3Gate", "moe.Gate.Route", "moe.SigmoidScores", "moe.NormalizeWeights", "moe.ScaleWeights",
			},
			Look: Look{Hand: "experts"},
		},
		{
			ID:    "auxiliary-loss-free-balancing",
			Title: Text{"Auxiliary-loss-free balancing", "无辅助损失的负载均衡"},
			Why: Text{
				`A balance loss bends the gradient of the model itself; a bias that takes part in the choice alone, moved
				a little against the load after each step, balances and leaves the gradient be.`,
				`均衡损失会干扰模型本身的梯度；给得分加一个只影响选择的偏置，每步之后，忙的专家调低一点，
				闲的调高一点，既能均衡，又不碰梯度。`,
			},
			Exercise: Text{
				`Two experts, K = 1, every token prefers the first by 0.1, γ = 0.001: after how many steps does the second
				get a token?`,
				`两个专家，K = 1，每个 token 给第一个专家的得分都高出 0.1，γ = 0.001：
				多少步之后第二个专家才分到 token？`,
			},
			Answer: Text{
				`The gap closes by 2γ a step: after 50 steps it is even, after 51 the second has them.`,
				`差距每步缩小 2γ：50 步后持平，51 步后轮到第二个。`,
			},
			Read:     []Read{{"DeepSeekMoE", "DeepSeekMoE"}},
			Function: []string{"moe.BiasSign", "moe.BiasedScores", "moe.Loads", "moe.MaxVio"},
			Look:     Look{Hand: "balance", Picture: "balance", Derivation: "the-balancing-bias", Story: "balance"},
		},
		{
			ID:    "dispatch-and-combine",
			Title: Text{"Dispatch and combine", "分发与合并"},
			Why: Text{
				`Once experts are chosen, tokens of one expert have to lie side by side for one product: they are
				permuted, sent, and brought back to their places with their weights.`,
				`专家选定之后，同一个专家的 token 要排在一起，才能用一次矩阵乘算完：先重排、发送，算完后乘上权重，放回原位。`,
			},
			Exercise: Text{
				`Which permutation undoes DispatchRows, and what does Combine do with a choice whose expert lies on another
				device?`,
				`哪个置换能还原 DispatchRows？选中的专家在别的设备上时，Combine 怎样处理？`,
			},
			Answer: Text{
				`InverseOrder of the order; Combine adds nothing for a choice that was not sent here, and the other
				device adds it.`,
				`InverseOrder 给出的逆置换；没有发到本设备的那一份，Combine 什么也不加，由专家所在的设备来加。`,
			},
			Function: []string{"moe.Dispatch", "moe.DispatchRows", "moe.InverseOrder", "moe.Combine"},
			Look:     Look{Hand: "experts"},
		},
		{
			ID:    "the-transformer-block",
			Title: Text{"The Transformer block", "Transformer 块"},
			Why: Text{
				`Attention and experts, each behind a norm and beside a residual, make a layer; 61 of them, of which the
				first three have a dense network instead of experts, an embedding, a last norm and a head make
				DeepSeek-V3.`,
				`注意力和专家网络各自先做归一化、再加残差，合起来就是一层；61 层（前 3 层不用专家，
				用稠密的前馈网络）加上 embedding、最后的归一化和输出头，就是 DeepSeek-V3。`,
			},
			Exercise: Text{
				`All weights of a block are 0. What does it give, forward and backward?`,
				`一个块的权重全为 0，前向和反向各得到什么？`,
			},
			Answer: Text{
				`Its input, and the gradient as it came: only the residuals are left.`,
				`前向得到输入本身，反向得到传来的梯度本身：只剩下残差连接。`,
			},
			Function: []string{"model.Block.Forward", "model.Forward", "model.Loss"},
			Look:     Look{Picture: "parameters"},
		},
		{
			ID:    "the-parameters-of-v3",
			Title: Text{"V3's parameters counted", "数一数 V3 的参数"},
			Why: Text{
				`With every matrix's shape known, 671 billion is a sum that can be done by hand, and so is the part of it
				that one token uses.`,
				`知道了每个矩阵的形状，6710 亿就是一道可以手算的加法；一个 token 实际用到多少参数，
				也能这样算出来。`,
			},
			Exercise: Text{
				`Published are 37B active parameters; README_WEIGHTS says 36.7B, embedding and head included. What are they
				with both, without the embedding, without either?`,
				`官方公布的激活参数是 37B；README_WEIGHTS 说含 embedding 和输出头是 36.7B。两者都算、
				不算 embedding、两者都不算，各是多少？`,
			},
			Answer: Text{
				`37.55B with both, 36.63B without the embedding, 35.70B without either; 36.7B is none of them exactly.`,
				`两者都算是 37.55B，不算 embedding 是 36.63B，都不算是 35.70B；36.7B 与哪个都对不上。`,
			},
			Read: []Read{{"V3's parameters counted", "V3 的参数量计算"}},
			Function: []string{
				"model.Sizes.Parameters", "model.MLA.Parameters", "model.Feed.Parameters", "model.Sizes.Active",
			},
			Look: Look{Picture: "parameters", Count: "parameters"},
		},
		{
			ID:    "fp8-blocks",
			Title: Text{"FP8 training: block scales", "FP8 训练：分块缩放"},
			Why: Text{
				`Eight bits a number halve what BF16 takes of memory and of time, but E4M3 ends at 448 and has nothing between
				0 and 2⁻⁹; one scale for each 1 × 128 tile of activations and 128 × 128 block of weights keeps one outlier
				from silencing a whole tensor.`,
				`用 8 位数做矩阵乘，显存和时间都比 BF16 省一半；但 E4M3 最大只能表示到 448，
				0 与 2⁻⁹ 之间一个数也没有；激活按 1 × 128、权重按 128 × 128 分块，每块一个缩放因子，
				一个离群值就不会把整个张量都压成 0。`,
			},
			Exercise: Text{
				`Which code does the largest element of a tile get, and how large can the relative error of a number be that
				is rounded to a normal number of E4M3?`,
				`块中绝对值最大的元素会量化成哪个值？一个数舍入成 E4M3 的规格化数，相对误差最大是多少？`,
			},
			Answer: Text{
				`±448, unless scales are powers of 2. 1/17: codes from 1 to 2 lie 1/8 apart, so that 1 + 1/16 is off by 1/16,
				and none by more in proportion.`,
				`±448（缩放因子取 2 的幂时除外）。最大是 1/17：1 到 2 之间的编码相隔 1/8，1 + 1/16 的误差为 1/16，
				其他数的相对误差都不比它大。`,
			},
			Read:     []Read{{"FP8 training", "FP8 训练"}, {`"By hand": a tile of FP8`, `手算：FP8 分块量化`}},
			Function: []string{"fp8.Quantise", "fp8.Scale", "fp8.Blocked.Dequantise", "fp8.ScaleUE8M0"},
			Look:     Look{Hand: "fp8", Picture: "fp8", Derivation: "fp8-blocks"},
		},
		{
			ID:    "fp8-products",
			Title: Text{"FP8 training: promoted sums", "FP8 训练：提升累加精度"},
			Why: Text{
				`Hopper's tensor cores sum FP8 products with some 14 bits, too few for K = 4096; every 128 elements, where
				the scale changes anyway, the sum goes on in float32.`,
				`Hopper 的 Tensor Core 累加 FP8 乘积时只有约 14 位精度，K = 4096 时不够用；
				于是每累加 128 个元素（缩放因子正好也在这里更换）就转到 FP32 里继续累加。`,
			},
			Exercise: Text{
				`An accumulator keeps 13 bits behind the leading one and cuts off the rest at each addition. What part of a
				sum of 4096 positive products may it lose, and what part if promoted every 128?`,
				`累加器在最高位之后只留 13 位，每次相加都把其余的位截掉。4096 个正的乘积相加，最多会损失多少？
				每 128 个就转到 FP32 一次呢？`,
			},
			Answer: Text{
				`Less than 4096 · 2⁻¹³, a half; promoted, less than 128 · 2⁻¹³ = 1/64, as each addition loses less than 2⁻¹³
				of the sum so far.`,
				`每次相加的损失不到当前部分和的 2⁻¹³，所以总共不到 4096 · 2⁻¹³，即一半；
				每 128 个转一次，则不到 128 · 2⁻¹³ = 1/64。`,
			},
			Read:     []Read{{"FP8 training", "FP8 训练"}},
			Function: []string{"fp8.Product", "fp8.ShortSum"},
			Look:     Look{Hand: "fp8", Derivation: "fp8-blocks", Story: "fp8"},
		},
		{
			ID:    "fp8-linear",
			Title: Text{"FP8 training: three products of a layer", "FP8 训练：线性层的三次矩阵乘"},
			Why: Text{
				`Training needs forward, gradient of inputs and gradient of weights; all three run in FP8, and the last
				wants tiles that run the other way.`,
				`训练要算前向、输入梯度、权重梯度三次矩阵乘；三次都用 FP8，而最后一次要求换一个方向分块。`,
			},
			Exercise: Text{
				`Which operands of Wgrad have to be tiled 128 × 1, and why is quantising twice not the same as once?`,
				`Wgrad 的哪些操作数要按 128 × 1 分块？为什么量化两次与量化一次不一样？`,
			},
			Answer: Text{
				`Both: the sum runs over the tokens. The second rounding is of numbers that the first has moved
				already.`,
				`两个都要：求和是沿 token 方向的。第二次舍入时，面对的已经是第一次舍入改动过的数。`,
			},
			Read:     []Read{{"FP8 training", "FP8 训练"}},
			Function: []string{"fp8.Fprop", "fp8.Dgrad", "fp8.Wgrad", "fp8.Retile"},
			Look:     Look{Picture: "fp8", Story: "fp8"},
		},
		{
			ID:    "pipeline-bubbles",
			Title: Text{"The framework: pipeline bubbles", "训练框架：流水线气泡"},
			Why: Text{
				`However fast a layer is, the 61 lie on sixteen stages that work one after the other and wait for each
				other; DualPipe feeds them from both ends and hides the experts' communication in the computation.`,
				`单层算得再快，61 层也要分到 16 级流水线上，一级接一级，难免互相等待；
				DualPipe 从两端同时送入数据，并把专家的通信藏到计算背后。`,
			},
			Exercise: Text{
				`F = 1, B = 2, W = 1, F&B = 3: what are the bubbles of 1F1B, ZB1P and DualPipe with 16 stages?`,
				`F = 1，B = 2，W = 1，F&B = 3，共 16 级：1F1B、ZB1P、DualPipe 的气泡各是多少？`,
			},
			Answer: Text{
				`45, 15 and 14.`,
				`45、15、14。`,
			},
			Read:     []Read{{"V3's training framework", "V3 的训练框架"}},
			Function: []string{"model.BubbleDualPipe", "model.Bubble1F1B", "model.BubbleZB1P", "model.GPULoads"},
			Look:     Look{Picture: "pipeline", Count: "pipelines-and-experts"},
		},
		{
			ID:    "next-token-loss",
			Title: Text{"The loss of the next token", "下一个 token 的损失"},
			Why: Text{
				`All of this learns from one number per token: how surprised the model was by what really came next.`,
				`以上这一切，训练信号都来自每个 token 上的一个数：真正出现的下一个 token，让模型有多“意外”。`,
			},
			Exercise: Text{
				`What is the loss of a model that knows nothing, with V3's vocabulary of 129,280?`,
				`V3 的词表有 129,280 个 token，一个什么都不懂的模型，损失是多少？`,
			},
			Answer: Text{
				`ln 129,280 = 11.77.`,
				`ln 129,280 = 11.77。`,
			},
			Function: []string{"mtp.NextLoss", "model.LanguageLoss"},
			Look:     Look{Hand: "mtp"},
		},
		{
			ID:    "predicting-several-tokens",
			Title: Text{"Predicting several tokens", "一次预测多个 token"},
			Why: Text{
				`Next-token training asks each position one question; n heads on one trunk ask n, about the tokens that
				follow, and the trunk has to plan.`,
				`只预测下一个 token，每个位置只回答一个问题；在同一主干上接 n 个头，
				每个位置就要回答后面 n 个 token 各是什么，主干不得不提前规划。`,
			},
			Exercise: Text{
				`Why is the loss of a joint prediction, P(x_{t+2}, x_{t+1}), not the sum of the two heads' losses?`,
				`联合预测 P(x_{t+2}, x_{t+1}) 的损失，为什么不等于两个头的损失之和？`,
			},
			Answer: Text{
				`The joint one knows x_{t+1} when it predicts x_{t+2}; two heads do not know of each other, and pay the
				mutual information.`,
				`联合预测在猜 x_{t+2} 时已经知道 x_{t+1}；两个头互不知情，要多付出一份互信息。`,
			},
			Read:     []Read{{"multi-token prediction: its loss", "多 token 预测：损失函数"}},
			Function: []string{"mtp.FactorisedLoss", "mtp.JointLoss", "mtp.Parallel.Logits"},
			Look:     Look{Hand: "mtp"},
		},
		{
			ID:    "why-it-works",
			Title: Text{"Why it works", "多 token 预测为什么有效"},
			Why: Text{
				`The second head's loss contains what the two tokens know of each other once more, so transitions on
				which much depends weigh more than those that decide nothing.`,
				`第二个头的损失把两个 token 之间的互信息又算了一次；于是损失更看重影响后文的关键选择，
				而不是无关紧要的 token。`,
			},
			Exercise: Text{
				`How many of the loss's terms does a choice point take part in for n = 4, and how many an
				inconsequential one?`,
				`n = 4 时，一个关键选择点出现在几项损失里？一个无关紧要的 token 呢？`,
			},
			Answer: Text{
				`10 and 4.`,
				`10 项和 4 项。`,
			},
			Read:     []Read{{"multi-token prediction: why it works", "多 token 预测：为什么有效"}},
			Function: []string{"mtp.MutualInformation", "mtp.ChoiceWeight", "mtp.ImplicitWeights"},
			Look:     Look{Derivation: "mtp-is-chained", Hand: "mtp"},
		},
		{
			ID:    "in-turn-to-save-memory",
			Title: Text{"Its memory-saving form", "多 token 预测的显存优化"},
			Why: Text{
				`n heads at once would hold n tables of logits, the largest tensors there are; run forward and backward
				head by head, they are never there together, and the gradient is the same.`,
				`n 个头同时算，就要同时存 n 份 logits，而 logits 正是最大的张量；改为逐个头做前向和反向，
				n 份就不会同时存在，梯度却完全一样。`,
			},
			Exercise: Text{
				`By how much does the peak fall for n = 4, V = 129,280 and d = 7168?`,
				`n = 4、V = 129,280、d = 7168 时，显存峰值降低多少？`,
			},
			Answer: Text{
				`From 8 d + 8 V = 1,091,584 numbers a token to 5 d + 2 V = 294,400, by 3.7.`,
				`每个 token 从 8 d + 8 V = 1,091,584 个数降到 5 d + 2 V = 294,400 个，约为原来的 1/3.7。`,
			},
			Read:     []Read{{"multi-token prediction: its memory-saving form", "多 token 预测：显存优化"}},
			Function: []string{"mtp.Parallel.BackwardInTurn", "mtp.PeakInTurn", "mtp.PeakAtOnce"},
			Look:     Look{Hand: "mtp"},
		},
		{
			ID:    "the-mtp-module-of-v3",
			Title: Text{"The module of DeepSeek-V3", "DeepSeek-V3 的 MTP 模块"},
			Why: Text{
				`Parallel heads guess token t+2 without knowing t+1; V3's module is given it, joined to what the depth
				before has found, and keeps the causal chain.`,
				`并行的头在猜第 t+2 个 token 时并不知道第 t+1 个是什么；
				V3 的模块把第 t+1 个 token 与上一深度的表示一起作为输入，保持因果链完整。`,
			},
			Exercise: Text{
				`The released weights want the embedding first, the paper prints it second. What happens if they are
				swapped?`,
				`公开的权重把 embedding 放在前面，论文的公式把它放在后面。弄反了会怎样？`,
			},
			Answer: Text{
				`Nothing fails; the drafts are just refused.`,
				`程序不会报错，只是草稿几乎都被拒绝。`,
			},
			Read: []Read{{`"By hand": a module of MTP`, `手算：一个 MTP 模块`}},
			Function: []string{
				"mtp.Combine", "mtp.Module.Forward", "mtp.SwapHalves", "mtp.Module.Logits",
			},
			Look: Look{Hand: "mtp", Picture: "mtp"},
		},
		{
			ID:    "a-training-forward",
			Title: Text{"An example of the training forward", "MTP 训练的前向示例"},
			Why: Text{
				`Depth k predicts from position i the token i+k+1, so each depth is one row shorter and its targets are
				one further; their mean, times λ, is added to the loss.`,
				`深度 k 在位置 i 预测第 i+k+1 个 token，所以深度每加 1，就少一行，目标也后移一位；
				各深度的损失取平均，乘以 λ 后加进总损失。`,
			},
			Exercise: Text{
				`Six tokens, D = 2: how many terms has each depth, and by what does (24) divide?`,
				`6 个 token，D = 2：每个深度各有几项？公式 (24) 除以多少？`,
			},
			Answer: Text{
				`T is 5: the main model has 5 terms, depth 1 four, depth 2 three. (24) divides each sum by 5, frameworks
				by the number of its terms.`,
				`T = 5：主模型有 5 项，深度 1 有 4 项，深度 2 有 3 项。公式 (24) 一律除以 5，
				训练框架则各除以自己的项数。`,
			},
			Read: []Read{{"multi-token prediction: a training forward", "多 token 预测：训练的前向示例"}},
			Function: []string{
				"mtp.Depths.Forward", "mtp.DepthLoss", "mtp.DepthLossValid", "mtp.Targets", "mtp.Loss",
			},
			Look: Look{Hand: "mtp", Picture: "mtp", Story: "mtp"},
		},
		{
			ID:    "drafts-accepted-exactly",
			Title: Text{"Inference: drafts accepted exactly", "推理：无损的投机解码"},
			Why: Text{
				`At inference the module drafts the token after next; accepting it with probability min(1, p/q), and
				drawing from what is left otherwise, emits exactly what the model alone would.`,
				`推理时由 MTP 模块起草下下个 token；以 min(1, p/q) 的概率接受，否则从剩余分布中重新采样，
				输出的分布与只用主模型时完全相同。`,
			},
			Exercise: Text{
				`What is emitted if p itself is taken as the probability of accepting?`,
				`如果直接以 p 为接受概率，最后输出的是什么分布？`,
			},
			Answer: Text{
				`q(x) p(x), and for the rest the residual: not p.`,
				`接受的部分是 q(x) p(x)，其余来自剩余分布：合起来并不是 p。`,
			},
			Read:     []Read{{"multi-token prediction: inference", "多 token 预测：推理"}},
			Function: []string{"mtp.AcceptProbability", "mtp.Accept", "mtp.Residual", "mtp.Emitted"},
			Look:     Look{Hand: "speculative", Derivation: "speculative-sampling-is-exact", Story: "mtp"},
		},
		{
			ID:    "what-drafts-gain",
			Title: Text{"Inference: what drafts gain", "推理：能加速多少"},
			Why: Text{
				`Each accepted token saves a step; how many are kept depends on how alike draft and model are, which is
				one minus their total variation.`,
				`每接受一个 token 就省一步解码；能接受多少，取决于草稿与主模型的分布有多接近：
				接受率就是 1 减去两者的总变差距离。`,
			},
			Exercise: Text{
				`V3 reports that 85 to 90 % of its drafts are kept. How many tokens does a step then yield?`,
				`V3 报告草稿的接受率是 85% 到 90%，那么平均每步能得到几个 token？`,
			},
			Answer: Text{
				`1 + α: 1.85 to 1.90.`,
				`1 + α，即 1.85 到 1.90 个。`,
			},
			Read:     []Read{{"multi-token prediction: inference", "多 token 预测：推理"}},
			Function: []string{"mtp.AcceptanceRate", "mtp.ExpectedTokens", "mtp.Speedup"},
			Look:     Look{Hand: "speculative", Picture: "acceptance"},
		},
	},
}
