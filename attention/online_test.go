package attention_test

import (
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
)

func TestOnline(t *testing.T) {
	// By induction o/l after a tile is the attention to the keys so far. The two share no
	// code for scores, mask, softmax or sums, so this checks both.
	t.Run("the tile recursion is the whole softmax, for every tile size", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			q, k, v, o := problem(t)
			tile := rapid.IntRange(1, 10).Draw(t, "tile")
			got, lse := attention.Online(q, k, v, tile, o)
			want, wantLSE := attention.Head(q, k, v, o)
			same(t, "out", got, want, 2*bound(8, 9))
			sameRow(t, "lse", lse, wantLSE, 2*bound(8, 9))
		})
	})

	// The first tile decides nothing: its scores are 1000 below the second's.
	t.Run("a later, larger score rescales what was there", func(t *testing.T) {
		q := mat.NewDense(1, 1, []float64{1})
		k := mat.NewDense(4, 1, []float64{-1000, -1000, 0, 0})
		v := mat.NewDense(4, 1, []float64{8, 8, 1, 3})
		out, lse := attention.Online(q, k, v, 2, attention.Options{})
		same(t, "out", out, mat.NewDense(1, 1, []float64{2}), 0)
		want := attention.LogSumExp([]float64{0, 0})
		sameRow(t, "lse", lse, []float64{want}, 0)
	})

	t.Run("scores below any finite start of the maximum count", func(t *testing.T) {
		q := mat.NewDense(1, 1, []float64{1})
		k := mat.NewDense(2, 1, []float64{-1e6, -1e6})
		out, _ := attention.Online(q, k, mat.NewDense(2, 1, []float64{1, 3}), 1, attention.Options{})
		same(t, "out", out, mat.NewDense(1, 1, []float64{2}), 0)
	})
}
