// Package grpo holds group-relative policy optimisation and what grew out of it: advantages from
// the rewards of a group of outputs, the objectives of DeepSeekMath (token by token) and of
// DeepSeek-V2, V3 and R1 (output by output), its algorithm, rewards by rule, and the relatives:
// DAPO, Dr. GRPO, GSPO, GPPO and CISPO.
//
// Everything is float64. Papers maximise J; here L = −J is minimised. Notation:
//
//	q, o_i       a question and the outputs sampled for it, G of them, the group;
//	             |o_i| is how many tokens an output has
//	r_i, R_i     reward of an output
//	Â, A         advantage, of an output or of a token; a constant for the gradient
//	π, π_old     the policy in training and the one that sampled; π_ref the one to stay near
//	r            ratio π/π_old of a token; δ in Klear-Reasoner
//	s            the same of a whole output to the power of 1/|o|
//	ρ            π_ref/π
//	ε_l, ε_h     how far below and above 1 a ratio may act, low and high
//	β            weight of the divergence from π_ref
//	w_it         weight of a token in the loss, from policy.TokenWeights
//	sg           stop-gradient: the value, taken as a constant
//	N, L         outputs of a batch, and tokens of the longest
//
// # Losses of one token
//
// A function of one token returns its loss and the derivative. A policy.RatioLoss acts through the
// ratio alone, and its derivative is that for log r, which is that for log π as long as the ratio
// is a token's and nothing limits it. CISPO acts through log π, and its derivative is that. Batch
// puts them together: with ratios of tokens or of outputs, limits on them, and weights.
//
// Where a branch of a min begins, at r = 1−ε_l or 1+ε_h, the derivative is that of the branch
// without clip. An advantage of 0 has loss and derivative 0, whatever the ratio.
//
// Equations (4) to (10) of DeepSeek-R1 are of its later text, with numbers inferred from copies of
// it; (1) to (3) and sections are of the first.
package grpo
