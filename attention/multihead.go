package attention

import "gonum.org/v1/gonum/mat"

// Weights are the projections of a multi-head layer, [out × in] each:
// WQ [n_h·D × d], WK [n_g·D × d], WV [n_g·V × d], WO [d × n_h·V], head after head.
type Weights struct {
	WQ, WK, WV, WO mat.Matrix
}

// MultiHead returns a whole attention layer: projections, heads, output projection.
//
//	q_t = W^Q x_t,  k_j = W^K y_j,  v_j = W^V y_j
//	u_t = W^O [o_{t,1}; o_{t,2}; …; o_{t,n_h}]
//
// x is [S × d]; y, what is attended to, is [T × d], in self-attention x itself; the
// result is [S × d]. With fewer groups than heads it is grouped-query attention.
// Differs in code: biases; normalised queries and keys; rotation between projection
// and scores. The papers' row convention x W^Q has the transposed weights.
// It implements Attention Is All You Need, section 3.2.2, and DeepSeek-V2 (1)-(8).
func MultiHead(x, y mat.Matrix, w Weights, heads, groups int, o Options) *mat.Dense {
	q := SplitHeads(Project(x, w.WQ), heads)
	k := SplitHeads(Project(y, w.WK), groups)
	v := SplitHeads(Project(y, w.WV), groups)
	out, _ := GQA(q, k, v, o)
	return Project(ConcatHeads(out), w.WO)
}

// Project applies a weight matrix to every token.
//
//	y_t = W x_t
//
// x is [T × in], w is [out × in]; the result is [T × out].
// It implements DeepSeek-V2 (1)-(3).
func Project(x, w mat.Matrix) *mat.Dense {
	_, in := x.Dims()
	if _, c := w.Dims(); c != in {
		panic("attention: widths of tokens and weights differ")
	}
	return product(x, w.T())
}

// ProjectBackward returns the gradients of projected tokens for the tokens and for the weights.
//
//	dx_t = Wᵀ dy_t,  dW = Σ_t dy_t x_tᵀ
//
// x is [T × in], w is [out × in], dy is [T × out]; dx is [T × in], dw is [out × in].
// It implements DeepSeek-V2 (1)-(3) (derived).
func ProjectBackward(x, w, dy mat.Matrix) (dx, dw *mat.Dense) {
	rows, in := x.Dims()
	out, c := w.Dims()
	if r, width := dy.Dims(); c != in || r != rows || width != out {
		panic("attention: widths of tokens and weights differ")
	}
	return product(dy, w), product(dy.T(), x)
}

// SplitHeads cuts each token's vector into heads.
//
//	[x_{t,1}; x_{t,2}; …; x_{t,n}] = x_t
//
// x is [T × n·D]; the result has n matrices [T × D].
// Differs in code: a reshape that cuts D instead of n first.
// It implements DeepSeek-V2 (4)-(6).
func SplitHeads(x mat.Matrix, heads int) []*mat.Dense {
	rows, cols := x.Dims()
	if heads < 1 || cols%heads != 0 {
		panic("attention: width is not a multiple of the heads")
	}
	d := cols / heads
	out := make([]*mat.Dense, heads)
	for h := range heads {
		out[h] = zeros(rows, d)
		for t := range rows {
			for c := range d {
				out[h].Set(t, c, x.At(t, h*d+c))
			}
		}
	}
	return out
}

// ConcatHeads joins heads to one vector per token; it undoes SplitHeads.
//
//	x_t = [x_{t,1}; x_{t,2}; …; x_{t,n}]
//
// x has n matrices [T × D]; the result is [T × n·D].
// It implements Attention Is All You Need, section 3.2.2, and DeepSeek-V2 (8).
func ConcatHeads(x []*mat.Dense) *mat.Dense {
	if len(x) == 0 {
		panic("attention: no heads")
	}
	rows, d := x[0].Dims()
	out := zeros(rows, len(x)*d)
	for h := range x {
		if r, c := x[h].Dims(); r != rows || c != d {
			panic("attention: shapes of the heads differ")
		}
		for t := range rows {
			for c := range d {
				out.Set(t, h*d+c, x[h].At(t, c))
			}
		}
	}
	return out
}
