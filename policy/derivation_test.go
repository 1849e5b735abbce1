package policy_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/policy"
)

// # Why a baseline costs nothing
//
// The policy gradient is a mean over what the policy samples: of one token a, with reward r(a),
//
//	∇J = E_π[r(a) ∇log π(a)]
//
// A sample of it swings with the size of r, even where all rewards are nearly the same and there is
// hardly anything to learn. A baseline b is taken off the reward to calm it. Tokens are five here,
// and expectations are sums over them. Williams 1992; Sutton and Barto, section 13.4.
func TestDerivationBaseline(t *testing.T) {
	r := check.Random(41, 5, 2)
	exact := pull(logp, z, func(a int) float64 { return r[a] })
	square := func(f func(a int) float64) float64 { // E[f ‖∇log π‖²]
		return mean(logp, func(a int) float64 {
			g := policy.LogProbBackward(z, a, 1)
			return f(a) * floats.Dot(g, g)
		})
	}
	moment := func(b float64) float64 { return square(func(a int) float64 { return (r[a] - b) * (r[a] - b) }) }
	size := square(func(int) float64 { return 1 })
	best := square(func(a int) float64 { return r[a] }) / size
	value := mean(logp, func(a int) float64 { return r[a] })

	// A policy always has all of the probability, however θ moves it about.
	//
	//	E_π[∇log π(a)] = Σ_a π(a) ∇π(a)/π(a) = ∇ Σ_a π(a) = ∇1 = 0
	t.Run("the score has mean 0: probabilities sum to 1 for every θ", func(t *testing.T) {
		score := pull(logp, z, func(int) float64 { return 1 })
		check.NearAll(t, "E[∇log π]", score, make([]float64, 5), sumBound)
	})

	// b is a number when the token is drawn, and b times 0 is 0. It may be anything that the token
	// has no part in: a constant, a function of the state, the rewards of other samples.
	//
	//	E_π[(r(a) − b) ∇log π(a)] = E_π[r(a) ∇log π(a)] − b E_π[∇log π(a)] = ∇J
	t.Run("so taking any number off the reward leaves the mean as it is", func(t *testing.T) {
		for _, b := range []float64{-10, -0.5, best, value, 30} {
			got := pull(logp, z, func(a int) float64 { return r[a] - b })
			check.NearAll(t, "∇J", got, exact, sumBound)
		}
	})

	// The mean is fixed, so the variance is what is left of the mean square, a parabola in b with
	// its bottom at b_0.
	//
	//	E[(r−b)² ‖∇log π‖²] = E[(r−b_0)² ‖∇log π‖²] + (b−b_0)² E[‖∇log π‖²]
	//	b_0 = E[r ‖∇log π‖²]/E[‖∇log π‖²]
	t.Run("the variance is a parabola in the baseline", func(t *testing.T) {
		for _, b := range []float64{-3, 0, value, best, 2} {
			want := moment(best) + (b-best)*(b-best)*size
			check.Near(t, "E‖g‖²", moment(b), want, sumBound)
		}
	})

	// What all tokens share says nothing about which is better, but a sample without a baseline is
	// mostly that: a reward of 128 for everybody makes its mean square a thousand times as large,
	// and more. The mean reward V = E[r], which a critic or a group of samples estimates, takes it
	// away.
	//
	//	b = V = E_π[r(a)]:  r(a) + c − (V + c) = r(a) − V
	t.Run("the mean reward takes away what all tokens have in common", func(t *testing.T) {
		const c = 128
		shifted := square(func(a int) float64 { return (r[a] + c) * (r[a] + c) })
		if shifted < 1000*moment(value) {
			t.Errorf("E‖g‖² is %v, with the mean %v", shifted, moment(value))
		}
		both := mean(logp, func(a int) float64 { return r[a] + c })
		check.Near(t, "V + c", both, value+c, c*sumBound)
		check.Near(t, "E‖g‖²", square(func(a int) float64 {
			return (r[a] + c - both) * (r[a] + c - both)
		}), moment(value), c*sumBound)
	})

	// If b depends on the token it goes with that token's score, and no longer averages out. The
	// extreme is the reward itself: nothing is left to learn from. The mean of a group that the
	// sample is part of is such a baseline, by one part in G.
	//
	//	E_π[(r(a) − b(a)) ∇log π(a)] = ∇J − E_π[b(a) ∇log π(a)]
	t.Run("but a baseline that knows the token takes part of the gradient with it", func(t *testing.T) {
		for _, share := range []float64{0.25, 1} {
			got := pull(logp, z, func(a int) float64 { return r[a] - share*r[a] })
			want := floats.ScaleTo(make([]float64, 5), 1-share, exact)
			check.NearAll(t, "what is left", got, want, sumBound)
		}
		check.Apart(t, "‖∇J‖", floats.Norm(exact, 2), 0, 0.1)
	})
}

// # k3 is unbiased
//
// GRPO adds to its loss how far the policy π is from a reference, estimated from the one token that
// was sampled. With δ = log π_ref − log π of that token,
//
//	KL(π ‖ π_ref) = E_π[−δ],  k3 = e^δ − 1 − δ
//
// and the question is why k3 may stand for −δ. Schulman, Approximating KL Divergence, 2020;
// DeepSeekMath (4).
func TestDerivationK3(t *testing.T) {
	kl := policy.KL(logp, logRef)

	// This is the definition of the divergence. But one −δ says little: it is negative for every
	// token that the reference likes better, and a divergence never is.
	//
	//	E_π[k1] = E_π[log π − log π_ref] = KL(π ‖ π_ref),  k1 = −δ
	t.Run("the log-ratio of a sampled token is unbiased, and often negative", func(t *testing.T) {
		negative := 0
		check.Near(t, "E[k1]", mean(logp, func(k int) float64 {
			if policy.K1(logp[k], logRef[k]) < 0 {
				negative++
			}
			return policy.K1(logp[k], logRef[k])
		}), kl, sumBound)
		if negative == 0 {
			t.Error("of no token")
		}
	})

	// Both policies sum to 1 over the vocabulary.
	//
	//	E_π[e^δ − 1] = Σ_x π(x) π_ref(x)/π(x) − 1 = Σ_x π_ref(x) − 1 = 0
	t.Run("the ratio less 1 has mean 0", func(t *testing.T) {
		ratio := mean(logp, func(k int) float64 { return policy.Ratio(logRef[k], logp[k], 0) - 1 })
		check.Near(t, "E[e^δ − 1]", ratio, 0, sumBound)
	})

	// Something with a known mean that goes up when the estimate goes down is a control variate:
	// added, it changes no mean and takes away variance.
	//
	//	E_π[−δ + λ (e^δ − 1)] = KL(π ‖ π_ref) for every λ
	t.Run("so any multiple of it may be added", func(t *testing.T) {
		for _, lambda := range []float64{-1, 0.5, 1, 3} {
			check.Near(t, "E", mean(logp, func(k int) float64 {
				return policy.K1(logp[k], logRef[k]) + lambda*math.Expm1(logRef[k]-logp[k])
			}), kl, 4*sumBound)
		}
		k3 := mean(logp, func(k int) float64 { return policy.K3(logp[k], logRef[k]) })
		check.Near(t, "E[k3]", k3, kl, sumBound)
	})

	// The tangent of e^δ at 0 is 1 + δ, and a convex function lies above its tangents. With another
	// λ the line through 0 is no tangent, and cuts the curve.
	//
	//	λ (e^δ − 1) − δ ≥ 0 for all δ exactly if λ = 1
	t.Run("and λ = 1 is the one that is never negative", func(t *testing.T) {
		for delta := -4.0; delta <= 4; delta += 0x1p-6 {
			if k3 := policy.K3(0, delta); k3 < 0 || k3 == 0 && delta != 0 {
				t.Errorf("k3(%v) = %v", delta, k3)
			}
		}
		for lambda, delta := range map[float64]float64{0.9: 0.05, 1.1: -0.05} {
			if got := lambda*math.Expm1(delta) - delta; got >= 0 {
				t.Errorf("λ = %v at δ = %v: %v", lambda, delta, got)
			}
		}
	})

	// For a policy that has hardly moved k1 is of the size of δ and k3 of the size of δ². Halve all
	// log-ratios, and the variance of k1 goes down to a quarter, that of k3 to a sixteenth.
	//
	//	Var[k1] ≈ E[δ²],  k3 = δ²/2 + δ³/6 + …,  Var[k3] ≈ Var[δ²]/4
	t.Run("beside the reference its variance is of fourth order, that of k1 of second", func(t *testing.T) {
		far, near := beside(0.01), beside(0.005)
		for _, k := range []struct {
			name  string
			k     func(logprob, ref float64) float64
			ratio float64
		}{{"k1", policy.K1, 4}, {"k3", policy.K3, 16}} {
			// Terms beyond are smaller by δ, some hundredths.
			check.Near(t, k.name, variance(far, k.k)/variance(near, k.k), k.ratio, 0.05*k.ratio)
		}
		if a, b := variance(far, policy.K3), variance(far, policy.K1); a > b/100 {
			t.Errorf("Var[k3] = %v, Var[k1] = %v", a, b)
		}
	})

	// A loss is differentiated with its samples held fixed. What k3 then pulls along is the other
	// divergence, which asks π to be wherever the reference is; DeepSeek-V3.2 multiplies by the
	// ratio, and has the right one.
	//
	//	E_π[∂k3/∂log π ∇log π] = E_π[(1 − e^δ) ∇log π] = −Σ_x π_ref ∇log π = ∇KL(π_ref ‖ π)
	t.Run("but its gradient is not that of what it estimates: it is that of KL(π_ref ‖ π)", func(t *testing.T) {
		got := pull(logp, z, func(k int) float64 { return policy.K3Backward(logp[k], logRef[k]) })
		_, other := policy.KLBackward(logRef, logp)
		check.NearAll(t, "∇k3", got, other, sumBound)
		dp, _ := policy.KLBackward(logp, logRef)
		check.Apart(t, "∇KL(π ‖ π_ref)", floats.Distance(got, dp, 2), 0, 0.1)
		weighted := pull(logOld, z, func(k int) float64 {
			return policy.K3WeightedBackward(logp[k], logOld[k], logRef[k])
		})
		check.NearAll(t, "∇(r k3)", weighted, dp, sumBound)
	})

	// A token that π never samples is in no sample of E[e^δ], which then lacks its share of π_ref.
	// A sampler that cuts off the tail, top-k or top-p, makes such a policy of any.
	//
	//	E_π[k3] = KL(π ‖ π_ref) − Σ_{x: π(x) = 0} π_ref(x)
	t.Run("but where π excludes what the reference allows, it falls short by that much", func(t *testing.T) {
		cut := policy.LogSoftmax([]float64{z[0], z[1], z[2], -inf, -inf}, 1)
		k3 := mean(cut[:3], func(k int) float64 { return policy.K3(cut[k], logRef[k]) })
		missing := math.Exp(logRef[3]) + math.Exp(logRef[4])
		check.Near(t, "E[k3]", k3, policy.KL(cut, logRef)-missing, sumBound)
	})
}

// beside returns a policy and one whose logits are up to scale away.
func beside(scale float64) [2][]float64 {
	moved := floats.AddScaledTo(make([]float64, 5), z, scale, check.Random(42, 5, 1))
	return [2][]float64{logp, policy.LogSoftmax(moved, 1)}
}

// variance returns that of an estimator over samples of the first policy.
func variance(of [2][]float64, estimate func(logprob, ref float64) float64) float64 {
	at := func(k int) float64 { return estimate(of[0][k], of[1][k]) }
	m := mean(of[0], at)
	return mean(of[0], func(k int) float64 { return (at(k) - m) * (at(k) - m) })
}
