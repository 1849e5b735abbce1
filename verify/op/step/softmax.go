package step

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/loops"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// Softmax forms log-probabilities and their gradients from logits as kernels do.
type Softmax struct {
	Eager
	temperature, inverse                          float64
	untempered                                    bool
	scaled, shifted                               arithmetic.Grid
	exp                                           Power
	log                                           arithmetic.Function
	sum, mean                                     arithmetic.Adder
	lse, logp, term, entropy, parts, product, one arithmetic.Grid
	byReciprocal, fromLSE, backFromLSE            bool
	fromLogs, oneFirst                            bool
	binary                                        arithmetic.Grid
	inBase2                                       bool // exponents are x·log₂e − m·log₂e, the last rounded
	expOfLSE                                      bool // probabilities are e^{x−lse}
}

// NewSoftmax returns the places of a softmax of logits over a temperature.
func (e Eager) NewSoftmax(temperature float64) *Softmax {
	return &Softmax{
		Eager: e, temperature: e.Constant(temperature), inverse: e.Constant(1 / temperature),
		untempered: temperature == 1, scaled: e.Place(), shifted: e.Inside(), exp: e.Power(),
		log: e.Function(e.Work, 2),
		sum: e.Adder(e.sums), mean: e.Adder(e.sums), lse: e.Place(), logp: e.Place(), term: e.Place(),
		entropy: e.Place(), parts: e.Place(), product: e.Place(), one: e.Place(), byReciprocal: e.Coin(),
		fromLSE: e.Coin(), backFromLSE: e.Coin(), fromLogs: e.Coin(), oneFirst: e.Coin(),
		binary: e.Inside(), inBase2: e.seldom(), expOfLSE: e.Coin(),
	}
}

// seldom draws what few kernels do: true in a quarter of the runs.
func (e Eager) seldom() bool {
	one, other := e.Coin(), e.Coin()
	return one && other
}

// Stable leaves log-probabilities one form, (x − max) − log Σ, with Σ of e^{x−max}.
func (s *Softmax) Stable() {
	s.fromLSE, s.backFromLSE, s.inBase2, s.expOfLSE = false, false, false, false
}

// temper returns logits over the temperature.
func (s *Softmax) temper(logits []float64) []float64 {
	x := slices.Clone(logits)
	switch {
	case s.untempered:
		return x
	case s.byReciprocal:
		floats.Scale(s.inverse, x)
	default:
		Divide(x, s.temperature)
	}
	return s.scaled.RoundAll(x)
}

// Divide divides numbers by another.
func Divide(x []float64, by float64) {
	for j := range x {
		x[j] /= by
	}
}

// Distribution is a row as the run has it.
type Distribution struct {
	x, exps             []float64
	largest, sum, logOf float64
}

// Of computes one row.
func (s *Softmax) Of(logits []float64) Distribution {
	d := Distribution{x: s.temper(logits)}
	d.largest = loops.Largest(d.x)
	d.exps = slices.Clone(d.x)
	floats.AddConst(-d.largest, d.exps)
	s.exp.ExpAll(s.shifted.RoundAll(d.exps))
	d.sum = s.sum.SumInLanes(d.exps, lanes(len(d.x)))
	d.logOf = s.log.Log(d.sum)
	if s.inBase2 { // all exponents are off by as much as that of the largest, which was to be 0
		largest := d.largest * s.binary.Round(math.Log2E)
		d.logOf += (largest - s.binary.Round(largest)) * math.Ln2
	}
	return d
}

// SumError returns what the logarithm of a sum over a large vocabulary is off by where that is not
// known token by token: of as many as one chain has, of sizes that are as good as any.
func (s *Softmax) SumError(number int) float64 {
	terms, exact := make([]float64, ScalarLoop), 0.0
	for j := range terms {
		_, share := math.Modf(float64(number+j+1) * math.Phi)
		terms[j] = math.Exp(-4 * share)
		exact += terms[j]
	}
	return math.Log(s.sum.Sum(terms) / exact)
}

// Excludes tells whether a token has no probability.
func (d Distribution) Excludes(token int) bool { return math.IsInf(d.x[token], -1) }

// ExcludesAll tells whether no token has any.
func (d Distribution) ExcludesAll() bool { return math.IsInf(d.largest, -1) }

// LogProb returns the log-probability of a token before it is rounded.
func (s *Softmax) LogProb(d Distribution, token int) float64 {
	if d.Excludes(token) {
		return math.Inf(-1)
	}
	return s.logOf(d, token, s.fromLSE)
}

// Kept rounds a log-probability that goes on to further steps.
func (s *Softmax) Kept(logprob float64) float64 { return s.logp.Round(logprob) }

// logOf returns a log-probability before it is rounded: (x − max) − log Σ, or x − lse.
func (s *Softmax) logOf(d Distribution, j int, fromLSE bool) float64 {
	if fromLSE {
		return d.x[j] - s.lse.Round(d.largest+d.logOf)
	}
	return s.shifted.Round(d.x[j]-d.largest) - d.logOf
}

// probability returns p_j: of e^{x−m} over their sum, or e^{x−lse}, or from the log-probability, as
// narrow code has it.
func (s *Softmax) probability(d Distribution, j int) float64 {
	switch {
	case s.narrowed():
		return s.exp.Of(s.logp.Round(s.logOf(d, j, s.backFromLSE)))
	case s.expOfLSE:
		return s.exp.Of(s.shifted.Round(s.logOf(d, j, true)))
	}
	return s.parts.Round(d.exps[j] / d.sum)
}

// narrowed tells whether element-wise results have another type than working precision.
func (s *Softmax) narrowed() bool { return s.typ != s.Work }

// EntropyOf returns −Σ p log p, or lse − Σ p x.
func (s *Softmax) EntropyOf(d Distribution) float64 {
	terms, factors := s.probabilities(d), d.x
	if s.fromLogs {
		factors = s.logp.RoundAll(s.logsOf(d))
	}
	kept := terms[:0]
	for j, p := range terms {
		if p != 0 && !math.IsInf(d.x[j], -1) {
			kept = append(kept, p*factors[j])
		}
	}
	mean := s.entropy.Round(s.mean.Sum(s.term.RoundAll(kept)))
	if s.fromLogs {
		return -mean
	}
	return s.lse.Round(d.largest+d.logOf) - mean
}

// probabilities returns those that an entropy is formed of.
func (s *Softmax) probabilities(d Distribution) []float64 {
	p := slices.Clone(d.exps)
	if s.narrowed() && s.fromLogs {
		for j := range p {
			p[j] = s.probability(d, j)
		}
		return p
	}
	Divide(p, d.sum)
	return s.parts.RoundAll(p)
}

// logsOf returns logOf of all tokens.
func (s *Softmax) logsOf(d Distribution) []float64 {
	x := slices.Clone(d.x)
	if s.fromLSE {
		floats.AddConst(-s.lse.Round(d.largest+d.logOf), x)
		return x
	}
	floats.AddConst(-d.largest, x)
	floats.AddConst(-d.logOf, s.shifted.RoundAll(x))
	return x
}

// Slope returns an element of the gradient for the logits, g (onehot − p)/T, before it is rounded.
func (s *Softmax) Slope(d Distribution, j, token int, g float64) float64 {
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

// ScalarLoop is the longest vocabulary of which a sum over it in one chain is taken for granted.
const ScalarLoop = 1024

// lanes returns in how many partial sums at least a vocabulary is added up: beyond a thousand
// tokens in eight, the floats of a vector register. A chain of a hundred thousand additions loses
// so much that it would hide mistakes; what exactly it loses, OneByOne says.
func lanes(vocab int) int {
	if vocab > ScalarLoop {
		return 8
	}
	return 1
}

// OneByOne returns by how much a log-probability is larger where the vocabulary is added up in one
// chain, from its first token or from its last: by what the sum no longer feels. 0 for vocabularies
// whose σ has it.
func OneByOne(logp []float64, typ dtype.Type) (forward, backward float64) {
	if len(logp) <= ScalarLoop {
		return 0, 0
	}
	m := loops.Largest(logp)
	var first, last, exact float64
	for j := range logp {
		back := len(logp) - 1 - j
		x, y := typ.Round(math.Exp(logp[j]-m)), typ.Round(math.Exp(logp[back]-m))
		first, last, exact = typ.Round(first+x), typ.Round(last+y), exact+x
	}
	return math.Log(exact / first), math.Log(exact / last)
}
