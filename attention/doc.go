// Package attention holds scaled dot-product attention and what is built of it:
// masks, windows, soft caps and sinks, many heads over shared keys and values,
// the key-value cache, splitting over keys and merging, the tile recursion, and
// every gradient.
//
// # Notation
//
// Rows are tokens, and weights are [out × in].
//
//	S, T     queries and keys of one sequence; kv_len ≤ T of the keys are in use
//	D, V     key width and value width (d_k and d_v of the paper)
//	d        width of the model
//	n_h, n_g query heads, and groups of them that share one key and value head
//	q, k, v  [S × D], [T × D], [T × V]
//	x        scaled, soft-capped scores [S × T], −∞ where masked
//	p        weights [S × T], 0 where masked
//	lse      log Σ_j e^{x_j}, natural, one per query
//	dx, …    gradient of a loss for x, of its shape; p̂ are the weights without a sink, ∂lse/∂x
//	i        position of query s: i = kv_len − S + s
//
// # Conventions
//
// A causal mask is aligned to the last key (bottom right), not to the first: the
// last query sees every key. A window of w leaves the keys i−w < j, so w counts
// the query's own key. The order on a score is scale, soft cap, mask, sink. A
// query that sees no key has output 0 and lse −∞. The lse never counts the sink.
// What is masked is not multiplied by zero but left out: whatever lies in a
// masked row of k or v, a NaN too, reaches no output and no gradient.
//
// Matrices without rows or columns are allowed everywhere, although gonum has no
// constructor for them: results then have their shape and no elements.
package attention
