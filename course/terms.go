package course

import (
	"fmt"
	"strings"
)

// Term is a term of the field in both languages, with what it means and the station where it is
// met.
type Term struct {
	Zh, En  string
	Meaning string // in Chinese
	Station string // its ID, "" for none
}

// terms returns the page of terms.
func terms() string {
	var b strings.Builder
	b.WriteString("<!-- Written by go generate ./... from course. -->\n\n# 术语表\n\n" +
		"[学习路线](PATHS.md)及其链接到的英文页面和测试里会遇到的术语，大致按出现的先后排列。" +
		"译名取通行的说法；平时就说英文的，保留英文。\n\n" +
		"| 中文 | English | 含义 | 见 |\n|---|---|---|---|\n")
	titles := map[string]string{}
	for _, route := range Routes() {
		for _, s := range route.Stations {
			titles[s.ID] = s.Title.In(Chinese)
		}
	}
	for _, t := range Terms {
		var where string
		if t.Station != "" {
			where = fmt.Sprintf("[%s](PATHS.md#%s)", titles[t.Station], t.Station)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.Zh, t.En, t.Meaning, where)
	}
	return b.String()
}

// Terms are the terms of the routes, in the order in which they are met.
var Terms = []Term{
	{"token（词元）", "token", "文本经分词后的最小单位", ""},
	{"词表", "vocabulary", "所有 token 的集合，V3 有 129,280 项", "next-token-loss"},
	{"embedding（词嵌入）", "embedding", "token 对应的向量", ""},
	{"输出头", "output head", "从隐藏向量算出 logits 的矩阵", ""},
	{"logits", "logits", "softmax 之前未归一化的分数", ""},
	{"batch size", "batch size", "一批里的序列数", "why-a-small-kv-cache-matters"},
	{"查询、键、值", "query, key, value", "注意力的三个输入 q、k、v", "scaled-dot-product-attention"},
	{"缩放点积注意力", "scaled dot-product attention", "以 softmax(q·k/√d) 为权重，对值加权求和", "scaled-dot-product-attention"},
	{"因果掩码", "causal mask", "每个 token 只能看到自己和前面的 token", "kv-cache"},
	{"多头注意力", "multi-head attention (MHA)", "每个头各有自己的键和值", "multi-head-attention"},
	{"KV 缓存", "KV cache", "算好后存下来、供后面的查询使用的键和值", "kv-cache"},
	{"解码", "decoding", "逐个生成 token", "kv-cache"},
	{"多查询注意力", "multi-query attention (MQA)", "所有头共用一份键和值", "multi-query-attention"},
	{"分组查询注意力", "grouped-query attention (GQA)", "每组头共用一份键和值", "grouped-query-attention"},
	{"旋转位置编码", "rotary position embedding (RoPE)", "按位置旋转查询和键", "rope"},
	{"上下文扩展", "context extension", "让模型能处理比训练时更长的上下文", "yarn"},
	{"归一化", "normalisation", "RMSNorm：除以均方根，再乘以权重", "rmsnorm"},
	{"多头潜在注意力", "multi-head latent attention (MLA)", "缓存低维的潜向量，而不是键和值", "mla"},
	{"潜向量", "latent", "键和值的低秩联合压缩 c^KV，查询的压缩 c^Q", "mla"},
	{"低秩压缩", "low-rank compression", "先投影到低维，再投影回来", "mla"},
	{"降维、升维投影", "down-, up-projection", "W^DKV、W^DQ 与 W^UK、W^UV、W^UQ", "mla"},
	{"解耦的旋转键", "decoupled rotary key", "单独携带位置信息的短键，各头共用", "decoupled-rope"},
	{"矩阵吸收", "matrix absorption", "把 W^UK 并入查询一侧，把 W^UV 并入输出一侧", "absorption"},
	{"分页缓存", "paged cache", "缓存切成页，靠页表查找", "decoding-from-pages"},
	{"kernel", "kernel", "在 GPU 上运行的函数，也叫核函数", "decoding-from-pages"},
	{"预填充", "prefill", "一次处理整个 prompt，写入缓存", "naive-or-absorbed"},
	{"前馈网络", "feed-forward network (FFN)", "对每个 token 单独计算的门控网络", "the-feed-forward-network"},
	{"混合专家", "mixture of experts (MoE)", "并列的多个网络，由门控选用其中几个", "a-mixture-of-experts"},
	{"门控", "gate, router", "给专家打分并选出 K 个", "a-mixture-of-experts"},
	{"亲和度", "affinity", "token 与专家的匹配得分 s", "a-mixture-of-experts"},
	{"门控值", "gate value", "选中的专家的权重 g", "a-mixture-of-experts"},
	{"路由专家", "routed expert", "由门控选择的专家", "a-mixture-of-experts"},
	{"细粒度专家", "fine-grained experts", "把专家切小，多选几个", "fine-grained-and-shared-experts"},
	{"共享专家", "shared expert", "每个 token 都用的专家", "fine-grained-and-shared-experts"},
	{"负载均衡", "load balancing", "让各专家分到的 token 数接近", "the-balance-loss"},
	{"辅助损失", "auxiliary loss", "为均衡负载而另加的损失", "the-balance-loss"},
	{"序列级均衡损失", "sequence-wise balance loss", "在一条序列之内计算的均衡损失", "the-balance-loss"},
	{"设备受限路由", "device-limited routing", "每个 token 最多去 M 台设备", "device-and-node-limits"},
	{"节点受限路由", "node-limited routing", "每个 token 最多去 M 个节点", "device-and-node-limits"},
	{"无辅助损失的负载均衡", "auxiliary-loss-free balancing", "靠偏置而不靠损失来均衡", "auxiliary-loss-free-balancing"},
	{"偏置", "bias", "加在得分上，只影响选择，不影响权重", "auxiliary-loss-free-balancing"},
	{"最大负载偏离", "maximal violation (MaxVio)", "最忙的专家超出平均负载的比例", "auxiliary-loss-free-balancing"},
	{"专家并行", "expert parallelism (EP)", "专家分布在不同设备上", "dispatch-and-combine"},
	{"分发、合并", "dispatch, combine", "把 token 送到专家那里，再把结果取回", "dispatch-and-combine"},
	{"残差", "residual", "把输入直接加到输出上", "the-transformer-block"},
	{"激活参数", "active parameters", "一个 token 实际用到的参数", "the-parameters-of-v3"},
	{"FP8、E4M3", "FP8, E4M3", "8 位浮点；E4M3 有 4 位指数、3 位尾数", "fp8-blocks"},
	{"量化、反量化", "quantisation, dequantisation", "除以缩放因子，转成低精度数；再乘回缩放因子", "fp8-blocks"},
	{"缩放因子", "scale", "量化前除以它，使数值落入可表示的范围", "fp8-blocks"},
	{"分块缩放", "block scaling", "每块一个缩放因子", "fp8-blocks"},
	{"离群值", "outlier", "比其他元素大得多的元素", "fp8-blocks"},
	{"规格化数", "normal number", "尾数带隐含首位 1 的浮点数", "fp8-blocks"},
	{"累加精度", "accumulation precision", "求和时保留的位数", "fp8-products"},
	{"Tensor Core", "tensor core", "GPU 上专门做矩阵乘的计算单元", "fp8-products"},
	{"矩阵乘", "matrix multiplication, GEMM", "训练时线性层要做三次：前向、输入梯度、权重梯度", "fp8-linear"},
	{"流水线气泡", "pipeline bubble", "流水线各级空等的时间", "pipeline-bubbles"},
	{"交叉熵", "cross-entropy", "−log P(真实的 token) 的平均", "next-token-loss"},
	{"多 token 预测", "multi-token prediction (MTP)", "每个位置预测后面几个 token", "predicting-several-tokens"},
	{"主干", "trunk", "各个头共用的网络", "predicting-several-tokens"},
	{"互信息", "mutual information", "知道一个变量后，另一个减少的不确定性", "predicting-several-tokens"},
	{"关键选择点", "choice point", "对后文影响大的 token", "why-it-works"},
	{"因果链", "causal chain", "每一深度都以前面的 token 为条件", "the-mtp-module-of-v3"},
	{"投机解码", "speculative decoding", "先打草稿，再由主模型一次性验证", "drafts-accepted-exactly"},
	{"草稿", "draft", "待主模型验证的 token", "drafts-accepted-exactly"},
	{"剩余分布", "residual distribution", "max(0, p − q) 归一化后的分布", "drafts-accepted-exactly"},
	{"接受率", "acceptance rate", "草稿被接受的概率", "what-drafts-gain"},
	{"总变差距离", "total variation", "两个分布之差的绝对值之和的一半", "what-drafts-gain"},
	{"强化学习", "reinforcement learning (RL)", "从奖励中学习怎样行动", ""},
	{"状态、动作、奖励", "state, action, reward", "对语言模型：已有的文本、下一个 token、回答的得分", ""},
	{"回报", "return", "折扣奖励之和 G", "monte-carlo"},
	{"折扣因子", "discount", "γ，越晚的奖励打的折扣越多", "monte-carlo"},
	{"蒙特卡洛", "Monte Carlo", "用完整的回报作目标", "monte-carlo"},
	{"时序差分", "temporal difference (TD)", "用一步的奖励加下一状态的估计作目标", "temporal-differences"},
	{"TD 误差", "TD error", "δ，目标与当前估计之差", "temporal-differences"},
	{"自举", "bootstrapping", "目标里含有自己的估计", "temporal-differences"},
	{"状态价值、动作价值", "state value, action value", "从状态出发的期望回报 V；先做某个动作的期望回报 Q", "q-learning"},
	{"Q-learning（Q 学习）", "Q-learning", "以下一步最优动作的价值为目标，学习动作价值", "q-learning"},
	{"同策略、异策略", "on-policy, off-policy", "用所学的策略自己采样；用别的策略采样", "q-learning"},
	{"贪心策略", "greedy policy", "总选价值最大的动作", "q-learning"},
	{"目标网络", "target network", "用来算目标的固定副本", "dqn"},
	{"策略", "policy", "给定状态时动作的分布 π", "policy-gradients"},
	{"策略梯度", "policy gradient", "期望回报对策略参数的梯度", "policy-gradients"},
	{"多臂老虎机", "bandit", "只有一个状态，选一次动作就得到奖励", "policy-gradients"},
	{"基线", "baseline", "要从回报中减去的预期值", "baselines-and-actor-critic"},
	{"Actor-Critic（演员-评论家）", "actor-critic", "策略与价值一起学", "baselines-and-actor-critic"},
	{"critic（价值模型）", "critic, value model", "估计价值的模型", "baselines-and-actor-critic"},
	{"留一法", "leave-one-out", "以其余样本的平均为基线", "baselines-and-actor-critic"},
	{"优势（优势函数）", "advantage", "动作价值减状态价值，A = Q − V", "gae"},
	{"广义优势估计", "generalised advantage estimation (GAE)", "各种步数的优势按 λ 加权", "gae"},
	{"信赖域", "trust region", "允许策略变化的范围", "trpo"},
	{"共轭梯度", "conjugate gradient", "不求逆矩阵，迭代求解线性方程组", "trpo"},
	{"重要性采样比", "importance ratio", "新旧策略的概率之比 r，文中简称概率比", "ppo"},
	{"裁剪", "clipping", "把概率比限制在 1 ± ε 之内", "ppo"},
	{"代理目标", "surrogate objective", "用旧策略的样本估计的目标", "ppo"},
	{"基于人类反馈的强化学习", "reinforcement learning from human feedback (RLHF)", "奖励从人类的偏好比较中学得", "rlhf-and-its-four-models"},
	{"奖励模型", "reward model", "给回答打分的模型", "rlhf-and-its-four-models"},
	{"参考模型", "reference model", "冻结的起点模型 π_ref", "rlhf-and-its-four-models"},
	{"KL 散度", "KL divergence", "衡量两个分布相差多少，不对称", "three-estimates-of-kl"},
	{"无偏估计", "unbiased estimate", "期望等于真值的估计", "three-estimates-of-kl"},
	{"直接偏好优化", "direct preference optimisation (DPO)", "不经奖励模型，直接从偏好学习", "dpo"},
	{"偏好模型", "preference model", "由奖励之差算出一个回答比另一个更好的概率", "dpo"},
	{"闭式解", "closed form", "可以直接写出的解", "dpo"},
	{"配分函数", "partition function", "归一化常数 Z(x)", "dpo"},
	{"隐式奖励", "implicit reward", "β log(π/π_ref)", "dpo"},
	{"组相对策略优化", "group relative policy optimisation (GRPO)", "以同组回答的平均奖励为基线", "grpo"},
	{"clip-higher", "clip-higher", "放宽裁剪的上界", "dapo-and-dr-grpo"},
	{"动态采样", "dynamic sampling", "丢掉全对或全错的组", "dapo-and-dr-grpo"},
	{"序列级概率比", "sequence ratio", "整个回答在新旧策略下的概率之比", "ratios-of-sequences"},
	{"停止梯度", "stop-gradient", "sg(·)，求导时当作常数", "gppo"},
	{"双重裁剪", "dual clip", "优势为负时再加一个上界", "gppo"},
	{"有限差分", "finite difference", "用函数值之差近似梯度", "gppo"},
	{"梯度系数", "gradient coefficient", "GC，∇ log π 前的系数", "the-unified-view"},
	{"监督微调", "supervised fine-tuning (SFT)", "在给定的回答上训练", "the-unified-view"},
	{"拒绝采样", "rejection sampling", "采样后只留下合格的样本", "rejection-sampling"},
	{"基于规则的奖励", "rule-based reward", "按规则直接判定、不用模型打分的奖励", "rewards-by-rule"},
	{"语言一致性", "language consistency", "目标语言的词所占的比例", "rewards-by-rule"},
	{"基座模型", "base model", "只经过预训练的模型", "the-pipeline-of-r1"},
	{"思维链", "chain of thought (CoT)", "写出来的推理过程", "the-pipeline-of-r1"},
	{"冷启动", "cold start", "RL 之前的少量 SFT", "the-pipeline-of-r1"},
	{"蒸馏", "distillation", "小模型学习大模型的输出", "the-pipeline-of-r1"},
}
