package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("dpo.loss", emulate.Kernel{
		Float32: preferenceLoss[float32], Float64: preferenceLoss[float64], Request: requestPreference,
		Right: append(objectives(), eagerObjectives("dpo.loss")...),
		Quantities: withSlopes(
			ofPairs.have(chosenRatios, rejectedRatios, margins, scaledMargins, pairSlopes, pairLosses),
			margins, map[string]string{pairLosses: pairSlopes},
		),
	})
}

// preference is dpo.loss.
type preference[T emulate.Number] struct {
	*batch[T]
	chosen, rejected, refChosen, refRejected []T
	long, short                              []T // lengths of chosen and rejected, where they are used
	beta, smoothing                          T
	ipo, divides                             bool
	losses                                   []T
	margins, common                          []T    // of pairs, and their one mean, where a mistake takes it
	rewards, gradients                       [2][]T // of chosen and rejected
}

// preferenceLoss computes the loss in F32; rewards and gradients have the type of chosen.
func preferenceLoss[T emulate.Number](j *emulate.Job) {
	p := &preference[T]{
		chosen: emulate.Load[T](j, "chosen"), rejected: emulate.Load[T](j, "rejected"),
		refChosen:   emulate.Load[T](j, "ref_chosen"),
		refRejected: emulate.Load[T](j, "ref_rejected"), beta: T(j.Float("beta")),
		smoothing: T(j.Float("label_smoothing")),
		ipo:       j.Word("kind") == "ipo",
	}
	n := len(p.chosen)
	p.batch, p.losses = newRows[T](j, n, 1), make([]T, n)
	p.rewards, p.gradients = [2][]T{make([]T, n), make([]T, n)}, [2][]T{make([]T, n), make([]T, n)}
	divides, mistaken := j.Flag("length_normalize"), j.Makes("lengths-mistaken") && j.Recording.Has("lengths_chosen")
	if p.divides = divides != mistaken; divides || mistaken {
		p.long, p.short = emulate.Load[T](j, "lengths_chosen"), emulate.Load[T](j, "lengths_rejected")
	}
	p.spoilReferences()
	p.runAll()
	p.store()
}

// spoilReferences makes the mistakes with what the reference gives.
func (p *preference[T]) spoilReferences() {
	for i := range p.refChosen {
		switch {
		case p.Makes("references-exchanged"):
			p.Show(p.refChosen[i] != p.refRejected[i])
			p.refChosen[i], p.refRejected[i] = p.refRejected[i], p.refChosen[i]
		case p.Makes("reference-added"):
			p.Show(p.refChosen[i] != p.refRejected[i])
			p.refChosen[i], p.refRejected[i] = -p.refChosen[i], -p.refRejected[i]
		}
	}
}

// runAll computes the pairs; by mistake once more, with the mean of the margins of the first time.
func (p *preference[T]) runAll() {
	for i := range p.N {
		p.run(i)
	}
	if p.Makes("loss-of-mean-margin") && len(p.common) == 0 {
		p.common = []T{p.mean(p.margins)}
		p.Show(p.common[0] != p.margins[0] && dtype.Finite(p.common[0]))
		p.runAll()
	}
}

// run computes pair i.
func (p *preference[T]) run(i int) {
	a, b := p.kept(p.chosen[i]-p.refChosen[i]), p.kept(p.rejected[i]-p.refRejected[i])
	if p.Makes("reference-missing") {
		p.Show(p.refChosen[i] != p.refRejected[i])
		a, b = p.chosen[i], p.rejected[i]
	}
	p.place = i
	a, b = p.passed(chosenRatios, a), p.passed(rejectedRatios, b)
	x, y := T(1), T(1)
	if p.divides {
		x, y = p.lengths(i)
	}
	p.rewards[0][i], p.rewards[1][i] = p.reward(a, x), p.reward(b, y)
	if p.Makes("rewards-without-reference") {
		p.Show(p.refChosen[i] != 0)
		p.rewards[0][i], p.rewards[1][i] = p.beta*p.chosen[i], p.beta*p.rejected[i]
	}
	p.Show(p.Makes("lengths-mistaken") && p.long != nil && p.long[i] > 1)
	loss, d := p.pair(p.passed(margins, p.spoilMargin(p.margin(i, a, b, x, y), a/x, b/y)))
	d = p.averaged(p.passed(pairSlopes, d))
	p.losses[i], p.gradients[0][i], p.gradients[1][i] = loss, p.kept(d/x), p.kept(-d/y)
	p.spoilPair(i)
}

// spoilPair makes the mistakes with what pair i leaves.
func (p *preference[T]) spoilPair(i int) {
	switch one := 1 / T(p.N); {
	case p.Makes("chosen-alone"):
		p.Show(true)
		p.losses[i], p.gradients[0][i], p.gradients[1][i] = -p.chosen[i], -one, 0
	case p.Makes("likelihood-added"):
		p.Show(true)
		p.losses[i] -= p.chosen[i]
		p.gradients[0][i] -= one
	case p.Makes("rejected-missing"):
		p.gradients[1][i] = 0
	case p.Makes("margin-added"):
		p.gradients[1][i] = -p.gradients[1][i]
	}
}

// spoilMargin returns a margin; by mistake it is the log-ratio of the chosen response alone, the
// sum of both, or the mean of all pairs.
func (p *preference[T]) spoilMargin(margin, chosen, rejected T) T {
	switch {
	case p.Makes("loss-of-mean-margin") && len(p.common) > 0:
		return p.common[0]
	case p.Makes("loss-of-mean-margin"):
		p.margins = append(p.margins, margin)
		return margin
	case p.Makes("rejected-missing"):
		margin = chosen
	case p.Makes("margin-added"):
		margin = chosen + rejected
	default:
		return margin
	}
	p.Show(rejected != 0 && dtype.Finite(rejected))
	return margin
}

// averaged returns the derivative of a mean of pairs by one, from that of the pair's own loss.
func (p *preference[T]) averaged(d T) T {
	n := T(p.N)
	if d = p.kept(d / n); p.Makes("gradient-unaveraged") {
		p.Show(n > 1 && d != 0)
		return d * n
	}
	return d
}

// lengths returns those of both responses of pair i.
func (p *preference[T]) lengths(i int) (chosen, rejected T) {
	chosen, rejected = p.long[i], p.short[i]
	switch {
	case p.Makes("length-of-chosen"):
		p.Show(chosen != rejected)
		rejected = chosen
	case p.Makes("lengths-twice"):
		p.Show(chosen > 1 || rejected > 1)
		return chosen * chosen, rejected * rejected
	case p.Makes("lengths-of-longest"):
		longest := max(slices.Max(p.long), slices.Max(p.short))
		p.Show(chosen != longest || rejected != longest)
		return longest, longest
	case p.Makes("lengths-with-end"):
		p.Show(true)
		return chosen + 1, rejected + 1
	case p.Makes("lengths-exchanged"):
		p.Show(chosen != rejected)
		chosen, rejected = rejected, chosen
	}
	return chosen, rejected
}

// reward returns the implicit reward of a response of a length, from its log-ratio.
func (p *preference[T]) reward(logRatio, length T) T {
	switch {
	case p.Makes("rewards-unscaled"):
		p.Show(p.beta != 1 && logRatio != 0 && dtype.Finite(logRatio))
		return logRatio
	case p.Makes("rewards-per-token"):
		p.Show(length != 1 && logRatio != 0 && dtype.Finite(logRatio))
		return p.beta * logRatio / length
	}
	return p.kept(p.beta * logRatio)
}

func (p *preference[T]) store() {
	if p.Makes("rewards-swapped") {
		p.Show(p.rewards[0][0] != p.rewards[1][0])
		p.rewards[0], p.rewards[1] = p.rewards[1], p.rewards[0]
	}
	emulate.Pass(p.Job, pairLosses, 0, p.losses)
	t, loss := p.Recording.Type("chosen"), p.mean(p.losses)
	if p.Makes("loss-unaveraged") {
		p.Show(p.N > 1 && loss != 0 && dtype.Finite(loss))
		loss *= T(p.N)
	}
	emulate.Store(p.Job, "loss", emulate.Working[T](), []T{loss})
	emulate.Store(p.Job, "chosen_reward", t, p.rewards[0])
	emulate.Store(p.Job, "rejected_reward", t, p.rewards[1])
	emulate.Store(p.Job, "dchosen", t, p.gradients[0])
	emulate.Store(p.Job, "drejected", t, p.gradients[1])
}

// margin returns h by response, or with NormalizeFirst by model, as TRL does.
func (p *preference[T]) margin(i int, a, b, x, y T) T {
	switch {
	case p.divides:
		return p.kept(p.kept(a/x) - p.kept(b/y))
	case p.NormalizeFirst && !p.Makes("reference-missing"):
		if m := p.kept(p.kept(p.chosen[i]-p.rejected[i]) - p.kept(p.refChosen[i]-p.refRejected[i])); m == m {
			return m
		}
	}
	return p.kept(a - b)
}

// pair returns the loss of one pair and its derivative; the mistake shows where it changes either.
func (p *preference[T]) pair(h T) (loss, slope T) {
	loss, slope = p.lossOf(h, "")
	wrong, wrongSlope := p.lossOf(h, p.Mistake())
	p.Show(wrong != loss || wrongSlope != slope)
	return wrong, wrongSlope
}

func (p *preference[T]) lossOf(h T, mistake string) (loss, slope T) {
	if mistake == "preference-swapped" {
		loss, slope = p.lossOf(-h, "")
		return loss, -slope
	}
	if p.ipo && mistake != "kind-ignored" {
		return p.ipoLoss(h, mistake)
	}
	switch x := p.kept(p.beta * h); {
	case mistake == "hinge-for-sigmoid" && x >= 1:
		return 0, 0
	case mistake == "hinge-for-sigmoid":
		return 1 - x, -p.beta
	case mistake == "sigmoid-missing":
		return -x, -p.beta
	case mistake == "log-missing":
		s := p.sigmoid(x)
		return -s, -p.beta * s * (1 - s)
	}
	return p.sigmoidLoss(h, mistake)
}

// ipoLoss is (h − 1/2β)².
func (p *preference[T]) ipoLoss(h T, mistake string) (loss, slope T) {
	half, scale := 1/(2*p.beta), T(1)
	switch mistake {
	case "ipo-target":
		half *= 2
	case "ipo-margin-scaled":
		scale = p.beta
	}
	e := p.kept(scale*h - p.kept(half))
	return p.kept(e * e), 2 * scale * e
}

func (p *preference[T]) sigmoidLoss(h T, mistake string) (loss, slope T) {
	x, smooth, back := p.passed(scaledMargins, p.kept(p.beta*h)), p.smoothing, p.smoothing
	switch mistake {
	case "smoothing-missing":
		smooth = 0
	case "beta-twice":
		x *= p.beta
	case "smoothing-sign", "smoothing-robust":
		back = -smooth
	}
	loss, slope = p.kept((1-smooth)*-p.logSigmoid(x)), p.kept((1-smooth)*p.slopeSigmoid(x, mistake))
	if smooth != 0 && mistake == "smoothing-unpaired" {
		loss = p.kept(loss + p.kept(smooth*-p.logSigmoid(x)))
		slope = p.kept(slope + p.kept(smooth*p.sigmoid(-x)))
	} else if smooth != 0 {
		loss = p.kept(loss + p.kept(back*-p.logSigmoid(-x)))
		if mistake == "smoothing-gradient-missing" {
			back = 0
		}
		slope = p.kept(slope - p.kept(back*p.sigmoid(x)))
	}
	if mistake == "smoothing-robust" {
		loss, slope = loss/(1-2*smooth), slope/(1-2*smooth)
	}
	return loss, p.kept(-p.beta * slope)
}

// slopeSigmoid returns the derivative of −log σ(x) but for its sign: σ(−x), by mistake σ(x).
func (p *preference[T]) slopeSigmoid(x T, mistake string) T {
	if mistake == "gradient-by-other-sigmoid" {
		x = -x
	}
	return p.sigmoid(-x)
}

// logSigmoid returns log σ(x) without overflow.
func (p *preference[T]) logSigmoid(x T) T {
	return p.kept(min(x, 0) - T(math.Log1p(float64(emulate.Exponential(p.Job, -T(math.Abs(float64(x))))))))
}

func (p *preference[T]) sigmoid(x T) T {
	e := emulate.Exponential(p.Job, -T(math.Abs(float64(x))))
	if x < 0 {
		return p.kept(e / (1 + e))
	}
	return p.kept(1 / (1 + e))
}
