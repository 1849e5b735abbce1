package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// signs returns all 2^n rows of ±1.
func signs(n int) *mat.Dense {
	m := mat.NewDense(1<<n, n, nil)
	m.Apply(func(i, j int, _ float64) float64 { return float64(2*(i>>j&1) - 1) }, m)
	return m
}

// estimates returns every pair of independent estimates, true values and errors of ±1 alike likely:
// those of the network that learns, and those of its copy.
func estimates(truth ...float64) (learning, copied *mat.Dense) {
	errors := signs(2 * len(truth))
	rows, _ := errors.Dims()
	add := func(_, j int, e float64) float64 { return e + truth[j] }
	learning, copied = mat.NewDense(rows, len(truth), nil), mat.NewDense(rows, len(truth), nil)
	learning.Apply(add, errors.Slice(0, rows, 0, len(truth)))
	copied.Apply(add, errors.Slice(0, rows, len(truth), 2*len(truth)))
	return learning, copied
}

// meanTargets returns the mean target of DQN and of double DQN over such estimates of the next
// state, with reward 0 and γ = 1.
func meanTargets(truth ...float64) (single, double float64) {
	learning, copied := estimates(truth...)
	rows, _ := copied.Dims()
	zeros, going := make([]float64, rows), make([]bool, rows)
	one, two := rl.DQNTargets(zeros, going, copied, 1), rl.DoubleDQNTargets(zeros, going, learning, copied, 1)
	for n := range rows {
		single, double = single+one[n]/float64(rows), double+two[n]/float64(rows)
	}
	return single, double
}

func TestDQNTargets(t *testing.T) {
	rng := source(10)

	t.Run("each is that of Q-learning with α = 1", func(t *testing.T) {
		next := random(rng, 4, 3)
		y := rl.DQNTargets([]float64{1, 2, 3, 4}, []bool{false, true, false, false}, next, 0.5)
		for n := range y {
			q := mat.NewDense(2, 3, nil) // the state, and the next one
			q.SetRow(1, next.RawRowView(n))
			check.Near(t, "y", y[n], rl.QLearning(q, rl.Step{Reward: float64(n + 1), Next: 1, Done: n == 1}, 0.5, 1), 0)
		}
	})

	t.Run("after the end only the reward counts, whatever the network says", func(t *testing.T) {
		nan := mat.NewDense(1, 2, []float64{math.NaN(), math.NaN()})
		check.NearAll(t, "y", rl.DQNTargets([]float64{3}, []bool{true}, nan, 0.5), []float64{3}, 0)
		check.NearAll(t, "y", rl.DoubleDQNTargets([]float64{3}, []bool{true}, nan, nan, 0.5), []float64{3}, 0)
	})

	// All true values are 0. The largest of m estimates is −1 only if all are: E max = 1 −
	// 2·2^{−m}. Powers of two: exact.
	t.Run("errors that are right on average raise the target by 1 − 2^{1−m} for m actions", func(t *testing.T) {
		for m, want := range map[int]float64{1: 0, 2: 0.5, 3: 0.75, 4: 0.875} {
			single, _ := meanTargets(make([]float64, m)...)
			check.Near(t, "E max", single, want, 0)
		}
	})

	// Double DQN, theorem 1: if the errors e of m actions add up to 0 and have mean square C, the
	// largest is at least √(C/(m−1)), with equality for m−1 equal ones.
	t.Run("errors that cancel over the actions raise it by at least √(C/(m−1))", func(t *testing.T) {
		raise := func(e []float64) float64 {
			return rl.DQNTargets([]float64{0}, []bool{false}, mat.NewDense(1, len(e), e), 1)[0]
		}
		check.Near(t, "C = 4, m = 5", raise([]float64{1, 1, 1, 1, -4}), 1, 0)
		for range 20 {
			e := random(rng, 1, 5).RawRowView(0)
			var mean, c float64
			for _, x := range e {
				mean += x / 5
			}
			for i := range e {
				e[i] -= mean
				c += e[i] * e[i] / 5
			}
			if raise(e) < math.Sqrt(c/4)-8*u {
				t.Errorf("errors %v raise the target by %v only", e, raise(e))
			}
		}
	})
}

func TestDoubleDQNTargets(t *testing.T) {
	t.Run("the one network chooses, the other values", func(t *testing.T) {
		learning, copied := mat.NewDense(1, 3, []float64{1, 9, 2}), mat.NewDense(1, 3, []float64{7, 4, 8})
		check.NearAll(t, "y", rl.DoubleDQNTargets([]float64{1}, []bool{false}, learning, copied, 0.5), []float64{3}, 0)
	})

	t.Run("with one network for both it is DQN", func(t *testing.T) {
		next, rewards, done := random(source(11), 6, 4), make([]float64, 6), make([]bool, 6)
		check.NearAll(t, "y", rl.DoubleDQNTargets(rewards, done, next, next, 0.9),
			rl.DQNTargets(rewards, done, next, 0.9), 0)
	})

	// The choice depends on the errors of the one, so the value that the other gives it is off by 0
	// on average.
	t.Run("where all actions are worth the same, independent errors raise nothing", func(t *testing.T) {
		for m := 1; m <= 4; m++ {
			_, double := meanTargets(make([]float64, m)...)
			check.Near(t, "E Q⁻(argmax Q)", double, 0, 0)
		}
	})

	// True values 1 and 0, errors ±1: estimates {0, 2} and {−1, 1}. The largest is 0 or 1 or twice
	// 2, on average 5/4. The first is chosen unless 0 meets 1, in ¾ of the cases: ¾·1 + ¼·0.
	t.Run("where they are not, it errs on the low side instead: 3/4 for 1, DQN 5/4", func(t *testing.T) {
		single, double := meanTargets(1, 0)
		check.Near(t, "DQN", single, 1.25, 0)
		check.Near(t, "double DQN", double, 0.75, 0)
	})

	t.Run("batches of different sizes panic", func(t *testing.T) {
		two, three := mat.NewDense(1, 2, nil), mat.NewDense(1, 3, nil)
		for name, f := range map[string]func(){
			"actions": func() { rl.DoubleDQNTargets([]float64{1}, []bool{false}, two, three, 1) },
			"states": func() {
				rl.DoubleDQNTargets([]float64{1}, []bool{false}, two, mat.NewDense(2, 2, nil), 1)
			},
			"rewards":        func() { rl.DoubleDQNTargets(nil, []bool{false}, two, two, 1) },
			"ends":           func() { rl.DoubleDQNTargets([]float64{1}, nil, two, two, 1) },
			"actions taken":  func() { rl.DQNLoss(two, nil, []float64{1}) },
			"targets":        func() { rl.DQNLoss(two, []int{0}, nil) },
			"their gradient": func() { rl.DQNLossBackward(two, []int{0}, nil) },
		} {
			t.Run(name, func(t *testing.T) {
				check.Panics(t, "rl: the samples of a batch differ in number", f)
			})
		}
	})
}

func TestDQNLoss(t *testing.T) {
	t.Run("it is 0 where the values are the targets, and looks at no other action", func(t *testing.T) {
		q := mat.NewDense(2, 2, []float64{1, math.NaN(), math.NaN(), 4})
		check.Near(t, "L", rl.DQNLoss(q, []int{0, 1}, []float64{1, 4}), 0, 0)
	})
	t.Run("it is the mean of the squares", func(t *testing.T) {
		q := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
		check.Near(t, "L", rl.DQNLoss(q, []int{0, 1}, []float64{3, 0}), (4+16)/2, 0)
	})
}

func TestDQNLossBackward(t *testing.T) {
	rng := source(12)
	q, targets, actions := random(rng, 4, 3), random(rng, 1, 4).RawRowView(0), []int{2, 0, 0, 1}

	t.Run("it is the derivative of DQNLoss", func(t *testing.T) {
		want := numeric(func() float64 { return rl.DQNLoss(q, actions, targets) }, q)
		check.NearMatrix(t, "dq", rl.DQNLossBackward(q, actions, targets), want, numericBound)
	})

	// Q − α/2 · (−2)(y − Q) = Q + α (y − Q): for a table and one sample the descent with half the
	// step size. Dyadic, so exact.
	t.Run("for a table one step of descent is Q-learning", func(t *testing.T) {
		table := mat.NewDense(2, 2, []float64{1, -2, 4, 3})
		e := rl.Step{State: 0, Action: 1, Reward: 1, Next: 1}
		y := rl.DQNTargets([]float64{e.Reward}, []bool{false}, table.Slice(1, 2, 0, 2), 0.5)
		dq := rl.DQNLossBackward(table.Slice(0, 1, 0, 2), []int{e.Action}, y)
		const alpha = 0.25
		check.Near(t, "Q", table.At(0, 1)-alpha/2*dq.At(0, 1), rl.QLearning(table, e, 0.5, alpha), 0)
	})

	// The loop's one value θ has the target 1 + γθ. With the target held still dL/dθ = −2(1 + γθ −
	// θ); differences that move it too see −2(1 + γθ − θ)(1 − γ): the residual gradient, another
	// method.
	t.Run("it does not go through the target, as differences of the whole would", func(t *testing.T) {
		const gamma, theta = 0.75, 2.0
		value := mat.NewDense(1, 1, []float64{theta})
		target := func() []float64 { return rl.DQNTargets([]float64{1}, []bool{false}, value, gamma) }
		semi := rl.DQNLossBackward(value, []int{0}, target()).At(0, 0)
		check.Near(t, "semi-gradient", semi, -2*(1+gamma*theta-theta), 0)
		whole := numeric(func() float64 { return rl.DQNLoss(value, []int{0}, target()) }, value).At(0, 0)
		check.Near(t, "residual gradient", whole, (1-gamma)*semi, numericBound)
	})
}
