// Package dpo holds direct preference optimisation: models of preference, the policy that is best
// for a reward and the reward that makes a policy best, the loss that follows from the two, and its
// relatives (IPO, conservative, robust, length-normalised, rankings).
//
// Everything is float64 and losses are minimised. Notation:
//
//	x, y         a prompt and a response to it; the prompt is fixed and no argument
//	y_w, y_l     the response that was chosen and the one that was rejected
//	o⁺, o⁻       the same in DeepSeekMath; |o| is how many tokens a response has
//	π, π_ref     the policy in training and the one to stay near, passed as logarithms:
//	             log π of a response is the sum over its tokens
//	r, r̂         a reward, and the reward that a policy implies, β log(π/π_ref)
//	β, τ         how much nearness weighs against reward; IPO writes τ
//	h            log(π/π_ref)(y_w) − log(π/π_ref)(y_l), the margin of a pair in log-ratios, nats
//	ε            probability that a label is wrong
//	Z            Σ_y π_ref e^{r/β}, the partition function
//	σ            the logistic function
//
// Losses of a pair take h and return the loss with its derivative for h. As h grows by log π(y_w)
// and shrinks by log π(y_l), with derivative 1 and −1, that is the gradient for both; Pairs does so
// for a batch.
package dpo
