package attention

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op/step"
)

// gradientTruth is the truth of some queries of a head in the backward pass; lever is what dS is of
// dP − D.
type gradientTruth struct {
	q, k, v, do              *mat.Dense
	scores, p, dp, lever, ds *mat.Dense
}

// newGradientTruth computes it, of a block.
func (m Model) newGradientTruth(h *Rows, do *mat.Dense, o attention.Options) *gradientTruth {
	g := &gradientTruth{
		q: step.FiniteOrZero(h.Q), k: step.FiniteOrZero(h.K), v: step.FiniteOrZero(h.V), do: step.FiniteOrZero(do),
		scores: attention.Scores(h.Q, h.K, o), dp: new(mat.Dense), lever: new(mat.Dense),
	}
	g.p, _ = attention.Softmax(g.scores, o.Sink)
	g.dp.Mul(g.do, g.v.T())
	bend := func(s, j int, x float64) float64 {
		if x == 0 { // as where a key is not seen, whose score is −∞
			return 0
		}
		return x * m.Scale * attention.SoftCapBackward(g.scores.At(s, j), m.softCap)
	}
	g.lever.Apply(bend, g.p)
	g.ds = attention.SoftmaxBackward(g.p, g.dp)
	g.ds.Apply(bend, g.ds)
	return g
}

// gradientShape is what second moments of errors of dS and P go with, element by element, and those
// of D, which all keys of a query share.
type gradientShape struct {
	ds, p *mat.Dense
	delta []float64
}

// newGradientShape sums what the shapes of gradients are made of. dS errs by its roundings and by
// those of its weight, in proportion to itself, and where dP and D cancel by what they err by. A
// weight is its exponential in the sum of all, and D is formed of all dP: of its own error a key
// that has all the weight has nothing.
func (m Model) newGradientShape(g *gradientTruth, t gradientTypes) *gradientShape {
	weights, dp := m.weightErrors(g), m.dpErrors(g, t)
	e := &gradientShape{ds: new(mat.Dense), p: new(mat.Dense), delta: m.deltaShape(g, weights, dp, t)}
	common := make([]float64, len(e.delta)) // of the weights of a query, by their sum
	for s := range common {
		for j, p := range g.p.RawRowView(s) {
			common[s] += p * p * weights.At(s, j)
		}
	}
	of := func(s, j int, p float64) float64 { return max(0, weights.At(s, j)*(1-2*p)+common[s]) }
	e.ds.Apply(func(s, j int, ds float64) float64 {
		p := g.p.At(s, j)
		if p == 0 {
			return 0
		}
		left, stored := square(g.lever.At(s, j)), m.stored(t.inter, ds)
		if m.storesScores() { // step by step, P too
			left *= square(1 - p)
			stored = 2*stored + m.stored(m.probabilities, p)/2*square(ds/p)
		}
		return stored + ds*ds*(argumentShape*m.rho2()+of(s, j, p)) + left*dp.At(s, j)
	}, g.ds)
	e.p.Apply(func(s, j int, p float64) float64 { return m.stored(m.probabilities, p) + p*p*of(s, j, p) }, g.p)
	return e
}

// dpErrors returns the second moments of the errors of dP, of its sum and where it is stored.
func (m Model) dpErrors(g *gradientTruth, t gradientTypes) *mat.Dense {
	d2, v2, width := norms(g.do), norms(g.v), g.v.RawMatrix().Cols
	products := m.accumulate.Products(t.output, m.V, width)
	var errors mat.Dense
	errors.Apply(func(s, j int, dp float64) float64 {
		if g.p.At(s, j) == 0 {
			return 0
		}
		return products.Total(dp, d2[s]*v2[j]/float64(width)) + m.stored(m.Scores, dp)
	}, g.dp)
	return &errors
}

// weightErrors returns the second moments of the relative errors of weights by their scores.
func (m Model) weightErrors(g *gradientTruth) *mat.Dense {
	scores := m.newScoreErrors(g.q, g.scores, norms(g.q), norms(g.k))
	errors := mat.DenseCopyOf(g.p)
	rows, _ := errors.Dims()
	for s := range rows {
		scores.fill(s, g.p.RawRowView(s), errors.RawRowView(s))
	}
	return errors
}

// stored is the second moment of the error of rounding x to a type, if that is narrower than the
// working precision.
func (m Model) stored(t dtype.Type, x float64) float64 {
	if !m.narrow(t) {
		return 0
	}
	return arithmetic.Rounding(t, x)
}

// deltaShape returns what second moments of errors of D go with: of the weights, of the rounded
// outputs that it is formed of, or of dP.
func (m Model) deltaShape(g *gradientTruth, weights, dp *mat.Dense, t gradientTypes) []float64 {
	rows, _ := g.p.Dims()
	delta := make([]float64, rows)
	if !m.storesScores() {
		var o mat.Dense
		o.Mul(g.p, g.v)
		o.Apply(func(s, c int, x float64) float64 { return math.Sqrt(m.stored(t.output, x)) * g.do.At(s, c) }, &o)
		delta = norms(&o)
	}
	for s := range delta {
		d := floats.Dot(g.p.RawRowView(s), g.dp.RawRowView(s))
		for j, p := range g.p.RawRowView(s) {
			x := g.dp.At(s, j)
			added := m.stored(m.probabilities, p)/2 + argumentShape*m.rho2()*p*p
			delta[s] += weights.At(s, j)*square(p*(x-d)) + added*x*x
			if m.storesScores() {
				delta[s] += square(p*(1-p)) * dp.At(s, j)
			}
		}
	}
	return delta
}

// of returns the shapes of dq, dk and dv but for those of sums, which do not hang on single terms.
func (e *gradientShape) of(g *gradientTruth) (dq, dk, dv *mat.Dense) {
	dq, dv = step.TimesSquares(e.ds, g.k), step.TimesSquares(e.p.T(), g.do)
	var along, all mat.Dense
	along.Mul(g.lever, g.k)
	dq.Apply(func(s, c int, x float64) float64 { return x + e.delta[s]*along.At(s, c)*along.At(s, c) }, dq)
	all.Apply(func(s, j int, x float64) float64 { return x + e.delta[s]*g.lever.At(s, j)*g.lever.At(s, j) }, e.ds)
	return dq, step.TimesSquares(all.T(), g.q), dv
}
