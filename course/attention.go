package course

var attentionRoute = Route{
	ID:    "from-attention-to-mla",
	Title: Text{"From attention to MLA", "从注意力到 MLA"},
	Intro: Text{
		`A decoder that writes one token at a time reads the keys and values of all tokens before it. This route
		makes them fewer, head by head, and ends where a token leaves 576 numbers behind instead of 32,768.`,
		`解码器每写一个词元，都要读一遍此前所有词元的键和值。这条路线一步步把它们变少：终点处，
		每个词元每层只留下 576 个数，而不是 32,768 个。`,
	},
	Stations: []Station{
		{
			ID:    "scaled-dot-product-attention",
			Title: Text{"Scaled dot-product attention", "缩放点积注意力"},
			Why: Text{
				`A token has to gather from the others what concerns it; the softmax of the products of its query with
				their keys says how much of each value it takes.`,
				`每个词元要从其他词元那里取来与自己有关的信息；它的查询与各个键的点积经 softmax 之后，
				就是从各个值里取多少的权重。`,
			},
			Exercise: Text{
				`Which scale does a score need if query and key are D independent numbers of variance 1, so that its
				variance is 1 too?`,
				`若查询和键各是 D 个方差为 1 的独立分量，分数要除以多少，方差才仍是 1？`,
			},
			Answer: Text{
				`1/√D: a sum of D products of variance 1 has variance D.`,
				`1/√D：D 个方差为 1 的乘积之和，方差是 D。`,
			},
			Read:     []Read{{`"By hand": attention`, `手算：注意力`}},
			Function: []string{"attention.Scores", "attention.Softmax", "attention.Values", "attention.Head"},
			Look:     Look{Hand: "attention", Picture: "masks"},
		},
		{
			ID:    "multi-head-attention",
			Title: Text{"Multi-head attention (MHA)", "多头注意力（MHA）"},
			Why: Text{
				`One softmax mixes all that a token looks for into one set of weights; n_h narrow heads look for n_h
				things at the same cost.`,
				`一个 softmax 只能给出一组权重，把词元要找的东西混在一起；把宽度切成 n_h 个窄头，
				同样的计算量就能同时找 n_h 样东西。`,
			},
			Exercise: Text{
				`Permute the heads of all four projections in the same way. What changes in the output?`,
				`把四个投影的头按同一次序重排，输出会变吗？`,
			},
			Answer: Text{
				`Nothing: W^O is permuted too, and sums the same products in another order.`,
				`不变：W^O 也一起重排，只是换了求和的次序。`,
			},
			Read:     []Read{{"MHA", "MHA"}},
			Function: []string{"attention.MHA", "attention.MultiHead", "attention.SplitHeads"},
			Look:     Look{Hand: "gqa", Picture: "heads"},
		},
		{
			ID:    "kv-cache",
			Title: Text{"The KV cache", "KV 缓存"},
			Why: Text{
				`With a causal mask nothing that comes later changes the key and value of a token, so a decoder computes
				them once and keeps them.`,
				`有了因果掩码，后来的词元不会改变先前词元的键和值，所以解码时各算一次、存下来即可。`,
			},
			Exercise: Text{
				`How many products of a query with a key does decoding T tokens take with the cache, and how many
				without?`,
				`逐个解码 T 个词元，有缓存时共做多少次查询与键的点积？没有缓存时呢？`,
			},
			Answer: Text{
				`With it T(T+1)/2; without, every step starts over, and it is T(T+1)(T+2)/6.`,
				`有缓存时 T(T+1)/2 次；没有缓存时每步从头算起，共 T(T+1)(T+2)/6 次。`,
			},
			Function: []string{"attention.Decode"},
			Look:     Look{Hand: "cache"},
		},
		{
			ID:    "no-query-cache",
			Title: Text{"Why there is no query cache", "为什么没有 Q 缓存"},
			Why: Text{
				`Keys and values are kept because later queries read them; a query is read in its own step alone, so
				nothing is gained by keeping it.`,
				`键和值要存，是因为以后的查询还会读它们；而一个查询只在它自己那一步用到，存下来没有任何用处。`,
			},
			Exercise: Text{
				`Overwrite every old query with NaN, then every old key. Which of the two shows in the next token?`,
				`把旧查询全部改成 NaN，再把旧键全部改成 NaN：哪一种会影响下一个词元？`,
			},
			Answer: Text{
				`The keys alone.`,
				`只有旧键会影响。`,
			},
			Read:     []Read{{"why there is no query cache", "为什么没有 Q 缓存"}},
			Function: []string{"attention.Decode"},
			Look:     Look{Hand: "cache", Count: "no-query-cache"},
		},
		{
			ID:    "why-a-small-kv-cache-matters",
			Title: Text{"Why a small KV cache matters", "为什么要减小 KV 缓存"},
			Why: Text{
				`Each step reads the whole cache for a few operations per byte, so it is memory, by size and by speed,
				that bounds batch and context.`,
				`每解码一步都要把整个缓存读一遍，而每个字节只参与几次运算；限制批大小和上下文长度的，
				是显存的容量和带宽，而不是算力。`,
			},
			Exercise: Text{
				`How many tokens of context fit into 80 GB if DeepSeek-V3 had kept the keys and values of 128 heads in
				BF16?`,
				`假如 DeepSeek-V3 用 BF16 存下全部 128 个头的键和值，80 GB 显存能放多长的上下文？`,
			},
			Answer: Text{
				`2 · 61 · 32,768 bytes a token: 20,011 tokens, for all sequences together. MLA fits 1,138,433.`,
				`每个词元 2 · 61 · 32,768 字节，所有序列合计只放得下 20,011 个词元；MLA 放得下 1,138,433 个。`,
			},
			Read:     []Read{{"why a small KV cache matters", "为什么要减小 KV 缓存"}},
			Function: []string{"attention.Decode"},
			Look:     Look{Picture: "cache", Count: "kv-cache"},
		},
		{
			ID:    "multi-query-attention",
			Title: Text{"Multi-query attention (MQA)", "多查询注意力（MQA）"},
			Why: Text{
				`If the cache is the bound, let all heads read one key and one value: it shrinks n_h times, and the
				queries stay as many as they were.`,
				`既然瓶颈在缓存，就让所有头共用一组键和值：缓存缩小 n_h 倍，查询头的个数不变。`,
			},
			Exercise: Text{
				`The paper's program leaves out the scale 1/√D. Which initialisation of the queries' projection stands
				for it?`,
				`原论文的程序没有 1/√D 这个缩放。怎样初始化查询的投影可以代替它？`,
			},
			Answer: Text{
				`A standard deviation of the queries' weights smaller by 1/√D.`,
				`把查询投影权重的标准差缩小到原来的 1/√D。`,
			},
			Read:     []Read{{"MQA", "MQA"}},
			Function: []string{"attention.MQA"},
			Look:     Look{Hand: "gqa", Picture: "heads"},
		},
		{
			ID:    "grouped-query-attention",
			Title: Text{"Grouped-query attention (GQA)", "分组查询注意力（GQA）"},
			Why: Text{
				`One key for all heads costs quality; n_g groups of heads, each with a key and value of its own, lie
				between, and with n_g = n_h or 1 are MHA or MQA.`,
				`所有头共用一组键值会损失质量；把头分成 n_g 组、每组一份键值，就介于两者之间：
				n_g = n_h 时是 MHA，n_g = 1 时是 MQA。`,
			},
			Exercise: Text{
				`When is the mean of the heads' projections, by which MHA is converted, exact?`,
				`由 MHA 转换而来时，各组的投影取组内各头的均值；什么情况下这样做没有误差？`,
			},
			Answer: Text{
				`When the heads of each group have the same projections of keys and of values already.`,
				`每组各头的键投影、值投影本来就相同的时候。`,
			},
			Read:     []Read{{"GQA", "GQA"}},
			Function: []string{"attention.GQA", "attention.Group", "attention.Repeat", "attention.PoolHeads"},
			Look:     Look{Hand: "gqa", Picture: "heads"},
		},
		{
			ID:    "rope",
			Title: Text{"Rotary position embedding (RoPE)", "旋转位置编码（RoPE）"},
			Why: Text{
				`Attention so far is blind to order; turning query and key by angles that grow with their positions makes
				a score depend on the distance alone.`,
				`到目前为止，注意力不知道词元的先后；让查询和键按各自的位置旋转一个角度，
				分数就只取决于两者的距离。`,
			},
			Exercise: Text{
				`Checkpoints pair elements (2i, 2i+1), Hugging Face's code elements i and i + d/2. Which permutation of
				query and key leaves all scores as they are?`,
				`权重文件里是 (2i, 2i+1) 两两成对，Hugging Face 的代码里是 i 与 i + d/2 成对；
				对查询和键做怎样的重排，所有分数都不变？`,
			},
			Answer: Text{
				`First all even elements, then all odd ones: Permute. A product does not ask for the order of
				its terms.`,
				`先排所有偶数位，再排所有奇数位，即 Permute；点积与分量的次序无关。`,
			},
			Read:     []Read{{"MLA's RoPE", "MLA 中的 RoPE"}, {`"By hand": RoPE`, `手算：RoPE`}},
			Function: []string{"rope.Rotate", "rope.Frequencies", "rope.Table", "rope.Matrix", "rope.Permute"},
			Look:     Look{Hand: "rope", Derivation: "rope-is-relative"},
		},
		{
			ID:    "yarn",
			Title: Text{"A longer context: YaRN", "更长的上下文：YaRN"},
			Why: Text{
				`Beyond the trained length the slow pairs reach angles never seen; YaRN slows these down, leaves the fast
				ones alone, and sharpens the softmax.`,
				`超出训练长度以后，转得慢的维度会转到从未见过的角度；YaRN 只把这些维度放慢，
				转得快的不动，再把 softmax 调得更尖一些。`,
			},
			Exercise: Text{
				`For DeepSeek-V3 (64 rotary elements, 4096 tokens stretched 40 times): which pairs are left alone, which
				are slowed by 40?`,
				`DeepSeek-V3 的旋转维度为 64，从 4096 个词元扩展 40 倍：哪些维度对保持不变，哪些放慢 40 倍？`,
			},
			Answer: Text{
				`Pairs up to 10 are left alone, pairs from 23 on are slowed by 40, those between in part.`,
				`第 0 到 10 对不变，第 23 对起放慢 40 倍，中间的介于两者之间。`,
			},
			Function: []string{"rope.YaRNFrequencies", "rope.ByParts", "rope.GammaByIndex", "rope.MScale"},
			Look:     Look{Hand: "yarn", Picture: "yarn"},
		},
		{
			ID:    "rmsnorm",
			Title: Text{"RMSNorm", "RMSNorm"},
			Why: Text{
				`What is compressed in the next step is normed first, in code though not in the equations, so that
				bottlenecks keep their scale.`,
				`接下来要压缩的向量都先做归一化（论文的公式里没写，代码里有），这样瓶颈处的尺度不会漂移。`,
			},
			Exercise: Text{
				`With weights of 1 and ε = 0, what is the RMSNorm of an RMSNorm?`,
				`权重为 1、ε = 0 时，对 RMSNorm 的结果再做一次 RMSNorm，得到什么？`,
			},
			Answer: Text{
				`The same again.`,
				`还是原来的结果。`,
			},
			Function: []string{"norm.RMS"},
			Look:     Look{Hand: "norm"},
		},
		{
			ID:    "mla",
			Title: Text{"Multi-head latent attention (MLA)", "多头潜注意力（MLA）"},
			Why: Text{
				`GQA makes the cache smaller by giving heads the same key; MLA keeps one short latent per token from which
				every head makes a key and a value of its own.`,
				`GQA 靠让多个头共用同一个键来缩小缓存；MLA 则让每个词元只存一个低维的潜向量，
				每个头再由它还原出自己的键和值。`,
			},
			Exercise: Text{
				`MLA caches d_c + d_h^R numbers, with d_c = 4 d_h and d_h^R = d_h/2. How many groups would GQA have for the
				same cache?`,
				`MLA 每个词元缓存 d_c + d_h^R 个数，其中 d_c = 4 d_h、d_h^R = d_h/2。同样大小的缓存相当于几组的 GQA？`,
			},
			Answer: Text{
				`2.25: 4.5 d_h = 2 n_g d_h.`,
				`2.25 组：由 4.5 d_h = 2 n_g d_h 得出。`,
			},
			Read:     []Read{{"MLA", "MLA"}, {`"By hand": MLA`, `手算：MLA`}},
			Function: []string{"mla.CompressKV", "mla.UpKey", "mla.UpValue"},
			Look:     Look{Hand: "mla", Picture: "mla"},
		},
		{
			ID:    "decoupled-rope",
			Title: Text{"MLA's RoPE: the decoupled key", "MLA 的 RoPE：解耦的键"},
			Why: Text{
				`A rotation between the latent and the key would have to be undone for every distance, so the position
				goes into a short key of its own, which all heads share.`,
				`若在潜向量与键之间插入旋转，每个距离都得另算一个矩阵；于是把位置信息放进一个单独的、
				所有头共用的短键里。`,
			},
			Exercise: Text{
				`The scale of a score is 1/√192, not 1/√128. Why, and what comes out of a head whose rotary part is 0?`,
				`分数的缩放是 1/√192 而不是 1/√128，为什么？旋转部分全为 0 的头会算出什么？`,
			},
			Answer: Text{
				`A score is a sum of 128 + 64 products. With a rotary part of 0 it is attention without positions,
				flatter than a 128-wide head would be.`,
				`分数是 128 + 64 个乘积之和。旋转部分为 0 时就是不带位置的注意力，只是比 128 维的头更平缓。`,
			},
			Read:     []Read{{"MLA's RoPE", "MLA 中的 RoPE"}},
			Function: []string{"mla.RopeKey", "mla.RopeQuery", "mla.ConcatKey", "mla.ConcatQuery", "mla.Scale"},
			Look:     Look{Hand: "mla", Picture: "mla", Derivation: "absorption-and-why-rope-forbids-it"},
		},
		{
			ID:    "compressed-queries",
			Title: Text{"Compressed queries", "压缩的查询"},
			Why: Text{
				`Queries are not cached, but they are kept for the backward pass: a latent for them too makes training's
				activations and the projection smaller.`,
				`查询不进缓存，但训练时要为反向传播留着；给查询也做低秩压缩，激活占用和投影的参数都会变小。`,
			},
			Exercise: Text{
				`How many parameters do W^DQ, W^UQ and W^QR of DeepSeek-V3 have together, and how many would one
				uncompressed projection have?`,
				`DeepSeek-V3 的 W^DQ、W^UQ、W^QR 一共多少参数？不压缩、只用一个投影时又是多少？`,
			},
			Answer: Text{
				`11,010,048 + 37,748,736 = 48,758,784, instead of 176,160,768.`,
				`11,010,048 + 37,748,736 = 48,758,784 个，不压缩则是 176,160,768 个。`,
			},
			Read:     []Read{{"compressed queries", "查询的低秩压缩"}},
			Function: []string{"mla.CompressQuery", "mla.UpQuery"},
			Look:     Look{Hand: "mla", Picture: "mla"},
		},
		{
			ID:    "the-mla-layer",
			Title: Text{"The layer as a whole", "完整的一层"},
			Why: Text{
				`All parts together: two latents, two norms, one shared rotary key, a softmax over nope and rope parts
				at once, and the projection of all heads back.`,
				`把各部分合在一起：两个潜向量、两次归一化、一个共享的旋转键，
				对不带位置与带位置两部分的分数之和取 softmax，最后把各头的输出投影回去。`,
			},
			Exercise: Text{
				`With one token, on what does the output not depend?`,
				`只有一个词元时，输出与哪些量无关？`,
			},
			Answer: Text{
				`On queries and keys: the one weight is 1, and u = W^O of the heads' W^UV c^KV.`,
				`与查询和键无关：唯一的权重是 1，u 就是各头 W^UV c^KV 经 W^O 投影的结果。`,
			},
			Function: []string{"mla.Layer", "mla.Attend", "mla.Output"},
			Look:     Look{Hand: "mla", Picture: "mla"},
		},
		{
			ID:    "absorption",
			Title: Text{"Inference by absorption", "推理时的矩阵吸收"},
			Why: Text{
				`A key is W^UK times a latent, so a score is the latent times W^UKᵀ q: move the matrix to the query, of
				which there is one, and no key of the past is ever made.`,
				`键是 W^UK 乘潜向量，分数也就等于潜向量与 W^UKᵀ q 的点积：把矩阵移到只有一个的查询上，
				过去的键就永远不必还原出来。`,
			},
			Exercise: Text{
				`Count the multiplications of one query with one cached token and one head, naive and absorbed. Which is
				more, and why is it still faster?`,
				`对一个查询、一个缓存的词元、一个头，分别数一数不吸收和吸收的乘法次数。哪个更多？为什么反而更快？`,
			},
			Answer: Text{
				`192 + 128 = 320 naive, 576 + 512 = 1088 absorbed. But naive reads 128 heads' keys and values, 40,960
				numbers of a token, and absorbed 576, and it is the reading that takes the time.`,
				`不吸收 192 + 128 = 320 次，吸收 576 + 512 = 1088 次。但前者每个词元要读 128 个头的键和值共 40,960 个数，后者只读 576 个，而
				时间正花在读取上。`,
			},
			Read:     []Read{{"MLA's inference by absorption", "MLA 推理：矩阵吸收"}},
			Function: []string{"mla.AbsorbQuery", "mla.AbsorbOutput", "mla.LayerAbsorbed"},
			Look:     Look{Hand: "mla", Derivation: "absorption-and-why-rope-forbids-it"},
		},
		{
			ID:    "mla-as-gqa",
			Title: Text{"MLA seen as GQA", "用 GQA 的眼光看 MLA"},
			Why: Text{
				`Absorbed, all heads read the same 576 numbers of a token as key and the first 512 of them as value: MLA
				decodes as MQA with very wide heads, and trains as MHA.`,
				`吸收之后，所有头都把同一个词元的 576 个数当作键、其中前 512 个当作值：
				MLA 解码时就是一个头特别宽的 MQA，训练时则是 MHA。`,
			},
			Exercise: Text{
				`For which W^UK and W^UV is MLA without rotation exactly GQA with n_g groups?`,
				`W^UK 和 W^UV 取什么样的矩阵时，不带旋转的 MLA 恰好就是 n_g 组的 GQA？`,
			},
			Answer: Text{
				`Let the latent be the keys and values of the groups one after the other, d_c = 2 n_g d_h; W^UK and W^UV
				of head h then pick those of group g(h), and consist of zeros and ones.`,
				`让潜向量依次放各组的键和值，d_c = 2 n_g d_h；第 h 个头的 W^UK、W^UV 只取出第 g(h) 组的部分，由 0 和 1 组成。`,
			},
			Read:     []Read{{"MLA's GQA view", "从 GQA 看 MLA"}},
			Function: []string{"mla.HeadWeights.Absorbed", "mla.HeadWeights.Naive"},
			Look:     Look{Hand: "mla", Picture: "heads"},
		},
		{
			ID:    "decoding-from-pages",
			Title: Text{"Decoding from a paged cache", "从分页缓存解码"},
			Why: Text{
				`Latents of many sequences share one memory, cut into pages that a table finds again; the decoding kernel
				that Plumbline judges reads them so.`,
				`许多序列的潜向量共用一块显存，切成页，由页表找回；Plumbline 检验的解码内核就是这样读取的。`,
			},
			Exercise: Text{
				`A page is half full. What may stand in its unused slots, and what must a kernel not do with it?`,
				`有一页只用了一半，没用到的位置里可能是什么？内核绝不能拿它做什么？`,
			},
			Answer: Text{
				`Anything, NaN too. It must not multiply it, even by a weight of 0, for 0 · NaN is NaN.`,
				`什么都可能，包括 NaN。不能拿它去乘，权重是 0 也不行，因为 0 · NaN 仍是 NaN。`,
			},
			Function: []string{"mla.PagedCache.Decode", "mla.PagedCache.Append", "mla.GatherPages", "mla.LayerDecode"},
			Look:     Look{Hand: "cache"},
		},
		{
			ID:    "naive-or-absorbed",
			Title: Text{"Where naive and absorbed cross", "吸收与不吸收的分界"},
			Why: Text{
				`Absorption pays where one query meets many cached tokens and loses where many queries share the keys
				once made, so prefill runs naive and decoding absorbed.`,
				`一个查询面对许多缓存词元时，吸收划算；许多查询共用还原好的键时，吸收反而吃亏：
				所以预填充用不吸收的形式，解码用吸收的形式。`,
			},
			Exercise: Text{
				`At how many queries per cached token do the two cost the same for DeepSeek-V3?`,
				`对 DeepSeek-V3，多少个查询共用缓存时，两种形式的运算量相等？`,
			},
			Answer: Text{
				`Making a key and value takes 2 · 128 · 512 products per head, shared by S queries: 320 + 131,072/S =
				1088 at S ≈ 171, for a long context.`,
				`每个头还原一次键和值要 2 · 128 · 512 次乘法，由 S 个查询分摊：320 + 131,072/S = 1088，上下文很长时 S ≈ 171。`,
			},
			Read:     []Read{{"MLA's inference by absorption", "MLA 推理：矩阵吸收"}},
			Function: []string{"mla.LayerAbsorbed"},
			Look:     Look{Count: "operations"},
		},
	},
}
