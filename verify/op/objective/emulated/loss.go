package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("grpo.loss", emulate.Kernel{
		Float32: lossAndGradient[float32], Float64: lossAndGradient[float64], Request: requestLoss,
		Right: append(objectives(), eagerObjectives("grpo.loss")...), Quantities: formedByLoss(),
	})
	emulate.Register("ppo.loss", emulate.Kernel{
		Float32: lossAndGradient[float32], Float64: lossAndGradient[float64], Request: requestLoss,
		Right: append(objectives(), eagerObjectives("ppo.loss")...), Quantities: formedByLoss(),
	})
}

// policyLoss is the loss of a policy with its gradient, fused: what autograd would do is written
// out.
type policyLoss[T emulate.Number] struct {
	*batch[T]
	logprob, old, ref, advantage []T
	clipBounds[T]
	beta     T
	clip, kl string
	policy   *fromLogits[T] // nil where log-probabilities are given
	sequence bool
}

// clipBounds are the widths of the clip, the bound of a dual one, and that of log-ratios.
type clipBounds[T emulate.Number] struct{ low, high, dual, limit T }

// lossAndGradient computes ppo.loss and grpo.loss; the loss is F32, the gradient has the type of
// logprob.
func lossAndGradient[T emulate.Number](j *emulate.Job) {
	k := &policyLoss[T]{
		batch: newBatch[T](j), old: emulate.Load[T](j, "old_logprob"), advantage: emulate.Load[T](j, "advantage"),
	}
	k.clipBounds = clipBounds[T]{
		T(j.Float("clip_low")), T(j.Float("clip_high")), T(j.Float("dual_clip")), T(j.Float("log_ratio_limit")),
	}
	k.beta = T(j.Float("kl_coef"))
	k.clip, k.kl, k.sequence = j.Word("clip"), j.Word("kl"), j.Word("ratio") == "sequence"
	if k.kl != "none" && k.beta != 0 {
		k.ref = emulate.Load[T](j, "ref_logprob")
	}
	k.spoilInputs()
	if j.Recording.Has("logits") {
		k.policy = newLogits(k.batch)
		k.logprob = k.policy.logprobs()
	} else {
		k.logprob = emulate.Load[T](j, "logprob")
	}
	k.run()
}

// spoilInputs makes the mistakes with what is given.
func (k *policyLoss[T]) spoilInputs() {
	referred := k.ref != nil
	switch {
	case k.Makes("reference-for-old") && referred:
		k.Show(true)
		k.old = k.ref
	case k.Makes("old-for-reference") && referred:
		k.Show(true)
		k.ref = k.old
	case k.Makes("kl-coefficient-missing") && referred:
		k.Show(k.beta != 1)
		k.beta = 1
	case k.Makes("sequence-ratio-ignored"):
		for _, places := range k.places {
			k.Show(k.sequence && len(places) > 1)
		}
		k.sequence = false
	}
}

func (k *policyLoss[T]) run() {
	losses, gradient, weights := make([]T, len(k.mask)), make([]T, len(k.mask)), k.weights()
	for i := range k.N {
		k.row(i, losses, gradient, emulate.PassOne(k.Job, weightsInSlope, i, weights[i]))
	}
	loss := k.total(losses, weights)
	emulate.Store(k.Job, "loss", emulate.Working[T](), []T{loss})
	k.storeParts(losses)
	if k.policy == nil {
		emulate.Store(k.Job, "dlogprob", k.Recording.Type("logprob"), gradient)
		return
	}
	emulate.Store(k.Job, "dlogprob", emulate.Working[T](), gradient)
	emulate.Store(k.Job, "dlogits", k.Recording.Type("logits"), k.policy.backward(gradient))
}

// row computes the tokens of sequence i.
func (k *policyLoss[T]) row(i int, losses, gradient []T, weight T) {
	mean := k.meanLogRatio(i)
	var own []T
	for _, at := range k.places[i] {
		x := mean
		if k.place = at; !k.sequence {
			x = k.logRatio(at)
		}
		l, d := k.token(x, k.logprob[at], k.penalised(k.advantageOf(i, at), at))
		own = append(own, k.kept(k.passed(slopes, d)*weight))
		losses[at], gradient[at] = l, own[len(own)-1]
	}
	if k.sequence && k.clip != "cispo" {
		k.share(i, own, gradient)
	}
	for _, at := range k.places[i] {
		if k.place = at; k.ref != nil {
			value, slope := k.divergence(k.kl, k.logprob[at], k.ref[at], 0)
			value, slope = k.reweighed(value, slope, at)
			losses[at] = k.kept(losses[at] + k.kept(k.beta*value))
			gradient[at] = k.kept(gradient[at] + k.kept(k.kept(k.beta*slope)*weight))
		}
	}
}

func (k *policyLoss[T]) logRatio(at int) T {
	return emulate.PassOne(k.Job, logRatios, at, k.kept(k.logprob[at]-k.old[at]))
}

// penalised returns an advantage, less the divergence of the token where that is taken off both.
func (k *policyLoss[T]) penalised(advantage T, at int) T {
	if k.ref == nil || !k.Makes("kl-in-advantage") {
		return advantage
	}
	value, _ := k.divergence(k.kl, k.logprob[at], k.ref[at], 0)
	k.Show(value != 0)
	return advantage - k.beta*value
}

// reweighed returns a divergence and its slope, times the ratio where that is the mistake.
func (k *policyLoss[T]) reweighed(value, slope T, at int) (T, T) {
	if !k.Makes("kl-times-ratio") {
		return value, slope
	}
	r := k.exp(k.logprob[at] - k.old[at])
	k.Show(value != 0 && r != 1)
	return r * value, r * (value + slope)
}

// share gives every token of a sequence its part of the gradient of their common ratio.
func (k *policyLoss[T]) share(i int, own, gradient []T) {
	if len(own) == 0 {
		return
	}
	divisor := k.length(i)
	if k.Makes("sequence-ratio-product") {
		divisor = 1
	}
	each := emulate.PassOne(k.Job, shares, i, k.kept(k.kept(k.sums.Sum(own))/k.kept(divisor)))
	if k.Makes("sequence-gradient-undivided") {
		k.Show(len(own) > 1 && each != 0)
		each *= divisor
	}
	for _, at := range k.places[i] {
		gradient[at] = each
	}
}

func (k *policyLoss[T]) advantageOf(i, at int) T {
	if len(k.advantage) == len(k.mask) && len(k.Recording.Shape("advantage")) == 2 {
		return emulate.PassOne(k.Job, tokenAdvantage, at, k.advantage[at])
	}
	return emulate.PassOne(k.Job, tokenAdvantage, at, k.advantage[i])
}

// meanLogRatio is the mean over the tokens of sequence i.
func (k *policyLoss[T]) meanLogRatio(i int) T {
	var x []T
	for _, at := range k.places[i] {
		x = append(x, k.logRatio(at))
	}
	if len(x) == 0 || !k.sequence {
		return 0
	}
	sum := k.kept(k.sums.Sum(x))
	if k.Makes("sequence-ratio-product") {
		k.Show(len(x) > 1 && sum != 0)
		return sum
	}
	return emulate.PassOne(k.Job, meanLogRatios, i, k.kept(sum/k.kept(k.length(i))))
}

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
	"limit-passes-gradient", "cispo-differentiated",
}

// spoilSurrogate makes the mistakes with what a surrogate is given.
func (k *policyLoss[T]) spoilSurrogate(x, advantage T, b clipBounds[T]) (T, T, clipBounds[T]) {
	switch k.Mistake {
	case "clip-sides-swapped":
		b.low, b.high = b.high, b.low
	case "dual-clip-by-default":
		if b.dual == 0 && k.clip != "cispo" {
			b.dual = 3
		}
	case "dual-clip-missing":
		b.dual = 0
	case "log-ratio-unlimited":
		b.limit = 0
	case "clip-symmetric":
		b.high = b.low
	case "cispo-upper-only":
		if k.clip == "cispo" {
			b.low = 1
		}
	case "ratio-inverted":
		x = -x
	case "ratio-assumed-one":
		x = 0
	case "surrogate-negated":
		advantage = -advantage
	}
	return x, advantage, b
}

func (k *policyLoss[T]) surrogate(x, logprob, advantage T, b clipBounds[T], mistake string) (loss, slope T) {
	limited := b.limit != 0 && (x > b.limit || x < -b.limit)
	if limited {
		x = min(max(x, k.kept(-b.limit)), k.kept(b.limit))
	}
	r := k.passed(ratios, k.exp(x))
	bounded := k.passed(clippedRatios, min(max(r, k.kept(1-b.low)), k.kept(1+b.high)))
	if k.clip == "cispo" {
		if bounded == 0 && !dtype.Finite(logprob) {
			return 0, 0
		}
		slope = -k.kept(bounded * advantage)
		if mistake == "cispo-differentiated" && bounded == r && !limited {
			slope *= 1 + logprob
		}
		return k.kept(-k.kept(bounded*advantage) * logprob), slope
	}
	loss, slope = k.clipped(-k.kept(r*advantage), -k.kept(bounded*advantage), mistake)
	if bound := -k.kept(b.dual * advantage); b.dual != 0 && loss > bound &&
		(advantage < 0 || mistake == "dual-clip-for-positive" && advantage > 0) {
		loss, slope = bound, 0
	}
	if limited && mistake != "limit-passes-gradient" || math.IsNaN(float64(loss)) && !math.IsNaN(float64(x)) {
		slope = 0
	}
	return loss, slope
}

// clipped returns the larger of the plain and the clipped loss with its derivative, which is 0 for
// the clipped one unless the clip passes the gradient on.
func (k *policyLoss[T]) clipped(plain, clipped T, mistake string) (loss, slope T) {
	takes := clipped > plain
	if mistake == "min-max-exchanged" {
		takes = clipped < plain
	}
	switch {
	case k.clip == "none" || !takes || mistake == "clip-missing":
		return plain, plain
	case k.clip == "gppo" && mistake != "clipped-gradient-cut", k.clip == "ppo" && mistake == "clip-passes-gradient":
		return clipped, clipped
	}
	return clipped, 0
}
