package rl_test

import (
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"plumbline/internal/check"
	"plumbline/rl"
)

func TestReturns(t *testing.T) {
	// 1 + ½ (1 + ½ (1 + …)) over n steps: Σ_{k<n} 2^{−k} = 2 − 2^{1−n}; no rounding.
	t.Run("rewards of 1 at γ = ½ add up to 2 − 2^{1−n}, for n steps to go", func(t *testing.T) {
		check.NearAll(t, "G", rl.Returns([]float64{1, 1, 1, 1}, 0.5), []float64{1.875, 1.75, 1.5, 1}, 0)
	})

	t.Run("one reward at the end reaches back by γ^k", func(t *testing.T) {
		check.NearAll(t, "G", rl.Returns([]float64{0, 0, 0, 8}, 0.5), []float64{1, 2, 4, 8}, 0)
	})

	t.Run("γ = 0 is each reward alone, γ = 1 the sum of what is left", func(t *testing.T) {
		check.NearAll(t, "G", rl.Returns([]float64{1, -2, 3}, 0), []float64{1, -2, 3}, 0)
		check.NearAll(t, "G", rl.Returns([]float64{1, -2, 3}, 1), []float64{2, 1, 3}, 0)
	})

	// Cutting after two of four steps: appending the value of the state reached gives back the
	// first two returns.
	t.Run("an episode that is cut off goes on with the value of where it was cut", func(t *testing.T) {
		whole := rl.Returns([]float64{1, 2, 3, 4}, 0.5)
		cut := rl.Returns([]float64{1, 2, whole[2]}, 0.5)
		check.NearAll(t, "G", cut[:2], whole[:2], 0)
		if ended := rl.Returns([]float64{1, 2}, 0.5); ended[0] == whole[0] {
			t.Error("taking the cut for an end must lose what follows")
		}
	})

	// V_n = r + γ P V_{n−1}, from V_0 = 0: what n steps are worth, without enumerating them.
	t.Run("their mean over all episodes of four steps is the value of four steps", func(t *testing.T) {
		m := randomMDP(source(50), 2, 2, 0.5)
		pi := softmax(random(source(51), 2, 2))
		var mean float64
		for _, e := range m.episodes(pi, 4) {
			mean += e.p * rl.Returns(e.rewards, m.gamma)[0]
		}
		v := make([]float64, 2)
		for range 4 {
			q := m.actionValues(v)
			for s := range v {
				v[s] = pi.At(s, 0)*q.At(s, 0) + pi.At(s, 1)*q.At(s, 1)
			}
		}
		check.Near(t, "E[G]", mean, floats.Dot(m.Start, v), 1000*8*u) // some 1000 episodes
	})

	t.Run("no steps have no returns", func(t *testing.T) {
		check.NearAll(t, "G", rl.Returns(nil, 0.5), nil, 0)
	})
}

func TestMonteCarlo(t *testing.T) {
	// v_n = v_{n−1} + (g_n − v_{n−1})/n = ((n−1) v_{n−1} + g_n)/n. Each of n steps makes three
	// roundings of at most 2u·max|g|, and damps those before.
	t.Run("α = 1/n gives the mean of n returns, whatever the value before the first", func(t *testing.T) {
		returns := []float64{3, -1, 4, 1, -5, 9, 2, 6}
		v := 100.0
		for n, g := range returns {
			v = rl.MonteCarlo(v, g, 1/float64(n+1))
		}
		check.Near(t, "V", v, stat.Mean(returns, nil), 8*3*2*9*u)
	})

	// v_n − g = (1−α)(v_{n−1} − g): at α = ½ and powers of two exactly.
	t.Run("a constant α forgets by 1 − α", func(t *testing.T) {
		v := 16.0
		for _, want := range []float64{8, 4, 2, 1} {
			v = rl.MonteCarlo(v, 0, 0.5)
			check.Near(t, "V", v, want, 0)
		}
	})
}
