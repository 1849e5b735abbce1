package attention

import "gonum.org/v1/gonum/mat"

// Cache holds the keys and values of the tokens so far, for one key and value head:
// K is [T × D], V is [T × V]. The zero value is empty.
type Cache struct {
	K, V *mat.Dense
}

// Append returns the cache with new tokens at its end. It implements no equation.
func (c Cache) Append(k, v mat.Matrix) Cache {
	checkKeyValue(k, k, v)
	return Cache{stack(c.K, k), stack(c.V, v)}
}

// stack returns the rows of a, which may be nil, followed by those of b.
func stack(a *mat.Dense, b mat.Matrix) *mat.Dense {
	if rows, _ := b.Dims(); rows == 0 {
		return a
	}
	if a == nil {
		return mat.DenseCopyOf(b)
	}
	if _, cols := b.Dims(); cols != a.RawMatrix().Cols {
		panic("attention: widths of the cache and the new tokens differ")
	}
	var out mat.Dense
	out.Stack(a, b)
	return &out
}

// Len returns the number of tokens in the cache. It implements no equation.
func (c Cache) Len() int {
	if c.K == nil {
		return 0
	}
	rows, _ := c.K.Dims()
	return rows
}

// Decode returns the attention of the newest tokens to all in the cache, themselves
// included, which their keys and values are already in.
//
//	o_s = Σ_{j ≤ i} softmax_j(q_s·k_j / √D) v_j,  i = T − S + s
//
// q is [S × D], S being 1 in plain decoding, and more when drafted tokens are
// verified; out is [S × V]. The mask of o is causal here whatever it says; its window
// counts.
// Differs in code: several queries on a cache that holds tokens already, handled as
// if it were empty.
// It implements Fast Transformer Decoding (Shazeer 2019), section 2.4.
func Decode(q mat.Matrix, c Cache, o Options) (out *mat.Dense, lse []float64) {
	if c.Len() == 0 {
		panic("attention: empty cache")
	}
	queries, _ := q.Dims()
	o.Mask = Mask{Causal: true, Window: o.Mask.Window, Queries: queries, Keys: c.Len()}
	return Head(q, c.K, c.V, o)
}
