package emulated

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// weigh makes weights of the scores of chosen experts, of those of all, and of what these are
// chosen by.
func (g *gate[T]) weigh(r route[T], scores, ranked []T) []T {
	weights, sum, scale := r.weights, g.sum(r, scores, ranked), g.factor()
	normalize := g.normalizes()
	if normalize {
		sum = emulate.PassOne(g.Job, chosenSum, g.n, sum)
	}
	divisor := g.divisor(sum)
	factor := scale / divisor
	switch {
	case !normalize:
		factor = scale
	case g.makes("weights-normalized-over-tokens"):
		return g.overTokens(weights)
	case g.makes("sum-so-far"):
		return g.overSoFar(weights)
	case g.Scores != dtype.Invalid:
		divisor = g.rounded(g.rounded(sum) + g.eps)
		return each(weights, func(w T) T { return g.rounded(w/divisor) * scale })
	case g.makes("eps-after-division"):
		return each(weights, func(w T) T { return (w/sum + g.eps) * scale })
	case g.makes("norm-eps-missing"):
		factor = scale / sum
	case g.NormalizeFirst, scale == 1:
		return each(weights, func(w T) T { return w / divisor * scale })
	}
	return each(weights, func(w T) T { return w * factor })
}

// factor returns what weights are multiplied by at the end.
func (g *gate[T]) factor() T {
	switch {
	case g.makes("routed-scale-missing"):
		return 1
	case g.makes("absent-scale-is-zero") && g.Recording.Attrs["scale"] == nil:
		return 0
	case g.makes("routed-scale-twice"):
		return g.scale * g.scale
	}
	return g.scale
}

// divisor returns what weights of such a sum are divided by.
func (g *gate[T]) divisor(sum T) T {
	if g.makes("sum-floored") {
		return max(sum+g.eps, 0x1p-14)
	}
	return sum + g.eps
}

// normalizes tells whether weights are divided by their sum.
func (g *gate[T]) normalizes() bool {
	asked := g.Flag("normalize") && !g.makes("weights-unnormalized") && !g.undivided
	return asked || g.makes("weights-normalized") || g.makes("softmax-of-chosen-scores")
}

// sum returns that of the scores of chosen experts. It makes the mistakes with what is summed.
func (g *gate[T]) sum(r route[T], scores, ranked []T) T {
	switch {
	case g.makes("sum-of-all-scores"):
		return g.scalars.Sum(scores)
	case g.makes("sum-of-biased-scores"):
		return g.scalars.Sum(emulate.Picked(ranked, r.experts))
	case g.makes("sum-without-last") && g.K > 1:
		return g.scalars.Sum(r.weights[:g.K-1])
	case g.makes("weights-over-length"):
		return T(math.Sqrt(float64(g.scalars.Dot(r.weights, r.weights))))
	}
	return g.scalars.Sum(r.weights)
}

// overTokens makes the mistake of weights that are divided by the sums of all tokens' scores in
// their slots: sums over the wrong axis.
func (g *gate[T]) overTokens(weights []T) []T {
	if len(*g.columns) == 0 {
		other, sums := *g, make([]T, g.K)
		other.right, other.undivided, other.scale = true, true, 1
		for n := range g.Dim("N") {
			for k, w := range other.route(n).weights {
				sums[k] += w
			}
		}
		*g.columns = sums
	}
	out := make([]T, len(weights))
	for k, w := range weights {
		out[k] = w / ((*g.columns)[k] + g.eps) * g.scale
	}
	return out
}

// overSoFar makes the mistake of weights that are divided by the sum while it is still formed.
func (g *gate[T]) overSoFar(weights []T) []T {
	out, sum := make([]T, len(weights)), g.eps
	for k, w := range weights {
		sum += w
		out[k] = w / sum * g.scale
	}
	return out
}

// acrossTokens makes the mistake of a softmax over tokens, of each expert by itself.
func (g *gate[T]) acrossTokens(logits []T) []T {
	if len(*g.columns) == 0 {
		sums := make([]T, g.E)
		for n := range g.Dim("N") {
			for e, z := range g.logits(n) {
				sums[e] += emulate.Exponential(g.Job, z)
			}
		}
		*g.columns = sums
	}
	scores := make([]T, g.E)
	for e, z := range logits {
		scores[e] = emulate.Exponential(g.Job, z) / (*g.columns)[e]
	}
	return scores
}
