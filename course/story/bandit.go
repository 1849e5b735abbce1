package story

import (
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/dpo"
	"plumbline/grpo"
	"plumbline/mtp"
	"plumbline/policy"
	"plumbline/ppo"
	"plumbline/rl"
)

// arms are what the arms pay in the mean; the noise on it is normal.
var arms = []float64{0.1, 0.3, 0.9, 0.5}

const (
	bestArm = 2
	noise   = 0.5 // standard deviation of a reward
	pulls   = 512
	batch   = 16  // pulls between two updates, of the rungs that learn from several
	explore = 0.1 // ε: one pull in ten goes to an arm by chance
	again   = 0.5 // γ where a pull leads back to the bandit
	runs    = 20
)

// player is one rung: what it would pull, and how it learns from a batch of pulls.
type player struct {
	policy func() []float64
	learn  func(pull func(arm int) float64, d *dice)
}

// rung is a way to learn, and the functions that it is made of.
type rung struct {
	name, by string
	start    func() player
}

var rungs = []rung{
	{"Monte Carlo", "rl.MonteCarlo", monteCarlo},
	{"TD(0)", "rl.TD0", temporalDifference},
	{"SARSA", "rl.SARSA", func() player { return backToTheBandit(rl.SARSA) }},
	{"Q-learning", "rl.QLearning", func() player { return backToTheBandit(rl.QLearning) }},
	{"DQN", "rl.DQNTargets, DQNLossBackward", deepQ},
	{"REINFORCE", "rl.Reinforce, PolicyGradient", func() player { return reinforce(nil) }},
	{"with a baseline", "rl.Reinforce, PolicyGradient", func() player { return reinforce(&average{}) }},
	{"actor-critic", "rl.TDError, Critic, Actor", actorCritic},
	{"TRPO", "rl.TrustRegion", trustRegion},
	{"PPO", "ppo.Whiten, Clip", proximal},
	{"DPO", "dpo.Pairs, SigmoidLoss", fromPreferences},
	{"GRPO", "grpo.Normalize, GRPO", func() player { return grouped(byGRPO) }},
	{"GPPO", "grpo.Normalize, GPPO", func() player { return grouped(byGPPO) }},
}

// byValue returns a player that takes the arm of the highest value but for one pull in ten. update
// is told of a pull and of the arm that is pulled next.
func byValue(values []float64, update func(arm int, reward float64, next int, d *dice)) player {
	greedy := func() []float64 {
		pi := make([]float64, len(arms))
		floats.AddConst(explore/float64(len(arms)), pi)
		pi[floats.MaxIdx(values)] += 1 - explore
		return pi
	}
	next := 0
	return player{greedy, func(pull func(int) float64, d *dice) {
		for range batch {
			arm, reward := next, pull(next)
			next = mtp.Draw(greedy(), d.uniform())
			update(arm, reward, next, d)
		}
	}}
}

// monteCarlo takes each pull for an episode, and the mean of its returns for the value of an arm.
func monteCarlo() player {
	v, n := make([]float64, len(arms)), make([]float64, len(arms))
	return byValue(v, func(arm int, reward float64, _ int, _ *dice) {
		n[arm]++
		v[arm] = rl.MonteCarlo(v[arm], reward, 1/n[arm])
	})
}

// temporalDifference knows values of states alone: an arm leads from state 0 to a state of its own,
// 1 + arm, and the reward comes after that.
func temporalDifference() player {
	v := make([]float64, 1+len(arms))
	return byValue(v[1:], func(arm int, reward float64, _ int, _ *dice) {
		v[0] = rl.TD0(v, rl.Step{State: 0, Action: arm, Next: 1 + arm}, 1, 0.1)
		v[1+arm] = rl.TD0(v, rl.Step{State: 1 + arm, Reward: reward, Done: true}, 1, 0.1)
	})
}

// backToTheBandit learns values of arms where a pull is followed by the next one: the process has
// one state, and never ends.
func backToTheBandit(rule func(q mat.Matrix, e rl.Step, gamma, alpha float64) float64) player {
	q := mat.NewDense(1, len(arms), nil)
	return byValue(q.RawRowView(0), func(arm int, reward float64, next int, _ *dice) {
		q.Set(0, arm, rule(q, rl.Step{Action: arm, Reward: reward, NextAction: next}, again, 0.1))
	})
}

// deepQ learns the same from a memory of old pulls, with targets of a copy that is renewed every
// 16 pulls. Its network is a row of four numbers.
func deepQ() player {
	q, copied := mat.NewDense(1, len(arms), nil), mat.NewDense(1, len(arms), nil)
	var taken []int
	var rewards []float64
	return byValue(q.RawRowView(0), func(arm int, reward float64, _ int, d *dice) {
		taken, rewards = append(taken, arm), append(rewards, reward)
		if len(taken)%16 == 0 {
			copied.Copy(q)
		}
		replayed, r := make([]int, 8), make([]float64, 8)
		for i := range replayed {
			n := d.below(len(taken))
			replayed[i], r[i] = taken[n], rewards[n]
		}
		targets := rl.DQNTargets(r, make([]bool, 8), repeated(copied, 8), again)
		dq := rl.DQNLossBackward(repeated(q, 8), replayed, targets)
		for i := range replayed {
			floats.AddScaled(q.RawRowView(0), -0.1, dq.RawRowView(i))
		}
	})
}

// byPolicy returns a player with logits z of the arms, which are moved after each batch.
func byPolicy(update func(z []float64, taken []int, rewards []float64)) player {
	z := make([]float64, len(arms))
	policy := func() []float64 { return mtp.Distribution(z, 1) }
	return player{policy, func(pull func(int) float64, d *dice) {
		taken, rewards := make([]int, batch), make([]float64, batch)
		for i := range taken {
			taken[i] = mtp.Draw(policy(), d.uniform())
			rewards[i] = pull(taken[i])
		}
		update(z, taken, rewards)
	}}
}

// average is the mean of all rewards so far, the simplest baseline.
type average struct{ mean, n float64 }

// advantages returns how far the rewards of a batch are above the mean of those before it: the
// weights of REINFORCE, each pull being an episode. A nil average is no baseline.
func (a *average) advantages(rewards []float64) []float64 {
	psi, b := make([]float64, len(rewards)), []float64{0}
	if a != nil {
		b[0] = a.mean
	}
	for i, r := range rewards {
		psi[i] = rl.Reinforce([]float64{r}, b, 1)[0]
		if a != nil {
			a.n++
			a.mean = rl.MonteCarlo(a.mean, r, 1/a.n)
		}
	}
	return psi
}

// reinforce climbs the mean of return times ∇ log π.
func reinforce(baseline *average) player {
	return byPolicy(func(z []float64, taken []int, rewards []float64) {
		psi := baseline.advantages(rewards)
		g := rl.PolicyGradient(repeated(mat.NewDense(1, len(z), z), batch), taken, psi)
		for i := range batch {
			floats.AddScaled(z, 1.0/batch, g.RawRowView(i))
		}
	})
}

// actorCritic moves logits and the value of the bandit after every pull.
func actorCritic() player {
	v := []float64{0}
	return byPolicy(func(z []float64, taken []int, rewards []float64) {
		for i, arm := range taken {
			delta := rl.TDError(v, rl.Step{Action: arm, Reward: rewards[i], Done: true}, 1)
			v = rl.Critic(v, []float64{1}, delta, 0.1)
			copy(z, rl.Actor(z, arm, delta, 1.0/batch))
		}
	})
}

// trustRegion goes as far as the mean KL may be, by the inverse of the Fisher information.
func trustRegion() player {
	region := rl.TrustRegion{Delta: 0.02, Damping: 0.01, Iterations: 10, Tries: 10}
	var baseline average
	return byPolicy(func(z []float64, taken []int, rewards []float64) {
		ones := mat.NewDense(batch, 1, nil)
		ones.Apply(func(int, int, float64) float64 { return 1 }, ones)
		theta := region.Step(mat.NewDense(1, len(z), z), ones, taken, baseline.advantages(rewards))
		copy(z, theta.RawRowView(0))
	})
}

// proximal takes four steps of the clipped surrogate on each batch, with whitened advantages.
func proximal() player {
	return byPolicy(func(z []float64, taken []int, rewards []float64) {
		one := mat.NewDense(1, batch, nil)
		one.Apply(func(int, int, float64) float64 { return 1 }, one)
		advantage := ppo.Whiten(mat.NewDense(1, batch, rewards), one)
		descend(z, taken, func(i int, r, _ float64) float64 {
			_, d := ppo.Clip(r, advantage.At(0, i), 0.2, 0.2)
			return d
		})
	})
}

// grouped takes a batch for a group: the same with advantages relative to it, and a loss of one
// pull.
func grouped(loss func(r, advantage, logprob, ref float64) (loss, dlogprob float64)) player {
	return byPolicy(func(z []float64, taken []int, rewards []float64) {
		advantage := grpo.Normalize(rewards, grpo.Population, 0)
		ref := policy.LogSoftmax(make([]float64, len(z)), 1)
		descend(z, taken, func(i int, r, logprob float64) float64 {
			_, d := loss(r, advantage[i], logprob, ref[taken[i]])
			return d
		})
	})
}

func byGRPO(r, advantage, logprob, ref float64) (loss, dlogprob float64) {
	return grpo.GRPO(r, advantage, logprob, ref, 0.2, 0.01)
}

func byGPPO(r, advantage, _, _ float64) (loss, dlogprob float64) {
	return grpo.GPPO(r, advantage, 0.2, 0.28)
}

// descend takes four steps on a batch, given ∂L/∂ log π of pull i.
func descend(z []float64, taken []int, derivative func(i int, ratio, logprob float64) float64) {
	old := policy.LogSoftmax(z, 1)
	for range 4 {
		logp, dlogp := policy.LogSoftmax(z, 1), make([]float64, len(z))
		for i, arm := range taken {
			dlogp[arm] += derivative(i, policy.Ratio(logp[arm], old[arm], 0), logp[arm]) / batch
		}
		step(z, dlogp, 0.5)
	}
}

// step moves logits against a gradient, given ∂L/∂ log π of each arm.
func step(z, dlogp []float64, rate float64) {
	start := slices.Clone(z)
	for arm, d := range dlogp {
		floats.AddScaled(z, -rate*d, policy.LogProbBackward(start, arm, 1))
	}
}

// fromPreferences never sees a reward, only which of two arms, pulled by the reference, paid more.
// What it has learnt is a policy; the pulls go on as before.
func fromPreferences() player {
	z, ref := make([]float64, len(arms)), make([]float64, len(arms))
	var won, lost []int
	return player{func() []float64 { return mtp.Distribution(z, 1) }, func(pull func(int) float64, d *dice) {
		for range batch / 2 {
			a, b := mtp.Draw(mtp.Distribution(ref, 1), d.uniform()), mtp.Draw(mtp.Distribution(ref, 1), d.uniform())
			if pull(a) < pull(b) {
				a, b = b, a
			}
			won, lost = append(won, a), append(lost, b)
		}
		for range 4 {
			prefer(z, ref, won, lost)
		}
	}}
}

// prefer is a step of DPO on all pairs.
func prefer(z, ref []float64, won, lost []int) {
	of := func(z []float64, taken []int) []float64 {
		logpi, logp := policy.LogSoftmax(z, 1), make([]float64, len(taken))
		for i, arm := range taken {
			logp[i] = logpi[arm]
		}
		return logp
	}
	pairs := dpo.Pairs{Chosen: of(z, won), Rejected: of(z, lost), RefChosen: of(ref, won), RefRejected: of(ref, lost)}
	_, dwon, dlost := pairs.Loss(func(h float64) (loss, dh float64) { return dpo.SigmoidLoss(h, 0.2, 0) })
	dlogp := make([]float64, len(z)) // ∂L/∂ log π of each arm
	for i := range won {
		dlogp[won[i]] += dwon[i]
		dlogp[lost[i]] += dlost[i]
	}
	step(z, dlogp, 5)
}

// repeated returns n copies of a row.
func repeated(row *mat.Dense, n int) *mat.Dense {
	_, cols := row.Dims()
	m := mat.NewDense(n, cols, nil)
	for i := range n {
		m.SetRow(i, row.RawRowView(0))
	}
	return m
}

// played is how a rung did, in the mean over the runs.
type played struct {
	best   map[int]float64 // probability of the best arm after so many pulls
	reward float64         // of a pull
}

// looks are the numbers of pulls after which the policy is looked at.
var looks = []int{64, 128, 256, 512}

// play lets the rung play so many times from the start.
func (r rung) play(runs int, d *dice) played {
	p := played{best: map[int]float64{}}
	for range runs {
		one := r.start()
		pulled := 0
		pull := func(arm int) float64 {
			pulled++
			reward := arms[arm] + noise*d.normal()
			p.reward += reward / float64(pulls*runs)
			return reward
		}
		for _, look := range looks {
			for pulled < look {
				one.learn(pull, d)
			}
			p.best[look] += one.policy()[bestArm] / float64(runs)
		}
	}
	return p
}

// banditStory tells how every rung of the ladder of reinforcement learning does on one bandit.
func banditStory(s *sheet, d *dice) {
	s.say("Four arms pay 0.1, 0.3, 0.9 and 0.5 in the mean, with normal noise of standard deviation 0.5. Every "+
		"rung has 512 pulls and starts knowing nothing; the table has the probability of the best arm after so "+
		"many pulls and the mean reward of all pulls, both in the mean over %d runs.", runs)
	s.head("All rungs")
	s.row("%-16s %5d %7d %7d %7d %9s   %s", "pulls", looks[0], looks[1], looks[2], looks[3], "reward", "by")
	for _, r := range rungs {
		p := r.play(runs, d)
		s.row("%-16s %5.3f %7.3f %7.3f %7.3f %9.3f   %s", r.name,
			p.best[looks[0]], p.best[looks[1]], p.best[looks[2]], p.best[looks[3]], p.reward, r.by)
	}
	s.say("The first five hold values and pull the arm that they think best, but for one pull in ten, which may " +
		"be any, so that 0.925 is the most they can reach. TD(0) knows states only: an arm leads to a state of " +
		"its own there. A bandit is a process of one state; SARSA, Q-learning and DQN are given that process, " +
		"in which a pull leads back to the bandit, with a discount of 0.5. They have more to learn than the " +
		"bandit asks.")
	s.say("The others hold logits of the arms. REINFORCE, with or without a baseline, takes one step from " +
		"each batch of 16 pulls, and the actor-critic a small one for each of them; TRPO goes as far as a mean " +
		"KL of 0.02 allows; PPO, GRPO and GPPO take four steps from a batch. DPO sees which of two arms paid " +
		"more, and no number; all its pulls are the reference's, so that its rewards are those of chance.")
	s.say("Every rung reaches the best arm. How soon hangs on rates that were chosen by hand: the table " +
		"shows the rungs at work and ranks none of them.")
	whereValuesHead(s)
	whatBaselinesDo(s)
}

// whereValuesHead solves for the values that the first rungs estimate.
func whereValuesHead(s *sheet) {
	s.head("What the values head for")
	loop := rl.Process{R: mat.NewDense(1, len(arms), arms), Start: []float64{1}}
	pi := mat.NewDense(1, len(arms), nil)
	for a := range arms {
		loop.P = append(loop.P, mat.NewDense(1, 1, []float64{1}))
		pi.Set(0, a, explore/float64(len(arms)))
	}
	pi.Set(0, bestArm, pi.At(0, bestArm)+1-explore)
	best := mat.NewDense(1, len(arms), nil)
	best.Set(0, bestArm, 1)
	s.row("%-26s %6s %6s %6s %6s", "arm", "0", "1", "2", "3")
	show := func(name string, q []float64) { s.row("%-26s %6.3f %6.3f %6.3f %6.3f", name, q[0], q[1], q[2], q[3]) }
	show("Monte Carlo, TD(0)", arms)
	show("SARSA", loop.ActionValues(loop.Values(pi, again), again).RawRowView(0))
	show("Q-learning, DQN", loop.ActionValues(loop.Values(best, again), again).RawRowView(0))
	s.say("SARSA values the policy that explores, Q-learning the one that does not.")
}

// whatBaselinesDo works out mean and variance of the gradient that one pull of the uniform policy
// gives: over arms, and over the noise.
func whatBaselinesDo(s *sheet) {
	s.head("What a baseline is for")
	z := make([]float64, len(arms))
	for _, b := range []float64{0, floats.Sum(arms) / float64(len(arms))} {
		mean, square := make([]float64, len(arms)), 0.0
		for a, pi := range mtp.Distribution(z, 1) {
			score := policy.LogProbBackward(z, a, 1)
			floats.AddScaled(mean, pi*(arms[a]-b), score)
			square += pi * ((arms[a]-b)*(arms[a]-b) + noise*noise) * floats.Dot(score, score)
		}
		s.row("baseline %.2f   gradient %7.4f %7.4f %7.4f %7.4f   variance %.3f",
			b, mean[0], mean[1], mean[2], mean[3], square-floats.Dot(mean, mean))
	}
	s.say("The mean is the same; most of what is left of the variance is the noise of the rewards.")
}
