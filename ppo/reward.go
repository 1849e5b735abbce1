package ppo

import "plumbline/numbers/logistic"

const badRewards = "ppo: logprob, ref and mask differ in length"

// KLReward returns the reward of one token: what the reward model gives it, less what leaving the
// reference costs.
//
//	r_t = r_φ(q, o_{≤t}) − β log(π(o_t | q, o_{<t})/π_ref(o_t | q, o_{<t}))
//
// score is r_φ, logprob and ref are the token's log-probabilities, beta is β. A reward has no
// gradient: the divergence acts as the value it has. Differs in code: π is the policy at the time
// of sampling, π_old. A reward with this term goes with a loss without one, or β counts twice. It
// implements DeepSeekMath (2).
func KLReward(score, logprob, ref, beta float64) float64 {
	if beta == 0 {
		return score // whatever the log-probabilities
	}
	return score - beta*(logprob-ref)
}

// TokenRewards returns the rewards of all tokens of one output whose score is given at its end.
//
//	r_t = 𝟙(t is the last token of o) r_φ(q, o) − β log(π(o_t | q, o_{<t})/π_ref(o_t | q, o_{<t}))
//
// logprob, ref and mask are [L] and so is the result; the last token is the last one inside the
// mask, the end-of-sequence token. Outside the mask, and for an output without tokens everywhere,
// rewards are 0. Differs in code: a score placed one token later is discounted by another γλ. It
// implements DeepSeekMath (2), for a score of the whole output.
func TokenRewards(score float64, logprob, ref, mask []float64, beta float64) []float64 {
	if len(logprob) != len(ref) || len(logprob) != len(mask) {
		panic(badRewards)
	}
	rewards := make([]float64, len(logprob))
	final := score
	for t := len(rewards) - 1; t >= 0; t-- {
		if mask[t] != 0 {
			rewards[t] = KLReward(final, logprob[t], ref[t], beta)
			final = 0
		}
	}
	return rewards
}

// RewardModelLoss returns the loss of a reward model on one prompt with K answers ranked by people,
// and its gradient for the scores.
//
//	L = −1/C(K,2) Σ_{w before l} log σ(r_w − r_l)
//	∂L/∂r_k = 1/C(K,2) (Σ_{w before k} σ(r_k − r_w) − Σ_{l after k} σ(r_l − r_k))
//
// scores is r, [K], from the best answer to the worst. The gradient sums to 0: a constant on all
// scores changes nothing. Fewer than two answers have no pair and loss 0. It implements InstructGPT
// (1).
func RewardModelLoss(scores []float64) (loss float64, dscores []float64) {
	dscores = make([]float64, len(scores))
	pairs := float64(len(scores)*(len(scores)-1)) / 2
	for w, rw := range scores {
		for l := w + 1; l < len(scores); l++ {
			h := rw - scores[l]
			loss -= logistic.LogSigmoid(h) / pairs
			slope := logistic.Sigmoid(-h) / pairs
			dscores[w] -= slope
			dscores[l] += slope
		}
	}
	return loss, dscores
}

// InstructObjective returns the objective of reinforcement learning from human feedback, with
// pretraining mixed in: PPO-ptx, and PPO for γ = 0.
//
//	J = 1/B Σ_b (r_φ(x_b, y_b) − β log(π(y_b | x_b)/π_SFT(y_b | x_b))) + γ/M Σ_m log π(x_m)
//
// rewards holds the B terms of the first sum, KLReward of log-probabilities summed over the tokens
// of an answer; pretrain holds the M log-probabilities of pretraining texts. A sum without terms is
// 0. It is maximised; as a function of π it has a gradient through the sampling of y, which PPO
// estimates. It implements InstructGPT (2).
func InstructObjective(rewards, pretrain []float64, gamma float64) float64 {
	return mean(rewards) + weigh(gamma, mean(pretrain))
}

// PretrainLoss returns the part of the loss of PPO-ptx that pretraining texts make, and its
// derivative for the log-probability of each.
//
//	L = −γ/M Σ_m log π(x_m),  ∂L/∂ log π(x_m) = −γ/M
//
// pretrain is [M], sums over the tokens of a text. Without texts both are 0.
// It implements InstructGPT (2), its last term.
func PretrainLoss(pretrain []float64, gamma float64) (loss, dlogprob float64) {
	if len(pretrain) == 0 {
		return 0, 0
	}
	return -weigh(gamma, mean(pretrain)), -gamma / float64(len(pretrain))
}

// mean returns the mean of x, 0 if there is none.
func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / max(float64(len(x)), 1)
}
