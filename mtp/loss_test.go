package mtp_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// sure returns logits of depth k that leave no doubt of the tokens that it predicts.
func sure(tokens []int, rows, vocabulary, k int) *mat.Dense {
	logits := mat.NewDense(rows, vocabulary, nil)
	for i := range rows {
		if i+k+1 < len(tokens) {
			logits.Set(i, tokens[i+k+1], 1000) // e^−1000 is 0
		}
	}
	return logits
}

func TestDepthLoss(t *testing.T) {
	tokens := []int{3, 1, 4, 1, 5, 2, 6} // T+1 for T = 6

	// T−k terms of ln V, divided by T or by T−k.
	t.Run("knowing nothing costs ln V a token: (T−k)/T ln V as (24) is printed, ln V in frameworks",
		func(t *testing.T) {
			for k := 1; k <= 3; k++ {
				z := mat.NewDense(6, 8, nil)
				check.Near(t, "printed", mtp.DepthLoss(z, tokens, k), float64(6-k)/6*math.Log(8), 16*u)
				check.Near(t, "mean", mtp.DepthLossValid(z, tokens, k), math.Log(8), 16*u)
			}
		})
	t.Run("of DeepSeek-V3's vocabulary it is 11.769736", func(t *testing.T) {
		check.Near(t, "ln V", mtp.DepthLossValid(mat.NewDense(1, 129280, nil), []int{0, 1, 2}, 1), 11.769736, 5e-7)
	})
	t.Run("tokens decide how many rows count", func(t *testing.T) {
		z := matrix(1, 4, 8)
		for _, c := range []struct{ tokens, k, want int }{
			{4, 1, 2}, {5, 1, 3}, {6, 1, 4}, {9, 1, 4}, {5, 3, 1}, {5, 4, 0}, {5, 9, 0}, {0, 1, 0}, {5, 0, 4},
		} {
			got := mtp.Targets(z, make([]int, c.tokens), c.k)
			check.Near(t, fmt.Sprintf("%d tokens, depth %d", c.tokens, c.k), float64(got), float64(c.want), 0)
		}
	})
	t.Run("knowing everything costs nothing, at the depth that is meant and at no other", func(t *testing.T) {
		z := sure(tokens, 6, 8, 2)
		check.Near(t, "depth 2", mtp.DepthLoss(z, tokens, 2), 0, 0)
		for _, k := range []int{1, 3} { // labels shifted once too little, once too often
			check.Apart(t, "another depth", mtp.DepthLoss(z, tokens, k), 0, 100)
		}
	})
	t.Run("the divisors differ by T/(T−k): at T = 4096 and depth 1 by 1 in 4095", func(t *testing.T) {
		z, many := mat.NewDense(4096, 2, nil), make([]int, 4097)
		check.Near(t, "quotient", mtp.DepthLossValid(z, many, 1)/mtp.DepthLoss(z, many, 1), 4096./4095, 8*u)
	})
	t.Run("rows without a token to predict may hold anything", func(t *testing.T) {
		z := matrix(1, 6, 8)
		want := mtp.DepthLoss(z, tokens, 2)
		z.SetRow(5, check.Random(9, 8, 1e6))
		z.Set(4, 0, math.NaN())
		check.Near(t, "loss", mtp.DepthLoss(z, tokens, 2), want, 0)
	})
	t.Run("with nothing to predict the loss is 0, not 0/0", func(t *testing.T) {
		z := matrix(1, 2, 8)
		check.Near(t, "mean", mtp.DepthLossValid(z, tokens[:2], 1), 0, 0)
		check.Near(t, "printed", mtp.DepthLoss(z, tokens[:2], 1), 0, 0)
		check.Near(t, "gradient", mat.Norm(mtp.DepthLossValidBackward(z, tokens[:2], 1), 1), 0, 0)
		check.Near(t, "no rows", mtp.DepthLoss(&mat.Dense{}, tokens, 1), 0, 0)
	})
}

func TestDepthLossBackward(t *testing.T) {
	tokens, z := []int{3, 1, 4, 1, 5, 2, 6}, matrix(1, 6, 8)

	t.Run("it is the slope, with either divisor", func(t *testing.T) {
		for k := range 4 {
			printed := func() float64 { return mtp.DepthLoss(z, tokens, k) }
			mean := func() float64 { return mtp.DepthLossValid(z, tokens, k) }
			bound := check.DifferenceBound(3, 64)
			dprinted, dmean := mtp.DepthLossBackward(z, tokens, k), mtp.DepthLossValidBackward(z, tokens, k)
			check.NearAll(t, "printed", data(dprinted), check.Moved(printed, z.RawMatrix().Data), bound)
			check.NearAll(t, "mean", data(dmean), check.Moved(mean, z.RawMatrix().Data), bound)
		}
	})
	t.Run("each row sums to 0, and those that do not count are 0", func(t *testing.T) {
		dz := mtp.DepthLossBackward(z, tokens, 2)
		for i := range 6 {
			check.Near(t, "sum", floats.Sum(dz.RawRowView(i)), 0, 16*u)
			if i >= 4 {
				check.NearAll(t, "row", dz.RawRowView(i), make([]float64, 8), 0)
			}
		}
	})
	// p = 1/8: 7/8 of the target's pull is left, the others share it.
	t.Run("knowing nothing, by hand", func(t *testing.T) {
		dz := mtp.DepthLossBackward(mat.NewDense(2, 8, nil), []int{0, 0, 7}, 1)
		want := []float64{1. / 16, 1. / 16, 1. / 16, 1. / 16, 1. / 16, 1. / 16, 1. / 16, -7. / 16}
		check.NearAll(t, "dz", dz.RawRowView(0), want, 4*u)
	})
}

func TestLoss(t *testing.T) {
	t.Run("it is λ times the mean over the depths", func(t *testing.T) {
		check.Near(t, "L_MTP", mtp.Loss([]float64{1, 2, 6}, 0.5), 1.5, 4*u)
	})
	t.Run("with one depth it is λ L, and λ for each depth is not told from it", func(t *testing.T) {
		check.Near(t, "L_MTP", mtp.Loss([]float64{2}, 0.3), 0.6, 2*u)
	})
	t.Run("with two depths λ for each would be twice as much", func(t *testing.T) {
		check.Near(t, "L_MTP", mtp.Loss([]float64{2, 2}, 0.3), 0.6, 4*u)
		check.Apart(t, "λ Σ L", mtp.Loss([]float64{2, 2}, 0.3), 0.3*2+0.3*2, 0.5)
	})
	t.Run("without depths it is 0", func(t *testing.T) { check.Near(t, "L_MTP", mtp.Loss(nil, 0.3), 0, 0) })
	t.Run("it is linear: each depth pulls with λ/D", func(t *testing.T) {
		slopes := check.Gradient(func(l []float64) float64 { return mtp.Loss(l, 0.3) }, []float64{1, 2, 3})
		check.NearAll(t, "slopes", slopes, []float64{0.1, 0.1, 0.1}, check.DifferenceBound(1, 4))
	})
}
