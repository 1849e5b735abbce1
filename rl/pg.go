package rl

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// PolicyObjective returns what a policy gradient climbs: the log-probabilities of the actions
// taken, weighted.
//
//	L(z) = Σ_t ψ_t log π(a_t | s_t)
//
// logits has a row for each step, [T × A]; actions and psi are [T]. Its value means nothing, its
// gradient does. It implements PPO (2), as a sum over an episode.
func PolicyObjective(logits mat.Matrix, actions []int, psi []float64) float64 {
	checkBatch(logits, actions, psi)
	var sum float64
	for t, a := range actions {
		if psi[t] != 0 { // 0 · −∞
			sum += psi[t] * policy.LogProb(mat.Row(nil, t, logits), a, 1)
		}
	}
	return sum
}

// PolicyGradient returns the gradient of PolicyObjective for the logits, with the weights held
// still.
//
//	ĝ_t = ψ_t ∇ log π(a_t | s_t)
//
// logits is [T × A], actions and psi are [T]; the result is [T × A]. If ψ is what follows an
// action, less anything that does not depend on it, the sum over an episode is on average the
// gradient of the expected return. It implements GAE (1), one row for each step; REINFORCE, Sutton
// and Barto (13.8), for ψ = G.
func PolicyGradient(logits mat.Matrix, actions []int, psi []float64) *mat.Dense {
	rows := checkBatch(logits, actions, psi)
	_, cols := logits.Dims()
	g := mat.NewDense(rows, cols, nil)
	for t, a := range actions {
		row := policy.LogProbBackward(mat.Row(nil, t, logits), a, 1)
		floats.Scale(psi[t], row)
		g.SetRow(t, row)
	}
	return g
}

// Reinforce returns the weights of REINFORCE with a baseline: by how much the return exceeds what
// the state let expect.
//
//	ψ_t = G_t − b(s_t)
//
// rewards and baseline are [T]; so is the result. Where several samples start from one state,
// policy.LeaveOneOut is a baseline that needs no values. Differs in print: Sutton and Barto's
// algorithm has γ^t too, as in ReinforceDiscounted; code has not. Without it the average is the
// gradient of the expected return for γ = 1 only, and in general of no function otherwise (Nota and
// Thomas 2020). It implements Sutton and Barto (13.11).
func Reinforce(rewards, baseline []float64, gamma float64) []float64 {
	if len(rewards) != len(baseline) {
		panic(badBatch)
	}
	psi := Returns(rewards, gamma)
	floats.Sub(psi, baseline)
	return psi
}

// ReinforceDiscounted returns the weights whose policy gradient is on average that of the
// discounted return.
//
//	ψ_t = γ^t (G_t − b(s_t))
//
// rewards and baseline are [T]; so is the result.
// It implements Sutton and Barto section 13.4, the algorithm.
func ReinforceDiscounted(rewards, baseline []float64, gamma float64) []float64 {
	psi := Reinforce(rewards, baseline, gamma)
	for t := range psi {
		psi[t] *= math.Pow(gamma, float64(t))
	}
	return psi
}
