package op

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/verdict"
)

var temperatureAttr = Attr{Name: "temperature", Kind: Number, Default: 1.0, Doc: "what logits are divided by"}

func init() {
	register(&Op{
		Name:      "policy.kl",
		Doc:       "Estimates, token by token, how far the policy is from the reference.",
		Equations: []string{"policy.K1", "policy.K2", "policy.K3", "policy.K3Limited"},
		Inputs: []Tensor{
			{Name: "logprob", Shape: sequenceShape, Doc: "log-probabilities of the policy"},
			{Name: "ref_logprob", Shape: sequenceShape, Doc: "log-probabilities of the reference"},
			maskInput,
		},
		Outputs: []Tensor{{Name: "kl", Shape: sequenceShape, Axes: sequenceAxes, Doc: "estimates"}},
		Attrs: []Attr{
			{
				Name: "estimator", Kind: Choice, Default: "k1", Choices: []string{"k1", "k2", "k3"},
				Doc: "with δ = log π_ref − log π: −δ, δ²/2, or e^δ − 1 − δ",
			},
			{Name: "limit", Kind: Number, Default: 0.0, Doc: "k3 clamps δ to ±limit; 0 is no limit"},
		},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      all(checkKL, checkMask),
		truth:      policyKL,
	})
	register(&Op{
		Name:      "policy.logprob",
		Doc:       "Log-probabilities of sampled tokens, and the entropy of the distributions they were sampled from.",
		Equations: []string{"policy.LogProb", "policy.LogSoftmax", "policy.Entropy"},
		Inputs: []Tensor{
			{Name: "logits", Shape: []string{"N", "vocab"}, Doc: "logits; −∞ excludes a token"},
			{Name: "tokens", Shape: []string{"N"}, Integer: true, Doc: "sampled tokens"},
		},
		Outputs: []Tensor{
			{Name: "logprob", Shape: []string{"N"}, Axes: []string{"token"}, Doc: "log-probabilities of the tokens"},
			{Name: "entropy", Shape: []string{"N"}, Axes: []string{"token"}, Doc: "entropies, in nats"},
		},
		Attrs:      []Attr{temperatureAttr},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      checkLogProb,
		truth:      policyLogProb,
	})
}

func checkKL(c *Case) error {
	if c.Word("estimator") != "k3" && c.Float("limit") != 0 {
		return fmt.Errorf(
			"attrs: %q: found %v for %s, only k3 has a limit", "limit", c.Float("limit"), c.Word("estimator"),
		)
	}
	return checkAtLeast0(c, "limit")
}

// policyKL judges each token by itself; see divergence for σ.
func policyKL(c *Case) ([]verdict.Expected, error) {
	w, kl := c.scalars(), c.newBatchOutput()
	logprob, ref, mask := c.matrix("logprob"), c.matrix("ref_logprob"), c.matrix("mask")
	var deltas []float64
	eachJudged(mask, func(i, t int) {
		d := w.divergence(c.Word("estimator"), logprob.At(i, t), ref.At(i, t), c.Float("limit"))
		delta := w.typ.Round(ref.At(i, t) - logprob.At(i, t))
		var leaning float64
		if c.Word("estimator") == "k2" {
			leaning = min(w.squareLeans(delta), d.variance)
		}
		kl.set(i, t, d.value, d.variance-leaning, leaning, d.overflow...)
		deltas = append(deltas, delta)
	})
	e := kl.expected("kl", mask)
	fewOperands(&e, deltas, isZero)
	return c.wanted(e), nil
}

// squareLeans is the second moment of what squares of numbers with as many places as x err by in
// one direction: an odd square is 1 mod 8, so that where its last d places are cut off most of what
// is cut off is 2^−d of a unit, always below it.
func (w scalars) squareLeans(x float64) float64 {
	if !dtype.Finite(x) {
		return 0
	}
	cut := 2*places(x) - -math.Ilogb(w.typ.UnitRoundoff())
	if cut <= 0 {
		return 0 // the square is exact
	}
	unit := w.typ.Spacing(x*x) * math.Ldexp(1, -cut)
	return min(unit*unit, w.round(x*x)) / 4 // of x²/2
}

// divergence is an estimate of one token with its derivative for log π, and the second moments of
// their errors.
type divergence struct {
	value, slope, bend       float64 // bend is the derivative of the slope
	variance, slopeVariance  float64
	parts                    float64 // size of the terms that the slope is summed of
	overflow, overflowSlopes []float64
}

// divergence: δ = log π_ref − log π is rounded once. Then k1 is −δ; k2 squares and halves; k3 is
// formed as it stands, because most kernels do so, and then the exponential and the first of the
// two differences are off by what a number of their size is rounded by, however small k3 itself:
//
//	k1  σ² = R(δ)
//	k2  σ² = δ² R(δ) + 2 R(δ²/2)
//	k3  σ² = (e^δ − 1)² R(δ) + e^{2δ} E(δ) + max(R(e^δ − δ), R(e^δ − 1)) + R(k3)
//	    of its derivative 1 − e^δ: e^{2δ} (R(δ) + E(δ)) + R(1 − e^δ)
//
// R is the second moment of a rounding, E(δ) that of the relative error of an exponential. A δ
// beyond the limit is the limit, as a constant.
func (w scalars) divergence(estimator string, logprob, ref, limit float64) divergence {
	delta := ref - logprob
	moved := w.round(delta)
	switch estimator {
	case "k1":
		return divergence{
			value: policy.K1(logprob, ref), slope: policy.K1Backward(logprob, ref), variance: moved, parts: 1,
		}
	case "k2":
		d := divergence{
			value: policy.K2(logprob, ref), slope: policy.K2Backward(logprob, ref), bend: 1, slopeVariance: moved,
			parts: math.Abs(delta),
		}
		d.variance = moment(delta*delta*moved + 2*w.round(d.value))
		return d
	}
	d := divergence{value: policy.K3Limited(logprob, ref, limit), slope: policy.K3LimitedBackward(logprob, ref, limit)}
	if limit != 0 && math.Abs(delta) > limit {
		delta = math.Copysign(limit, delta)
		moved = w.constant(limit) * limit * limit
	}
	e, small := math.Exp(delta), math.Expm1(delta)
	d.bend = e
	d.parts = 1 + e
	d.variance = moment(small*small*moved + e*e*w.exponential(delta) + max(
		w.round(e-delta), w.round(small),
	) + w.round(d.value))
	d.slopeVariance = moment(e*e*(moved+w.exponential(delta)) + w.round(small))
	if w.overflows(e) {
		d.overflow, d.overflowSlopes = []float64{math.Inf(1)}, []float64{math.Inf(-1)}
	}
	return d
}

// finite returns a part of a truth, 0 where it is not finite and the whole is not either.
func finite(x float64) float64 {
	if !dtype.Finite(x) {
		return 0
	}
	return x
}

// moment returns a second moment, infinity where it is no number: an error of which nothing is
// known is not one that nobody makes.
func moment(variance float64) float64 {
	if math.IsNaN(variance) {
		return math.Inf(1)
	}
	return variance
}

func checkTemperature(c *Case) error {
	if c.Float("temperature") <= 0 {
		return fmt.Errorf("attrs: %q: found %v, want more than 0", "temperature", c.Float("temperature"))
	}
	return nil
}

func checkLogProb(c *Case) error {
	for n := range c.Dim("N") {
		if err := checkToken(c, n); err != nil {
			return err
		}
	}
	return checkTemperature(c)
}

// checkToken checks that a token, by its place in memory, is one of the vocabulary.
func checkToken(c *Case, i int) error {
	tokens := c.Input("tokens")
	if token := tokens.Data[i]; token < 0 || token >= float64(c.Dim("vocab")) {
		return fmt.Errorf(
			"tensor %q: index %v: token %v, want 0 to %d", "tokens", tensor.Unravel(i, tokens.Shape), token,
			c.Dim("vocab")-1,
		)
	}
	return nil
}

// policyLogProb: with x = z/T, p = softmax(x), m = max x and s = Σ e^{x−m}, every x_j errs by its
// division, which moves log p_k by δ_jk − p_j, and by its exponential, which moves it by −p_j; the
// sum over the vocabulary, its logarithm, and the two differences follow. An entropy is formed as
// −Σ p log p or as lse − Σ p x, whose terms are larger.
//
//	logprob  σ² = Σ_j (δ_jk − p_j)² x_j² ρ_T² + Σ_j p_j² E(x_j − m) + Sum(V; 1, Σ p²) + 6ρ² log² s + R(log s) + R(x_k − m) + R(m + log s) + R(x_k) + R(log p_k)
//	entropy  σ² = Σ_j p_j² ((log p_j + S)² (x_j² ρ_T² + E(x_j − m)) + 2ρ² max(log² p_j, x_j²)) + Sum(V; Σ px, Σ p²x²) + max(1, S, Σ px)² Sum(V; 1, Σ p²)
//	              + 6ρ² log² s + R(log s) + R(m + log s) + 2 R(Σ px)
//
// The last two are those of the way to base 2 and back. ρ_T² is that of the quotient and of the
// temperature as a constant, and nothing for T = 1. Equal logits, of which narrow types have many,
// are added up alike: to both sums comes what arithmetic.Accumulator.Repeated says. So do the terms
// below half a last place of a partial sum, squared all together, because additions round them away
// one by one; how many partial sums there are at least, lanes says.
func policyLogProb(c *Case) ([]verdict.Expected, error) {
	w, n := c.scalars(), c.Dim("N")
	logprob, entropy := c.newEstimate("logprob", n), c.newEstimate("entropy", n)
	forward, backward := make([]float64, n), make([]float64, n)
	temperature := c.Float("temperature")
	each(n, func(i int) {
		row, token := c.Input("logits").Row(i), int(c.Input("tokens").Data[i])
		v := w.softmax(row, token, temperature)
		logprob.setOne(v.logp[token], moment(v.logprob), i)
		entropy.setOne(v.s, moment(v.entropy), i)
		forward[i], backward[i] = w.oneByOne(v.logp)
		forward[i], backward[i] = v.logp[token]+forward[i], v.logp[token]+backward[i]
	})
	var kept []verdict.Expected
	for _, e := range c.wanted(
		single(logprob.expected("logprob", c.Arithmetic.Accumulate)),
		single(entropy.expected("entropy", c.Arithmetic.Accumulate)),
	) {
		e.Systematic = 0
		if temperature != 1 {
			e.Systematic = 1
		}
		if e.Name == "logprob" && c.Dim("vocab") > scalarLoop {
			e.Branches = []verdict.Branch{{Elements: indices(n), Truths: [][]float64{forward, backward}}}
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// indices returns 0 … n−1.
func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// softmaxErrors are the second moments of the errors of one row: of log p_k, of the entropy, of the
// denominator of all p (relative), and of the division of a logit by the temperature (relative);
// with the row's log-probabilities, entropy and mean Σ p z/T.
type softmaxErrors struct {
	logprob, entropy, denominator, division float64
	logp                                    []float64
	s, mean                                 float64
}

// softmax derives them; see policyLogProb.
func (w scalars) softmax(logits []float64, token int, temperature float64) softmaxErrors {
	logp := policy.LogSoftmax(logits, temperature)
	m := maximum(logits) / temperature
	lse := logits[token]/temperature - logp[token]
	if math.IsInf(logp[token], -1) {
		lse = m + math.Log(sumExp(logits, m, temperature))
	}
	v := softmaxErrors{logp: logp, s: policy.Entropy(logits, temperature)}
	if temperature != 1 {
		v.division = 2*w.rho2 + w.constant(temperature)
	}
	s := v.s
	var seen int
	var mass2, mean, mean2 float64
	x, p := logits[token]/temperature, math.Exp(logp[token])
	divided := moment((1 - 2*p) * x * x * v.division) // (1−p)² in place of p²
	for j, l := range logp {
		p, x := math.Exp(l), logits[j]/temperature
		if p == 0 {
			continue
		}
		exp := w.exponential(x - m)
		v.denominator += p * p * (x*x*v.division + exp)
		v.entropy += p * p * ((l+s)*(l+s)*(x*x*v.division+exp) + 2*w.rho2*max(l*l, x*x))
		seen, mass2, mean, mean2 = seen+1, mass2+p*p, mean+p*x, mean2+p*p*x*x
	}
	v.mean = mean
	small := w.swamped(logp, logits, temperature, mean)
	alike, _ := repeats(logits)
	l := lanes(len(logits))
	total := l*l*w.sum(int(float64(seen)/l), 1/l, mass2/l) + w.accumulate.Repeated(1, alike)/(l*l) + small[0]*small[0]
	logarithm := logRoundings*w.inside*(lse-m)*(lse-m) + w.round(lse-m)
	v.denominator += total + logarithm + w.round(lse)
	inBase2 := scalars{typ: w.working}
	v.logprob = v.denominator + divided + w.round(x-m) + inBase2.round(x) + inBase2.round(logp[token])
	if w.narrow() {
		e := w.narrowEntropyError(logp, logits, temperature, lse, s)
		v.entropy += e * e
	}
	v.entropy += w.sum(seen, mean, mean2) + w.accumulate.Repeated(mean, alike) + small[1]*small[1] +
		max(1, s*s, mean*mean)*total + logarithm + w.round(lse) + 2*w.round(mean)
	return v
}

// narrowEntropyError is what an entropy errs by whose log-probabilities, probabilities and products
// are rounded to a narrow type, as far as that is known: equal logits, and such as differ by less
// than a log-probability's last place, are all rounded alike, so that a hundred thousand roundings
// are one. It is the larger of the errors of
//
//	−Σ RN(p l),  l = RN(x − lse),  p = RN(e^l)                 TRL's, whose p no longer sum up to 1
//	−Σ RN(q l),  l = RN(x − RN(lse)),  q = RN(softmax(l))     that of PyTorch's Categorical
func (w scalars) narrowEntropyError(logp, logits []float64, temperature, lse, entropy float64) float64 {
	var plain, normalised, mass float64
	stored := w.typ.Round(lse)
	shifted := make([]float64, len(logp))
	for j, l := range logp {
		if math.IsInf(l, -1) {
			shifted[j] = l
			continue
		}
		x := w.typ.Round(logits[j] / temperature)
		l = w.typ.Round(x - lse)
		plain -= w.typ.Round(w.typ.Round(math.Exp(l)) * l)
		shifted[j] = w.typ.Round(x - stored)
		mass += math.Exp(shifted[j])
	}
	for _, l := range shifted {
		if q := w.typ.Round(math.Exp(l) / mass); q > 0 {
			normalised -= w.typ.Round(q * l)
		}
	}
	return max(math.Abs(plain-entropy), math.Abs(normalised-entropy))
}

// scalarLoop is the longest vocabulary of which a sum over it in one chain is taken for granted.
const scalarLoop = 1024

// lanes returns in how many partial sums at least a vocabulary is added up: beyond a thousand
// tokens in eight, the floats of a vector register. A chain of a hundred thousand additions loses
// so much that it would hide mistakes; what exactly it loses, oneByOne says.
func lanes(vocab int) float64 {
	if vocab > scalarLoop {
		return 8
	}
	return 1
}

// oneByOne returns by how much a log-probability is larger where the vocabulary is added up in one
// chain, from its first token or from its last: by what the sum no longer feels. 0 for vocabularies
// whose σ has it.
func (w scalars) oneByOne(logp []float64) (forward, backward float64) {
	if len(logp) <= scalarLoop {
		return 0, 0
	}
	typ, m := w.accumulate.Type(), maximum(logp)
	var first, last, exact float64
	for j := range logp {
		back := len(logp) - 1 - j
		x, y := typ.Round(math.Exp(logp[j]-m)), typ.Round(math.Exp(logp[back]-m))
		first, last, exact = typ.Round(first+x), typ.Round(last+y), exact+x
	}
	return finite(math.Log(exact / first)), finite(math.Log(exact / last))
}

// swamped returns what the terms of Σ p and Σ px add up to that are so small that such a sum does
// not feel them one by one.
func (w scalars) swamped(logp, logits []float64, temperature, mean float64) (small [2]float64) {
	u := w.accumulate.Type().UnitRoundoff()
	for j, l := range logp {
		p := math.Exp(l)
		if p < u/lanes(len(logits)) {
			small[0] += p
		}
		if x := logits[j] / temperature; p > 0 && math.Abs(p*x) < u*math.Abs(mean) {
			small[1] += p * x
		}
	}
	return small
}

// sumExp returns Σ e^{z/T − m}.
func sumExp(logits []float64, m, temperature float64) float64 {
	var sum float64
	for _, z := range logits {
		sum += math.Exp(z/temperature - m)
	}
	return sum
}

// repeats returns Σ n² over the groups of n > 1 equal numbers, and how many numbers these groups
// have.
func repeats(x []float64) (sum, members float64) {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	var run float64
	for i := range sorted {
		if i > 0 && sorted[i] != sorted[i-1] || math.IsInf(sorted[i], -1) {
			run = 0
		}
		run++
		switch {
		case run == 2:
			sum, members = sum+4, members+2
		case run > 2:
			sum, members = sum+2*run-1, members+1 // n² − (n−1)²
		}
	}
	return sum, members
}
