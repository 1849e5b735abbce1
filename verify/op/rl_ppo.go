package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/ppo"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name: "ppo.gae",
		Doc: "Advantages of tokens by generalised advantage estimation, and the returns that values are fitted " +
			"to.",
		Equations: []string{"ppo.GAE", "ppo.TDError", "ppo.Whiten"},
		Inputs: []Tensor{
			{Name: "rewards", Shape: sequenceShape, Doc: "rewards of tokens"},
			{Name: "values", Shape: sequenceShape, Doc: "values of the states before the tokens; 0 after the last"},
			{
				Name: "mask", Shape: sequenceShape, Any: true,
				Doc: "1 for tokens that count; the recursion passes over the others, which are not judged",
			},
		},
		Outputs: []Tensor{
			{
				Name: "advantage", Shape: sequenceShape, Axes: sequenceAxes,
				Doc: "advantages, whitened if that is asked for",
			},
			{
				Name: "return", Shape: sequenceShape, Axes: sequenceAxes,
				Doc: "advantages before any whitening, plus values",
			},
		},
		Attrs: []Attr{
			{Name: "gamma", Kind: Number, Default: 1.0, Doc: "discount"},
			{Name: "lambda", Kind: Number, Default: 1.0, Doc: "weight of longer estimates"},
			{
				Name: "whiten", Kind: Flag, Default: false,
				Doc: "subtract the masked mean and divide by √(masked sample variance + 1e-8)",
			},
		},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      checkMask,
		truth:      generalizedAdvantage,
	})
	register(&Op{
		Name: "ppo.value_loss",
		Doc:  "Half the squared error of values, kept near the old ones by a clip, with its gradient.",
		Equations: []string{
			"ppo.ValueLoss", "ppo.ValueLossClipped", "policy.Weights", "policy.WeightsOfAll", "policy.Aggregate",
		},
		Inputs: []Tensor{
			{Name: "values", Shape: sequenceShape, Doc: "values in training"},
			{Name: "old_values", Shape: sequenceShape, Doc: "values that the sampler had"},
			{Name: "returns", Shape: sequenceShape, Doc: "returns that the values are fitted to"},
			maskInput,
		},
		Outputs: []Tensor{
			{Name: "loss", Shape: noShape, Axes: noShape, Doc: "loss, which is minimised"},
			{Name: "dvalues", Shape: sequenceShape, Axes: sequenceAxes, Doc: "gradient of the loss for values"},
			tokenLossOutput, sequenceLossOutput,
		},
		Attrs: []Attr{
			{Name: "clip", Kind: Number, Default: 0.0, Doc: "half width of the clip around old values; 0 is none"},
			aggregateAttr, aggregateLength, emptyRowsAttr,
		},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      all(func(c *Case) error { return checkAtLeast0(c, "clip") }, checkAggregate),
		truth:      valueLoss,
	})
}

// generalizedAdvantage follows the recursion. With q = γλ, t' the next token in the mask, δ = r +
// γV' − V and A = δ + qA':
//
//	own:     s² = q² s'² + R(γV') + max(R(r + γV'), R(γV' − V), R(r − V)) + R(δ) + R(qA') + max(R(A), R(A + V))
//	shared:  ε_γ² P² + ε_q² D²,  P = γV' + qP',  D = q (A' + D')
//	return:  the same + R(A + V)
//
// A run of n equal δ is added up with errors that are alike: s² has (0.15 u A)² (2n − 2) more.
//
// R is the second moment of a rounding. P and D are the derivatives of A for the logarithms of γ
// and q, whose own errors (as constants, and of the powers of q in a scan) all tokens share. A
// token's error goes on to the tokens before it by powers of q, so that few independent errors
// stand behind a row.
//
// Whitening adds the errors of the mean (that of its sum, and the mean of the tokens' errors, which
// may agree along a row) and of the variance; both are shared:
//
//	μ    σ² = rowSum(A)/n² + Σ_rows (Σ_t s_t)²/n² + R(μ)
//	v    σ²/v² = (rowSum(d²) + Σ 4d² s²)/(Σ d²)² + 4ρ²,  d = A − μ
//	A'   σ² = (s² + σ_μ² + R(d))/v + A'² (σ_v²/4v² + 3ρ²),  v with its 10⁻⁸
func generalizedAdvantage(c *Case) ([]verdict.Expected, error) {
	g := c.newRecursion()
	for i := range c.Dim("N") {
		g.row(i)
	}
	g.advantage.draws, g.returns.draws = g.draws, g.draws
	advantage := g.advantage.expected("advantage", g.mask)
	if c.Flag("whiten") {
		advantage = g.whiten().expected("advantage", g.mask)
	}
	returns := g.returns.expected("return", g.mask)
	for _, operands := range []*mat.Dense{g.rewards, g.values} {
		fewOperands(&advantage, masked(operands, g.mask), isShort)
		fewOperands(&returns, masked(operands, g.mask), isShort)
	}
	// all 1, say: the places above are wider than those below
	fewOperands(&returns, masked(g.returns.truth, g.mask), isZero)
	return c.wanted(advantage, returns), nil
}

// recursion is generalised advantage estimation with its errors.
type recursion struct {
	scalars
	rewards, values, mask *mat.Dense
	gamma, lambda         float64
	byGamma, byDecay      float64 // relative second moments of γ and of γλ with its powers
	advantage, returns    *batchOutput
	draws                 []float64
}

func (c *Case) newRecursion() *recursion {
	g := &recursion{
		scalars: c.scalars(), rewards: c.matrix("rewards"), values: c.matrix("values"), mask: c.matrix("mask"),
		gamma: c.Float("gamma"), lambda: c.Float("lambda"),
	}
	g.advantage, g.returns, g.draws = c.newBatchOutput(), c.newBatchOutput(), make([]float64, c.Dim("N"))
	g.byGamma = g.constant(g.gamma)
	if q := g.gamma * g.lambda; q != 0 && q != 1 {
		g.byDecay = g.byGamma + g.constant(g.lambda) + g.constant(q) + g.rho2
	}
	return g
}

// row follows the recursion through sequence i.
func (g *recursion) row(i int) {
	r, v, mask := g.rewards.RawRowView(i), g.values.RawRowView(i), g.mask.RawRowView(i)
	truth, returns := ppo.GAE(r, v, mask, 0, g.gamma, g.lambda)
	q := g.gamma * g.lambda
	var variance, next, carried, p, d, run, before float64
	var own []float64
	for t := len(r) - 1; t >= 0; t-- {
		if mask[t] == 0 {
			continue
		}
		p, d = g.gamma*next+q*p, q*(carried+d)
		ahead, delta := g.gamma*next, ppo.TDError(r[t], v[t], next, g.gamma)
		step := max(
			g.round(r[t]+ahead), g.round(ahead-v[t]), g.round(r[t]-v[t]),
		) + g.round(delta) + g.round(q*carried) + max(g.round(truth[t]), g.round(returns[t]))
		if g.gamma != 1 {
			step += g.round(ahead)
		}
		if run++; delta != before {
			run, before = 1, delta
		}
		step += (2*run - 2) * g.alike(truth[t])
		variance = moment(q*q*variance + step)
		common := moment(g.byGamma*p*p + g.byDecay*d*d)
		g.advantage.set(i, t, truth[t], variance, common)
		g.returns.set(i, t, returns[t], variance+g.round(returns[t]), common)
		own = append(own, variance)
		next, carried = v[t], truth[t]
	}
	g.draws[i] = chained(own, q)
}

// chained returns how many independent errors stand behind those of a recursion: (Σ σ²)² over the
// sum of all squared covariances, where the error of step s reaches step t after it with a factor
// q^(t−s).
func chained(variance []float64, q float64) float64 {
	var sum, squares, reach float64 // reach is Σ_{s<t} (cov of s and t)² = q² (that before + σ⁴ there)
	for t, v := range variance {
		if t > 0 {
			reach = q * q * (reach + variance[t-1]*variance[t-1])
		}
		sum, squares = sum+v, squares+v*v+2*reach
	}
	if squares == 0 {
		return float64(max(len(variance), 1))
	}
	return sum * sum / squares
}

// whiten returns the whitened advantages with their errors.
func (g *recursion) whiten() *batchOutput {
	a := g.advantage.truth
	white := ppo.Whiten(a, g.mask)
	mean, meanError, variance, varianceError := g.statistics()
	out := &batchOutput{
		truth: white, variance: mat.DenseCopyOf(g.advantage.variance),
		constants: mat.DenseCopyOf(g.advantage.constants), rows: make([]float64, len(g.draws)), draws: g.draws,
	}
	eachJudged(g.mask, func(i, t int) {
		d, x := a.At(i, t)-mean, white.At(i, t)
		own := (g.advantage.variance.At(i, t)+g.round(d))/variance + 3*g.rho2*x*x
		out.set(i, t, x, moment(own), moment(meanError/variance+x*x*varianceError/4))
	})
	return out
}

// statistics returns the masked mean and variance (the latter with its 10⁻⁸), with the second
// moments of the mean's error and of the variance's, relative.
func (g *recursion) statistics() (mean, meanError, variance, varianceError float64) {
	var n, sum, moved float64
	var terms []float64
	for i := range g.draws {
		var together float64
		for t, m := range g.mask.RawRowView(i) {
			if m != 0 {
				x := g.advantage.truth.At(i, t)
				n, sum, terms = n+1, sum+x, append(terms, x)
				together += math.Sqrt(g.advantage.variance.At(i, t))
			}
		}
		moved += together * together
	}
	n = max(n, 1)
	mean = sum / n
	meanError = moment((g.rowSum(terms)+moved)/(n*n) + g.round(mean))
	var deviations, byTokens float64
	terms = terms[:0]
	eachJudged(g.mask, func(i, t int) {
		d := g.advantage.truth.At(i, t) - mean
		deviations, terms, byTokens = deviations+d*d, append(terms, d*d), byTokens+4*d*d*(g.advantage.variance.At(i, t)+g.round(d))
	})
	variance = deviations/max(n-1, 1) + 1e-8
	if deviations > 0 {
		varianceError = moment((g.rowSum(terms)+byTokens)/(deviations*deviations)) + 4*g.rho2
	}
	return mean, meanError, variance, varianceError
}

// valueLoss: with e the error V − R of a token, or c − R of its clipped value c = clip(V, V_old ±
// ε), which is rounded too, or V_old + clip(V − V_old, ±ε),
//
//	l = e²/2    σ_l² = e² σ_e² + 2ρ² l²,  σ_e² = R(e) + R(V_old ± ε) + ε_ε², or inside the clip R(e) + R(V − V_old) + R(V)
//	loss        σ² = Σ w² σ_l² + (Σ_clipped w e)² ε_ε² + rowSum(w l) + 2ρ² Σ (w l)² + 3ρ² L²
//	dvalues     σ² = w² R(e) + ρ² g² + g² σ_w²
//
// ε_ε is the error of the clip's width as a constant, the same for all. The loss has no jump; its
// derivative has where both squares are equal and the value is outside the clip: there either side
// is right, and what frameworks make of both (see sides).
func valueLoss(c *Case) ([]verdict.Expected, error) {
	w, out := c.scalars(), c.newBatchOutput()
	sums, parts := newLossSums(w.constant), c.newLossParts()
	values, old, returns, mask := c.matrix("values"), c.matrix("old_values"), c.matrix("returns"), c.matrix("mask")
	weights, o := c.weights(mask), &objective{scalars: w}
	o.Mask = mask
	var loss float64
	for i := range c.Dim("N") {
		terms := make([]term, c.Dim("L"))
		for t := range terms {
			if mask.At(i, t) == 0 {
				continue
			}
			v := w.value(values.At(i, t), old.At(i, t), returns.At(i, t), c.Float("clip"))
			v.weight = weights.At(i, t)
			loss += v.weight * v.loss
			terms[t] = v
			w.setValueSlope(v, func(truth, own, common float64, others ...float64) {
				out.set(i, t, truth, own, common, others...)
			})
		}
		sums.add(o, terms, sequenceRatio{})
		parts.add(o, i, terms, sequenceRatio{})
	}
	all := append([]verdict.Expected{sums.expected(o, loss), out.expected("dvalues", mask)}, parts.expected(mask)...)
	return c.wanted(all...), nil
}

// setValueSlope hands over one element of the gradient.
func (w scalars) setValueSlope(v term, set func(truth, own, common float64, others ...float64)) {
	g := v.weight * v.slope
	var others []float64
	for _, s := range v.slopes {
		others = append(others, v.weight*s)
	}
	set(g, moment(v.weight*v.weight*v.slopeOwn+w.rho2*g*g+w.faint(g)), moment(g*g*w.weightError(v.weight)), others...)
}

// value derives one token.
func (w scalars) value(value, old, ret, clip float64) term {
	m := term{counting: true}
	plain := value - ret
	m.loss, m.slope = ppo.ValueLoss(value, ret)
	e, moved := plain, w.round(plain)
	if clip != 0 {
		moved += w.round(value-old) + w.round(value) // where it is formed anew, as V_old + clip(V − V_old)
	}
	m.slopeOwn = moment(moved)
	if clip != 0 {
		m.loss, m.slope = ppo.ValueLossClipped(value, old, ret, clip)
		edge := min(max(value, old-clip), old+clip)
		beyond := edge - ret
		edgeMoved := w.round(edge) + w.round(beyond) + clip*clip*w.constant(clip)
		if math.Abs(beyond) > math.Abs(plain) {
			e, moved = beyond, w.round(edge)+w.round(beyond)
			m.bound, m.held = clip, math.Copysign(beyond, beyond*(value-old))
		}
		outside := math.Abs(value-old)-clip > -doubt*math.Sqrt(w.round(edge)+w.round(clip))
		if outside && w.unsure(math.Abs(plain), math.Abs(beyond), w.round(plain)+edgeMoved) {
			m.slopes = sides(plain)
		}
	}
	m.own = moment(e*e*moved + 2*w.rho2*m.loss*m.loss)
	m.overflow = w.overflows(m.loss)
	return m
}
