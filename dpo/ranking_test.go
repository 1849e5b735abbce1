package dpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestPlackettLuce(t *testing.T) {
	t.Run("over all rankings it sums to one", func(t *testing.T) {
		r, sum := []float64{0.3, -1.2, 2, 0.7}, 0.0
		for _, tau := range permutations(4) {
			sum += math.Exp(PlackettLuce(r, tau))
		}
		check.Near(t, "Σ p", sum, 1, 24*16*u)
	})
	t.Run("equal rewards give every ranking 1/K!", func(t *testing.T) {
		for _, tau := range permutations(5) {
			check.Near(t, "log p", PlackettLuce([]float64{2, 2, 2, 2, 2}, tau), -math.Log(120), 20*4*u)
		}
	})
	t.Run("two responses are a preference", rapid.MakeCheck(func(t *rapid.T) {
		r := []float64{rapid.Float64Range(-20, 20).Draw(t, "r_1"), rapid.Float64Range(-20, 20).Draw(t, "r_2")}
		check.Near(t, "log p", PlackettLuce(r, []int{1, 0}), math.Log(Preference(r[1], r[0])), 200*u)
	}))
	t.Run("a constant on all rewards changes nothing", func(t *testing.T) {
		r := []float64{0.25, -1.5, 2}
		check.Near(t, "log p", PlackettLuce([]float64{64.25, 62.5, 66}, []int{2, 0, 1}),
			PlackettLuce(r, []int{2, 0, 1}), 66*8*u)
	})
	t.Run("of all rankings the one by reward is the likeliest", func(t *testing.T) {
		r := []float64{0.3, -1.2, 2, 0.7}
		best := PlackettLuce(r, []int{2, 3, 0, 1})
		for _, tau := range permutations(4) {
			if PlackettLuce(r, tau) > best {
				t.Errorf("%v is likelier", tau)
			}
		}
	})
	t.Run("rewards of a thousand are finite", func(t *testing.T) {
		check.Near(t, "log p", PlackettLuce([]float64{-1000, 0, 1000}, []int{0, 1, 2}), -3000, 0)
	})
	t.Run("what is no ranking is refused", func(t *testing.T) {
		for _, tau := range [][]int{{0, 1}, {0, 0, 1}, {0, 1, 3}, {0, -1, 2}, {0, 1, 2, 2}, nil} {
			check.Panics(t, badRanking, func() { PlackettLuce([]float64{1, 2, 3}, tau) })
		}
	})
}

func TestPlackettLuceLoss(t *testing.T) {
	t.Run("at the reference it is ln K!", func(t *testing.T) {
		loss, _ := PlackettLuceLoss(make([]float64, 4), []int{3, 1, 0, 2}, 0.1)
		check.Near(t, "loss", loss, math.Log(24), 16*u)
	})
	t.Run("it is minus the logarithm of the ranking's probability under the implicit rewards", func(t *testing.T) {
		loss, _ := PlackettLuceLoss([]float64{1, -2, 3}, []int{1, 2, 0}, 0.5)
		check.Near(t, "loss", loss, -PlackettLuce([]float64{0.5, -1, 1.5}, []int{1, 2, 0}), 8*u)
	})
	t.Run("two responses are DPO's pair, value and gradient", rapid.MakeCheck(func(t *rapid.T) {
		w, l := rapid.Float64Range(-20, 20).Draw(t, "w"), rapid.Float64Range(-20, 20).Draw(t, "l")
		loss, d := PlackettLuceLoss([]float64{w, l}, []int{0, 1}, 0.5)
		want, dh := SigmoidLoss(w-l, 0.5, 0)
		check.Near(t, "loss", loss, want, 100*u)
		check.NearAll(t, "gradient", d, []float64{dh, -dh}, 100*u)
	}))
	t.Run("its gradient is the gradient, and sums to zero", func(t *testing.T) {
		x, tau := check.Random(5, 5, 3), []int{4, 0, 3, 1, 2}
		_, d := PlackettLuceLoss(x, tau, 0.7)
		loss := func(x []float64) float64 { l, _ := PlackettLuceLoss(x, tau, 0.7); return l }
		check.NearAll(t, "gradient", check.Gradient(loss, x), d, check.DifferenceBound(20, 4))
		check.Near(t, "Σ", floats.Sum(d), 0, 5*8*u)
	})
	t.Run("log-ratios of a thousand are finite", func(t *testing.T) {
		loss, d := PlackettLuceLoss([]float64{-1000, 0, 1000}, []int{0, 1, 2}, 1)
		check.Near(t, "loss", loss, 3000, 0)
		check.NearAll(t, "gradient", d, []float64{-1, -1, 2}, 0)
	})
}

// −log p = log(1 + e^{−40}) = e^{−40} to first order, and β (1 − p) likewise: 1 + e^{−40} is 1 in
// float64.
func TestCertainRanking(t *testing.T) {
	rest := math.Exp(-40)
	t.Run("a ranking that is all but certain has a loss and a gradient", func(t *testing.T) {
		loss, d := PlackettLuceLoss([]float64{20, -20}, []int{0, 1}, 1)
		check.Near(t, "loss", loss, rest, 4*check.U*rest)
		check.NearAll(t, "gradient", d, []float64{-rest, rest}, 4*check.U*rest)
		check.Near(t, "log p", PlackettLuce([]float64{20, -20}, []int{0, 1}), -rest, 4*check.U*rest)
	})
}
