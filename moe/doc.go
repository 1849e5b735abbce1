// Package moe holds the feed-forward part of the DeepSeek models: the SwiGLU network that is a
// dense layer, and that each expert of a mixture is; the gate that chooses experts for a token and
// weighs them; the losses and the bias that keep experts evenly used; the dispatch of tokens to
// experts and back; the layer made of these. GLU Variants is Shazeer, GLU Variants Improve
// Transformer, 2020; Loss-Free Balancing is Wang et al., 2024 (2408.15664).
//
// Everything is float64, vectors are columns, weights are [out × in], a matrix of tokens has one in
// each row. Notation:
//
//	u, y         one token before and after, [d]; x in SwiGLU
//	W1, W3, W2   gate, up and down projection, [f × d], [f × d], [d × f]
//	d, f         width of the model and inner width of a network
//	N, K         routed experts, and how many a token has; N_r, K_r in papers
//	N_s          shared experts, which every token has
//	e_i          centroid of expert i, [d]; e is [N × d]
//	z, s         logits and scores of a token, [N]
//	b            bias of the experts in the choice, [N]
//	g            weights of the chosen experts, g′ before they are normalised
//	G, M         groups of experts (devices, nodes), and how many of them a token has
//	D, E_g       devices, and the experts of one of them
//	T            tokens of a sequence or a batch
//	c, f, P      load of an expert in tokens, the same over its mean, mean score
//	α, γ         weight of a balance loss, rate of the bias
//	σ            the logistic function
//	⊙            product element by element
//	dx           gradient of a loss with respect to x
//
// Experts and tokens are counted from 0. Where indices of experts are given, one below 0 is
// padding, or a pair that was dropped: it counts for nobody and adds nothing.
//
// # From one model to the next
//
// DeepSeekMoE and V2 weigh experts by their softmax scores as they are; V3 takes sigmoids, adds the
// bias to choose, and normalises what is chosen; V4 takes roots of softplus and knows no groups.
// The constructors of Gate are these. The factor that V2, V3 and V4 put on routed experts is in no
// equation of their papers.
//
// # What has no gradient
//
// The choice of experts and what is counted. Gradients of scores go on to logits, centroids and the
// token; the bias is moved by loads alone.
package moe
