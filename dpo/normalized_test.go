package dpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestLengthNormalized(t *testing.T) {
	chosen, rejected := []float64{2, -1, 0.5, 0}, []float64{-1, 2, 1}
	const beta = 0.5

	t.Run("its gradient is the gradient, the same for all tokens of a response", func(t *testing.T) {
		_, dchosen, drejected := LengthNormalized(chosen, rejected, beta)
		loss := func(x []float64) float64 { l, _, _ := LengthNormalized(x[:4], x[4:], beta); return l }
		want := []float64{dchosen, dchosen, dchosen, dchosen, drejected, drejected, drejected}
		check.NearAll(t, "gradient", check.Gradient(loss, append(append([]float64{}, chosen...), rejected...)),
			want, check.DifferenceBound(1, 4))
	})
	t.Run("its coefficient is β σ(−βΔ), not the printed one", func(t *testing.T) {
		// dL/dlog π(o⁺_t) = −GC/|o⁺|. The printed GC differs from token to token, and would be 1 in
		// place of β for a pair wrong by far.
		_, dchosen, drejected := LengthNormalized(chosen, rejected, beta)
		delta := floats.Sum(chosen)/4 - floats.Sum(rejected)/3
		exact := policy.CoefficientDPOExact(delta, beta)
		check.Near(t, "GC of o⁺", -4*dchosen, exact, 8*u)
		check.Near(t, "GC of o⁻", 3*drejected, exact, 8*u)
		for t0 := range rejected {
			check.Apart(t, "printed", policy.CoefficientDPO(chosen[t0], rejected[t0], beta), exact, 0.08)
		}
		check.Apart(t, "over tokens", policy.CoefficientDPO(chosen[0], rejected[0], beta),
			policy.CoefficientDPO(chosen[1], rejected[1], beta), 0.6)
	})
	t.Run("printed and exact coefficient meet for one token each and β = 1", func(t *testing.T) {
		_, dchosen, _ := LengthNormalized([]float64{0.3}, []float64{-0.4}, 1)
		check.Near(t, "GC", policy.CoefficientDPO(0.3, -0.4, 1), -dchosen, 2*u)
	})
	// A prefix given itself is certain under both policies: log(π/π_ref)(o⁻_{<t} | q, o⁻_{<t}) = 0.
	t.Run("as printed, with o⁻_{<t} for o⁻_t, the rejected response has no part in it", func(t *testing.T) {
		printed := func(x []float64) float64 { l, _, _ := LengthNormalized(x[:4], make([]float64, 3), beta); return l }
		x := append(append([]float64{}, chosen...), rejected...)
		check.NearAll(t, "gradient of o⁻", check.Gradient(printed, x)[4:], make([]float64, 3), 0)
		loss, _, drejected := LengthNormalized(chosen, rejected, beta)
		check.Apart(t, "loss", printed(x), loss, 0.1)
		check.Apart(t, "gradient of o⁻", 0, drejected, 0.05)
	})
	t.Run("at the reference it is ln 2", func(t *testing.T) {
		loss, dchosen, drejected := LengthNormalized(make([]float64, 4), make([]float64, 2), beta)
		check.Near(t, "loss", loss, math.Ln2, u)
		check.Near(t, "dchosen", dchosen, -beta/2/4, 0)
		check.Near(t, "drejected", drejected, beta/2/2, 0)
	})
	t.Run("with one token each it is DPO's", func(t *testing.T) {
		loss, dchosen, drejected := LengthNormalized([]float64{0.3}, []float64{-0.4}, beta)
		want, dh := SigmoidLoss(0.3+0.4, beta, 0)
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dchosen", dchosen, dh, 0)
		check.Near(t, "drejected", drejected, -dh, 0)
	})
	t.Run("saying everything twice changes DPO's loss and not this one", func(t *testing.T) {
		loss, _, _ := LengthNormalized([]float64{0.5, 0.5}, []float64{-0.25, -0.25}, beta)
		once, _, _ := LengthNormalized([]float64{0.5}, []float64{-0.25}, beta)
		sums, _ := SigmoidLoss(2*0.75, beta, 0)
		check.Near(t, "means", loss, once, 0)
		check.Apart(t, "sums", sums, once, 0.1)
	})
	t.Run("log-ratios of a thousand are finite", func(t *testing.T) {
		loss, dchosen, drejected := LengthNormalized([]float64{-1000, -1000}, []float64{1000}, 1)
		check.Near(t, "loss", loss, 2000, 0)
		check.Near(t, "dchosen", dchosen, -0.5, 0)
		check.Near(t, "drejected", drejected, 1, 0)
	})
}
