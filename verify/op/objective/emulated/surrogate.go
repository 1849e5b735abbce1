package emulated

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// token returns the loss of one token and its derivative, for the logarithm of the ratio, or with
// cispo for log π; the mistake shows where it changes either.
func (k *policyLoss[T]) token(x, logprob, advantage T) (loss, slope T) {
	if advantage == 0 {
		return 0, 0
	}
	loss, slope = k.surrogate(x, logprob, advantage, k.clipBounds, "")
	mistake := k.Among(ofSurrogates...)
	if mistake == "" {
		return loss, slope
	}
	x, advantage, b := k.spoilSurrogate(x, advantage, k.clipBounds)
	wrong, wrongSlope := k.surrogate(x, logprob, advantage, b, mistake)
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
	"gradient-cut-outside", "gradient-without-ratio", "clipped-gradient-of-plain", "bounds-without-one",
	"cispo-unbounded", "dual-clip-below", "dual-clip-of-plain", "limit-on-ratio", "ratio-twice", "clipped-dropped",
	"clip-on-product", "ratio-smaller-before-advantage", "negative-advantages-dropped",
}

// spoilSurrogate makes the mistakes with what a surrogate is given.
func (k *policyLoss[T]) spoilSurrogate(x, advantage T, b clipBounds[T]) (T, T, clipBounds[T]) {
	b = k.spoilBounds(x, b)
	switch {
	case k.First("ratio-inverted"):
		x = -x
	case k.First("ratio-assumed-one"):
		x = 0
	case k.First("surrogate-negated"):
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
	case k.Makes("bounds-without-one"):
		b.low, b.high = 1-b.low, b.high-1
	}
	return b
}

func (k *policyLoss[T]) surrogate(x, logprob, advantage T, b clipBounds[T], mistake string) (loss, slope T) {
	x, limited := k.limited(x, b.limit, mistake)
	r, bounded := k.bothRatios(x, b, mistake)
	switch {
	case mistake == "negative-advantages-dropped" && advantage < 0:
		return 0, 0
	case k.clip == "cispo":
		return k.cispo(logprob, advantage, r, bounded, limited, mistake)
	case mistake == "clipped-dropped" && bounded != r && k.clip != "none":
		return 0, 0
	}
	plain := k.passed(plainLosses, -k.kept(r*advantage))
	bound := k.passed(clippedLosses, k.clippedLoss(bounded, advantage, mistake))
	if mistake == "clip-on-product" {
		bound = -min(max(-plain, 1-b.low), 1+b.high)
	}
	loss, slope = k.clipped(plain, bound, mistake)
	slope = spoilSlope(slope, advantage, bounded != r, mistake)
	loss, slope = k.dualClipped(loss, slope, plain, advantage, b.dual, mistake)
	if mistake == "ratio-twice" {
		loss, slope = r*loss, r*slope
	}
	if limited && mistake != "limit-passes-gradient" || math.IsNaN(float64(loss)) && !math.IsNaN(float64(x)) {
		slope = 0
	}
	return loss, slope
}

// limited returns a log-ratio within ±limit, and whether it was beyond; by mistake the limit is one
// of the ratio.
func (k *policyLoss[T]) limited(x, limit T, mistake string) (T, bool) {
	low, high := k.kept(-limit), k.kept(limit)
	if mistake == "limit-on-ratio" {
		low, high = T(math.Inf(-1)), T(math.Log(float64(limit)))
	}
	if limit == 0 || x >= low && x <= high || x != x {
		return x, false
	}
	return min(max(x, low), high), true
}

// spoilSlope makes the mistakes with the derivative of a token's loss, whose ratio may be outside
// of the clip.
func spoilSlope[T emulate.Number](slope, advantage T, outside bool, mistake string) T {
	switch {
	case mistake == "gradient-cut-outside" && outside:
		return 0
	case (mistake == "exponential-missing" || mistake == "gradient-without-ratio") && slope != 0:
		return -advantage
	}
	return slope
}

// dualClipped returns a loss of a negative advantage that is at most −dual·A, where there is a dual
// clip, with its derivative.
func (k *policyLoss[T]) dualClipped(loss, slope, plain, advantage, dual T, mistake string) (T, T) {
	if dual == 0 || advantage >= 0 && mistake != "dual-clip-for-positive" {
		return loss, slope
	}
	if mistake == "dual-clip-of-plain" {
		loss, slope = plain, plain
	}
	bound := -k.kept(dual * advantage)
	bounds := loss > bound
	if mistake == "dual-clip-below" {
		bounds = loss < bound
	}
	switch {
	case bounds && mistake == "dual-clip-passes-gradient":
		return bound, slope
	case bounds:
		return bound, 0
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
	case "cispo-unbounded":
		return r, r
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
	case "ratio-smaller-before-advantage":
		takes = clipped != plain && takes == (plain < 0)
	}
	switch {
	case k.clip == "none" || !takes || mistake == "clip-missing":
		return plain, plain
	case mistake == "clipped-gradient-of-plain":
		return clipped, plain
	case k.clip == "gppo" && mistake != "clipped-gradient-cut", k.clip == "ppo" && mistake == "clip-passes-gradient":
		return clipped, clipped
	}
	return clipped, 0
}
