package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// again is one state that rewards 1 and comes back to itself with probability stay.
func again(stay float64) rl.Process {
	return rl.Process{
		P: []*mat.Dense{mat.NewDense(1, 1, []float64{stay})}, R: mat.NewDense(1, 1, []float64{1}), Start: []float64{1},
	}
}

// solveBound is what solving for a value of up to 64 with four states is off by.
const solveBound = 64 * 64 * u

func TestValues(t *testing.T) {
	only := func(states int) *mat.Dense {
		pi := mat.NewDense(states, 1, nil)
		for s := range states {
			pi.Set(s, 0, 1)
		}
		return pi
	}
	// 1 + γ + γ² + … = 1/(1−γ), and with an end 1/(1 − γ stay).
	t.Run("one state that rewards 1 for ever is worth 1/(1−γ)", func(t *testing.T) {
		check.NearAll(t, "V", again(1).Values(only(1), 0.75), []float64{4}, 0)
		check.NearAll(t, "V", again(0.5).Values(only(1), 0.5), []float64{4. / 3}, 2*u)
		check.NearAll(t, "V without a discount, with an end", again(0.5).Values(only(1), 1), []float64{2}, 0)
	})
	// The chance to leave on the right is linear in the position, with 0 and 1 at the ends.
	t.Run("the random walk is worth 1/6 to 5/6", func(t *testing.T) {
		check.NearAll(t, "V", walk(1).values(only(5)), []float64{1. / 6, 2. / 6, 3. / 6, 4. / 6, 5. / 6}, 16*u)
	})
	// V = Σ_l γ^l P^l r, summed until nothing is left of γ^l 0.9^l.
	t.Run("it is the sum of all rewards to come, discounted", func(t *testing.T) {
		m := randomMDP(source(70), 4, 3, 0.9)
		pi := softmax(random(source(71), 4, 3))
		v, now := make([]float64, 4), m.Bellman(make([]float64, 4), pi, 0) // the rewards of this step alone
		for range 300 {
			floats.Add(v, now)
			rewards := m.Bellman(make([]float64, 4), pi, 0)
			now = m.Bellman(now, pi, m.gamma)
			floats.Sub(now, rewards) // γ P now
		}
		check.NearAll(t, "V", m.values(pi), v, 300*16*u)
	})
	t.Run("where nothing ends and nothing is discounted there is none", func(t *testing.T) {
		check.Panics(t, "rl: the values have no limit: without a discount an episode has to end", func() {
			again(1).Values(only(1), 1)
		})
	})
}

func TestActionValuesAndAdvantages(t *testing.T) {
	m := randomMDP(source(72), 4, 3, 0.9)
	pi := softmax(random(source(73), 4, 3))
	v := m.values(pi)
	q := m.actionValues(v)
	a := rl.Advantages(q, v)
	t.Run("a state is worth what its actions are on average, and advantages are worth nothing", func(t *testing.T) {
		for s := range v {
			check.Near(t, "Σ π Q", floats.Dot(pi.RawRowView(s), q.RawRowView(s)), v[s], solveBound)
			check.Near(t, "Σ π A", floats.Dot(pi.RawRowView(s), a.RawRowView(s)), 0, solveBound)
		}
	})
	// A policy that takes action a in s alone, once, and π from then on: one more state, that leads
	// where a leads.
	t.Run("an action is worth its reward and what follows under the policy", func(t *testing.T) {
		for s := range 4 {
			for b := range 3 {
				sum := m.R.At(s, b)
				for next := range 4 {
					sum += m.gamma * m.P[b].At(s, next) * v[next]
				}
				check.Near(t, "Q", q.At(s, b), sum, 16*64*u)
				check.Near(t, "A", a.At(s, b), sum-v[s], 16*64*u)
			}
		}
	})
	t.Run("without a discount of the future it is the reward alone", func(t *testing.T) {
		check.NearMatrix(t, "Q", m.ActionValues(v, 0), m.R, 0)
	})
}

func TestBellman(t *testing.T) {
	m := randomMDP(source(74), 4, 3, 0.8)
	pi := softmax(random(source(75), 4, 3))
	v := m.values(pi)
	t.Run("the values of a policy are its fixed point", func(t *testing.T) {
		check.NearAll(t, "T V", m.Bellman(v, pi, m.gamma), v, solveBound)
	})
	t.Run("it brings any two nearer to each other by γ", func(t *testing.T) {
		x, y := random(source(76), 1, 4).RawRowView(0), random(source(77), 1, 4).RawRowView(0)
		for _, next := range []func(v []float64) []float64{
			func(v []float64) []float64 { return m.Bellman(v, pi, m.gamma) },
			func(v []float64) []float64 { return m.BellmanOptimal(v, m.gamma) },
		} {
			if d := floats.Distance(next(x), next(y), math.Inf(1)); !(d <= m.gamma*floats.Distance(x, y, math.Inf(1))) {
				t.Errorf("apart by %v", d)
			}
		}
	})
	// After k steps from 0 it is the return of the first k: V − T^k 0 = (γP)^k V.
	t.Run("from 0 on it comes to the values, and the best actions to no less than any policy's", func(t *testing.T) {
		some, best := make([]float64, 4), make([]float64, 4)
		for range 400 {
			some, best = m.Bellman(some, pi, m.gamma), m.BellmanOptimal(best, m.gamma)
		}
		check.NearAll(t, "V", some, v, solveBound)
		check.NearAll(t, "T V*", m.BellmanOptimal(best, m.gamma), best, solveBound)
		greedy, q := mat.NewDense(4, 3, nil), m.actionValues(best)
		for s := range 4 {
			greedy.Set(s, floats.MaxIdx(q.RawRowView(s)), 1)
			if best[s] < v[s] {
				t.Errorf("the best policy is worth %v in state %d, some other %v", best[s], s, v[s])
			}
		}
		check.NearAll(t, "V of the greedy policy", m.values(greedy), best, solveBound)
	})
	t.Run("for the random walk one step from the truth is the truth", func(t *testing.T) {
		v := []float64{1. / 6, 2. / 6, 3. / 6, 4. / 6, 5. / 6}
		check.NearAll(t, "T V", walk(1).BellmanOptimal(v, 1), v, 4*u)
	})
}

func TestVisits(t *testing.T) {
	t.Run("where nothing ends they sum to 1/(1−γ), and come to 1/(1 − stay) where something does", func(t *testing.T) {
		pi := mat.NewDense(1, 1, []float64{1})
		check.NearAll(t, "ρ", again(1).Visits(pi, 0.75), []float64{4}, 0)
		check.NearAll(t, "ρ", again(0.75).Visits(pi, 1), []float64{4}, 0)
	})
	// Σ_s ρ(s) r_π(s) counts each reward when it comes; Σ_s start(s) V(s) counts it where its
	// episode begins.
	t.Run("rewards at the visits are the return", func(t *testing.T) {
		m := randomMDP(source(78), 4, 3, 0.9)
		pi := softmax(random(source(79), 4, 3))
		rewards := m.Bellman(make([]float64, 4), pi, 0)
		check.Near(t, "η", m.Return(pi, m.gamma), floats.Dot(m.visits(pi), rewards), solveBound)
	})
}

func TestExpectedGradient(t *testing.T) {
	m := randomMDP(source(80), 4, 3, 1)
	z := random(source(81), 4, 3)
	advantages := func(gamma float64) *mat.Dense {
		v := m.Values(softmax(z), gamma)
		return rl.Advantages(m.ActionValues(v, gamma), v)
	}
	t.Run("with the advantages it is the gradient of the return, if nothing is discounted", func(t *testing.T) {
		want := numeric(func() float64 { return m.Return(softmax(z), 1) }, z)
		check.NearMatrix(t, "g", m.ExpectedGradient(softmax(z), advantages(1)), want, 10*numericBound)
	})
	t.Run("with a discount it is not: the return's gradient discounts the visits too", func(t *testing.T) {
		want := numeric(func() float64 { return m.Return(softmax(z), 0.8) }, z)
		got := m.ExpectedGradient(softmax(z), advantages(0.8))
		if mat.EqualApprox(got, want, 1e-2) {
			t.Error("the two must tell")
		}
		visits, once := m.Visits(softmax(z), 0.8), m.Visits(softmax(z), 1)
		got.Apply(func(s, _ int, g float64) float64 { return g * visits[s] / once[s] }, got)
		check.NearMatrix(t, "g", got, want, 10*numericBound)
	})
}

func TestGammaJustGap(t *testing.T) {
	const gamma = 0.8
	m := randomMDP(source(82), 4, 3, gamma)
	pi := softmax(random(source(83), 4, 3))
	v := m.Values(pi, gamma)
	q := m.ActionValues(v, gamma)
	none := mat.NewDense(4, 3, nil)
	// E[δ | s, a] = r(s, a) + γ Σ p V̂(s') − V̂(s).
	delta := func(values []float64) *mat.Dense { return rl.Advantages(m.ActionValues(values, gamma), values) }
	other := random(source(84), 1, 4).RawRowView(0)

	t.Run("Q, A, δ with the true values, and each less a baseline, are γ-just", func(t *testing.T) {
		for name, estimate := range map[string]*mat.Dense{
			"Q": q, "A": rl.Advantages(q, v), "δ": delta(v), "Q less a baseline": rl.Advantages(q, other),
		} {
			check.NearMatrix(t, name, m.GammaJustGap(pi, estimate, gamma), none, 16*solveBound)
		}
	})
	t.Run("δ with other values is not", func(t *testing.T) {
		if gap := m.GammaJustGap(pi, delta(other), gamma); mat.EqualApprox(gap, none, 1e-2) {
			t.Errorf("%v", gap)
		}
	})
	t.Run("nor is Q of another discount", func(t *testing.T) {
		w := m.Values(pi, 0.2)
		if gap := m.GammaJustGap(pi, m.ActionValues(w, 0.2), gamma); mat.EqualApprox(gap, none, 1e-2) {
			t.Errorf("%v", gap)
		}
	})
}

func TestProcessShapes(t *testing.T) {
	const bad = "rl: shapes of the process, the policy and the values do not fit"
	m := randomMDP(source(85), 3, 2, 0.9).Process
	pi, v := softmax(random(source(86), 3, 2)), make([]float64, 3)
	noStart, lacking, crooked, narrow, tall, wide := m, m, m, m, m, m
	tall.R, wide.R = mat.NewDense(4, 2, nil), mat.NewDense(3, 3, nil)
	noStart.Start = m.Start[1:]
	lacking.P = m.P[1:]
	crooked.P = []*mat.Dense{m.P[0], mat.NewDense(3, 2, nil)}
	narrow.P = []*mat.Dense{m.P[0], mat.NewDense(2, 3, nil)}
	for name, f := range map[string]func(){
		"states of the values":       func() { m.ActionValues(v[1:], 1) },
		"values of a step ahead":     func() { m.BellmanOptimal(append(v, 0), 1) },
		"states of a policy":         func() { m.Values(softmax(random(source(1), 2, 2)), 1) },
		"actions of a policy":        func() { m.Bellman(v, softmax(random(source(1), 3, 3)), 1) },
		"actions of the transitions": func() { lacking.Values(pi, 1) },
		"columns of the transitions": func() { crooked.Values(pi, 1) },
		"rows of the transitions":    func() { narrow.Values(pi, 1) },
		"states of the rewards":      func() { tall.ActionValues(v, 1) },
		"actions of the rewards":     func() { wide.ActionValues(v, 1) },
		"starts, visits":             func() { noStart.Visits(pi, 1) },
		"starts, return":             func() { noStart.Return(pi, 1) },
		"advantages":                 func() { rl.Advantages(m.R, v[1:]) },
		"weights, states":            func() { m.ExpectedGradient(pi, mat.NewDense(2, 2, nil)) },
		"weights, actions":           func() { m.ExpectedGradient(pi, mat.NewDense(3, 3, nil)) },
	} {
		t.Run("they have to agree: "+name, func(t *testing.T) { check.Panics(t, bad, f) })
	}
}
