package attention

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Head returns the attention of one head, and the log-sum-exp of each query's scores.
//
//	o_s = Σ_j softmax_j(q_s·k_j / √D) v_j
//
// q is [S × D], k is [T × D], v is [T × V]; out is [S × V], lse has S elements. A
// query that sees no key has output 0 and lse −∞, with a sink too.
// Differs in code: NaN, or the mean of v, for a query that sees no key; lse +∞ there
// in FlashAttention-2 and FlashMLA.
// It implements Attention Is All You Need (1).
func Head(q, k, v mat.Matrix, o Options) (out *mat.Dense, lse []float64) {
	checkKeyValue(q, k, v)
	o = o.head(0, 1)
	p, lse := Softmax(Scores(q, k, o), o.Sink)
	return Values(p, v, o), lse
}

// Values returns the values of one head, weighted.
//
//	o_s = Σ_{j seen by s} p_sj v_j
//
// p is [S × T], 0 where o masks, as Softmax has it; v is [T × V]; the result is
// [S × V]. Values that a query does not see are left out, not multiplied by zero.
// Differs in code: 0·v over a whole page, NaN where its unused slots hold NaN.
// It implements Attention Is All You Need (1).
func Values(p, v mat.Matrix, o Options) *mat.Dense {
	queries, keys := p.Dims()
	if rows, _ := v.Dims(); rows != keys {
		panic("attention: numbers of weights and values differ")
	}
	return weigh(p, v, o.Mask.of(queries, keys).Sees)
}

// SinkBackward returns the gradient of the sink from Head's out and lse, with do = ∂L/∂out.
//
//	dsink = −Σ_s σ(sink − lse_s) D_s,  D_s = do_s·o_s
//
// out and do are [S × V], lse has S elements. It is the softmax's −p_i Σ_j p_j dp_j for
// the sink's own weight p_i. Queries that see nothing add nothing.
// It implements FlashAttention (Dao et al. 2022), appendix B.2 (derived).
func SinkBackward(out, do mat.Matrix, lse []float64, sink float64) (dsink float64) {
	rows, cols := out.Dims()
	if r, c := do.Dims(); r != rows || c != cols || len(lse) != rows {
		panic("attention: shapes of the output and its gradient differ")
	}
	for s := range rows {
		if math.IsInf(lse[s], -1) {
			continue
		}
		for c := range cols {
			dsink -= SinkFactor(sink, lse[s]) * do.At(s, c) * out.At(s, c)
		}
	}
	return dsink
}

// checkKeyValue panics unless k and v have as many rows; it returns S and T.
func checkKeyValue(q, k, v mat.Matrix) (queries, keys int) {
	queries, _ = q.Dims()
	keys, _ = k.Dims()
	if values, _ := v.Dims(); keys != values {
		panic("attention: numbers of keys and values differ")
	}
	return queries, keys
}

// Backward returns the gradients of Head's out for its inputs, given do = ∂L/∂out.
//
//	p = softmax(x),  dp = do vᵀ,  D_s = do_s·o_s = Σ_j p_sj dp_sj
//	dx_sj = p_sj (dp_sj − D_s) · cap′(x_sj)
//	dq = scale · dx k,  dk = scale · dxᵀ q,  dv = pᵀ do
//
// q is [S × D], k is [T × D], v is [T × V], do is [S × V]; the results have the
// shapes of q, k and v. What is masked, and queries that see nothing, get 0.
// It implements FlashAttention (Dao et al. 2022), appendix B.2.
func Backward(q, k, v, do mat.Matrix, o Options) (dq, dk, dv *mat.Dense) {
	queries, _ := q.Dims()
	return BackwardLSE(q, k, v, do, make([]float64, queries), o)
}

// BackwardLSE returns the gradients of a loss that depends on Head's lse too, given do = ∂L/∂out
// and dlse = ∂L/∂lse: that of parts which are merged later, or of a loss on the log-sum-exp itself.
//
//	dx_sj = (p_sj (dp_sj − D_s) + p̂_sj dlse_s) · cap′(x_sj)
//	p̂_sj = e^{x_sj − lse_s} = ∂lse_s/∂x_sj
//
// Shapes are those of Backward, dlse has S elements; dq, dk and dv follow from dx as there. p̂ are
// the weights without the sink, which the lse never counts: SinkBackward is the same with a dlse.
// Where a loss is of an lse with the sink in it, dlse is what SinkLSEBackward makes of its
// gradient. A query that sees nothing gets 0, whatever its dlse. Differs in code: kernels subtract
// dlse from D, which is the same without a sink. It implements FlashAttention (Dao et al. 2022),
// appendix B.2 (derived).
func BackwardLSE(q, k, v, do mat.Matrix, dlse []float64, o Options) (dq, dk, dv *mat.Dense) {
	queries, keys := checkGradient(q, k, v, do, dlse)
	o = o.head(0, 1)
	m := o.Mask.of(queries, keys)
	seenBy := func(j, s int) bool { return m.Sees(s, j) }

	raw := uncapped(q, k, o)
	x := copyOf(raw)
	capAndHide(x, o)
	p, lse := Softmax(x, o.Sink)
	dp := product(do, v.T())
	hide(dp, m, 0)
	dx := SoftmaxBackward(p, dp)
	addLSE(dx, x, lse, dlse)
	_, d := q.Dims()
	scale := o.scale(d)
	apply(dx, func(s, j int, dx float64) float64 { return dx * SoftCapSlope(raw.At(s, j), o.SoftCap) * scale })
	hide(dx, m, 0)
	return weigh(dx, k, m.Sees), weigh(dx.T(), q, seenBy), weigh(p.T(), do, seenBy)
}

// addLSE adds to the gradient dx of the scores x what reaches them through the log-sum-exp.
func addLSE(dx, x *mat.Dense, lse, dlse []float64) {
	for s, d := range dlse {
		if d == 0 || math.IsInf(lse[s], -1) {
			continue // a row that sees nothing: (−∞) − (−∞)
		}
		row := dx.RawRowView(s)
		for j := range row {
			row[j] += math.Exp(x.At(s, j)-lse[s]) * d
		}
	}
}

// checkGradient is checkKeyValue for a backward pass: do has out's shape, and dlse that of lse.
func checkGradient(q, k, v, do mat.Matrix, dlse []float64) (queries, keys int) {
	queries, keys = checkKeyValue(q, k, v)
	_, width := v.Dims()
	if r, c := do.Dims(); r != queries || keys > 0 && c != width || len(dlse) != queries {
		panic("attention: shapes of the output and its gradient differ")
	}
	return queries, keys
}
