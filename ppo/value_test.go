package ppo_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

func TestValueLoss(t *testing.T) {
	t.Run("it is half the square, with the error as derivative", func(t *testing.T) {
		check.Both(t, "V = 3, R = 1", func() (float64, float64) { return ppo.ValueLoss(3, 1) }, 2, 2, 0)
		check.Both(t, "V = R", func() (float64, float64) { return ppo.ValueLoss(3, 3) }, 0, 0, 0)
	})
	// (9) has the whole square: c₁ of the paper is c₁/2 with half the square.
	t.Run("with c₁ = 2 it is the paper's squared error with c₁ = 1", func(t *testing.T) {
		loss, _ := ppo.ValueLoss(3, 0.5)
		check.Near(t, "c₁ L", ppo.Combined(0, loss, 0, 2, 0), (3-0.5)*(3-0.5), 0)
	})
}

func TestValueLossClipped(t *testing.T) {
	t.Run("what it keeps and what it cuts, for V_old = 0 and c = ¼", func(t *testing.T) {
		for _, c := range []struct {
			name                   string
			value, ret, loss, dval float64
		}{
			{"inside the clip: as without", 0.125, 1.125, 0.5, -1},
			{"on its boundary: as without", 0.25, 1.25, 0.5, -1},
			{"moved towards the return beyond the clip: no more to gain", 0.75, 1.25, 0.5, 0},
			{"moved away from the return: as without", 0.75, -0.25, 0.5, 1},
			{"moved past the return, and further than the clip is short of it: as without", 1, 0.5, 0.125, 0.5},
			{
				"as far past the return as the clip is short of it: the derivative without clip", 0.75, 0.5, 0.03125,
				0.25,
			},
			{"the same below", -0.75, -1.25, 0.5, 0},
		} {
			check.Both(t, c.name, func() (float64, float64) {
				return ppo.ValueLossClipped(c.value, 0, c.ret, 0.25)
			}, c.loss, c.dval, 0)
		}
	})
	t.Run("it is never below the loss without clip", rapid.MakeCheck(func(t *rapid.T) {
		x := floatsOf(t, "V, V_old, R", 3, 3)
		loss, _ := ppo.ValueLossClipped(x[0], x[1], x[2], 0.2)
		plain, _ := ppo.ValueLoss(x[0], x[2])
		if loss < plain {
			t.Errorf("loss %v, below %v", loss, plain)
		}
	}))
	t.Run("its derivative is that of the loss", rapid.MakeCheck(func(t *rapid.T) {
		x := floatsOf(t, "V, V_old, R", 3, 3)
		v, old, ret := x[0], x[1], x[2]
		clipped := min(max(v, old-0.2), old+0.2)
		if math.Abs(math.Abs(v-old)-0.2) < 1e-4 || clipped != v &&
			math.Abs(math.Abs(v-ret)-math.Abs(clipped-ret)) < 1e-4 {
			t.Skip("on a kink")
		}
		_, d := ppo.ValueLossClipped(v, old, ret, 0.2)
		check.Near(t, "derivative", d, check.Derivative(func(v float64) float64 {
			loss, _ := ppo.ValueLossClipped(v, old, ret, 0.2)
			return loss
		}, v), stepBound)
	}))
	t.Run("with an infinite clip, or the new value given as the old one, it is ValueLoss",
		rapid.MakeCheck(func(t *rapid.T) {
			x := floatsOf(t, "V, V_old, R", 3, 9)
			loss, d := ppo.ValueLoss(x[0], x[2])
			check.Both(t, "c = ∞", func() (float64, float64) {
				return ppo.ValueLossClipped(x[0], x[1], x[2], inf)
			}, loss, d, 0)
			check.Both(t, "V_old = V", func() (float64, float64) {
				return ppo.ValueLossClipped(x[0], x[0], x[2], 0.2)
			}, loss, d, 0)
		}))
	t.Run("moving V_old, V and R alike changes nothing", func(t *testing.T) {
		loss, d := ppo.ValueLossClipped(0.75, 0, 1.25, 0.25)
		check.Both(t, "moved by 8", func() (float64, float64) {
			return ppo.ValueLossClipped(8.75, 8, 9.25, 0.25)
		}, loss, d, 0)
	})
	t.Run("a batch of them is weighted like losses of tokens", func(t *testing.T) {
		mask := check.Matrix([]float64{1, 1}, []float64{1, 0})
		loss := check.Matrix([]float64{0.5, 2}, []float64{3.5, nan})
		check.Near(t, "token mean", policy.Aggregate(loss, policy.TokenWeights(mask, policy.TokenMean, 0)), 2, 8*u)
	})
}
