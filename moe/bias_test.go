package moe

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestBiasSign(t *testing.T) {
	t.Run("the fuller go down by the rate, the emptier up, the even stay", func(t *testing.T) {
		// The mean is 4.
		b := BiasSign([]float64{1, 1, 1, 1}, []int{9, 4, 0, 3}, 0.25)
		check.NearAll(t, "b", b, []float64{.75, 1, 1.25, 1.25}, 0)
	})
	t.Run("a mean between two whole numbers is met by no load", func(t *testing.T) {
		check.NearAll(t, "b", BiasSign([]float64{0, 0}, []int{1, 2}, 1), []float64{1, -1}, 0)
	})
	t.Run("signs need not sum to 0, so the sum of the bias moves", func(t *testing.T) {
		check.Near(t, "Σb", floats.Sum(BiasSign(make([]float64, 4), []int{13, 1, 1, 1}, 1)), 2, 0)
	})
	t.Run("of two experts the worse catches up by 2γ a step, and then they take turns", func(t *testing.T) {
		// All tokens have scores 24/32 and 9/32 and one expert. Expert 0 has them until b₂ − b₁ is
		// above 15/32, with 2γ = 2/32 for the first time after 8 steps; from then on the gap is
		// 16/32 and 14/32 in turn.
		b, scores := []float64{0, 0}, []float64{24. / 32, 9. / 32}
		for step := range 16 {
			chosen, load := TopK(BiasedScores(scores, b), 1)[0], []int{0, 0}
			want := 0
			if step >= 8 && step%2 == 0 {
				want = 1
			}
			same(t, "chosen", chosen, want)
			load[chosen] = 100
			b = BiasSign(b, load, 1./32)
			check.Near(t, "gap", b[1]-b[0], []float64{16, 14}[step%2^1]/32, max(0, float64(14-2*step))/32)
		}
	})
}

func TestBiasSignCentered(t *testing.T) {
	t.Run("the sum of the bias stays", rapid.MakeCheck(func(t *rapid.T) {
		load := rapid.SliceOfN(rapid.IntRange(0, 9), 8, 8).Draw(t, "load")
		b := BiasSignCentered(make([]float64, 8), load, 1)
		check.Near(t, "Σb", floats.Sum(b), 0, 64*u)
	}))
	t.Run("it chooses as the other does: the two differ by a constant", func(t *testing.T) {
		plain, centered := BiasSign(make([]float64, 4), []int{13, 1, 1, 1}, 1), BiasSignCentered(
			make([]float64, 4), []int{13, 1, 1, 1}, 1,
		)
		floats.Sub(plain, centered)
		check.NearAll(t, "difference", plain, slices.Repeat([]float64{.5}, 4), 0)
	})
}

func TestBiasProportional(t *testing.T) {
	t.Run("steps are as large as the load is off, in tokens, and sum to 0", func(t *testing.T) {
		b := BiasProportional([]float64{0, 0, 0, 0}, []int{9, 4, 0, 3}, 0.5)
		check.NearAll(t, "b", b, []float64{-2.5, 0, 2, .5}, 0)
		check.Near(t, "Σb", floats.Sum(b), 0, 0)
	})
	t.Run("signs times the rate are its own steps where all are one token off", func(t *testing.T) {
		load := []int{3, 5, 5, 3}
		check.NearAll(t, "b", BiasProportional(make([]float64, 4), load, 1), BiasSign(make([]float64, 4), load, 1), 0)
	})
	t.Run("a bias of another length is refused", func(t *testing.T) {
		check.Panics(t, "moe: lengths of scores and bias differ", func() {
			BiasProportional([]float64{0}, []int{1, 2}, 1)
		})
	})
}

func TestMaxVio(t *testing.T) {
	t.Run("even loads have 0", func(t *testing.T) { check.Near(t, "MaxVio", MaxVio([]int{7, 7, 7}), 0, 0) })
	t.Run("all tokens on the same K of N experts have N/K − 1", func(t *testing.T) {
		check.Near(t, "MaxVio", MaxVio(Loads([][]int{{0, 1}, {0, 1}, {1, 0}}, 16)), 16/2-1, 0)
	})
	t.Run("an expert of half more than the mean has one half", func(t *testing.T) {
		check.Near(t, "MaxVio", MaxVio([]int{6, 4, 2}), 0.5, 0)
	})
	t.Run("no load has none", func(t *testing.T) { check.NaN(t, "MaxVio", MaxVio([]int{0, 0})) })
}

func TestLeakageBound(t *testing.T) {
	t.Run("2 of 16 experts in 9 layers tell more than 50 bits", func(t *testing.T) {
		// 9 · 2 · log₂ 7.
		check.Near(t, "bits", 9*LeakageBound(2, 16), 50.53, 0.005)
	})
	t.Run("half of the experts tell nothing", func(t *testing.T) { check.Near(t, "bits", LeakageBound(4, 8), 0, 0) })
}
