package latent

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mla"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	attend "plumbline/verify/op/attention"
	"plumbline/verify/op/step"
)

// layerSum is one of the places where a layer sums products.
type layerSum int

const (
	sumLatent layerSum = iota // W^DKV h
	sumQueryLatent
	sumQuery
	sumKey // or the query that is absorbed
	sumValue
	sumScore
	sumRopeScore // in the absorbed form, where scores are sums of two products
	sumOutput
	layerSums
)

// layerRun has the places of a layer in the declared form: sums of products err as the
// accumulator's do, what is between two products is rounded to the intermediate type.
type layerRun struct {
	c                  *op.Case
	w                  mla.Weights
	cfg                mla.Config
	plan               *layerPlan
	next, nextRows     int // of the plan
	exact              bool
	sums               [layerSums]arithmetic.Noise
	model              attend.Model
	inter, weights     dtype.Type
	kept               arithmetic.Grid
	nopePart, ropePart arithmetic.Grid // of a score
	normKV, normQ      step.Norm
	rotation           *step.Rotation
	cos, sin           [][]float64 // its table, a row for each token
	attention          *attend.Run
}

// layerPlan is what all runs share, in the order that a run meets them: products, whose second
// moments errors of sums hang on, and those of attention. It is filled in by exact runs.
type layerPlan struct {
	products []*step.Product
	errors   []attend.Moments
	nothing  *mat.Dense // a score's sum has its error before it is scaled
}

// layerProgram is the layer as kernels compute it.
func layerProgram(c *op.Case) op.Program {
	flushed, plan := c.Flushing(), &layerPlan{}
	return func(r *arithmetic.Run) map[string][]float64 {
		of := c
		if r.Coin() {
			of = flushed
		}
		if r.Exact() {
			*plan = layerPlan{nothing: mat.NewDense(c.Dim("S"), c.Dim("S"), nil)}
		}
		l, out := newLayerRun(of, r, plan), map[string][]float64{}
		for b := range c.Dim("B") {
			l.sequence(of.Input("x").View(1, b), out)
		}
		return out
	}
}

func newLayerRun(c *op.Case, r *arithmetic.Run, plan *layerPlan) *layerRun {
	acc, inter := c.Arithmetic.Accumulate, c.TypeOr(c.Arithmetic.Intermediate, "x")
	l := &layerRun{
		c: c, w: Weights(c), cfg: Config(c), plan: plan, exact: r.Exact(), inter: inter,
		weights: c.Recording.Type("w_dkv"), kept: r.Grid(inter), model: layerModel(c, inter),
		normKV:   step.NewNorm(r, acc, inter, storedType(c, "latent", inter)),
		normQ:    step.NewNorm(r, acc, inter, inter),
		rotation: step.NewRotation(c, r, c.Dim("Dr"), inter, acc.Working(), storedType(c, "rope_key", inter)),
	}
	l.nopePart, l.ropePart = l.model.NarrowGrid(r, l.model.Scores), l.model.NarrowGrid(r, l.model.Scores)
	for i := range l.sums {
		l.sums[i] = r.Noise(acc.Truncates())
	}
	l.attention = l.model.NewRun(r)
	for s := range c.Dim("S") {
		cos, sin := l.rotation.Row(float64(l.cfg.Start + s))
		l.cos, l.sin = append(l.cos, cos), append(l.sin, sin)
	}
	return l
}

// layerModel is the attention of a layer, whose operands have the intermediate type. What its forms
// make of a row, the output projection mixes.
func layerModel(c *op.Case, inter dtype.Type) attend.Model {
	m := attend.ModelOf(c, "x", c.Int("nope_dim")+c.Dim("Dr"))
	m.Scale, m.Mixed = Config(c).ScoreScale(), true
	m.Q, m.K, m.V = inter, inter, inter
	return m
}

// storedType is the type to which what is cached is rounded last: the intermediate one, where it is
// recorded in a wider one.
func storedType(c *op.Case, output string, inter dtype.Type) dtype.Type {
	if t := c.Recording.Type("out." + output); t != dtype.Invalid && t.UnitRoundoff() >= inter.UnitRoundoff() {
		return t
	}
	return inter
}

// sequence appends the outputs of one sequence, before their last rounding.
func (l *layerRun) sequence(x *mat.Dense, out map[string][]float64) {
	width, dr, dv := l.c.Dim("c"), l.cfg.RopeDim, l.cfg.ValueDim
	down := l.product(sumLatent, l.c.Recording.Type("x"), x, l.w.WDKV)
	latent := l.norm(&l.normKV, l.keep(columns(down, 0, width)), l.w.NormKV)
	ropeKey := l.turn(l.keepTurned(columns(down, width, dr)))
	out["latent"] = append(out["latent"], l.stored("latent", latent)...)
	out["rope_key"] = append(out["rope_key"], l.stored("rope_key", ropeKey)...)
	if !l.c.Wants("y") {
		return
	}
	latent, ropeKey = l.keep(latent), l.keep(ropeKey)
	q := l.queries(x)
	tokens, _ := x.Dims()
	o := mat.NewDense(tokens, l.cfg.Heads*dv, nil)
	for h := range l.cfg.Heads {
		o.Slice(0, tokens, h*dv, (h+1)*dv).(*mat.Dense).Copy(l.head(h, q, latent, ropeKey))
	}
	y := l.product(sumOutput, l.inter, l.keep(o), l.w.WO)
	out["y"] = append(out["y"], y.RawMatrix().Data...)
}

// stored returns what is cached before its last rounding.
func (l *layerRun) stored(output string, x *mat.Dense) []float64 {
	if t := l.c.Recording.Type("out." + output); t != storedType(l.c, output, l.inter) {
		x = l.keep(x)
	}
	return x.RawMatrix().Data
}

// queries returns the queries of all heads, before they are turned.
func (l *layerRun) queries(x *mat.Dense) *mat.Dense {
	input := l.c.Recording.Type("x")
	if l.w.WQ != nil {
		return l.keep(l.product(sumQuery, input, x, l.w.WQ))
	}
	down := l.keep(l.product(sumQueryLatent, input, x, l.w.WDQ))
	return l.keep(l.product(sumQuery, l.inter, l.keep(l.norm(&l.normQ, down, l.w.NormQ)), l.w.WUQ))
}

// head returns one head's output before it is rounded.
func (l *layerRun) head(h int, q, latent, ropeKey *mat.Dense) *mat.Dense {
	dn, dr, dv := l.cfg.NopeDim, l.cfg.RopeDim, l.cfg.ValueDim
	nope, pe := columns(q, h*(dn+dr), dn), l.keep(l.turn(columns(q, h*(dn+dr)+dn, dr)))
	at := h * (dn + dv)
	uk, uv := step.RowsBetween(l.w.WUKV, at, at+dn), step.RowsBetween(l.w.WUKV, at+dn, at+dn+dv)
	if l.c.Arithmetic.Form == "absorbed" {
		absorbed := l.keep(l.product(sumKey, l.inter, nope, mat.DenseCopyOf(uk.T())))
		dots, rope := l.product(sumScore, l.inter, absorbed, latent), l.product(sumRopeScore, l.inter, pe, ropeKey)
		dots.Add(roundAll(&l.nopePart, dots), roundAll(&l.ropePart, rope))
		sum := l.keep(l.attend(dots, mla.ConcatQuery(absorbed, pe), mla.ConcatKey(latent, ropeKey), latent))
		return l.product(sumValue, l.inter, sum, uv)
	}
	k, v := l.keep(l.product(sumKey, l.inter, latent, uk)), l.keep(l.product(sumValue, l.inter, latent, uv))
	query, key := mla.ConcatQuery(nope, pe), mla.ConcatKey(k, ropeKey)
	return l.attend(l.product(sumScore, l.inter, query, key), query, key, v)
}

// attend returns the outputs of queries for keys whose dot products with them are known.
func (l *layerRun) attend(dots, q, k, v *mat.Dense) *mat.Dense {
	mask := attention.Mask{Causal: l.cfg.Causal}
	mask.Queries, mask.Keys = dots.Dims()
	h := &attend.Rows{Q: q, Keys: attend.NewKeys(k, v), Range: mask.Range, Grows: attend.Grows(mask)}
	if l.exact {
		l.plan.errors = append(l.plan.errors, h.Prepare(l.model).Errors)
	}
	h.Dots, h.DotErrors = dots, attend.Deviations{Apart: l.plan.nothing, Together: l.plan.nothing}
	h.Errors = l.plan.errors[l.nextRows]
	l.nextRows++
	o, _ := l.attention.Outputs(h, l.attention.Exponentials(h))
	return o
}

// product returns x·wᵀ with the errors of its sums, x having the given type.
func (l *layerRun) product(at layerSum, typ dtype.Type, x, w *mat.Dense) *mat.Dense {
	if l.exact {
		return l.planned(at, typ, x, w)
	}
	shared, noise := l.plan.products[l.next], &l.sums[at]
	l.next++
	y := new(mat.Dense)
	y.Mul(x, w.T())
	rows, _ := y.Dims()
	for i := range rows {
		shared.Err(noise, i, y.RawRowView(i), 1)
	}
	return y
}

// planned returns x·wᵀ, and keeps for all runs what its sums err by.
func (l *layerRun) planned(at layerSum, typ dtype.Type, x, w *mat.Dense) *mat.Dense {
	other := l.weights
	if at == sumScore || at == sumRopeScore {
		other = l.inter
	}
	operands := step.Operands{Accumulate: l.c.Arithmetic.Accumulate, X: typ, W: other}
	p, _ := operands.Multiply(x, step.Whole(w))
	y := p.Y
	p.Y, p.Squares = nil, nil // runs have their own
	l.plan.products = append(l.plan.products, p)
	return y
}

// keep returns x rounded to the intermediate type.
func (l *layerRun) keep(x *mat.Dense) *mat.Dense { return roundAll(&l.kept, mat.DenseCopyOf(x)) }

// keepTurned is keep for keys that are turned after: one that is not turned is rounded once, then.
func (l *layerRun) keepTurned(x *mat.Dense) *mat.Dense {
	y := l.keep(x)
	if l.cfg.Start == 0 && l.rotation.Amplitude == 1 {
		y.SetRow(0, x.RawRowView(0))
	}
	return y
}

// roundAll rounds a matrix that has no gaps in place.
func roundAll(g *arithmetic.Grid, x *mat.Dense) *mat.Dense {
	g.RoundAll(x.RawMatrix().Data)
	return x
}

// norm returns rows divided by their root mean square.
func (l *layerRun) norm(n *step.Norm, x *mat.Dense, weight []float64) *mat.Dense {
	rows, cols := x.Dims()
	y := mat.NewDense(rows, cols, nil)
	for s := range rows {
		y.SetRow(s, n.Row(x.RawRowView(s), weight, l.cfg.Eps))
	}
	return y
}

// turn rotates the row of each token.
func (l *layerRun) turn(x *mat.Dense) *mat.Dense {
	rows, cols := x.Dims()
	y, how := mat.NewDense(rows, cols, nil), step.TurnOf(l.c)
	for s := range rows {
		y.SetRow(s, l.rotation.Rotate(x.RawRowView(s), l.cos[s], l.sin[s], how))
	}
	return y
}

// columns copies n columns from the given one on.
func columns(m *mat.Dense, from, n int) *mat.Dense {
	return mat.DenseCopyOf(step.ColumnsBetween(m, from, from+n))
}
