package attention

import "gonum.org/v1/gonum/mat"

// Group returns the key and value head that a query head uses.
//
//	g(h) = ⌊h · n_g / n_h⌋
//
// Differs in code: h mod n_g (heads tiled instead of grouped), or h ÷ n_g (divided by
// the number of groups instead of the heads in one).
// It implements GQA (Ainslie et al. 2023), section 2.2.
func Group(h, heads, groups int) int {
	if groups < 1 || groups > heads || h < 0 || h >= heads {
		panic("attention: head or group out of range")
	}
	return h * groups / heads
}

// MHA returns the attention of n_h heads, each with keys and values of its own.
//
//	o_h = Head(q_h, k_h, v_h)
//
// q has n_h matrices [S × D], k n_h of [T × D], v n_h of [T × V]; out has n_h of
// [S × V], lse n_h slices of S.
// It implements Attention Is All You Need, section 3.2.2, and DeepSeek-V2 (7).
func MHA(q, k, v []*mat.Dense, o Options) (out []*mat.Dense, lse [][]float64) {
	if len(q) != len(k) || len(q) != len(v) {
		panic("attention: numbers of heads differ")
	}
	out, lse = make([]*mat.Dense, len(q)), make([][]float64, len(q))
	for h := range q {
		out[h], lse[h] = Head(q[h], k[h], v[h], o.head(h, len(q)))
	}
	return out, lse
}

// MQA returns the attention of n_h heads that share one key and one value head.
//
//	o_h = Head(q_h, k, v)
//
// q has n_h matrices [S × D]; k is [T × D], v is [T × V]; out and lse as in MHA.
// Differs in code: the paper's program leaves out 1/√D (it belongs into the
// initialisation there); models scale, as Head does.
// It implements Fast Transformer Decoding (Shazeer 2019), section 3.
func MQA(q []*mat.Dense, k, v mat.Matrix, o Options) (out []*mat.Dense, lse [][]float64) {
	out, lse = make([]*mat.Dense, len(q)), make([][]float64, len(q))
	for h := range q {
		out[h], lse[h] = Head(q[h], k, v, o.head(h, len(q)))
	}
	return out, lse
}

// GQA returns the attention of n_h heads in n_g groups, each with one key and one
// value head.
//
//	o_h = Head(q_h, k_{g(h)}, v_{g(h)}),  g(h) = ⌊h · n_g / n_h⌋
//
// q has n_h matrices [S × D], k n_g of [T × D], v n_g of [T × V]; out and lse as in MHA.
// It implements GQA (Ainslie et al. 2023), section 2.2.
func GQA(q, k, v []*mat.Dense, o Options) (out []*mat.Dense, lse [][]float64) {
	if len(k) != len(v) {
		panic("attention: numbers of key and value heads differ")
	}
	out, lse = make([]*mat.Dense, len(q)), make([][]float64, len(q))
	for h := range q {
		g := Group(h, len(q), len(k))
		out[h], lse[h] = Head(q[h], k[g], v[g], o.head(h, len(q)))
	}
	return out, lse
}

// GQABackward returns the gradients of GQA's out; a key and value head gets the sum
// over the heads of its group. With n_g = n_h it is that of MHA, with n_g = 1 of MQA.
//
//	dk_g = Σ_{h: g(h)=g} dk_h,  dv_g = Σ_{h: g(h)=g} dv_h
//
// do has n_h matrices [S × V]; the results have the shapes of q, k and v.
// It implements GQA (Ainslie et al. 2023), section 2.2 (derived).
func GQABackward(q, k, v, do []*mat.Dense, o Options) (dq, dk, dv []*mat.Dense) {
	dlse := make([][]float64, len(q))
	for h := range q {
		queries, _ := q[h].Dims()
		dlse[h] = make([]float64, queries)
	}
	return GQABackwardLSE(q, k, v, do, dlse, o)
}

// GQABackwardLSE returns the gradients of a loss that depends on GQA's lse too; see BackwardLSE.
//
//	dk_g = Σ_{h: g(h)=g} dk_h,  dv_g = Σ_{h: g(h)=g} dv_h
//
// do has n_h matrices [S × V], dlse n_h slices of S; the results have the shapes of q, k and v.
// It implements GQA (Ainslie et al. 2023), section 2.2 (derived).
func GQABackwardLSE(q, k, v, do []*mat.Dense, dlse [][]float64, o Options) (dq, dk, dv []*mat.Dense) {
	if len(k) != len(v) || len(q) != len(do) || len(q) != len(dlse) {
		panic("attention: numbers of heads differ")
	}
	dq, dk, dv = make([]*mat.Dense, len(q)), make([]*mat.Dense, len(k)), make([]*mat.Dense, len(v))
	for g := range k {
		dk[g], dv[g] = zeros(k[g].Dims()), zeros(v[g].Dims())
	}
	for h := range q {
		g := Group(h, len(q), len(k))
		dqh, dkh, dvh := BackwardLSE(q[h], k[g], v[g], do[h], dlse[h], o.head(h, len(q)))
		dq[h] = dqh
		accumulate(dk[g], dkh)
		accumulate(dv[g], dvh)
	}
	return dq, dk, dv
}

// Repeat returns n_h heads, each group's head repeated for every head that uses it;
// MHA on them is GQA.
//
//	repeated_h = x_{g(h)}
//
// The heads are not copied.
// Differs in code: a repeat over the wrong axis (tokens instead of heads).
// It implements GQA (Ainslie et al. 2023), section 2.2.
func Repeat(x []*mat.Dense, heads int) []*mat.Dense {
	repeated := make([]*mat.Dense, heads)
	for h := range heads {
		repeated[h] = x[Group(h, heads, len(x))]
	}
	return repeated
}

// PoolHeads converts the key or value projection of a multi-head checkpoint: the
// head of a group is the mean of the heads that will use it.
//
//	w′_g = mean of w_h over g(h) = g
//
// w is [n_h·D × d], head after head; the result is [n_g·D × d].
// It implements GQA (Ainslie et al. 2023), section 2.1.
func PoolHeads(w mat.Matrix, heads, groups int) *mat.Dense {
	rows, cols := w.Dims()
	if groups < 1 || heads%groups != 0 || rows%heads != 0 {
		panic("attention: heads do not pool into groups")
	}
	d, n := rows/heads, heads/groups
	pooled := zeros(groups*d, cols)
	for r := range groups * d {
		for c := range cols {
			var sum float64
			for h := range n {
				sum += w.At((r/d*n+h)*d+r%d, c)
			}
			pooled.Set(r, c, sum/float64(n))
		}
	}
	return pooled
}
