package policy_test

import (
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/policy"
)

func statistics(m policy.Mismatch) []float64 {
	return []float64{m.Mean, m.Largest, m.K1, m.K2, m.K3, m.Share}
}

func TestMismatchOf(t *testing.T) {
	every := []float64{1, 1, 1, 1}
	t.Run("of an engine from itself all are 0 exactly", func(t *testing.T) {
		a := []float64{-1, -0.25, -30, 0}
		check.NearAll(t, "statistics", statistics(policy.MismatchOf(a, a, every, 1)), make([]float64, 6), 0)
	})
	// Δ = 1, −1, ½, 0: k2 = (½ + ½ + ⅛)/4; k3 = (e − 2 + e⁻¹ + √e − 3/2)/4; two exceed log 2.
	t.Run("of four tokens they are what the formulas say", func(t *testing.T) {
		a, b := []float64{-1, -3, -1, -4}, []float64{-2, -2, -1.5, -4}
		k3 := (math.E - 2 + math.Exp(-1) + math.Sqrt(math.E) - 1.5) / 4
		check.NearAll(t, "statistics", statistics(policy.MismatchOf(a, b, every, 2)),
			[]float64{0.625, 1, -0.125, 1.125 / 4, k3, 0.5}, 8*u)
	})
	// At the limit itself a ratio is within it.
	t.Run("a ratio at the limit is not beyond it", func(t *testing.T) {
		a, b := []float64{math.Log(2), 0, math.Log(2) + 1e-9, 0}, make([]float64, 4)
		check.Near(t, "share", policy.MismatchOf(a, b, every, 2).Share, 0.25, 0)
	})
	// Expectations over b, as if every token of the vocabulary had been sampled as often as it
	// should be: k1 and k3 are KL(π_b‖π_a), and the other way round they are not.
	t.Run("the means over what b samples are its divergence from a", func(t *testing.T) {
		a, b := policy.LogSoftmax(logits(60, 5), 1), policy.LogSoftmax(logits(61, 5), 1)
		statistic := func(of func(m policy.Mismatch) float64) float64 {
			return mean(b, func(k int) float64 {
				return of(policy.MismatchOf(a[k:k+1], b[k:k+1], every[:1], 2))
			})
		}
		k1 := statistic(func(m policy.Mismatch) float64 { return m.K1 })
		k3 := statistic(func(m policy.Mismatch) float64 { return m.K3 })
		check.NearAll(t, "E[k1], E[k3]", []float64{k1, k3}, []float64{policy.KL(b, a), policy.KL(b, a)}, sumBound)
		check.Apart(t, "KL", policy.KL(b, a), policy.KL(a, b), 1e-2)
	})
	t.Run("what the mask leaves out reaches nothing, and of nothing all are 0", func(t *testing.T) {
		a, b := []float64{-1, nan, -inf, 9}, []float64{-1.5, 0, 1, nan}
		check.NearAll(t, "statistics", statistics(policy.MismatchOf(a, b, []float64{1, 0, 0, 0}, 2)),
			statistics(policy.MismatchOf(a[:1], b[:1], every[:1], 2)), 0)
		none := policy.MismatchOf(a, b, make([]float64, 4), 2)
		check.NearAll(t, "of nothing", statistics(none), make([]float64, 6), 0)
	})
	t.Run("a token that one engine excludes makes an infinite mean", func(t *testing.T) {
		m := policy.MismatchOf([]float64{-inf, -1}, []float64{-1, -1}, every[:2], 2)
		check.NearAll(t, "statistics", statistics(m), []float64{inf, inf, inf, inf, inf, 0.5}, 0)
	})
	t.Run("lengths and limits that do not fit are refused", func(t *testing.T) {
		check.Panics(t, "policy: log-probabilities and mask differ in length", func() {
			policy.MismatchOf(every, every[1:], every, 2)
		})
		check.Panics(t, "policy: a limit of ratios is less than 1", func() {
			policy.MismatchOf(every, every, every, 0.5)
		})
	})
}
