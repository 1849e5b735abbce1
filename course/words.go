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
		`三条路线，每一站讲一个或几个公式：公式本身，一句话说明它为什么接在上一站之后，手算的数字或一张图，
		实现这个公式的函数，当作讲解来读的测试，还有一道练习。所有链接都指到具体的行。索引：[按主题](../EQUATIONS.md)、
		[按论文和公式编号](../PAPERS.md)、[勘误](../MISPRINTS.md)；另有[手算](../hand/README.md)、
		[图](../PICTURES.md)、[推导](../DERIVATIONS.md)、[可运行的完整例子](../stories/README.md)、
		[数量](../COUNT.md)、[练习](../LEARN.md)。术语见[中英对照表](TERMS.md)。`,
	}
	otherLanguage = Text{"[中文](zh/PATHS.md)", "[English](../PATHS.md)"}

	listTitle    = Text{"The reading list", "阅读清单"}
	entryTitle   = Text{"you came for", "想学的内容"}
	stationTitle = Text{"stations", "对应的站"}

	formulaTitle    = Text{"formula", "公式"}
	functionTitle   = Text{"function", "函数"}
	paperTitle      = Text{"paper", "出处"}
	exerciseTitle   = Text{"**Exercise.**", "**练习：**"}
	answerTitle     = Text{"answer", "答案"}
	handTitle       = Text{"**by hand**", "**手算**"}
	pictureTitle    = Text{"picture", "图"}
	countTitle      = Text{"**counted**", "**数量**"}
	derivationTitle = Text{"derivation", "推导"}
	storyTitle      = Text{"story", "完整例子"}
	testTitle       = Text{"test", "测试"}
	exampleTitle    = Text{"Example", "示例"}
)
