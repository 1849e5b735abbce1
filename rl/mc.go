package rl

// Returns returns what follows each step of an episode, discounted.
//
//	G_t = r_{t+1} + γ r_{t+2} + γ² r_{t+3} + … = r_{t+1} + γ G_{t+1}
//
// rewards is [T], rewards[t] being r_{t+1}; so is the result. An episode that is cut off rather
// than ended goes on: append the value of the state where it was cut as one more reward. Differs in
// code: a limit on the length is often taken for an end, which drops that value. It implements
// Sutton and Barto (3.8) and (3.9).
func Returns(rewards []float64, gamma float64) []float64 {
	g := make([]float64, len(rewards))
	var next float64
	for t := len(rewards) - 1; t >= 0; t-- {
		g[t] = rewards[t] + gamma*next
		next = g[t]
	}
	return g
}

// MonteCarlo returns the new value of a state after a return g from it.
//
//	V(s_t) ← V(s_t) + α (G_t − V(s_t))
//
// With α = 1/n at the n-th return it is their mean.
// It implements Sutton and Barto (6.1), and (2.3) with α = 1/n.
func MonteCarlo(v, g, alpha float64) float64 { return v + alpha*(g-v) }
