package picture

import "plumbline/internal/svg"

var pictureR1 = picture{
	name: "r1", heading: "R1", width: 900, height: 404,
	title: "The stages of DeepSeek-R1, R1-Zero and the distilled models",
	about: `
A flow from DeepSeek-V3-Base: above straight by reinforcement learning to R1-Zero; in the middle
cold start, reinforcement learning, rejection sampling, fine-tuning of the base again and
reinforcement learning on everything to R1; below fine-tuning of small models on the same data.
`,
	text: `
Blue is supervised fine-tuning, green reinforcement learning by GRPO, orange data. R1-Zero learns
from rules alone, without a single example. R1 begins with a few thousand readable ones, learns from
rules, and then only hands data on: the answers that were right, with 200 thousand others, train the
base model a second time before the last stage. The small models see the same 800 thousand samples
and no reinforcement learning at all.
`,
	shows: []string{"grpo.RuleReward", "grpo.LanguageConsistency", "grpo.TotalReward", "grpo.GRPO",
		"policy.CoefficientRFT"},
	draw: drawR1,
}

var stageNodes = []svg.Node{
	svg.Box("base", 20, 192, 120, 52, svg.Muted, "*DeepSeek-", "*V3-Base"),
	svg.Box("zero", 220, 60, 180, 52, svg.Green, "*RL", "~accuracy and format, by rule"),
	svg.Box("r1zero", 480, 60, 120, 52, svg.Muted, "*R1-Zero"),
	svg.Box("cold", 180, 192, 110, 52, svg.Blue, "*cold start", "~SFT"),
	svg.Box("rl1", 330, 192, 150, 52, svg.Green, "*RL on reasoning", "~by rule, + language"),
	svg.Box("reject", 520, 184, 170, 68, svg.Orange, "*rejection sampling",
		"~600 thousand right answers,", "~200 thousand others"),
	svg.Box("again", 740, 282, 140, 34, svg.Muted, "*V3-Base again"),
	svg.Box("sft", 740, 192, 140, 52, svg.Blue, "*SFT", "~2 epochs"),
	svg.Box("rl2", 740, 102, 140, 52, svg.Green, "*RL on everything", "~rules, reward models"),
	svg.Box("r1", 740, 24, 140, 40, svg.Muted, "*R1"),
	svg.Box("small", 20, 338, 180, 46, svg.Muted, "*Qwen2.5, Llama 3", "~1.5 to 70 billion"),
	svg.Box("distil", 260, 338, 150, 46, svg.Blue, "*SFT", "~no RL"),
	svg.Box("r1d", 520, 338, 170, 46, svg.Muted, "*R1-Distill"),
}

var stageEdges = []svg.Edge{
	{From: "base.t", To: "zero.l"},
	{From: "zero.r", To: "r1zero.l"},
	{From: "base.r", To: "cold.l"},
	{
		From: "r1zero.b", To: "cold.t", Label: "readable outputs, among the first examples", Colour: svg.Orange,
		Dash: svg.Dashed,
	},
	{From: "cold.r", To: "rl1.l"},
	{From: "rl1.r", To: "reject.l"},
	{From: "reject.r", To: "sft.l", Colour: svg.Orange},
	{From: "again.t", To: "sft.b"},
	{From: "sft.t", To: "rl2.b"},
	{From: "rl2.t", To: "r1.b"},
	{From: "small.r", To: "distil.l"},
	{From: "reject.b", To: "distil.t", Label: "the same 800 thousand samples", Colour: svg.Orange},
	{From: "distil.r", To: "r1d.l"},
}

func drawR1(p *svg.Picture) { p.Diagram(stageNodes, stageEdges, nil) }
