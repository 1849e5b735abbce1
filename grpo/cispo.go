package grpo

import "math"

// CISPO returns the loss of one token whose ratio is clipped and then only weighs the policy
// gradient: no token is left out.
//
//	r̂ = clip(r, 1−ε_l, 1+ε_h)
//	L = −sg(r̂) A log π,  ∂L/∂ log π = −r̂ A
//
// logprob is log π of the token. The value of the loss means nothing: it is not the surrogate's,
// and not 0 at r = 1. The objective is the mean over all tokens of the batch, without a divergence.
// Differs in print: Klear-Reasoner (15) has r̂ without the stop-gradient. Differs in code: verl has
// both bounds, as here; see CISPOUpper and CISPOCapped. It implements CISPO (MiniMax-M1) (4) and
// (5), and Klear-Reasoner (15) and (16), with the stop-gradient.
func CISPO(r, logprob, advantage, low, high float64) (loss, dlogprob float64) {
	return weighted(min(max(r, 1-low), 1+high), logprob, advantage)
}

// CISPOUpper returns CISPO's loss without the lower bound, as MiniMax trained: ε_l so large that it
// never acts. From ε_l = 1 on it does not.
//
//	L = −sg(min(r, 1+ε_h)) A log π,  ∂L/∂ log π = −min(r, 1+ε_h) A
//
// It implements CISPO (MiniMax-M1) (4) and (5), its practice.
func CISPOUpper(r, logprob, advantage, high float64) (loss, dlogprob float64) {
	return weighted(min(r, 1+high), logprob, advantage)
}

// CISPOCapped returns CISPO's loss with the largest weight given itself, not its distance from 1.
//
//	L = −sg(min(r, ε_max)) A log π,  ∂L/∂ log π = −min(r, ε_max) A
//
// largest is ε_max. TRL calls it epsilon_high all the same: with loss_type "cispo" its epsilon_high
// = 5 is the weight 5, that of ε_h = 4 in CISPOUpper, and 0.28, meant as elsewhere, would weigh
// every token of π_old by 0.28. It implements ScaleRL (Khatri et al. 2025, 2510.13786), its CISPO
// (unnumbered here), as in TRL's code.
func CISPOCapped(r, logprob, advantage, largest float64) (loss, dlogprob float64) {
	return weighted(min(r, largest), logprob, advantage)
}

// CISPOMask returns whether a token counts in the form that has CISPO and the clip of PPO as its
// ends.
//
//	M = 0 for A > 0 and r > 1+ε_h,  0 for A < 0 and r < 1−ε_l,  1 otherwise
//
// low and high are bounds of their own. These are the tokens that ClipHigher gives no gradient.
// It implements CISPO (MiniMax-M1) (7).
func CISPOMask(r, advantage, low, high float64) float64 {
	if advantage > 0 && r > 1+high || advantage < 0 && r < 1-low {
		return 0
	}
	return 1
}

// CISPOMasked returns CISPO's loss of one token with a mask.
//
//	L = −sg(r̂) A log π M,  ∂L/∂ log π = −r̂ A M
//
// weight is r̂, mask is M. With M = 1 it is CISPO, with r̂ = r and M of CISPOMask its gradient is
// ClipHigher's, and with r̂ = r and M = 1 it is REINFORCE with importance sampling, whose gradient
// is policy.Unclipped's. It implements CISPO (MiniMax-M1) (3) and (6).
func CISPOMasked(weight, logprob, advantage, mask float64) (loss, dlogprob float64) {
	if mask == 0 {
		return 0, 0
	}
	return weighted(weight, logprob, advantage)
}

// weighted returns −weight A log π and its derivative, both 0 for A = 0. Where log π = 0 the loss
// is 0, whatever the weight.
func weighted(weight, logprob, advantage float64) (loss, dlogprob float64) {
	switch {
	case advantage == 0, math.IsInf(logprob, -1) && weight == 0:
		return 0, 0 // 0 · −∞
	case logprob == 0 && math.IsInf(weight, 1):
		return 0, -weight * advantage // ∞ · 0
	}
	return -weight * advantage * logprob, -weight * advantage
}
