package ppo_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

func TestKLReward(t *testing.T) {
	t.Run("leaving the reference costs β a nat", func(t *testing.T) {
		check.Near(t, "r", ppo.KLReward(3, -1, -2.5, 0.5), 3-0.75, 0)
		check.Near(t, "r at the reference", ppo.KLReward(3, -1, -1, 0.5), 3, 0)
		check.Near(t, "r of a token the reference likes better", ppo.KLReward(3, -2.5, -1, 0.5), 3.75, 0)
	})
	t.Run("without a weight it is the score, for excluded tokens too", func(t *testing.T) {
		check.Near(t, "r", ppo.KLReward(3, -inf, -inf, 0), 3, 0)
	})
	t.Run("a token that the reference excludes costs everything", func(t *testing.T) {
		check.Near(t, "r", ppo.KLReward(3, -1, -inf, 0.5), -inf, 0)
	})
}

func TestTokenRewards(t *testing.T) {
	logprob, ref := []float64{-1, -2, -3, nan}, []float64{-1.5, -2, -2, 7}
	t.Run("the score comes with the last token of the mask, the divergence with each", func(t *testing.T) {
		got := ppo.TokenRewards(5, logprob, ref, []float64{1, 1, 1, 0}, 0.5)
		check.NearAll(t, "r", got, []float64{-0.25, 0, 5.5, 0}, 0)
	})
	t.Run("tokens of a tool get none", func(t *testing.T) {
		check.NearAll(t, "r", ppo.TokenRewards(5, logprob, ref, []float64{1, 0, 1, 0}, 0.5),
			[]float64{-0.25, 0, 5.5, 0}, 0)
		check.NearAll(t, "r", ppo.TokenRewards(5, logprob, ref, []float64{1, 0, 0, 0}, 0.5),
			[]float64{4.75, 0, 0, 0}, 0)
	})
	t.Run("an output without tokens has no reward", func(t *testing.T) {
		check.NearAll(t, "r", ppo.TokenRewards(5, logprob, ref, make([]float64, 4), 0.5), make([]float64, 4), 0)
		check.NearAll(t, "r", ppo.TokenRewards(5, nil, nil, nil, 0.5), nil, 0)
	})
	// Σ_t r_t = r_φ − β Σ_t log(π/π_ref)(o_t) = r_φ − β log(π/π_ref)(o).
	t.Run("their sum is InstructGPT's reward of the whole answer", rapid.MakeCheck(func(t *rapid.T) {
		l, ref := floatsOf(t, "log π", 5, 4), floatsOf(t, "log π_ref", 5, 4)
		var got, sumL, sumRef float64
		for i, r := range ppo.TokenRewards(2, l, ref, []float64{1, 1, 1, 1, 1}, 0.25) {
			got, sumL, sumRef = got+r, sumL+l[i], sumRef+ref[i]
		}
		check.Near(t, "Σr", got, ppo.KLReward(2, sumL, sumRef, 0.25), 5*64*u)
	}))
	// One token later is one factor γλ more for every token before it.
	t.Run("a score that comes a token late is worth γλ as much", func(t *testing.T) {
		zero, both := make([]float64, 3), []float64{1, 1, 1}
		right := ppo.TokenRewards(8, zero, zero, []float64{1, 1, 0}, 0)
		late := ppo.TokenRewards(8, zero, zero, both, 0)
		a, _ := ppo.GAE(right, zero, both, 0, 0.5, 0.5)
		b, _ := ppo.GAE(late, zero, both, 0, 0.5, 0.5)
		check.NearAll(t, "Â", b[:2], []float64{a[0] / 4, a[1] / 4}, 0)
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, "ppo: logprob, ref and mask differ in length", func() {
			ppo.TokenRewards(1, logprob, ref, nil, 1)
		})
		check.Panics(t, "ppo: logprob, ref and mask differ in length", func() {
			ppo.TokenRewards(1, logprob, append(ref, 1), make([]float64, len(logprob)), 1)
		})
	})
}

func TestRewardModelLoss(t *testing.T) {
	// Every pair has −log σ(0).
	t.Run("equal scores have loss log 2, however many answers", func(t *testing.T) {
		for k := 2; k <= 9; k++ {
			loss, _ := ppo.RewardModelLoss(make([]float64, k))
			check.Near(t, "loss", loss, math.Ln2, 36*2*u)
		}
	})
	t.Run("of two answers it is −log σ of the difference", func(t *testing.T) {
		loss, d := ppo.RewardModelLoss([]float64{math.Log(3), 0}) // σ(log 3) = ¾
		check.Near(t, "loss", loss, math.Log(4./3), 8*u)
		check.NearAll(t, "gradient", d, []float64{-0.25, 0.25}, 8*u)
	})
	t.Run("of three it is the mean over three pairs", func(t *testing.T) {
		pair := func(w, l float64) float64 { loss, _ := ppo.RewardModelLoss([]float64{w, l}); return loss }
		loss, _ := ppo.RewardModelLoss([]float64{2, -1, 0.5})
		check.Near(t, "loss", loss, (pair(2, -1)+pair(2, 0.5)+pair(-1, 0.5))/3, 16*u)
	})
	t.Run("its gradient is its derivative, and sums to zero", rapid.MakeCheck(func(t *rapid.T) {
		scores := floatsOf(t, "scores", rapid.IntRange(2, 6).Draw(t, "K"), 4)
		_, d := ppo.RewardModelLoss(scores)
		check.NearAll(t, "gradient", d, check.Gradient(func(s []float64) float64 {
			loss, _ := ppo.RewardModelLoss(s)
			return loss
		}, scores), stepBound)
		var sum float64
		for _, v := range d {
			sum += v
		}
		check.Near(t, "Σ gradient", sum, 0, 64*u)
	}))
	t.Run("scores far apart neither overflow nor vanish", func(t *testing.T) {
		loss, d := ppo.RewardModelLoss([]float64{-1000, 1000})
		check.Near(t, "loss of the wrong order", loss, 2000, 0)
		check.NearAll(t, "gradient", d, []float64{-1, 1}, 0)
		loss, d = ppo.RewardModelLoss([]float64{1000, -1000})
		check.Near(t, "loss of the right order", loss, 0, 0)
		check.NearAll(t, "gradient", d, []float64{0, 0}, 0)
	})
	t.Run("fewer than two answers have no pair", func(t *testing.T) {
		for k := range 2 {
			loss, d := ppo.RewardModelLoss(make([]float64, k))
			check.Near(t, "loss", loss, 0, 0)
			check.NearAll(t, "gradient", d, make([]float64, k), 0)
		}
	})
}

func TestInstructObjective(t *testing.T) {
	answers, texts := []float64{1, 2, 6}, []float64{-10, -30}
	t.Run("without pretraining it is the mean reward", func(t *testing.T) {
		check.Near(t, "J", ppo.InstructObjective(answers, texts, 0), 3, 0)
		check.Near(t, "J", ppo.InstructObjective(answers, nil, 27.8), 3, 0)
	})
	t.Run("pretraining adds γ times the mean log-probability of its texts", func(t *testing.T) {
		check.Near(t, "J", ppo.InstructObjective(answers, texts, 0.25), 3-5, 0)
		check.Near(t, "J of one answer and one text", ppo.InstructObjective(answers[2:], texts[:1], 0.25), 6-2.5, 0)
		check.Near(t, "J of texts alone", ppo.InstructObjective(nil, texts, 0.25), -5, 0)
	})
	// ∇ Σ_y π (r − β log(π/π_SFT)) = Σ_y π (r − β log(π/π_SFT)) ∇ log π, as Σ_y π ∇ log π = 0: the
	// reward may be taken as a constant.
	t.Run("its gradient is the policy gradient of the rewards, the divergence in them held still", func(t *testing.T) {
		const beta = 0.5
		z, score := []float64{0.5, -1, 0.25}, []float64{1, 0, 3}
		sft := policy.LogSoftmax([]float64{0, 1, -0.5}, 1)
		objective := func(z []float64) (sum float64) {
			for y, l := range policy.LogSoftmax(z, 1) {
				sum += math.Exp(l) * ppo.InstructObjective([]float64{ppo.KLReward(score[y], l, sft[y], beta)}, nil, 0)
			}
			return sum
		}
		logpi := policy.LogSoftmax(z, 1)
		got := check.Mean(logpi, func(y int) []float64 {
			_, d := ppo.PolicyGradientLoss(logpi[y], ppo.KLReward(score[y], logpi[y], sft[y], beta))
			return floats.ScaleTo(make([]float64, 3), -d, policy.LogProbBackward(z, y, 1))
		})
		check.NearAll(t, "∇J", got, check.Gradient(objective, z), stepBound)
	})
	t.Run("the loss of the texts is minus that, with the weight of each as derivative", func(t *testing.T) {
		check.Both(t, "texts", func() (float64, float64) { return ppo.PretrainLoss(texts, 0.25) }, 5, -0.125, 0)
		check.Both(t, "no texts", func() (float64, float64) { return ppo.PretrainLoss(nil, 0.25) }, 0, 0, 0)
		_, d := ppo.PretrainLoss(texts, 0.25)
		want := check.Gradient(func(x []float64) float64 { loss, _ := ppo.PretrainLoss(x, 0.25); return loss }, texts)
		check.NearAll(t, "derivative", []float64{d, d}, want, stepBound)
	})
}
