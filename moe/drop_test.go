package moe

import (
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestDeviceBudget(t *testing.T) {
	t.Run("a capacity factor of 1 is the mean load, and what is left is dropped", func(t *testing.T) {
		same(t, "budget", DeviceBudget(48, 8, 1), 6)
		same(t, "budget", DeviceBudget(50, 8, 1), 6)
		same(t, "budget", DeviceBudget(50, 8, 1.25), 7)
	})
}

func TestDropTokens(t *testing.T) {
	scores := mat.NewDense(3, 2, []float64{.5, .9, .3, .8, .4, .7})
	indices, device := [][]int{{0}, {0}, {0}}, []int{0, 0}

	t.Run("the lowest scores on a full device are dropped", func(t *testing.T) {
		same(t, "kept", DropTokens(scores, indices, device, 2, nil), [][]int{{0}, {-1}, {0}})
		same(t, "kept", DropTokens(scores, indices, device, 1, nil), [][]int{{0}, {-1}, {-1}})
		same(t, "kept", DropTokens(scores, indices, device, 0, nil), [][]int{{-1}, {-1}, {-1}})
	})
	t.Run("with room for all nothing is", func(t *testing.T) {
		same(t, "kept", DropTokens(scores, indices, device, 3, nil), indices)
	})
	t.Run("what is exempt stays, and takes room all the same", func(t *testing.T) {
		exempt := []bool{false, true, false}
		same(t, "kept", DropTokens(scores, indices, device, 2, exempt), [][]int{{0}, {0}, {-1}})
		same(t, "kept", DropTokens(scores, indices, device, 0, exempt), [][]int{{-1}, {0}, {-1}})
	})
	t.Run("the room is the device's, not the expert's", func(t *testing.T) {
		same(t, "kept", DropTokens(scores, [][]int{{0, 1}, {0, 1}, {0, 1}}, device, 3, nil),
			[][]int{{-1, 1}, {-1, 1}, {-1, 1}})
		same(t, "kept", DropTokens(scores, [][]int{{0, 1}, {0, 1}, {0, 1}}, []int{0, 1}, 2, nil),
			[][]int{{0, 1}, {-1, 1}, {0, -1}})
	})
	t.Run("of equal scores the earlier token stays", func(t *testing.T) {
		same(t, "kept", DropTokens(mat.NewDense(3, 1, []float64{1, 1, 1}), indices, []int{0}, 2, nil),
			[][]int{{0}, {0}, {-1}})
	})
	t.Run("no device is over its budget, and one below it loses nothing", rapid.MakeCheck(func(t *rapid.T) {
		scores, indices := routing(rapid.Uint64().Draw(t, "seed"), 8, 4, 2)
		budget := rapid.IntRange(0, 16).Draw(t, "budget")
		before, after := Loads(deviceIndices(indices, []int{0, 0, 1, 1}), 2), Loads(
			deviceIndices(DropTokens(scores, indices, []int{0, 0, 1, 1}, budget, nil), []int{0, 0, 1, 1}), 2,
		)
		for g := range after {
			same(t, "load", after[g], min(before[g], budget))
		}
	}))
	t.Run("what comes in is left as it is", func(t *testing.T) { same(t, "indices", indices, [][]int{{0}, {0}, {0}}) })
	t.Run("indices that are not one row per token are refused", func(t *testing.T) {
		check.Panics(t, "moe: tokens of scores and indices differ in number", func() {
			DropTokens(scores, indices[:1], device, 1, nil)
		})
	})
}
