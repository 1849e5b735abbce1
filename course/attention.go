package course

var attentionRoute = Route{
	ID:    "from-attention-to-mla",
	Title: Text{"From attention to MLA", "从注意力到 MLA"},
	Intro: Text{
		`A decoder that writes one token at a time reads the keys and values of all tokens before it. This route
		makes them fewer, head by head, and ends where a token leaves 576 numbers behind in each layer instead of
		32,768.`,
		`解码器逐个生成 token，每一步都要把前面所有 token 的键和值读一遍。这条路线让它们一步步变少：走到终点，
		每个 token 在每层只留下 576 个数，而不是 32,768 个。`,
	},
	Stations: []Station{
		{
			ID:    "scaled-dot-product-attention",
			Title: Text{"Scaled dot-product attention", "缩放点积注意力"},
			Why: Text{
				`A token has to gather from the others what concerns it; the softmax of the products of its query with
				their keys says how much of each value it takes.`,
				`每个 token 要从其他 token 那里获取与自己有关的信息：拿自己的查询与各个键做点积，
				再过一遍 softmax，就知道该从每个值里取多少。`,
			},
			Exercise: Text{
				`Which scale does a score need if query and key are D independent numbers of mean 0 and variance 1, so that its
				variance is 1 too?`,
				`若查询和键各由 D 个独立、均值为 0、方差为 1 的分量组成，要让分数的方差也是 1，
				应乘以多大的缩放因子？`,
			},
			Answer: Text{
				`1/√D: a sum of D products of variance 1 has variance D.`,
				`1/√D：D 个方差为 1 的乘积相加，方差是 D。`,
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
				`一个 softmax 只能给出一组权重，token 要找的各种信息全混在一起；把维度分给 n_h 个较窄的头，
				同样的计算量就能同时找 n_h 种信息。`,
			},
			Exercise: Text{
				`Permute the heads of all four projections in the same way. What changes in the output?`,
				`把四个投影矩阵里的头都按同一顺序重排，输出会变吗？`,
			},
			Answer: Text{
				`Nothing: W^O is permuted too, and sums the same products in another order.`,
				`不变：W^O 也跟着重排，只是换了求和的顺序。`,
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
				`有了因果掩码，后面的 token 不会影响前面 token 的键和值，
				所以解码时每个 token 的键和值只需算一次，存下来即可。`,
			},
			Exercise: Text{
				`How many products of a query with a key does one head take to decode T tokens with the cache, and how
				many without?`,
				`逐个解码 T 个 token，有缓存时，一个头一共要算多少次查询与键的点积？没有缓存呢？`,
			},
			Answer: Text{
				`With it T(T+1)/2; without, every step starts over, and it is T(T+1)(T+2)/6.`,
				`有缓存时 T(T+1)/2 次；没有缓存时每步都要从头算起，共 T(T+1)(T+2)/6 次。`,
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
				`键和值要缓存，是因为后面的查询还要读；查询只在自己那一步用到，存下来没有任何好处。`,
			},
			Exercise: Text{
				`Overwrite every old query with NaN, then every old key. Which of the two shows in the next token?`,
				`把旧的查询全部改成 NaN，或者把旧的键全部改成 NaN：哪一种会影响下一个 token？`,
			},
			Answer: Text{
				`The keys alone.`,
				`只有改键会影响。`,
			},
			Read:     []Read{{"why there is no query cache", "为什么没有 Q 缓存"}},
			Function: []string{"attention.Decode"},
			Tests:    []string{"attention.TestNoLaterStepReadsAnOldQuery", "mla.TestNoLaterStepReadsAnOldQuery"},
			Look:     Look{Hand: "cache", Count: "why-there-is-no-query-cache"},
		},
		{
			ID:    "why-a-small-kv-cache-matters",
			Title: Text{"Why a small KV cache matters", "为什么要减小 KV 缓存"},
			Why: Text{
				`Each step reads the whole cache for a few operations per byte, so it is memory, by size and by speed,
				that bounds batch and context.`,
				`每解码一步都要把整个缓存读一遍，而每读一个字节只做寥寥几次运算；
				所以限制 batch size 和上下文长度的是显存的容量和带宽，而不是算力。`,
			},
			Exercise: Text{
				`How many tokens of context would fit into 80 GB if DeepSeek-V3 kept the keys and values of 128 heads
				of width 128 in BF16?`,
				`假如 DeepSeek-V3 用 BF16 缓存全部 128 个头（每头 128 维）的键和值，
				80 GB 显存放得下多少个 token 的上下文？`,
			},
			Answer: Text{
				`2 · 61 · 32,768 bytes a token: 20,011 tokens, for all sequences together. MLA fits 1,138,433.`,
				`每个 token 占 2 · 61 · 32,768 字节，所有序列加起来只放得下 20,011 个 token；
				MLA 放得下 1,138,433 个。`,
			},
			Read:     []Read{{"why a small KV cache matters", "为什么要减小 KV 缓存"}},
			Function: []string{"model.Sizes.CachePerToken", "model.GQA.CachePerToken", "model.Sequences"},
			Look:     Look{Picture: "cache", Count: "why-a-small-cache-matters"},
		},
		{
			ID:    "multi-query-attention",
			Title: Text{"Multi-query attention (MQA)", "多查询注意力（MQA）"},
			Why: Text{
				`If the cache is the bound, let all heads read one key and one value: it shrinks n_h times, and the
				queries stay as many as they were.`,
				`既然瓶颈在缓存，就让所有头共用一份键和值：缓存缩小到 1/n_h，查询头的个数不变。`,
			},
			Exercise: Text{
				`The paper's program leaves out the scale 1/√D. Which initialisation of the queries' projection stands
				for it?`,
				`原论文的代码里没有 1/√D 这个缩放因子；怎样初始化查询的投影矩阵，能起到同样的作用？`,
			},
			Answer: Text{
				`One whose weights have a standard deviation smaller by a factor of √D.`,
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
				`所有头共用一份键和值，效果会变差；把头分成 n_g 组，每组共用一份，就介于两者之间：
				n_g = n_h 时是 MHA，n_g = 1 时是 MQA。`,
			},
			Exercise: Text{
				`When is the mean of the heads' projections, by which MHA is converted, exact?`,
				`从 MHA 转成 GQA 时，每组的投影取组内各头的平均；什么情况下这样做没有误差？`,
			},
			Answer: Text{
				`When the heads of each group have the same projections of keys and of values already.`,
				`组内各头的键投影、值投影本来就相同时。`,
			},
			Read:     []Read{{"GQA", "GQA"}},
			Function: []string{"attention.GQA", "attention.Group", "attention.Repeat", "attention.PoolHeads"},
			Look:     Look{Hand: "gqa", Picture: "heads"},
		},
		{
			ID:    "rope",
			Title: Text{"Rotary position embedding (RoPE)", "旋转位置编码（RoPE）"},
			Why: Text{
				`But for its mask, attention so far is blind to order; turning query and key by angles that grow with
				their positions lets the distance of the two into the score, and nothing else of where they stand.`,
				`到目前为止，除了因果掩码，注意力分不清 token 的先后；把查询和键按各自的位置旋转一个角度，
				位置对分数的影响就只剩两者的相对位置。`,
			},
			Exercise: Text{
				`Checkpoints pair elements (2i, 2i+1), Hugging Face's code elements i and i + d/2. Which permutation of
				query and key leaves all scores as they are?`,
				`权重文件里以 (2i, 2i+1) 为一对，Hugging Face 的代码里以 i 与 i + d/2 为一对；
				对查询和键做怎样的重排，能让所有分数都不变？`,
			},
			Answer: Text{
				`First all even elements, then all odd ones: Permute. A product does not ask for the order of
				its terms.`,
				`先排所有偶数下标的分量，再排所有奇数下标的分量，即 Permute；点积与分量的顺序无关。`,
			},
			Read:     []Read{{"MLA's RoPE", "MLA 中的 RoPE"}, {`"By hand": RoPE`, `手算：RoPE`}},
			Function: []string{"rope.Rotate", "rope.Frequencies", "rope.Table", "rope.Matrix", "rope.Permute"},
			Look:     Look{Hand: "rope", Picture: "rope", Derivation: "rope-is-relative"},
		},
		{
			ID:    "yarn",
			Title: Text{"A longer context: YaRN", "更长的上下文：YaRN"},
			Why: Text{
				`Beyond the trained length the slow pairs reach angles never seen; YaRN slows these down, leaves the fast
				ones alone, and sharpens the softmax.`,
				`超出训练长度后，转得慢的维度会转到训练时没见过的角度；YaRN 让这些维度转得更慢，
				转得快的保持不变，再让 softmax 更尖锐一些。`,
			},
			Exercise: Text{
				`For DeepSeek-V3 (64 rotary elements, 4096 tokens stretched 40 times): which pairs are left alone, which
				are slowed by 40?`,
				`DeepSeek-V3 的旋转部分有 64 维，两维一对，上下文从 4096 个 token 扩展到 40 倍：
				哪几对的频率不变，哪几对降到 1/40？`,
			},
			Answer: Text{
				`Pairs up to 10 are left alone, pairs from 23 on are slowed by 40, those between in part.`,
				`第 0 到 10 对不变，第 23 对起降到 1/40，中间各对介于两者之间。`,
			},
			Function: []string{"rope.YaRNFrequencies", "rope.ByParts", "rope.GammaByIndex", "rope.MScale"},
			Look:     Look{Hand: "yarn", Picture: "yarn"},
		},
		{
			ID:    "rmsnorm",
			Title: Text{"RMSNorm", "RMSNorm"},
			Why: Text{
				`A rotation leaves the length of a vector as it is; a latent, into which the next stations squeeze a
				token, may have any, and is normed before it is used, as the papers' text and code say and their equations do
				not.`,
				`旋转不改变向量的长度；而下一站压缩出来的潜向量有长有短，要先归一化再用
				（论文的正文和代码里有，公式里没写）。`,
			},
			Exercise: Text{
				`With weights of 1 and ε = 0, what is the RMSNorm of an RMSNorm?`,
				`权重为 1、ε = 0 时，对 RMSNorm 的结果再做一次 RMSNorm，得到什么？`,
			},
			Answer: Text{
				`The same again.`,
				`和只做一次的结果一样。`,
			},
			Function: []string{"norm.RMS"},
			Look:     Look{Hand: "mla"},
		},
		{
			ID:    "mla",
			Title: Text{"Multi-head latent attention (MLA)", "多头潜在注意力（MLA）"},
			Why: Text{
				`GQA makes the cache smaller by giving heads the same key; MLA keeps one short latent per token from which
				every head makes a key and a value of its own.`,
				`GQA 靠多个头共用同一个键来缩小缓存；MLA 则对每个 token 只存一个低维的潜向量，
				各个头再由它算出自己的键和值。`,
			},
			Exercise: Text{
				`MLA caches d_c + d_h^R numbers, with d_c = 4 d_h and d_h^R = d_h/2. How many groups would GQA have for the
				same cache?`,
				`MLA 每个 token 缓存 d_c + d_h^R 个数，其中 d_c = 4 d_h，d_h^R = d_h/2。
				缓存大小相同的 GQA 有几组？`,
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
				`A key that is made from the latent and then rotated would have to be made again at every step, as no one
				matrix is right for two distances; so the position goes into a short key of its own, which all heads
				share and which is cached as rotated.`,
				`由潜向量算出键之后若再旋转，没有哪个矩阵能同时适用于两个相对位置，
				每解码一步都得把过去的键重算一遍；于是把位置信息放进一个单独的短键，由所有头共用，旋转之后再缓存。`,
			},
			Exercise: Text{
				`The scale of a score is 1/√192, not 1/√128. Why, and what comes out of a head whose rotary part is 0?`,
				`分数的缩放因子为什么是 1/√192，而不是 1/√128？如果一个头的旋转部分全为 0，它会算出什么？`,
			},
			Answer: Text{
				`A score is a sum of 128 + 64 products. With a rotary part of 0 it is attention without positions,
				flatter than a 128-wide head would be.`,
				`分数是 128 + 64 个乘积之和。旋转部分为 0 时就是不带位置信息的注意力，
				只是权重分布比 128 维的头更平缓。`,
			},
			Read:     []Read{{"MLA's RoPE", "MLA 中的 RoPE"}},
			Function: []string{"mla.RopeKey", "mla.RopeQuery", "mla.ConcatKey", "mla.ConcatQuery", "mla.SoftmaxScale"},
			Look:     Look{Hand: "mla", Picture: "mla", Derivation: "absorption-and-why-rope-forbids-it"},
		},
		{
			ID:    "compressed-queries",
			Title: Text{"Compressed queries", "查询的低秩压缩"},
			Why: Text{
				`Queries are not cached, but they are kept for the backward pass: a latent for them too makes training's
				activations and the projection smaller.`,
				`查询不进缓存，但训练时要留着供反向传播用；对查询也做低秩压缩，
				训练时激活占用的显存和投影的参数量都会减少。`,
			},
			Exercise: Text{
				`How many parameters do W^DQ, W^UQ and W^QR of DeepSeek-V3 have together, and how many would one
				uncompressed projection have?`,
				`DeepSeek-V3 的 W^DQ、W^UQ、W^QR 一共有多少个参数？不压缩、只用一个投影时又是多少？`,
			},
			Answer: Text{
				`11,010,048 + 37,748,736 = 48,758,784, instead of 176,160,768.`,
				`11,010,048 + 37,748,736 = 48,758,784 个；不压缩则是 176,160,768 个。`,
			},
			Read:     []Read{{"compressed queries", "查询的低秩压缩"}},
			Function: []string{"mla.CompressQuery", "mla.UpQuery"},
			Look:     Look{Hand: "mla", Picture: "mla"},
		},
		{
			ID:    "the-mla-layer",
			Title: Text{"The layer as a whole", "完整的 MLA 层"},
			Why: Text{
				`All parts together: two latents, two norms, one shared rotary key, a softmax over nope and rope parts
				at once, and the projection of all heads back.`,
				`把各部分合在一起：两个潜向量、两次归一化、一个共享的旋转键；
				不带位置（nope）与带位置（rope）的两部分分数相加，只做一次 softmax；最后把各头的输出投影回去。`,
			},
			Exercise: Text{
				`With one token, on what does the output not depend?`,
				`只有一个 token 时，输出与哪些量无关？`,
			},
			Answer: Text{
				`On queries and keys: the one weight is 1, and u = W^O of the heads' W^UV c^KV.`,
				`与查询和键无关：唯一的权重是 1，u 就是各头的 W^UV c^KV 拼接后经 W^O 投影的结果。`,
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
				`键是 W^UK 乘以潜向量，所以分数就是潜向量与 W^UKᵀ q 的点积：把矩阵移到查询一侧（查询只有一个），
				过去那些 token 的键就根本不用算了。`,
			},
			Exercise: Text{
				`Count the multiplications of one query with one cached token and one head, naive and absorbed. Which is
				more, and why is it still faster?`,
				`就一个查询、缓存中的一个 token、一个头来算，不吸收和吸收各要多少次乘法？哪个更多？
				为什么更多的反而更快？`,
			},
			Answer: Text{
				`192 + 128 = 320 naive, 576 + 512 = 1088 absorbed. But naive reads the keys and values of 128 heads,
				128 · 320 = 40,960 numbers of a token, and absorbed 576, and it is the reading that takes the time.`,
				`不吸收 192 + 128 = 320 次，吸收 576 + 512 = 1088 次。但不吸收时，
				每个 token 要读 128 个头的键和值，共 128 · 320 = 40,960 个数；吸收后只读 576 个，而时间正是花在访存上。`,
			},
			Read:     []Read{{"MLA's inference by absorption", "MLA 推理：矩阵吸收"}},
			Function: []string{"mla.AbsorbQuery", "mla.AbsorbOutput", "mla.LayerAbsorbed"},
			Look:     Look{Hand: "mla", Derivation: "absorption-and-why-rope-forbids-it"},
		},
		{
			ID:    "mla-as-gqa",
			Title: Text{"MLA seen as GQA", "从 GQA 的角度看 MLA"},
			Why: Text{
				`Absorbed, all heads read the same 576 numbers of a token as key and the first 512 of them as value: MLA
				decodes as MQA with very wide heads, and trains as MHA.`,
				`吸收之后，所有头读的都是同样的数：每个 token 的 576 个数作键，其中前 512 个作值。
				所以 MLA 解码时是头特别宽的 MQA，训练时则是 MHA。`,
			},
			Exercise: Text{
				`For which W^UK and W^UV is MLA without rotation exactly GQA with n_g groups?`,
				`W^UK 和 W^UV 取什么样的矩阵时，不带旋转的 MLA 恰好就是 n_g 组的 GQA？`,
			},
			Answer: Text{
				`Let the latent be the keys and values of the groups one after the other, d_c = 2 n_g d_h; W^UK and W^UV
				of head h then pick those of group g(h), and consist of zeros and ones.`,
				`让潜向量依次存放各组的键和值，d_c = 2 n_g d_h；第 h 个头的 W^UK、W^UV 只取出第 g(h) 组的那部分，
				元素全是 0 和 1。`,
			},
			Read:     []Read{{"MLA's GQA view", "从 GQA 看 MLA"}},
			Function: []string{"mla.HeadWeights.Absorbed", "mla.HeadWeights.Naive"},
			Look:     Look{Hand: "mla", Picture: "heads"},
		},
		{
			ID:    "decoding-from-pages",
			Title: Text{"Decoding from a paged cache", "用分页缓存解码"},
			Why: Text{
				`Latents of many sequences share one memory, cut into pages that a table finds again; the decoding kernel
				that Plumbline judges reads them so.`,
				`许多条序列的潜向量放在同一块显存里，这块显存按页切分，靠页表查找；
				Plumbline 检验的解码 kernel 就是这样读缓存的。`,
			},
			Exercise: Text{
				`A page is half full. What may stand in its unused slots, and what must a kernel not do with it?`,
				`有一页只用了一半，没用到的位置里可能是什么？kernel 绝不能对它做什么？`,
			},
			Answer: Text{
				`Anything, NaN too. It must not multiply it, even by a weight of 0, for 0 · NaN is NaN.`,
				`什么都可能，包括 NaN。不能拿它去乘，哪怕权重是 0，因为 0 · NaN 仍是 NaN。`,
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
				`一个查询要面对许多已缓存的 token 时，吸收划算；许多查询共用算好的键时，吸收反而吃亏：
				所以预填充时不吸收，解码时吸收。`,
			},
			Exercise: Text{
				`At how many queries per cached token do the two cost the same for DeepSeek-V3?`,
				`对 DeepSeek-V3 来说，缓存里的每个 token 由多少个查询共用时，两种算法的运算量相等？`,
			},
			Answer: Text{
				`Making a key and value takes 2 · 128 · 512 products per head, shared by S queries: 320 + 131,072/S =
				1088 at S ≈ 171, for a long context.`,
				`每个头算一次键和值要 2 · 128 · 512 次乘法，由 S 个查询分摊：上下文很长时，
				由 320 + 131,072/S = 1088 得 S ≈ 171。`,
			},
			Read:     []Read{{"MLA's inference by absorption", "MLA 推理：矩阵吸收"}},
			Function: []string{"model.MLA.CrossOver", "model.MLA.Expanded", "model.MLA.Absorbed"},
			Look:     Look{Count: "both-forms-of-mla"},
		},
	},
}
