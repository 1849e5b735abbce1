package attention

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
)

// headTruth is the truth of some queries of a head.
type headTruth struct {
	q                    *mat.Dense
	keys                 *Keys
	v                    *mat.Dense // of the keys, finite
	scores, weights, out *mat.Dense
	lse                  []float64
}

// norms returns Σ x² of each row.
func norms(x *mat.Dense) []float64 {
	rows, _ := x.Dims()
	sums := make([]float64, rows)
	for i := range rows {
		sums[i] = floats.Dot(x.RawRowView(i), x.RawRowView(i))
	}
	return sums
}

// headShape is what second moments of errors of a head's outputs go with, from row to row and
// column to column. Of rows that are not run, the factor between the two is what tells σ; so a
// shape need be right but for that. With a_j and e_j the second moments of the relative errors of
// weight j, by its own rounding and by its score's, it is
//
//	Σ p² (a v² + e (v − o)²)  where the roundings of weights are left in the sum, and
//	Σ p² (a + e) (v − o)²     where weights are divided by the sum of rounded ones
//
// and that of the sum over the keys and of what divides it. Where weights are divided after, the
// largest is 1 and exact.
type headShape struct {
	m           Model
	t           headTruth
	q2, k2      []float64
	own, scores *keySums // the scores' errors are among the weights' own, unless they are stored
}

// keySums are Σ w, Σ w v and Σ w v² over the keys.
type keySums struct{ w, v1, v2 *mat.Dense }

// newKeySums sums over the keys with the weights p² f.
func (t headTruth) newKeySums(f func(s, j int) float64) *keySums {
	k := &keySums{w: new(mat.Dense), v1: new(mat.Dense), v2: new(mat.Dense)}
	k.w.Apply(func(s, j int, p float64) float64 {
		if p == 0 {
			return 0
		}
		return p * p * f(s, j)
	}, t.weights)
	k.v1.Mul(k.w, t.v)
	k.v2.Mul(k.w, t.keys.squaresV())
	return k
}

// around returns Σ w (v − o)², without one part of a key.
func (k *keySums) around(s, c int, o, mass, part, v float64) float64 {
	return k.v2.At(s, c) - part*v*v - 2*o*(k.v1.At(s, c)-part*v) + o*o*(mass-part)
}

// newShape sums what the shapes of all forms are made of.
func (m Model) newShape(t headTruth) *headShape {
	h := &headShape{m: m, t: t, q2: norms(t.q), k2: t.keys.norms()}
	if !m.storesScores() {
		h.own = t.newKeySums(func(s, j int) float64 { return m.weightRho2() + h.score(s, j) })
		return h
	}
	h.own = t.newKeySums(func(int, int) float64 { return m.weightRho2() })
	h.scores = t.newKeySums(h.score)
	return h
}

// row fills in that of a row in the form of a run.
func (h *headShape) row(s int, a *Run, shape []float64) {
	own := h.own.w.RawRowView(s)
	keys, largest := len(own), floats.MaxIdx(h.t.weights.RawRowView(s))
	mass, top, scores := floats.Sum(own), own[largest], 0.0
	if h.scores != nil {
		scores = floats.Sum(h.scores.w.RawRowView(s))
	}
	if p := h.t.weights.At(s, largest); a.dividesFirst {
		top -= p * p * h.m.weightRho2()
	}
	for c, o := range h.t.out.RawRowView(s) {
		v := h.t.v.At(largest, c)
		if shape[c] = h.own.v2.At(s, c) - top*v*v; a.sumsRounded {
			shape[c] = h.own.around(s, c, o, mass, top, v)
		}
		if h.scores != nil {
			shape[c] += h.scores.around(s, c, o, scores, 0, 0)
		}
		apart, together := h.m.accumulate.ProductError(
			h.m.probabilities, h.m.V, keys, o, h.own.v2.At(s, c)/h.m.weightRho2(),
		)
		shape[c] = max(0, shape[c]) + apart + together + argumentShape*h.m.rho2()*o*o
	}
}

// lse returns that of a row's log-sum-exp.
func (h *headShape) lse(s int) float64 {
	shape := argumentShape * h.m.rho2() * (1 + h.t.lse[s]*h.t.lse[s])
	for j, p := range h.t.weights.RawRowView(s) {
		if p > 0 {
			shape += p * p * h.score(s, j)
		}
	}
	return shape
}

// weightRho2 is the second moment of the relative error of a weight's own rounding.
func (m Model) weightRho2() float64 {
	rho := arithmetic.Rho(m.probabilities)
	return max(m.rho2(), rho*rho)
}

// score is the second moment of the error of a score, and of its exponential's argument.
func (h *headShape) score(s, j int) float64 {
	x, m := h.t.scores.At(s, j), h.m
	_, width := h.t.q.Dims()
	apart, together := m.accumulate.ProductError(m.Q, m.K, width, x/m.Scale, h.q2[s]*h.k2[j]/float64(width))
	e := m.Scale*m.Scale*(apart+together) + argumentShape*m.rho2()*(1+x*x)
	if m.storesScores() {
		rho := arithmetic.Rho(m.Scores)
		e += 2 * rho * rho * x * x
	}
	return e
}

// argumentShape counts the roundings of an exponential with its argument, and those of a sum's
// inverse and the product with it.
const argumentShape = 4
