package rl

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	badProcess = "rl: shapes of the process, the policy and the values do not fit"
	endless    = "rl: the values have no limit: without a discount an episode has to end"
)

// Process is a Markov decision process that is known completely, so that what other functions
// estimate from steps can be solved for.
type Process struct {
	P     []*mat.Dense // [A] of [S × S]: how likely action a leads from s to s'; what a row lacks of 1 ends the episode
	R     *mat.Dense   // [S × A]: expected reward of a step, r_{t+1}
	Start []float64    // [S]: where an episode begins
}

// Values returns what each state is worth under a policy, by solving for it.
//
//	V^{π,γ}(s_t) = E[Σ_{l ≥ 0} γ^l r_{t+l}],  (1 − γ P_π) V = r_π
//
// pi is π, [S × A], gamma is γ; the result is [S]. The equations are Bellman's, whose one solution
// V is for γ < 1, and for γ = 1 if every episode ends. It implements GAE (4), its V^{π,γ}.
func (m Process) Values(pi mat.Matrix, gamma float64) []float64 {
	system, rewards := m.bellman(pi, gamma)
	return solve(system, rewards)
}

// ActionValues returns what each action is worth where the states it leads to are worth v.
//
//	Q^{π,γ}(s_t, a_t) = E[Σ_{l ≥ 0} γ^l r_{t+l}] = r(s, a) + γ Σ_{s'} p(s'|s, a) V^{π,γ}(s')
//
// v is [S], that of Values; the result is [S × A].
// It implements GAE (4), its Q^{π,γ}.
func (m Process) ActionValues(v []float64, gamma float64) *mat.Dense {
	m.check(len(v), len(m.P))
	q := mat.DenseCopyOf(m.R)
	for a, p := range m.P {
		for s := range v {
			q.Set(s, a, q.At(s, a)+gamma*floats.Dot(p.RawRowView(s), v))
		}
	}
	return q
}

// Advantages returns by how much each action is better than what its policy does on average.
//
//	A^{π,γ}(s, a) = Q^{π,γ}(s, a) − V^{π,γ}(s)
//
// q is [S × A], v is [S]; the result is [S × A]. Under the policy its mean is 0 in every state.
// It implements GAE (5).
func Advantages(q mat.Matrix, v []float64) *mat.Dense {
	rows, cols := q.Dims()
	if len(v) != rows {
		panic(badProcess)
	}
	advantage := mat.NewDense(rows, cols, nil)
	advantage.Apply(func(s, _ int, q float64) float64 { return q - v[s] }, q)
	return advantage
}

// Bellman returns what states are worth if those after them are worth v: one step of looking ahead.
//
//	(T_π v)(s) = Σ_a π(a|s) (r(s, a) + γ Σ_{s'} p(s'|s, a) v(s'))
//
// v is [S], pi is π, [S × A]; the result is [S]. Values is its fixed point, and each application
// brings any v nearer to it by γ. It implements Sutton and Barto (3.14), and (4.5) as an update.
func (m Process) Bellman(v []float64, pi mat.Matrix, gamma float64) []float64 {
	m.check(pi.Dims())
	q, next := m.ActionValues(v, gamma), make([]float64, len(v))
	for s := range next {
		next[s] = floats.Dot(mat.Row(nil, s, pi), q.RawRowView(s))
	}
	return next
}

// BellmanOptimal returns the same for the best action in each state.
//
//	(T v)(s) = max_a (r(s, a) + γ Σ_{s'} p(s'|s, a) v(s'))
//
// v is [S]; the result is [S]. Its fixed point is the worth of the best policy.
// It implements Sutton and Barto (3.19), and (4.10) as an update.
func (m Process) BellmanOptimal(v []float64, gamma float64) []float64 {
	q, next := m.ActionValues(v, gamma), make([]float64, len(v))
	for s := range next {
		next[s] = floats.Max(q.RawRowView(s))
	}
	return next
}

// Visits returns how often each state is visited in an episode, discounted.
//
//	ρ_π(s) = Σ_t γ^t P(s_t = s),  (1 − γ P_πᵀ) ρ = start
//
// pi is π, [S × A]; the result is [S].
// It implements TRPO section 2, its ρ_π (unnumbered).
func (m Process) Visits(pi mat.Matrix, gamma float64) []float64 {
	if len(m.Start) != m.states() {
		panic(badProcess)
	}
	system, _ := m.bellman(pi, gamma)
	return solve(system.T(), mat.NewVecDense(len(m.Start), m.Start))
}

// Return returns the expected discounted return of a policy.
//
//	η(π) = E[Σ_t γ^t r_t] = Σ_s start(s) V^{π,γ}(s)
//
// pi is π, [S × A].
// It implements TRPO section 2, its η (unnumbered).
func (m Process) Return(pi mat.Matrix, gamma float64) float64 {
	v := m.Values(pi, gamma)
	if len(m.Start) != len(v) {
		panic(badProcess)
	}
	return floats.Dot(m.Start, v)
}

// ExpectedGradient returns the policy gradient that weights of states and actions have on average,
// for the logits of a softmax policy. With the advantages A^{π,γ} it is g^γ.
//
//	g = E[Σ_t ψ(s_t, a_t) ∇ log π(a_t|s_t)],  g_sb = d(s) π(b|s) (ψ(s, b) − Σ_a π(a|s) ψ(s, a))
//
// pi is π and psi is ψ, [S × A]; the result is [S × A]. d(s) counts visits without a discount, as
// samples do, so that every episode has to end; γ acts in ψ alone. For γ < 1 it is not the gradient
// of the return: that has d discounted too, as in ReinforceDiscounted.
// It implements GAE (6), for the softmax.
func (m Process) ExpectedGradient(pi, psi mat.Matrix) *mat.Dense {
	m.check(pi.Dims())
	m.check(psi.Dims())
	g := mat.DenseCopyOf(psi)
	for s, visits := range m.Visits(pi, 1) {
		row, weights := g.RawRowView(s), mat.Row(nil, s, pi)
		mean := floats.Dot(weights, row)
		for b := range row {
			row[b] = visits * weights[b] * (row[b] - mean)
		}
	}
	return g
}

// GammaJustGap returns what an estimate of the advantage adds to g^γ on average; it is 0 for one
// that is γ-just.
//
//	E[Σ_t Â_t ∇ log π(a_t|s_t)] − E[Σ_t A^{π,γ}(s_t, a_t) ∇ log π(a_t|s_t)]
//
// pi is π and estimate is the mean of Â in each state after each action, [S × A]; so is the result.
// γ-just are Q, A and δ with the true V, and each of them less anything that does not depend on the
// action. With another V, δ is not: what follows is then worth something else. It implements GAE
// (7) and (8).
func (m Process) GammaJustGap(pi, estimate mat.Matrix, gamma float64) *mat.Dense {
	v := m.Values(pi, gamma)
	gap := m.ExpectedGradient(pi, estimate)
	gap.Sub(gap, m.ExpectedGradient(pi, Advantages(m.ActionValues(v, gamma), v)))
	return gap
}

// bellman returns 1 − γ P_π and r_π of a policy.
func (m Process) bellman(pi mat.Matrix, gamma float64) (*mat.Dense, *mat.VecDense) {
	m.check(pi.Dims())
	states, actions := pi.Dims()
	system, rewards := mat.NewDense(states, states, nil), mat.NewVecDense(states, nil)
	for s := range states {
		system.Set(s, s, 1)
		rewards.SetVec(s, floats.Dot(mat.Row(nil, s, pi), m.R.RawRowView(s)))
		for a := range actions {
			floats.AddScaled(system.RawRowView(s), -gamma*pi.At(s, a), m.P[a].RawRowView(s))
		}
	}
	return system, rewards
}

// states returns S.
func (m Process) states() int {
	states, _ := m.R.Dims()
	return states
}

// check panics unless there are so many states and actions, in all parts of the process.
func (m Process) check(states, actions int) {
	if r, c := m.R.Dims(); r != states || c != actions || len(m.P) != actions {
		panic(badProcess)
	}
	for _, p := range m.P {
		if r, c := p.Dims(); r != states || c != states {
			panic(badProcess)
		}
	}
}

// solve returns x of a x = b.
func solve(a mat.Matrix, b mat.Vector) []float64 {
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil {
		panic(endless)
	}
	return x.RawVector().Data
}
