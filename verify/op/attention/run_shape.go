package attention

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op/step"
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
	own, scores *keySums // the scores' errors are among the weights' own, unless they are stored
}

// keySums are w, Σ w v and Σ w v² over the keys, and Σ p² e for the errors in w.
type keySums struct {
	w, v1, v2 *mat.Dense
	errors    []float64
}

// newKeySums sums over the keys with the weights p² f, f being own or what errors add to it; v1 is
// formed where sums around the output are asked for.
func (t headTruth) newKeySums(own float64, errors *scoreErrors, around bool) *keySums {
	rows, keys := t.weights.Dims()
	k := &keySums{
		w: mat.NewDense(rows, keys, nil), errors: make([]float64, rows),
	}
	for s := range rows {
		p, w := t.weights.RawRowView(s), k.w.RawRowView(s)
		if errors != nil {
			errors.fill(s, p, w)
		}
		for j, e := range w {
			square := p[j] * p[j]
			w[j] = square * (own + e)
			k.errors[s] += square * e
		}
	}
	if around {
		k.v1 = new(mat.Dense)
		k.v1.Mul(k.w, t.v)
	}
	k.v2 = step.TimesSquares(k.w, t.v)
	return k
}

// around returns Σ w (v − o)², without one part of a key.
func (k *keySums) around(s, c int, o, mass, part, v float64) float64 {
	return k.v2.At(s, c) - part*v*v - 2*o*(k.v1.At(s, c)-part*v) + o*o*(mass-part)
}

// newShape sums what the shapes of all forms are made of; around says that one of them has weights
// that are divided by the sum of rounded ones.
func (m Model) newShape(t headTruth, around bool) *headShape {
	h, errors := &headShape{m: m, t: t}, m.newScoreErrors(t.q, t.scores, norms(t.q), t.keys.norms())
	if !m.storesScores() {
		h.own = t.newKeySums(m.weightRho2(), errors, around)
		return h
	}
	h.own = t.newKeySums(m.weightRho2(), nil, around)
	h.scores = t.newKeySums(0, errors, true)
	return h
}

// rowShape is what the shapes of a row in all forms have in common.
type rowShape struct {
	largest           int // weight
	mass, top, scores float64
	rest              []float64 // what sums over keys and divisors err by
}

// of returns that of a row.
func (h *headShape) of(s int) rowShape {
	own := h.own.w.RawRowView(s)
	r := rowShape{largest: floats.MaxIdx(h.t.weights.RawRowView(s)), mass: floats.Sum(own)}
	r.top = own[r.largest]
	if h.scores != nil {
		r.scores = floats.Sum(h.scores.w.RawRowView(s))
	}
	products, rho2 := h.m.accumulate.Products(h.m.probabilities, h.m.V, len(own)), h.m.weightRho2()
	v2 := h.own.v2.RawRowView(s)
	for c, o := range h.t.out.RawRowView(s) {
		r.rest = append(r.rest, products.Total(o, v2[c]/rho2)+argumentShape*h.m.rho2()*o*o)
	}
	return r
}

// row fills in that of a row in the form of a run.
func (h *headShape) row(s int, r rowShape, a *Run, shape []float64) {
	top := r.top
	if p := h.t.weights.At(s, r.largest); a.dividesFirst {
		top -= p * p * h.m.weightRho2()
	}
	values, v2 := h.t.v.RawRowView(r.largest), h.own.v2.RawRowView(s)
	for c, o := range h.t.out.RawRowView(s) {
		v := values[c]
		if shape[c] = v2[c] - top*v*v; a.sumsRounded {
			shape[c] = h.own.around(s, c, o, r.mass, top, v)
		}
		if h.scores != nil {
			shape[c] += h.scores.around(s, c, o, r.scores, 0, 0)
		}
		shape[c] = max(0, shape[c]) + r.rest[c]
	}
}

// lse returns that of a row's log-sum-exp.
func (h *headShape) lse(s int) float64 {
	scores := h.own.errors[s]
	if h.scores != nil {
		scores = h.scores.errors[s]
	}
	return scores + argumentShape*h.m.rho2()*(1+h.t.lse[s]*h.t.lse[s])
}

// weightRho2 is the second moment of the relative error of a weight's own rounding.
func (m Model) weightRho2() float64 {
	rho := arithmetic.Rho(m.probabilities)
	return max(m.rho2(), rho*rho)
}

// scoreErrors are the second moments of the errors of scores, and of their exponentials' arguments.
type scoreErrors struct {
	products arithmetic.Products
	scores   *mat.Dense
	q2, k2   []float64 // Σ x² of each query and key
	// a score x errs by scale² times the error of its sum, and by argument + own·x²
	scale, width, argument, own float64
}

func (m Model) newScoreErrors(q, scores *mat.Dense, q2, k2 []float64) *scoreErrors {
	_, width := q.Dims()
	e := &scoreErrors{
		products: m.accumulate.Products(m.Q, m.K, width), scores: scores, q2: q2, k2: k2,
		scale: m.Scale, width: float64(width), argument: argumentShape * m.rho2(), own: argumentShape * m.rho2(),
	}
	if m.storesScores() {
		rho := arithmetic.Rho(m.Scores)
		e.own += 2 * rho * rho
	}
	return e
}

// fill stores those of a row, 0 where weights are.
func (e *scoreErrors) fill(s int, weights, to []float64) {
	for j, x := range e.scores.RawRowView(s) {
		if weights[j] == 0 {
			to[j] = 0
			continue
		}
		sum := e.products.Total(x/e.scale, e.q2[s]*e.k2[j]/e.width)
		to[j] = e.scale*e.scale*sum + e.argument + e.own*x*x
	}
}

// argumentShape counts the roundings of an exponential with its argument, and those of a sum's
// inverse and the product with it.
const argumentShape = 4
