package rl

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// QLearning returns the new value of the action that was taken, looking ahead to the best action,
// whichever is taken.
//
//	Q(s, a) ← Q(s, a) + α (r + γ max_{a'} Q(s', a') − Q(s, a))
//
// q is [S × A].
// It implements Sutton and Barto (6.8).
func QLearning(q mat.Matrix, e Step, gamma, alpha float64) float64 {
	var next float64
	if !e.Done {
		next = floats.Max(mat.Row(nil, e.Next, q))
	}
	old := q.At(e.State, e.Action)
	return old + alpha*(Target(e.Reward, next, gamma, e.Done)-old)
}
