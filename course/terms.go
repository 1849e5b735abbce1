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
		"[学习路线](PATHS.md)里用到的术语，按出现的先后排列。译名从通行的用法；没有通行译名的保留英文。\n\n" +
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
	{"词元", "token", "文本切分后的最小单位", ""},
	{"词表", "vocabulary", "所有词元的集合，V3 有 129,280 项", "next-token-loss"},
	{"词嵌入", "embedding", "词元对应的向量", ""},
	{"输出头", "output head", "从隐藏向量到 logits 的矩阵", ""},
	{"查询、键、值", "query, key, value", "注意力的三个输入 q、k、v", "scaled-dot-product-attention"},
	{"缩放点积注意力", "scaled dot-product attention", "softmax(q·k/√d) 加权的值之和", "scaled-dot-product-attention"},
	{"因果掩码", "causal mask", "只许看见自己和先前的词元", "scaled-dot-product-attention"},
	{"多头注意力", "multi-head attention (MHA)", "每个头各有一份键值", "multi-head-attention"},
	{"KV 缓存", "KV cache", "已算好的键和值，留给以后的查询", "kv-cache"},
	{"多查询注意力", "multi-query attention (MQA)", "所有头共用一份键值", "multi-query-attention"},
	{"分组查询注意力", "grouped-query attention (GQA)", "每组头共用一份键值", "grouped-query-attention"},
	{"旋转位置编码", "rotary position embedding (RoPE)", "按位置旋转查询和键", "rope"},
	{"上下文扩展", "context extension", "把模型用到比训练更长的上下文", "yarn"},
	{"预填充", "prefill", "一次处理整个提示，写满缓存", "naive-or-absorbed"},
	{"解码", "decoding", "逐个生成词元", "kv-cache"},
	{"多头潜注意力", "multi-head latent attention (MLA)", "缓存低维潜向量，而不是键和值", "mla"},
	{"潜向量", "latent", "键和值的低秩联合压缩 c^KV", "mla"},
	{"低秩压缩", "low-rank compression", "先投影到低维，再投影回来", "mla"},
	{"降维、升维投影", "down-, up-projection", "W^DKV 与 W^UK、W^UV", "mla"},
	{"解耦的旋转键", "decoupled rotary key", "单独带位置的短键，各头共用", "decoupled-rope"},
	{"矩阵吸收", "matrix absorption", "把 W^UK 并到查询一侧、W^UV 并到输出一侧", "absorption"},
	{"分页缓存", "paged cache", "缓存切成页，由页表查找", "decoding-from-pages"},
	{"前馈网络", "feed-forward network (FFN)", "逐词元的门控两层网络", "the-feed-forward-network"},
	{"混合专家", "mixture of experts (MoE)", "许多网络中按门控选用几个", "a-mixture-of-experts"},
	{"门控", "gate, router", "给专家打分并选择", "a-mixture-of-experts"},
	{"亲和度", "affinity", "词元与专家的匹配得分 s", "a-mixture-of-experts"},
	{"门控值", "gate value", "选中专家的权重 g", "a-mixture-of-experts"},
	{"路由专家", "routed expert", "由门控选择的专家", "a-mixture-of-experts"},
	{"共享专家", "shared expert", "每个词元都用的专家", "fine-grained-and-shared-experts"},
	{"细粒度专家", "fine-grained experts", "把专家切小，多选几个", "fine-grained-and-shared-experts"},
	{"负载均衡", "load balancing", "让各专家分到的词元数接近", "the-balance-loss"},
	{"辅助损失", "auxiliary loss", "为均衡而加的损失", "the-balance-loss"},
	{"序列级均衡损失", "sequence-wise balance loss", "在一条序列之内计算的均衡损失", "the-balance-loss"},
	{"设备受限路由", "device-limited routing", "每个词元至多去 M 台设备", "device-and-node-limits"},
	{"节点受限路由", "node-limited routing", "每个词元至多去 M 个节点", "device-and-node-limits"},
	{"无辅助损失均衡", "auxiliary-loss-free balancing", "靠偏置而不靠损失来均衡", "auxiliary-loss-free-balancing"},
	{"最大负载偏离", "maximal violation (MaxVio)", "最忙的专家超出平均的比例", "auxiliary-loss-free-balancing"},
	{"专家并行", "expert parallelism (EP)", "专家分布在不同设备上", "dispatch-and-combine"},
	{"分发、合并", "dispatch, combine", "把词元送到专家处，再把结果取回", "dispatch-and-combine"},
	{"残差", "residual", "输入直接加到输出上", "the-transformer-block"},
	{"激活参数", "active parameters", "一个词元实际用到的参数", "the-parameters-of-v3"},
	{"量化、反量化", "quantisation, dequantisation", "转成低精度编码，再乘回缩放因子", "fp8-blocks"},
	{"分块缩放", "block scaling", "每块一个缩放因子", "fp8-blocks"},
	{"离群值", "outlier", "比其余大得多的元素", "fp8-blocks"},
	{"累加精度", "accumulation precision", "求和时保留的位数", "fp8-products"},
	{"矩阵乘", "GEMM", "通用矩阵乘法", "fp8-products"},
	{"流水线气泡", "pipeline bubble", "流水线各级空等的时间", "pipeline-bubbles"},
	{"微批次", "micro-batch", "流水线中一次送入的一小批", "pipeline-bubbles"},
	{"交叉熵", "cross-entropy", "−log P(真实词元) 的平均", "next-token-loss"},
	{"多词元预测", "multi-token prediction (MTP)", "一个位置预测后面几个词元", "predicting-several-tokens"},
	{"互信息", "mutual information", "知道一个变量后，另一个减少的不确定性", "why-it-works"},
	{"关键选择点", "choice point", "对后文影响大的词元", "why-it-works"},
	{"因果链", "causal chain", "每一深度都以前一深度为条件", "the-mtp-module-of-v3"},
	{"投机解码", "speculative decoding", "先起草，再由主模型一次验证", "drafts-accepted-exactly"},
	{"草稿", "draft", "待验证的词元", "drafts-accepted-exactly"},
	{"接受率", "acceptance rate", "草稿被保留的概率", "what-drafts-gain"},
	{"总变差距离", "total variation", "两个分布之差的一半绝对和", "what-drafts-gain"},
	{"强化学习", "reinforcement learning (RL)", "从奖励中学习行动", ""},
	{"策略", "policy", "给定状态时动作的分布 π", "policy-gradients"},
	{"回报", "return", "折扣奖励之和 G", "monte-carlo"},
	{"折扣因子", "discount", "γ，后来的奖励打的折扣", "monte-carlo"},
	{"蒙特卡洛", "Monte Carlo", "用完整回报作目标", "monte-carlo"},
	{"时序差分", "temporal difference (TD)", "用一步奖励加下一状态的估计作目标", "temporal-differences"},
	{"自举", "bootstrapping", "目标中含有自己的估计", "temporal-differences"},
	{"同策略、异策略", "on-policy, off-policy", "学习的策略与采样的策略相同或不同", "q-learning"},
	{"目标网络", "target network", "用来算目标的固定副本", "dqn"},
	{"策略梯度", "policy gradient", "期望回报对策略参数的梯度", "policy-gradients"},
	{"基线", "baseline", "从回报中减去的预期值", "baselines-and-actor-critic"},
	{"演员-评论家", "actor-critic", "策略与价值一起学", "baselines-and-actor-critic"},
	{"留一法", "leave-one-out", "以其他样本的平均为基线", "baselines-and-actor-critic"},
	{"优势函数", "advantage", "动作价值减状态价值，A = Q − V", "gae"},
	{"广义优势估计", "generalised advantage estimation (GAE)", "各步数优势的 λ 加权", "gae"},
	{"信赖域", "trust region", "允许策略变化的范围", "trpo"},
	{"共轭梯度", "conjugate gradient", "不显式求逆而解线性方程", "trpo"},
	{"重要性采样比", "importance ratio", "新旧策略概率之比 r", "ppo"},
	{"裁剪", "clipping", "把比值限制在 1 ± ε 内", "ppo"},
	{"双重裁剪", "dual clip", "优势为负时再加一个上界", "gppo"},
	{"基于人类反馈的强化学习", "RLHF", "奖励由人的比较学得", "rlhf-and-its-four-models"},
	{"奖励模型", "reward model", "给回答打分的模型", "rlhf-and-its-four-models"},
	{"参考模型", "reference model", "冻结的起点模型 π_ref", "rlhf-and-its-four-models"},
	{"价值模型", "value model, critic", "估计价值的模型", "rlhf-and-its-four-models"},
	{"KL 散度", "KL divergence", "两个分布的差异", "three-estimates-of-kl"},
	{"无偏估计", "unbiased estimate", "期望等于真值的估计", "three-estimates-of-kl"},
	{"直接偏好优化", "direct preference optimisation (DPO)", "不经奖励模型，直接从偏好学习", "dpo"},
	{"配分函数", "partition function", "归一化常数 Z(x)", "dpo"},
	{"隐式奖励", "implicit reward", "β log(π/π_ref)", "dpo"},
	{"组相对策略优化", "group relative policy optimisation (GRPO)", "以同组回答的平均为基线", "grpo"},
	{"动态采样", "dynamic sampling", "丢掉全对或全错的组", "dapo-and-dr-grpo"},
	{"停止梯度", "stop-gradient", "sg(·)，求导时当作常数", "gppo"},
	{"梯度系数", "gradient coefficient", "GC，∇ log π 前的系数", "the-unified-view"},
	{"监督微调", "supervised fine-tuning (SFT)", "在给定回答上训练", "the-unified-view"},
	{"拒绝采样", "rejection sampling", "只留下合格的样本", "rejection-sampling"},
	{"规则奖励", "rule-based reward", "可以直接检查的奖励", "rewards-by-rule"},
	{"语言一致性", "language consistency", "目标语言的词所占比例", "rewards-by-rule"},
	{"思维链", "chain of thought (CoT)", "写出来的推理过程", "rewards-by-rule"},
	{"冷启动", "cold start", "RL 之前的少量 SFT", "the-pipeline-of-r1"},
	{"蒸馏", "distillation", "小模型学大模型的输出", "the-pipeline-of-r1"},
}
