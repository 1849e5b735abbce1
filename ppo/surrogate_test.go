package ppo_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

func TestPolicyGradientLoss(t *testing.T) {
	t.Run("its derivative is minus the advantage", func(t *testing.T) {
		_, d := ppo.PolicyGradientLoss(-1.5, 0.75)
		check.Near(t, "derivative", d, check.Derivative(func(l float64) float64 {
			loss, _ := ppo.PolicyGradientLoss(l, 0.75)
			return loss
		}, -1.5), stepBound)
		check.Both(t, "A = ¾", func() (float64, float64) { return ppo.PolicyGradientLoss(-2, 0.75) }, 1.5, -0.75, 0)
	})
	t.Run("an advantage of 0 teaches nothing, of an excluded token too", func(t *testing.T) {
		check.Both(t, "A = 0", func() (float64, float64) { return ppo.PolicyGradientLoss(-inf, 0) }, 0, 0, 0)
	})
}

func TestSurrogate(t *testing.T) {
	t.Run("at ratio 1 its derivative is the policy gradient, and its value −A", rapid.MakeCheck(func(t *rapid.T) {
		a := rapid.Float64Range(-9, 9).Draw(t, "A")
		_, want := ppo.PolicyGradientLoss(-1, a)
		check.Both(t, "r = 1", func() (float64, float64) { return ppo.Surrogate(1, a) }, -a, want, 0)
	}))
	t.Run("its derivative is that of −e^{log r} A", func(t *testing.T) {
		for _, l := range []float64{-2.5, -1, 0} {
			_, d := ppo.Surrogate(policy.Ratio(l, -1, 0), -1.5)
			check.Near(t, "derivative", d, check.Derivative(func(l float64) float64 {
				loss, _ := ppo.Surrogate(policy.Ratio(l, -1, 0), -1.5)
				return loss
			}, l), stepBound)
		}
	})
	t.Run("an advantage of 0 gives 0, for an infinite ratio too", func(t *testing.T) {
		check.Both(t, "A = 0", func() (float64, float64) { return ppo.Surrogate(inf, 0) }, 0, 0, 0)
		check.Both(t, "A = 1", func() (float64, float64) { return ppo.Surrogate(inf, 1) }, -inf, -inf, 0)
	})
}

func TestClip(t *testing.T) {
	// ε = ¼ keeps everything exact.
	t.Run("what it keeps and what it cuts", func(t *testing.T) {
		for _, c := range []struct {
			name               string
			r, a, loss, dlogpi float64
		}{
			{"unchanged policy, good token", 1, 2, -2, -2},
			{"unchanged policy, bad token", 1, -2, 2, 2},
			{"good token made likelier beyond the clip: no more to gain", 1.5, 2, -2.5, 0},
			{"good token made rarer: pulled back", 0.5, 2, -1, -1},
			{"bad token made rarer beyond the clip: no more to gain", 0.5, -2, 1.5, 0},
			{"bad token made likelier: pushed back", 1.5, -2, 3, 3},
			{"inside, good", 1.125, 2, -2.25, -2.25},
			{"inside, bad", 0.875, -2, 1.75, 1.75},
			{"good token on the upper boundary: the inside's derivative", 1.25, 2, -2.5, -2.5},
			{"bad token on the lower boundary: the inside's derivative", 0.75, -2, 1.5, 1.5},
			{"indifferent token", 7, 0, 0, 0},
		} {
			check.Both(t, c.name, func() (float64, float64) {
				return ppo.Clip(c.r, c.a, 0.25, 0.25)
			}, c.loss, c.dlogpi, 0)
		}
	})
	t.Run("its two sides may differ", func(t *testing.T) {
		check.Both(t, "below", func() (float64, float64) { return ppo.Clip(0.25, -1, 0.5, 2) }, 0.5, 0, 0)
		check.Both(t, "above", func() (float64, float64) { return ppo.Clip(4, 1, 0.5, 2) }, -3, 0, 0)
	})
	t.Run("it is the larger of both losses, and never below the surrogate's", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 5).Draw(t, "r"), rapid.Float64Range(-9, 9).Draw(t, "A")
		loss, _ := ppo.Clip(r, a, 0.2, 0.28)
		plain, _ := ppo.Surrogate(r, a)
		clipped, _ := ppo.Surrogate(min(max(r, 0.8), 1.28), a)
		check.Near(t, "max(−rA, −clip(r)A)", loss, max(plain, clipped), 0)
		check.Near(t, "−min(rA, clip(r)A)", loss, -min(-plain, -clipped), 0)
	}))
	t.Run("with min and max exchanged it would be another loss", func(t *testing.T) {
		loss, _ := ppo.Clip(1.5, 2, 0.25, 0.25)
		if wrong := -math.Max(1.5*2, 1.25*2); wrong == loss {
			t.Errorf("both are %v", loss)
		}
	})
	t.Run("its derivative is that of the loss through the ratio", rapid.MakeCheck(func(t *rapid.T) {
		l, a := rapid.Float64Range(-1.5, 1).Draw(t, "log r"), rapid.Float64Range(-4, 4).Draw(t, "A")
		if r := math.Exp(l); math.Abs(r-0.8) < 1e-4 || math.Abs(r-1.28) < 1e-4 {
			t.Skip("on a boundary")
		}
		_, d := ppo.Clip(math.Exp(l), a, 0.2, 0.28)
		check.Near(t, "derivative", d, check.Derivative(func(l float64) float64 {
			loss, _ := ppo.Clip(math.Exp(l), a, 0.2, 0.28)
			return loss
		}, l), stepBound)
	}))
	// [1 − 10, 1 + 10] = [−9, 11], and a ratio is positive.
	t.Run("DeepSeek-R1's ε of 10 never clips from below", func(t *testing.T) {
		check.Both(t, "r = 0", func() (float64, float64) { return ppo.Clip(0, -1, 10, 10) }, 0, 0, 0)
		check.Both(t, "r = ¼", func() (float64, float64) { return ppo.Clip(0.25, -1, 10, 10) }, 0.25, 0.25, 0)
		check.Both(t, "r = 12", func() (float64, float64) { return ppo.Clip(12, 1, 10, 10) }, -11, 0, 0)
	})
	t.Run("log-ratios of ±100 and excluded tokens have the limits", func(t *testing.T) {
		for _, r := range []float64{math.Exp(100), inf} {
			check.Both(t, "good token, r huge", func() (float64, float64) {
				return ppo.Clip(r, 2, 0.25, 0.25)
			}, -2.5, 0, 0)
			check.Both(t, "bad token, r huge", func() (float64, float64) {
				return ppo.Clip(r, -2, 0.25, 0.25)
			}, 2*r, 2*r, 0)
			check.Both(t, "indifferent token, r huge", func() (float64, float64) {
				return ppo.Clip(r, 0, 0.25, 0.25)
			}, 0, 0, 0)
		}
		check.Both(t, "good token, r = 0", func() (float64, float64) { return ppo.Clip(0, 2, 0.25, 0.25) }, 0, 0, 0)
		check.Both(t, "bad token, r = 0", func() (float64, float64) { return ppo.Clip(0, -2, 0.25, 0.25) }, 1.5, 0, 0)
		loss, d := ppo.Clip(nan, 2, 0.25, 0.25)
		check.NaN(t, "no ratio", loss, d)
	})
}

func TestDualClip(t *testing.T) {
	t.Run("what it cuts beside the clip", func(t *testing.T) {
		for _, c := range []struct {
			name               string
			r, a, loss, dlogpi float64
		}{
			{"bad token made far likelier: the loss is bounded", 5, -2, 6, 0},
			{"bad token made likelier: pushed back", 2, -2, 4, 4},
			{"bad token on the bound: the inside's derivative", 3, -2, 6, 6},
			{"bad token made rarer", 0.5, -2, 1.5, 0},
			{"good token made far likelier: as without", 5, 2, -2.5, 0},
			{"good token made far rarer: as without", 0.125, 2, -0.25, -0.25},
			{"indifferent token", inf, 0, 0, 0},
			{"bad token with an infinite ratio", inf, -2, 6, 0},
		} {
			check.Both(t, c.name, func() (float64, float64) {
				return ppo.DualClip(c.r, c.a, 0.25, 0.25, 3)
			}, c.loss, c.dlogpi, 0)
		}
	})
	t.Run("an infinite bound is none", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 50).Draw(t, "r"), rapid.Float64Range(-9, 9).Draw(t, "A")
		loss, d := ppo.Clip(r, a, 0.2, 0.2)
		check.Both(t, "c = ∞", func() (float64, float64) { return ppo.DualClip(r, a, 0.2, 0.2, inf) }, loss, d, 0)
	}))
	// For A > 0 the clipped objective is at most (1+ε)A < cA: max(·, cA) would be cA everywhere,
	// with no gradient at all.
	t.Run("for positive advantages the bound would swallow everything", func(t *testing.T) {
		loss, d := ppo.DualClip(1, 2, 0.25, 0.25, 3)
		if wrong := -math.Max(1*2, 3*2); loss == wrong || d == 0 {
			t.Errorf("loss %v and derivative %v, want those of an unchanged policy", loss, d)
		}
	})
	t.Run("a bound of 0 is none", func(t *testing.T) {
		loss, d := ppo.Clip(50, -2, 0.25, 0.25)
		check.Both(t, "c = 0", func() (float64, float64) { return ppo.DualClip(50, -2, 0.25, 0.25, 0) }, loss, d, 0)
	})
}

func TestKLPenalty(t *testing.T) {
	z := []float64{0.5, -1, 0.25}
	logp, old := policy.LogSoftmax(z, 1), policy.LogSoftmax([]float64{0, 1, -0.5}, 1)
	penalty := func(logprob, old, a, beta float64) (float64, float64) {
		return ppo.KLPenalty(policy.Ratio(logprob, old, 0), a, policy.K3(old, logprob), math.Expm1(logprob-old), beta)
	}
	t.Run("without a weight it is the surrogate, and at the old policy too", func(t *testing.T) {
		loss, d := ppo.Surrogate(1.5, 2)
		check.Both(t, "β = 0", func() (float64, float64) { return ppo.KLPenalty(1.5, 2, 7, 8, 0) }, loss, d, 0)
		loss, d = ppo.Surrogate(1, 2)
		check.Both(t, "π = π_old", func() (float64, float64) { return penalty(-1, -1, 2, 5) }, loss, d, 0)
	})
	t.Run("its derivative is that of the loss, with r − 1 for the estimate r − 1 − log r", func(t *testing.T) {
		for _, l := range []float64{-2, -1, -0.25} {
			_, d := penalty(l, -1, 2, 0.5)
			check.Near(t, "derivative", d, check.Derivative(func(l float64) float64 {
				loss, _ := penalty(l, -1, 2, 0.5)
				return loss
			}, l), stepBound)
		}
	})
	// E_old[r − 1 − log r] = KL(π_old‖π), and E_old[(r−1) ∇ log π] = Σ (p − p_old) ∇ log p.
	t.Run("over samples of the old policy the penalty is KL[π_old, π], value and gradient", func(t *testing.T) {
		var value float64
		gradient := make([]float64, len(z))
		for k := range z {
			loss, d := penalty(logp[k], old[k], 0, 1)
			value += math.Exp(old[k]) * loss
			for i, score := range policy.LogProbBackward(z, k, 1) {
				gradient[i] += math.Exp(old[k]) * d * score
			}
		}
		_, want := policy.KLBackward(old, logp)
		check.Near(t, "E[penalty]", value, policy.KL(old, logp), 64*u)
		check.NearAll(t, "gradient", gradient, want, 64*u)
	})
}

func TestAdaptKL(t *testing.T) {
	// A target of 3 has its bounds at 2 and 4.5 exactly.
	t.Run("it halves far below the target, doubles far above, and rests between", func(t *testing.T) {
		for kl, want := range map[float64]float64{0: 0.5, 1.9: 0.5, 2: 1, 3: 1, 4.5: 1, 4.6: 2, inf: 2} {
			check.Near(t, "β", ppo.AdaptKL(1, kl, 3), want, 0)
		}
	})
	t.Run("a divergence that answers to β as 1/β settles at most a factor 1.5 from its target", func(t *testing.T) {
		beta := 1000.0
		for range 20 {
			beta = ppo.AdaptKL(beta, 1/beta, 0.1)
		}
		if d := 1 / beta; d < 0.1/1.5 || d > 0.1*1.5 {
			t.Errorf("it settles at %v", d)
		}
	})
}

func TestAdaptKLProportionally(t *testing.T) {
	t.Run("it follows the relative error, cut at a fifth", func(t *testing.T) {
		for kl, want := range map[float64]float64{8: 1, 9: 1 + 0.5*0.125, 7: 1 - 0.5*0.125, 80: 1.1, 0: 0.9, inf: 1.1} {
			check.Near(t, "β", ppo.AdaptKLProportionally(1, kl, 8, 0.5), want, 2*u)
		}
	})
	t.Run("a weight of 0 stays 0", func(t *testing.T) {
		check.Near(t, "β", ppo.AdaptKLProportionally(0, 5, 1, 0.1), 0, 0)
	})
}

func TestCombined(t *testing.T) {
	t.Run("values add their error, entropy takes away", func(t *testing.T) {
		check.Near(t, "loss", ppo.Combined(-2, 4, 1.5, 0.5, 0.25), -2+2-0.375, 0)
		check.Near(t, "loss of the policy alone", ppo.Combined(-2, 4, 1.5, 0, 0), -2, 0)
	})
	// With no other term, −c₂ ∇S pushes the larger logit down.
	t.Run("descending it spreads the policy", func(t *testing.T) {
		z := []float64{1, 0}
		loss := func(z []float64) float64 { return ppo.Combined(0, 0, policy.Entropy(z, 1), 0, 0.5) }
		d := check.Gradient(loss, z)
		for i, s := range policy.EntropyBackward(z, 1) {
			check.Near(t, "gradient", d[i], -0.5*s, stepBound)
		}
		if d[0] <= 0 {
			t.Errorf("the larger logit has gradient %v, want it pushed down", d[0])
		}
	})
}
