package grpo

import "plumbline/policy"

// GRPO returns the loss of one token: the clipped surrogate, and the divergence inside the mean
// over tokens.
//
//	L = −( min(r Â, clip(r, 1−ε, 1+ε) Â) − β (ρ − log ρ − 1) ),  ρ = π_ref/π
//	∂L/∂ log π = −r Â 𝟙(r Â ≤ clip(r) Â) + β (1 − ρ)
//
// r is the ratio, logprob and ref are log π and log π_ref of the token. The objective is its mean
// over the tokens of each output, and of these over outputs: policy.SequenceMean. With ε = ∞ it is
// (19), and at r = 1 the derivative is minus the coefficient of (21), policy.CoefficientGRPO.
// Differs in code: other estimators than k3, see policy; on average the gradient of k3 is not that
// of KL(π‖π_ref) but of KL(π_ref‖π). Differs in print: DeepSeek-V2, V3 and R1 have the ratio of the
// whole output; see Sequence. It implements DeepSeekMath (3), (4) and (19).
func GRPO(r, advantage, logprob, ref, eps, beta float64) (loss, dlogprob float64) {
	loss, dlogprob = ClipHigher(r, advantage, eps, eps)
	if beta == 0 {
		return loss, dlogprob // whatever the reference
	}
	return loss + beta*policy.K3(logprob, ref), dlogprob + beta*policy.K3Backward(logprob, ref)
}

// Sequence returns the loss of one output with ratios of the whole output, and its gradient for the
// log-probability of every token.
//
//	R = π(o|q)/π_old(o|q),  ρ = π_ref(o|q)/π(o|q)
//	L = −( min(R A, clip(R, 1−ε, 1+ε) A) − β (ρ − log ρ − 1) )
//	∂L/∂ log π(o_t) = −R A 𝟙(R A ≤ clip(R) A) + β (1 − ρ) for every t
//
// logprob, old, ref and mask are [L] and so is the gradient; advantage is the output's. R is the
// product of the tokens' ratios, so that it leaves the clip with a drift of ε/|o| in each token;
// the loss of a group is the mean over outputs. For outputs of one token it is GRPO. Differs in
// print: DeepSeekMath has the ratio of the token and the mean over tokens. Differs in code: so does
// all code that is said to train R1. It implements DeepSeek-V2 (32) and (33), DeepSeek-V3 (26) and
// (27), DeepSeek-R1 (1) and (2).
func Sequence(logprob, old, ref, mask []float64, advantage, eps, beta float64) (loss float64, dlogprob []float64) {
	var logpi, logold, logref float64
	eachToken(mask, func(t int) {
		logpi += logprob[t]
		logold += old[t]
		logref += ref[t]
	})
	loss, d := GRPO(policy.Ratio(logpi, logold, 0), advantage, logpi, logref, eps, beta)
	dlogprob = make([]float64, len(logprob))
	eachToken(mask, func(t int) { dlogprob[t] = d })
	return loss, dlogprob
}

// eachToken calls f for every token that the mask keeps.
func eachToken(mask []float64, f func(t int)) {
	for t, m := range mask {
		if m != 0 {
			f(t)
		}
	}
}
