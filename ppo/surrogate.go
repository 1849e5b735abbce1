package ppo

import "plumbline/policy"

// PolicyGradientLoss returns the loss whose derivative is the policy gradient.
//
//	L = −A log π,  ∂L/∂ log π = −A
//
// logprob is log π of the sampled token. Only the derivative means something; the value is not that
// of the policy. It implements PPO (1) and (2).
func PolicyGradientLoss(logprob, advantage float64) (loss, dlogprob float64) {
	if advantage == 0 {
		return 0, 0 // 0 · −∞
	}
	return -advantage * logprob, -advantage
}

// Surrogate returns the loss of conservative policy iteration: the policy gradient with importance
// sampling.
//
//	L = −r A,  ∂L/∂ log π = −r A
//
// r is the ratio of the token. At r = 1 the derivative is the policy gradient.
// It implements PPO (6).
func Surrogate(r, advantage float64) (loss, dlogprob float64) {
	return policy.Unclipped(r, advantage)
}

// Clip returns the clipped surrogate: nothing is gained by moving the ratio further than the clip
// in the direction that the advantage asks for.
//
//	L = −min(r A, clip(r, 1−ε_low, 1+ε_high) A)
//	∂L/∂ log π = −r A for r A ≤ clip(r, 1−ε_low, 1+ε_high) A,  0 otherwise
//
// r is the ratio of the token, low and high are ε_low and ε_high, equal in the paper. On the
// boundary, r = 1 + ε_high for A > 0 or r = 1 − ε_low for A < 0, the derivative is that of the
// inside, −rA. The loss is bounded for A > 0 alone; see DualClip. Where the clip was limited on the
// log-ratio before, the derivative is to be multiplied by policy.LogRatioBackward. Differs in code:
// max(−rA, −clip(r)A) is the same. It implements PPO (7).
func Clip(r, advantage, low, high float64) (loss, dlogprob float64) {
	return policy.Clipped(r, advantage, low, high)
}

// DualClip returns the clipped surrogate with a bound on the loss of negative advantages too.
//
//	L = −max(min(r A, clip(r, 1−ε_low, 1+ε_high) A), c A) for A < 0,  L of Clip otherwise
//
// c > 1 is the largest ratio that counts for A < 0, 3 in code, and 0 is none; beyond it the
// derivative is 0. At r = c it is that of the inside, −rA. Differs in code: it is on by default
// under the name of PPO in some trainers; applied for A > 0 as well the bound c A, above every
// value of the clip, would make the objective constant. It implements Dual-clip PPO, Mastering
// Complex Control in MOBA Games (Ye et al. 2020) (number not compared).
func DualClip(r, advantage, low, high, c float64) (loss, dlogprob float64) {
	loss, dlogprob = Clip(r, advantage, low, high)
	return policy.Bounded(loss, dlogprob, advantage, c)
}

// KLPenalty returns the surrogate with a penalty in place of the clip.
//
//	L = −r A + β KL[π_old, π],  ∂L/∂ log π = −r A + β ∂KL/∂ log π
//
// kl and dkl are the token's estimate of the divergence and its derivative. From a token of π_old
// the estimates are those of policy with the roles exchanged: K3(old, logprob) = r − 1 − log r with
// derivative r − 1; summed over the vocabulary, policy.KL and policy.KLBackward are exact. It
// implements PPO (8).
func KLPenalty(r, advantage, kl, dkl, beta float64) (loss, dlogprob float64) {
	loss, dlogprob = Surrogate(r, advantage)
	return loss + weigh(beta, kl), dlogprob + weigh(beta, dkl)
}

// AdaptKL returns the next weight of the divergence: twice as much if it was far above its target,
// half if far below.
//
//	β' = β/2 for d < d_targ/1.5,  2β for d > 1.5 d_targ,  β otherwise
//
// kl is d, the mean divergence of the last update, target is d_targ.
// It implements PPO section 4, the rule after (8).
func AdaptKL(beta, kl, target float64) float64 {
	switch {
	case kl < target/1.5:
		return beta / 2
	case kl > target*1.5:
		return beta * 2
	}
	return beta
}

// AdaptKLProportionally returns the next weight of the divergence in the rule that language models
// are trained with.
//
//	β' = β (1 + K_β e),  e = clip((d − d_targ)/d_targ, −0.2, 0.2)
//
// kl is d, target is d_targ, gain is K_β, 0.1 in the paper. Differs in code: TRL and verl take K_β
// = samples of the step / horizon. It implements Ziegler et al., Fine-Tuning Language Models from
// Human Preferences (2019), section 2.2.
func AdaptKLProportionally(beta, kl, target, gain float64) float64 {
	e := min(max((kl-target)/target, -0.2), 0.2)
	return beta * (1 + gain*e)
}

// Combined returns the loss of a network that shares parameters between policy and value, with a
// bonus for entropy.
//
//	L = L_clip + c_1 L_VF − c_2 S
//
// clip is the loss of the policy, value that of the value function, entropy is S in nats; c1 and c2
// are at least 0. Gradients add up in the same way. Differs in code: the paper's L_VF is the
// squared error, ValueLoss is half of it. It implements PPO (9).
func Combined(clip, value, entropy, c1, c2 float64) float64 {
	return clip + weigh(c1, value) - weigh(c2, entropy)
}

// weigh returns w·x, and 0 for w = 0 whatever x: what counts nothing may be infinite.
func weigh(w, x float64) float64 {
	if w == 0 {
		return 0
	}
	return w * x
}
