package emulated

import "slices"

// splitWeights makes the mistakes of terms that are aggregated each in another mode: it returns
// what sequences weigh in the surrogate, and keeps what they weigh in the divergence.
func (k *policyLoss[T]) splitWeights(weights []T) []T {
	if k.ref == nil {
		return weights
	}
	other := "token_mean"
	if k.Word("aggregate") == other {
		other = "sequence_mean"
	}
	switch {
	case k.First("kl-aggregation-swapped"):
		k.penalty = k.weightsOf(other)
	case k.First("kl-padding-in-mean"):
		k.penalty = weights[:0:0]
		for _, places := range k.places {
			k.penalty = append(k.penalty, T(min(len(places), 1))/T(k.N*k.L))
		}
	case k.First("surrogate-aggregation-swapped"):
		k.penalty, weights = weights, k.weightsOf(other)
	}
	return weights
}

// penaltyWeight returns what a divergence of sequence i weighs in the gradient, where all else
// weighs so much, and notes what it adds to the loss.
func (k *policyLoss[T]) penaltyWeight(i int, value, weight T) T {
	if k.penalty == nil {
		return weight
	}
	k.Show(value != 0 && k.penalty[i] != weight)
	k.apart += (k.penalty[i] - weight) * k.beta * value
	return k.penalty[i]
}

// weighedByAdvantage makes the mistake of advantages in the place of the mask: it returns losses
// times them over their mean, and changes gradients alike.
func (k *policyLoss[T]) weighedByAdvantage(losses, gradient []T) []T {
	if !k.Makes("advantages-as-mask") || k.Word("aggregate") != "token_mean" {
		return losses
	}
	var all []T
	k.each(func(i, at int) { all = append(all, k.advantageOf(i, at)) })
	mean, weighed := k.mean(all), slices.Clone(losses)
	k.each(func(i, at int) {
		by := k.advantageOf(i, at) / mean
		k.Show(losses[at] != 0 && by != 1)
		weighed[at] *= by
		gradient[at] *= by
	})
	return weighed
}

// spoilAdvantages makes the mistakes of advantages that are whitened over the tokens of the batch,
// or as they are given, whatever the mask is.
func (k *policyLoss[T]) spoilAdvantages() {
	var x, squares []T
	switch {
	case k.Makes("advantages-whitened"):
		k.each(func(i, at int) { x = append(x, k.advantageOf(i, at)) })
	case k.Makes("advantages-whitened-whole"):
		x = k.advantage
	default:
		return
	}
	mean := k.mean(x)
	for _, a := range x {
		squares = append(squares, (a-mean)*(a-mean))
	}
	k.Show(true)
	k.whitened = [2]T{mean, root(k.sums.Sum(squares)/T(max(len(x)-1, 1))) + 1e-8}
}

// ratioLength returns what a sum of log-ratios of sequence i is divided by: its length.
func (k *policyLoss[T]) ratioLength(i int) T {
	if k.Makes("sequence-ratio-over-padding") {
		return T(k.L)
	}
	return k.length(i)
}

// meanRatio returns the mean of the ratios of the tokens of sequence i.
func (k *policyLoss[T]) meanRatio(i int) T {
	var x []T
	for _, at := range k.places[i] {
		x = append(x, k.exp(k.logprob[at]-k.old[at]))
	}
	return k.mean(x)
}

// tilt returns how much more of a sequence's gradient a token has than the others: nothing, but
// where the mean is of ratios and not of their logarithms.
func (k *policyLoss[T]) tilt(i, at int) T {
	if !k.Makes("sequence-ratios-averaged") {
		return 1
	}
	return k.exp(k.logprob[at]-k.old[at]) / k.meanRatio(i)
}

// ofToken returns the loss of a token with a log-ratio, and its derivative. By mistake it is the
// mean over the advantages of all tokens: of a positive factor of the advantage it is linear.
func (k *policyLoss[T]) ofToken(i, at int, x T) (loss, slope T) {
	if !k.Makes("advantages-for-all") {
		return k.token(x, k.logprob[at], k.penalised(k.advantageOf(i, at), at))
	}
	if k.halves == nil {
		var above, below []T
		k.each(func(i, at int) {
			a := k.advantageOf(i, at)
			k.Show(a != k.advantageOf(k.firstToken()))
			above, below = append(above, max(a, 0)), append(below, min(a, 0))
		})
		k.halves = []T{k.mean(above), k.mean(below)}
	}
	loss, slope = k.token(x, k.logprob[at], k.halves[0])
	other, otherSlope := k.token(x, k.logprob[at], k.halves[1])
	return loss + other, slope + otherSlope
}

// firstToken returns the first token in the mask, and its sequence.
func (b *batch[T]) firstToken() (i, at int) {
	for i, places := range b.places {
		if len(places) > 0 {
			return i, places[0]
		}
	}
	return 0, 0
}
