package moe

import (
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestExpertChoice(t *testing.T) {
	t.Run("an expert has n c / e tokens", func(t *testing.T) {
		same(t, "k", ExpertChoiceCapacity(64, 16, 2), 8)
		same(t, "k", ExpertChoiceCapacity(10, 4, 1), 2)
	})
	t.Run("loads are even: MaxVio is 0", rapid.MakeCheck(func(t *rapid.T) {
		scores, _ := routing(rapid.Uint64().Draw(t, "seed"), 8, 4, 1)
		tokens, _ := ExpertChoice(scores, ExpertChoiceCapacity(8, 4, 1))
		load := make([]int, 4)
		for i := range tokens {
			load[i] = len(tokens[i])
		}
		check.Near(t, "MaxVio", MaxVio(load), 0, 0)
	}))
	scores := mat.NewDense(3, 2, []float64{.9, .8, .5, .7, .1, .2})
	t.Run("a token may have all experts, or none", func(t *testing.T) {
		tokens, gates := ExpertChoice(scores, 1)
		same(t, "tokens", tokens, [][]int{{0}, {0}})
		check.NearAll(t, "G", []float64{gates[0][0], gates[1][0]}, []float64{.9, .8}, 0)
	})
	t.Run("a later token takes an earlier one's place", func(t *testing.T) {
		first, _ := ExpertChoice(scores.Slice(0, 2, 0, 2), 1)
		later := mat.DenseCopyOf(scores)
		later.Set(2, 0, .95)
		second, _ := ExpertChoice(later, 1)
		same(t, "before", first[0], []int{0})
		same(t, "after", second[0], []int{2})
	})
	t.Run("outputs add up with the gates, a token without an expert has 0", func(t *testing.T) {
		tokens, gates := ExpertChoice(scores, 2)
		same(t, "tokens", tokens, [][]int{{0, 1}, {0, 1}})
		ones := mat.NewDense(2, 1, []float64{1, 10})
		y := ExpertChoiceOutput([]*mat.Dense{ones, ones}, tokens, gates, 3)
		check.NearMatrix(t, "y", y, mat.NewDense(3, 1, []float64{.9 + .8, 5 + 7, 0}), 4*u)
	})
}
