package rl

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const badBatch = "rl: the samples of a batch differ in number"

// DQNTargets returns what the values of a batch of steps should be, from a copy θ⁻ of the network
// that is held still.
//
//	y_n = r_n + γ (1 − done_n) max_a Q_{θ⁻}(s'_n, a)
//
// rewards and done are [N], copied is Q_θ⁻ of the next states, [N × A]; the result is [N].
// It implements Double DQN (3), which is DQN's target with a copied network.
func DQNTargets(rewards []float64, done []bool, copied mat.Matrix, gamma float64) []float64 {
	return DoubleDQNTargets(rewards, done, copied, copied, gamma)
}

// DoubleDQNTargets returns targets for which the network that learns chooses the next action, and
// its copy values it.
//
//	y_n = r_n + γ (1 − done_n) Q_{θ⁻}(s'_n, argmax_a Q_θ(s'_n, a))
//
// rewards and done are [N], learning and copied are Q_θ and Q_θ⁻ of the next states, [N × A]; the
// result is [N]. Of equal actions the first is chosen. It implements Double DQN (4) with θ⁻ for θ',
// unnumbered there in section Double DQN.
func DoubleDQNTargets(rewards []float64, done []bool, learning, copied mat.Matrix, gamma float64) []float64 {
	rows, actions := learning.Dims()
	if r, c := copied.Dims(); r != rows || c != actions || len(rewards) != rows || len(done) != rows {
		panic(badBatch)
	}
	y := make([]float64, rows)
	for n := range y {
		best := floats.MaxIdx(mat.Row(nil, n, learning))
		y[n] = Target(rewards[n], copied.At(n, best), gamma, done[n])
	}
	return y
}

// DQNLoss returns the mean squared distance of the values of the actions taken from their targets.
//
//	L = 1/N Σ_n (y_n − Q_θ(s_n, a_n))²
//
// q is Q_θ of the states, [N × A]; actions and targets are [N].
// Differs in code: Huber's loss, or δ clipped to ±1 in the gradient, for the square.
// It implements DQN (2).
func DQNLoss(q mat.Matrix, actions []int, targets []float64) float64 {
	rows := checkBatch(q, actions, targets)
	var sum float64
	for n, a := range actions {
		delta := targets[n] - q.At(n, a)
		sum += delta * delta
	}
	return sum / float64(rows)
}

// DQNLossBackward returns the gradient of DQNLoss for q, with the targets held still.
//
//	dq_na = −2/N (y_n − Q_θ(s_n, a_n)) for a = a_n, 0 for the others
//
// q is [N × A], actions and targets are [N]; the result is [N × A]. The targets depend on the
// values too, at least on those of a copy; the step along this gradient does not count that
// (semi-gradient). Differs in print: DQN (3) has neither the −2 nor the sign of a descent. It
// implements DQN (3).
func DQNLossBackward(q mat.Matrix, actions []int, targets []float64) *mat.Dense {
	rows := checkBatch(q, actions, targets)
	_, cols := q.Dims()
	dq := mat.NewDense(rows, cols, nil)
	for n, a := range actions {
		dq.Set(n, a, -2/float64(rows)*(targets[n]-q.At(n, a)))
	}
	return dq
}

// checkBatch panics unless there is an action and a weight for each row of x; it returns how many
// rows.
func checkBatch(x mat.Matrix, actions []int, weights []float64) int {
	rows, _ := x.Dims()
	if len(actions) != rows || len(weights) != rows {
		panic(badBatch)
	}
	return rows
}
