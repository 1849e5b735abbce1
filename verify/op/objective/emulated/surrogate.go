package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// token returns the loss of one token and its derivative, for the logarithm of the ratio, or with
// cispo for log π; the mistake shows where it changes either.
func (k *policyLoss[T]) token(x, logprob, advantage T) (loss, slope T) {
	if advantage == 0 {
		return 0, 0
	}
	loss, slope = k.surrogate(x, logprob, advantage, k.clipBounds, "")
	if !slices.Contains(ofSurrogates, k.Mistake) {
		return loss, slope
	}
	x, advantage, b := k.spoilSurrogate(x, advantage, k.clipBounds)
	wrong, wrongSlope := k.surrogate(x, logprob, advantage, b, k.Mistake)
	k.Show(wrong != loss || wrongSlope != slope)
	return wrong, wrongSlope
}

// ofSurrogates are the mistakes that show in the loss of a token or in its derivative.
var ofSurrogates = []string{
	"clip-sides-swapped", "clip-symmetric", "cispo-upper-only", "dual-clip-by-default", "dual-clip-missing",
	"log-ratio-unlimited", "ratio-inverted", "ratio-assumed-one", "surrogate-negated", "min-max-exchanged",
	"dual-clip-for-positive", "clip-passes-gradient", "clipped-gradient-cut", "clip-missing",
	"limit-passes-gradient", "cispo-differentiated", "clip-always", "clipped-without-advantage", "clip-on-log-ratio",
	"exponential-missing", "dual-clip-passes-gradient", "limit-above-only", "cispo-drops-clipped",
}

// spoilSurrogate makes the mistakes with what a surrogate is given.
func (k *policyLoss[T]) spoilSurrogate(x, advantage T, b clipBounds[T]) (T, T, clipBounds[T]) {
	b = k.spoilBounds(x, b)
	switch k.Mistake {
	case "ratio-inverted":
		x = -x
	case "ratio-assumed-one":
		x = 0
	case "surrogate-negated":
		advantage = -advantage
	}
	return x, advantage, b
}

// spoilBounds makes the mistakes with what bounds a ratio.
func (k *policyLoss[T]) spoilBounds(x T, b clipBounds[T]) clipBounds[T] {
	cispo := k.clip == "cispo"
	switch {
	case k.Makes("clip-sides-swapped"):
		b.low, b.high = b.high, b.low
	case k.Makes("clip-symmetric"):
		b.high = b.low
	case k.Makes("cispo-upper-only") && cispo:
		b.low = 1
	case k.Makes("dual-clip-by-default") && b.dual == 0 && !cispo:
		b.dual = 3
	case k.Makes("dual-clip-missing"):
		b.dual = 0
	case k.Makes("log-ratio-unlimited"), k.Makes("limit-above-only") && x < 0:
		b.limit = 0
	}
	return b
}

func (k *policyLoss[T]) surrogate(x, logprob, advantage T, b clipBounds[T], mistake string) (loss, slope T) {
	limited := b.limit != 0 && (x > b.limit || x < -b.limit)
	if limited {
		x = min(max(x, k.kept(-b.limit)), k.kept(b.limit))
	}
	r, bounded := k.bothRatios(x, b, mistake)
	if k.clip == "cispo" {
		return k.cispo(logprob, advantage, r, bounded, limited, mistake)
	}
	loss, slope = k.clipped(-k.kept(r*advantage), k.clippedLoss(bounded, advantage, mistake), mistake)
	if mistake == "exponential-missing" && slope != 0 {
		slope = -advantage
	}
	if bound := -k.kept(b.dual * advantage); b.dual != 0 && loss > bound &&
		(advantage < 0 || mistake == "dual-clip-for-positive" && advantage > 0) {
		if loss = bound; mistake != "dual-clip-passes-gradient" {
			slope = 0
		}
	}
	if limited && mistake != "limit-passes-gradient" || math.IsNaN(float64(loss)) && !math.IsNaN(float64(x)) {
		slope = 0
	}
	return loss, slope
}

// cispo returns the loss −w·A·log π and its derivative for log π, w the bounded ratio.
func (k *policyLoss[T]) cispo(logprob, advantage, r, bounded T, limited bool, mistake string) (loss, slope T) {
	if bounded == 0 && !dtype.Finite(logprob) || mistake == "cispo-drops-clipped" && bounded != r {
		return 0, 0
	}
	slope = -k.kept(bounded * advantage)
	if mistake == "cispo-differentiated" && bounded == r && !limited {
		slope *= 1 + logprob
	}
	return k.kept(-k.kept(bounded*advantage) * logprob), slope
}

// bothRatios returns the ratio of a log-ratio and the clipped one.
func (k *policyLoss[T]) bothRatios(x T, b clipBounds[T], mistake string) (r, bounded T) {
	r = k.passed(ratios, k.exp(x))
	switch mistake {
	case "exponential-missing":
		r = x
	case "clip-on-log-ratio":
		return r, k.exp(min(max(x, -b.low), b.high))
	}
	return r, k.passed(clippedRatios, min(max(r, k.kept(1-b.low)), k.kept(1+b.high)))
}

// clippedLoss returns that of the clipped ratio.
func (k *policyLoss[T]) clippedLoss(bounded, advantage T, mistake string) T {
	if mistake == "clipped-without-advantage" {
		advantage = 1
	}
	return -k.kept(bounded * advantage)
}

// clipped returns the larger of the plain and the clipped loss with its derivative, which is 0 for
// the clipped one unless the clip passes the gradient on.
func (k *policyLoss[T]) clipped(plain, clipped T, mistake string) (loss, slope T) {
	takes := clipped > plain
	switch mistake {
	case "min-max-exchanged":
		takes = clipped < plain
	case "clip-always":
		takes = clipped != plain
	}
	switch {
	case k.clip == "none" || !takes || mistake == "clip-missing":
		return plain, plain
	case k.clip == "gppo" && mistake != "clipped-gradient-cut", k.clip == "ppo" && mistake == "clip-passes-gradient":
		return clipped, clipped
	}
	return clipped, 0
}
