package emulate

import (
	"math"
	"slices"
)

// fromLogits is the part of a fused loss that forms log-probabilities of tokens and goes back to
// the logits.
type fromLogits[T number] struct {
	*batch[T]
	logits      []T
	tokens      []int
	vocab       int
	temperature T // of the softmax
	divisor     T // of its gradient
}

func newLogits[T number](b *batch[T]) *fromLogits[T] {
	f := &fromLogits[T]{
		batch: b, logits: load[T](b.job, "logits"), tokens: b.loadInts("tokens"), vocab: b.Dim("vocab"),
		temperature: T(b.Float("temperature")),
	}
	f.divisor = f.temperature
	for i, token := range f.tokens { // those that do not count may be any
		f.tokens[i] = min(max(token, 0), f.vocab-1)
	}
	if b.makes("temperature-missing") {
		b.show(f.temperature != 1)
		f.temperature, f.divisor = 1, 1
	}
	if b.makes("gradient-untempered") {
		b.show(f.temperature != 1)
		f.divisor = 1
	}
	return f
}

// logprobs returns the log-probabilities of the tokens in the mask.
func (f *fromLogits[T]) logprobs() []T {
	x := make([]T, len(f.mask))
	f.each(func(_, at int) {
		token := f.tokens[at]
		if next := at + 1; f.makes("token-shifted") && next%f.L != 0 && f.mask[next] {
			f.show(f.tokens[next] != token)
			token = f.tokens[next]
		}
		x[at], _ = f.logSoftmax(f.row(at), token)
	})
	return x
}

// row returns the logits of a token over the temperature.
func (f *fromLogits[T]) row(at int) []T {
	return f.scaled(vector(f.logits, at, f.vocab), f.temperature)
}

// backward returns the gradient for the logits, g (onehot − p)/T, formed as g·onehot − g·p. An
// excluded token has none.
func (f *fromLogits[T]) backward(gradient []T) []T {
	dlogits := make([]T, len(f.logits))
	f.each(func(_, at int) {
		x, g := f.row(at), gradient[at]
		token := f.tokens[at]
		if g == 0 || math.IsInf(float64(x[token]), -1) {
			return
		}
		p := f.probabilities(x)
		if f.makes("softmax-dropped") {
			f.show(p[token] != 1)
			clear(p)
		}
		for j := range p {
			d := -f.kept(g * p[j])
			if j == token {
				d = f.kept(g + d)
			}
			if f.divisor != 1 {
				d = f.kept(d / f.divisor)
			}
			dlogits[at*f.vocab+j] = d
		}
	})
	return dlogits
}

// probabilities returns a softmax: of e^{x−m} over their sum, or in narrow types, as autograd has
// it, the exponentials of kept log-probabilities.
func (f *fromLogits[T]) probabilities(x []T) []T {
	m, p := slices.Max(x), make([]T, len(x))
	for j, v := range x {
		p[j] = f.power(v - m)
	}
	sum := f.sums.sum(p)
	for j, v := range x {
		if f.Intermediate != working[T]() {
			p[j] = f.exp(f.kept(v - m - T(math.Log(float64(sum)))))
		} else {
			p[j] /= sum
		}
	}
	return p
}
