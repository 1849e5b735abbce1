package model

import "math"

// MLA is multi-head latent attention, MLA.
type MLA struct {
	Heads, NopeDim, RopeDim, ValueDim int // n_h, d_h, d_h^R, d_v
	Latent                            int // d_c
	QueryLatent                       int // d_c'; 0: queries are not compressed
}

// Parameters returns the weights of the projections and of the norms of the latents.
//
//	d d_c' + d_c' + d_c' n_h (d_h + d_h^R) + d (d_c + d_h^R) + d_c
//	+ d_c n_h (d_h + d_v) + n_h d_v d
//
// Without compression of the queries the first three terms are d n_h (d_h + d_h^R).
// It implements DeepSeek-V3 (1)–(11), the shapes, with the norms of its inference code.
func (a MLA) Parameters(d int) Part {
	queries := []Part{leaf("query", a.Heads*(a.NopeDim+a.RopeDim), d)}
	if c := a.QueryLatent; c > 0 {
		queries = []Part{
			leaf("query, down", c, d), leaf("query, norm", c), leaf("query, up", a.Heads*(a.NopeDim+a.RopeDim), c),
		}
	}
	return group("attention", append(queries,
		leaf("key and value, down", a.Latent+a.RopeDim, d), leaf("key and value, norm", a.Latent),
		leaf("key and value, up", a.Heads*(a.NopeDim+a.ValueDim), a.Latent),
		leaf("output", d, a.Heads*a.ValueDim),
	)...)
}

// CacheElements returns how many numbers are kept of a token: its latent, and one rotated key for
// all heads.
//
//	d_c + d_h^R
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (a MLA) CacheElements() int64 { return int64(a.Latent + a.RopeDim) }

// CachePerToken returns the bytes of a token in BF16.
//
//	2 (d_c + d_h^R)
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (a MLA) CachePerToken() float64 { return bf16 * float64(a.CacheElements()) }

// Cache returns the bytes of a sequence of T tokens in BF16.
//
//	2 (d_c + d_h^R) T
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (a MLA) Cache(tokens int64) int64 { return bf16 * a.CacheElements() * tokens }

// ExpandedElements returns how many numbers a token would have in a cache of the keys and values
// that are made from its latent.
//
//	n_h (d_h + d_h^R + d_v)
//
// It implements DeepSeek-V2 (10), (11) and (17), counted.
func (a MLA) ExpandedElements() int64 { return int64(a.Heads) * int64(a.NopeDim+a.RopeDim+a.ValueDim) }

// Expanded returns the products of the last S queries over T tokens in the form of MHA: keys and
// values of all tokens are made from their latents, then attended to.
//
//	T d_c n_h (d_h + d_v) + P n_h (d_h + d_h^R + d_v)
//
// P are the pairs of query and key. It implements DeepSeek-V2 (10), (11) and (18), counted.
func (a MLA) Expanded(queries, tokens int64) float64 {
	perPair := a.NopeDim + a.RopeDim + a.ValueDim
	return float64(a.Heads) * (float64(tokens)*a.expansion() + a.pairs(queries, tokens)*float64(perPair))
}

// Absorbed returns the products of the last S queries over T tokens in the form of MQA: what makes
// keys and values is applied to queries and outputs, and the latents are attended to.
//
//	S d_c n_h (d_h + d_v) + P n_h (2 d_c + d_h^R)
//
// It implements the absorption after DeepSeek-V2 (47), counted.
func (a MLA) Absorbed(queries, tokens int64) float64 {
	perPair := 2*a.Latent + a.RopeDim
	return float64(a.Heads) * (float64(queries)*a.expansion() + a.pairs(queries, tokens)*float64(perPair))
}

// expansion returns the products that make key and value of one head and token from its latent, E.
func (a MLA) expansion() float64 { return float64(a.Latent) * float64(a.NopeDim+a.ValueDim) }

func (a MLA) pairs(queries, tokens int64) float64 {
	return float64(VisiblePairs(queries, tokens, 1, 0))
}

// Work returns the products in the form that has fewer.
//
//	min(Expanded, Absorbed)
//
// It implements DeepSeek-V2 (18) or the absorption after (47), counted.
func (a MLA) Work(queries, tokens int64) float64 {
	return min(a.Expanded(queries, tokens), a.Absorbed(queries, tokens))
}

// CrossOver returns for how many new queries over T tokens both forms have as many products:
// with fewer the absorbed one has fewer, with more the expanded one.
//
//	E (T − S) = Δ P,  E = d_c (d_h + d_v),  Δ = 2 d_c − d_h − d_v,  P = S (2 T − S + 1) / 2
//	S = 4 E T / (B + √(B² − 8 Δ E T)),  B = Δ (2 T + 1) + 2 E
//
// The difference of the two is n_h times that of the sides, and the second line its smaller root.
// Over a long past S tends to E/Δ, 170 and two thirds for the widths of DeepSeek. Where Δ is not
// above 0 the absorbed form has fewer products for any S < T, and +Inf is returned.
// It implements the absorption after DeepSeek-V2 (47), counted (derived).
func (a MLA) CrossOver(tokens int64) float64 {
	e, delta, t := a.expansion(), float64(2*a.Latent-a.NopeDim-a.ValueDim), float64(tokens)
	if delta <= 0 {
		return math.Inf(1)
	}
	b := delta*(2*t+1) + 2*e
	return 4 * e * t / (b + math.Sqrt(b*b-8*delta*e*t))
}

func (a MLA) heads() (count, width int) { return a.Heads, a.NopeDim }

// Intensity returns how many operations a byte of the cache is good for when one token is generated
// over a long past: two for each product.
//
//	2 n_h (2 d_c + d_h^R) / (2 (d_c + d_h^R))
//
// It implements the absorption after DeepSeek-V2 (47), counted per byte.
func (a MLA) Intensity() float64 {
	return 2 * float64(a.Heads) * float64(2*a.Latent+a.RopeDim) / a.CachePerToken()
}
