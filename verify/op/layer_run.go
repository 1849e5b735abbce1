package op

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mla"
	"plumbline/norm"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
)

// noise draws the random errors of one run. How large they are at each place is recorded once, in a
// run without errors, and is the same for every run after it: that is what first order means.
type noise struct {
	rng  *rand.Rand // nil while the places are recorded
	plan *[]*mat.Dense
	next int

	scale float64 // of the scores, once drawn
}

func (n *noise) recording() bool { return n.rng == nil }

// sampled returns the noise of another run after the recorded one.
func (n *noise) sampled(seed uint64) *noise {
	return &noise{rng: rand.New(rand.NewPCG(seed, 0x706c756d62)), plan: n.plan}
}

// disturb adds to each element a zero-mean error of that second moment, uniform as those of
// roundings are.
func (n *noise) disturb(y *mat.Dense, variance func(i, j int, v float64) float64) {
	n.draw(y, variance, func(_, _ int, v, e float64) float64 { return v + e })
}

// disturbAsIs is disturb for what is too large to record and cheap to work out again, the scores of
// every head: the second moment is that of the disturbed value, which differs in second order.
func (n *noise) disturbAsIs(y *mat.Dense, variance func(i, j int, v float64) float64) {
	if n.recording() {
		return
	}
	rows, _ := y.Dims()
	for i := range rows {
		row := y.RawRowView(i)
		for j, v := range row {
			if e := variance(i, j, v); e > 0 {
				row[j] = v + math.Sqrt(12*e)*(n.rng.Float64()-0.5)
			}
		}
	}
}

// draw is disturb with another way for an error e to act on v.
func (n *noise) draw(
	y *mat.Dense, variance func(i, j int, v float64) float64, act func(i, j int, v, e float64) float64,
) {
	rows, cols := y.Dims()
	if n.recording() {
		spread := mat.NewDense(rows, cols, nil)
		spread.Apply(func(i, j int, v float64) float64 { return math.Sqrt(12 * variance(i, j, v)) }, y)
		*n.plan = append(*n.plan, spread)
		return
	}
	spread := (*n.plan)[n.next]
	n.next++
	for i := range rows {
		row := y.RawRowView(i)
		for j, width := range spread.RawRowView(i) {
			if width != 0 {
				row[j] = act(i, j, row[j], width*(n.rng.Float64()-0.5))
			}
		}
	}
}

// layerRun runs one sequence through a layer in the declared form, with a random error wherever a
// kernel rounds.
type layerRun struct {
	c   *Case
	w   mla.Weights
	cfg mla.Config
	x   *mat.Dense

	model softmaxModel
	inter dtype.Type

	angles angleErrors
}

func (c *Case) newLayerRun(x *mat.Dense, w mla.Weights, cfg mla.Config) *layerRun {
	r := &layerRun{c: c, w: w, cfg: cfg, x: x, inter: c.typeOr(c.Arithmetic.Intermediate, "x")}
	r.model = c.attentionModel("x", cfg.NopeDim+cfg.RopeDim)
	r.model.scale = cfg.ScoreScale()
	r.angles = c.newAngleErrors(cfg.RopeDim)
	return r
}

// positions returns the position of each token.
func (r *layerRun) positions() []float64 {
	tokens, _ := r.x.Dims()
	p := make([]float64, tokens)
	for s := range p {
		p[s] = float64(r.cfg.Start + s)
	}
	return p
}

// run returns y before its last rounding.
func (r *layerRun) run(n *noise) *mat.Dense {
	heads, dn, dr, dv := r.cfg.Heads, r.cfg.NopeDim, r.cfg.RopeDim, r.cfg.ValueDim
	table := r.table(n)
	down := r.product(n, r.x, r.w.WDKV)
	r.keep(n, down)
	_, both := down.Dims()
	c := both - dr
	latent := r.norm(n, columns(down, 0, c), r.w.NormKV)
	ropeKey := r.rotate(n, columns(down, c, dr), table)
	r.keep(n, latent)
	r.keepTurned(n, ropeKey)

	q := r.queries(n)
	tokens, _ := r.x.Dims()
	o := mat.NewDense(tokens, heads*dv, nil)
	for h := range heads {
		nope, pe := columns(q, h*(dn+dr), dn), r.rotate(n, columns(q, h*(dn+dr)+dn, dr), table)
		r.keepTurned(n, pe)
		o.Slice(0, tokens, h*dv, (h+1)*dv).(*mat.Dense).Copy(r.head(n, h, nope, pe, latent, ropeKey))
	}
	r.keep(n, o)
	return r.product(n, o, r.w.WO)
}

func (r *layerRun) queries(n *noise) *mat.Dense {
	if r.w.WQ != nil {
		q := r.product(n, r.x, r.w.WQ)
		r.keep(n, q)
		return q
	}
	down := r.product(n, r.x, r.w.WDQ)
	r.keep(n, down)
	cQ := r.norm(n, down, r.w.NormQ)
	r.keep(n, cQ)
	q := r.product(n, cQ, r.w.WUQ)
	r.keep(n, q)
	return q
}

// head returns one head's output before it is rounded.
func (r *layerRun) head(n *noise, h int, nope, pe, latent, ropeKey *mat.Dense) *mat.Dense {
	at, dn, dv := h*(r.cfg.NopeDim+r.cfg.ValueDim), r.cfg.NopeDim, r.cfg.ValueDim
	uk := rowsFrom(r.w.WUKV, at, dn)
	uv := rowsFrom(r.w.WUKV, at+dn, dv)
	if r.c.Arithmetic.Form == "absorbed" {
		absorbed := r.product(n, nope, mat.DenseCopyOf(uk.T()))
		r.keep(n, absorbed)
		p := r.softmax(n, r.scores(n, absorbed, latent, pe, ropeKey))
		sum := r.weigh(n, p, latent)
		r.keep(n, sum)
		return r.product(n, sum, uv)
	}
	k, v := r.product(n, latent, uk), r.product(n, latent, uv)
	r.keep(n, k)
	r.keep(n, v)
	return r.weigh(n, r.softmax(n, r.scores(n, mla.ConcatQuery(nope, pe), mla.ConcatKey(k, ropeKey), nil, nil)), v)
}

// product returns x·wᵀ with the error of its sums.
func (r *layerRun) product(n *noise, x, w *mat.Dense) *mat.Dense {
	var y mat.Dense
	y.Mul(x, w.T())
	var y2 mat.Dense
	if n.recording() {
		y2.Mul(squares(finiteOrZero(x)), squares(finiteOrZero(w)).T())
	}
	_, width := x.Dims()
	n.disturb(&y, func(i, j int, v float64) float64 { return r.model.accumulate.Sum(width, v, y2.At(i, j)) })
	return &y
}

// keep rounds to the intermediate type.
func (r *layerRun) keep(n *noise, y *mat.Dense) { r.round(n, y, r.inter) }

// keepTurned is keep for what was rounded before it was turned: a row that is not turned is not
// rounded again.
func (r *layerRun) keepTurned(n *noise, y *mat.Dense) {
	if r.inter.UnitRoundoff() > r.model.accumulate.Working().UnitRoundoff() {
		n.disturb(y, func(i, _ int, v float64) float64 {
			if r.unturned(i) {
				return 0
			}
			return arithmetic.Rounding(r.inter, v)
		})
	}
}

// unturned tells whether the rotation of a token is by 0 and without amplitude.
func (r *layerRun) unturned(s int) bool { return r.cfg.Start+s == 0 && r.angles.amplitude == 1 }

// round rounds to a type, if it is narrower than the working precision, whose roundings the
// products have counted.
func (r *layerRun) round(n *noise, y *mat.Dense, t dtype.Type) {
	if t.UnitRoundoff() > r.model.accumulate.Working().UnitRoundoff() {
		n.disturb(y, func(_, _ int, v float64) float64 { return arithmetic.Rounding(t, v) })
	}
}

// norm normalises rows; one relative error moves a whole row, and libraries that round x·r before
// the weight do so in the intermediate type. They round once where the weight leaves the rounded
// number as it is, for the result is rounded to the same type.
func (r *layerRun) norm(n *noise, x *mat.Dense, weight []float64) *mat.Dense {
	y := norm.RMSRows(x, weight, r.cfg.Eps)
	r.scaleRows(n, y, func(i int) float64 { return r.c.rmsError(x.RawRowView(i)) })
	n.disturb(y, func(_, j int, v float64) float64 { return r.c.middleError(r.inter, r.inter, v, weight[j]) })
	return y
}

// scaleRows multiplies each row by 1 plus one error of that second moment.
func (r *layerRun) scaleRows(n *noise, y *mat.Dense, variance func(i int) float64) {
	rows, _ := y.Dims()
	factors := mat.NewDense(rows, 1, nil)
	n.draw(factors, func(i, _ int, _ float64) float64 { return variance(i) }, func(i, _ int, v, e float64) float64 {
		row := y.RawRowView(i)
		for j := range row {
			row[j] += row[j] * e
		}
		return v
	})
}

// turns is a table of a run: one error for each frequency, or for the factor of their recurrence,
// and one for each product of position and frequency.
type turns struct{ cos, sin *mat.Dense }

func (r *layerRun) table(n *noise) turns {
	positions, pairs := r.positions(), len(r.angles.theta)
	theta := r.frequencies(n)
	phase := mat.NewDense(len(positions), pairs, nil)
	phase.Apply(func(s, i int, _ float64) float64 { return positions[s] * theta.At(0, i) }, phase)
	n.disturb(phase, func(s, i int, _ float64) float64 { return r.angles.rounded(positions[s], i) })
	t := turns{mat.NewDense(len(positions), pairs, nil), mat.NewDense(len(positions), pairs, nil)}
	t.cos.Apply(func(_, _ int, v float64) float64 { return r.angles.amplitude * math.Cos(v) }, phase)
	t.sin.Apply(func(_, _ int, v float64) float64 { return r.angles.amplitude * math.Sin(v) }, phase)
	own := func(s, _ int, v float64) float64 { return r.angles.value(positions[s], v) }
	n.disturb(t.cos, own)
	n.disturb(t.sin, own)
	return t
}

// frequencies returns those of a run.
func (r *layerRun) frequencies(n *noise) *mat.Dense {
	factor := mat.NewDense(1, 1, []float64{1})
	n.disturb(factor, func(_, _ int, _ float64) float64 { return r.angles.step })
	theta := mat.NewDense(1, len(r.angles.theta), nil)
	theta.Apply(func(_, i int, _ float64) float64 {
		return r.angles.theta[i] * math.Pow(factor.At(0, 0), float64(i))
	}, theta)
	n.disturb(theta, func(_, i int, v float64) float64 {
		return v * v * max(0, r.angles.formed[i]-float64(i*i)*r.angles.step) // the rest is each one's own
	})
	return theta
}

// rotate turns rows; two products and a sum in working precision.
func (r *layerRun) rotate(n *noise, x *mat.Dense, t turns) *mat.Dense {
	rows, cols := x.Dims()
	y := mat.NewDense(rows, cols, nil)
	for s := range rows {
		y.SetRow(s, rope.Rotate(x.RawRowView(s), t.cos.RawRowView(s), t.sin.RawRowView(s), r.cfg.Layout))
	}
	n.disturb(y, func(s, _ int, v float64) float64 {
		if r.unturned(s) {
			return 0
		}
		return 2 * r.c.rho2() * v * v
	})
	return y
}

// scores returns scaled, masked scores: of q·k, or in the absorbed form of two products that are
// added.
func (r *layerRun) scores(n *noise, q, k, pe, ropeKey *mat.Dense) *mat.Dense {
	x := r.product(n, q, k)
	r.keepScores(n, x)
	if pe != nil {
		part := r.product(n, pe, ropeKey)
		r.keepScores(n, part)
		x.Add(x, part)
		r.keepScores(n, x)
	}
	x.Scale(r.scale(n), x)
	r.keepScores(n, x)
	n.disturbAsIs(x, func(_, _ int, v float64) float64 { return scoreRoundings * r.c.rho2() * v * v })
	mask := attention.Mask{Causal: r.cfg.Causal}
	mask.Queries, mask.Keys = x.Dims()
	x.Apply(func(s, j int, v float64) float64 {
		if !mask.Sees(s, j) {
			return math.Inf(-1)
		}
		return v
	}, x)
	return x
}

// keepScores rounds to the type of the scores.
func (r *layerRun) keepScores(n *noise, x *mat.Dense) {
	if r.model.storesScores() {
		n.disturbAsIs(x, func(_, _ int, v float64) float64 { return arithmetic.Rounding(r.model.scores, v) })
	}
}

// scale returns the scale of the scores, which is one constant in every head.
func (r *layerRun) scale(n *noise) float64 {
	if n.scale == 0 {
		scale := mat.NewDense(1, 1, []float64{r.model.scale})
		n.disturb(scale, func(_, _ int, v float64) float64 { return math.Pow(v*r.model.scaleError(), 2) })
		n.scale = scale.At(0, 0)
	}
	return n.scale
}

// softmax returns the weights, with the errors of the exponentials, of the sum that divides a row,
// and of their own rounding.
func (r *layerRun) softmax(n *noise, x *mat.Dense) *mat.Dense {
	rows, _ := x.Dims()
	largest, seen, mass2 := make([]float64, rows), make([]int, rows), make([]float64, rows)
	for s := range rows {
		largest[s] = maximum(x.RawRowView(s))
	}
	n.disturbAsIs(x, func(s, _ int, v float64) float64 {
		if math.IsInf(v, -1) {
			return 0
		}
		return r.model.expVariance(v - largest[s])
	})
	p, _ := attention.Softmax(x, nil)
	for s := range rows {
		seen[s], mass2[s] = countSquares(p.RawRowView(s))
	}
	r.scaleRows(n, p, func(s int) float64 {
		return r.model.scalarSum().Sum(seen[s], 1, mass2[s]) + rowRoundings*r.c.rho2()
	})
	n.disturbAsIs(p, func(s, _ int, v float64) float64 {
		if seen[s] < 2 {
			return 0 // one key: its weight is exactly 1
		}
		return arithmetic.Rounding(r.model.probabilities, v)
	})
	return p
}

// weigh returns p·v with the error of its sums.
func (r *layerRun) weigh(n *noise, p, v *mat.Dense) *mat.Dense {
	return r.product(n, p, mat.DenseCopyOf(v.T()))
}

// columns copies n columns from the given one on.
func columns(m *mat.Dense, from, n int) *mat.Dense {
	rows, _ := m.Dims()
	return mat.DenseCopyOf(m.Slice(0, rows, from, from+n))
}

// rowsFrom views n rows from the given one on.
func rowsFrom(m *mat.Dense, from, n int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(from, from+n, 0, cols).(*mat.Dense)
}
