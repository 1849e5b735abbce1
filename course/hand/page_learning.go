package hand

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/dpo"
	"plumbline/grpo"
	"plumbline/policy"
	"plumbline/ppo"
	"plumbline/rl"
)

// episode is three states in a row, with a reward at the end.
var episode = []rl.Step{
	{State: 0, Action: 0, Next: 1, NextAction: 1},
	{State: 1, Action: 1, Next: 2, NextAction: 0},
	{State: 2, Action: 0, Reward: 1, Done: true},
}

const gamma, alpha = 0.5, 0.5 // discount and step of the ladder

func ladderPage() []*Sheet {
	s := newSheet("ladder", "One episode, and what each method makes of it", "Three states, two actions. The episode "+
		"takes action 0, 1 and 0, and is rewarded with 1 at its end. γ = 1/2, α = 1/2.")
	v := []float64{0.5, 0.5, 0.5}
	q := dense([]float64{0.25, 0}, []float64{0, 0.5}, []float64{0.5, 1})
	s.given("Values of the states, values of their two actions, and what happened.", row("V", v), matrix("Q", q),
		row("r", []float64{0, 0, 1}), whole("a", []int{0, 1, 0}))
	s.values(v)
	s.actionValues(q)
	s.networksOfValues(q)
	s.policies(v)
	return []*Sheet{s}
}

// values adds Monte Carlo and TD(0).
func (s *Sheet) values(v []float64) {
	g := rl.Returns([]float64{0, 0, 1}, gamma)
	s.step("Returns, from the end back.", "rl.Returns", "G_t = r_{t+1} + γ G_{t+1}", row("G", g))
	moved := make([]float64, 3)
	for t := range g {
		moved[t] = rl.MonteCarlo(v[t], g[t], alpha)
	}
	s.step("Monte Carlo waits for the end, and moves each value toward the return.", "rl.MonteCarlo",
		"V(s_t) ← V(s_t) + α (G_t − V(s_t))", row("V", moved))
	delta, next := make([]float64, 3), make([]float64, 3)
	for t, e := range episode {
		delta[t], next[t] = rl.TDError(v, e, gamma), rl.TD0(v, e, gamma, alpha)
	}
	s.step("TD(0) moves it after each step, toward the reward and the value of what comes next.", "rl.TD0",
		"δ_t = r_{t+1} + γ V(s_{t+1}) − V(s_t)\nV(s_t) ← V(s_t) + α δ_t", row("δ", delta), row("V", next))
}

// actionValues adds SARSA and Q-learning of each step.
func (s *Sheet) actionValues(q *mat.Dense) {
	sarsa, learned := make([]float64, 3), make([]float64, 3)
	for t, e := range episode {
		sarsa[t], learned[t] = rl.SARSA(q, e, gamma, alpha), rl.QLearning(q, e, gamma, alpha)
	}
	s.step("SARSA does so for the action that was taken, with the action that was taken next: it values the policy "+
		"that acts.", "rl.SARSA", "Q(s, a) ← Q(s, a) + α (r + γ Q(s', a') − Q(s, a))", row("Q(s_t, a_t)", sarsa))
	s.step("Q-learning looks at the best next action instead, whoever acts: after step 1 the best is not the one "+
		"that was taken.", "rl.QLearning", "Q(s, a) ← Q(s, a) + α (r + γ max_b Q(s', b) − Q(s, a))",
		row("Q(s_t, a_t)", learned))
}

// networksOfValues adds DQN and Double DQN, whose tables stand for networks.
func (s *Sheet) networksOfValues(q *mat.Dense) {
	copied := dense([]float64{0.5, 0}, []float64{1, 0.25}, []float64{0.5, 0})
	rewards, done := []float64{0, 0, 1}, []bool{false, false, true}
	after := func(m *mat.Dense) *mat.Dense {
		return dense(m.RawRowView(1), m.RawRowView(2), m.RawRowView(2))
	}
	s.given("DQN learns from a copy of the network that is held still. The rows of the next states, of the network "+
		"and of its copy; after the last there is none, and its row is not looked at.", matrix("Q of s'", after(q)),
		matrix("copy of s'", after(copied)))
	targets := rl.DQNTargets(rewards, done, after(copied), gamma)
	s.step("Its targets.", "rl.DQNTargets", "y = r + γ (1 − done) max_a Q⁻(s', a)", row("y", targets))
	double := rl.DoubleDQNTargets(rewards, done, after(q), after(copied), gamma)
	s.step("Double DQN lets the network choose the action and its copy value it, so that no maximum is taken of "+
		"numbers that are too large by chance.", "rl.DoubleDQNTargets",
		"y = r + γ (1 − done) Q⁻(s', argmax_a Q(s', a))", row("y", double))
	actions := []int{0, 1, 0}
	s.step("The loss, with Double DQN's targets held still, and its gradient for Q.", "rl.DQNLoss",
		"L = 1/N Σ_n (y_n − Q(s_n, a_n))²", number("L", rl.DQNLoss(q, actions, double)),
		matrix("dQ", rl.DQNLossBackward(q, actions, double)))
}

// policies adds the policy gradient with a baseline, and a step of actor and critic.
func (s *Sheet) policies(v []float64) {
	logits, actions := mat.NewDense(3, 2, nil), []int{0, 1, 0}
	psi := rl.ReinforceDiscounted([]float64{0, 0, 1}, v, gamma)
	plain := rl.Reinforce([]float64{0, 0, 1}, v, gamma)
	s.step("Policy gradient: no table of values acts, but a policy, here with logits of 0. The return less a baseline "+
		"V says whether an action was better than expected. The gradient of the discounted return has γ^t in front; "+
		"code leaves it out, and so does the next step.", "rl.Reinforce",
		"ψ_t = G_t − V(s_t)", row("ψ", plain), row("γ^t ψ", psi))
	s.step("Along this gradient actions that did better than expected become likelier.", "rl.PolicyGradient",
		"ĝ_t = ψ_t ∇ ln π(a_t | s_t)", matrix("ĝ", rl.PolicyGradient(logits, actions, plain)))
	delta := rl.TDError(v, episode[2], gamma)
	s.step("Actor and critic: the surprise δ of one step, here the last, takes the place of ψ and moves both at once.",
		"rl.Actor", "θ ← θ + α δ ∇ ln π(a | s)\nV(s) ← V(s) + α δ", number("δ", delta),
		row("logits of state 2", rl.Actor([]float64{0, 0}, 0, delta, alpha)),
		row("V", rl.Critic(v, []float64{0, 0, 1}, delta, alpha)))
}

func endsSheet() *Sheet {
	s := newSheet("gae", "The two ends of λ", "The same three tokens: λ trades the bias of the values against the "+
		"noise of the rewards.")
	r, v, mask := []float64{0, 0, 1}, []float64{0.5, 0.5, 0.75}, []float64{1, 1, 1}
	rows := [][]float64{}
	for _, lambda := range []float64{0, 0.5, 1} {
		a, _ := ppo.GAE(r, v, mask, 0, 1, lambda)
		rows = append(rows, a)
	}
	s.step("With λ = 0 it is the surprise of one token alone, with λ = 1 all rewards less the value: Monte Carlo with "+
		"a baseline.", "ppo.GAE", "A_t = Σ_l (γ λ)^l δ_{t+l}", stack("A", rows...).along("λ = 0", "λ = 1/2", "λ = 1"))
	return s
}

func trpoPage() []*Sheet {
	s := newSheet("trpo", "One state, two actions", "Logits of 0, so that both actions have 1/2. Two samples of the "+
		"same state: action 0 was better than expected by 1, action 1 worse by 1. δ = 0.02 nats.")
	logits, actions, advantages, delta := mat.NewDense(2, 2, nil), []int{0, 1}, []float64{1, -1}, 0.02
	each := rl.SurrogateObjectiveBackward(logits, logits, actions, advantages)
	g := added(each)
	s.step("The gradient of the surrogate, sample by sample, and their sum: both have the same two parameters.",
		"rl.SurrogateObjectiveBackward", "dz_n = 1/N A_n ∇ ln π(a_n)", matrix("dz", each), row("g", g))
	fisher := func(x []float64) []float64 { return added(rl.FisherVector(logits, dense(x, x))) }
	s.step("The Fisher matrix of the softmax, by its products with (1, 0) and (0, 1).", "rl.FisherVector",
		"F = diag(p) − p pᵀ", stack("F", fisher([]float64{1, 0}), fisher([]float64{0, 1})))
	direction := rl.ConjugateGradient(fisher, g, 2, 1e-12)
	s.step("The natural direction. F has no inverse, as a constant added to all logits changes nothing; conjugate "+
		"gradients find the solution without one.", "rl.ConjugateGradient", "F s = g", row("s", direction))
	fs := fisher(direction)
	length := rl.StepLength(direction, fs, delta)
	s.step("How far to go: the divergence is δ to second order.", "rl.StepLength", "β = √(2 δ / (sᵀ F s))",
		number("sᵀ F s", floats.Dot(direction, fs)), number("β", length))
	theta := []float64{length * direction[0], length * direction[1]}
	after := dense(theta, theta)
	s.step("The step, and what the divergence truly is: a line search would halve the step if it were above δ.",
		"rl.MeanKL", "D(π_old, π) ≤ δ", row("θ", theta), row("π", exps(policy.LogSoftmax(theta, 1))),
		number("D", rl.MeanKL(logits, after)), number("δ", delta),
		number("surrogate before", rl.SurrogateObjective(logits, logits, actions, advantages)),
		number("surrogate after", rl.SurrogateObjective(logits, after, actions, advantages)))
	return []*Sheet{s}
}

// added returns the sum of the rows.
func added(m *mat.Dense) []float64 {
	rows, cols := m.Dims()
	total := make([]float64, cols)
	for i := range rows {
		for j := range cols {
			total[j] += m.At(i, j)
		}
	}
	return total
}

// clips are the losses of one token by their names, with their derivatives for ln π; π_old is 1.
var clips = []struct {
	name string
	of   func(r, a float64) (loss, dlogprob float64)
}{
	{"none", ppo.Surrogate},
	{"PPO", func(r, a float64) (float64, float64) { return ppo.Clip(r, a, 0.2, 0.2) }},
	{"dual clip", func(r, a float64) (float64, float64) { return ppo.DualClip(r, a, 0.2, 0.2, 3) }},
	{"CISPO", func(r, a float64) (float64, float64) { return grpo.CISPO(r, math.Log(r), a, 0.2, 0.2) }},
	{"GPPO", func(r, a float64) (float64, float64) { return grpo.GPPO(r, a, 0.2, 0.2) }},
}

func clipsSheet() *Sheet {
	s := newSheet("ppo", "Every clip beside the others", "Ratios within and beyond the bounds 1 ± 0.2, with "+
		"advantages of both signs; the dual clip has c = 3.")
	r, a := []float64{1, 2, 2, 0.5, 0.5, 4}, []float64{1, 1, -1, 1, -1, -1}
	s.given("Six tokens.", stack("tokens", r, a).along("r", "A"))
	var losses, factors [][]float64
	var names []string
	for _, clip := range clips {
		loss, factor := make([]float64, len(r)), make([]float64, len(r))
		for t := range r {
			loss[t], factor[t] = clip.of(r[t], a[t])
			factor[t] = 0 - factor[t]
		}
		names, losses, factors = append(names, clip.name), append(losses, loss), append(factors, factor)
	}
	s.step("Losses. (CISPO's is −r̂ A log π, with r̂ held still; here log π is counted from log π_old.)", "ppo.Clip",
		"l = −min(r A, clip(r, 1 − ε, 1 + ε) A)", stack("l", losses...).along(names...))
	s.step("What multiplies ∇ ln π, the direction of improvement. PPO drops tokens that are beyond the bound their "+
		"advantage asks for; CISPO keeps all, none beyond a bound; GPPO keeps at the bound those that PPO drops, and "+
		"the others as PPO has them; the dual clip drops the last, whose loss would grow without bound.", "grpo.GPPO",
		"−∂l / ∂ ln π", stack("factor", factors...).along(names...))
	return s
}

func optimumSheet() *Sheet {
	s := newSheet("dpo", "Three responses: the policy that reward and reference ask for", "The reference gives them "+
		"1/2, 1/4 and 1/4; their rewards are 0, ln 2 and ln 4, and β = 1.")
	logref, r, beta := []float64{-ln2, -2 * ln2, -2 * ln2}, []float64{0, ln2, 2 * ln2}, 1.0
	s.given("The reference and the rewards.", row("π_ref", exps(logref)), row("r", r))
	logZ := dpo.LogPartition(logref, r, beta)
	optimum := dpo.Optimum(logref, r, beta)
	s.step("Each probability is multiplied by e^{r/β}, and divided by the sum of all.", "dpo.Optimum",
		"Z = Σ_y π_ref(y) e^{r(y)/β}\nπ(y) = π_ref(y) e^{r(y)/β} / Z", number("Z", math.Exp(logZ)),
		row("π", exps(optimum)))
	implicit := make([]float64, 3)
	for y := range implicit {
		implicit[y] = dpo.ImplicitReward(optimum[y], logref[y], beta)
	}
	s.step("Read backwards a policy has rewards, the true ones up to one constant, which no difference shows.",
		"dpo.ImplicitReward", "r̂(y) = β ln(π(y) / π_ref(y)) = r(y) − β ln Z", row("r̂", implicit), row("r", r))
	prefer := mat.NewDense(3, 3, nil)
	prefer.Apply(func(i, j int, _ float64) float64 { return dpo.PolicyPreference(implicit[i], implicit[j]) }, prefer)
	s.step("So the policy itself says which response is preferred to which: that is the model that DPO fits.",
		"dpo.PolicyPreference", "p_ij = σ(r̂_i − r̂_j)", matrix("p", prefer))
	s.step("A ranking of all three is chosen step by step: 2 before 1 before 0.", "dpo.PlackettLuce",
		"p(τ) = Π_k e^{r_{τ(k)}} / Σ_{j ≥ k} e^{r_{τ(j)}}",
		number("p(2, 1, 0)", math.Exp(dpo.PlackettLuce(implicit, []int{2, 1, 0}))))
	return s
}

// unifiedFormulas are the coefficients of the methods.
const unifiedFormulas = `GC of SFT = 1
GC of RFT = 1[right]
GC of DPO = σ(β log(π/π_ref)(o⁻) − β log(π/π_ref)(o⁺))
GC of PPO = A_t
GC of GRPO = A + β (π_ref/π − 1)`

func unifiedSheet() *Sheet {
	s := newSheet("unified", "Gradient coefficients of the same answers", "Four answers of one token each, of a "+
		"policy that gives each 1/4; the reference gives 1/2 to the first. Two are right. Every method adds up "+
		"GC · ∇ ln π, and they differ in GC.")
	rewards, logprob := []float64{1, 0, 0, 1}, []float64{-2 * ln2, -2 * ln2, -2 * ln2, -2 * ln2}
	ref, beta := []float64{-ln2, -2 * ln2, -3 * ln2, -3 * ln2}, 0.1
	advantage := grpo.Normalize(rewards, grpo.Population, 0)
	s.given("Rewards, advantages of the group, and log-probabilities.", row("r", rewards), row("A", advantage),
		row("log π", logprob), row("log π_ref", ref), number("β", beta))
	gc := coefficients(rewards, advantage, logprob, ref, beta)
	s.step("SFT takes all data as right; RFT drops what is wrong; DPO takes the pair of answer 0 over answer 1, "+
		"and has its coefficient as DeepSeekMath prints it, without the factor β; PPO here has values that expect "+
		"1/2; GRPO has the group, and pulls toward the reference.",
		"policy.CoefficientGRPO", unifiedFormulas,
		stack("GC", gc...).along(methods...).under(numbered("answer", 4)...))
	s.unifiedGradients(gc)
	return s
}

var methods = []string{"SFT", "RFT", "DPO", "PPO", "GRPO"}

// unifiedGradients adds the gradients for the logits of a policy that gives each of four answers
// 1/4.
func (s *Sheet) unifiedGradients(gc [][]float64) {
	scores, gradients := mat.NewDense(4, 4, nil), [][]float64{}
	for i := range 4 {
		scores.SetRow(i, policy.LogProbBackward(make([]float64, 4), i, 1))
	}
	s.step("∇ ln π of each answer for the four logits.", "policy.LogProbBackward", "∇ ln π(o_i) = e_i − π",
		matrix("∇ ln π", scores))
	for _, row := range gc {
		gradients = append(gradients, policy.UnifiedGradient(row, scores))
	}
	s.step("Their gradients: SFT on all answers alike has none, the others raise what was right.",
		"policy.UnifiedGradient", "∇J = 1/4 Σ_i GC_i ∇ ln π(o_i)",
		stack("∇J", gradients...).along(methods...).under(numbered("logit", 4)...))
}

// coefficients returns those of each method, answer by answer.
func coefficients(rewards, advantage, logprob, ref []float64, beta float64) [][]float64 {
	gc := make([][]float64, 5)
	pair := policy.CoefficientDPO(logprob[0]-ref[0], logprob[1]-ref[1], beta)
	dpoOf := []float64{pair, -pair, 0, 0}
	for i, r := range rewards {
		gc[0] = append(gc[0], policy.CoefficientSFT())
		gc[1] = append(gc[1], policy.CoefficientRFT(r == 1))
		gc[2] = append(gc[2], dpoOf[i])
		gc[3] = append(gc[3], policy.CoefficientPPO(r-0.5))
		gc[4] = append(gc[4], policy.CoefficientGRPO(advantage[i], logprob[i], ref[i], beta))
	}
	return gc
}
