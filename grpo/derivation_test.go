package grpo

import (
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

// # From PPO to GRPO
//
// PPO needs to know how much better each token o_t was than what was to be expected, and trains a
// second network, the critic V, to say what was. GRPO asks the policy instead: it answers the same
// question G times, and an answer is as good as it is better than the others.
//
//	Â_i = (r_i − mean(r_1 … r_G)) / std(r_1 … r_G)
//
// A question here has three answers of one token each, with rewards 1, ½ and 0, so that all groups
// of three can be listed with their probabilities. DeepSeekMath, section 4.1; RLOO is Ahmadian et
// al. 2024, Dr. GRPO is Liu et al. 2025.
func TestDerivationFromPPO(t *testing.T) {
	z, reward := []float64{0.3, -0.4, 0.9}, []float64{1, 0.5, 0}
	exact := expected(z, func(o int) float64 { return reward[o] })

	// An answer is judged when it is complete, and there is no reason to discount its tokens.
	// Generalised advantage estimation with γ = λ = 1 then tells every token the same, but for V.
	//
	//	Â_t = Σ_l δ_{t+l} = r − V_t,  δ_t = r_t + V_{t+1} − V_t
	t.Run("with one reward at the end the advantage of a token is that reward less a baseline", func(t *testing.T) {
		values := check.Random(61, 6, 1)
		got, _ := ppo.GAE([]float64{0, 0, 0, 0, 0, 0.75}, values, nil, 0, 1, 1)
		for i, v := range values {
			check.Near(t, "Â", got[i], 0.75-v, 32*u)
		}
	})

	// A baseline may be anything that the answer has no part in. Other answers to the same question
	// have no part in it, and their mean reward estimates what V is trained to be.
	//
	//	Â_i = r_i − 1/(G−1) Σ_{j ≠ i} r_j,  E[1/G Σ_i Â_i ∇log π(o_i)] = ∇J
	t.Run("the mean of the other answers is such a baseline, and needs no critic", func(t *testing.T) {
		check.NearAll(t, "∇J", groups(z, reward, RLOO), exact, 64*u)
		check.Apart(t, "∇J", exact[0], 0, 0.05)
	})

	// The mean of all answers is easier to write. The answer's own share of it, r_i/G, goes with
	// its own score and takes ∇J/G away: the direction is right, and 7/8 of the length for G = 8,
	// which the learning rate absorbs.
	//
	//	r_i − mean(r) = (G−1)/G (r_i − 1/(G−1) Σ_{j ≠ i} r_j)
	//	E[1/G Σ_i (r_i − mean(r)) ∇log π(o_i)] = (G−1)/G ∇J
	t.Run("less the mean of all is (G−1)/G of that, and so is its gradient", func(t *testing.T) {
		for g := 2; g <= 64; g *= 2 {
			r := check.Random(uint64(g), g, 1)
			others := RLOO(r)
			for i, a := range Centered(r) {
				check.Near(t, "A", a, float64(g-1)/float64(g)*others[i], float64(4*g+16)*u)
			}
		}
		for k, g := range groups(z, reward, Centered) {
			check.Near(t, "∇J", g, exact[k]*2/3, 64*u)
		}
	})

	// Tasks have rewards of many sizes, and a question that hardly any answer solves has a small
	// spread. Divided by its deviation each group has advantages of one size.
	//
	//	Σ_i Â_i² = G,  Â_i(c r + b) = Â_i(r) for c > 0
	t.Run("divided by the standard deviation, rewards of any size teach alike", func(t *testing.T) {
		for seed := range uint64(10) {
			r := check.Random(seed, 8, 1)
			a, scaled := Normalize(r, Population, 0), make([]float64, 8)
			for i := range r {
				scaled[i] = 16*r[i] + 4
			}
			check.Near(t, "Σ Â²", squares(a), 8, 8*64*u)
			check.NearAll(t, "Â(16 r + 4)", Normalize(scaled, Population, 0), a, 1000*u)
		}
	})

	// Ratio, clip and the mean over tokens stay PPO's; the divergence moves from the reward, where
	// it would be part of the comparison within a group, into the loss, as k3. At the first step on
	// a batch the ratio is 1, and a token is pushed by
	//
	//	−∂L/∂log π = Â + β (π_ref/π − 1)
	t.Run("what is left of PPO is the ratio and its clip, with the divergence beside them", func(t *testing.T) {
		for seed := range uint64(10) {
			x := check.Random(70+seed, 3, 1)
			a, logprob, ref := x[0], x[1]-2, x[2]-2
			_, d := GRPO(1, a, logprob, ref, 0.2, 0.04)
			check.Near(t, "push", -d, policy.CoefficientGRPO(a, logprob, ref, 0.04), 8*u)
			clipped, _ := ppo.Clip(math.Exp(x[2]), a, 0.2, 0.2)
			loss, _ := GRPO(math.Exp(x[2]), a, logprob, logprob, 0.2, 0.04)
			check.Near(t, "loss where π = π_ref", loss, clipped, 0)
		}
	})

	// The deviation is made of the answers themselves, each with its own score, and it is another
	// one for each question: the one right answer of 16 counts 4.1 times what it does in Dr. GRPO,
	// one of eight right ones 2 times. Dr. GRPO does not divide, and keeps the mean reward for what
	// it climbs.
	//
	//	Â_i = √((1−p)/p) for the right of a share p,  r_i − mean(r) = 1−p
	t.Run("but a deviation made of the sample bends the gradient away from the mean reward's", func(t *testing.T) {
		bent := groups(z, reward, func(r []float64) []float64 { return Normalize(r, Population, 0) })
		check.Apart(t, "direction", bent[0]/bent[1], exact[0]/exact[1], 0.1)
		for k, want := range map[int]float64{1: 4.13, 8: 2} {
			r := binary(k, 16)
			check.Near(t, "weight", Normalize(r, Population, 0)[0]/Centered(r)[0], want, 0.005)
		}
	})

	// A token beyond the clip has no gradient, and so the rare token that turned out well, whose
	// ratio grew, stops teaching just then. GPPO has the same values, and lets the gradient through
	// as if the ratio were on the bound.
	//
	//	−∂L/∂log π = (1+ε_h) Â for r > 1+ε_h and Â > 0
	//	−∂L/∂log π = (1−ε_l) Â for r < 1−ε_l and Â < 0
	t.Run("but the clip silences tokens that have moved; GPPO bounds their gradient instead", func(t *testing.T) {
		for _, c := range []struct{ r, a, bound float64 }{{1.5, 2, 1 + high}, {0.25, -2, 1 - low}} {
			loss, silent := ClipHigher(c.r, c.a, low, high)
			check.Near(t, "∂L/∂ log π, clipped", silent, 0, 0)
			gppo := func() (float64, float64) { return GPPO(c.r, c.a, low, high) }
			check.Both(t, "GPPO", gppo, loss, -c.bound*c.a, 4*u)
		}
	})
}
