package rl_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/rl"
)

// The ladder on a corridor of three states with a reward of 1 behind the last, and on a bandit with
// two arms.
func Example() {
	fmt.Println("returns:", rl.Returns([]float64{0, 0, 1}, 0.5))

	v := make([]float64, 3)
	q := mat.NewDense(3, 1, nil)
	for sweep := range 3 {
		for s := range v {
			step := rl.Step{State: s, Next: s + 1, Done: s == 2}
			if step.Done {
				step.Reward = 1
			}
			v[s] = rl.TD0(v, step, 0.5, 1)
			q.Set(s, 0, rl.QLearning(q, step, 0.5, 1))
		}
		fmt.Println("TD(0) after sweep", sweep+1, "forward:", v)
	}
	fmt.Println("Q-learning:", mat.Col(nil, 0, q))

	// One state; arm 0 pays 1, arm 1 nothing, and both were tried once. The mean reward is the
	// baseline.
	logits, arms := mat.NewDense(2, 2, nil), []int{0, 1}
	advantages := []float64{0.5, -0.5}
	gradient := rl.PolicyGradient(logits, arms, advantages)
	fmt.Println("policy gradient:", gradient.RawRowView(0), gradient.RawRowView(1))

	region := rl.TrustRegion{Delta: 0.01, Iterations: 10, Tries: 10}
	theta := region.Step(mat.NewDense(1, 2, nil), mat.NewDense(2, 1, []float64{1, 1}), arms, advantages)
	var z mat.Dense
	z.Mul(mat.NewDense(2, 1, []float64{1, 1}), theta)
	fmt.Printf("one step of TRPO: logits %.4f, KL %.5f of %v\n",
		theta.RawRowView(0), rl.MeanKL(logits, &z), region.Delta)
	// Output:
	// returns: [0.25 0.5 1]
	// TD(0) after sweep 1 forward: [0 0 1]
	// TD(0) after sweep 2 forward: [0 0.5 1]
	// TD(0) after sweep 3 forward: [0.25 0.5 1]
	// Q-learning: [0.25 0.5 1]
	// policy gradient: [0.25 -0.25] [0.25 -0.25]
	// one step of TRPO: logits [0.1414 -0.1414], KL 0.00997 of 0.01
}
