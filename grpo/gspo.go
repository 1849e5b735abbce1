package grpo

import "plumbline/policy"

// GSPO returns the loss of one output with the geometric mean of its tokens' ratios, and its
// gradient for the log-probability of every token.
//
//	s = (π(o|q)/π_old(o|q))^{1/|o|}
//	L = −min(s A, clip(s, 1−ε_l, 1+ε_h) A)
//	∂L/∂ log π(o_t) = −s A 𝟙(s A ≤ clip(s) A)/|o|
//
// logprob, old and mask are [L] and so is the gradient; advantage is the output's. All tokens of an
// output are clipped together or not at all. The loss of a batch is the mean over outputs; ε_l =
// 3e-4 and ε_h = 4e-4 in the paper. Differs in code: a loss per output repeated for its tokens and
// summed counts the output |o| times; see Batch.SequenceLoss for the weights. It implements GSPO
// (5), (7) and (10).
func GSPO(logprob, old, mask []float64, advantage, low, high float64) (loss float64, dlogprob []float64) {
	s := policy.SequenceRatio(logprob, old, mask, 0)
	loss, dlogratio := ClipHigher(s, advantage, low, high)
	dlogprob = policy.SequenceLogRatioBackward(logprob, old, mask, 0)
	eachToken(mask, func(t int) { dlogprob[t] *= dlogratio })
	return loss, dlogprob
}

// GSPOToken returns the loss of one output whose tokens have advantages of their own, and its
// gradient for the log-probability of every token.
//
//	s_t = sg(s) π(o_t)/sg(π(o_t))
//	L = −(1/|o|) Σ_t min(s_t A_t, clip(s_t, 1−ε_l, 1+ε_h) A_t)
//	∂L/∂ log π(o_t) = −s A_t 𝟙(s A_t ≤ clip(s) A_t)/|o|
//
// logprob, old, advantage and mask are [L] and so is the gradient. s_t has the value of s for all t
// and the gradient of the token. With one advantage for all tokens it is GSPO, value and gradient.
// It implements GSPO (13), (14) and (17).
func GSPOToken(logprob, old, advantage, mask []float64, low, high float64) (loss float64, dlogprob []float64) {
	s := policy.SequenceRatio(logprob, old, mask, 0)
	dlogprob = policy.SequenceLogRatioBackward(logprob, old, mask, 0) // 1/|o|, so far
	eachToken(mask, func(t int) {
		l, dlogratio := ClipHigher(s, advantage[t], low, high)
		loss += l * dlogprob[t]
		dlogprob[t] *= dlogratio
	})
	return loss, dlogprob
}
