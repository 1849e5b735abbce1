package moe

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// A router whose first experts suit most tokens: their centroids lie along the direction that all
// tokens share.
const (
	balanceTokens, balanceExperts, balanceTopK, balanceWidth = 256, 16, 2, 8
	balanceSteps                                             = 200
)

func skewedRouter() (u, e *mat.Dense) {
	u, e = random(1, balanceTokens, balanceWidth), random(2, balanceExperts, balanceWidth)
	for n := range balanceTokens {
		u.Set(n, 0, 1)
	}
	for i := range balanceExperts {
		e.Set(i, 0, 1-float64(i)/8)
	}
	return u, e
}

// balanceByBias returns MaxVio before each step of the bias, and after the last.
func balanceByBias(steps int, update func(bias []float64, load []int) []float64) (violation []float64) {
	u, e := skewedRouter()
	g := Gate{Score: SigmoidScores, TopK: balanceTopK, Normalize: true, Scale: 1}
	z, bias := Logits(u, e), make([]float64, balanceExperts)
	for range steps + 1 {
		indices, _ := g.RouteRows(z, bias)
		load := Loads(indices, balanceExperts)
		violation = append(violation, MaxVio(load))
		bias = update(bias, load)
	}
	return violation
}

// balanceBySign moves the bias by signs, in the last quarter of the steps by an eighth of the rate:
// what is left swings by the rate.
func balanceBySign(direction float64) (violation []float64) {
	step := 0
	return balanceByBias(balanceSteps, func(bias []float64, load []int) []float64 {
		rate := 0.004 * direction
		if step++; step > balanceSteps*3/4 {
			rate /= 8
		}
		return BiasSign(bias, load, rate)
	})
}

// balanceByLoss returns MaxVio before each step of the centroids down the balance loss, and after
// the last, and how far the scores have moved from what they were, in the root mean square.
func balanceByLoss(steps int, rate float64) (violation []float64, moved float64) {
	u, e := skewedRouter()
	first := ScoreRows(Logits(u, e), SigmoidScores)
	for range steps + 1 {
		z := Logits(u, e)
		scores := ScoreRows(z, SigmoidScores)
		indices := TopKRows(scores, balanceTopK)
		violation = append(violation, MaxVio(Loads(indices, balanceExperts)))
		ds := SequenceLossBackward(scores, indices, balanceTokens, 1)
		_, de := LogitsBackward(u, e, ScoreRowsBackward(z, ds, SigmoidScoresBackward))
		de.Scale(rate, de)
		e.Sub(e, de)
	}
	var change mat.Dense
	change.Sub(ScoreRows(Logits(u, e), SigmoidScores), first)
	return violation, mat.Norm(&change, 2) / math.Sqrt(balanceTokens*balanceExperts)
}

func TestBalancing(t *testing.T) {
	bySign := balanceBySign(1)
	byLoss, moved := balanceByLoss(balanceSteps, 3)
	t.Run("the router starts far from even, the same for both", func(t *testing.T) {
		check.Near(t, "start", bySign[0], byLoss[0], 0)
		if bySign[0] < 1 {
			t.Errorf("MaxVio %v", bySign[0])
		}
	})
	t.Run("the bias evens it out, below 0.1, and leaves every score alone", func(t *testing.T) {
		if last := bySign[balanceSteps]; last >= 0.1 {
			t.Errorf("MaxVio %v", last)
		}
	})
	t.Run("in proportion to the load it does as well", func(t *testing.T) {
		by := balanceByBias(balanceSteps, func(bias []float64, load []int) []float64 {
			return BiasProportional(bias, load, 4e-4)
		})
		if last := by[balanceSteps]; last >= 0.1 {
			t.Errorf("MaxVio %v", last)
		}
	})
	t.Run("with the sign reversed it gets worse", func(t *testing.T) {
		by := balanceBySign(-1)
		if first, last := by[0], by[balanceSteps]; last <= first+0.5 {
			t.Errorf("MaxVio %v, %v at the start", last, first)
		}
	})
	t.Run("the loss evens it out too, by moving the scores themselves", func(t *testing.T) {
		if last := byLoss[balanceSteps]; last >= 0.5*byLoss[0] || moved < 0.05 {
			t.Errorf("MaxVio %v, scores moved by %v", last, moved)
		}
		t.Logf("bias %.3f, loss %.3f, scores moved by %.3f", bySign[balanceSteps], byLoss[balanceSteps], moved)
	})
}
