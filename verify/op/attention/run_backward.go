package attention

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op/step"
)

// gradientTypes are the types that a backward kernel keeps dS and finds the forward output in,
// which is that of do, in which it rounds the gradients of a group's heads, and adds them.
type gradientTypes struct {
	inter, output, k, v, group dtype.Type
	shared                     bool // several heads have one key head
}

// backwardRun has the places of the backward pass as kernels compute it, beside those of the
// forward pass that it hangs on:
//
//	P = e^(x − lse),  dP = do·vᵀ,  D = Σ do·o or Σ P dP,  dS = P (dP − D) cap′
//	dq = scale · dS k,  dk = scale · dSᵀ q,  dv = Pᵀ do
//
// A flash kernel computes the scores again, keeps P and dS to feed the products, and scales before
// or after them. An eager framework, which stores scores in a narrow type, stores what has their
// shape too, step by step.
type backwardRun struct {
	*Run
	t                                 gradientTypes
	again                             *Run // scores as they are computed once more
	sinkExp, power                    arithmetic.Function
	withSink, exponent, fed, o        arithmetic.Grid
	delta                             arithmetic.Adder
	dp, dqSum, dkSum, dvSum           arithmetic.Noise
	dpKept, difference, lever, step   arithmetic.Grid
	square, slope                     arithmetic.Grid
	timesCap, timesSlope, overCap     arithmetic.Grid
	bentBack, scaledOnce, kept, after arithmetic.Grid
	headK, headV, partial             arithmetic.Grid
	fromWeights, feedsBack            bool // D is Σ P dP; and P is what was kept of it
	scalesFirst, byHead               bool
}

// newBackward returns the places.
func (m Model) newBackward(r *arithmetic.Run, t gradientTypes) *backwardRun {
	work, eager, cuts := m.accumulate.Working(), m.storesScores(), m.accumulate.Truncates()
	b := &backwardRun{
		Run: m.NewRun(r), t: t, sinkExp: r.Function(work, 2), power: r.Function(work, 2),
		withSink: r.Grid(work), exponent: r.Grid(work), kept: r.Grid(t.inter), dp: r.Noise(cuts), dqSum: r.Noise(cuts),
		dkSum: r.Noise(cuts), dvSum: r.Noise(cuts), dpKept: m.NarrowGrid(r, m.Scores), o: r.Grid(t.output),
		fed: r.Grid(m.probabilities), delta: r.Adder(m.accumulate.Scalar()), difference: r.Grid(work),
		lever:      r.Grid(work),
		scaledOnce: r.Grid(work), after: r.Grid(work), headK: r.Grid(t.k), headV: r.Grid(t.v), partial: r.Grid(t.group),
		fromWeights: eager, feedsBack: r.Coin() && eager, scalesFirst: r.Coin() || eager,
		byHead: t.shared && (r.Coin() || m.narrow(t.group)),
	}
	if m.fastExp {
		b.power = r.Function(work, 4)
	}
	if eager {
		b.step, b.bentBack = r.Grid(t.inter), r.Grid(t.inter)
	}
	b.slope, b.square, b.timesCap = r.Grid(work), r.Grid(work), m.NarrowGrid(r, m.capChain)
	b.timesSlope, b.overCap = m.NarrowGrid(r, m.capChain), m.NarrowGrid(r, m.capChain)
	again := *b.Run
	if b.again = &again; r.Coin() { // sums in another order
		again.dot, again.scaled = r.Noise(cuts), r.Grid(work)
	}
	return b
}

// gradientRows are queries of one head with what all runs share.
type gradientRows struct {
	Rows
	do, dp   *mat.Dense
	dpErrors Deviations // of the sums dP
}

// prepareGradients computes what all runs share.
func (h *gradientRows) prepareGradients(m Model, output dtype.Type) *gradientRows {
	h.Prepare(m)
	h.dp = new(mat.Dense)
	h.dp.Mul(h.do, h.V.T())
	dp2 := step.TimesSquares(step.Squares(step.FiniteOrZero(h.do)), h.finiteV().T())
	_, width := h.do.Dims()
	h.dpErrors = m.SumErrors(output, m.V, width, h.dp, dp2).deviations()
	return h
}

// forward returns the log-sum-exps that the forward kernel has left, sinks included, and where D is
// formed of it, the output.
func (b *backwardRun) forward(h *gradientRows) (o *mat.Dense, lse []float64) {
	e := b.Exponentials(&h.Rows)
	if b.fromWeights {
		_, lse, _ = b.allWeights(&h.Rows, e)
	} else {
		o, lse = b.Outputs(&h.Rows, e)
	}
	for s, x := range lse {
		if h.sink != nil && !math.IsInf(x, -1) {
			top := max(x, *h.sink)
			lse[s] = b.withSink.Round(top + b.log.Log(b.sinkExp.Exp(x-top)+b.sinkExp.Exp(*h.sink-top)))
		}
	}
	return o, lse
}

// scoreGradients returns P as it meets do, and dS.
func (b *backwardRun) scoreGradients(h *gradientRows) (p, ds *mat.Dense) {
	rows, keys := h.Dots.Dims()
	p, ds = mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil)
	o, lse := b.forward(h)
	x := make([]float64, keys)
	for s := range rows {
		if math.IsInf(lse[s], -1) {
			continue
		}
		weights, gradients := p.RawRowView(s), ds.RawRowView(s)
		b.weigh(h, s, lse[s], x, weights, gradients)
		delta := b.deltaOf(h, s, o, weights, gradients)
		for from, to := h.Range(s); from < to; from++ {
			gradients[from] = b.gradient(x[from], weights[from], gradients[from], delta)
			weights[from] = b.fed.Round(weights[from])
		}
	}
	return p, ds
}

// weigh fills in scores, P and dP of a row, which stay 0 where a key is not seen.
func (b *backwardRun) weigh(h *gradientRows, s int, lse float64, x, p, dp []float64) {
	b.again.scores(&h.Rows, s, x)
	from, to := h.Range(s)
	b.sumsOf(&b.dp, h.do, h.V, s, from, h.dp, h.dpErrors, dp[from:to])
	b.dpKept.RoundAll(dp[from:to])
	for j := from; j < to; j++ {
		p[j] = b.probability(x[j], lse)
		if b.feedsBack {
			p[j] = b.fed.Round(p[j])
		}
	}
}

// probability returns e^(x − lse), in base 2 as power does.
func (b *backwardRun) probability(x, lse float64) float64 {
	switch {
	case math.IsInf(x, -1):
		return 0
	case b.fused:
		return b.power.Exp(b.exponent.Round(float64(x*math.Log2E)-b.largest.Round(lse*math.Log2E)) * math.Ln2)
	}
	return b.power.Exp(b.exponent.Round(x - lse))
}

// deltaOf returns D of a row.
func (b *backwardRun) deltaOf(h *gradientRows, s int, o *mat.Dense, p, dp []float64) float64 {
	var terms []float64
	if b.fromWeights {
		for from, to := h.Range(s); from < to; from++ {
			terms = append(terms, p[from]*dp[from])
		}
		return b.delta.Sum(terms)
	}
	for c, g := range h.do.RawRowView(s) {
		terms = append(terms, g*b.o.Round(o.At(s, c)))
	}
	return b.delta.Sum(terms)
}

// gradient returns one element of dS as it meets keys and queries.
func (b *backwardRun) gradient(x, p, dp, delta float64) float64 {
	g := b.step.Round(b.lever.Round(p * b.difference.Round(dp-delta)))
	if cap := b.m.softCap; cap != 0 {
		u := b.divided.Round(b.square.Round(x / cap))
		slope := b.slope.Round(1 - b.square.Round(u*u))
		g = b.overCap.Round(b.timesSlope.Round(b.timesCap.Round(g*cap)*slope) / cap)
		g = b.bentBack.Round(g)
	}
	if b.scalesFirst {
		g = b.scaledOnce.Round(g * b.scale)
	}
	return b.kept.Round(g)
}

// unit is what the sums of a run are multiplied by to be gradients.
func (b *backwardRun) unit() float64 {
	if b.scalesFirst {
		return 1
	}
	return b.scale
}

// gradientSums are sums of products of one kind, with the squares of their terms and how many there
// are to a row.
type gradientSums struct {
	sums, squares *mat.Dense
	terms         []float64
}

// errors returns the second moments of the errors of sums of products of operands of two types.
func (g gradientSums) errors(m Model, x, y dtype.Type) Moments {
	rows, cols := g.sums.Dims()
	e := Moments{Apart: mat.NewDense(rows, cols, nil), Together: mat.NewDense(rows, cols, nil)}
	for i := range rows {
		apart, together, squares := e.Apart.RawRowView(i), e.Together.RawRowView(i), g.squares.RawRowView(i)
		products := m.accumulate.Products(x, y, int(g.terms[i]))
		for c, sum := range g.sums.RawRowView(i) {
			apart[c], together[c] = products.Error(sum, squares[c])
		}
	}
	return e
}

// finish adds the errors of summing to sums that unit is still to multiply.
func (b *backwardRun) finish(sums *mat.Dense, e Moments, noise *arithmetic.Noise, unit float64) {
	rows, _ := sums.Dims()
	for i := range rows {
		row, apart, together := sums.RawRowView(i), e.Apart.RawRowView(i), e.Together.RawRowView(i)
		for c, v := range row {
			v += noise.Of(v, apart[c]/(unit*unit), together[c]/(unit*unit))
			if row[c] = v; unit != 1 {
				row[c] = b.after.Round(v * unit)
			}
		}
	}
}

// addHead rounds the gradients of a head, and adds them to those of its group.
func (b *backwardRun) addHead(sum, head *mat.Dense, each *arithmetic.Grid) {
	rows, _ := sum.Dims()
	for i := range rows {
		to := sum.RawRowView(i)
		for c, v := range head.RawRowView(i) {
			to[c] = b.partial.Round(to[c] + each.Round(v))
		}
	}
}

// addProduct adds pᵀx to a sum over queries, x counting where a query sees the key.
func addProduct(sum, p, x *mat.Dense, sees func(s, j int) bool) {
	sum.Add(sum, seenProduct(mat.DenseCopyOf(p.T()), x, func(j, s int) bool { return sees(s, j) }))
}

// seenProduct returns p·v, in which numbers of v that are not finite count where they are seen.
func seenProduct(p, v *mat.Dense, sees func(i, j int) bool) *mat.Dense {
	var out mat.Dense
	finite := step.FiniteOrZero(v)
	if out.Mul(p, finite); finite == v {
		return &out
	}
	rows, keys := p.Dims()
	for i := range rows {
		for j := range keys {
			for c, x := range v.RawRowView(j) {
				if !dtype.Finite(x) && sees(i, j) {
					out.Set(i, c, out.At(i, c)+p.At(i, j)*x)
				}
			}
		}
	}
	return &out
}

// terms returns the squares of the terms of a block's gradients, and counts them: for dq by query,
// for dk and dv by key.
func (g *gradientTruth) terms() (dq, dk, dv gradientSums) {
	rows, keys := g.ds.Dims()
	dq.terms, dk.terms = make([]float64, rows), make([]float64, keys)
	for s := range rows {
		for j, w := range g.p.RawRowView(s) {
			if w != 0 {
				dq.terms[s]++
				dk.terms[j]++
			}
		}
	}
	dv.terms = dk.terms
	ds2, p2 := step.Squares(g.ds), step.Squares(g.p)
	dq.squares, dk.squares, dv.squares = new(mat.Dense), new(mat.Dense), new(mat.Dense)
	dq.squares, dk.squares = step.TimesSquares(ds2, g.k), step.TimesSquares(ds2.T(), g.q)
	dv.squares = step.TimesSquares(p2.T(), g.do)
	return dq, dk, dv
}
