package course

// What the pages say beside the stations.
var (
	heading = Text{"Paths through the mathematics", "学习路线"}

	introduction = Text{
		`Three routes, each station one equation or a few: its formula, the one sentence why it follows from the
		station before, numbers worked by hand or a picture, the function that is the equation and the test that is its
		lesson, and an exercise. Everything links to the line. Indexes: [by subject](EQUATIONS.md),
		[by paper and number](PAPERS.md), [misprints](MISPRINTS.md); also [by hand](hand/README.md),
		[pictures](PICTURES.md), [derivations](DERIVATIONS.md), [stories that run](stories/README.md),
		[counts](COUNT.md), [exercises](LEARN.md).`,
		`三条路线，每一站讲一个或几个公式：一句话说明它为什么接在上一站之后，给出公式、实现它的函数和出处，
		配上手算、图或测算；测试可以当讲解来读；最后是一道练习。代码链接都直达对应的行。索引：[按主题](../EQUATIONS.md)、
		[按论文和公式编号](../PAPERS.md)、[勘误](../MISPRINTS.md)；另有[手算](../hand/README.md)、
		[图](../PICTURES.md)、[推导](../DERIVATIONS.md)、[可运行的完整例子](../stories/README.md)、
		[测算](../COUNT.md)（参数量、缓存、运算量）、[练习](../LEARN.md)。这些页面都是英文的，
		图中文字、公式里的说明和测试名也是英文；术语见[中英对照表](TERMS.md)。`,
	}
	otherLanguage = Text{"[中文](zh/PATHS.md)", "[English](../PATHS.md)"}

	listTitle    = Text{"The reading list", "阅读清单"}
	entryTitle   = Text{"you came for", "想学什么"}
	stationTitle = Text{"stations", "看哪一站"}

	formulaTitle    = Text{"formula", "公式"}
	functionTitle   = Text{"function", "函数"}
	paperTitle      = Text{"paper", "出处"}
	exerciseTitle   = Text{"**Exercise.**", "**练习**："}
	learnTitle      = Text{"", "动手实现："} // before the command; in English it stands alone
	answerTitle     = Text{"answer", "答案"}
	handTitle       = Text{"**by hand**", "**手算**"}
	pictureTitle    = Text{"picture", "图："} // and its caption
	countTitle      = Text{"**counted**", "**测算**"}
	derivationTitle = Text{"derivation", "推导"}
	storyTitle      = Text{"story", "完整例子"}
	testTitle       = Text{"test", "测试"}
	exampleTitle    = Text{"Example", "示例"}
)

// captions say what the pictures show; what is written in them is English.
var captions = map[string]Text{
	"acceptance": {"What longer drafts gain", "草稿加长的收益"},
	"advantages": {"Advantages by λ, and within a group", "GAE 的优势与 GRPO 的组内优势"},
	"balance":    {"Two ways of balancing, and what they cost", "两种负载均衡方法及其代价"},
	"cache": {
		"Bytes that a token leaves in the cache, from MHA to DeepSeek-V4.1",
		"每个 token 的缓存大小，从 MHA 到 DeepSeek-V4.1",
	},
	"clips": {"Gradient against ratio under four clips", "各种裁剪下，梯度随概率比的变化"},
	"experts": {
		"From one large network to fine-grained and shared experts, all of one size",
		"从一个大网络到细粒度专家加共享专家，总参数量不变",
	},
	"fp8": {
		"Formats of the tensors of a linear layer, and the numbers that E4M3 has",
		"线性层里各张量的格式，以及 E4M3 能表示的数",
	},
	"heads": {"Which query heads share which keys and values", "哪些查询头共用哪一份键和值"},
	"kl": {
		"Three estimates of the KL divergence by one token, and their gradients",
		"用一个 token 估计 KL 散度的三种方法及其梯度",
	},
	"masks":      {"Which keys a query sees where queries are fewer than keys", "查询少于键时，每个查询能看到哪些键"},
	"mla":        {"Data flow of MLA, naive and absorbed", "MLA 不吸收与吸收时的数据流"},
	"mtp":        {"Data flow of the main model and the module of depth 1", "主模型与深度 1 的 MTP 模块的数据流"},
	"parameters": {"DeepSeek-V3's parameters as areas", "用面积表示的 DeepSeek-V3 参数量"},
	"pipeline":   {"Two schedules of a pipeline, and their bubbles", "两种流水线调度及其气泡"},
	"r1":         {"The stages of DeepSeek-R1, R1-Zero and the distilled models", "DeepSeek-R1、R1-Zero 与蒸馏模型的训练阶段"},
	"rl": {
		"How methods of reinforcement learning follow from one another, from Monte Carlo to GPPO",
		"强化学习方法的演进，从蒙特卡洛到 GPPO",
	},
	"rlhf": {"The four models of PPO, and what GRPO does without", "PPO 的四个模型，以及 GRPO 省去了哪些"},
	"rope": {"How pairs turn with positions, and scores with distances", "各维度对的旋转，以及分数随相对位置的变化"},
	"yarn": {"What YaRN multiplies frequencies by, in code and in the paper", "代码与论文中 YaRN 的频率系数"},
}
