package grpo

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"plumbline/internal/check"
	"plumbline/policy"
)

// matching rewards the answer that has the question's number: one of four is right.
func matching(question, answer int) float64 { return indicator(question == answer) }

// toy returns an algorithm with 16 outputs, ε = 0.2 and β = 5.
func toy(iterations, steps int) Algorithm {
	return Algorithm{Iterations: iterations, Steps: steps, Updates: 2, Outputs: 16, Eps: 0.2, Beta: 5, Rate: 0.05}
}

// train starts from answers that are all equally likely.
func train(a Algorithm) (*mat.Dense, []Progress) {
	return a.Train(mat.NewDense(3, 4, nil), matching, rand.New(rand.NewPCG(1, 2)))
}

// pull returns E[√(K(G−K))]/G for K right answers of G, each right with probability p. It is the
// mean of 1/G Σ_i Â_i (𝟙(o_i is right) − p), the gradient for the right answer's logit: Σ_i Â_i =
// 0, and the K right ones have √((G−K)/K) each. Never above 1/2; √(p(1−p)) for great G.
func pull(p float64, outputs int) (mean float64) {
	right := distuv.Binomial{N: float64(outputs), P: p}
	for k := 1; k < outputs; k++ {
		mean += right.Prob(float64(k)) * math.Sqrt(float64(k*(outputs-k))) / float64(outputs)
	}
	return mean
}

// restingPoint returns the probability p of the right answer where reward and divergence balance:
// pull(p) = β (p − p_ref), the gradient of β KL(π_ref‖π).
func restingPoint(ref, beta float64, outputs int) float64 {
	below, above := ref, 1.0
	for range 60 {
		p := (below + above) / 2
		if pull(p, outputs) > beta*(p-ref) {
			below = p
		} else {
			above = p
		}
	}
	return below
}

func TestTrain(t *testing.T) {
	t.Run("with one reference the policy comes to rest where reward and divergence balance, however long it trains",
		func(t *testing.T) {
			want := restingPoint(0.25, 5, 16)
			check.Near(t, "resting point", want, 0.3413, 0.0001)
			for _, steps := range []int{300, 900} {
				_, progress := train(toy(1, steps))
				check.Near(t, "E[r]", progress[0].Reward, want, 0.01)
			}
		})
	t.Run("with a new reference in each iteration the reward rises on, and each divergence stays bounded",
		func(t *testing.T) {
			// pull ≤ 1/2, so that an iteration moves p by at most 1/(2β);
			// KL ≤ χ² = (p − p_ref)²/(p_ref (1 − p_ref)).
			_, progress := train(toy(6, 200))
			before := 0.25
			for i, p := range progress {
				bound := 1 / (4 * 25 * before * (1 - before))
				if !(p.Reward > before+0.02 && p.Reward < before+0.1 && p.KL > 0 && p.KL < bound) {
					t.Errorf("iteration %d: reward from %v to %v, KL %v of at most %v",
						i+1, before, p.Reward, p.KL, bound)
				}
				before = p.Reward
			}
			if before < 0.7 {
				t.Errorf("reward %v at the end", before)
			}
		})
	t.Run("without a divergence it comes to the right answers", func(t *testing.T) {
		a := toy(1, 500)
		a.Beta = 0
		theta, progress := train(a)
		if progress[0].Reward < 0.95 {
			t.Errorf("reward %v", progress[0].Reward)
		}
		for q := range 3 {
			if best := floats.MaxIdx(theta.RawRowView(q)); best != q {
				t.Errorf("question %d: answer %d", q, best)
			}
		}
	})
	t.Run("rewards all alike leave the policy at the reference, to the bit", func(t *testing.T) {
		theta, progress := toy(2, 20).Train(mat.NewDense(1, 2, []float64{0.5, -0.5}), func(_, _ int) float64 {
			return 0.1
		}, rand.New(rand.NewPCG(3, 4)))
		check.NearAll(t, "logits", theta.RawRowView(0), []float64{0.5, -0.5}, 0)
		check.Near(t, "KL", progress[1].KL, 0, 0)
	})
	t.Run("the start is left as it is, and the same seed gives the same end", func(t *testing.T) {
		start := mat.NewDense(1, 3, nil)
		first, _ := toy(1, 30).Train(start, matching, rand.New(rand.NewPCG(5, 6)))
		second, _ := toy(1, 30).Train(start, matching, rand.New(rand.NewPCG(5, 6)))
		check.NearMatrix(t, "start", start, mat.NewDense(1, 3, nil), 0)
		check.NearMatrix(t, "end", first, second, 0)
	})
	// (21) is the gradient at π = π_old: r = 1, and no clip acts.
	t.Run("along (21), as it is printed, it is the same for one update per sample, and another for two",
		func(t *testing.T) {
			logits := func(updates int, printed bool) *mat.Dense {
				a := toy(1, 50)
				a.Updates, a.Printed, a.Beta, a.Rate = updates, printed, 0.5, 1
				theta, _ := train(a)
				return theta
			}
			check.NearMatrix(t, "one update", logits(1, true), logits(1, false), 0)
			check.Apart(t, "two updates", logits(2, true).At(0, 0), logits(2, false).At(0, 0), 1e-2)
		})
	// Two answers from ½ each: the ratios 1.2 of the right one and 0.8 of the wrong one are both
	// reached at p = 0.6, and there the objective lets go, one update of at most rate/2 beyond.
	// (21) goes on for ever.
	t.Run("updates without end on one sample stop where the clip begins, along (21) they do not", func(t *testing.T) {
		chance := func(printed bool) float64 {
			a := Algorithm{Iterations: 1, Steps: 1, Updates: 1000, Outputs: 16, Eps: 0.2, Rate: 0.02, Printed: printed}
			_, progress := a.Train(mat.NewDense(1, 2, nil), matching, rand.New(rand.NewPCG(1, 2)))
			return progress[0].Reward
		}
		check.Near(t, "the objective", chance(false), 0.6, 0.005)
		if p := chance(true); p < 0.99 {
			t.Errorf("along (21) the right answer has %v only", p)
		}
	})
	t.Run("with groups so large that they are the policy itself, it rests at π_ref = π (1 − Â/β)", func(t *testing.T) {
		// E_π[(Â + β(ρ−1)) ∇ log π] has for answer a the component π_a Â_a + β (π_ref,a − π_a), as
		// E_π[Â] = 0 and E_π[ρ−1] = 0.
		const beta = 3
		logpi, reward := policy.LogSoftmax([]float64{0.2, -0.3, 0.7}, 1), []float64{1, 0, 0.5}
		var mean, square float64
		for o, l := range logpi {
			mean += math.Exp(l) * reward[o]
			square += math.Exp(l) * reward[o] * reward[o]
		}
		advantage := func(o int) float64 { return (reward[o] - mean) / math.Sqrt(square-mean*mean) }
		g := expected([]float64{0.2, -0.3, 0.7}, func(o int) float64 {
			ref := logpi[o] + math.Log1p(-advantage(o)/beta)
			return -slope(GRPO(1, advantage(o), logpi[o], ref, 0.2, beta))
		})
		check.NearAll(t, "gradient", g, []float64{0, 0, 0}, 64*u)
	})
}

func TestSample(t *testing.T) {
	logp := policy.LogSoftmax([]float64{0, 0, math.Log(2)}, 1) // ¼, ¼, ½
	t.Run("an answer is taken where the probabilities add up to more than u", func(t *testing.T) {
		for u, want := range map[float64]int{0: 0, 0.2: 0, 0.3: 1, 0.49: 1, 0.51: 2, 0.99: 2} {
			if got := sample(logp, u); got != want {
				t.Errorf("u = %v: answer %d, want %d", u, got, want)
			}
		}
	})
	t.Run("an answer without probability is never taken, by u = 0 neither", func(t *testing.T) {
		if got := sample([]float64{math.Inf(-1), 0}, 0); got != 1 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("probabilities that add up to less than u by rounding give the likeliest answer", func(t *testing.T) {
		if got := sample([]float64{math.Log(0.25), math.Log(0.5)}, 0.999); got != 1 {
			t.Errorf("got %d", got)
		}
	})
}
