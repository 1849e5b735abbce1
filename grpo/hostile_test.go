package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestWhatCountsNothing(t *testing.T) {
	inf := math.Inf(1)
	t.Run("an advantage of 0 has neither loss nor derivative, whatever the ratio and the clip", func(t *testing.T) {
		for _, r := range []float64{0, 1, inf} {
			for _, logprob := range []float64{0, -1, -inf} {
				for name, f := range map[string]func() (float64, float64){
					"clip-higher":  func() (float64, float64) { return ClipHigher(r, 0, 0.2, 0.28) },
					"R1's clip":    func() (float64, float64) { return ClipHigher(r, 0, 10, 10) },
					"GPPO":         func() (float64, float64) { return GPPO(r, 0, 0.2, 0.28) },
					"GPPO, scaled": func() (float64, float64) { return GPPOScaled(r, 0, 0.2, 0.28, 0, inf) },
					"dual": func() (float64, float64) {
						l, d := GPPO(r, 0, 0.2, 0.28)
						return policy.Bounded(l, d, 0, 3)
					},
					"CISPO":        func() (float64, float64) { return CISPO(r, logprob, 0, 0.2, 0.28) },
					"CISPO, upper": func() (float64, float64) { return CISPOUpper(r, logprob, 0, inf) },
					"CISPO, cap":   func() (float64, float64) { return CISPOCapped(r, logprob, 0, inf) },
					"CISPO, mask":  func() (float64, float64) { return CISPOMasked(r, logprob, 0, 1) },
					"GRPO":         func() (float64, float64) { return GRPO(r, 0, logprob, -inf, 0.2, 0) },
				} {
					check.Both(t, name, f, 0, 0, 0)
				}
			}
		}
	})
	t.Run("nor has an output, by tokens or as a whole", func(t *testing.T) {
		one := []float64{1, 1}
		loss, d := GSPO([]float64{-1, -1}, []float64{-inf, -1}, one, 0, 0.2, 0.28)
		check.Near(t, "GSPO", loss, 0, 0)
		check.NearAll(t, "GSPO", d, []float64{0, 0}, 0)
		loss, d = GSPOToken([]float64{-1, -1}, []float64{-inf, -1}, []float64{0, 0}, one, 0.2, 0.28)
		check.Near(t, "GSPO of tokens", loss, 0, 0)
		check.NearAll(t, "GSPO of tokens", d, []float64{0, 0}, 0)
		loss, d = Sequence([]float64{-1, -1}, []float64{-inf, -1}, []float64{-1, -1}, one, 0, 0.2, 0)
		check.Near(t, "sequence", loss, 0, 0)
		check.NearAll(t, "sequence", d, []float64{0, 0}, 0)
	})
	t.Run("a sure token weighs 0, even infinitely", func(t *testing.T) {
		check.Both(t, "CISPO", func() (float64, float64) { return CISPOMasked(inf, 0, 2, 1) }, 0, -inf, 0)
		check.Both(t, "CISPO", func() (float64, float64) { return CISPOMasked(inf, -1, 2, 1) }, inf, -inf, 0)
	})
	t.Run("a reference of weight 0 has no coefficient, whatever it excludes", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientGRPO(2, -inf, -1, 0), 2, 0)
		check.Near(t, "GC", policy.CoefficientGRPO(2, -inf, -1, 1), inf, 0)
	})
	t.Run("and so has supervised fine-tuning, where the policy excludes what was right", func(t *testing.T) {
		row := func(x ...float64) mat.Matrix { return check.Matrix(x) }
		b := Batch{
			LogProb: row(-inf, -1), Old: row(-inf, -1), Advantage: row(0, 0), Mask: row(1, 1), Weights: row(0.5, 0.5),
		}
		loss, _ := b.KlearLoss([]bool{true}, 0.2, 0.28, 0.1)
		check.Near(t, "α = 0.1", loss, inf, 0)
		loss, d := b.KlearLoss([]bool{true}, 0.2, 0.28, 0)
		check.Near(t, "α = 0", loss, 0, 0)
		check.NearAll(t, "α = 0", d.RawRowView(0), []float64{0, 0}, 0)
	})
}
