package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("policy.logprob", emulate.Kernel{
		Float32: logProb[float32], Float64: logProb[float64], Request: requestLogProb,
		Right: append(
			append(objectives(), eagerObjectives("policy.logprob")...), emulate.Config{Form: "stable"},
			emulate.Config{Form: "stable", Order: emulate.Strided},
			emulate.Config{Form: "stable", Intermediate: dtype.BF16},
			emulate.Config{Form: "stable", Base2: true, NormalizeFirst: true},
		),
		Quantities: slices.Concat(ofTokenRows.have(lses, tokenLogits), ofLogits.have(probabilities)),
	})
}

// logProb computes policy.logprob: log-probabilities and entropies, F32 whatever the logits are.
func logProb[T emulate.Number](j *emulate.Job) {
	b := newRows[T](j, j.Dim("N"), j.Dim("vocab"))
	logits, tokens, temperature := emulate.Load[T](j, "logits"), j.LoadInts("tokens"), b.temperature()
	b.unstable()
	logprob, entropy, over := make([]T, b.N), make([]T, b.N), b.overRows(logits, temperature)
	for i := range b.N {
		if b.place = i; j.Has("ignore_index") && tokens[i] == j.Int("ignore_index") {
			continue
		}
		row := b.scaled(b.keptOf(emulate.Row(logits, i, b.L), i), temperature)
		token := b.tokenOf(tokens, i, row)
		j.Show(row[token] != row[tokens[i]])
		logprob[i], entropy[i] = b.ofRow(row, over, token)
		if other := b.otherRow(emulate.Row(logits, i, b.L), i, temperature); other != nil {
			_, e := b.logSoftmax(other, token)
			j.Show(e != entropy[i])
			entropy[i] = e
		}
		if j.Makes("logprob-tempered") {
			logprob[i] /= T(j.Float("temperature"))
		}
	}
	emulate.Store(j, "logprob", emulate.Working[T](), logprob)
	emulate.Store(j, "entropy", emulate.Working[T](), entropy)
}

// tokenOf returns the token of row i; by mistake that of the next one, or the one that stands in
// its place among logits that were sorted, the largest first.
func (b *batch[T]) tokenOf(tokens []int, i int, row []T) int {
	switch {
	case b.Makes("token-shifted"):
		return min(max(tokens[(i+1)%b.N], 0), b.L-1)
	case b.Makes("token-in-sorted"):
		order := emulate.Indices(len(row))
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(row[y], row[x]) })
		return order[tokens[i]]
	}
	return tokens[i]
}

// overRows returns the logarithms of sums of exponentials over the rows, one for each token of the
// vocabulary, where a softmax is over the rows by mistake, or else nil.
func (b *batch[T]) overRows(logits []T, temperature T) (lse []T) {
	if !b.Makes("softmax-over-rows") {
		return nil
	}
	b.Show(true)
	column, rows := make([]T, b.N), make([][]T, b.N)
	for n := range rows {
		rows[n] = b.scaled(b.keptOf(emulate.Row(logits, n, b.L), n), temperature)
	}
	for v := range b.L {
		for n, row := range rows {
			column[n] = row[v]
		}
		m, exps := b.exponentials(column)
		lse = append(lse, m+T(math.Log(float64(b.sums.Sum(exps)))))
	}
	return lse
}

// ofRow returns the log-probability of a token and the entropy, by mistake from those logarithms.
func (b *batch[T]) ofRow(row, lse []T, token int) (logprob, entropy T) {
	if lse == nil {
		return b.logSoftmax(row, token)
	}
	for v, z := range row {
		if x := z - lse[v]; dtype.Finite(x) {
			entropy -= T(math.Exp(float64(x))) * x
		}
	}
	return row[token] - lse[token], entropy
}

// otherRow returns the row that an entropy is of by mistake, if it is another than that of the
// log-probability.
func (b *batch[T]) otherRow(logits []T, i int, temperature T) []T {
	switch {
	case b.Makes("entropy-of-probabilities"):
		return b.probabilitiesOf(b.scaled(b.keptOf(logits, i), temperature))
	case b.Makes("entropy-unfiltered"):
		return b.scaled(logits, temperature)
	case b.Makes("entropy-untempered"):
		return b.keptOf(logits, i)
	}
	return nil
}

// exponentials returns the largest number of a row, and e^(x−m) of each.
func (b *batch[T]) exponentials(x []T) (m T, exps []T) {
	m, exps = b.maximum(x), make([]T, len(x))
	for i, v := range x {
		exps[i] = b.exponential(v - m)
	}
	return m, exps
}

// maximum returns the largest number of a row; by mistake nothing is subtracted, or the search for
// it begins at 0.
func (b *batch[T]) maximum(x []T) T {
	m := slices.Max(x)
	switch {
	case b.Makes("maximum-missing"):
		b.Show(m > 90)
		return 0
	case b.Makes("maximum-from-zero"):
		b.Show(m < -104)
		return max(m, 0)
	}
	return m
}

// exponential returns e^x of what is in a softmax; by mistake what is beyond F32.
func (b *batch[T]) exponential(x T) T {
	if b.Makes("maximum-missing") || b.Makes("maximum-from-zero") {
		return emulate.Round(dtype.F32, emulate.Exponential(b.Job, x))
	}
	return emulate.OfLogits(b.Job, x)
}

// probabilitiesOf returns the softmax of a row.
func (b *batch[T]) probabilitiesOf(x []T) []T {
	_, p := b.exponentials(x)
	sum := b.sums.Sum(p)
	for i := range p {
		p[i] = b.kept(p[i] / sum)
	}
	return p
}

// temperature reads what logits are divided by.
func (b *batch[T]) temperature() T {
	right := T(b.Float("temperature"))
	wrong := right
	switch {
	case b.First("sampling-temperature-missing"), b.First("logprob-tempered"):
		wrong = 1
	case b.First("sampling-temperature-inverted"):
		wrong = 1 / right
	case b.First("sampling-temperature-twice"):
		wrong = right * right
	}
	b.Show(wrong != right)
	return wrong
}

// unstable makes the mistake of a form that is not declared.
func (b *batch[T]) unstable() {
	if b.Makes("lse-subtracted") {
		b.Job.Form = "stable"
	}
}

// keptOf returns the logits of row i, −∞ for what the sampler did not keep.
func (b *batch[T]) keptOf(logits []T, i int) []T {
	kept := b.Input("kept")
	if kept == nil {
		return logits
	}
	row := slices.Clone(logits)
	for j, k := range kept.Row(i) {
		if k == 0 && b.Makes("kept-missing") {
			b.Show(!math.IsInf(float64(row[j]), -1))
		} else if k == 0 {
			row[j] = T(math.Inf(-1))
		}
	}
	return row
}

// scaled returns logits over the temperature; a mistaken sampler's filter leaves out the smaller
// half of them.
func (b *batch[T]) scaled(logits []T, temperature T) []T {
	row := make([]T, len(logits))
	for i, z := range logits {
		row[i] = z
		if temperature != 1 {
			row[i] = b.kept(z / temperature)
		}
	}
	if b.Makes("filtered") && len(row) > 3 {
		sorted := slices.Clone(row)
		slices.Sort(sorted)
		cut := sorted[len(row)/2]
		for i, x := range row {
			if x < cut {
				b.Show(!math.IsInf(float64(x), -1))
				row[i] = T(math.Inf(-1))
			}
		}
	}
	return row
}

// entropyTerms returns p·x, or with NormalizeFirst p·log p, of what has a probability.
func (b *batch[T]) entropyTerms(x, exps []T, sum, m, logarithm T) []T {
	p, terms := make([]T, len(x)), []T{}
	for i := range x {
		p[i] = b.kept(exps[i] / sum)
	}
	emulate.Pass(b.Job, probabilities, b.place*len(x), p)
	for i, v := range x {
		switch p := p[i]; {
		case p == 0:
		case b.NormalizeFirst:
			terms = append(terms, b.kept(p*b.kept(v-m-logarithm)))
		default:
			terms = append(terms, b.kept(p*v))
		}
	}
	return terms
}

// subtractsLSE tells whether a log-probability is z − lse: of kernels of base 2 and of those that
// round what they keep, where nothing else is declared, by mistake, and where one looks at the lse.
func (b *batch[T]) subtractsLSE() bool {
	free := !b.NormalizeFirst && b.Job.Form != "stable"
	rounds := b.Base2 || b.Intermediate != emulate.Working[T]()
	return b.Makes("lse-subtracted") || b.Quantities != nil || free && rounds
}

// logSoftmax returns the log-probability of one token and the entropy, which is formed as lse − Σ p
// x, or with NormalizeFirst as −Σ p log p. What is inside of a softmax or a log-sum-exp is no
// element-wise result, but they are.
func (b *batch[T]) logSoftmax(x []T, token int) (logprob, entropy T) {
	x, token = b.wrongVocabulary(x, token)
	m, exps := b.exponentials(x)
	if math.IsInf(float64(m), -1) {
		return m, 0
	}
	sum := b.counted(b.sums.Sum(exps), x)
	logarithm := emulate.LogOfSum(b.Job, sum)
	lse := b.passed(lses, b.kept(m+logarithm))
	logprob = b.kept(x[token] - m - logarithm)
	if b.subtractsLSE() {
		b.Show(b.Makes("lse-subtracted") && logprob != b.kept(x[token]-lse))
		logprob = b.kept(b.passed(tokenLogits, x[token]) - lse)
	}
	logprob -= b.lostLogit(x, token)
	entropy = -b.kept(b.sums.Sum(b.entropyTerms(x, exps, sum, m, logarithm)))
	if !b.NormalizeFirst {
		entropy = b.kept(lse + entropy)
	}
	entropy += b.untemperedMean(x, exps, sum)
	return b.floored(logprob), b.spoilEntropy(x, logprob, entropy)
}

// untemperedMean returns what an entropy has too much whose lse is of logits over the temperature
// and whose mean is of those that are not.
func (b *batch[T]) untemperedMean(x, exps []T, sum T) (extra T) {
	if !b.Makes("entropy-mean-untempered") {
		return 0
	}
	temperature := T(b.Float("temperature"))
	for i, v := range x {
		if exps[i] != 0 {
			extra += exps[i] / sum * (1 - temperature) * v
		}
	}
	b.Show(temperature != 1)
	return extra
}

// floored returns a log-probability; by mistake that of a probability of at least 1e-7.
func (b *batch[T]) floored(logprob T) T {
	floor := T(math.Log(1e-7))
	if !b.Makes("probability-floored") || logprob >= floor {
		return logprob
	}
	b.Show(logprob < floor-0.1)
	return floor
}

// wrongVocabulary returns the logits that a softmax is over, and which of them is that of the
// token. By mistake the vocabulary has padding, of logit 0, or is that of one device of two.
func (b *batch[T]) wrongVocabulary(x []T, token int) ([]T, int) {
	half := len(x) / 2
	switch {
	case b.Quantities != nil || half == 0:
	case b.Makes("vocabulary-padded"):
		return emulate.Padded(b.Job, x, (128-len(x)%128)%128), token
	case b.Makes("vocabulary-padded-to-power"):
		return emulate.Padded(b.Job, x, emulate.ToPowerOfTwo(len(x))), token
	case b.Makes("vocabulary-halved"):
		b.Show(true)
		if token < half {
			return x[:half], token
		}
		return x[half:], token - half
	}
	return x, token
}

// counted returns a sum of exponentials of a row; by mistake twice that, or the sum of those of two
// halves each under its own maximum.
func (b *batch[T]) counted(sum T, row []T) T {
	half := len(row) / 2
	switch {
	case b.Makes("vocabulary-twice"):
		b.Show(true)
		return 2 * sum
	case b.Makes("halves-under-own-maxima") && half > 0:
		first, second := slices.Max(row[:half]), slices.Max(row[half:])
		b.Show(first != second)
		return b.under(first, row[:half]) + b.under(second, row[half:])
	}
	return sum
}

// under returns the sum of e^(x−m).
func (b *batch[T]) under(m T, x []T) (sum T) {
	for _, v := range x {
		if !math.IsInf(float64(v), -1) {
			sum += emulate.Exponential(b.Job, v-m)
		}
	}
	return sum
}

// lostLogit returns what is missing of the logit of a token: by mistake all, where the token is in
// the half of the vocabulary that another device has, or so much as it has where it is not divided
// by the temperature.
func (b *batch[T]) lostLogit(x []T, token int) T {
	half, temperature := len(x)/2, T(b.Float("temperature"))
	if b.Makes("token-logit-untempered") && temperature != 1 && dtype.Finite(x[token]) {
		b.Show(x[token] != 0)
		return x[token] - temperature*x[token]
	}
	if !b.Makes("token-logit-of-one-device") || token < half || half == 0 || !dtype.Finite(x[token]) {
		return 0
	}
	b.Show(x[token] != 0)
	return x[token]
}

// spoilEntropy makes the mistakes with an entropy.
func (b *batch[T]) spoilEntropy(x []T, logprob, entropy T) T {
	switch {
	case b.Makes("entropy-nan") && slices.Contains(x, T(math.Inf(-1))):
		b.Show(true)
		return T(math.NaN())
	case b.Makes("entropy-of-token"):
		b.Show(entropy != -logprob)
		return -logprob
	}
	return entropy
}
