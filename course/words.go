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
		`三条路线，每一站是一个或几个公式：公式本身、一句话说明它为什么接在前一站之后、一份手算或一张图、
		实现它的函数、讲解它的测试，以及一道练习。所有链接都指到具体的行。索引：[按主题](../EQUATIONS.md)、
		[按论文和编号](../PAPERS.md)、[勘误](../MISPRINTS.md)；另有[手算](../hand/README.md)、[图](../PICTURES.md)、
		[推导](../DERIVATIONS.md)、[可运行的例子](../stories/README.md)、[数量表](../COUNT.md)、
		[练习](../LEARN.md)。术语见[中英对照表](TERMS.md)。`,
	}
	otherLanguage = Text{"[中文](zh/PATHS.md)", "[English](../PATHS.md)"}

	listTitle    = Text{"The reading list", "阅读清单"}
	entryTitle   = Text{"you came for", "想了解"}
	stationTitle = Text{"stations", "对应各站"}

	formulaTitle    = Text{"formula", "公式"}
	functionTitle   = Text{"function", "函数"}
	paperTitle      = Text{"paper", "出处"}
	exerciseTitle   = Text{"**Exercise.**", "**练习：**"}
	answerTitle     = Text{"answer", "答案"}
	handTitle       = Text{"**by hand**", "**手算**"}
	pictureTitle    = Text{"picture", "图"}
	countTitle      = Text{"**counted**", "**数量**"}
	derivationTitle = Text{"derivation", "推导"}
	storyTitle      = Text{"story", "例子"}
	testTitle       = Text{"test", "测试"}
	exampleTitle    = Text{"Example", "示例"}
)
