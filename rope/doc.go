// Package rope holds rotary position embedding: the rotation of RoFormer, the ways it is laid out
// in memory, and the ways it is stretched to longer contexts, up to YaRN and DeepSeek's
// temperature.
//
// Everything is float64. Notation, the papers' symbols being the names in the code:
//
//	m, n    positions of a query and a key, in tokens (float64: interpolation makes fractions)
//	d       rotary width, even; the papers of YaRN write |D|
//	i       index of a pair, 0 … d/2−1 (RoFormer counts from 1)
//	b       base, 10000
//	θ_i     frequency of pair i, radians per token; θ'_i after stretching
//	λ_i     wavelength of pair i, tokens per full turn
//	L, L'   trained and wanted context, in tokens; s = L'/L
//	r       full turns a pair makes within L
//	γ       how much of its own frequency a pair keeps: 1 all, 0 none (then it is slowed by s)
//	α, β    rotations below which γ = 0 and above which γ = 1; in code beta_slow and beta_fast
//
// A table [N × d/2] has one row per position and one column per pair. Equation numbers of YaRN are
// those of the PDF that lies beside its code (github.com/jquesnelle/yarn); the arXiv versions count
// differently.
package rope
