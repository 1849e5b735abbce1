package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/rl"
)

// episode is one of all the ways that a few steps can go, with its probability.
type episode struct {
	p               float64
	states, actions []int
	rewards         []float64
}

// episodes returns all that can happen in so many steps, or until the end.
func (m mdp) episodes(pi mat.Matrix, steps int) []episode {
	var all []episode
	var follow func(e episode, s int)
	follow = func(e episode, s int) {
		if len(e.states) == steps {
			all = append(all, e)
			return
		}
		for a := range m.P {
			with := episode{
				e.p * pi.At(s, a), appended(e.states, s), appended(e.actions, a), appended(e.rewards, m.R.At(s, a)),
			}
			end := with
			for next := range m.Start {
				going := with
				going.p *= m.P[a].At(s, next)
				end.p -= going.p
				follow(going, next)
			}
			all = append(all, end)
		}
	}
	for s, p := range m.Start {
		follow(episode{p: p}, s)
	}
	return all
}

// appended returns a new slice.
func appended[T any](x []T, last T) []T { return append(x[:len(x):len(x)], last) }

// gradient returns the mean over all episodes of the policy gradient with weights psi, for a table
// of logits.
func (m mdp) gradient(z *mat.Dense, steps int, psi func(e episode) []float64) *mat.Dense {
	r, c := z.Dims()
	sum := mat.NewDense(r, c, nil)
	for _, e := range m.episodes(softmax(z), steps) {
		logits := mat.NewDense(len(e.states), c, nil)
		for t, s := range e.states {
			logits.SetRow(t, z.RawRowView(s))
		}
		g := rl.PolicyGradient(logits, e.actions, psi(e))
		for t, s := range e.states {
			floats.AddScaled(sum.RawRowView(s), e.p, g.RawRowView(t))
		}
	}
	return sum
}

// numericGradient returns the differences of the expected return of so many steps.
func (m mdp) numericGradient(z *mat.Dense, steps int) *mat.Dense {
	return numeric(func() (j float64) {
		for _, e := range m.episodes(softmax(z), steps) {
			j += e.p * rl.Returns(e.rewards, m.gamma)[0]
		}
		return j
	}, z)
}

// bandit returns the mean of f over the actions of a softmax.
func bandit(logits []float64, f func(a int) []float64) []float64 {
	return check.Mean(policy.LogSoftmax(logits, 1), f)
}

func TestPolicyGradient(t *testing.T) {
	rng := source(20)

	t.Run("it is the derivative of PolicyObjective", func(t *testing.T) {
		z, psi, actions := random(rng, 4, 3), random(rng, 1, 4).RawRowView(0), []int{1, 2, 0, 1}
		want := numeric(func() float64 { return rl.PolicyObjective(z, actions, psi) }, z)
		check.NearMatrix(t, "g", rl.PolicyGradient(z, actions, psi), want, numericBound)
	})

	// J = σ(z) for rewards 1 and 0 and logits (z, 0), so dJ/dz = σ(z)(1 − σ(z)) and the other
	// logit's is its negative.
	t.Run("of a two-armed bandit it is p(1−p)", func(t *testing.T) {
		for _, z := range []float64{-3, -0.5, 0, 1, 4} {
			g := bandit([]float64{z, 0}, func(a int) []float64 {
				return rl.PolicyGradient(
					mat.NewDense(1, 2, []float64{z, 0}), []int{a}, []float64{float64(1 - a)},
				).RawRowView(0)
			})
			p := 1 / (1 + math.Exp(-z))
			check.NearAll(t, "dJ/dz", g, []float64{p * (1 - p), -p * (1 - p)}, 16*u)
		}
	})

	t.Run("it pushes no row of logits as a whole", func(t *testing.T) {
		g := rl.PolicyGradient(random(rng, 3, 4), []int{0, 3, 3}, []float64{2, -1, 5})
		for n := range 3 {
			check.Near(t, "Σ_a g", floats.Sum(g.RawRowView(n)), 0, 5*16*u)
		}
	})
}

func TestReinforce(t *testing.T) {
	rng := source(21)
	nothing := func(e episode) []float64 { return make([]float64, len(e.states)) }
	const steps = 3

	// Every episode of three steps, weighted with its probability: ∇ Σ p G = Σ p ∇log p G, and
	// rewards before an action average out.
	t.Run("its mean over all episodes is the gradient of the expected return, for γ = 1", func(t *testing.T) {
		m, z := randomMDP(rng, 2, 2, 1), random(rng, 2, 2)
		got := m.gradient(z, steps, func(e episode) []float64 { return rl.Reinforce(e.rewards, nothing(e), 1) })
		check.NearMatrix(t, "∇J", got, m.numericGradient(z, steps), numericBound)
	})

	t.Run("for γ < 1 it is that only with weights of γ^t", func(t *testing.T) {
		m, z := randomMDP(rng, 2, 2, 0.5), random(rng, 2, 2)
		want := m.numericGradient(z, steps)
		with := m.gradient(z, steps, func(e episode) []float64 {
			return rl.ReinforceDiscounted(e.rewards, nothing(e), m.gamma)
		})
		check.NearMatrix(t, "∇J", with, want, numericBound)
		without := m.gradient(z, steps, func(e episode) []float64 {
			return rl.Reinforce(e.rewards, nothing(e), m.gamma)
		})
		if mat.EqualApprox(without, want, 1e-2) {
			t.Errorf("without γ^t it must not be the gradient %v, but is %v",
				mat.Formatted(want), mat.Formatted(without))
		}
	})

	// Σ_a π(a) ∇log π(a) b(s) = b(s) ∇ Σ_a π(a) = b(s) ∇1 = 0. There are 200 episodes of three
	// rows, each off by a few u·|b|.
	t.Run("a baseline of the state changes no mean", func(t *testing.T) {
		m, z, b := randomMDP(rng, 2, 2, 0.5), random(rng, 2, 2), []float64{7, -3}
		got := m.gradient(z, steps, func(e episode) []float64 {
			psi := nothing(e)
			for t, s := range e.states {
				psi[t] = b[s]
			}
			return psi
		})
		check.NearMatrix(t, "E[b ∇log π]", got, mat.NewDense(2, 2, nil), 200*3*7*u)
	})

	// Two actions alike likely, rewards r and r+1: the gradients ±½ψ have mean ¼ whatever b, and
	// E[g²] = ¼ E[ψ²]: with b = r + ½ it is 1/16, no variance at all.
	t.Run("but it can take all of the variance", func(t *testing.T) {
		const r = 100.0
		variance := func(b float64) (v float64) {
			for a := range 2 {
				psi := rl.Reinforce([]float64{r + float64(a)}, []float64{b}, 1)
				g := rl.PolicyGradient(mat.NewDense(1, 2, nil), []int{a}, psi).At(0, 1)
				v += g * g / 2
			}
			return v - 0.25*0.25
		}
		check.Near(t, "without", variance(0), (100*100+101*101)/8.-1/16., 0)
		check.Near(t, "with the mean", variance(r+0.5), 0, 0)
	})

	t.Run("there has to be a baseline for each reward", func(t *testing.T) {
		check.Panics(t, "rl: the samples of a batch differ in number", func() {
			rl.Reinforce([]float64{1, 2}, []float64{1}, 1)
		})
	})

	t.Run("the weights are what exceeds the baseline", func(t *testing.T) {
		check.NearAll(t, "ψ", rl.Reinforce([]float64{0, 0, 8}, []float64{1, 1, 1}, 0.5), []float64{1, 3, 7}, 0)
		check.NearAll(t, "ψ", rl.ReinforceDiscounted([]float64{0, 0, 8}, []float64{1, 1, 1}, 0.5),
			[]float64{1, 1.5, 1.75}, 0)
	})
}
