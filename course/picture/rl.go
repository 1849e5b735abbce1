package picture

import "plumbline/internal/svg"

var pictureRL = picture{
	name: "rl", heading: "RL", width: 900, height: 590,
	title: "The ladder of reinforcement learning, from Monte Carlo to GPPO",
	about: `
A tree in three columns. Left, values: Monte Carlo, TD(0), SARSA, Q-learning, DQN, double DQN.
Middle, policies: policy gradient, baseline, actor and critic, TRPO, PPO, and GRPO. Right, language
models: RLHF with PPO, DPO, and DAPO, GSPO, CISPO and GPPO.
`,
	text: `
Follow the arrows; beside each stands what changes from one method to the next. Methods on the left
(blue) learn what states or actions are worth, those in the middle (green) learn the policy itself;
the critic of an actor is a value from the left. Violet are methods of language models, where a
state is a text and an action a token: GRPO goes back from the critic to a mean of returns, as Monte
Carlo had it.
`,
	shows: []string{"rl.MonteCarlo", "rl.TD0", "rl.SARSA", "rl.QLearning", "rl.DQNTargets", "rl.DoubleDQNTargets",
		"rl.PolicyGradient", "rl.Actor", "rl.TrustRegion.Step", "ppo.Clip", "dpo.Pairs.Loss", "grpo.Advantage",
		"grpo.GPPO"},
	draw: drawRL,
}

var ladderNodes = []svg.Node{
	svg.Box("mc", 20, 50, 200, 46, svg.Blue, "*Monte Carlo", "~V ← V + α (G − V)"),
	svg.Box("td", 20, 144, 200, 46, svg.Blue, "*TD(0)", "~V ← V + α (r + γ V′ − V)"),
	svg.Box("sarsa", 20, 238, 200, 46, svg.Blue, "*SARSA", "~r + γ Q(s′, a′)"),
	svg.Box("q", 20, 332, 200, 46, svg.Blue, "*Q-learning", "~r + γ max_a Q(s′, a)"),
	svg.Box("dqn", 20, 426, 200, 46, svg.Blue, "*DQN", "~(r + γ max_a Q_{θ⁻}(s′, a) − Q_θ)²"),
	svg.Box("ddqn", 20, 520, 200, 46, svg.Blue, "*Double DQN", "~Q_{θ⁻}(s′, argmax_a Q_θ(s′, a))"),
	svg.Box("pg", 340, 50, 200, 46, svg.Green, "*policy gradient (REINFORCE)", "~G ∇ log π"),
	svg.Box("base", 340, 144, 200, 46, svg.Green, "*with a baseline", "~(G − b) ∇ log π"),
	svg.Box("ac", 340, 238, 200, 46, svg.Green, "*actor and critic", "~δ ∇ log π,  δ = r + γ V′ − V"),
	svg.Box("trpo", 340, 332, 200, 46, svg.Green, "*TRPO", "~max E[r A],  KL ≤ δ"),
	svg.Box("ppo", 340, 426, 200, 46, svg.Green, "*PPO", "~min(r A, clip(r) A)"),
	svg.Box("dpo", 660, 332, 220, 46, svg.Purple, "*DPO", "~−log σ(β h_w − β h_l)"),
	svg.Box("rlhf", 660, 426, 220, 46, svg.Purple, "*RLHF: PPO on a reward model", "~r − β log(π/π_{ref})"),
	svg.Box("grpo", 340, 520, 200, 46, svg.Purple, "*GRPO", "~A = (r − mean)/std of a group"),
	svg.Box("gppo", 660, 520, 220, 46, svg.Purple, "*DAPO, GSPO, CISPO, GPPO", "~ratios, weights and clips"),
}

var ladderEdges = []svg.Edge{
	{From: "mc.b", To: "td.t", Label: "own estimate instead of waiting", Colour: svg.Blue},
	{From: "td.b", To: "sarsa.t", Label: "values of actions", Colour: svg.Blue},
	{From: "sarsa.b", To: "q.t", Label: "best instead of next action", Colour: svg.Blue},
	{From: "q.b", To: "dqn.t", Label: "a network and a copy", Colour: svg.Blue},
	{From: "dqn.b", To: "ddqn.t", Label: "choice and value apart", Colour: svg.Blue},
	{From: "mc.r", To: "pg.l", Label: "the return", Colour: svg.Muted, Dash: svg.Dashed},
	{From: "pg.b", To: "base.t", Label: "less variance", Colour: svg.Green},
	{From: "base.b", To: "ac.t", Label: "a learnt baseline, bootstrapped", Colour: svg.Green},
	{From: "td.r", To: "ac.l", Label: "the critic", Colour: svg.Muted, Dash: svg.Dashed},
	{From: "ac.b", To: "trpo.t", Label: "reuse samples, bounded step", Colour: svg.Green},
	{From: "trpo.b", To: "ppo.t", Label: "clip instead of constraint", Colour: svg.Green},
	{From: "ppo.r", To: "rlhf.l", Label: "language", Colour: svg.Purple},
	{From: "rlhf.t", To: "dpo.b", Label: "<solved: preferences alone", Colour: svg.Purple},
	{From: "ppo.b", To: "grpo.t", Label: "no critic: mean of a group", Colour: svg.Purple},
	{From: "grpo.r", To: "gppo.l", Label: "refined", Colour: svg.Purple},
}

func drawRL(p *svg.Picture) {
	for i, name := range []string{"values", "policies", "language models"} {
		p.Text(20+320*float64(i), 30, svg.Style{Size: 14, Bold: true, Colour: svg.Muted}, name)
	}
	p.Diagram(ladderNodes, ladderEdges, nil)
}
