package policy_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

// The three policies over five tokens that the expectations below are summed over.
var (
	z       = logits(20, 5)
	logp    = policy.LogSoftmax(z, 1)               // π
	logOld  = policy.LogSoftmax(logits(21, 5), 1)   // π_old
	logRef  = policy.LogSoftmax(logits(22, 5), 1)   // π_ref
	uniform = policy.LogSoftmax([]float64{0, 0}, 1) // a fair coin
	loaded  = []float64{math.Log(0.25), math.Log(0.75)}
)

// sumBound bounds an expectation over five tokens of something that makes a few roundings of
// numbers up to 32.
const sumBound = 5 * 8 * 32 * u

func TestKL(t *testing.T) {
	// ½ log(½/¼) + ½ log(½/¾) = ½ log(4/3); ¼ log(¼/½) + ¾ log(¾/½) = ¾ log 3 − log 2.
	t.Run("of a fair and a loaded coin it is ½ log(4/3), the other way round ¾ log 3 − log 2", func(t *testing.T) {
		check.Near(t, "KL", policy.KL(uniform, loaded), math.Log(4./3)/2, 8*u)
		check.Near(t, "KL", policy.KL(loaded, uniform), 0.75*math.Log(3)-math.Ln2, 8*u)
	})
	t.Run("of a policy from itself it is 0 exactly", func(t *testing.T) {
		check.Near(t, "KL", policy.KL(logp, logp), 0, 0)
		check.Near(t, "KL of nothing", policy.KL(nil, nil), 0, 0)
	})
	t.Run("it is never negative", rapid.MakeCheck(func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "vocabulary")
		draw := func(name string) []float64 {
			return policy.LogSoftmax(rapid.SliceOfN(rapid.Float64Range(-20, 20), n, n).Draw(t, name), 1)
		}
		if kl := policy.KL(draw("p"), draw("q")); kl < 0 {
			t.Errorf("KL is %v", kl)
		}
	}))
	// q ∝ p e^{hv}, v = (1, 0), p = (¼, ¾): KL = log Σ p e^{hv} − h Σ pv = h²κ₂/2 + h³κ₃/6 +
	// h⁴κ₄/24 + … with the cumulants of a coin. A logit of 1 moves by u, and log p and log q by 2u:
	// 8u/h of δ.
	t.Run("of policies a small step apart it keeps its digits, and its sign", func(t *testing.T) {
		const p, v = 0.25, 0.25 * 0.75
		a := math.Log(1. / 3)
		for h := 1e-2; h > 1e-9; h /= 10 {
			got := policy.KL(policy.LogSoftmax([]float64{a, 0}, 1), policy.LogSoftmax([]float64{a + h, 0}, 1))
			want := h * h * v * (1./2 + h/6*(1-2*p) + h*h/24*(1-6*v))
			check.Near(t, "KL", got, want, want*(16*u/h+h*h*h))
		}
		for seed := range uint64(50) {
			x := logits(seed, 1000)
			y := check.Random(seed+100, 1000, 1e-8)
			for k := range y {
				y[k] += x[k]
			}
			if kl := policy.KL(policy.LogSoftmax(x, 1), policy.LogSoftmax(y, 1)); !(kl > 0 && kl < 1e-15) {
				t.Errorf("KL is %v", kl)
			}
		}
	})
	// A sum of 4/3 is no rounding: then there is no k3, and the formula is what it says.
	t.Run("of what sums to something else it is the formula as it stands", func(t *testing.T) {
		half, third := math.Log(0.5), math.Log(1./3)
		got := policy.KL([]float64{half, half}, []float64{third, third})
		check.Near(t, "KL", got, math.Log(1.5), 8*u)
		check.Near(t, "KL", got, policy.KLLiteral([]float64{half, half}, []float64{third, third}), 0)
		off := []float64{half + 1e-9, half} // log-probabilities that were kept in float32
		check.Near(t, "KL", policy.KL(off, uniform), policy.KLLiteral(off, uniform), 0)
		check.NaN(t, "KL", policy.KL([]float64{nan, half}, uniform), policy.KL(uniform, []float64{nan, half}))
	})
	t.Run("a token that p alone excludes counts in the sums that have to agree", func(t *testing.T) {
		for h := 1e-3; h > 1e-12; h /= 10 { // p = (1, 0), q = (1−h, h): −log(1−h)
			check.Near(t, "KL", policy.KL([]float64{0, -inf}, []float64{math.Log1p(-h), math.Log(h)}),
				-math.Log1p(-h), 32*u*h)
		}
	})
	t.Run("what leaves the range of numbers is neither 0·∞ nor ∞ − ∞", func(t *testing.T) {
		check.Near(t, "KL", policy.KL([]float64{0, -800}, []float64{0, -inf}), inf, 0)
		check.Near(t, "KL", policy.KL([]float64{0, -800}, []float64{-800, 0}), 800, 0)
		check.Near(t, "literally", policy.KLLiteral([]float64{0, -800}, []float64{0, -inf}), inf, 0)
	})
	t.Run("a token that p excludes adds nothing, one that q alone excludes makes it +∞", func(t *testing.T) {
		check.Near(t, "KL", policy.KL([]float64{0, -inf}, uniform), math.Ln2, 0)
		check.Near(t, "KL", policy.KL([]float64{0, -inf}, []float64{-1, -inf}), 1, 0)
		check.Near(t, "KL", policy.KL(uniform, []float64{0, -inf}), inf, 0)
	})
	t.Run("vocabularies have to agree", func(t *testing.T) {
		check.Panics(t, "policy: the distributions differ in length", func() { policy.KL(logp, uniform) })
		check.Panics(t, "policy: the distributions differ in length", func() { policy.KLLiteral(logp, uniform) })
		check.Panics(t, "policy: the distributions differ in length", func() { policy.KLBackward(logp, uniform) })
	})
}

func TestKLBackward(t *testing.T) {
	zRef := logits(22, 5)
	dp, dq := policy.KLBackward(logp, logRef)
	t.Run("it is the derivative of KL for the logits of either", func(t *testing.T) {
		check.NearAll(t, "dp", dp, check.Gradient(func(z []float64) float64 {
			return policy.KL(policy.LogSoftmax(z, 1), logRef)
		}, z), stepBound)
		check.NearAll(t, "dq", dq, check.Gradient(func(z []float64) float64 {
			return policy.KL(logp, policy.LogSoftmax(z, 1))
		}, zRef), stepBound)
	})
	t.Run("both are 0 between a policy and itself", func(t *testing.T) {
		dp, dq := policy.KLBackward(logp, logp)
		check.NearAll(t, "dp", dp, make([]float64, 5), 0)
		check.NearAll(t, "dq", dq, make([]float64, 5), 0)
	})
	t.Run("for the second it is the difference of the probabilities", func(t *testing.T) {
		_, dq := policy.KLBackward(uniform, loaded)
		check.NearAll(t, "dq", dq, []float64{-0.25, 0.25}, 4*u)
		_, dq = policy.KLBackward([]float64{0, -inf, -inf}, []float64{-inf, 0, -inf})
		check.NearAll(t, "dq", dq, []float64{-1, 1, 0}, 0)
	})
	// q_i − p_i = p_i (e^{−δ} − 1): a step of 10⁻¹² that is exact in log p is exact to a few
	// roundings in the gradient.
	t.Run("of policies a small step apart that difference keeps its digits", func(t *testing.T) {
		near := []float64{-1, -2 + 0x1p-40}
		_, dq := policy.KLBackward([]float64{-1 + 0x1p-40, -2}, near)
		check.Near(t, "dq", dq[0], -math.Exp(-1)*0x1p-40*(1+0x1p-41), 4*u*0x1p-40)
		check.Near(t, "dq", dq[1], math.Exp(-2)*0x1p-40*(1+0x1p-41), 4*u*0x1p-40)
	})
}

func TestK1(t *testing.T) {
	t.Run("its mean over samples of π is KL(π‖π_ref)", func(t *testing.T) {
		check.Near(t, "E[k1]", mean(logp, func(k int) float64 {
			return policy.K1(logp[k], logRef[k])
		}), policy.KL(logp, logRef), sumBound)
	})
	t.Run("a single one is the log-ratio, of either sign, and 0 between equals", func(t *testing.T) {
		check.Near(t, "k1", policy.K1(-1, -3), 2, 0)
		check.Near(t, "k1", policy.K1(-3, -1), -2, 0)
		check.Near(t, "k1", policy.K1(-3, -3), 0, 0)
		check.Near(t, "k1", policy.K1(-inf, -1), -inf, 0)
		check.Near(t, "k1", policy.K1(-1, -inf), inf, 0)
		check.NaN(t, "k1", policy.K1(-inf, -inf))
	})
	t.Run("its derivative is 1", func(t *testing.T) {
		check.Near(t, "∂k1", policy.K1Backward(-1, -3), check.Derivative(func(l float64) float64 {
			return policy.K1(l, -3)
		}, -1), stepBound)
	})
	// The value depends on π, its mean has a gradient; but that acts through what is sampled, and a
	// loss differentiates samples as they are.
	t.Run("as a loss it pulls nowhere, although its mean has a gradient", func(t *testing.T) {
		got := pull(logp, z, func(k int) float64 { return policy.K1Backward(logp[k], logRef[k]) })
		check.NearAll(t, "E[∂k1 ∇ log π]", got, make([]float64, 5), sumBound)
		dp, _ := policy.KLBackward(logp, logRef)
		if math.Abs(dp[0]) < 0.01 {
			t.Errorf("∇KL is %v, too small to tell it from none", dp)
		}
	})
	t.Run("as a reward it pulls towards the reference", func(t *testing.T) {
		got := pull(logp, z, func(k int) float64 { return policy.K1(logp[k], logRef[k]) })
		dp, _ := policy.KLBackward(logp, logRef)
		check.NearAll(t, "E[k1 ∇ log π]", got, dp, sumBound)
	})
}

func TestK2(t *testing.T) {
	t.Run("it is half the square of the log-ratio, whichever way round", func(t *testing.T) {
		check.Near(t, "k2", policy.K2(-1, -3), 2, 0)
		check.Near(t, "k2", policy.K2(-3, -1), 2, 0)
		check.Near(t, "k2", policy.K2(-inf, -1), inf, 0)
		check.Near(t, "k2", policy.K2(-100, 0), 5000, 0)
	})
	// k2 − k3 = −δ³/6 + …, whose mean does not vanish; halving all log-ratios divides the distance
	// by about 8.
	t.Run("its mean is KL(π‖π_ref) to second order, and not beyond", func(t *testing.T) {
		off := func(scale float64) float64 {
			near := make([]float64, 5)
			for k := range near {
				near[k] = z[k] + scale*float64(k*k)
			}
			q := policy.LogSoftmax(near, 1)
			return mean(logp, func(k int) float64 { return policy.K2(logp[k], q[k]) }) - policy.KL(logp, q)
		}
		if ratio := off(0.01) / off(0.005); ratio < 7.5 || ratio > 8.5 {
			t.Errorf("halving the log-ratios divides the distance by %v, want about 8", ratio)
		}
	})
	t.Run("its derivative is the log-ratio", func(t *testing.T) {
		for _, l := range []float64{-5, -1, -0.5} {
			check.Near(t, "∂k2", policy.K2Backward(l, -1), check.Derivative(func(l float64) float64 {
				return policy.K2(l, -1)
			}, l), stepBound)
		}
	})
	// E[log(π/π_ref) ∇ log π] = Σ p_k (log p_k − log q_k) ∇ log p_k, and Σ p_k ∇ log p_k = 0.
	t.Run("as a loss its gradient is that of KL(π‖π_ref)", func(t *testing.T) {
		got := pull(logp, z, func(k int) float64 { return policy.K2Backward(logp[k], logRef[k]) })
		dp, _ := policy.KLBackward(logp, logRef)
		check.NearAll(t, "E[∂k2 ∇ log π]", got, dp, sumBound)
	})
}

func TestK3(t *testing.T) {
	t.Run("its mean over samples of π is KL(π‖π_ref)", func(t *testing.T) {
		check.Near(t, "E[k3]", mean(logp, func(k int) float64 {
			return policy.K3(logp[k], logRef[k])
		}), policy.KL(logp, logRef), sumBound)
	})
	// Σ π (ρ − 1 − log ρ) over what π allows is π_ref of that, less 1, and KL(π‖π_ref).
	t.Run("where π excludes what the reference allows, its mean falls short by the reference's probability of it",
		func(t *testing.T) {
			cut := append([]float64(nil), z...)
			cut[0], cut[3] = -inf, -inf // as top-k or top-p would
			p := policy.LogSoftmax(cut, 1)
			var got float64
			for _, k := range []int{1, 2, 4} {
				got += math.Exp(p[k]) * policy.K3(p[k], logRef[k])
			}
			check.Near(t, "E[k3]", got, policy.KL(p, logRef)-math.Exp(logRef[0])-math.Exp(logRef[3]), sumBound)
		})
	t.Run("it is not, over samples of another policy", func(t *testing.T) {
		off := mean(logOld, func(k int) float64 { return policy.K3(logp[k], logRef[k]) }) - policy.KL(logp, logRef)
		if math.Abs(off) < 0.01 {
			t.Errorf("E_old[k3] is off by %v only", off)
		}
	})
	t.Run("it is 0 between equals and positive otherwise", rapid.MakeCheck(func(t *rapid.T) {
		delta := rapid.Float64Range(-30, 30).Draw(t, "δ")
		if k3 := policy.K3(0, delta); k3 < 0 || k3 == 0 && math.Abs(delta) > 1e-150 {
			t.Errorf("k3 is %v", k3)
		}
		check.Near(t, "k3", policy.K3(delta, delta), 0, 0)
	}))
	t.Run("it is good to 8 roundings, next to 0 too", rapid.MakeCheck(func(t *rapid.T) {
		delta := math.Copysign(
			math.Exp(rapid.Float64Range(-40, 3).Draw(t, "log |δ|")), rapid.Float64Range(-1, 1).Draw(t, "sign"),
		)
		want := exactK3(delta)
		check.Near(t, "k3", policy.K3(0, delta), want, 8*u*want)
	}))
	t.Run("it is the literal formula, as far as that can tell", rapid.MakeCheck(func(t *rapid.T) {
		delta := rapid.Float64Range(-30, 30).Draw(t, "δ")
		e := math.Exp(delta)
		check.Near(t, "k3", policy.K3(0, delta), e-1-delta, 4*u*(e+math.Abs(delta)+1))
	}))
	// The upper number is the right one, the lower has the ratio upside down.
	t.Run("upside down it agrees to second order only", func(t *testing.T) {
		for _, c := range []struct{ difference, right, wrong float64 }{
			{0.1, 0.0048, 0.0052}, {1, 0.368, 0.718}, {5, 4.0, 142},
		} {
			check.Near(t, "k3", policy.K3(c.difference, 0), c.right, 0.01*c.right)
			check.Near(t, "k3 upside down", policy.K3(0, c.difference), c.wrong, 0.01*c.wrong)
		}
	})
	t.Run("log-ratios of ±100 stay numbers, a token that one policy excludes has +∞, one that both do none",
		func(t *testing.T) {
			check.Near(t, "k3", policy.K3(-100, 0), math.Exp(100), 2*u*math.Exp(100))
			check.Near(t, "k3", policy.K3(0, -100), 99, 0)
			check.Near(t, "k3", policy.K3(-inf, -1), inf, 0)
			check.Near(t, "k3", policy.K3(-1, -inf), inf, 0)
			check.NaN(t, "k3", policy.K3(-inf, -inf))
		})
}

// exactK3 sums δ²/2 + δ³/6 + … in 300 bits.
func exactK3(delta float64) float64 {
	x := new(big.Float).SetPrec(300).SetFloat64(delta)
	term, sum := new(big.Float).SetPrec(300).Copy(x), new(big.Float).SetPrec(300)
	for n := 2.0; n < 150; n++ {
		term.Mul(term, x).Quo(term, big.NewFloat(n))
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

func TestK3Backward(t *testing.T) {
	t.Run("it is the derivative of K3", func(t *testing.T) {
		for _, l := range []float64{-3, -1.2, -1, -0.7, 1} {
			check.Near(t, "∂k3", policy.K3Backward(l, -1), check.Derivative(func(l float64) float64 {
				return policy.K3(l, -1)
			}, l), stepBound)
		}
	})
	// E_π[(1−ρ) ∇ log π] = −Σ q_k ∇ log p_k, and ∇ KL(q‖p) = −Σ q_k ∇ log p_k.
	t.Run("as a loss its gradient is that of KL(π_ref‖π), not of KL(π‖π_ref)", func(t *testing.T) {
		got := pull(logp, z, func(k int) float64 { return policy.K3Backward(logp[k], logRef[k]) })
		_, want := policy.KLBackward(logRef, logp)
		check.NearAll(t, "E[∂k3 ∇ log π]", got, want, sumBound)
		other, _ := policy.KLBackward(logp, logRef)
		if math.Abs(got[0]-other[0]) < 0.01 {
			t.Errorf("the gradients %v and %v are too close to tell", got, other)
		}
	})
	t.Run("it goes to 1 where π ≫ π_ref and has no bound where π ≪ π_ref", func(t *testing.T) {
		check.Near(t, "∂k3", policy.K3Backward(0, -100), 1, 0)
		check.Near(t, "∂k3", policy.K3Backward(0, -inf), 1, 0)
		check.Near(t, "∂k3", policy.K3Backward(-100, 0), -math.Exp(100), 2*u*math.Exp(100))
		check.Near(t, "∂k3", policy.K3Backward(-inf, -1), -inf, 0)
	})
}

func TestK3Limited(t *testing.T) {
	t.Run("inside the limit it is K3, to the bit, and without one everywhere", rapid.MakeCheck(func(t *rapid.T) {
		l, ref := rapid.Float64Range(-9, 0).Draw(t, "log π"), rapid.Float64Range(-9, 0).Draw(t, "log π_ref")
		check.Near(t, "k3", policy.K3Limited(l, ref, 20), policy.K3(l, ref), 0)
		// rounded, or some processors fuse the product with the difference that follows
		wide, wideRef := float64(40*l), float64(40*ref)
		check.Near(t, "k3", policy.K3Limited(wide, wideRef, 0), policy.K3(wide, wideRef), 0)
		check.Near(t, "∂k3", policy.K3LimitedBackward(l, ref, 20), policy.K3Backward(l, ref), 0)
		check.Near(t, "∂k3", policy.K3LimitedBackward(wide, wideRef, 0), policy.K3Backward(wide, wideRef), 0)
	}))
	t.Run("beyond it is K3 at the limit, finite for a token that one policy excludes", func(t *testing.T) {
		for _, l := range []float64{-4, -100, -inf} {
			check.Near(t, "k3", policy.K3Limited(l, -1, 2), policy.K3(-2, 0), 0)
			check.Near(t, "k3", policy.K3Limited(-1, l, 2), policy.K3(2, 0), 0)
		}
		check.NaN(t, "k3", policy.K3Limited(-inf, -inf, 2))
	})
	t.Run("its derivative is that of the inside on the limit, and 0 beyond", func(t *testing.T) {
		for _, l := range []float64{-3.5, -2.9, -1, 0.9, 1.5} {
			check.Near(t, "∂k3", policy.K3LimitedBackward(l, -1, 2), check.Derivative(func(l float64) float64 {
				return policy.K3Limited(l, -1, 2)
			}, l), stepBound)
		}
		check.Near(t, "∂k3 on the limit", policy.K3LimitedBackward(-3, -1, 2), 1-math.Exp(2), 16*u)
		check.Near(t, "∂k3 of an excluded token", policy.K3LimitedBackward(-inf, -1, 2), 0, 0)
	})
	t.Run("k1 and k2 of a limited log-ratio are theirs of LogRatio and 0", func(t *testing.T) {
		check.Near(t, "k1", policy.K1(policy.LogRatio(-1, -9, 5), 0), 5, 0)
		check.Near(t, "k2", policy.K2(policy.LogRatio(-9, -1, 5), 0), 12.5, 0)
	})
}

func TestK3Weighted(t *testing.T) {
	// E_old[π/π_old k3] = E_π[k3]
	t.Run("its mean over samples of π_old is KL(π‖π_ref)", func(t *testing.T) {
		got := mean(logOld, func(k int) float64 { return policy.K3Weighted(logp[k], logOld[k], logRef[k]) })
		check.Near(t, "E_old[r k3]", got, policy.KL(logp, logRef), sumBound)
	})
	t.Run("it is, too, where π excludes a token that π_old samples", func(t *testing.T) {
		cut := append([]float64(nil), z...)
		cut[0], cut[3] = -inf, -inf
		p := policy.LogSoftmax(cut, 1)
		got := mean(logOld, func(k int) float64 { return policy.K3Weighted(p[k], logOld[k], logRef[k]) })
		check.Near(t, "E_old[r k3]", got, policy.KL(p, logRef), sumBound)
		dz := pull(logOld, cut, func(k int) float64 { return policy.K3WeightedBackward(p[k], logOld[k], logRef[k]) })
		want, _ := policy.KLBackward(p, logRef)
		check.NearAll(t, "gradient", dz, want, sumBound)
	})
	t.Run("on the policy's own samples it is k3, with another derivative", func(t *testing.T) {
		check.Near(t, "r k3", policy.K3Weighted(-2, -2, -1), policy.K3(-2, -1), 0)
		check.Near(t, "∂(r k3)", policy.K3WeightedBackward(-2, -2, -1), policy.K2Backward(-2, -1), 0)
	})
	t.Run("its derivative is −rδ", func(t *testing.T) {
		for _, l := range []float64{-4, -1.5, -1, -0.25} {
			check.Near(t, "∂(r k3)", policy.K3WeightedBackward(l, -1, -1.5), check.Derivative(func(l float64) float64 {
				return policy.K3Weighted(l, -1, -1.5)
			}, l), stepBound)
		}
	})
	t.Run("as a loss its gradient is that of KL(π‖π_ref), from samples of π_old", func(t *testing.T) {
		got := pull(logOld, z, func(k int) float64 { return policy.K3WeightedBackward(logp[k], logOld[k], logRef[k]) })
		want, _ := policy.KLBackward(logp, logRef)
		check.NearAll(t, "E_old[∂(r k3) ∇ log π]", got, want, sumBound)
	})
	// r k3 = π_ref/π_old − r (1 + δ), and r δ → 0 with r.
	t.Run("where π excludes the token it is π_ref/π_old, with derivative 0", func(t *testing.T) {
		check.Near(t, "r k3", policy.K3Weighted(-inf, -4, -1), math.Exp(3), 0)
		check.Near(t, "r k3 nearly there", policy.K3Weighted(-60, -4, -1), math.Exp(3), 8*20*u)
		check.Near(t, "∂(r k3)", policy.K3WeightedBackward(-inf, -2, -1), 0, 0)
		check.Near(t, "r k3, r = e⁻⁸⁰⁰", policy.K3Weighted(-804, -4, -1), math.Exp(3), 0)
		check.Near(t, "r k3, π_ref = 0", policy.K3Weighted(-804, -4, -inf), inf, 0)
		check.Near(t, "∂(r k3), π_ref = 0", policy.K3WeightedBackward(-804, -4, -inf), inf, 0)
		check.Near(t, "r k3, r = ∞", policy.K3Weighted(-2, -inf, -1), inf, 0)
		check.Near(t, "r k3, r = e⁸⁰⁰", policy.K3Weighted(-2, -802, -1), inf, 0)
	})
	t.Run("between equals it is 0, even of a ratio that overflowed", func(t *testing.T) {
		check.Near(t, "r k3", policy.K3Weighted(-2, -inf, -2), 0, 0)
		check.Near(t, "∂(r k3)", policy.K3WeightedBackward(-2, -inf, -2), 0, 0)
		check.NaN(t, "no reference", policy.K3Weighted(-2, -1, nan), policy.K3WeightedBackward(nan, -1, nan))
		check.NaN(t, "no sampler", policy.K3WeightedBackward(-2, nan, -2))
	})
}
