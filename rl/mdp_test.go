package rl_test

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = check.U

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// random returns an [r × c] matrix of values in [−1, 1).
func random(rng *rand.Rand, r, c int) *mat.Dense {
	m := mat.NewDense(r, c, nil)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = 2*rng.Float64() - 1
	}
	return m
}

// numeric returns the central differences of f for every element of x, which it moves and puts back.
func numeric(f func() float64, x *mat.Dense) *mat.Dense {
	data := x.RawMatrix().Data
	start := append([]float64(nil), data...)
	gradient := check.Gradient(func(at []float64) float64 {
		copy(data, at)
		return f()
	}, start)
	copy(data, start)
	r, c := x.Dims()
	return mat.NewDense(r, c, gradient)
}

// numericBound is what central differences are off by with 32 roundings, and values and third derivatives up to 10.
var numericBound = check.DifferenceBound(10, 32)

// softmax returns the policy of a table of logits.
func softmax(z mat.Matrix) *mat.Dense {
	r, c := z.Dims()
	pi := mat.NewDense(r, c, nil)
	for s := range r {
		var sum float64
		for a := range c {
			sum += math.Exp(z.At(s, a))
		}
		for a := range c {
			pi.Set(s, a, math.Exp(z.At(s, a))/sum)
		}
	}
	return pi
}

// mdp is a small Markov decision process that is known completely, so that everything about it can be solved for.
type mdp struct {
	p     []*mat.Dense // [A] of [S × S]: how likely a leads from s to s'; what a row lacks of 1 ends the episode
	r     *mat.Dense   // [S × A]: reward
	start []float64    // [S]
	gamma float64
}

// randomMDP returns one whose every step ends the episode with probability 1/10.
func randomMDP(rng *rand.Rand, states, actions int, gamma float64) mdp {
	m := mdp{r: random(rng, states, actions), start: make([]float64, states), gamma: gamma}
	for range actions {
		p := mat.NewDense(states, states, nil)
		for s := range states {
			var sum float64
			for next := range states {
				p.Set(s, next, rng.Float64())
				sum += p.At(s, next)
			}
			for next := range states {
				p.Set(s, next, 0.9*p.At(s, next)/sum)
			}
		}
		m.p = append(m.p, p)
	}
	m.start[0], m.start[1] = 0.75, 0.25
	return m
}

// bellman returns 1 − γP of a policy, and its expected rewards.
func (m mdp) bellman(pi mat.Matrix) (*mat.Dense, *mat.VecDense) {
	states, actions := pi.Dims()
	system, rewards := mat.NewDense(states, states, nil), mat.NewVecDense(states, nil)
	for s := range states {
		system.Set(s, s, 1)
		for a := range actions {
			rewards.SetVec(s, rewards.AtVec(s)+pi.At(s, a)*m.r.At(s, a))
			for next := range states {
				system.Set(s, next, system.At(s, next)-m.gamma*pi.At(s, a)*m.p[a].At(s, next))
			}
		}
	}
	return system, rewards
}

// solve returns x of a x = b.
func solve(a mat.Matrix, b mat.Vector) []float64 {
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil {
		panic(err)
	}
	return x.RawVector().Data
}

// values returns V of a policy: V = r + γ P V.
func (m mdp) values(pi mat.Matrix) []float64 { return solve(m.bellman(pi)) }

// actionValues returns Q(s, a) = r + γ Σ p V(s').
func (m mdp) actionValues(v []float64) *mat.Dense {
	q := mat.DenseCopyOf(m.r)
	for a, p := range m.p {
		var next mat.VecDense
		next.MulVec(p, mat.NewVecDense(len(v), v))
		for s := range v {
			q.Set(s, a, q.At(s, a)+m.gamma*next.AtVec(s))
		}
	}
	return q
}

// advantages returns A = Q − V of a policy.
func (m mdp) advantages(pi mat.Matrix) *mat.Dense {
	v := m.values(pi)
	q := m.actionValues(v)
	q.Apply(func(s, _ int, q float64) float64 { return q - v[s] }, q)
	return q
}

// visits returns ρ of a policy: ρ = start + γ Pᵀ ρ.
func (m mdp) visits(pi mat.Matrix) []float64 {
	system, _ := m.bellman(pi)
	return solve(system.T(), mat.NewVecDense(len(m.start), m.start))
}

// eta returns the expected return of a policy.
func (m mdp) eta(pi mat.Matrix) float64 {
	return mat.Dot(mat.NewVecDense(len(m.start), m.start), mat.NewVecDense(len(m.start), m.values(pi)))
}

// walk is the random walk of Sutton and Barto, example 6.2, as a process with one action: five states in a row, left or right with
// probability ½ each, an end beyond both, and a reward for leaving on the right only.
func walk(reward float64) mdp {
	p := mat.NewDense(5, 5, nil)
	for s := range 4 {
		p.Set(s, s+1, 0.5)
		p.Set(s+1, s, 0.5)
	}
	return mdp{p: []*mat.Dense{p}, r: mat.NewDense(5, 1, []float64{0, 0, 0, 0, reward / 2}), start: []float64{0, 0, 1, 0, 0}, gamma: 1}
}
