package model

// DSA is latent attention of which a query sees only the tokens that an indexer scores highest,
// as in DeepSeek-V3.2.
type DSA struct {
	MLA
	IndexHeads, IndexDim int // H^I, D
	TopK                 int // k, tokens of a query
}

// tile is how many elements of a cache in FP8 share a scale.
const tile = 128

// Parameters returns the weights of latent attention and of the indexer.
//
//	N_MLA + d_c' H D + d D + 2 D + d H
//
// Queries of the index from their latent, one key head with a LayerNorm, and a weight of each head.
// It implements DeepSeek-V3.2 (1), the shapes, with the norm of its inference code.
func (x DSA) Parameters(d int) Part {
	p := x.MLA.Parameters(d)
	return group(p.Name, append(p.Parts,
		leaf("index, query", x.IndexHeads*x.IndexDim, x.QueryLatent), leaf("index, key", x.IndexDim, d),
		leaf("index, norm", 2, x.IndexDim), leaf("index, weights", x.IndexHeads, d),
	)...)
}

// bytes returns those of a token: latent and index key in FP8 with a float32 for each 128 of them,
// the rotated key in BF16.
func (x DSA) bytes() int64 {
	latent := x.Latent
	return int64(latent + 4*(latent/tile) + bf16*x.RopeDim + x.IndexDim + 4*(x.IndexDim/tile))
}

// CachePerToken returns the bytes of a token, in FP8.
//
//	d_c + 4 d_c/128 + 2 d_h^R + D + 4 D/128
//
// 656 and 132 of them in DeepSeek-V3.2. It implements the layout of FlashMLA's FP8 cache (code),
// with the keys of the index.
func (x DSA) CachePerToken() float64 { return float64(x.bytes()) }

// Cache returns the bytes of a sequence of T tokens, in FP8.
//
//	(d_c + 4 d_c/128 + 2 d_h^R + D + 4 D/128) T
//
// It implements the layout of FlashMLA's FP8 cache (code), with the keys of the index.
func (x DSA) Cache(tokens int64) int64 { return x.bytes() * tokens }

// Work returns the products of the index with all tokens, and of the absorbed form with those that
// it chooses, or of the expanded form with all where that has fewer, as in short prompts.
//
//	P H D + min(S d_c n_h (d_h + d_v) + P_k n_h (2 d_c + d_h^R), Expanded)
//
// P are the pairs of query and key, P_k those with at most k keys for a query; the expanded form
// masks what is not chosen. It implements DeepSeek-V3.2 (1) and (2), counted.
func (x DSA) Work(queries, tokens int64) float64 {
	index := float64(VisiblePairs(queries, tokens, 1, 0)) * float64(x.IndexHeads*x.IndexDim)
	chosen := float64(VisiblePairs(queries, tokens, 1, int64(x.TopK))) * float64(2*x.Latent+x.RopeDim)
	absorbed := float64(x.Heads) * (float64(queries)*x.expansion() + chosen)
	return index + min(absorbed, x.Expanded(queries, tokens))
}

// Compressed is the attention of DeepSeek-V4: every query head sees the same entries, which are key
// and value at once; the last Window tokens have one each, and of all tokens every Ratio have one
// together.
type Compressed struct {
	Heads, Dim, RopeDim  int // n_h, c, and how much of c is rotated
	QueryLatent          int // d_c
	Groups, GroupDim     int // g, d_g: outputs of n_h/g heads are brought to d_g first
	Window               int // n_win
	Ratio                int // m, tokens that an entry is made of; 0: there is the window alone
	IndexHeads, IndexDim int // of the indexer, 0: none. With one entries overlap, and are made of 2m tokens
	TopK                 int // k, entries that the indexer leaves to a query
}

// Parameters returns the weights of projections, compressor and indexer.
//
//	query and key:  d d_c + d_c + d_c n_h c + d c + c + n_h
//	output:         n_h c d_g + g d_g d
//	compressor:     2 d w c + m w c + c,  w = 2 where entries overlap, else 1
//	indexer:        d_c H D + d H + 2 d w D + m w D + D
//
// The n_h are the sinks of the heads. It implements DeepSeek-V4's report (9)–(27), the shapes, with
// the norms of its inference code.
func (a Compressed) Parameters(d int) Part {
	width := a.Heads * a.Dim
	parts := []Part{
		leaf("query, down", a.QueryLatent, d), leaf("query, norm", a.QueryLatent),
		leaf("query, up", width, a.QueryLatent), leaf("entry", a.Dim, d), leaf("entry, norm", a.Dim),
		leaf("sinks", a.Heads), leaf("output, by groups", width, a.GroupDim),
		leaf("output", d, a.Groups*a.GroupDim),
	}
	if a.Ratio > 0 {
		parts = append(parts, leaf("compressor", a.compressor(d, a.Dim)))
	}
	if a.IndexHeads > 0 {
		parts = append(parts, group("indexer",
			leaf("query", a.IndexHeads*a.IndexDim, a.QueryLatent), leaf("weights", a.IndexHeads, d),
			leaf("compressor", a.compressor(d, a.IndexDim)),
		))
	}
	return group("attention", parts...)
}

// compressor returns the weights that make entries of a width: projections to values and to their
// weights, a bias for each place in an entry, and a norm.
func (a Compressed) compressor(d, width int) int {
	w := 1
	if a.IndexHeads > 0 {
		w = 2
	}
	return 2*d*w*width + a.Ratio*w*width + width
}

// entryBytes returns the bytes of an entry: what is not rotated in FP8 with a scale byte for each
// 64, one byte to fill up to a whole number of eights, and what is rotated in BF16.
func (a Compressed) entryBytes() int64 {
	plain := a.Dim - a.RopeDim
	return int64(plain + bf16*a.RopeDim + (plain/64+8)/8*8)
}

// indexBytes returns the bytes of the index key of an entry: FP4 with a scale byte for each 32.
func (a Compressed) indexBytes() int64 { return int64(a.IndexDim/2 + a.IndexDim/32) }

// CachePerToken returns the bytes of a token of a long sequence, in which windows do not count.
//
//	(b + b^I) / m
//
// b are the bytes of an entry, 584 in DeepSeek-V4, b^I those of its index key, 68.
// It implements DeepSeek-V4's report, section 2.3, with the layout of FlashMLA's cache (code).
func (a Compressed) CachePerToken() float64 {
	if a.Ratio == 0 {
		return 0
	}
	return CachePerEntry(a.Ratio, a.entryBytes(), a.indexBytes())
}

// CachePerEntry returns the bytes of a token where m tokens have one entry.
//
//	(b + b^I) / m
//
// DeepSeek-V4.1-Flash, of which little else is known here, has three caches of m = 2 and one of
// m = 1, with b of 288 and b^I of 68: 890 bytes. It implements DeepSeek-V4's report, section 2.3.
func CachePerEntry(m int, entry, index int64) float64 { return float64(entry+index) / float64(m) }

// Cache returns the bytes of a sequence of T tokens.
//
//	min(T, n_win) b + ⌊T/m⌋ (b + b^I)
//
// It implements DeepSeek-V4's report, section 2.3, with the layout of FlashMLA's cache (code).
func (a Compressed) Cache(tokens int64) int64 {
	window := min(tokens, int64(a.Window)) * a.entryBytes()
	if a.Ratio == 0 {
		return window
	}
	return window + tokens/int64(a.Ratio)*(a.entryBytes()+a.indexBytes())
}

// Work returns the products with the window, with the index of all entries, and with the entries
// that it chooses or, without one, with all.
//
//	P_win n_h 2 c + P H D + P_k n_h 2 c
//
// It implements DeepSeek-V4's report (16), (19) and (26), counted.
func (a Compressed) Work(queries, tokens int64) float64 {
	pairs := VisiblePairs(queries, tokens, 1, int64(a.Window))
	index := int64(0)
	if a.Ratio > 0 {
		pairs += VisiblePairs(queries, tokens, int64(a.Ratio), int64(a.TopK))
		index = VisiblePairs(queries, tokens, int64(a.Ratio), 0)
	}
	return float64(pairs)*float64(a.Heads)*float64(2*a.Dim) + float64(index)*float64(a.IndexHeads*a.IndexDim)
}

func (a Compressed) heads() (count, width int) { return a.Heads, 128 }
