// Package norm holds RMSNorm, forward and backward: the normalisation before every block of the
// DeepSeek models, of the latents of their attention, and of their heads. RMSNorm (4) is that
// equation of Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
//
// Everything is float64. Notation:
//
//	x, y   one row before and after, [d]
//	w      learned weight, [d]; there is no bias and no mean is subtracted
//	ε      added to the mean square, 1e-6 in DeepSeek's models
//	r      1/√(mean(x²) + ε), by which a row is multiplied
//	dx     gradient of a loss with respect to x; dy and dw likewise
package norm
