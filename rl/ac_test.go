package rl_test

import (
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

func TestActor(t *testing.T) {
	rng := source(30)
	m, z := randomMDP(rng, 3, 2, 0.8), random(rng, 3, 2)
	pi := softmax(z)
	v := m.values(pi)

	// E[δ | s, a] = r + γ Σ p V(s') − V(s) = Q − V = A, and Σ_s ρ(s) Σ_a π(a|s) A ∇log π(a|s) is
	// the policy gradient theorem's ∇J.
	t.Run("with true values its mean step, over the states as they are visited, is the gradient of the expected return",
		func(t *testing.T) {
			step := mat.NewDense(3, 2, nil)
			for s, rho := range m.visits(pi) {
				for a := range 2 {
					for b := range 2 { // the mean of each element of what Actor adds
						mean := m.onAverage(s, a, pi, func(e rl.Step) float64 {
							return rl.Actor(z.RawRowView(s), a, rl.TDError(v, e, m.gamma), 1)[b] - z.At(s, b)
						})
						step.Set(s, b, step.At(s, b)+rho*pi.At(s, a)*mean)
					}
				}
			}
			want := numeric(func() float64 { return m.eta(softmax(z)) }, z)
			check.NearMatrix(t, "∇J", step, want, 10*numericBound) // ρ adds up to 3.6, values to 4
		})

	t.Run("a step that surprises nobody changes nothing", func(t *testing.T) {
		logits := []float64{1, 2, 3}
		check.NearAll(t, "θ", rl.Actor(logits, 1, 0, 0.5), logits, 0)
	})

	// At logits of 0 with two actions ∇log π = ±½.
	t.Run("what went better than expected becomes likelier", func(t *testing.T) {
		check.NearAll(t, "θ", rl.Actor([]float64{0, 0}, 1, 2, 0.5), []float64{-0.5, 0.5}, 0)
		check.NearAll(t, "θ", rl.Actor([]float64{0, 0}, 1, -2, 0.5), []float64{0.5, -0.5}, 0)
	})

	t.Run("it leaves the old logits alone", func(t *testing.T) {
		logits := []float64{0, 0}
		rl.Actor(logits, 0, 1, 1)
		check.NearAll(t, "θ", logits, []float64{0, 0}, 0)
	})
}

func TestCritic(t *testing.T) {
	rng := source(31)

	t.Run("there is a weight for each feature", func(t *testing.T) {
		for _, n := range []int{1, 3} {
			check.Panics(t, "rl: weights and features differ in number", func() {
				rl.Critic(make([]float64, 2), make([]float64, n), 1, 1)
			})
		}
	})

	t.Run("with one feature for each state it is TD(0)", func(t *testing.T) {
		w := random(rng, 1, 5).RawRowView(0)
		for s := range w {
			for _, e := range walkSteps(s, 1) {
				x := make([]float64, 5)
				x[s] = 1
				want := append([]float64(nil), w...)
				want[s] = rl.TD0(w, e, 0.9, 0.3)
				check.NearAll(t, "w", rl.Critic(w, x, rl.TDError(w, e, 0.9), 0.3), want, 4*check.U)
			}
		}
	})

	// ½(y − w·x)² has the derivative −(y − w·x) x for y held still.
	t.Run("its step is down the gradient of half the squared error", func(t *testing.T) {
		w, x, y := random(rng, 1, 3), random(rng, 1, 3).RawRowView(0), 0.7
		gradient := numeric(func() float64 {
			e := y - floats.Dot(w.RawRowView(0), x)
			return e * e / 2
		}, w).RawRowView(0)
		delta := y - floats.Dot(w.RawRowView(0), x)
		step := rl.Critic(make([]float64, 3), x, delta, 1)
		floats.Scale(-1, step)
		check.NearAll(t, "−step", step, gradient, numericBound)
	})

	// The line V = (s+1)/6 is linear in the position: two weights, position/6 and a constant, hold
	// it. Reward 6 and V = position: exact.
	t.Run("two features are enough for the random walk", func(t *testing.T) {
		w := []float64{1, 0}
		v := []float64{1, 2, 3, 4, 5}
		for s := range v {
			e := walkSteps(s, 6)
			x := []float64{float64(s + 1), 1}
			left, right := rl.Critic(w, x, rl.TDError(v, e[0], 1), 0.5), rl.Critic(w, x, rl.TDError(v, e[1], 1), 0.5)
			floats.Add(left, right)
			floats.Scale(0.5, left)
			check.NearAll(t, "w", left, w, 0)
		}
	})
}
