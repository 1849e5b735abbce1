package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// A policy may all but exclude an action, and its ratio then overflows; what counts nothing is left
// out and not multiplied by 0.
func TestWhatCountsNothing(t *testing.T) {
	inf := math.Inf(1)
	old, logits := mat.NewDense(2, 2, []float64{0, -800, 0, 0}), mat.NewDense(2, 2, []float64{0, 0, 0, 0})
	actions := []int{1, 0}
	t.Run("an advantage of 0 has no surrogate and no gradient, whatever the ratio", func(t *testing.T) {
		check.Near(t, "L", rl.SurrogateObjective(old, logits, actions, []float64{0, 1}), 0.5, 4*check.U)
		dz := rl.SurrogateObjectiveBackward(old, logits, actions, []float64{0, 1})
		check.NearMatrix(t, "dz", dz, mat.NewDense(2, 2, []float64{0, 0, 0.25, -0.25}), 4*check.U)
		check.Near(t, "L", rl.SurrogateObjective(old, logits, actions, []float64{1, 1}), inf, 0)
	})
	t.Run("a weight of 0 has no objective, whatever the log-probability", func(t *testing.T) {
		z := mat.NewDense(1, 2, []float64{0, -inf})
		check.Near(t, "L", rl.PolicyObjective(z, []int{1}, []float64{0}), 0, 0)
		check.Near(t, "L", rl.PolicyObjective(z, []int{1}, []float64{1}), -inf, 0)
	})
	t.Run("a state never visited and an action never taken add nothing, whatever their advantage", func(t *testing.T) {
		pi, a := mat.NewDense(2, 2, []float64{1, 0, 0.5, 0.5}), mat.NewDense(2, 2, []float64{3, math.NaN(), inf, -inf})
		check.Near(t, "L", rl.LocalObjective(1, []float64{2, 0}, pi, a), 7, 0)
	})
	// KL ≈ ½ h² Var, its gradient h p (v − p·v): for v = (1, 0), p = (¼, ¾) it is h 3/16 (1, −1) to
	// first order.
	t.Run("a small step has a mean KL, and a gradient, as good as the log-probabilities", func(t *testing.T) {
		const h = 1e-12
		z, a := mat.NewDense(1, 2, []float64{0, math.Log(3)}), mat.NewDense(1, 2, []float64{h, math.Log(3)})
		dz := rl.MeanKLBackward(z, a)
		want := h * 3 / 16
		check.NearMatrix(t, "dz", dz, mat.NewDense(1, 2, []float64{want, -want}), 8*check.U+h*h)
		check.Near(t, "KL", rl.MeanKL(z, a), h*want/2, h*want/2*(32*check.U/h))
	})
}
