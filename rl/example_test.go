package rl_test

import (
	"fmt"
	"math"

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

// The rewards 0, 0 and 8, seen from each step, with γ = ½. Cut off instead of ended, the episode
// has the value of what would have followed as one more reward.
func ExampleReturns() {
	fmt.Println(rl.Returns([]float64{0, 0, 8}, 0.5))
	fmt.Println(rl.Returns([]float64{0, 0, 8, 16}, 0.5))
	// Output:
	// [2 4 8]
	// [4 8 16 16]
}

// With α = 1/n at the n-th return the value is the mean of all returns so far.
func ExampleMonteCarlo() {
	v := 0.0
	for n, g := range []float64{4, 2, 6} {
		v = rl.MonteCarlo(v, g, 1/float64(n+1))
		fmt.Printf("return %v: value %.1f\n", g, v)
	}
	// Output:
	// return 4: value 4.0
	// return 2: value 3.0
	// return 6: value 4.0
}

// From state 0 to state 1, worth 8, with a reward of 2 and γ = ½: the target is 2 + 4, and with
// α = ½ the value goes half of the way. If the episode ends there, the target is 2.
func ExampleTD0() {
	v := []float64{0, 8}
	for _, done := range []bool{false, true} {
		e := rl.Step{State: 0, Reward: 2, Next: 1, Done: done}
		fmt.Println("done", done, "error", rl.TDError(v, e, 0.5), "new value", rl.TD0(v, e, 0.5, 0.5))
	}
	// Output:
	// done false error 6 new value 3
	// done true error 2 new value 1
}

// The next state has actions worth 2 and 8. SARSA looks ahead to the one that was taken.
func ExampleSARSA() {
	q := mat.NewDense(2, 2, []float64{
		0, 0,
		2, 8,
	})
	for action := range 2 {
		e := rl.Step{State: 0, Action: 0, Reward: 1, Next: 1, NextAction: action}
		fmt.Println("next action", action, "new value", rl.SARSA(q, e, 0.5, 1))
	}
	// Output:
	// next action 0 new value 2
	// next action 1 new value 5
}

// The next state has actions worth 2 and 8. Q-learning looks ahead to the best, whichever is taken.
func ExampleQLearning() {
	q := mat.NewDense(2, 2, []float64{
		0, 0,
		2, 8,
	})
	for action := range 2 {
		e := rl.Step{State: 0, Action: 0, Reward: 1, Next: 1, NextAction: action}
		fmt.Println("next action", action, "new value", rl.QLearning(q, e, 0.5, 1))
	}
	// Output:
	// next action 0 new value 5
	// next action 1 new value 5
}

// Two steps, of which the second ends its episode. The largest value of the copy is taken; Double
// DQN lets the network that learns choose, and takes the copy's value of that choice.
func ExampleDQNTargets() {
	rewards, done := []float64{1, 1}, []bool{false, true}
	copied := mat.NewDense(2, 2, []float64{2, 8, 2, 8})
	learning := mat.NewDense(2, 2, []float64{9, 0, 9, 0})
	fmt.Println("DQN       ", rl.DQNTargets(rewards, done, copied, 0.5))
	fmt.Println("Double DQN", rl.DoubleDQNTargets(rewards, done, learning, copied, 0.5))
	// Output:
	// DQN        [5 1]
	// Double DQN [2 1]
}

// Two actions are 1 and 2 off their targets; the values of actions not taken count nowhere.
func ExampleDQNLoss() {
	q := mat.NewDense(2, 2, []float64{4, 100, 100, 3})
	actions, targets := []int{0, 1}, []float64{5, 1}
	d := rl.DQNLossBackward(q, actions, targets)
	fmt.Println("loss", rl.DQNLoss(q, actions, targets), "gradient", d.RawRowView(0), d.RawRowView(1))
	// Output:
	// loss 2.5 gradient [-1 0] [0 2]
}

// A reward of 1 at the end counts for every action before it. What a baseline of ½ let expect is
// taken off.
func ExampleReinforce() {
	rewards := []float64{0, 0, 1}
	fmt.Println(rl.Reinforce(rewards, []float64{0, 0, 0}, 1))
	fmt.Println(rl.Reinforce(rewards, []float64{0.5, 0.5, 0.5}, 1))
	// Output:
	// [1 1 1]
	// [0.5 0.5 0.5]
}

// Of two actions that are alike likely the first was taken: its logit goes up as the other goes
// down, by what the action weighs.
func ExamplePolicyGradient() {
	logits := mat.NewDense(1, 2, nil)
	for _, psi := range []float64{2, -2} {
		gradient := rl.PolicyGradient(logits, []int{0}, []float64{psi})
		fmt.Printf("ψ = %2v: gradient %.1f\n", psi, gradient.RawRowView(0))
	}
	// Output:
	// ψ =  2: gradient [1.0 -1.0]
	// ψ = -2: gradient [-1.0 1.0]
}

// An action that turned out better than expected, by δ = 2, becomes likelier; the likelier it is
// already, the less it moves.
func ExampleActor() {
	logits := []float64{0, 0}
	for range 3 {
		logits = rl.Actor(logits, 0, 2, 0.5)
		fmt.Printf("logits %.3f\n", logits)
	}
	// Output:
	// logits [0.500 -0.500]
	// logits [0.769 -0.769]
	// logits [0.946 -0.946]
}

// The critic learns along the features of the state that was left.
func ExampleCritic() {
	w, x := []float64{1, 0}, []float64{1, 2}
	fmt.Println("V before", w[0]*x[0]+w[1]*x[1])
	w = rl.Critic(w, x, 2, 0.1)
	fmt.Printf("w %.1f, V after %.1f\n", w, w[0]*x[0]+w[1]*x[1])
	// Output:
	// V before 1
	// w [1.2 0.4], V after 2.0
}

// Two states; in one of them the policy went from (½, ½) to (¼, ¾), in the other it stayed.
func ExampleMeanKL() {
	old := mat.NewDense(2, 2, nil)
	logits := mat.NewDense(2, 2, []float64{0, math.Log(3), 0, 0})
	first := rl.MeanKL(old.Slice(0, 1, 0, 2), logits.Slice(0, 1, 0, 2))
	fmt.Printf("%.4f, half of %.4f\n", rl.MeanKL(old, logits), first)
	// Output:
	// 0.0719, half of 0.1438
}

// One step from an even policy towards the first of two actions, as far as the trust region goes: a
// hundredth of the divergence lets it go a tenth as far.
func ExampleTrustRegion_Step() {
	x := mat.NewDense(2, 1, []float64{1, 1}) // one state, each action tried once
	for _, delta := range []float64{0.01, 0.0001} {
		region := rl.TrustRegion{Delta: delta, Iterations: 10, Tries: 10}
		theta := region.Step(mat.NewDense(1, 2, nil), x, []int{0, 1}, []float64{1, -1})
		moved := rl.MeanKL(mat.NewDense(1, 2, nil), theta)
		fmt.Printf("δ = %v: logits %.4f, divergence %.3g\n", delta, theta.RawRowView(0), moved)
	}
	// Output:
	// δ = 0.01: logits [0.1414 -0.1414], divergence 0.00997
	// δ = 0.0001: logits [0.0141 -0.0141], divergence 0.0001
}

// Two states, of which the policy visits the second twice as often. Doing there what has an
// advantage of 3 half of the time raises the expected return by 2 · ½ · 3, as it seems from here.
func ExampleLocalObjective() {
	advantage := mat.NewDense(2, 2, []float64{0, 0, 3, 0})
	pi := mat.NewDense(2, 2, []float64{0.5, 0.5, 0.5, 0.5})
	fmt.Println(rl.LocalObjective(10, []float64{1, 2}, pi, advantage))
	// Output:
	// 13
}

// Two samples from an even policy. At the policy itself it is the mean advantage; where the good
// action has ¾ it is weighted by 1½ and the bad one by ½.
func ExampleSurrogateObjective() {
	old, actions, advantages := mat.NewDense(2, 2, nil), []int{0, 1}, []float64{4, -4}
	moved := mat.NewDense(2, 2, []float64{math.Log(3), 0, math.Log(3), 0})
	fmt.Printf("%.1f\n", rl.SurrogateObjective(old, old, actions, advantages))
	fmt.Printf("%.1f\n", rl.SurrogateObjective(old, moved, actions, advantages))
	// Output:
	// 0.0
	// 2.0
}

// Of an even policy over two actions the matrix is ¼ (1 −1; −1 1): to raise one logit is to lower
// the other.
func ExampleFisherVector() {
	even := mat.NewDense(1, 2, nil)
	for _, v := range [][]float64{{4, 0}, {0, -4}} {
		fmt.Printf("%v: %.1f\n", v, rl.FisherVector(even, mat.NewDense(1, 2, v)).RawRowView(0))
	}
	// Output:
	// [4 0]: [1.0 -1.0]
	// [0 -4]: [1.0 -1.0]
}

// Two equations, x = 2 and 4 y = 4, are solved in two steps from products with the matrix alone.
func ExampleConjugateGradient() {
	product := func(v []float64) []float64 { return []float64{v[0], 4 * v[1]} }
	for steps := 1; steps <= 2; steps++ {
		fmt.Printf("%d: %.3f\n", steps, rl.ConjugateGradient(product, []float64{2, 4}, steps, 0))
	}
	// Output:
	// 1: [0.588 1.176]
	// 2: [2.000 1.000]
}
