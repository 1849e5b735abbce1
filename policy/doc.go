// Package policy holds what every policy-gradient loss is made of: log-probabilities and entropy of
// logits, ratios of two policies and the surrogates that act through them, estimators of their
// divergence, a baseline, the weights that turn losses of tokens into one loss, and the gradient
// coefficient in which DeepSeekMath sees all these methods as one.
//
// Everything is float64 and losses are minimised. Notation:
//
//	π, π_old, π_ref  the policy in training, the one that sampled, the one to stay near
//	z, T             logits of one step, [V]; their temperature
//	p, q             distributions over the V tokens of a vocabulary, passed as their logarithms
//	logprob          log π of the token that was sampled; old and ref likewise
//	r                π/π_old of a token, s of a sequence
//	A                advantage of a token, held fixed
//	ε_low, ε_high    how far below and above 1 a ratio may act
//	δ                log π_ref − log π of a token; ρ = e^δ
//	o_i, |o_i|       output i and how many of its tokens the mask keeps
//	N, L             sequences of a batch, and tokens of the longest
//	m                mask [N × L], 0 for tokens that do not count, else 1 (or anything)
//	w                weights [N × L] of the tokens in the loss
//	GC               gradient coefficient of a token
//	h, W, y          hidden state of a position, the head of the model, the token to be predicted
//	Δ                log π_a − log π_b of a token, of two engines that should be one policy
//
// A derivative is called Backward and is for log π of the sampled token, everything else held
// fixed, unless it says for the logits. At a kink it is that of the inside of the interval, as
// PyTorch's clamp had it up to release 2.5.1; since some later one clamp passes no derivative on a
// bound, or half of it where the bounds are tensors.
//
// # Where a formula has no number
//
// A log-probability of −∞ is allowed everywhere. Where a formula has a limit then, the limit is the
// answer: a ratio 0 or +∞, a k3 +∞. Two policies that both exclude a token have no ratio there,
// 0/0, and the answer is NaN. What the mask leaves out is never multiplied by zero but left out: a
// NaN there reaches nothing. A sequence without tokens has ratio 1 and weights 0, and counts in no
// mean; a batch without tokens has loss 0.
package policy
