package model

// GQA is attention whose query heads share heads of keys and values: MHA with as many of them,
// MQA with one.
type GQA struct {
	Heads, Groups, HeadDim int  // n_h, n_g, d_h
	Biased                 bool // queries, keys and values have biases, as in Qwen2
	Normed                 bool // queries and keys are normed head by head, as in Qwen3
	Window                 int  // tokens that a query sees at most, its own among them; 0: all
}

// Parameters returns the weights of the projections.
//
//	2 d d_h (n_h + n_g)
//
// Query and output have n_h heads, key and value n_g. It implements DeepSeek-V2 (1)–(3) and (8),
// the shapes, with GQA (Ainslie et al. 2023), section 2.2.
func (g GQA) Parameters(d int) Part {
	parts := []Part{
		leaf("query", g.Heads*g.HeadDim, d), leaf("key", g.Groups*g.HeadDim, d),
		leaf("value", g.Groups*g.HeadDim, d), leaf("output", d, g.Heads*g.HeadDim),
	}
	if g.Biased {
		parts = append(parts, leaf("biases", (g.Heads+2*g.Groups)*g.HeadDim))
	}
	if g.Normed {
		parts = append(parts, leaf("norms of query and key", 2, g.HeadDim))
	}
	return group("attention", parts...)
}

// CacheElements returns how many numbers are kept of a token.
//
//	2 n_g d_h
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (g GQA) CacheElements() int64 { return 2 * int64(g.Groups) * int64(g.HeadDim) }

// CachePerToken returns the bytes of a token in BF16.
//
//	2 · 2 n_g d_h, none beyond a window
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (g GQA) CachePerToken() float64 {
	if g.Window > 0 {
		return 0
	}
	return bf16 * float64(g.CacheElements())
}

// Cache returns the bytes of a sequence of T tokens in BF16.
//
//	2 · 2 n_g d_h T, of the window at most
//
// It implements DeepSeek-V2 section 2.1.4, Table 1.
func (g GQA) Cache(tokens int64) int64 {
	if g.Window > 0 {
		tokens = min(tokens, int64(g.Window))
	}
	return bf16 * g.CacheElements() * tokens
}

// Work returns the products of scores and sums of values.
//
//	P n_h 2 d_h
//
// P are the pairs of query and key. However few groups there are, each head has its own scores. It
// implements DeepSeek-V2 (7), counted.
func (g GQA) Work(queries, tokens int64) float64 {
	return float64(VisiblePairs(queries, tokens, 1, int64(g.Window))) * float64(g.Heads) * float64(2*g.HeadDim)
}

// Intensity returns how many operations a byte of the cache is good for when one token is generated
// over a long past.
//
//	2 n_h 2 d_h / (2 · 2 n_g d_h) = n_h / n_g
//
// It implements DeepSeek-V2 (7), counted per byte.
func (g GQA) Intensity() float64 { return float64(g.Heads) / float64(g.Groups) }

func (g GQA) heads() (count, width int) { return g.Heads, g.HeadDim }

// VisiblePairs returns how many pairs of query and key causal attention has for the last S queries
// of T tokens, if m tokens make one key, and a query has most keys at most; 0: no limit.
//
//	P = Σ_{t=T−S+1}^{T} min(⌊t/m⌋, most)
//
// With m of 1, S of T and no limit these are T(T+1)/2. A window of W tokens is the limit W of m 1,
// the choice of the best k keys the limit k. It implements DeepSeek-V4's report, section 2.3, whose
// query t sees the keys of its past.
func VisiblePairs(queries, tokens, m, most int64) int64 {
	return pairsUpTo(tokens, m, most) - pairsUpTo(tokens-queries, m, most)
}

// pairsUpTo returns the pairs of the first n queries: with q = ⌊n/m⌋ whole keys, m queries see each
// number of keys up to q−1, and the rest see q.
func pairsUpTo(n, m, most int64) int64 {
	rest := int64(0)
	if most > 0 && n > most*m {
		rest, n = most*(n-most*m), most*m
	}
	q := n / m
	return m*(q*(q-1)/2) + q*(n-m*q+1) + rest
}
