package ppo_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
	"plumbline/rl"
)

// # From TRPO to PPO
//
// Samples come from π_old, and are too dear for one small step. The surrogate says from them what
// another policy π would be worth; TRPO bounds how far it may be believed, PPO clips it instead.
//
//	L(π) = E_{a ∼ π_old}[r A],  r = π(a|s)/π_old(a|s)
//
// Of one state with five actions expectations are sums; where states count, the world is a process
// of two states that is solved exactly. TRPO is Schulman et al. 2015, PPO Schulman et al. 2017.
func TestDerivationFromTRPO(t *testing.T) {
	zOld := check.Random(51, 5, 1)
	old := policy.LogSoftmax(zOld, 1)
	a := advantages(old, check.Random(52, 5, 2))
	const bound = 5 * 32 * u

	// Importance sampling: dividing by the probability that the token was sampled with makes any
	// mean over π one over π_old.
	//
	//	Σ_a π(a) A(a) = Σ_a π_old(a) π(a)/π_old(a) A(a) = E_{a ∼ π_old}[r A]
	t.Run("weighted by the ratio, samples of the old policy tell what a new one is worth", func(t *testing.T) {
		logp := policy.LogSoftmax(check.Random(53, 5, 2), 1)
		var want float64
		for k := range logp {
			want += math.Exp(logp[k]) * a[k]
		}
		check.Near(t, "L", surrogate(old, logp, a, ppo.Surrogate), want, bound)
	})

	// ∇r = r ∇log π, and r is 1 where the policies are one. So the first step on a batch is the
	// policy gradient's, and only the later ones differ.
	//
	//	L(π_old) = E[A],  ∇L at π_old = E_{a ∼ π_old}[A ∇log π(a|s)]
	t.Run("at the old policy its gradient is the policy gradient", func(t *testing.T) {
		slope := check.Gradient(func(z []float64) float64 {
			return surrogate(old, policy.LogSoftmax(z, 1), a, ppo.Surrogate)
		}, zOld)
		check.NearAll(t, "∇L", slope, check.Mean(old, func(k int) []float64 {
			_, d := ppo.PolicyGradientLoss(old[k], a[k])
			return floats.ScaleTo(make([]float64, 5), -d, policy.LogProbBackward(zOld, k, 1))
		}), stepBound)
	})

	// The ratio corrects the actions and not the states: those are visited as π_old does. Here the
	// step leads more often into a state where it does worse, which π_old hardly ever sees. L, over
	// these visits and counted from η(π_old) on, then promises what the return η does not keep.
	// Less a price for the divergence it is a lower bound, and a policy that raises the bound is
	// better for certain: TRPO (9).
	//
	//	η(π) ≥ L(π) − C max_s KL(π_old ‖ π),  C = 4 ε γ/(1−γ)²,  ε = max |A|
	t.Run("far from it the surrogate promises too much; less a price for the divergence it is a lower bound",
		func(t *testing.T) {
			w, broken := newWorld(), 0
			for scale := 0.0; scale <= 3; scale += 0.25 {
				local, eta, price := w.at(scale)
				if local > eta+0.1 {
					broken++
				}
				if local-price > eta+1000*u {
					t.Errorf("step %v: L = %v less %v, η = %v", scale, local, price, eta)
				}
			}
			if broken == 0 {
				t.Error("L itself was never above η")
			}
		})

	// In this world the return grows for a quarter of the step, and the bound sees a gain for less
	// than a tenth of that. TRPO therefore takes a limit δ in the place of the price, and has to
	// solve for a direction with second derivatives, and search along it.
	//
	//	max_π L(π) such that mean_s KL(π_old ‖ π) ≤ δ
	t.Run("the price is so high that the bound allows hardly any step", func(t *testing.T) {
		w := newWorld()
		start := w.eta(w.old)
		for scale, gain := range map[float64]bool{1. / 64: true, 1. / 40: false, 1. / 4: false} {
			local, eta, price := w.at(scale)
			if local-price > start != gain || eta <= start {
				t.Errorf("step %v: L = %v less %v, η = %v after %v", scale, local, price, eta, start)
			}
		}
	})

	// PPO needs first derivatives alone: it takes L, and stops counting what a ratio gains beyond 1
	// ± ε.
	//
	//	L_clip = E[min(r A, clip(r, 1−ε, 1+ε) A)]
	t.Run("the clip takes away what a ratio beyond 1 ± ε gains in the advantage's direction", func(t *testing.T) {
		for r := 0.0; r <= 3; r += 1. / 16 {
			for _, advantage := range []float64{-2, 0.5} {
				_, d := ppo.Clip(r, advantage, 0.25, 0.25)
				_, plain := ppo.Surrogate(r, advantage)
				if advantage > 0 && r > 1.25 || advantage < 0 && r < 0.75 {
					plain = 0
				}
				check.Near(t, "∂L/∂ log π", d, plain, 0)
			}
		}
	})

	// The minimum of two is never above either: what is promised is never more than the surrogate
	// promises. For ratios within the clip it is the surrogate, with its gradient.
	//
	//	L_clip ≤ L,  L_clip = L and ∇L_clip = ∇L for r ∈ [1−ε, 1+ε]
	t.Run("so it is a pessimistic surrogate, the same one near the old policy", func(t *testing.T) {
		clip := func(r, a float64) (loss, d float64) { return ppo.Clip(r, a, 0.2, 0.2) }
		for seed := range uint64(40) {
			step := check.Random(100+seed, 5, []float64{0.05, 2}[seed%2])
			floats.Add(step, zOld)
			logp := policy.LogSoftmax(step, 1)
			clipped, plain := surrogate(old, logp, a, clip), surrogate(old, logp, a, ppo.Surrogate)
			if seed%2 == 0 { // logits 0.05 away: ratios within e^±0.1
				check.Near(t, "L_clip", clipped, plain, 0)
			}
			if clipped > plain {
				t.Errorf("L_clip = %v, L = %v", clipped, plain)
			}
		}
	})

	// Beyond the clip the gradient is 0: nothing brings a ratio back that one large step, or the
	// steps of other tokens, have carried there. And an action that became likelier although it was
	// bad is not clipped at all: its loss grows with r, which the dual clip bounds.
	//
	//	∂L_clip/∂log π = 0 for r > 1+ε and A > 0
	//	L_clip = r A → −∞ for r → ∞ and A < 0
	t.Run("but it keeps no ratio within the clip, and bounds no loss of a bad action", func(t *testing.T) {
		_, d := ppo.Clip(5, 1, 0.2, 0.2)
		check.Near(t, "pull on r = 5, A = 1", d, 0, 0)
		for _, r := range []float64{10, 1000} {
			check.Both(t, "A = −1", func() (float64, float64) { return ppo.Clip(r, -1, 0.2, 0.2) }, r, r, 0)
			check.Both(t, "dual", func() (float64, float64) { return ppo.DualClip(r, -1, 0.2, 0.2, 3) }, 3, 0, 0)
		}
	})
}

// advantages returns rewards less their mean under a policy.
func advantages(logp, reward []float64) []float64 {
	mean := check.Mean(logp, func(k int) []float64 { return reward[k : k+1] })[0]
	return floats.AddScaledTo(make([]float64, len(reward)), reward, -mean, []float64{1, 1, 1, 1, 1})
}

// surrogate returns the mean over samples of the old policy of what a loss stands for, less its
// sign.
func surrogate(old, logp, a []float64, loss func(r, a float64) (loss, d float64)) float64 {
	return -check.Mean(old, func(k int) []float64 {
		l, _ := loss(policy.Ratio(logp[k], old[k], 0), a[k])
		return []float64{l}
	})[0]
}

// world is a process of two states and two actions with a policy, and a direction to change it in.
// From the first state the second action leads to the second, where the first action pays 1 and the
// second costs 1.
type world struct {
	rl.Process
	old, step *mat.Dense
}

const gamma = 0.75

func newWorld() world {
	p := func(x ...float64) *mat.Dense { return mat.NewDense(2, 2, x) }
	m := rl.Process{
		P: []*mat.Dense{p(1, 0, 0.5, 0.5), p(0, 1, 0.5, 0.5)},
		R: p(0, 0, 1, -1), Start: []float64{1, 0},
	}
	return world{m, p(1, -1, 1, -1), p(-1, 1, -1, 1)}
}

func (w world) eta(z *mat.Dense) float64 { return w.Return(softmax(z), gamma) }

// at returns what the surrogate promises of the policy so far along the step, what it brings, and
// the price of the divergence.
func (w world) at(scale float64) (local, eta, price float64) {
	var z mat.Dense
	z.Scale(scale, w.step)
	z.Add(&z, w.old)
	pi, v := softmax(w.old), w.Values(softmax(w.old), gamma)
	a := rl.Advantages(w.ActionValues(v, gamma), v)
	local = rl.LocalObjective(w.eta(w.old), w.Visits(pi, gamma), softmax(&z), a)
	var kl float64
	for s := range 2 {
		kl = max(kl, policy.KL(policy.LogSoftmax(w.old.RawRowView(s), 1), policy.LogSoftmax(z.RawRowView(s), 1)))
	}
	return local, w.eta(&z), kl * rl.Penalty(max(mat.Max(a), -mat.Min(a)), gamma)
}

// softmax returns the policy of a table of logits.
func softmax(z *mat.Dense) *mat.Dense {
	pi := mat.DenseCopyOf(z)
	for s := range pi.RawMatrix().Rows {
		for a, l := range policy.LogSoftmax(z.RawRowView(s), 1) {
			pi.Set(s, a, math.Exp(l))
		}
	}
	return pi
}
