package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// engines are both sides of a bound case of policy.mismatch, and what is expected of it.
type engines struct {
	c                          *op.Case
	sides                      [2]engine
	in                         []bool    // tokens that count
	a, b                       []float64 // log-probabilities of both
	recorded                   []float64 // out.delta; nil where it is not there
	delta, margins, statistics []float64 // truths
}

// engine is one side: log-probabilities, logits or hidden states with a head, and its arithmetic.
type engine struct {
	c       *op.Case
	group   string
	logprob []float64
	logits  func(n int) []float64
	hidden  func(n int) []float64
	types   step.Operands
	weight  step.Weights
	stored  dtype.Type
}

func newEngines(c *op.Case) (*engines, error) {
	e := &engines{c: c, in: engineMask(c), statistics: make([]float64, len(statisticNames))}
	if c.Wants("delta") {
		recorded, err := c.Recording.Tensor("out.delta")
		if err != nil {
			return nil, err
		}
		e.recorded = recorded.Data
	}
	e.sides = [2]engine{newEngine(c, "a"), newEngine(c, "b")}
	for _, x := range []*[]float64{&e.a, &e.b, &e.delta, &e.margins} {
		*x = make([]float64, len(e.in))
	}
	return e, nil
}

func newEngine(c *op.Case, side string) engine {
	e := engine{c: c.Side(side), group: groupOf(c)}
	e.stored = e.c.Arithmetic.Intermediate
	switch e.group {
	case "logprob":
		e.logprob = c.Input("logprob_" + side).Data
	case "logits":
		logits := c.Input("logits_" + side)
		e.logits = func(n int) []float64 { return logits.Row(n) }
	default:
		e.read(c, either(c, "hidden", side), either(c, "weight", side))
	}
	if e.stored == dtype.Invalid {
		e.stored = e.c.Arithmetic.Accumulate.Working()
	}
	return e
}

// either returns the input of a side, or that of the trainer where the sampler has the same.
func either(c *op.Case, name, side string) string {
	if c.Recording.Has(name + "_" + side) {
		return name + "_" + side
	}
	return name + "_a"
}

// read prepares the product of hidden states with a head.
func (e *engine) read(c *op.Case, hidden, weight string) {
	e.hidden = func(n int) []float64 { return c.Input(hidden).Row(n) }
	e.types = step.Operands{
		Accumulate: e.c.Arithmetic.Accumulate, X: c.Recording.Type(hidden), W: c.Recording.Type(weight),
	}
	e.weight = step.WeightsOf(c, weight, 0)
	e.stored = c.TypeOr(e.stored, hidden)
}

// narrow tells whether this side stores logits in less than working precision, of which the fused
// softmax and the eager one are two forms.
func (e *engine) narrow() bool { return e.c.Arithmetic.Accumulate.Narrow(e.stored) }

// forms returns how many forms both sides leave open together.
func (e *engines) forms() int {
	n := 1
	for i := range e.sides {
		if e.sides[i].narrow() {
			n *= 2
		}
	}
	return n
}

// engineRun is one side in a run.
type engineRun struct {
	e        *engine
	soft     *step.Softmax
	products arithmetic.Noise
	logit    arithmetic.Grid
	sums     [manySums]*float64 // once they are asked for
}

// in returns the places of a run.
func (e *engine) in(r *arithmetic.Run) *engineRun {
	c := *e.c
	if e.narrow() {
		c.Arithmetic.Intermediate = e.stored
		if r.Form(2) == 0 {
			c.Arithmetic.Intermediate = dtype.Invalid
		}
	}
	k := &engineRun{
		e: e, soft: newEager(&c, r).NewSoftmax(c.Float("temperature")),
		products: r.Noise(c.Arithmetic.Accumulate.Truncates()), logit: r.Grid(e.stored),
	}
	if c.Arithmetic.Form == stable {
		k.soft.Stable()
	}
	if e.group == "logits" || e.group == "hidden" && !e.narrow() {
		k.logit = arithmetic.Grid{} // recorded, or the last rounding of a sum
	}
	return k
}

// of returns the log-probability of a token from logits of this run.
func (k *engineRun) of(z []float64, token int) float64 {
	return k.soft.Kept(k.soft.LogProb(k.soft.Of(k.logit.RoundAll(z)), token))
}

// noise returns by how much the log-probability of token i is off whose largest logit is about this
// large. Its other tokens are one, but for the rounding of their sum.
func (k *engineRun) noise(i int, logprob, about float64) float64 {
	logprob, largest := min(logprob, 0), logitOf(i, about)
	odds := logprob - math.Log1p(-math.Exp(logprob))
	z := []float64{largest, largest - odds}
	if odds < 0 {
		z = []float64{largest + odds, largest}
	}
	if math.IsInf(odds, 0) {
		return 0
	}
	return k.of(z, 0) - logprob + float64(math.Expm1(logprob)*k.sumError(i))
}

// manySums is how many sums over a vocabulary there are whose errors stand for those of all tokens.
const manySums = 4

// sumError returns what the sum of token i errs by.
func (k *engineRun) sumError(i int) float64 {
	at := i % manySums
	if k.sums[at] == nil {
		e := k.soft.SumError(at)
		k.sums[at] = &e
	}
	return *k.sums[at]
}

// logitOf returns the size of the largest logit of token i where all are about that large: in the
// same binade, a number of no type, and another for each token, since roundings of many tokens are
// not one.
func logitOf(i int, largest float64) float64 {
	largest -= largest / (256 * math.Pi)
	low := max(math.Exp2(math.Floor(math.Log2(largest))), largest*7/8)
	_, share := math.Modf(float64(i+1) * math.Phi)
	return largest - float64((largest-low)*share)
}

// mismatchRun are both sides in a run, and the statistics of it.
type mismatchRun struct {
	a, b             *engineRun
	logA, logB       []float64
	difference       arithmetic.Grid
	exp              step.Power
	mean, k1, k2, k3 summed
	square, low      estimator
	byInverse        bool
	inverse          float64
	quotient         arithmetic.Grid
}

// summed is a place of means.
type summed struct {
	sum  arithmetic.Adder
	last arithmetic.Grid
}

func (s *summed) of(terms []float64) float64 {
	return s.last.Round(s.sum.Sum(terms) / float64(max(1, len(terms))))
}

// inRun returns the places of both sides and of the statistics, which are formed in working
// precision.
func (e *engines) inRun(r *arithmetic.Run) *mismatchRun {
	c := *e.c
	c.Arithmetic.Intermediate = dtype.Invalid
	a, b, s := e.sides[0].in(r), e.sides[1].in(r), newEager(&c, r)
	mean := func(name string) summed { return summed{r.Adder(c.Arithmetic.Accumulate.Scalar()), s.Last(name)} }
	return &mismatchRun{
		a: a, b: b, logA: make([]float64, len(e.in)), logB: make([]float64, len(e.in)),
		difference: s.Last("delta"), exp: s.Power(), mean: mean("mean"), k1: mean("k1"), k2: mean("k2"), k3: mean("k3"),
		square: s.newEstimator("k2", 0, len(e.in), ""), low: s.newEstimator("k3", 0, len(e.in), ""),
		byInverse: s.Coin(), inverse: s.Constant(1 / float64(max(1, e.tokens()))), quotient: s.Last("share"),
	}
}

// run computes all runs together, and the truth: logits of some tokens at a time.
func (e *engines) run(runs []*arithmetic.Run) []map[string][]float64 {
	all := make([]*mismatchRun, len(runs))
	for i, r := range runs {
		all[i] = e.inRun(r)
	}
	e.form(all)
	e.setTruth()
	outputs := make([]map[string][]float64, len(all))
	parallel.Each(len(all), func(i int) { outputs[i] = e.outputs(all[i]) })
	return outputs
}

// form computes the log-probabilities of both sides in all runs.
func (e *engines) form(all []*mismatchRun) {
	var counted []int
	for i, in := range e.in {
		if in {
			counted = append(counted, i)
		}
	}
	if groupOf(e.c) == "logprob" {
		copy(e.a, e.sides[0].logprob)
		copy(e.b, e.sides[1].logprob)
		return
	}
	atOnce := max(1, mostStored/(16*e.c.Dim("vocab")))
	for from := 0; from < len(counted); from += atOnce {
		some := counted[from:min(from+atOnce, len(counted))]
		e.sides[0].form(some, e.a, all, func(k *mismatchRun) (*engineRun, []float64) { return k.a, k.logA })
		e.sides[1].form(some, e.b, all, func(k *mismatchRun) (*engineRun, []float64) { return k.b, k.logB })
	}
}

// form computes the log-probabilities of some tokens on one side: exactly, and in all runs.
func (e *engine) form(
	some []int, exact []float64, all []*mismatchRun, side func(k *mismatchRun) (*engineRun, []float64),
) {
	var known *step.Product
	if e.group == "hidden" {
		x := mat.NewDense(len(some), e.weight.Columns, nil)
		for i, n := range some {
			x.SetRow(i, e.hidden(n))
		}
		known, _ = e.types.Multiply(x, e.weight)
	}
	tokens := e.c.Input("tokens").Data
	parallel.Each(len(some), func(i int) {
		z, token := e.rowOf(some[i], i, known, nil), int(tokens[some[i]])
		exact[some[i]] = policy.LogProb(z, token, e.c.Float("temperature"))
	})
	parallel.Each(len(all), func(r int) {
		k, logprob := side(all[r])
		for i, n := range some {
			logprob[n] = k.of(e.rowOf(n, i, known, &k.products), int(tokens[n]))
		}
	})
}

// rowOf returns the logits of token n, which is row i of a product: without noise the exact ones.
func (e *engine) rowOf(n, i int, known *step.Product, noise *arithmetic.Noise) []float64 {
	switch {
	case known == nil:
		return append([]float64{}, e.logits(n)...)
	case noise == nil:
		return mat.Row(nil, i, known.Y)
	}
	return known.Row(noise, i)
}

// outputs returns what a run gives: differences, and the statistics of those that are recorded, or
// else of its own.
func (e *engines) outputs(k *mismatchRun) map[string][]float64 {
	delta, margins := make([]float64, len(e.in)), make([]float64, len(e.in))
	var sizes, k1, k2, k3 []float64
	largest, count := 0.0, 0.0
	for i, in := range e.in {
		if !in {
			continue
		}
		delta[i] = e.difference(k, i)
		own := delta[i]
		if e.isNoise(i) || e.recorded != nil {
			own = e.margins[i]
		}
		second, _ := k.square.of(i, 0, own)
		third, _ := k.low.of(i, 0, own)
		sizes, k1, k2, k3 = append(sizes, math.Abs(own)), append(k1, -own), append(k2, second), append(k3, third)
		largest, margins[i] = max(largest, math.Abs(own)), math.Log(k.exp.Of(own))
		if math.Abs(e.margins[i]) > math.Log(e.c.Float("limit")) {
			count++
		}
	}
	return map[string][]float64{
		"delta": delta, "margin": margins, "mean": {k.mean.of(sizes)}, "largest": {largest}, "k1": {k.k1.of(k1)},
		"k2": {k.k2.of(k2)}, "k3": {k.k3.of(k3)}, "share": {k.share(count, len(sizes))},
	}
}

// difference returns that of token i in a run.
func (e *engines) difference(k *mismatchRun, i int) float64 {
	switch {
	case e.isNoise(i):
		largest := e.c.Float("largest_logit")
		return k.a.noise(i, e.a[i], largest) - k.b.noise(i, e.b[i], largest)
	case groupOf(e.c) == "logprob":
		return k.difference.Round(e.a[i] - e.b[i])
	}
	return k.difference.Round(k.logA[i] - k.logB[i])
}

// share returns a count over the number of tokens.
func (k *mismatchRun) share(count float64, tokens int) float64 {
	if k.byInverse {
		return k.quotient.Round(count * k.inverse)
	}
	return k.quotient.Round(count / float64(max(1, tokens)))
}
