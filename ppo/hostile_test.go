package ppo_test

import (
	"testing"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

func TestWhatCountsNothing(t *testing.T) {
	t.Run("a divergence of weight 0 adds nothing, even an infinite one", func(t *testing.T) {
		check.Both(t, "β = 0", func() (float64, float64) { return ppo.KLPenalty(2, 3, inf, -inf, 0) }, -6, -6, 0)
		check.Both(t, "β = 1", func() (float64, float64) { return ppo.KLPenalty(2, 3, inf, 1, 1) }, inf, -5, 0)
	})
	t.Run("nor does a value's loss or an entropy", func(t *testing.T) {
		check.Near(t, "c = 0", ppo.Combined(1, inf, nan, 0, 0), 1, 0)
		check.Near(t, "c₂ = 0", ppo.Combined(1, 4, nan, 0.5, 0), 3, 0)
		check.Near(t, "c₁ = 0", ppo.Combined(1, inf, 4, 0, 0.5), -1, 0)
	})
	t.Run("nor do pretraining texts that the policy excludes", func(t *testing.T) {
		check.Near(t, "J", ppo.InstructObjective([]float64{2}, []float64{-inf}, 0), 2, 0)
		check.Both(t, "L", func() (float64, float64) { return ppo.PretrainLoss([]float64{-inf}, 0) }, 0, 0, 0)
		check.Both(t, "L", func() (float64, float64) { return ppo.PretrainLoss([]float64{-inf}, 1) }, inf, -1, 0)
	})
	t.Run("nor does a ratio that overflowed, in any form, for an advantage of 0", func(t *testing.T) {
		for _, c := range []float64{0, 3} {
			check.Both(t, "dual clip", func() (float64, float64) { return ppo.DualClip(inf, 0, 0.2, 0.28, c) }, 0, 0, 0)
		}
		check.Both(t, "clip", func() (float64, float64) { return ppo.Clip(inf, 0, 0.2, 0.28) }, 0, 0, 0)
		check.Both(t, "surrogate", func() (float64, float64) { return ppo.Surrogate(inf, 0) }, 0, 0, 0)
		one, zero := check.Matrix([]float64{1, 1}), check.Matrix([]float64{0, 0})
		loss, d := ppo.Loss(check.Matrix([]float64{-1, -1}), check.Matrix([]float64{-inf, -800}), zero, one,
			ppo.Options{
				Low: 0.2, High: 0.28, DualClip: 3, Aggregation: policy.TokenMean})
		check.Near(t, "loss", loss, 0, 0)
		check.NearAll(t, "gradient", d.RawRowView(0), []float64{0, 0}, 0)
	})
}
