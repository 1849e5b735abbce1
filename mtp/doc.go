// Package mtp holds the prediction of more than one token: Meta's parallel heads and what speaks
// for them, DeepSeek-V3's modules in sequence, their losses, and what becomes of them when text is
// written, speculative decoding. Multi-token Prediction is Gloeckle et al., Better & Faster Large
// Language Models via Multi-token Prediction, 2024; Speculative Decoding is Leviathan et al., Fast
// Inference from Transformers via Speculative Decoding, 2022.
//
// # Reading order
//
// NextLoss, JointLoss and FactorisedLoss are what n tokens at once may mean; Parallel is the first
// architecture, with both orders of its backward pass. Why it should work: MutualInformation and
// its relative form (section 5.2 and appendix L.2), ImplicitWeights and DecisionImportance (5.1 and
// L.3). Combine, Module and Depths are DeepSeek-V3 (21)–(23), DepthLoss and Loss (24) and (25).
// Accept is speculative sampling, AcceptGreedy and Blockwise the same without chance, Rewind what
// becomes of the cache; AcceptanceRate, ExpectedTokens and Speedup say what is gained.
//
// # Notation
//
// Everything is float64; rows are tokens, and weights are [out × in].
//
//	T, d, V   tokens of a sequence, width of the model, tokens of the vocabulary
//	D, k      depths, and one of them from 1; n, i heads in parallel, and one of them
//	t         tokens of the text, x in Meta's paper
//	h^k, h0   representations of depth k, and of the main model, [T−k × d]
//	h'^k      what enters the block of depth k
//	M         projection of a module, [d × 2d]
//	z         logits, [T × V]
//	λ         weight of L_MTP in the loss
//	p, q      what the model says, and what the draft was drawn from, [V]
//	γ, α      tokens of a draft, and how likely each is to be kept
//	c         time of a drafted token in steps of the model; in DSpark, confidence in it
//	X, Y      the next token and the one after it; H entropy, I mutual information, in nats
//
// Positions count from 0 in code: row i of depth k is made of tokens 0 … i+k and predicts i+k+1.
//
// # Where print and code differ
//
// DeepSeek-V3 (21) puts the hidden before the embedding; the released eh_proj takes the embedding
// first (Order, SwapHalves). (23) gives h^k to the head as it is; the released weights have a norm
// before it, shared_head.norm (Module.NormHead). (24) sums over i = 2+k … T+1, T−k terms, and
// divides by T; frameworks divide by the number of terms (DepthLoss, DepthLossValid). Whether h^0
// is taken before or after the main model's last norm is not said: hnorm makes both the same but
// for that norm's weight. What depth k hands on to the next is h^k in (21); some serving code hands
// on what its head is given (Depths.PassNormed), which D = 1 does not decide; to draft more than D
// tokens it runs the last module again. vLLM zeroes the embedding at position 0 (MaskFirst), which
// no equation has. The README's count of the module's parameters leaves out M.
//
// Multi-token Prediction multiplies the logarithms of its factorised loss by P(z | x), outside of
// them, where it is 1; the proof of its Lemma L.3 has q_{Y|y} for q_{X|y} in the last line but one.
package mtp
