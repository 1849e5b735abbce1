package rl

import "gonum.org/v1/gonum/mat"

// Step is what happens in one step of an episode, and the action after it: s, a, r, s', a', from
// whose letters SARSA has its name. With Done, Next and NextAction mean nothing.
type Step struct {
	State, Action    int
	Reward           float64
	Next, NextAction int
	Done             bool // the episode ended with this step; being cut off is not an end
}

// Target returns what a step says its value should be: the reward and the discounted value of what
// comes next.
//
//	y = r + γ (1 − done) next
//
// next is V(s'), Q(s', a') or max_a Q(s', a); with done it is not looked at.
// It implements Sutton and Barto (6.2), what the update moves to; done is DQN's, algorithm 1.
func Target(reward, next, gamma float64, done bool) float64 {
	if done {
		return reward
	}
	return reward + gamma*next
}

// TDError returns by how much a step surprises the values of the states.
//
//	δ_t = r_{t+1} + γ V(s_{t+1}) − V(s_t)
//
// v is [S].
// It implements Sutton and Barto (6.5).
func TDError(v []float64, e Step, gamma float64) float64 {
	var next float64
	if !e.Done {
		next = v[e.Next]
	}
	return Target(e.Reward, next, gamma, e.Done) - v[e.State]
}

// TD0 returns the new value of the state that a step left.
//
//	V(s_t) ← V(s_t) + α (r_{t+1} + γ V(s_{t+1}) − V(s_t))
//
// v is [S].
// It implements Sutton and Barto (6.2).
func TD0(v []float64, e Step, gamma, alpha float64) float64 {
	return v[e.State] + alpha*TDError(v, e, gamma)
}

// SARSA returns the new value of the action that was taken, looking ahead to the action that was
// taken next.
//
//	Q(s, a) ← Q(s, a) + α (r + γ Q(s', a') − Q(s, a))
//
// q is [S × A].
// It implements Sutton and Barto (6.7).
func SARSA(q mat.Matrix, e Step, gamma, alpha float64) float64 {
	var next float64
	if !e.Done {
		next = q.At(e.Next, e.NextAction)
	}
	old := q.At(e.State, e.Action)
	return old + alpha*(Target(e.Reward, next, gamma, e.Done)-old)
}
