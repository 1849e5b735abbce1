package moe

import (
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// drawn returns indices of distinct experts, with some padding.
func drawn(t *rapid.T, experts, k int) [][]int {
	ids := make([]int, experts)
	for i := range ids {
		ids[i] = i
	}
	indices := make([][]int, rapid.IntRange(1, 8).Draw(t, "tokens"))
	for n := range indices {
		indices[n] = rapid.Permutation(ids).Draw(t, "experts")[:k:k]
		if rapid.Bool().Draw(t, "padding") {
			indices[n][k-1] = -1
		}
	}
	return indices
}

func TestDispatch(t *testing.T) {
	t.Run("pairs are sorted by expert, those of one expert by token", func(t *testing.T) {
		// Pairs are numbered 0 1 | 2 3 | 4 5.
		order, counts := Dispatch([][]int{{2, 0}, {0, 2}, {3, 0}}, 4)
		same(t, "order", order, []int{1, 2, 5, 0, 3, 4})
		same(t, "counts", counts, []int{3, 0, 2, 1})
	})
	t.Run("ids below 0 are in neither", func(t *testing.T) {
		order, counts := Dispatch([][]int{{1, -1}, {-1, -1}, {-3, 0}}, 2)
		same(t, "order", order, []int{5, 0})
		same(t, "counts", counts, []int{1, 1})
	})
	t.Run("no tokens are no rows", func(t *testing.T) {
		order, counts := Dispatch(nil, 2)
		same(t, "order", order, []int{})
		same(t, "counts", counts, []int{0, 0})
	})
	t.Run("each pair is sent once, to its own expert, and the sort is stable", rapid.MakeCheck(func(t *rapid.T) {
		indices := drawn(t, 5, 3)
		order, counts := Dispatch(indices, 5)
		j := 0
		for i, count := range counts {
			for c := range count {
				same(t, "expert", indices[order[j]/3][order[j]%3], i)
				if c > 0 && order[j] <= order[j-1] {
					t.Errorf("pair %d before %d", order[j-1], order[j])
				}
				j++
			}
		}
		same(t, "rows", j, len(order))
	}))
}

func TestInverseOrder(t *testing.T) {
	t.Run("order and its inverse are the identity", rapid.MakeCheck(func(t *rapid.T) {
		indices := drawn(t, 5, 3)
		order, _ := Dispatch(indices, 5)
		at := InverseOrder(order, 3*len(indices))
		for p, j := range at {
			switch {
			case j >= 0:
				same(t, "pair", order[j], p)
			case indices[p/3][p%3] >= 0:
				t.Errorf("pair %d was not sent", p)
			}
		}
	}))
}

func TestCombine(t *testing.T) {
	t.Run("behind dispatch, with experts that do nothing, weights of sum 1 give the tokens back", rapid.MakeCheck(
		func(t *rapid.T) {
			// Quarters of integers, so to the bit.
			x := mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6})
			ids := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "experts")
			indices := [][]int{ids[:3:3], ids[1:4:4], {ids[3], ids[0], ids[1]}}
			order, _ := Dispatch(indices, 4)
			weights := [][]float64{{.25, .5, .25}, {.5, .25, .25}, {.25, .25, .5}}
			check.NearMatrix(t, "y", Combine(DispatchRows(x, order, 3), order, weights), x, 0)
		}))
	t.Run("with one expert per token combine after dispatch is the identity permutation", rapid.MakeCheck(
		func(t *rapid.T) {
			n := rapid.IntRange(1, 9).Draw(t, "tokens")
			x, indices, ones := random(uint64(n), n, 3), make([][]int, n), make([][]float64, n)
			for i := range indices {
				indices[i], ones[i] = []int{rapid.IntRange(0, 4).Draw(t, "expert")}, []float64{1}
			}
			order, _ := Dispatch(indices, 5)
			check.NearMatrix(t, "y", Combine(DispatchRows(x, order, 1), order, ones), x, 0)
		}))
	t.Run("what was not sent adds nothing, whatever it weighs", func(t *testing.T) {
		order, _ := Dispatch([][]int{{0, -1}, {-1, -1}}, 1)
		y := Combine(mat.NewDense(1, 2, []float64{3, 4}), order, [][]float64{{2, 9}, {9, 9}})
		check.NearMatrix(t, "y", y, mat.NewDense(2, 2, []float64{6, 8, 0, 0}), 0)
	})
	t.Run("weights of a token are those of its own pairs", func(t *testing.T) {
		// Rows 1, 10, 100, 1000 in the order of experts; token 0 has experts 1 and 0.
		order, _ := Dispatch([][]int{{1, 0}, {0, 1}}, 2)
		y := Combine(mat.NewDense(4, 1, []float64{1, 10, 100, 1000}), order, [][]float64{{2, 3}, {5, 7}})
		check.NearMatrix(t, "y", y, mat.NewDense(2, 1, []float64{203, 7050}), 0)
	})
}

func TestDispatchRows(t *testing.T) {
	t.Run("rows are those of the tokens", func(t *testing.T) {
		r := DispatchRows(mat.NewDense(2, 1, []float64{7, 8}), []int{3, 0, 2}, 2)
		check.NearMatrix(t, "r", r, mat.NewDense(3, 1, []float64{8, 7, 8}), 0)
	})
	t.Run("nothing that is sent is an empty matrix", func(t *testing.T) {
		if !DispatchRows(random(1, 2, 2), nil, 2).IsEmpty() {
			t.Error("not empty")
		}
	})
}

func TestCombineBackward(t *testing.T) {
	indices := [][]int{{2, 0}, {0, -1}, {1, 2}}
	order, _ := Dispatch(indices, 3)
	x, dy := random(2, 3, 4), random(3, 3, 4)
	weights := [][]float64{{.5, .75}, {-.5, 9}, {.25, 1}}
	rows := DispatchRows(x, order, 2)
	drows, dweights := CombineBackward(rows, order, weights, dy)
	loss := func(rows mat.Matrix, weights [][]float64) float64 {
		return floats.Dot(data(dy), data(Combine(rows, order, weights)))
	}
	t.Run("it is the slope for the rows", func(t *testing.T) {
		slope(t, "dr", drows, func(r *mat.Dense) float64 { return loss(r, weights) }, rows)
	})
	t.Run("it is the slope for the weights, 0 for what was not sent", func(t *testing.T) {
		pack := func(w []float64) [][]float64 { return [][]float64{w[:2], w[2:4], w[4:]} }
		got := mat.NewDense(3, 2, []float64{
			dweights[0][0], dweights[0][1], dweights[1][0], dweights[1][1], dweights[2][0], dweights[2][1],
		})
		slope(t, "dg", got, func(w *mat.Dense) float64 { return loss(rows, pack(data(w))) }, check.Matrix(weights...))
		check.Near(t, "dg", dweights[1][1], 0, 0)
	})
	t.Run("DispatchRowsBackward is the slope for the tokens", func(t *testing.T) {
		slope(t, "dx", DispatchRowsBackward(drows, order, 3, 2),
			func(x *mat.Dense) float64 { return loss(DispatchRows(x, order, 2), weights) }, x)
	})
}
