package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("policy.mismatch", emulate.Kernel{
		Float32: mismatch[float32], Float64: mismatch[float64], Request: requestMismatch, Right: pairsOfEngines(),
		Quantities: slices.Concat(ofEngine("a"), ofEngine("b")),
	})
}

// engines are the two sides, as what they form is called.
var engines = map[string]string{"a": " of the trainer", "b": " of the sampler"}

// ofEngine lists what a side forms where log-probabilities are not given.
func ofEngine(name string) []emulate.Quantity {
	of := engines[name]
	return append(ofTokenRows.have(lses+of, tokenLogits+of, tokenLogprobs+of), ofLogits.have(productLogits+of)...)
}

// pairsOfEngines returns trainers and samplers: logits in float32 against BF16, other orders of
// summation, other forms.
func pairsOfEngines() []emulate.Config {
	narrow, wide := emulate.Config{Intermediate: dtype.BF16}, emulate.Config{Intermediate: dtype.F32}
	strided, shuffled := wide, narrow
	strided.Order, strided.Base2, shuffled.Order, shuffled.Seed = emulate.Strided, true, emulate.Shuffled, 5
	stable := emulate.Config{Form: "stable", Intermediate: dtype.BF16, Order: emulate.Pairwise}
	hopper := emulate.Config{Accumulate: arithmetic.F32Hopper, Intermediate: dtype.BF16}
	var all []emulate.Config
	for _, pair := range [][2]emulate.Config{
		{{}, {}}, {wide, narrow}, {narrow, wide}, {narrow, narrow}, {wide, strided}, {strided, shuffled},
		{stable, narrow}, {wide, hopper}, {{Fused: true}, {Order: emulate.Reversed}},
	} {
		trainer := pair[0]
		trainer.Other = &pair[1]
		all = append(all, trainer)
	}
	return all
}

// enginePair runs both engines over the tokens in the mask.
type enginePair[T emulate.Number] struct {
	*emulate.Job
	in     []bool
	tokens []int
	shape  []int
	within T // the largest difference in the mask, where a mistake looks at the others
}

func newEnginePair[T emulate.Number](j *emulate.Job) *enginePair[T] {
	p := &enginePair[T]{Job: j, tokens: j.LoadInts("tokens"), shape: j.OutputShape("delta")}
	p.in = slices.Repeat([]bool{true}, p.shape[0]*cmp.Or(append(p.shape[1:], 1)[0], 1))
	for i, m := range j.LoadInts("mask") {
		p.in[i] = m != 0
	}
	return p
}

// side returns the log-probabilities of one engine, and declares its arithmetic.
func (p *enginePair[T]) side(name string, c emulate.Config) []T {
	j := *p.Job
	c.Mistake = p.Config.Mistake
	j.Config = c
	j.Form = cmp.Or(c.Form, "any")
	logprob := p.logprobs(&j, name)
	said := map[string]any{"accumulate": j.Accumulate.String(), "form": j.Form}
	if j.Intermediate != dtype.Invalid && !p.Recording.Has("logits_a") {
		said["intermediate"] = j.Intermediate.String()
	}
	p.Recording.Arithmetic[name] = said
	return logprob
}

func (p *enginePair[T]) logprobs(j *emulate.Job, name string) []T {
	if given := emulate.Load[T](j, "logprob_"+name); given != nil {
		return given
	}
	logits := p.logits(j, name)
	own := *j
	own.Intermediate = emulate.Working[T]()
	if name == "a" && p.Makes("filtered") {
		own.Config.Mistake = ""
	}
	b := &batch[T]{Job: &own, sums: emulate.NewSummer[T](&own.Config, dtype.F32), side: engines[name]}
	out := make([]T, len(p.in))
	for n, in := range p.in {
		if in || p.Makes("largest-over-all") && p.tokens[n] >= 0 && p.tokens[n] < p.Dim("vocab") {
			b.place = n
			out[n] = b.passed(tokenLogprobs, p.logprob(b, name, logits(n), n))
		}
	}
	return out
}

// logits returns what gives the logits of a token.
func (p *enginePair[T]) logits(j *emulate.Job, name string) func(n int) []T {
	vocab := j.Dim("vocab")
	if z := emulate.Load[T](j, "logits_"+name); z != nil {
		return func(n int) []T { return slices.Clone(emulate.Row(z, n, vocab)) }
	}
	own := func(input string) string {
		if j.Recording.Has(input + "_" + name) {
			return input + "_" + name
		}
		return input + "_a"
	}
	hidden, weight, d := emulate.Load[T](j, own("hidden")), emulate.Load[T](j, own("weight")), j.Dim("d")
	p.stale(name, weight, d)
	in := j.Recording.Type(own("hidden"))
	j.Intermediate = cmp.Or(j.Intermediate, in)
	products := emulate.NewSummer[T](&j.Config, wider(in, j.Recording.Type(own("weight"))))
	return func(n int) []T {
		z := make([]T, vocab)
		for v := range z {
			z[v] = products.Dot(emulate.Row(hidden, n, d), emulate.Row(weight, v, d))
		}
		emulate.RoundEach(j.Intermediate, z)
		emulate.Pass(j, productLogits+engines[name], n*vocab, z)
		return z
	}
}

// stale makes the mistake of a sampler that was not given the last step.
func (p *enginePair[T]) stale(name string, weight []T, d int) {
	if name == "b" && p.Makes("stale-head") {
		for i := range weight {
			weight[i] += weight[(i+d)%len(weight)] / 8
		}
		p.Show(true)
	}
}

// logprob returns the log-probability of token n.
func (p *enginePair[T]) logprob(b *batch[T], name string, z []T, n int) T {
	temperature := T(p.Float("temperature"))
	if name == "a" && p.Makes("sampling-temperature-missing") {
		p.Show(temperature != 1)
		temperature = 1
	}
	row := b.scaled(z, temperature)
	p.Job.Show(b.filteredOut(row, z))
	if math.IsInf(float64(row[p.tokens[n]]), -1) {
		row = z
	}
	logprob, _ := b.logSoftmax(row, p.tokens[n])
	return logprob
}

// filteredOut tells whether a mistaken filter left a token out.
func (b *batch[T]) filteredOut(row, z []T) bool {
	for i, x := range row {
		if b.Makes("filtered") && math.IsInf(float64(x), -1) && !math.IsInf(float64(z[i]), -1) {
			return true
		}
	}
	return false
}

// mismatch computes policy.mismatch.
func mismatch[T emulate.Number](j *emulate.Job) {
	p := newEnginePair[T](j)
	other := j.Config
	if j.Other != nil {
		other = *j.Other
	}
	a, b := p.side("a", j.Config), p.side("b", other)
	j.Intermediate, j.Accumulate = dtype.Invalid, arithmetic.F32
	if emulate.Working[T]() == dtype.F64 {
		j.Accumulate = arithmetic.F64
	}
	delta := make([]T, len(a))
	for i := range a {
		delta[i] = a[i] - b[i]
		p.spoil(delta, a, b, i)
	}
	p.store(delta)
}

// spoil makes the mistakes with what is subtracted.
func (p *enginePair[T]) spoil(delta, a, b []T, i int) {
	right := delta[i]
	switch {
	case p.Makes("ratio-inverted"):
		delta[i] = -right
	case p.Makes("probabilities-subtracted"):
		delta[i] = T(math.Exp(float64(a[i])) - math.Exp(float64(b[i])))
	case p.Makes("token-shifted") && i > 0:
		delta[i] = a[i] - b[i-1]
	default:
		return
	}
	p.Show(p.in[i] && delta[i] != right)
}

// store stores differences and statistics of them.
func (p *enginePair[T]) store(delta []T) {
	own := p.Config
	sums := emulate.NewSummer[T](&own, dtype.F32)
	var counted []T
	for i, x := range delta {
		if p.in[i] || p.Makes("mask-missing") {
			counted = append(counted, x)
			p.Show(p.Makes("mask-missing") && !p.in[i])
		}
	}
	n := T(max(1, len(counted)))
	if p.Makes("means-over-padding") {
		p.Show(len(counted) < len(delta))
		n = T(len(delta))
	}
	of := func(f func(x T) T) []T {
		terms := make([]T, len(counted))
		for i, x := range counted {
			terms[i] = f(x)
		}
		return terms
	}
	size, outside := of(p.size), of(p.outside)
	store := func(name string, terms []T) {
		emulate.Store(p.Job, name, emulate.Working[T](), []T{sums.Sum(p.bySequence(terms)) / n})
	}
	store("mean", size)
	store("k1", of(func(x T) T { return -x }))
	p.poolDifferences(counted, sums.Sum(counted)/n)
	store("k2", of(p.k2))
	store("k3", of(p.k3))
	store("share", outside)
	emulate.Store(p.Job, "largest", emulate.Working[T](), []T{slices.Max(append(size, p.beyondMask(delta)))})
	emulate.Store(p.Job, "delta", emulate.Working[T](), delta)
}

// bySequence returns the terms of a mean; by mistake weighted, so that it is the mean of the means
// of sequences.
func (p *enginePair[T]) bySequence(terms []T) []T {
	if !p.Makes("means-of-sequences") || len(p.shape) < 2 {
		return terms
	}
	lengths, length := map[int]int{}, p.shape[1]
	for at, in := range p.in {
		if in {
			lengths[at/length]++
		}
	}
	var weighted []T
	for at, in := range p.in {
		if in {
			weight := T(len(terms)) / T(len(lengths)*lengths[at/length])
			weighted = append(weighted, weight*terms[len(weighted)])
			p.Show(weight != 1 && weighted[len(weighted)-1] != 0)
		}
	}
	return weighted
}

// poolDifferences makes the mistake of estimates that are of the mean difference.
func (p *enginePair[T]) poolDifferences(counted []T, mean T) {
	if !p.Makes("estimates-of-mean") {
		return
	}
	for i, x := range counted {
		p.Show(x != mean)
		counted[i] = mean
	}
}

// beyondMask returns from where on the largest difference is looked for: 0; by mistake the largest
// outside the mask.
func (p *enginePair[T]) beyondMask(delta []T) (largest T) {
	if !p.Makes("largest-over-all") {
		return 0
	}
	for i, x := range delta {
		if size := max(x, -x); !p.in[i] && size > largest {
			largest = size
		} else if p.in[i] {
			p.within = max(p.within, size)
		}
	}
	p.Show(largest > p.within)
	return largest
}

// size returns |x|.
func (p *enginePair[T]) size(x T) T {
	if p.Makes("differences-signed") {
		p.Show(x < 0)
		return x
	}
	return T(math.Abs(float64(x)))
}

// outside returns 1 for a ratio e^x beyond the limit, or below its inverse, and 0 for others.
func (p *enginePair[T]) outside(x T) T {
	r, limit := T(math.Exp(float64(x))), T(p.Float("limit"))
	right := r > limit || r < 1/limit
	is := right
	switch {
	case p.First("share-within"):
		is = !right
	case p.First("share-above-only"):
		is = r > limit
	case p.First("limit-on-logarithm"):
		is = x > limit || x < -limit
	}
	p.Show(is != right)
	if is {
		return 1
	}
	return 0
}

// k2 returns x²/2.
func (p *enginePair[T]) k2(x T) T {
	if p.Makes("k2-unhalved") {
		p.Show(x != 0)
		return x * x
	}
	return x * x / 2
}

// k3 returns e^x − 1 − x.
func (p *enginePair[T]) k3(x T) T {
	if p.Makes("k3-upside-down") {
		p.Show(x != 0)
		x = -x
	}
	return T(math.Exp(float64(x))) - 1 - x
}

func requestMismatch(m *emulate.Maker) {
	switch m.IntN(3) {
	case 0:
		requestLogProbPair(m)
		return
	case 1:
		n, vocab := emulate.Pick(m, 3, 9, 20), emulate.Pick(m, 7, 40, 200)
		z := m.Normals(0, m.Within(1, 4), n, vocab)
		m.Set("logits_a", dtype.F32, z)
		m.Set("logits_b", emulate.Pick(m, dtype.BF16, dtype.F32), z)
		sampledBy(m, n, vocab)
	default:
		requestHeads(m)
	}
	if m.Chance(0.5) {
		m.Number("temperature", emulate.Pick(m, 0.6, 0.7, 2))
	}
}

// sampledBy stores tokens, and now and then a mask.
func sampledBy(m *emulate.Maker, n, vocab int) {
	tokens := make([]int, n)
	for i := range tokens {
		tokens[i] = m.IntN(vocab)
	}
	m.Ints("tokens", tokens, n)
	maskSome(m, n)
	if m.Chance(0.4) {
		m.Number("limit", emulate.Pick(m, 1.01, 1.5, 4))
	}
}

// maskSome stores a mask that keeps the first token and most others.
func maskSome(m *emulate.Maker, shape ...int) {
	if !m.Chance(0.5) {
		return
	}
	mask := tensor.New(shape...)
	for i := range mask.Data {
		if i == 0 || m.Chance(0.7) {
			mask.Data[i] = 1
		}
	}
	m.Set("mask", emulate.Pick(m, dtype.F32, dtype.Bool), mask)
}

// requestHeads stores hidden states, those of the sampler a little apart now and then, and a head.
func requestHeads(m *emulate.Maker) {
	n, vocab, d := emulate.Pick(m, 3, 9, 20), emulate.Pick(m, 7, 40, 90), emulate.Pick(m, 8, 33)
	hidden := m.Normals(0, 1, n, d)
	m.Set("hidden_a", m.Input, hidden)
	m.Set("weight_a", m.Input, m.Normals(0, m.Within(1, 4)/math.Sqrt(float64(d)), vocab, d))
	if m.Chance(0.5) {
		other := m.Normals(0, emulate.Pick(m, 0.003, 0.05), n, d)
		for i := range other.Data {
			other.Data[i] += hidden.Data[i]
		}
		m.Set("hidden_b", m.Input, other)
	}
	sampledBy(m, n, vocab)
}

// requestLogProbPair stores log-probabilities of two engines in float32 whose logits are as large
// as is said.
func requestLogProbPair(m *emulate.Maker) {
	n, l, largest := emulate.Pick(m, 1, 4), emulate.Pick(m, 8, 20), emulate.Pick(m, 8.0, 25)
	a, b := tensor.New(n, l), tensor.New(n, l)
	for i := range a.Data {
		other := largest - m.ExpFloat64()*2
		token := other - m.ExpFloat64()*4 + 2
		a.Data[i] = token - other - math.Log1p(math.Exp(token-other))
		token, other = dtype.F32.Round(token), dtype.F32.Round(other)
		b.Data[i] = token - other - math.Log1p(math.Exp(token-other))
	}
	m.Set("logprob_a", dtype.F32, a)
	m.Set("logprob_b", dtype.F32, b)
	m.Number("largest_logit", largest+2)
	maskSome(m, n, l)
}
