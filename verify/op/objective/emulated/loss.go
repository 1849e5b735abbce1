package emulated

import (
	"math"
	"slices"

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
	penalty  []T  // what sequences weigh in the divergence, where that is a mistake of its own
	apart    T    // and what that adds to the loss
	whitened [2]T // mean and deviation of advantages, where they are whitened by mistake
	halves   []T  // means of what advantages are above 0 and below, where each is that of all tokens
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
	k.spoilAdvantages()
	if j.Recording.Has("logits") {
		k.policy = newLogits(k.batch)
		k.logprob = k.policy.logprobs()
	} else {
		k.logprob = emulate.Load[T](j, "logprob")
		k.each(func(_, at int) { k.logprob[at] = emulate.PassOne(j, tokenLogprobs, at, k.logprob[at]) })
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
	weights = k.splitWeights(weights)
	for i := range k.N {
		k.row(i, losses, gradient, k.slopeWeight(i, weights))
	}
	loss := k.total(k.weighedByAdvantage(losses, gradient), weights) + k.apart
	k.spoilGradient(gradient)
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
		l, d := k.ofToken(i, at, x)
		own = append(own, k.kept(k.passed(slopes, d)*weight))
		l = k.passed(surrogates, l)
		losses[at], gradient[at] = l, own[len(own)-1]
	}
	if k.sequence && k.clip != "cispo" {
		k.share(i, own, gradient)
	}
	for _, at := range k.places[i] {
		if k.place = at; k.ref != nil {
			value, slope := k.reweighed(at)
			value, slope = k.passed(divergences, value), k.passed(pulls, slope)
			losses[at] = k.kept(losses[at] + k.kept(k.beta*value))
			gradient[at] = k.kept(gradient[at] + k.kept(k.kept(k.beta*slope)*k.penaltyWeight(i, value, weight)))
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

// reweighed returns the divergence of a token and its slope, times the ratio where that is the
// mistake, or within the limit of ratios.
func (k *policyLoss[T]) reweighed(at int) (value, slope T) {
	value, slope = k.divergence(k.kl, k.logprob[at], k.ref[at], 0)
	if limit := k.clipBounds.limit; k.Makes("limit-in-divergence") && limit != 0 {
		within, flat := k.divergence(k.kl, k.logprob[at], k.ref[at], limit)
		k.Show(within != value || flat != slope)
		return within, flat
	}
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
	divisor := k.ratioLength(i)
	if k.Makes("sequence-ratio-product") {
		divisor = 1
	}
	if k.Makes("sequence-gradient-own") {
		k.Show(slices.Min(own) != slices.Max(own))
		return
	}
	each := emulate.PassOne(k.Job, shares, i, k.kept(k.kept(k.sums.Sum(own))/k.kept(divisor)))
	if k.Makes("sequence-gradient-undivided") {
		k.Show(len(own) > 1 && each != 0)
		each *= divisor
	}
	for _, at := range k.places[i] {
		gradient[at] = each * k.tilt(i, at)
	}
}

func (k *policyLoss[T]) advantageOf(i, at int) T {
	ofSequence := len(k.Recording.Shape("advantage")) != 2
	if !ofSequence {
		i = at
	}
	a := emulate.PassOne(k.Job, tokenAdvantage, at, k.advantage[i])
	if own := k.places[at/k.L]; k.Makes("advantage-on-last-token") && ofSequence && at != own[len(own)-1] {
		k.Show(a != 0)
		return 0
	}
	if k.whitened[1] != 0 {
		a = (a - k.whitened[0]) / k.whitened[1]
	}
	return a
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
	if k.Makes("sequence-ratios-averaged") {
		mean := k.meanRatio(i)
		k.Show(len(x) > 1 && sum != 0)
		return T(math.Log(float64(mean)))
	}
	k.Show(k.ratioLength(i) != k.length(i) && sum != 0)
	return emulate.PassOne(k.Job, meanLogRatios, i, k.kept(sum/k.kept(k.ratioLength(i))))
}
