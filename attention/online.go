package attention

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Online returns what Head does, from one pass over the keys in tiles that never holds
// a whole row of scores. m is the largest score so far, l the sum of exponentials and
// o the sum of values, both relative to m.
//
//	m′ = max(m, max_j x_j)
//	l′ = e^{m − m′} l + Σ_j e^{x_j − m′}
//	o′ = e^{m − m′} o + Σ_j e^{x_j − m′} v_j
//	out = o/l,  lse = m + log l
//
// q is [S × D], k is [T × D], v is [T × V]; out is [S × V], lse has S elements. It
// shares no step with Head: dot products instead of a matrix product, an interval of
// keys instead of a mask.
// Differs in code: a finite start for m, which hides scores below it; FlashAttention
// (2022) keeps o divided by l at every step.
// It implements FlashAttention-2 (Dao 2023), algorithm 1.
func Online(q, k, v mat.Matrix, tile int, o Options) (out *mat.Dense, lse []float64) {
	queries, keys := checkKeyValue(q, k, v)
	o = o.head(0, 1)
	if tile < 1 {
		panic("attention: tile without keys")
	}
	_, width := v.Dims()
	mask := o.Mask.of(queries, keys)
	out, lse = zeros(queries, width), make([]float64, queries)
	for s := range queries {
		lo, hi := mask.Range(s)
		hi = min(hi, keys)
		r := running{m: math.Inf(-1), o: out.RawRowView(s)}
		for start := lo; start < hi; start += tile {
			r.add(mat.Row(nil, s, q), k, v, start, min(start+tile, hi), o)
		}
		lse[s] = r.finish(o.Sink)
	}
	return out, lse
}

// running is the state of Online for one query.
type running struct {
	m, l float64
	o    []float64
}

// add takes in the keys from start up to end.
func (r *running) add(q []float64, k, v mat.Matrix, start, end int, o Options) {
	x, m := make([]float64, end-start), r.m
	for j := range x {
		for c, qc := range q {
			x[j] += qc * k.At(start+j, c)
		}
		x[j] = SoftCap(o.scale(len(q))*x[j], o.SoftCap)
		m = max(m, x[j])
	}
	if math.IsInf(m, -1) {
		return // nothing yet, and (−∞) − (−∞) would be NaN
	}
	old := math.Exp(r.m - m)
	r.m, r.l = m, r.l*old
	for c := range r.o {
		r.o[c] *= old
	}
	for j := range x {
		e := math.Exp(x[j] - m)
		r.l += e
		for c := range r.o {
			r.o[c] += e * v.At(start+j, c)
		}
	}
}

// finish divides o by l, and by the sink's share of the denominator; it returns the lse.
func (r *running) finish(sink *float64) (lse float64) {
	if math.IsInf(r.m, -1) {
		return r.m
	}
	l := r.l
	if sink != nil {
		l += math.Exp(*sink - r.m)
	}
	for c := range r.o {
		r.o[c] /= l
	}
	return r.m + math.Log(r.l)
}
