package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/num/dual"

	"plumbline/internal/check"
	"plumbline/policy"
)

// cispoLiteral returns −sg(clip(r)) A log π as a dual number with its derivative for log π; stop
// says whether the stop-gradient is there.
func cispoLiteral(logprob, old, advantage float64, stop bool) dual.Number {
	x := variable(logprob)
	r := dual.Exp(dual.Sub(x, dual.Number{Real: old}))
	weight := least(most(r, dual.Number{Real: 1 - low}), dual.Number{Real: 1 + high})
	if stop {
		weight = sg(weight)
	}
	return dual.Scale(-advantage, dual.Mul(weight, x))
}

func TestCISPO(t *testing.T) {
	const old = -1.5

	t.Run("it is equation 4 with its stop-gradient, by dual numbers, on both sides of both bounds", func(t *testing.T) {
		for _, c := range corners() {
			logprob := old + math.Log(c.r)
			loss, d := CISPO(c.r, logprob, c.advantage, low, high)
			want := cispoLiteral(logprob, old, c.advantage, true)
			check.Near(t, "loss", loss, want.Real, 16*u*math.Abs(loss))
			check.Near(t, "derivative", d, want.Emag, 16*u*math.Abs(d))
		}
	})
	t.Run("without the stop-gradient, as Klear-Reasoner prints it, the gradient is another inside the clip",
		func(t *testing.T) {
			// d(r log π)/dlog π = r + r log π: with log π < −1 it changes sign.
			stopped, printed := cispoLiteral(-1.5, old, 1, true), cispoLiteral(-1.5, old, 1, false)
			check.Near(t, "stopped", stopped.Emag, -1, 4*u)
			check.Near(t, "printed", printed.Emag, 0.5, 4*u)
			check.Near(t, "beyond the clip", cispoLiteral(-0.5, old, 1, false).Emag,
				cispoLiteral(-0.5, old, 1, true).Emag, 0)
		})
	t.Run("its factor is the clipped ratio in all corners; GPPO's is the ratio in two of them", func(t *testing.T) {
		for _, c := range []struct{ r, a, cispo, gppo float64 }{
			{0.5, 1, 0.8, 0.5}, {0.5, -1, 0.8, 0.8}, {1.5, 1, 1.28, 1.28}, {1.5, -1, 1.28, 1.5},
		} {
			check.Near(t, "CISPO", -slope(CISPO(c.r, -1, c.a, low, high))/c.a, c.cispo, 0)
			check.Near(t, "GPPO", -slope(gppo(c.r, c.a))/c.a, c.gppo, 0)
		}
	})
	t.Run("right after sampling its derivative is −A, and its loss −A log π, not −A", func(t *testing.T) {
		loss, d := CISPO(1, -2, 0.5, low, high)
		check.Near(t, "loss", loss, 1, 0)
		check.Near(t, "derivative", d, -0.5, 0)
	})
	t.Run("an advantage of 0 has none, even for a token that the policy excludes", func(t *testing.T) {
		loss, d := CISPO(0, math.Inf(-1), 0, low, high)
		check.Near(t, "loss", loss, 0, 0)
		check.Near(t, "derivative", d, 0, 0)
		loss, _ = CISPOUpper(0, math.Inf(-1), 1, high)
		check.Near(t, "r log π at r = 0", loss, 0, 0)
		if loss, d = CISPO(0, math.Inf(-1), 1, low, high); !math.IsInf(loss, 1) || d != -0.8 {
			t.Errorf("with a lower bound: got %v and %v", loss, d)
		}
	})
}

func TestCISPOUpper(t *testing.T) {
	t.Run("it is CISPO with any lower bound from 1 on, which never acts", func(t *testing.T) {
		for _, c := range corners() {
			loss, d := CISPOUpper(c.r, -2, c.advantage, high)
			for _, low := range []float64{1, 100} {
				want, dwant := CISPO(c.r, -2, c.advantage, low, high)
				check.Near(t, "loss", loss, want, 0)
				check.Near(t, "derivative", d, dwant, 0)
			}
		}
	})
	t.Run("below 1−ε_l the two part", func(t *testing.T) {
		check.Near(t, "upper", slope(CISPOUpper(0.5, -2, 1, high)), -0.5, 0)
		check.Near(t, "both", slope(CISPO(0.5, -2, 1, low, high)), -0.8, 0)
	})
}

func TestCISPOCapped(t *testing.T) {
	t.Run("TRL's epsilon_high is the cap 1+ε_h, not ε_h", func(t *testing.T) {
		for _, c := range corners() {
			check.Near(t, "derivative", slope(CISPOCapped(c.r, -2, c.advantage, 5)),
				slope(CISPOUpper(c.r, -2, c.advantage, 4)), 0)
		}
	})
	t.Run("0.28 as a cap weighs every token of the policy that sampled by 0.28", func(t *testing.T) {
		check.Near(t, "as a cap", slope(CISPOCapped(1, -2, 1, 0.28)), -0.28, 0)
		check.Near(t, "as ε_h", slope(CISPOUpper(1, -2, 1, 0.28)), -1, 0)
	})
}

func TestCISPOMasked(t *testing.T) {
	t.Run("the mask leaves out what clip-higher gives no gradient", func(t *testing.T) {
		for _, c := range corners() {
			clipped := slope(clipHigher(c.r, c.advantage)) == 0
			if m := CISPOMask(c.r, c.advantage, low, high); (m == 0) != clipped {
				t.Errorf("%+v: mask %v, clipped %v", c, m, clipped)
			}
		}
	})
	t.Run("on the bounds, and for an advantage of 0, a token counts", func(t *testing.T) {
		for _, c := range []corner{{1 + high, 1}, {1 - low, -1}, {0.1, 0}, {9, 0}} {
			check.Near(t, "mask", CISPOMask(c.r, c.advantage, low, high), 1, 0)
		}
	})
	t.Run("with the ratio as weight and the mask its gradient is clip-higher's", func(t *testing.T) {
		for _, c := range corners() {
			_, d := CISPOMasked(c.r, -2, c.advantage, CISPOMask(c.r, c.advantage, low, high))
			check.Near(t, "derivative", d, slope(clipHigher(c.r, c.advantage)), 0)
		}
	})
	t.Run("with the ratio as weight and no mask it is REINFORCE, with the gradient of the ratio itself",
		func(t *testing.T) {
			for _, c := range corners() {
				check.Near(t, "derivative", slope(CISPOMasked(c.r, -2, c.advantage, 1)),
					slope(policy.Unclipped(c.r, c.advantage)), 0)
			}
		})
	t.Run("with the clipped ratio and no mask it is CISPO", func(t *testing.T) {
		for _, c := range corners() {
			loss, d := CISPOMasked(min(max(c.r, 1-low), 1+high), -2, c.advantage, 1)
			want, dwant := CISPO(c.r, -2, c.advantage, low, high)
			check.Near(t, "loss", loss, want, 0)
			check.Near(t, "derivative", d, dwant, 0)
		}
	})
	t.Run("a token left out has no loss either", func(t *testing.T) {
		loss, d := CISPOMasked(2, math.Inf(-1), 1, 0)
		check.Near(t, "loss", loss, 0, 0)
		check.Near(t, "derivative", d, 0, 0)
	})
}
