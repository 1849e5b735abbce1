// Package moe holds the feed-forward part of the DeepSeek models: the SwiGLU network that is a
// dense layer, and that each of the experts of a mixture is, forward and backward. GLU Variants (6)
// is that equation of Shazeer, GLU Variants Improve Transformer, 2020.
//
// Everything is float64, vectors are columns, weights are [out × in]. Notation:
//
//	x, y   one token before and after, [d]
//	W1     gate projection, [f × d] (gate_proj)
//	W3     up projection, [f × d] (up_proj)
//	W2     down projection, [d × f] (down_proj)
//	d, f   width of the model and inner width of the network
//	σ      the logistic function
//	⊙      product element by element
//	dx     gradient of a loss with respect to x; dy, dW1, dW3 and dW2 likewise
package moe
