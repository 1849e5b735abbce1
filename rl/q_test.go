package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// corridor is a row of states that ends behind the last one with reward 1: action 0 goes on, action
// 1 stays.
const corridorLength = 6

func corridor(s, a int) rl.Step {
	e := rl.Step{State: s, Action: a, Next: s + 1 - a}
	if e.Next == corridorLength {
		e.Reward, e.Done = 1, true
	}
	return e
}

// sweep learns from one step of each state, in that order, with α = 1.
func sweep(q *mat.Dense, action int, states ...int) {
	for _, s := range states {
		q.Set(s, action, rl.QLearning(q, corridor(s, action), 0.5, 1))
	}
}

func TestQLearning(t *testing.T) {
	// k steps before the end the reward is k−1 discounts away: Q = γ^{k−1}. At γ = ½ nothing
	// rounds.
	t.Run("one sweep backward along a corridor finds γ^{k−1} at distance k", func(t *testing.T) {
		q := mat.NewDense(corridorLength, 2, nil)
		sweep(q, 0, 5, 4, 3, 2, 1, 0)
		for s := range corridorLength {
			k := corridorLength - s
			check.Near(t, "Q", q.At(s, 0), math.Pow(0.5, float64(k-1)), 0)
		}
	})

	// A step learns from what its next state knew before: forward, the reward comes one state
	// nearer with each sweep.
	t.Run("sweeps forward find one distance more each", func(t *testing.T) {
		q := mat.NewDense(corridorLength, 2, nil)
		for n := 1; n <= corridorLength; n++ {
			sweep(q, 0, 0, 1, 2, 3, 4, 5)
			for s := range corridorLength {
				k := corridorLength - s
				want := 0.0
				if k <= n {
					want = math.Pow(0.5, float64(k-1))
				}
				check.Near(t, "Q", q.At(s, 0), want, 0)
			}
		}
	})

	t.Run("staying costs one discount", func(t *testing.T) {
		q := mat.NewDense(corridorLength, 2, nil)
		sweep(q, 0, 5, 4, 3, 2, 1, 0)
		sweep(q, 1, 0, 1, 2, 3, 4, 5)
		for s := range corridorLength {
			check.Near(t, "Q", q.At(s, 1), q.At(s, 0)/2, 0)
		}
	})

	// q* = r + γ Σ p max q*, solved for by policy iteration.
	t.Run("at the values of the best policy the mean update changes nothing, whoever acts", func(t *testing.T) {
		m := randomMDP(source(3), 4, 3, 0.8)
		q := m.best(t)
		for _, seed := range []uint64{4, 5} {
			pi := softmax(random(source(seed), 4, 3))
			for s := range 4 {
				for a := range 3 {
					mean := m.onAverage(s, a, pi, func(e rl.Step) float64 { return rl.QLearning(q, e, m.gamma, 0.5) })
					check.Near(t, "Q", mean, q.At(s, a), 200*4*u)
				}
			}
			if q2 := m.actionValues(m.values(pi)); mat.EqualApprox(q, q2, 1e-3) {
				t.Error("the values of the policy that acts, where SARSA rests, must differ")
			}
		}
	})

	// Two states: from 0 one may end with 1, or go on to 1, where one action gives 4 and the other
	// −8. Acting at random there, going on is worth −2; acting well it is worth 4.
	t.Run("it dares what SARSA, which reckons with its own explorations, does not", func(t *testing.T) {
		q := mat.NewDense(2, 2, []float64{0, 0, 4, -8})
		on := rl.Step{State: 0, Action: 1, Next: 1}
		check.Near(t, "Q-learning", rl.QLearning(q, on, 1, 1), 4, 0)
		sarsa := 0.0
		for b := range 2 {
			on.NextAction = b
			sarsa += rl.SARSA(q, on, 1, 1) / 2
		}
		check.Near(t, "SARSA", sarsa, -2, 0)
	})

	t.Run("the last step looks at no next state", func(t *testing.T) {
		check.Near(t, "Q",
			rl.QLearning(mat.NewDense(1, 1, []float64{4}), rl.Step{Reward: 2, Next: -1, Done: true}, 0.5, 0.5), 3, 0)
	})
}
