package experts

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/loops"
	"plumbline/moe"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// gateInputs are what all runs of a gate share: its logits as they come, or the products that make
// them.
type gateInputs struct {
	c       *op.Case
	gate    moe.Gate
	given   *mat.Dense // logits, a row for each token
	product *step.Product
	bias    []float64 // nil: none
}

func inputsOf(c *op.Case) *gateInputs {
	g := &gateInputs{c: c, gate: GateOf(c)}
	if c.Input("bias") != nil {
		g.bias = c.Input("bias").Row()
	}
	if c.Recording.Has("logits") {
		g.given = c.Input("logits").View(0)
		return g
	}
	operands := step.Operands{
		Accumulate: c.Arithmetic.Accumulate, X: c.Recording.Type("x"), W: c.Recording.Type("weight"),
	}
	g.product, _ = operands.Multiply(c.Input("x").View(0), step.Whole(c.Input("weight").View(0)))
	return g
}

// logits returns those of token n without any error.
func (g *gateInputs) logits(n int) []float64 {
	if g.given != nil {
		return g.given.RawRowView(n)
	}
	return g.product.Y.RawRowView(n)
}

// gateRun has the places of a gate. Logits are rounded to the type of the gate; all else is scalar
// work, or, in a framework that rounds every result to the type of the gate, is rounded to it too.
type gateRun struct {
	*gateInputs
	sums                          arithmetic.Noise
	logit, narrowed, score        arithmetic.Grid
	exp, log, tanh                arithmetic.Function
	one, quotient, root           arithmetic.Grid
	biased, group, total, divided arithmetic.Grid
	scaled, weight, eps           arithmetic.Grid
	adder                         arithmetic.Adder
	eager                         bool       // results are rounded to the type of the gate
	factorFirst                   bool       // scale/Σ multiplies the scores
	other                         bool       // scores have their other form
	stored                        dtype.Type // of weights; Invalid: they are used as they are
}

func (g *gateInputs) in(r *arithmetic.Run) *gateRun {
	acc := g.c.Arithmetic.Accumulate
	work, result, eager := acc.Working(), acc.Working(), g.isEager(r)
	if eager {
		result = g.c.Arithmetic.Gate
	}
	return &gateRun{
		gateInputs: g, sums: r.Noise(acc.Truncates()), logit: r.Grid(work), narrowed: r.Grid(g.c.Arithmetic.Gate),
		exp: step.Exponential(g.c, r), log: r.Function(work, 4), tanh: r.Function(work, 2), one: r.Grid(work),
		quotient: r.Grid(work), root: r.Grid(work), score: r.Grid(result), biased: r.Grid(g.biasedIn(r, result)),
		group: r.Grid(result), total: r.Grid(work), divided: r.Grid(result), scaled: r.Grid(result),
		weight: r.Grid(g.c.Arithmetic.Gate), eps: r.Grid(result), adder: r.Adder(acc.Scalar()),
		eager: eager, factorFirst: r.Coin(), stored: g.c.Recording.Type("out.weights"), other: g.otherForm(r),
	}
}

// isEager draws the form of a gate in a narrow type: whether results are rounded to it, or logits
// alone.
func (g *gateInputs) isEager(r *arithmetic.Run) bool {
	switch {
	case !g.c.Arithmetic.Accumulate.Narrow(g.c.Arithmetic.Gate):
		return false
	case g.c.Op.Name == "moe.layer":
		return r.Coin()
	}
	return r.Form(2) == 1
}

// biasedIn is the type of scores with the bias: a sum with a wider bias is wide.
func (g *gateInputs) biasedIn(r *arithmetic.Run, result dtype.Type) dtype.Type {
	if wide := r.Coin(); wide || g.bias != nil && g.c.Recording.Type("bias") != result {
		return g.c.Arithmetic.Accumulate.Working()
	}
	return result
}

// otherForm draws the form of scores, which are ½ + ½ tanh(z/2) as well as 1/(1+e^−z), and
// e^(z−lse) as well as e^(z−max)/Σ. Far from 0 the one errs more; what a layer makes of it is
// mixed.
func (g *gateInputs) otherForm(r *arithmetic.Run) bool {
	switch {
	case g.c.Word("score") == "sqrt_softplus":
		return false
	case g.c.Op.Name == "moe.layer":
		return r.Coin()
	}
	return r.Form(2) == 1
}

// rowOf returns the scores of token n.
func (g *gateRun) rowOf(n int) []float64 {
	logits := slices.Clone(g.logits(n))
	if g.product != nil {
		logits = g.logit.RoundAll(g.product.Row(&g.sums, n))
	}
	if g.isNarrow() {
		g.narrowed.RoundAll(logits)
	}
	scores := g.scores(logits)
	if g.eager {
		g.score.RoundAll(scores)
	}
	return scores
}

// scores returns those of logits, in their place.
func (g *gateRun) scores(logits []float64) []float64 {
	switch g.c.Word("score") {
	case "softmax":
		return g.softmax(logits)
	case "sqrt_softplus":
		return g.rootSoftplus(logits)
	}
	for e, z := range logits {
		if g.other {
			half := g.quotient.Round(g.tanh.Of(math.Tanh(z/2), z) / 2)
			logits[e] = g.one.Round(half + 0.5)
			continue
		}
		logits[e] = g.quotient.Round(1 / g.one.Round(1+g.exp.Exp(-z)))
	}
	return logits
}

func (g *gateRun) softmax(logits []float64) []float64 {
	largest := loops.Largest(logits)
	powers := make([]float64, len(logits))
	for e, z := range logits {
		powers[e] = g.exp.Exp(g.one.Round(z - largest))
	}
	sum := g.adder.Sum(powers)
	if g.other {
		lse := g.root.Round(largest + g.log.Log(sum))
		for e, z := range logits {
			logits[e] = g.exp.Exp(g.one.Round(z - lse))
		}
		return logits
	}
	for e, x := range powers {
		logits[e] = g.quotient.Round(x / sum)
	}
	return logits
}

// rootSoftplus returns √ln(1+e^z), the logarithm as max(z, 0) + ln(1+e^−|z|).
func (g *gateRun) rootSoftplus(logits []float64) []float64 {
	for e, z := range logits {
		power := g.exp.Exp(-math.Abs(z))
		softplus := g.one.Round(max(z, 0) + g.log.Of(math.Log1p(power), power))
		logits[e] = g.root.Round(math.Sqrt(softplus))
	}
	return logits
}

// choosing returns what experts of tokens from … to−1 are chosen by: scores with the bias, and
// those of groups.
func (g *gateRun) choosing(from, to int) map[string][]float64 {
	var ranked, groups []float64
	for n := from; n < to; n++ {
		row := g.biased.RoundAll(moe.BiasedScores(g.rowOf(n), g.bias))
		ranked, groups = append(ranked, row...), append(
			groups, g.group.RoundAll(g.gate.GroupScore(row, g.gate.Groups))...,
		)
	}
	return map[string][]float64{"ranked": ranked, "groups": groups}
}

// eachWeighs returns the weights of the sets of experts that each token may have.
func (g *gateRun) eachWeighs(sets [][][]int) (weights [][][]float64) {
	for n, open := range sets {
		scores := g.rowOf(n)
		weights = append(weights, nil)
		for _, chosen := range open {
			weights[n] = append(weights[n], g.weigh(scores, chosen))
		}
	}
	return weights
}

// weigh returns the weights of chosen experts.
func (g *gateRun) weigh(scores []float64, chosen []int) []float64 {
	weights := moe.GateValues(scores, chosen)
	if !g.gate.Normalize {
		for k, w := range weights {
			weights[k] = g.last(w * g.gate.Scale)
		}
		return weights
	}
	sum := g.adder.Sum(weights)
	if g.eager {
		sum = g.score.Round(sum)
	}
	if g.gate.NormEps != 0 {
		sum = g.eps.Round(sum + g.gate.NormEps)
	}
	for k, w := range weights {
		weights[k] = g.last(g.share(w, sum))
	}
	return weights
}

// share returns a share of a sum, scaled, before its last rounding.
func (g *gateRun) share(w, sum float64) float64 {
	scale := g.gate.Scale
	switch {
	case scale == 1:
		return w / sum
	case g.factorFirst:
		return w * g.total.Round(scale/sum)
	}
	return g.divided.Round(w/sum) * scale
}

// last rounds a weight in working precision, unless that is its last rounding, of which the verdict
// knows. In a layer weights are rounded to the type of the gate too.
func (g *gateRun) last(w float64) float64 {
	switch {
	case g.stored == g.scaled.Type():
		return w
	case g.stored == dtype.Invalid && g.isNarrow():
		return g.weight.Round(w)
	}
	return g.scaled.Round(w)
}

// isNarrow tells whether the gate has a type narrower than the working precision.
func (g *gateRun) isNarrow() bool {
	return g.c.Arithmetic.Accumulate.Narrow(g.narrowed.Type())
}
