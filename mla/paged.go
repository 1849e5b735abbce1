package mla

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// PagedCache holds the rows [cKV; kR] of many sequences in pages of fixed size, in any order. Row j
// of sequence b is row j mod page of page Table[b][⌊j/page⌋]; what lies behind the last row in use
// is never read.
type PagedCache struct {
	Pages   []*mat.Dense // each [page × (d_c+d_h^R)]
	Table   [][]int      // per sequence, the page of each run of rows; entries not needed may be anything
	Lengths []int        // rows in use, per sequence
}

// page returns the rows of a page and their width.
func (p *PagedCache) page() (size, width int) {
	if len(p.Pages) == 0 {
		panic("mla: cache without pages")
	}
	return p.Pages[0].Dims()
}

// row returns row j of sequence b, not copied.
func (p *PagedCache) row(b, j int) []float64 {
	size, _ := p.page()
	if b < 0 || b >= len(p.Table) || j < 0 || j >= len(p.Table[b])*size {
		panic("mla: row is not in the block table")
	}
	page := p.Table[b][j/size]
	if page < 0 || page >= len(p.Pages) {
		panic("mla: page of the block table does not exist")
	}
	return p.Pages[page].RawRowView(j % size)
}

// Gather returns the rows of sequence b in use, in order, as if its cache were not paged.
//
//	row_{b,j} = pages[table[b, ⌊j/page⌋], j mod page],  j < length_b
//
// The result is [length × (d_c+d_h^R)], without rows for an empty sequence. Differs in code:
// neighbours in the table taken for neighbours in memory; rows past the table's columns read from
// wherever that is. It implements PagedAttention (Kwon et al. 2023), section 4.1.
func (p *PagedCache) Gather(b int) *mat.Dense {
	page, width := p.page()
	return GatherPages(p.Lengths[b], page, width, func(run int, rows []float64) {
		for j := range len(rows) / max(width, 1) {
			row := p.row(b, run*page+j)
			if len(row) != width {
				panic("mla: pages have different widths")
			}
			copy(rows[j*width:], row)
		}
	})
}

// GatherPages is PagedCache.Gather for pages that are elsewhere: read is called for each page of
// the table, from the first on, with room for its rows in use, [n × width] with n ≤ page.
//
//	row_j = pages[table[⌊j/page⌋], j mod page],  j < length
//
// The result is [length × width]. It implements PagedAttention (Kwon et al. 2023), section 4.1.
func GatherPages(length, page, width int, read func(run int, rows []float64)) *mat.Dense {
	switch {
	case length == 0:
		return noRows(width)
	case page < 1:
		panic("mla: pages without rows")
	}
	g := mat.NewDense(length, width, nil)
	for first := 0; first < length; first += page {
		last := min(first+page, length)
		read(first/page, g.RawMatrix().Data[first*width:last*width])
	}
	return g
}

// Append puts new rows at the end of sequence b, on pages that its table must have for them.
//
//	row_{b,length+n} = [cKV_n; kR_n]
//
// latent is [T × d_c] and ropeKey is [T × d_h^R]. Differs in code: a cursor that already counts the
// new row writes one too far, and the row it skips is read ever after. It implements the cached
// vectors of DeepSeek-V2 (41) and (43).
func (p *PagedCache) Append(b int, latent, ropeKey mat.Matrix) {
	added := ConcatKey(latent, ropeKey)
	n, width := added.Dims()
	for j := range n {
		row := p.row(b, p.Lengths[b]+j)
		if len(row) != width {
			panic("mla: width of the new rows is not the cache's")
		}
		copy(row, added.RawRowView(j))
	}
	p.Lengths[b] += n
}

// Decode returns what the newest queries of sequence b find in its cache, which holds their own
// rows already: MQA on the latents.
//
//	oC_{s,i} = Σ_{j ≤ length−S+s} Softmax_j(scale · [q̃_{s,i}; qR_{s,i}]·[cKV_j; kR_j]) cKV_j
//
// q has n_h matrices [S × (d_c+d_h^R)], absorbed; valueDim is d_c, the leading part of a row that
// is summed; scale is 1/√(d_h+d_h^R) times what YaRN says; without causal every query sees all
// rows. out has n_h matrices [S × d_c], lse n_h slices of S; a query that sees nothing, in an empty
// sequence too, has output 0 and lse −∞. Differs in code: masked rows of the last page multiplied
// by 0, which a NaN survives; lse in base 2. It implements DeepSeek-V2 (46) with the absorption
// after (47), as FlashMLA's MQA mode has it.
func (p *PagedCache) Decode(
	b int, q []*mat.Dense, valueDim int, scale float64, causal bool,
) (out []*mat.Dense, lse [][]float64) {
	k := p.Gather(b)
	v := leading(k, valueDim)
	out, lse = make([]*mat.Dense, len(q)), make([][]float64, len(q))
	for i := range q {
		queries, _ := q[i].Dims()
		mask := attention.Mask{Causal: causal, Queries: queries, Keys: p.Lengths[b]}
		out[i], lse[i] = Attend(q[i], k, v, scale, mask)
	}
	return out, lse
}

// LayerDecode returns the output of a layer for the next tokens of sequence b, in the absorbed
// form, and appends their rows to the cache.
//
//	y_t = LayerAbsorbed(all tokens so far)_t
//
// x is [S × d], the tokens after those in the cache; y is [S × d]. The cache's length takes the
// place of the configuration's Start; the equality is that of a causal layer, without Causal a
// token sees what is there when it comes. Differs in code: a position one too far, where the length
// already counts the token. It implements DeepSeek-V2 (37)–(47) with the absorption after (47), one
// step of generation.
func LayerDecode(x mat.Matrix, w Weights, c Config, cache *PagedCache, b int) *mat.Dense {
	c.Start = cache.Lengths[b]
	cQ, latent, ropeKey := Compress(x, w, c)
	cache.Append(b, latent, ropeKey)
	tokens, dc := latent.Dims()
	r := c.Rotation(tokens)
	q := make([]*mat.Dense, c.Heads)
	for i := range q {
		q[i] = w.Head(i, c).Absorbed(cQ, r)
	}
	o, _ := cache.Decode(b, q, dc, c.ScoreScale(), c.Causal)
	for i := range o {
		o[i] = AbsorbOutput(o[i], w.Head(i, c).UV)
	}
	return Output(o, w.WO)
}

// leading returns the first n columns of m as a view.
func leading(m *mat.Dense, n int) *mat.Dense {
	r, c := m.Dims()
	switch {
	case n > c:
		panic("mla: values are wider than the rows of the cache")
	case r == 0:
		return noRows(n)
	}
	return m.Slice(0, r, 0, n).(*mat.Dense)
}

// noRows returns a [0 × c] matrix, for which gonum has no constructor.
func noRows(c int) *mat.Dense {
	var m mat.Dense
	m.SetRawMatrix(blas64.General{Cols: c, Stride: max(c, 1)})
	return &m
}
