package rl_test

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// # Policy gradient
//
// An episode τ is s_0, a_0, r_1, s_1, a_1, …; its return is G(τ) = r_1 + r_2 + … A policy with
// parameters θ has the expected return
//
//	J(θ) = E_τ[G(τ)]
//
// and the question is in which direction it grows, where nobody can differentiate the world. The
// world here has two states, then two more, then an end, and rewards that are drawn; parameters are
// the logits of two actions in each. All of its episodes can be listed. Williams 1992, and Sutton
// and Barto, chapter 13.
func TestDerivationPolicyGradient(t *testing.T) {
	rng := source(41)
	m, z := layered(rng, 1), random(rng, 4, 2)
	want := numeric(func() float64 { return m.eta(softmax(z)) }, z)

	// Starts and moves are the world's, actions are the policy's. Solving Bellman's equations for
	// the values of the states comes to the same number.
	//
	//	J(θ) = Σ_τ p_θ(τ) G(τ),  p_θ(τ) = p(s_0) Π_t π_θ(a_t|s_t) p(s_{t+1}|s_t, a_t)
	t.Run("the expected return is a sum over episodes: how likely, times what it brings", func(t *testing.T) {
		var sum float64
		for _, e := range m.episodes(softmax(z), 2) {
			sum += e.p * rl.Returns(e.rewards, 1)[0]
		}
		check.Near(t, "J", sum, m.Return(softmax(z), 1), 1000*u)
	})

	// In a sum of logarithms what does not depend on θ falls away: the world's probabilities, which
	// nobody knows. This is the whole trick.
	//
	//	∇p_θ(τ) = p_θ(τ) ∇log p_θ(τ) = p_θ(τ) Σ_t ∇log π_θ(a_t|s_t)
	t.Run("the gradient of a product is the product times the gradient of its logarithm", func(t *testing.T) {
		for i, e := range m.episodes(softmax(z), 2) {
			if e.p == 0 {
				continue
			}
			slope := numeric(func() float64 { return m.episodes(softmax(z), 2)[i].p }, z)
			score := m.scores(z, e, []float64{1, 1}[:len(e.states)])
			score.Scale(e.p, score)
			check.NearMatrix(t, "∇p", slope, score, numericBound)
		}
	})

	// A sum weighted with p_θ(τ) is a mean over episodes that the policy itself plays: play some,
	// and average. The world is sampled and not differentiated.
	//
	//	∇J = Σ_τ G(τ) ∇p_θ(τ) = E_τ[G(τ) Σ_t ∇log π_θ(a_t|s_t)]
	t.Run("so the gradient is a mean over episodes of return times score", func(t *testing.T) {
		got := m.gradient(z, 2, func(e episode) []float64 {
			g := rl.Returns(e.rewards, 1)[0]
			return []float64{g, g}[:len(e.rewards)]
		})
		check.NearMatrix(t, "∇J", got, want, numericBound)
	})

	// A reward that was paid before the action is a number when the action is drawn, and the mean
	// of a score is 0. What is left is the return to go G_t, and REINFORCE.
	//
	//	E[r_k ∇log π(a_t|s_t)] = 0 for k ≤ t
	//	∇J = E_τ[Σ_t G_t ∇log π(a_t|s_t)],  G_t = r_{t+1} + r_{t+2} + …
	t.Run("an action has no part in rewards before it, so the return to go will do", func(t *testing.T) {
		past := m.gradient(z, 2, func(e episode) []float64 { return []float64{0, e.rewards[0]}[:len(e.rewards)] })
		check.NearMatrix(t, "past", past, mat.NewDense(4, 2, nil), 1000*u)
		toGo := m.gradient(z, 2, func(e episode) []float64 {
			return rl.Reinforce(e.rewards, []float64{0, 0}[:len(e.rewards)], 1)
		})
		check.NearMatrix(t, "∇J", toGo, want, numericBound)
	})

	// Given s and a the mean of G_t is Q(s, a), and less V(s), which no action moves, it is the
	// advantage: the policy gradient theorem, with d(s) for how often s is visited.
	//
	//	∇J = Σ_s d(s) Σ_a ∇π(a|s) Q(s, a) = Σ_s d(s) Σ_a ∇π(a|s) A(s, a)
	//	A(s, a) = Q(s, a) − V(s)
	t.Run("the mean of the return to go is the value of the action, and less that of the state its advantage",
		func(t *testing.T) {
			pi := softmax(z)
			v := m.Values(pi, 1)
			q := m.ActionValues(v, 1)
			check.NearMatrix(t, "with Q", m.ExpectedGradient(pi, q), want, numericBound)
			check.NearMatrix(t, "with A", m.ExpectedGradient(pi, rl.Advantages(q, v)), want, numericBound)
		})

	// If the return is discounted, so are the visits: the action at t is worth γ^t of its return to
	// go. Code leaves that factor out, and what it then climbs is not the discounted return, nor in
	// general any other function (Nota and Thomas 2020).
	//
	//	∇J_γ = E_τ[Σ_t γ^t G_t ∇log π(a_t|s_t)],  G_t = r_{t+1} + γ r_{t+2} + …
	t.Run("but with a discount the usual weights, without γ^t, are not the return's gradient", func(t *testing.T) {
		m := mdp{m.Process, 0.5}
		discounted := numeric(func() float64 { return m.eta(softmax(z)) }, z)
		with := func(weights func(rewards, baseline []float64, gamma float64) []float64) *mat.Dense {
			return m.gradient(z, 2, func(e episode) []float64 {
				return weights(e.rewards, []float64{0, 0}[:len(e.rewards)], 0.5)
			})
		}
		check.NearMatrix(t, "with γ^t", with(rl.ReinforceDiscounted), discounted, numericBound)
		if without := with(rl.Reinforce); mat.EqualApprox(without, discounted, 0.02) {
			t.Errorf("without γ^t: %v, which is near %v", mat.Formatted(without), mat.Formatted(discounted))
		}
	})
}

// layered returns a process that leads from two states to two others, or ends, and ends there.
func layered(rng *rand.Rand, gamma float64) mdp {
	m := mdp{rl.Process{R: mat.NewDense(4, 2, nil), Start: []float64{0.75, 0.25, 0, 0}}, gamma}
	for a := range 2 {
		p := mat.NewDense(4, 4, nil)
		for s := range 4 {
			m.R.Set(s, a, 2*rng.Float64()-1)
		}
		for s := range 2 {
			p.Set(s, 2, rng.Float64()/2)
			p.Set(s, 3, rng.Float64()/2)
		}
		m.P = append(m.P, p)
	}
	return m
}

// scores returns Σ_t ψ_t ∇log π(a_t|s_t) of one episode, for a table of logits.
func (m mdp) scores(z *mat.Dense, e episode, psi []float64) *mat.Dense {
	sum, logits := mat.NewDense(4, 2, nil), mat.NewDense(len(e.states), 2, nil)
	for t, s := range e.states {
		logits.SetRow(t, z.RawRowView(s))
	}
	g := rl.PolicyGradient(logits, e.actions, psi)
	for t, s := range e.states {
		floats.Add(sum.RawRowView(s), g.RawRowView(t))
	}
	return sum
}
