package rl_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// walkSteps returns the two equally likely steps from a state of the random walk.
func walkSteps(s int, reward float64) [2]rl.Step {
	left, right := rl.Step{State: s, Next: s - 1}, rl.Step{State: s, Next: s + 1}
	left.Done = s == 0
	if s == 4 {
		right.Done, right.Reward = true, reward
	}
	return [2]rl.Step{left, right}
}

// loop is a step of the state that leads to itself, with reward 1.
var loop = rl.Step{Reward: 1}

func TestTarget(t *testing.T) {
	t.Run("it is the reward and what comes next, discounted", func(t *testing.T) {
		check.Near(t, "y", rl.Target(1, 6, 0.5, false), 4, 0)
	})
	t.Run("after the end nothing comes, whatever lies there", func(t *testing.T) {
		check.Near(t, "y", rl.Target(1, math.NaN(), 0.5, true), 1, 0)
		check.Near(t, "y", rl.Target(1, math.Inf(1), 0, true), 1, 0)
	})
}

func TestTDError(t *testing.T) {
	// G_t − V(s_t) = δ_t + γ (G_{t+1} − V(s_{t+1})), and so on to the end: Σ_k γ^k δ_{t+k}, Sutton
	// and Barto (6.6). Dyadic, so exact.
	t.Run("discounted, the errors of an episode add up to that of Monte Carlo", func(t *testing.T) {
		v := []float64{3, -1, 0.5}
		steps := []rl.Step{
			{State: 0, Reward: 1, Next: 1}, {State: 1, Reward: -2, Next: 2}, {State: 2, Reward: 4, Done: true},
		}
		var deltas, rewards []float64
		for _, e := range steps {
			deltas, rewards = append(deltas, rl.TDError(v, e, 0.5)), append(rewards, e.Reward)
		}
		for s, g := range rl.Returns(rewards, 0.5) {
			check.Near(t, "Σ γ^k δ", rl.Returns(deltas, 0.5)[s], g-v[s], 0)
		}
	})

	// V = r + γ V is V = 1/(1−γ): 2 at γ = ½, 4 at γ = ¾, 8 at γ = ⅞; no rounding.
	t.Run("a state that leads to itself with reward 1 is worth 1/(1−γ)", func(t *testing.T) {
		for _, gamma := range []float64{0, 0.5, 0.75, 0.875} {
			check.Near(t, "δ", rl.TDError([]float64{1 / (1 - gamma)}, loop, gamma), 0, 0)
		}
	})

	t.Run("the next state of a last step need not exist", func(t *testing.T) {
		check.Near(t, "δ", rl.TDError([]float64{1}, rl.Step{Reward: 3, Next: -1, Done: true}, 0.5), 2, 0)
	})
}

func TestTD0(t *testing.T) {
	// From 0 with α = 1: V_n = 1 + γ V_{n−1} = (1−γⁿ)/(1−γ).
	t.Run("the loop's value grows to 1/(1−γ) as the geometric sum", func(t *testing.T) {
		v := []float64{0}
		for n := 1; n <= 50; n++ {
			v[0] = rl.TD0(v, loop, 0.5, 1)
			check.Near(t, "V", v[0], 2-math.Ldexp(1, 1-n), 0)
		}
	})

	// V_s = ½ V_{s−1} + ½ V_{s+1} is a line, from 0 at the left end to the reward at the right: V_s
	// = (s+1)/6. For a reward of 6 the values are 1 … 5, and the mean of both updates does not
	// round.
	t.Run("the random walk's values are 1/6 … 5/6", func(t *testing.T) {
		solved := walk(1).values(mat.NewDense(5, 1, []float64{1, 1, 1, 1, 1}))
		check.NearAll(t, "V", solved, []float64{1. / 6, 2. / 6, 3. / 6, 4. / 6, 5. / 6}, 32*u)
		v := []float64{1, 2, 3, 4, 5}
		for s := range v {
			e := walkSteps(s, 6)
			check.Near(t, "mean update", (rl.TD0(v, e[0], 1, 0.5)+rl.TD0(v, e[1], 1, 0.5))/2, v[s], 0)
		}
	})

	// The mean update with α = 1 is V ← P V + r, whose error shrinks by cos(π/6), the largest
	// eigenvalue of P: 0.866³⁰⁰ < 10⁻¹⁸.
	t.Run("mean updates lead there from anywhere", func(t *testing.T) {
		v := []float64{9, -9, 9, 0, 1}
		for range 300 {
			old := slices.Clone(v)
			for s := range v {
				e := walkSteps(s, 1)
				v[s] = (rl.TD0(old, e[0], 1, 1) + rl.TD0(old, e[1], 1, 1)) / 2
			}
		}
		check.NearAll(t, "V", v, []float64{1. / 6, 2. / 6, 3. / 6, 4. / 6, 5. / 6}, 64*u)
	})

	// Sutton and Barto, example 6.4: A,0,B,0 once; B,1 six times; B,0 once. B was followed by 1 in
	// 6 of 8 visits. A was followed by 0 once, and by B once: Monte Carlo says 0, which fits the
	// data best, TD says V(B), which fits the process that the data show.
	t.Run("of the same eight episodes Monte Carlo and TD learn different values", func(t *testing.T) {
		const A, B = 0, 1
		batch := []rl.Step{{State: A, Next: B}, {State: B, Done: true}, {State: B, Done: true}}
		for range 6 {
			batch = append(batch, rl.Step{State: B, Reward: 1, Done: true})
		}
		change := func(v []float64) (sum [2]float64) {
			for _, e := range batch {
				sum[e.State] += rl.TD0(v, e, 1, 1) - v[e.State]
			}
			return sum
		}
		if got := change([]float64{0.75, 0.75}); got != [2]float64{} {
			t.Errorf("TD rests at V(A) = V(B) = ¾, but changes by %v", got)
		}
		if got := change([]float64{0, 0.75}); got != [2]float64{0.75, 0} {
			t.Errorf("TD leaves Monte Carlo's V(A) = 0 by ¾, but changes by %v", got)
		}
		g := rl.Returns([]float64{0, 0}, 1)
		check.Near(t, "Monte Carlo's V(A)", rl.MonteCarlo(0.5, g[0], 1), 0, 0)
	})

	t.Run("an episode cut off is not over", func(t *testing.T) {
		v := []float64{0, 8}
		check.Near(t, "cut off", rl.TD0(v, rl.Step{Reward: 1, Next: 1}, 0.5, 1), 5, 0)
		check.Near(t, "over", rl.TD0(v, rl.Step{Reward: 1, Next: 1, Done: true}, 0.5, 1), 1, 0)
	})
}

// onAverage returns the mean of update over what may follow action a in state s, and over the
// actions of policy pi there.
func (m mdp) onAverage(s, a int, pi mat.Matrix, update func(e rl.Step) float64) float64 {
	end, sum := 1.0, 0.0
	for next := range m.Start {
		p := m.P[a].At(s, next)
		end -= p
		for b := range m.P {
			sum += p * pi.At(next, b) * update(rl.Step{
				State: s, Action: a, Reward: m.R.At(s, a), Next: next, NextAction: b,
			})
		}
	}
	return sum + end*update(rl.Step{State: s, Action: a, Reward: m.R.At(s, a), Done: true})
}

func TestSARSA(t *testing.T) {
	m := randomMDP(source(1), 4, 3, 0.8)
	pi := softmax(random(source(2), 4, 3))

	// Q_π = r + γ Σ p π Q_π: the mean of the update, over next states and next actions, is where it
	// was. Values are below 1/(1−0.72) < 4, and each of the 12 terms makes a few roundings of that;
	// the solution makes some more.
	t.Run("at the true values of the policy that acts, the mean update changes nothing", func(t *testing.T) {
		q := m.actionValues(m.values(pi))
		for s := range 4 {
			for a := range 3 {
				mean := m.onAverage(s, a, pi, func(e rl.Step) float64 { return rl.SARSA(q, e, m.gamma, 0.5) })
				check.Near(t, "Q", mean, q.At(s, a), 200*4*u)
			}
		}
	})

	t.Run("mean updates lead to the values of that policy", func(t *testing.T) {
		q := mat.NewDense(4, 3, nil)
		for range 200 { // the error shrinks by 0.9·0.8 each time: 0.72²⁰⁰ < 10⁻²⁸
			old := mat.DenseCopyOf(q)
			q.Apply(func(s, a int, _ float64) float64 {
				return m.onAverage(s, a, pi, func(e rl.Step) float64 { return rl.SARSA(old, e, m.gamma, 1) })
			}, q)
		}
		check.NearMatrix(t, "Q", q, m.actionValues(m.values(pi)), 1000*4*u)
	})

	t.Run("with one action it is TD(0)", func(t *testing.T) {
		v := []float64{1, 5, 2, 8, 3}
		for s := range v {
			for _, e := range walkSteps(s, 1) {
				check.Near(t, "Q", rl.SARSA(mat.NewDense(5, 1, v), e, 0.9, 0.3), rl.TD0(v, e, 0.9, 0.3), 0)
			}
		}
	})

	// E over a' of r + γ Q(s', a'): what the next action happens to be matters, unlike in
	// Q-learning.
	t.Run("it looks at the action that was taken next", func(t *testing.T) {
		q := mat.NewDense(2, 2, []float64{0, 0, 2, 6})
		check.Near(t, "first", rl.SARSA(q, rl.Step{Next: 1, NextAction: 0}, 1, 1), 2, 0)
		check.Near(t, "second", rl.SARSA(q, rl.Step{Next: 1, NextAction: 1}, 1, 1), 6, 0)
	})

	t.Run("after the last step there is no next action", func(t *testing.T) {
		check.Near(
			t, "Q",
			rl.SARSA(
				mat.NewDense(1, 1, []float64{4}), rl.Step{Reward: 2, Next: -1, NextAction: -1, Done: true}, 0.5, 0.5,
			),
			3, 0,
		)
	})
}

// best returns q* by policy iteration: the values of the greedy policy, until it stays.
func (m mdp) best(t *testing.T) *mat.Dense {
	states, actions := m.R.Dims()
	pi := mat.NewDense(states, actions, nil)
	for s := range states {
		pi.Set(s, 0, 1)
	}
	for range 20 {
		q := m.actionValues(m.values(pi))
		greedy := mat.NewDense(states, actions, nil)
		for s := range states {
			greedy.Set(s, floats.MaxIdx(q.RawRowView(s)), 1)
		}
		if mat.Equal(greedy, pi) {
			return q
		}
		pi = greedy
	}
	t.Fatal("policy iteration did not end")
	return nil
}
