package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name: "attention.backward",
		Doc:  "Gradients of attention.forward for q, k and v.",
		Equations: []string{
			"attention.Backward", "attention.SoftmaxBackward", "attention.SoftCapSlope", "attention.Group",
		},
		Inputs: append(
			attentionInputs[:len(attentionInputs):len(attentionInputs)],
			Tensor{Name: "do", Shape: []string{"B", "S", "H", "V"}, Doc: "gradient of the output"},
		),
		Outputs: []Tensor{
			{
				Name: "dq", Shape: []string{"B", "S", "H", "D"}, Axes: []string{"batch", "query", "head", "column"},
				Doc: "gradient of q",
			},
			{
				Name: "dk", Shape: []string{"B", "T", "G", "D"}, Axes: []string{"batch", "key", "head", "column"},
				Doc: "gradient of k, summed over the heads of a group",
			},
			{
				Name: "dv", Shape: []string{"B", "T", "G", "V"}, Axes: []string{"batch", "key", "head", "column"},
				Doc: "gradient of v, summed over the heads of a group",
			},
		},
		Attrs: attentionAttrs,
		Arithmetic: append(attentionKeys[:len(attentionKeys):len(attentionKeys)],
			Key{"intermediate", "the input type", "gradients of the scores before the products with k and q"},
			Key{"group_sum", "F32", "sum of the gradients of a group's heads, for dk and dv"}),
		check: checkAttention,
		truth: attentionBackward,
	})
}

// gradientTypes are the types that a backward kernel keeps dS and finds the forward output in,
// which is that of do.
type gradientTypes struct {
	inter, output dtype.Type
	group         dtype.Type // in which the gradients of a group's heads are added
}

// gradientTruth is the truth of one head's gradients with second moments of their errors. The
// gradients of keys and values are summed over blocks of queries; the errors of those sums are
// added at the end, from the sums of squares.
type gradientTruth struct {
	dq, dqVar *mat.Dense // of one block of queries
	dqDraws   []float64
	dk, dv    keyGradient
}

// keyGradient is a gradient that is summed over queries.
type keyGradient struct {
	sum, variance, squares *mat.Dense // the gradient, the errors of its terms, and its terms' squares
	// per key, for the draws: Σ a and Σ a² over queries, a a query's part of the variance
	errors, errors2 []float64
	lean            float64 // how far the factors of all queries point one way
}

// add joins the sums over other queries.
func (g *keyGradient) add(h keyGradient) {
	if g.sum == nil {
		*g = h
		return
	}
	g.sum.Add(g.sum, h.sum)
	g.variance.Add(g.variance, h.variance)
	g.squares.Add(g.squares, h.squares)
	g.lean = max(g.lean, h.lean)
	for j := range g.errors {
		g.errors[j] += h.errors[j]
		g.errors2[j] += h.errors2[j]
	}
}

// draws is the number of independent errors behind the row of key j.
func (g *keyGradient) draws(j int) float64 {
	_, width := g.sum.Dims()
	if g.errors2[j] == 0 {
		return float64(width)
	}
	effective := participationOf(g.errors[j], g.errors2[j])
	return 1 / (1/effective + 1/float64(width) + g.lean*g.lean)
}

// attentionBackward derives σ for kernels that recompute the weights. With P = e^{x − lse}, dP =
// do·vᵀ, D = Σ do·o, dS = P (dP − D)·scale:
//
//	dv = Pᵀ do   P errs by its score (ε) and its rounding (δ), each key and query by itself
//	dS           errs by P's ε, by the sum dP, by D and by its own rounding to the intermediate type
//	             (by that of dP too, where scores are stored in a narrow type, because then dP is)
//	D            errs by the rounding of the forward output o, which is stored in the type of do; it is one error for all keys of a query, so it
//	             reaches dq together:
//	dq = dS k    σ² = Σ_j σ²(dS_j) k_j² + (scale Σ_j P_j k_j)² σ²(D) + Sum(T; …)
//	dk = dSᵀ q   σ² = Σ_s (σ²(dS_s) + (scale P_s)² σ²(D_s)) q_s² + Sum(S; …)
//
// The error of the log-sum-exp moves a whole row of P: relative to dq it is that of lse. With fewer
// key heads than query heads some kernels round each head's dk and dv to their type before they add
// them: counted once each.
func attentionBackward(c *Case) ([]verdict.Expected, error) {
	batch, queries, keys, heads, groups := c.Dim("B"), c.Dim("S"), c.Dim("T"), c.Dim("H"), c.Dim("G")
	dq := c.attentionEstimate("dq", batch, queries, heads, c.Dim("D"))
	dk := c.attentionEstimate("dk", batch, keys, groups, c.Dim("D"))
	dv := c.attentionEstimate("dv", batch, keys, groups, c.Dim("V"))
	model := c.attentionModel("v", c.Dim("D"))
	types := gradientTypes{
		inter: c.typeOr(c.Arithmetic.Intermediate, "q"), output: c.rec.Type("do"), group: c.Arithmetic.GroupSum,
	}
	parallel.Each(batch*groups, func(i int) {
		b, g := i/groups, i%groups
		if c.keysInUse(b) > 0 {
			c.backwardGroup(model, types, b, g, dq, dk, dv)
		}
	})
	byScores := []dtype.Type{types.inter, types.output, model.scores, model.probabilities}
	all := []verdict.Expected{
		dq.expected("dq", model.accumulate, byScores...), dk.expected("dk", model.accumulate, byScores...),
		dv.expected("dv", model.accumulate, byScores[2:]...),
	}
	all[1].MostDraws = float64(queries * heads * batch) // one query's D reaches every key
	all[1].ColumnDraws, all[2].ColumnDraws = 1, 1       // and so do weights that round alike
	if model.storesScores() {
		all[2].MostDraws = all[1].MostDraws // so does the log-sum-exp, which narrow scores move
	}
	for i := range all {
		all[i].Systematic = 1 // weights that repeat round the same way
	}
	return c.wanted(all...), nil
}

// backwardGroup computes the gradients of the heads that use key and value head g of sequence b.
func (c *Case) backwardGroup(model softmaxModel, types gradientTypes, b, g int, dq, dk, dv *estimate) {
	used, heads, groups, queries := c.keysInUse(b), c.Dim("H"), c.Dim("G"), c.Dim("S")
	k, v := c.HeadRows("k", b, g, 0, used), c.HeadRows("v", b, g, 0, used)
	kv := newKeyValues(k, v)
	var groupK, groupV keyGradient
	var sumK, sumV groupSum
	for h := range heads {
		if attention.Group(h, heads, groups) != g {
			continue
		}
		headK, headV := c.backwardHead(model, types, kv, v, b, h, dq)
		model.addSums(types.inter, model.q, queries, headK.variance, headK.sum, headK.squares)
		model.addSums(model.probabilities, types.output, queries, headV.variance, headV.sum, headV.squares)
		if heads > groups {
			roundEach(headK.sum, headK.variance, c.rec.Type("k"))
			roundEach(headV.sum, headV.variance, c.rec.Type("v"))
		}
		groupK.add(headK)
		groupV.add(headV)
		sumK.add(headK.sum)
		sumV.add(headV.sum)
	}
	sumK.addErrors(model, types.group, groupK)
	sumV.addErrors(model, types.group, groupV)
	for j := range used {
		dk.setRow(groupK.sum.RawRowView(j), groupK.variance.RawRowView(j), groupK.draws(j), b, j, g)
		dv.setRow(groupV.sum.RawRowView(j), groupV.variance.RawRowView(j), groupV.draws(j), b, j, g)
	}
}

// backwardHead computes one query head, in blocks of queries: it stores dq and returns dk and dv.
func (c *Case) backwardHead(
	model softmaxModel, types gradientTypes, kv keyValues, v *mat.Dense, b, h int, dq *estimate,
) (dk, dv keyGradient) {
	used, queries := c.keysInUse(b), c.Dim("S")
	q, do := c.HeadRows("q", b, h, 0, c.Dim("S")), c.HeadRows("do", b, h, 0, c.Dim("S"))
	for s0 := 0; s0 < queries; s0 += blockRows(used) {
		s1 := min(queries, s0+blockRows(used))
		mask := attention.Mask{Causal: c.Flag("causal"), Window: c.Int("window"), Queries: queries - s0, Keys: used}
		block := model.gradients(
			rowsBetween(q, s0, s1), v, rowsBetween(do, s0, s1), kv, attention.Options{Mask: mask, Sink: c.sink(h)},
			types,
		)
		for s := s0; s < s1; s++ {
			dq.setRow(block.dq.RawRowView(s-s0), block.dqVar.RawRowView(s-s0), block.dqDraws[s-s0], b, s, h)
		}
		dk.add(block.dk)
		dv.add(block.dv)
	}
	return dk, dv
}

// rowsBetween views rows a … b−1.
func rowsBetween(m *mat.Dense, a, b int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(a, b, 0, cols).(*mat.Dense)
}

// groupSum holds the squares of the gradients that the heads of a group are to add.
type groupSum struct {
	heads   int
	squares *mat.Dense
}

func (g *groupSum) add(head *mat.Dense) {
	if g.heads++; g.squares == nil {
		g.squares = squares(head)
		return
	}
	g.squares.Add(g.squares, squares(head))
}

// addErrors adds what rounding each partial sum of a group's heads to a narrow type makes: with S_h
// the sum of h of n heads, the first one included, because it is stored in that type,
//
//	ρ² Σ_h E[S_h²],  and a step of the smallest numbers each
func (g *groupSum) addErrors(m softmaxModel, t dtype.Type, sum keyGradient) {
	if g.heads < 2 || !m.narrow(t) {
		return
	}
	n := float64(g.heads)
	sum.variance.Apply(func(i, j int, v float64) float64 {
		mean := sum.sum.At(i, j) / n
		spread := max(0, g.squares.At(i, j)/n-mean*mean)
		partial := mean*mean*n*(n+1)*(2*n+1)/6 + spread*n*(n+1)/6
		return v + arithmetic.Rounding(t, math.Sqrt(partial)) + n*t.Spacing(0)*t.Spacing(0)/12
	}, sum.variance)
}

// roundEach adds the second moment of rounding a head's gradient to its type.
func roundEach(x, variance *mat.Dense, t dtype.Type) {
	variance.Apply(func(i, j int, v float64) float64 { return v + arithmetic.Rounding(t, x.At(i, j)) }, variance)
}

// gradients computes one block of queries of one head.
func (m softmaxModel) gradients(
	q, v, do *mat.Dense, kv keyValues, o attention.Options, types gradientTypes,
) gradientTruth {
	o.Scale, o.SoftCap = m.scale, m.softCap
	forward := m.block(q, v, kv, o)
	t := gradientTruth{}
	t.dq, t.dk.sum, t.dv.sum = attention.Backward(q, kv.k, v, do, o)
	e := m.scoreGradients(q, do, kv, o, forward, types)

	q2, do2 := squares(finiteOrZero(q)), squares(finiteOrZero(do))
	var shift, dqVar, ds2k2 mat.Dense
	dqVar.Mul(e.variance, kv.k2)
	shift.Mul(e.lean, kv.k)
	ds2k2.Mul(e.squares, kv.k2)
	keys, _ := kv.k.Dims()
	m.addSums(types.inter, m.k, keys, &dqVar, t.dq, &ds2k2)
	t.dqVar, t.dqDraws = &dqVar, e.leanOn(&dqVar, &shift, t.dq, forward.lseVar, leaning(finiteOrZero(kv.k)))

	e.variance.Add(e.variance, e.leanVariance)
	t.dk.moments(e.variance, e.squares, q2)
	t.dv.moments(e.weightVariance, squares(forward.weights), do2)
	t.dk.lean, t.dv.lean = leaning(finiteOrZero(q)), leaning(finiteOrZero(do))
	t.dv.alignedWith(m.weightRoundings(&forward), do)
	if kappa := m.scaleError(); kappa != 0 {
		dsMoved, pMoved := m.scaleMoves(forward, e, kappa)
		addSquare(t.dqVar, dsMoved, kv.k)
		addSquare(t.dk.variance, mat.DenseCopyOf(dsMoved.T()), finiteOrZero(q))
		addSquare(t.dv.variance, mat.DenseCopyOf(pMoved.T()), finiteOrZero(do))
	}
	return t
}

// alignedWith takes the known error Σ_s d_sj x_s for that of independent roundings where it is more
// than twice as large.
func (g *keyGradient) alignedWith(d, x *mat.Dense) {
	var known mat.Dense
	known.Mul(d.T(), finiteOrZero(x))
	g.variance.Apply(func(i, j int, v float64) float64 {
		if k := known.At(i, j); k*k > 4*v {
			return k * k
		}
		return v
	}, g.variance)
}

// scaleMoves returns how dS and P move with a scale that is off by κ: scores by κ x, weights by κ p
// (x − x̄), dS = p (dP − D)·scale by all of it.
func (m softmaxModel) scaleMoves(f blockTruth, e scoreErrors, kappa float64) (ds, p *mat.Dense) {
	ds, p = new(mat.Dense), new(mat.Dense)
	means := make([]float64, len(f.lse))
	for s := range means {
		for j, w := range f.weights.RawRowView(s) {
			if w > 0 {
				means[s] += w * e.scores.At(s, j)
			}
		}
	}
	apart := func(s, j int) float64 {
		if f.weights.At(s, j) == 0 {
			return 0
		}
		return e.scores.At(s, j) - means[s]
	}
	p.Apply(func(s, j int, w float64) float64 { return kappa * w * apart(s, j) }, f.weights)
	ds.Apply(func(s, j int, v float64) float64 { return kappa * v * (1 + apart(s, j)) }, e.ds)
	return ds, p
}

// addSquare adds the square of a·x to a second moment.
func addSquare(variance, a, x *mat.Dense) {
	var moved mat.Dense
	moved.Mul(a, x)
	variance.Apply(func(i, j int, v float64) float64 { return v + moved.At(i, j)*moved.At(i, j) }, variance)
}

// moments fills in the second moments of Σ_s a_sj x_s from those of a's errors, the squares of a,
// and the squares of x.
func (g *keyGradient) moments(variance, a2, x2 *mat.Dense) {
	queries, keys := variance.Dims()
	g.variance, g.squares = new(mat.Dense), new(mat.Dense)
	g.variance.Mul(variance.T(), x2)
	g.squares.Mul(a2.T(), x2)
	g.errors, g.errors2 = make([]float64, keys), make([]float64, keys)
	for s := range queries {
		norm := total(x2.RawRowView(s))
		for j, v := range variance.RawRowView(s) {
			g.errors[j] += v * norm
			g.errors2[j] += v * norm * v * norm
		}
	}
}

// addSums adds the error of summing that many products of operands of two types.
func (m softmaxModel) addSums(x, y dtype.Type, terms int, variance, sum, squares *mat.Dense) {
	rows, _ := sum.Dims()
	for i := range rows {
		for j, v := range variance.RawRowView(i) {
			if s2 := squares.At(i, j); s2 > 0 {
				variance.Set(i, j, v+m.sum(x, y, terms, sum.At(i, j), s2))
			}
		}
	}
}

// scoreErrors are second moments of the errors of dS and P, [S × T].
type scoreErrors struct {
	variance       *mat.Dense // of dS, each key by itself
	lean           *mat.Dense // scale·P·cap′: how dS leans on D
	leanVariance   *mat.Dense // of dS through D
	dVariance      []float64  // of D, one per query
	scores, ds     *mat.Dense // x and dS themselves
	squares        *mat.Dense // dS²
	weightVariance *mat.Dense // of P as it multiplies do
}

// scoreGradients derives the errors of dS.
func (m softmaxModel) scoreGradients(
	q, do *mat.Dense, kv keyValues, o attention.Options, f blockTruth, types gradientTypes,
) scoreErrors {
	rows, keys := f.weights.Dims()
	e := scoreErrors{scores: attention.Scores(q, kv.k, o)}
	for _, x := range []**mat.Dense{&e.ds, &e.variance, &e.lean, &e.leanVariance, &e.squares, &e.weightVariance} {
		*x = mat.NewDense(rows, keys, nil)
	}
	var dp, dp2 mat.Dense
	dp.Mul(finiteOrZero(do), kv.v.T())
	dp2.Mul(squares(finiteOrZero(do)), kv.v2.T())
	e.dVariance = m.deltaErrors(finiteOrZero(do), &dp, f, types.output)
	for s := range rows {
		d := mat.Dot(f.weights.RowView(s), dp.RowView(s))
		for j, p := range f.weights.RawRowView(s) {
			if p != 0 || f.moved.At(s, j) != 0 {
				m.scoreGradient(
					&e, f, types.inter, s, j, p, dp.At(s, j), d,
					m.gradientSum(types.output, do, dp.At(s, j), dp2.At(s, j)),
				)
			}
		}
	}
	return e
}

// gradientSum is the second moment of the error of dP = do·v.
func (m softmaxModel) gradientSum(output dtype.Type, do *mat.Dense, dp, dp2 float64) float64 {
	_, width := do.Dims()
	variance := m.sum(output, m.v, width, dp, dp2)
	if m.storesScores() {
		variance += arithmetic.Rounding(m.scores, dp)
	}
	return variance
}

// scoreGradient fills in one element: dS = p (dP − D)·scale·cap′.
func (m softmaxModel) scoreGradient(
	e *scoreErrors, f blockTruth, inter dtype.Type, s, j int, p, dp, d, dpVariance float64,
) {
	slope := m.scale * attention.SoftCapSlope(f.raw.At(s, j), m.softCap)
	lever := (dp - d) * slope
	ds, moved := p*lever, f.moved.At(s, j)+min(1, p*p*f.lseVar[s])
	variance := lever*lever*(moved+p*p*rowRoundings*m.rho2()) + p*p*slope*slope*dpVariance + m.kept(inter, ds)
	if m.softCap != 0 {
		bend := m.scale * p * (dp - d)
		variance += bend * bend * m.slopeError(f.capVar.At(s, j), e.scores.At(s, j))
		variance += m.capSteps(ds)
	}
	e.ds.Set(s, j, ds)
	e.squares.Set(s, j, ds*ds)
	e.variance.Set(s, j, variance)
	e.lean.Set(s, j, p*slope)
	e.leanVariance.Set(s, j, p*p*slope*slope*e.dVariance[s])
	e.weightVariance.Set(s, j, moved+f.rounding.At(s, j))
}

// kept is the second moment of rounding dS to the intermediate type: once, or where every step is
// stored, before and after the scale and the derivative of the soft cap.
func (m softmaxModel) kept(inter dtype.Type, ds float64) float64 {
	r := keptError(inter, m.accumulate, ds, 1)
	if m.storesScores() {
		r *= 2
	}
	return r
}

// deltaErrors is the second moment of the error of D = Σ do·o = Σ p_j dP_j, o being the forward
// pass's rounded output. What moves o by key moves all its columns together: the rounding of p_j
// moves D by dP_j, an error of its score by dP_j − D.
func (m softmaxModel) deltaErrors(do, dp *mat.Dense, f blockTruth, output dtype.Type) []float64 {
	rows, width := do.Dims()
	variance := make([]float64, rows)
	for s := range rows {
		var d, squares, p2, seen float64
		for c := range width {
			g, o := do.At(s, c), f.out.At(s, c)
			d += g * o
			squares += g * g * o * o
		}
		for j, p := range f.weights.RawRowView(s) {
			g := dp.At(s, j)
			variance[s] += f.rounding.At(s, j)*g*g + f.moved.At(s, j)*(g-d)*(g-d)
			if p != 0 {
				p2, seen = p2+p*p*g*g, seen+1
			}
		}
		for c := range width {
			g, o := do.At(s, c), f.out.At(s, c)
			variance[s] += g * g * keptError(output, m.accumulate, o, 1)
		}
		variance[s] += m.sum(
			m.probabilities, m.v, int(seen), d, p2,
		) + d*d*f.rowVar[s] + m.scalarSum().Sum(width, d, squares)
	}
	return variance
}

// leanOn adds to dq what D's error and that of the log-sum-exp move, all keys together, and returns
// the draws behind each row.
func (e scoreErrors) leanOn(dqVar, shift, dq *mat.Dense, lseVar []float64, lean float64) []float64 {
	rows, width := dqVar.Dims()
	draws := make([]float64, rows)
	for s := range rows {
		var own, common float64
		for c := range width {
			lean := shift.At(s, c)*shift.At(s, c)*e.dVariance[s] + dq.At(s, c)*dq.At(s, c)*lseVar[s]
			own, common = own+dqVar.At(s, c), common+lean
			dqVar.Set(s, c, dqVar.At(s, c)+lean)
		}
		effective := 1 / (1/participation(e.variance.RawRowView(s), ones(e.variance)) + lean*lean)
		draws[s] = drawsOf(common, own, effective, 0, float64(width))
	}
	return draws
}

func ones(m *mat.Dense) []float64 {
	_, n := m.Dims()
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}
