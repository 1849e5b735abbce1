// Package mla holds multi-head latent attention, the attention of DeepSeek-V2, V3 and R1: keys and
// values compressed to one latent per token, a rotary key beside it, the two ways of computing the
// same heads, the cache in pages, and the whole layer.
//
// # Notation
//
// Rows are tokens and weights are [out × in], so that the papers' W h_t is a row of h Wᵀ.
// Everything is float64.
//
//	T, d          tokens of one sequence, width of the model
//	n_h, i        query heads, and one of them
//	d_h, d_h^R    width of a head's part without position (nope) and with it (rope);
//	              d_v width of its value, d_h in the papers
//	d_c, d_c'     width of the latent of keys and values, and of the latent of queries
//	h             [T × d]        what enters the layer, after the block's norm
//	cKV, cQ       [T × d_c], [T × d_c']   latents
//	kR            [T × d_h^R]    rotary key, one for all heads
//	qC, qR, kC, vC   [T × d_h], [T × d_h^R], [T × d_h], [T × d_v]   of one head
//	q, k          [T × (d_h+d_h^R)]   of one head, nope part first
//	o, u          [T × d_v] of one head, [T × d]
//
// DeepSeek-V3 has d = 7168, n_h = 128, d_h = d_v = 128, d_h^R = 64, d_c = 512, d_c' = 1536.
//
// Functions named after an equation take the weights of one head where the paper writes an index i,
// and of all heads at once, rows head after head, where it does not; the product is the same.
// Weights.Head gives the slices of a checkpoint.
//
// # Two forms
//
// Naive, a layer gives every head keys and values of its own, and attention is MHA of widths
// d_h+d_h^R and d_v (192 and 128). Absorbed, W^UK goes to the query and W^UV behind the sum;
// attention is then MQA over the rows [cKV; kR] of widths d_c+d_h^R and d_c (576 and 512), and
// these rows are all that is cached. Both divide scores by √(d_h+d_h^R). LayerBackward and
// LayerAbsorbedBackward are the gradients of either, for the tokens and the weights; they are
// equal, as the forms are.
//
// # What the equations leave out
//
// Checkpoints normalise cQ and cKV (RMSNorm with weight) before anything uses them; the cached
// latent is the normed one, kR is not normed. They put two matrices into one: W^DKV over W^KR, and
// per head W^UQ_i over W^QR_i and W^UK_i over W^UV_i. With YaRN the whole score is multiplied by a
// squared temperature. Layer does as they do; weights of nil norms give the papers' equations to
// the letter.
package mla
