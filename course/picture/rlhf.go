package picture

import "plumbline/internal/svg"

var pictureRLHF = picture{
	name: "rlhf", heading: "RLHF", width: 900, height: 480,
	title: "The four models of PPO, and what GRPO leaves out",
	about: `
Two diagrams. Left, PPO: policy and value model are trained, reward model and reference are frozen;
rewards, divergence and values become advantages. Right, GRPO: the policy alone is trained; a group
of answers gives the baseline, and the divergence stands in the loss.
`,
	text: `
Green is trained, grey is frozen. Both sample from the policy and score whole answers. PPO subtracts
the divergence from the reference from every token's reward, and needs a value model as large as the
policy to make advantages of rewards; GRPO takes several answers to a question, the mean of their
rewards as baseline, and puts the divergence into the loss. Where a rule can say what is right, the
reward model goes as well.
`,
	shows: []string{"ppo.KLReward", "ppo.TokenRewards", "ppo.GAE", "ppo.Clip", "ppo.ValueLoss", "grpo.Advantage",
		"grpo.GRPO"},
	draw: drawRLHF,
}

var actorNodes = []svg.Node{
	svg.Box("q", 160, 416, 110, 30, svg.None, "*a question q"),
	svg.Box("pi", 130, 338, 170, 46, svg.Green, "*policy π_θ", "~trained"),
	svg.Box("o", 165, 270, 100, 30, svg.None, "*one answer o"),
	svg.Box("ref", 10, 194, 126, 46, svg.Muted, "*reference π_{ref}", "~frozen"),
	svg.Box("rm", 152, 194, 126, 46, svg.Muted, "*reward model r_φ", "~frozen"),
	svg.Box("v", 294, 194, 126, 46, svg.Green, "*value model V", "~trained"),
	svg.Box("r", 50, 112, 188, 42, svg.Blue, "*reward of each token", "~r_φ at the end, less β log(π/π_{ref})"),
	svg.Box("gae", 294, 112, 126, 42, svg.Blue, "*GAE", "~advantages, returns"),
	svg.Box("loss", 50, 34, 188, 42, svg.Orange, "*PPO's clipped loss", "~trains π_θ"),
	svg.Box("vl", 294, 34, 126, 42, svg.Orange, "*value loss", "~trains V"),
}

var actorEdges = []svg.Edge{
	{From: "q.t", To: "pi.b"}, {From: "pi.t", To: "o.b"}, {From: "o.l", To: "ref.b"}, {From: "o.t", To: "rm.b"},
	{From: "o.r", To: "v.b"}, {From: "ref.t", To: "r.b="}, {From: "rm.t", To: "r.b="}, {From: "r.r", To: "gae.l"},
	{From: "v.t", To: "gae.b"}, {From: "gae.t", To: "vl.b"}, {From: "gae.t30", To: "loss.b"},
}

var groupNodes = []svg.Node{
	svg.Box("q", 160, 416, 110, 30, svg.None, "*a question q"),
	svg.Box("pi", 130, 338, 170, 46, svg.Green, "*policy π_θ", "~trained"),
	svg.Box("o", 150, 270, 130, 30, svg.None, "*G answers o_1 … o_G"),
	svg.Box("ref", 10, 194, 126, 46, svg.Muted, "*reference π_{ref}", "~frozen"),
	svg.Box("rm", 190, 194, 190, 46, svg.Muted, "*rule, or reward model", "~frozen"),
	svg.Box("kl", 10, 112, 126, 42, svg.Blue, "*k_3 of each token", "~π_{ref}/π_θ"),
	svg.Box("a", 190, 112, 190, 42, svg.Blue, "*A_i = (r_i − mean)/std", "~of the group, for all tokens"),
	svg.Box("loss", 60, 34, 270, 42, svg.Orange, "*GRPO's clipped loss + β k_3", "~trains π_θ"),
}

var groupEdges = []svg.Edge{
	{From: "q.t", To: "pi.b"}, {From: "pi.t", To: "o.b"}, {From: "o.l", To: "ref.b"}, {From: "o.r", To: "rm.b"},
	{From: "ref.t", To: "kl.b"}, {From: "rm.t", To: "a.b"}, {From: "kl.t", To: "loss.b="}, {From: "a.t", To: "loss.b="},
}

func drawRLHF(p *svg.Picture) {
	p.Text(14, 22, svg.Style{Size: 15, Bold: true}, "PPO")
	p.Text(474, 22, svg.Style{Size: 15, Bold: true}, "GRPO")
	p.Diagram(moved(actorNodes, 4, 0), actorEdges, nil)
	p.Diagram(moved(groupNodes, 464, 0), groupEdges, nil)
}
