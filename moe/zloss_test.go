package moe

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

func TestZLoss(t *testing.T) {
	t.Run("logits of 0 give log²N", func(t *testing.T) {
		check.Near(t, "L", ZLoss(mat.NewDense(3, 8, nil)), math.Log(8)*math.Log(8), 8*u)
	})
	t.Run("it is the mean over tokens of squares, not the square of a mean", func(t *testing.T) {
		// One expert: lse is the logit itself. (3² + 1²)/2 = 5, where (2)² = 4.
		check.Near(t, "L", ZLoss(mat.NewDense(2, 1, []float64{3, -1})), 5, 0)
	})
	t.Run("it neither overflows nor vanishes", func(t *testing.T) {
		check.Near(t, "L", ZLoss(mat.NewDense(1, 2, []float64{1000, 0})), 1e6, 0)
		check.Near(t, "L", ZLoss(mat.NewDense(1, 1, []float64{-1000})), 1e6, 0)
	})
	t.Run("where exponentials sum to 1 it is 0 and stands still", func(t *testing.T) {
		z := mat.NewDense(1, 2, []float64{-math.Ln2, -math.Ln2})
		check.Near(t, "L", ZLoss(z), 0, 0)
		check.NearMatrix(t, "dz", ZLossBackward(z), mat.NewDense(1, 2, nil), 0)
	})
	t.Run("its gradient is the slope", func(t *testing.T) {
		slope(t, "dz", ZLossBackward(random(1, 3, 5)), func(z *mat.Dense) float64 { return ZLoss(z) }, random(1, 3, 5))
	})
}
