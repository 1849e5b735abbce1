package rl

import (
	"gonum.org/v1/gonum/floats"

	"plumbline/policy"
)

// Actor returns the new logits of a state after an action that surprised by delta.
//
//	θ ← θ + α_θ δ ∇ log π(a | s)
//
// logits is [A]; so is the result. delta is TDError's: on average over what comes next, and with
// true values, it is the advantage of the action. Differs in print: Sutton and Barto's algorithm
// multiplies the t-th step of an episode by γ^t; code does not. It implements Sutton and Barto
// (13.14).
func Actor(logits []float64, action int, delta, alpha float64) []float64 {
	theta := make([]float64, len(logits))
	floats.AddScaledTo(theta, logits, alpha*delta, policy.LogProbBackward(logits, action, 1))
	return theta
}

// Critic returns the new weights of a linear critic V(s) = w·x(s) after a step that surprised it by
// delta.
//
//	w ← w + α_w δ ∇V(s) = w + α_w δ x(s)
//
// w and x, the features of the state that was left, are [d]; so is the result. With one feature for
// each state it is TD0. As in DQNLossBackward, V(s') in δ is held still. It implements Sutton and
// Barto section 13.5, the algorithm.
func Critic(w, x []float64, delta, alpha float64) []float64 {
	if len(w) != len(x) {
		panic("rl: weights and features differ in number")
	}
	return floats.AddScaledTo(make([]float64, len(w)), w, alpha*delta, x)
}
