package emulate

import (
	"math"
	"slices"
)

func init() {
	register("policy.logprob", kernel{
		float32: logProb[float32], float64: logProb[float64], request: (*maker).logProb,
		right: append(objectives(), eagerObjectives("policy.logprob")...),
	})
}

// logProb computes policy.logprob: log-probabilities and entropies, F32 whatever the logits are.
func logProb[T number](j *job) {
	b := newRows[T](j, j.Dim("N"), j.Dim("vocab"))
	logits, tokens, temperature := load[T](j, "logits"), j.loadInts("tokens"), T(j.Float("temperature"))
	if j.makes("temperature-missing") {
		j.show(temperature != 1)
		temperature = 1
	}
	logprob, entropy := make([]T, b.N), make([]T, b.N)
	for i := range b.N {
		row := b.scaled(vector(logits, i, b.L), temperature)
		token := tokens[i]
		if j.makes("token-shifted") {
			token = tokens[(i+1)%b.N]
			j.show(row[token] != row[tokens[i]])
		}
		logprob[i], entropy[i] = b.logSoftmax(row, token)
	}
	store(j, "logprob", working[T](), logprob)
	store(j, "entropy", working[T](), entropy)
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
	if b.makes("filtered") && len(row) > 3 {
		sorted := slices.Clone(row)
		slices.Sort(sorted)
		cut := sorted[len(row)/2]
		for i, x := range row {
			if x < cut {
				b.show(!math.IsInf(float64(x), -1))
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
		exps[i] = b.power(v - m)
	}
	sum := b.sums.sum(exps)
	logarithm := T(math.Log(float64(sum)))
	lse := b.kept(m + logarithm)
	logprob = b.kept(x[token] - m - logarithm)
	entropy = -b.kept(b.sums.sum(b.entropyTerms(x, exps, sum, m, logarithm)))
	if !b.NormalizeFirst {
		entropy = b.kept(lse + entropy)
		if b.Intermediate != working[T]() {
			logprob = b.kept(x[token] - lse)
		}
	}
	if b.makes("entropy-of-token") {
		b.show(entropy != -logprob)
		entropy = -logprob
	}
	return logprob, entropy
}
