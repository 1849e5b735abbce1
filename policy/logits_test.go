package policy_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

func TestLogSoftmax(t *testing.T) {
	// z − max is 0 for all, e⁰ = 1, and the sum of V ones is V.
	t.Run("equal logits give −log V to every token, to the bit", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{7, 7, 7, 7, 7}, 1),
			[]float64{-math.Log(5), -math.Log(5), -math.Log(5), -math.Log(5), -math.Log(5)}, 0)
		check.Near(t, "log p of DeepSeek-V3's vocabulary", policy.LogSoftmax(make([]float64, 129280), 1)[0],
			-11.7697359, 5e-8)
	})
	t.Run("the only token has log-probability 0, whatever its logit", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{-1e300}, 0.5), []float64{0}, 0)
	})
	// e^0 : e^{log 3} = 1 : 3. The logarithm of 3 is off by half an ulp, 2u at most.
	t.Run("logits 0 and log 3 give a quarter and three quarters", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{0, math.Log(3)}, 1),
			[]float64{-math.Log(4), math.Log(0.75)}, 8*u)
	})
	t.Run("probabilities sum to 1", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			z := rapid.SliceOfN(rapid.Float64Range(-50, 50), 1, 9).Draw(t, "logits")
			sum := mean(policy.LogSoftmax(z, 1), func(int) float64 { return 1 })
			check.Near(t, "Σp", sum, 1, 4*u*float64(100+len(z))) // a log-probability of 100 is off by 100·u
		})
	})
	t.Run("a constant on all logits changes nothing, to the bit for integers", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{1025, 1022, 1029}, 1),
			policy.LogSoftmax([]float64{1, -2, 5}, 1), 0)
	})
	// Halving is exact.
	t.Run("temperature 2 is half the logits, to the bit", func(t *testing.T) {
		z := logits(1, 6)
		half := make([]float64, len(z))
		for i := range z {
			half[i] = z[i] / 2
		}
		check.NearAll(t, "log p", policy.LogSoftmax(z, 2), policy.LogSoftmax(half, 1), 0)
	})
	t.Run("logits of ±10⁴ neither overflow nor vanish", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{1e4, 1e4, -1e4}, 1),
			[]float64{-math.Ln2, -math.Ln2, -2e4 - math.Ln2}, 2e4*u)
	})
	t.Run("a logit of −∞ excludes its token, and the others share all", func(t *testing.T) {
		check.NearAll(t, "log p", policy.LogSoftmax([]float64{3, -inf, 3}, 0.7),
			[]float64{-math.Ln2, -inf, -math.Ln2}, 0)
		check.NearAll(t, "log p of none", policy.LogSoftmax([]float64{-inf, -inf}, 1), []float64{-inf, -inf}, 0)
		check.NearAll(t, "log p of an empty vocabulary", policy.LogSoftmax(nil, 1), nil, 0)
	})
	t.Run("a logit of +∞ or NaN makes all NaN", func(t *testing.T) {
		check.NaN(t, "log p", policy.LogSoftmax([]float64{0, inf}, 1)...)
		check.NaN(t, "log p", policy.LogSoftmax([]float64{0, nan}, 1)...)
	})
	t.Run("a temperature of 0 or less is refused", func(t *testing.T) {
		for _, temperature := range []float64{0, -1, nan} {
			check.Panics(t, "policy: temperature is not positive", func() {
				policy.LogSoftmax([]float64{1}, temperature)
			})
		}
	})
}

func TestLogProb(t *testing.T) {
	z := logits(2, 5)
	t.Run("it is the token's element of the log-softmax", func(t *testing.T) {
		for k, want := range policy.LogSoftmax(z, 0.6) {
			check.Near(t, "log p", policy.LogProb(z, k, 0.6), want, 0)
		}
	})
	// Logits (0, log 2): sampled at T = ½ the second token has p = 4/5, at T = 1 it has 2/3.
	t.Run("a trainer without the sampler's temperature sees a ratio where nothing has changed", func(t *testing.T) {
		z := []float64{0, math.Ln2}
		old := policy.LogProb(z, 1, 0.5)
		check.Near(t, "r", policy.Ratio(policy.LogProb(z, 1, 0.5), old, 0), 1, 0)
		check.Near(t, "r without temperature", policy.Ratio(policy.LogProb(z, 1, 1), old, 0), 5./6, 8*u)
	})
	// A sampler that keeps tokens of mass M gives each p/M.
	t.Run("a sampler that renormalises over the tokens it kept is off by the log of their mass", func(t *testing.T) {
		logp := policy.LogSoftmax(z, 1)
		kept := append([]float64(nil), z...)
		kept[0], kept[3] = -inf, -inf
		mass := 1 - math.Exp(logp[0]) - math.Exp(logp[3])
		check.Near(t, "log p", policy.LogProb(kept, 1, 1)-logp[1], -math.Log(mass), 32*u)
	})
}

func TestLogProbBackward(t *testing.T) {
	z := logits(3, 6)
	t.Run("it is the derivative of LogProb", func(t *testing.T) {
		for k := range z {
			for _, temperature := range []float64{1, 0.6} {
				want := check.Gradient(func(z []float64) float64 { return policy.LogProb(z, k, temperature) }, z)
				check.NearAll(t, "∇ log p", policy.LogProbBackward(z, k, temperature), want, stepBound)
			}
		}
	})
	t.Run("for two equal logits it is a half and minus a half, over the temperature", func(t *testing.T) {
		check.NearAll(t, "∇ log p", policy.LogProbBackward([]float64{9, 9}, 0, 1), []float64{0.5, -0.5}, 2*u)
		check.NearAll(t, "∇ log p", policy.LogProbBackward([]float64{9, 9}, 0, 0.25), []float64{2, -2}, 8*u)
	})
	// E[∇ log p] = Σ_k p_k (δ_ik − p_i) = p_i − p_i = 0: why a baseline costs nothing.
	t.Run("its mean over the policy's own samples is zero", func(t *testing.T) {
		got := pull(policy.LogSoftmax(z, 1), z, func(int) float64 { return 1 })
		check.NearAll(t, "E[∇ log p]", got, make([]float64, len(z)), 32*u)
	})
	t.Run("excluded tokens get nothing, and give nothing", func(t *testing.T) {
		check.NearAll(t, "∇ log p", policy.LogProbBackward([]float64{1, -inf, 1}, 2, 1), []float64{-0.5, 0, 0.5}, 2*u)
		check.NearAll(t, "∇ log p", policy.LogProbBackward([]float64{1, -inf, 1}, 1, 1), []float64{0, 0, 0}, 0)
	})
}

func TestEntropy(t *testing.T) {
	// V terms of (1/V) log V each: 1/V is exact for a power of two.
	t.Run("of V equal logits it is log V", func(t *testing.T) {
		check.Near(t, "S", policy.Entropy(make([]float64, 8), 1), math.Log(8), 8*u)
		check.Near(t, "S", policy.Entropy([]float64{3, 3, 3}, 1), math.Log(3), 8*u)
	})
	t.Run("of a policy that is certain it is 0", func(t *testing.T) {
		check.Near(t, "S", policy.Entropy([]float64{5}, 1), 0, 0)
		check.Near(t, "S", policy.Entropy([]float64{5, -inf}, 1), 0, 0)
		check.Near(t, "S", policy.Entropy([]float64{5, -1e5}, 1), 0, 0)
	})
	// ¼ log 4 + ¾ log(4/3)
	t.Run("of a quarter and three quarters it is 0.5623", func(t *testing.T) {
		check.Near(t, "S", policy.Entropy([]float64{0, math.Log(3)}, 1), 0.25*math.Log(4)+0.75*math.Log(4./3), 8*u)
	})
	t.Run("excluded tokens add nothing, and a policy without tokens has none", func(t *testing.T) {
		check.Near(t, "S", policy.Entropy([]float64{1, -inf, 2}, 1), policy.Entropy([]float64{1, 2}, 1), 0)
		check.Near(t, "S", policy.Entropy([]float64{-inf, -inf}, 1), 0, 0)
		check.Near(t, "S", policy.Entropy(nil, 1), 0, 0)
	})
	// −Σ p log p = log V − Σ p (log p + log V)
	t.Run("it is log V less the divergence from the uniform policy", rapid.MakeCheck(func(t *rapid.T) {
		z := rapid.SliceOfN(rapid.Float64Range(-20, 20), 1, 8).Draw(t, "logits")
		n := math.Log(float64(len(z)))
		kl := policy.KL(policy.LogSoftmax(z, 1), policy.LogSoftmax(make([]float64, len(z)), 1))
		check.Near(t, "S", policy.Entropy(z, 1), n-kl, 256*u)
		if s := policy.Entropy(z, 1); s < -256*u || s > n+256*u {
			t.Errorf("S is %v of at most %v", s, n)
		}
	}))
	t.Run("it grows with the temperature", func(t *testing.T) {
		z, last := logits(4, 6), 0.0
		for _, temperature := range []float64{0.1, 0.5, 1, 2, 10} {
			s := policy.Entropy(z, temperature)
			if s <= last {
				t.Errorf("S at temperature %v is %v, after %v", temperature, s, last)
			}
			last = s
		}
	})
}

func TestEntropyBackward(t *testing.T) {
	z := logits(5, 6)
	t.Run("it is the derivative of Entropy", func(t *testing.T) {
		for _, temperature := range []float64{1, 0.7} {
			want := check.Gradient(func(z []float64) float64 { return policy.Entropy(z, temperature) }, z)
			check.NearAll(t, "∇S", policy.EntropyBackward(z, temperature), want, stepBound)
		}
	})
	// log p_i = −log V = −S for all i.
	t.Run("at the uniform policy, where entropy is largest, it is 0", func(t *testing.T) {
		check.NearAll(t, "∇S", policy.EntropyBackward(make([]float64, 4), 1), make([]float64, 4), 2*u)
	})
	// Σ p_i (log p_i + S) = −S + S
	t.Run("it sums to 0, and excluded tokens have none", func(t *testing.T) {
		z[2] = -inf
		dz := policy.EntropyBackward(z, 1)
		var sum float64
		for _, d := range dz {
			sum += d
		}
		check.Near(t, "Σ∇S", sum, 0, 16*u)
		check.Near(t, "∇S of an excluded token", dz[2], 0, 0)
	})
}

func TestLogSoftmaxDigits(t *testing.T) {
	// log p = −log(1 + e^{−40}) = −e^{−40} + …: 1 + e^{−40} is 1 in float64. 1 − p, and the entropy
	// e^{−40} (1 + 40), likewise.
	t.Run("a token that is all but sure has a log-probability, a gradient and an entropy", func(t *testing.T) {
		z, rest := []float64{0, -40}, math.Exp(-40)
		check.Near(t, "log p", policy.LogSoftmax(z, 1)[0], -rest, 8*u*rest)
		check.Near(t, "∂ log p", policy.LogProbBackward(z, 0, 1)[0], rest, 8*u*rest)
		check.Near(t, "S", policy.Entropy(z, 1), 41*rest, 64*41*u*rest)
	})
	// (z − max)/T with 2¹⁰ + 2⁻¹⁰ and 2¹⁰, T = 2⁻¹⁰/3: the difference is 3, where z/T has an ulp of
	// 2⁻³¹.
	t.Run("a low temperature does not multiply the rounding of the logits", func(t *testing.T) {
		got := policy.LogSoftmax([]float64{0x1p10 + 0x1p-10, 0x1p10}, 0x1p-10/3)
		check.NearAll(t, "log p", got, []float64{-math.Log1p(math.Exp(-3)), -3 - math.Log1p(math.Exp(-3))}, 16*u)
		got = policy.LogSoftmax([]float64{1e300, 0}, 1e-10)
		check.NearAll(t, "log p", got, []float64{0, -inf}, 0)
	})
	// S is largest at uniform p; near it −p (log p + S) = −p (z − mean z) = −z/3 to first order.
	t.Run("near uniform the gradient of the entropy keeps its digits", func(t *testing.T) {
		const h = 1e-12
		check.NearAll(t, "∂S", policy.EntropyBackward([]float64{h, 0, -h}, 1), []float64{-h / 3, 0, h / 3}, 8*u*h+h*h)
	})
	t.Run("no logits have no probabilities, and no number among them leaves none", func(t *testing.T) {
		check.NearAll(t, "none", policy.LogSoftmax(nil, 1), nil, 0)
		check.NaN(t, "NaN", policy.LogSoftmax([]float64{nan, 0, -inf}, 1)...)
		check.NaN(t, "+∞", policy.LogSoftmax([]float64{0, inf, -inf}, 1)...)
	})
}
