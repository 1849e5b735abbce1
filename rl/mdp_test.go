package rl_test

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
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

// numeric returns the central differences of f for every element of x, which it moves and puts
// back.
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

// numericBound is what central differences are off by with 32 roundings, and values and third
// derivatives up to 10.
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

// mdp is a small Markov decision process that is known completely, with its discount.
type mdp struct {
	rl.Process
	gamma float64
}

// randomMDP returns one whose every step ends the episode with probability 1/10.
func randomMDP(rng *rand.Rand, states, actions int, gamma float64) mdp {
	m := mdp{rl.Process{R: random(rng, states, actions), Start: make([]float64, states)}, gamma}
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
		m.P = append(m.P, p)
	}
	m.Start[0], m.Start[1] = 0.75, 0.25
	return m
}

func (m mdp) values(pi mat.Matrix) []float64      { return m.Values(pi, m.gamma) }
func (m mdp) actionValues(v []float64) *mat.Dense { return m.ActionValues(v, m.gamma) }
func (m mdp) visits(pi mat.Matrix) []float64      { return m.Visits(pi, m.gamma) }
func (m mdp) eta(pi mat.Matrix) float64           { return m.Return(pi, m.gamma) }
func (m mdp) advantages(pi mat.Matrix) *mat.Dense {
	v := m.values(pi)
	return rl.Advantages(m.actionValues(v), v)
}

// walk is the random walk of Sutton and Barto, example 6.2, as a process with one action: five
// states in a row, left or right with probability ½ each, an end beyond both, and a reward for
// leaving on the right only.
func walk(reward float64) mdp {
	p := mat.NewDense(5, 5, nil)
	for s := range 4 {
		p.Set(s, s+1, 0.5)
		p.Set(s+1, s, 0.5)
	}
	r := mat.NewDense(5, 1, []float64{0, 0, 0, 0, reward / 2})
	return mdp{rl.Process{P: []*mat.Dense{p}, R: r, Start: []float64{0, 0, 1, 0, 0}}, 1}
}
