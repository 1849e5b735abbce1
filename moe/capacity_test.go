package moe

import (
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestSwitch(t *testing.T) {
	t.Run("the capacity is the mean load times the factor, rounded up", func(t *testing.T) {
		same(t, "C", ExpertCapacity(64, 8, 1), 8)
		same(t, "C", ExpertCapacity(64, 8, 1.25), 10)
		same(t, "C", ExpertCapacity(65, 8, 1), 9)
	})
	t.Run("who comes after the room is taken is dropped, whatever the score", func(t *testing.T) {
		scores := mat.NewDense(3, 2, []float64{.6, .4, .7, .3, .9, .1})
		chosen, weights := SwitchRoute(scores, 2)
		same(t, "chosen", chosen, []int{0, 0, -1})
		check.NearAll(t, "g", weights, []float64{.6, .7, 0}, 0)
	})
	t.Run("room for all is the plain choice", func(t *testing.T) {
		scores, best := routing(1, 6, 4, 1)
		chosen, _ := SwitchRoute(scores, 6)
		for n := range best {
			same(t, "chosen", chosen[n], best[n][0])
		}
	})
}

func TestGShardRoute(t *testing.T) {
	scores := mat.NewDense(3, 3, []float64{.6, .2, .2, .5, .25, .25, .6, .1, .3})
	t.Run("with room and luck both are kept, and weights sum to 1", func(t *testing.T) {
		chosen, weights := GShardRoute(scores, 6, []float64{0, 0, 0})
		same(t, "chosen", chosen, [][]int{{0, 1}, {0, 1}, {0, 2}})
		for s, want := range [][]float64{{.75, .25}, {2. / 3, 1. / 3}, {2. / 3, 1. / 3}} {
			check.NearAll(t, "g", weights[s], want, 4*u)
		}
	})
	t.Run("the second is kept with probability 2 g2, its weight stays", func(t *testing.T) {
		// 2 g2 = 1/2 of the first token.
		for rnd, want := range map[float64]int{0.49: 1, 0.51: -1} {
			chosen, weights := GShardRoute(scores, 6, []float64{rnd, 0, 0})
			same(t, "second", chosen[0][1], want)
			check.Near(t, "g1", weights[0][0], .75, 2*u)
		}
	})
	t.Run("first choices come before all second ones", func(t *testing.T) {
		// Expert 1 has room for one: token 1, whose first choice it is, though token 0 comes first.
		scores := mat.NewDense(2, 2, []float64{.6, .4, .4, .6})
		chosen, _ := GShardRoute(scores, 1, []float64{0, 0})
		same(t, "chosen", chosen, [][]int{{0, -1}, {1, -1}})
	})
	t.Run("no expert is over its room", rapid.MakeCheck(func(t *rapid.T) {
		scores, _ := routing(rapid.Uint64().Draw(t, "seed"), 9, 4, 2)
		room := rapid.IntRange(0, 9).Draw(t, "C")
		chosen, weights := GShardRoute(scores, room, make([]float64, 9))
		for i, c := range Loads(chosen, 4) {
			if c > room {
				t.Errorf("expert %d has %d", i, c)
			}
		}
		for s := range chosen {
			for k, i := range chosen[s] {
				if (i < 0) != (weights[s][k] == 0) {
					t.Errorf("expert %d weighs %v", i, weights[s][k])
				}
			}
		}
	}))
}

func TestGShardLoss(t *testing.T) {
	t.Run("even first choices give 1/E²", func(t *testing.T) {
		check.Near(t, "L", GShardLoss(mat.NewDense(2, 2, []float64{.75, .25, .25, .75})), 0.25, 0)
	})
	t.Run("all on one of E with all scores give 1/E", func(t *testing.T) {
		check.Near(t, "L", GShardLoss(mat.NewDense(2, 4, []float64{1, 0, 0, 0, 1, 0, 0, 0})), 0.25, 0)
	})
}
