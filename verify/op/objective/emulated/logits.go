package emulated

import (
	"math"
	"slices"

	"plumbline/verify/emulate"
)

// fromLogits is the part of a fused loss that forms log-probabilities of tokens and goes back to
// the logits.
type fromLogits[T emulate.Number] struct {
	*batch[T]
	logits      []T
	tokens      []int
	vocab       int
	temperature T // of the softmax
	divisor     T // of its gradient
}

func newLogits[T emulate.Number](b *batch[T]) *fromLogits[T] {
	f := &fromLogits[T]{
		batch: b, logits: emulate.Load[T](b.Job, "logits"), tokens: b.LoadInts("tokens"), vocab: b.Dim("vocab"),
		temperature: b.temperature(),
	}
	f.divisor = f.temperature
	for i, token := range f.tokens { // those that do not count may be any
		f.tokens[i] = min(max(token, 0), f.vocab-1)
	}
	if b.Makes("gradient-untempered") {
		b.Show(f.temperature != 1)
		f.divisor = 1
	}
	return f
}

// logprobs returns the log-probabilities of the tokens in the mask.
func (f *fromLogits[T]) logprobs() []T {
	x := make([]T, len(f.mask))
	f.each(func(_, at int) {
		token := f.tokens[at]
		if next := at + 1; f.Makes("token-shifted") && next%f.L != 0 && f.mask[next] {
			f.Show(f.tokens[next] != token)
			token = f.tokens[next]
		}
		f.place = at
		x[at], _ = f.logSoftmax(f.row(at), token)
		x[at] = f.passed(tokenLogprobs, x[at])
	})
	return x
}

// row returns the logits of a token over the temperature.
func (f *fromLogits[T]) row(at int) []T {
	return f.scaled(emulate.Row(f.logits, at, f.vocab), f.temperature)
}

// backward returns the gradient for the logits, g (onehot − p)/T, formed as g·onehot − g·p. An
// excluded token has none.
func (f *fromLogits[T]) backward(gradient []T) []T {
	dlogits := make([]T, len(f.logits))
	f.each(func(_, at int) {
		f.place = at
		x, g := f.row(at), f.passed(gradientAgain, gradient[at])
		token := f.tokens[at]
		if g == 0 || math.IsInf(float64(x[token]), -1) {
			return
		}
		p := f.probabilities(f.again(at, x))
		if f.Makes("softmax-dropped") {
			f.Show(p[token] != 1)
			clear(p)
		}
		for j := range p {
			d := -f.kept(g * p[j])
			if j == token && !f.Makes("target-missing") {
				d = f.kept(g + d)
			}
			if f.divisor != 1 {
				d = f.kept(d / f.divisor)
			}
			dlogits[at*f.vocab+j] = d
		}
		f.dropHalf(emulate.Row(dlogits, at, f.vocab), token)
	})
	return dlogits
}

// dropHalf makes the mistake of a gradient of logits that is lost in the half of the vocabulary
// that does not have the token.
func (b *batch[T]) dropHalf(row []T, token int) {
	half := len(row) / 2
	if !b.Makes("gradient-of-one-device") || half == 0 {
		return
	}
	other := row[:half]
	if token < half {
		other = row[half:]
	}
	b.Show(slices.ContainsFunc(other, func(v T) bool { return v != 0 }))
	clear(other)
}

// again returns the row that the gradient's softmax is of: that of the loss.
func (f *fromLogits[T]) again(at int, row []T) []T {
	f.Show(f.Makes("target-missing") || f.Makes("probabilities-untempered") && f.temperature != 1)
	if f.Makes("probabilities-untempered") {
		return f.scaled(emulate.Row(f.logits, at, f.vocab), 1)
	}
	return row
}

// probabilities returns a softmax: of e^{x−m} over their sum, or in narrow types, as autograd has
// it, the exponentials of kept log-probabilities.
func (f *fromLogits[T]) probabilities(x []T) []T {
	m, p := f.exponentials(x)
	sum := f.sums.Sum(p)
	logarithm, divides := T(math.Log(float64(sum))), f.Intermediate == emulate.Working[T]()
	if f.Quantities != nil {
		m, logarithm, divides = f.passed(lsesAgain, f.passed(lses, m+logarithm)), 0, false
	}
	for j, v := range x {
		if divides {
			p[j] /= sum
		} else {
			p[j] = f.exp(f.kept(v - m - logarithm))
		}
	}
	emulate.Pass(f.Job, probabilities, f.place*f.vocab, p)
	return p
}
