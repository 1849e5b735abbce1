package emulated

import (
	"math"
	"slices"

	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("policy.logprob", emulate.Kernel{
		Float32: logProb[float32], Float64: logProb[float64], Request: requestLogProb,
		Right: append(objectives(), eagerObjectives("policy.logprob")...),
	})
}

// logProb computes policy.logprob: log-probabilities and entropies, F32 whatever the logits are.
func logProb[T emulate.Number](j *emulate.Job) {
	b := newRows[T](j, j.Dim("N"), j.Dim("vocab"))
	logits, tokens, temperature := emulate.Load[T](j, "logits"), j.LoadInts("tokens"), T(j.Float("temperature"))
	if j.Makes("sampling-temperature-missing") {
		j.Show(temperature != 1)
		temperature = 1
	}
	logprob, entropy := make([]T, b.N), make([]T, b.N)
	for i := range b.N {
		row := b.scaled(emulate.Row(logits, i, b.L), temperature)
		token := tokens[i]
		if j.Makes("token-shifted") {
			token = tokens[(i+1)%b.N]
			j.Show(row[token] != row[tokens[i]])
		}
		logprob[i], entropy[i] = b.logSoftmax(row, token)
	}
	emulate.Store(j, "logprob", emulate.Working[T](), logprob)
	emulate.Store(j, "entropy", emulate.Working[T](), entropy)
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
	var terms []T
	for i, v := range x {
		switch p := b.kept(exps[i] / sum); {
		case p == 0:
		case b.NormalizeFirst:
			terms = append(terms, b.kept(p*b.kept(v-m-logarithm)))
		default:
			terms = append(terms, b.kept(p*v))
		}
	}
	return terms
}

// logSoftmax returns the log-probability of one token and the entropy, which is formed as lse − Σ p
// x, or with NormalizeFirst as −Σ p log p. What is inside of a softmax or a log-sum-exp is no
// element-wise result, but they are.
func (b *batch[T]) logSoftmax(x []T, token int) (logprob, entropy T) {
	m := slices.Max(x)
	if math.IsInf(float64(m), -1) {
		return m, 0
	}
	exps := make([]T, len(x))
	for i, v := range x {
		exps[i] = emulate.Exponential(b.Job, v-m)
	}
	sum := b.sums.Sum(exps)
	logarithm := T(math.Log(float64(sum)))
	lse := b.kept(m + logarithm)
	logprob = b.kept(x[token] - m - logarithm)
	entropy = -b.kept(b.sums.Sum(b.entropyTerms(x, exps, sum, m, logarithm)))
	if !b.NormalizeFirst {
		entropy = b.kept(lse + entropy)
		if b.Intermediate != emulate.Working[T]() {
			logprob = b.kept(x[token] - lse)
		}
	}
	if b.Makes("entropy-of-token") {
		b.Show(entropy != -logprob)
		entropy = -logprob
	}
	return logprob, entropy
}
