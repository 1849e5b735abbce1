package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// softmaxRun forms log-probabilities and their gradients from logits as kernels do.
type softmaxRun struct {
	eager
	temperature, inverse                          float64
	untempered                                    bool
	scaled, shifted                               arithmetic.Grid
	exp                                           power
	log                                           arithmetic.Function
	sum, mean                                     arithmetic.Adder
	lse, logp, term, entropy, parts, product, one arithmetic.Grid
	byReciprocal, fromLSE, backFromLSE            bool
	fromLogs, oneFirst                            bool
}

func (e eager) newSoftmax(temperature float64) *softmaxRun {
	return &softmaxRun{
		eager: e, temperature: e.constant(temperature), inverse: e.constant(1 / temperature),
		untempered: temperature == 1, scaled: e.place(), shifted: e.inside(), exp: e.power(),
		log: e.Function(e.work, 2),
		sum: e.Adder(e.sums), mean: e.Adder(e.sums), lse: e.place(), logp: e.place(), term: e.place(),
		entropy: e.place(), parts: e.place(), product: e.place(), one: e.place(), byReciprocal: e.Coin(),
		fromLSE: e.Coin(), backFromLSE: e.Coin(), fromLogs: e.Coin(), oneFirst: e.Coin(),
	}
}

// temper returns logits over the temperature.
func (s *softmaxRun) temper(logits []float64) []float64 {
	x := make([]float64, len(logits))
	for j, z := range logits {
		switch {
		case s.untempered:
			x[j] = z
		case s.byReciprocal:
			x[j] = s.scaled.Round(z * s.inverse)
		default:
			x[j] = s.scaled.Round(z / s.temperature)
		}
	}
	return x
}

// distribution is a row as the run has it.
type distribution struct {
	x, exps             []float64
	largest, sum, logOf float64
}

// of computes one row.
func (s *softmaxRun) of(logits []float64) distribution {
	d := distribution{x: s.temper(logits)}
	d.largest = step.Maximum(d.x)
	d.exps = make([]float64, len(d.x))
	for j, v := range d.x {
		d.exps[j] = s.exp.Exp(s.shifted.Round(v - d.largest))
	}
	d.sum = s.sum.SumInLanes(d.exps, int(lanes(len(d.x))))
	d.logOf = s.log.Log(d.sum)
	return d
}

// logOf returns a log-probability before it is rounded: (x − max) − log Σ, or x − lse.
func (s *softmaxRun) logOf(d distribution, j int, fromLSE bool) float64 {
	if fromLSE {
		return d.x[j] - s.lse.Round(d.largest+d.logOf)
	}
	return s.shifted.Round(d.x[j]-d.largest) - d.logOf
}

// probability returns p_j: of e^{x−m} over their sum, or from the log-probability, as narrow code
// has it.
func (s *softmaxRun) probability(d distribution, j int) float64 {
	if s.narrowed() {
		return s.exp.of(s.logp.Round(s.logOf(d, j, s.backFromLSE)))
	}
	return s.parts.Round(d.exps[j] / d.sum)
}

// narrowed tells whether element-wise results have another type than working precision.
func (s *softmaxRun) narrowed() bool { return s.typ != s.work }

// entropyOf returns −Σ p log p, or lse − Σ p x.
func (s *softmaxRun) entropyOf(d distribution) float64 {
	terms := make([]float64, 0, len(d.x))
	for j := range d.x {
		p := s.parts.Round(d.exps[j] / d.sum)
		if s.narrowed() && s.fromLogs {
			p = s.probability(d, j)
		}
		switch {
		case p == 0 || math.IsInf(d.x[j], -1):
		case s.fromLogs:
			terms = append(terms, s.term.Round(p*s.logp.Round(s.logOf(d, j, s.fromLSE))))
		default:
			terms = append(terms, s.term.Round(p*d.x[j]))
		}
	}
	mean := s.entropy.Round(s.mean.Sum(terms))
	if s.fromLogs {
		return -mean
	}
	return s.lse.Round(d.largest+d.logOf) - mean
}

// formed returns the log-probabilities of the tokens in the mask, those that are given or those
// that are formed from logits, as they are kept.
func (k *lossRun) formed(c *op.Case, o *objective) (*mat.Dense, *softmaxRun) {
	soft := k.newSoftmax(max(c.Float("temperature"), math.SmallestNonzeroFloat64))
	if c.Input("logits") == nil {
		return mat.DenseCopyOf(o.LogProb), soft
	}
	n, l := o.Mask.Dims()
	logprob := mat.NewDense(n, l, nil)
	eachJudged(o.Mask, func(i, t int) {
		d, token := soft.of(c.Input("logits").Row(i, t)), int(c.Input("tokens").Data[i*l+t])
		if math.IsInf(d.x[token], -1) {
			logprob.Set(i, t, math.Inf(-1))
			return
		}
		logprob.Set(i, t, soft.logp.Round(soft.logOf(d, token, soft.fromLSE)))
	})
	return logprob, soft
}

// backward returns the gradient for the logits, g (onehot − p)/T.
func (s *softmaxRun) backward(c *op.Case, o *objective, gradient []float64, kept arithmetic.Grid) []float64 {
	vocab, last := c.Dim("vocab"), s.last("dlogits")
	_, l := o.Mask.Dims()
	dlogits := make([]float64, len(gradient)*vocab)
	eachJudged(o.Mask, func(i, t int) {
		at := i*l + t
		d, token, g := s.of(c.Input("logits").Row(i, t)), int(c.Input("tokens").Data[at]), kept.Round(gradient[at])
		if g == 0 || math.IsInf(d.x[token], -1) {
			return
		}
		for j := range d.x {
			dlogits[at*vocab+j] = last.Round(s.slope(d, j, token, g))
		}
	})
	return dlogits
}

// slope is one element of it.
func (s *softmaxRun) slope(d distribution, j, token int, g float64) float64 {
	p := s.probability(d, j)
	var x float64
	switch {
	case j != token:
		x = -g * p
	case s.oneFirst:
		x = g * s.one.Round(1-p)
	default:
		x = g - s.product.Round(g*p)
	}
	switch {
	case s.untempered:
		return x
	case s.byReciprocal:
		return s.product.Round(x) * s.inverse
	}
	return s.product.Round(x) / s.temperature
}

// logProbProgram computes policy.logprob.
func logProbProgram(c *op.Case) op.Program {
	logits, tokens, n := c.Input("logits"), c.Input("tokens").Data, c.Dim("N")
	return func(r *arithmetic.Run) map[string][]float64 {
		s := newEager(c, r).newSoftmax(c.Float("temperature"))
		logprob, entropy := make([]float64, n), make([]float64, n)
		logLast, entropyLast := s.last("logprob"), s.last("entropy")
		for i := range n {
			d, token := s.of(logits.Row(i)), int(tokens[i])
			logprob[i] = math.Inf(-1)
			if !math.IsInf(d.x[token], -1) {
				logprob[i] = logLast.Round(s.logOf(d, token, s.fromLSE))
			}
			if c.Wants("entropy") && !math.IsInf(d.largest, -1) {
				entropy[i] = entropyLast.Round(s.entropyOf(d))
			}
		}
		return map[string][]float64{"logprob": logprob, "entropy": entropy}
	}
}
