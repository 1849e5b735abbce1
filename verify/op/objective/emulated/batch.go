// Package emulated has kernels of objectives, right and wrong, as hardware would run them.
package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("policy.kl", emulate.Kernel{
		Float32: policyKL[float32], Float64: policyKL[float64], Request: requestKL,
		Right:      append(objectives(), eagerObjectives("policy.kl")...),
		Quantities: ofTokens.have(logRatiosRef, ratiosRef),
	})
}

// batch is what the kernels of objectives share: sequences of up to L tokens of which a mask keeps
// some, and how their losses become one.
type batch[T emulate.Number] struct {
	*emulate.Job
	sums   *emulate.Summer[T]
	N, L   int
	mask   []bool
	places [][]int // of the tokens of each sequence that the mask keeps

	inSlope []T    // what sequences weigh in the gradient, where that is a mistake of its own
	fixed   []T    // what they weigh anyhow, where tokens outside the mask are summed
	nan     []int  // the places outside the mask that spoil a sum, where it is multiplied by
	place   int    // of the token, or row, at hand
	side    string // where there are two: what its quantities are said to be of
}

// newRows returns a batch of N rows of L numbers, without a mask. Element-wise results keep working
// precision where no type is given.
func newRows[T emulate.Number](j *emulate.Job, n, l int) *batch[T] {
	j.Intermediate = cmp.Or(j.Intermediate, emulate.Working[T]())
	return &batch[T]{Job: j, sums: emulate.NewSummer[T](&j.Config, dtype.F32), N: n, L: l}
}

// newBatch reads the mask. Kernels leave out what it leaves out; nothing is multiplied by 0.
func newBatch[T emulate.Number](j *emulate.Job) *batch[T] {
	b := newRows[T](j, j.Dim("N"), j.Dim("L"))
	b.mask = make([]bool, b.N*b.L)
	for i, m := range j.LoadInts("mask") {
		b.mask[i] = m != 0
	}
	b.spoilMask()
	b.places = make([][]int, b.N)
	for at, m := range b.mask {
		if m {
			b.places[at/b.L] = append(b.places[at/b.L], at)
		}
	}
	b.unmask()
	b.multiplyMask()
	return b
}

// multiplyMask makes the mistake of a mask that is multiplied by: what is NaN outside of it stays.
func (b *batch[T]) multiplyMask() {
	if !b.Makes("mask-multiplied") {
		return
	}
	for _, name := range []string{"logprob", "old_logprob", "values", "returns"} {
		for at, x := range emulate.Load[T](b.Job, name) {
			if !b.mask[at] && x != x {
				b.nan = append(b.nan, at)
			}
		}
	}
	b.Show(len(b.nan) > 0)
}

// spoilGradient writes NaN where a mask is multiplied by and that leaves it.
func (b *batch[T]) spoilGradient(gradient []T) {
	for _, at := range b.nan {
		gradient[at] = T(math.NaN())
	}
}

// unmask makes the mistake of a sum over all tokens that is divided as that of those in the mask.
func (b *batch[T]) unmask() {
	if !b.Makes("unmasked-sum") {
		return
	}
	b.fixed = b.keptEach(b.weightsOf(b.Word("aggregate")))
	for i := range b.places {
		b.Show(len(b.places[i]) > 0 && len(b.places[i]) < b.L)
		b.places[i] = emulate.Indices((i + 1) * b.L)[i*b.L:]
	}
}

// spoilMask makes the mistakes with masks.
func (b *batch[T]) spoilMask() {
	for i, m := range b.mask {
		switch {
		case b.Makes("mask-missing"):
			b.Show(!m)
			b.mask[i] = true
		case b.Makes("mask-shifted"):
			next := (i+1)%b.L != 0 && b.mask[i+1]
			b.Show(m != next)
			b.mask[i] = next
		case b.Makes("mask-inverted"):
			b.Show(true)
			b.mask[i] = !m
		case b.Makes("last-token-dropped") && m:
			b.mask[i] = slices.Contains(b.mask[i+1:(i/b.L+1)*b.L], true)
			b.Show(!b.mask[i])
		}
	}
}

// each calls f for every token in the mask.
func (b *batch[T]) each(f func(i, at int)) {
	for i, places := range b.places {
		for _, at := range places {
			f(i, at)
		}
	}
}

// passed is Pass for what the token at hand has of a quantity.
func (b *batch[T]) passed(name string, x T) T {
	if b.Quantities == nil {
		return x
	}
	return emulate.PassOne(b.Job, name+b.side, b.place, x)
}

// length is the number of tokens of sequence i that count.
func (b *batch[T]) length(i int) T {
	return emulate.PassOne(b.Job, lengths, i, T(len(b.places[i])))
}

// mean returns that of element-wise results; of none it is 0.
func (b *batch[T]) mean(x []T) T {
	return b.kept(b.kept(b.sums.Sum(x)) / T(max(len(x), 1)))
}

// kept rounds an element-wise result to the type that they have.
func (b *batch[T]) kept(x T) T {
	if b.Intermediate == emulate.Working[T]() {
		return x
	}
	return emulate.Round(b.Intermediate, x)
}

// exp returns e^x, as Config says, as an element-wise result.
func (b *batch[T]) exp(x T) T {
	return b.kept(emulate.Exponential(b.Job, x))
}

// weights returns what a token of each sequence weighs in the loss.
func (b *batch[T]) weights() []T {
	mode := b.Word("aggregate")
	right, wrong := b.keptEach(b.weightsOf(mode)), b.wrongWeights(mode)
	emulate.Pass(b.Job, tokenWeights, 0, right)
	switch {
	case b.fixed != nil:
		return b.fixed
	case wrong == nil:
		return right
	}
	for i := range b.keptEach(wrong) {
		b.Show(len(b.places[i]) > 0 && wrong[i] != right[i])
	}
	if b.Makes("gradient-aggregation-swapped") {
		b.inSlope = wrong
		return right
	}
	return wrong
}

// slopeWeight returns what a token of sequence i weighs in the gradient, given what it does in the
// loss.
func (b *batch[T]) slopeWeight(i int, weights []T) T {
	weight := emulate.PassOne(b.Job, weightsInSlope, i, weights[i])
	if b.inSlope != nil {
		return b.inSlope[i]
	}
	return weight
}

// wrongWeights returns the weights of a mistake, or nil.
func (b *batch[T]) wrongWeights(mode string) []T {
	switch {
	case b.First("aggregation-swapped"), b.First("gradient-aggregation-swapped"):
		return b.weightsOf(map[string]string{
			"token_mean": "sequence_mean", "sequence_mean": "token_mean", "sequence_sum": "sequence_mean",
			"constant": "sequence_sum",
		}[mode])
	case b.First("micro-batch-mean"):
		return b.microBatches()
	case b.First("micro-batch-means-added"):
		return times(2, b.microBatches())
	case b.First("end-counted"):
		return b.withEnds(mode)
	case b.First("losses-summed"):
		return slices.Repeat([]T{1}, b.N)
	case b.First("rows-joined"):
		return b.joined(mode)
	case b.First("empty-sequences-counted"), b.First("padding-in-mean"):
		w := b.weightsOf(mode)
		for i := range w {
			w[i] *= b.otherDivisor(i, mode)
		}
		return w
	}
	return nil
}

// withEnds returns the weights of means that divide by one token more for each sequence.
func (b *batch[T]) withEnds(mode string) []T {
	w, all := b.weightsOf(mode), T(len(slices.Concat(b.places...)))
	for i, places := range b.places {
		switch {
		case mode == "token_mean":
			w[i] *= all / (all + T(b.sequences()))
		case mode == "sequence_mean":
			w[i] *= T(len(places)) / T(len(places)+1)
		}
	}
	return w
}

// otherDivisor returns by what a mistaken divisor changes the weight of sequence i.
func (b *batch[T]) otherDivisor(i int, mode string) T {
	switch {
	case b.Makes("empty-sequences-counted") && mode != "token_mean":
		return T(b.divisor()) / T(b.N+b.sequences()-b.divisor()) // the other of the two
	case b.Makes("padding-in-mean") && mode == "token_mean":
		return T(len(slices.Concat(b.places...))) / T(b.N*b.L)
	case b.Makes("padding-in-mean") && mode == "sequence_mean":
		return T(len(b.places[i])) / T(b.L)
	}
	return 1
}

// joined returns the weights of a batch whose rows are taken for one sequence, two by two.
func (b *batch[T]) joined(mode string) []T {
	pairs := *b
	pairs.N, pairs.places = (b.N+1)/2, nil
	for i := 0; i < b.N; i += 2 {
		pairs.places = append(pairs.places, slices.Concat(b.places[i:min(i+2, b.N)]...))
	}
	w, of := make([]T, b.N), pairs.weightsOf(mode)
	for i := range w {
		w[i] = of[i/2]
	}
	return w
}

// keptEach rounds element-wise results.
func (b *batch[T]) keptEach(x []T) []T {
	for i := range x {
		x[i] = b.kept(x[i])
	}
	return x
}

// divisor is how many sequences count in a divisor.
func (b *batch[T]) divisor() int {
	if b.Word("empty_rows") == "count" {
		return b.N
	}
	return b.sequences()
}

// storeParts stores the losses of tokens, and their sums over sequences.
func (b *batch[T]) storeParts(losses []T) {
	sums := make([]T, b.N)
	for i, places := range b.places {
		sums[i] = b.kept(b.sums.Sum(emulate.Picked(losses, places)))
	}
	emulate.Store(b.Job, "token_loss", emulate.Working[T](), losses)
	emulate.Store(b.Job, "sequence_loss", emulate.Working[T](), sums)
}

func (b *batch[T]) sequences() int {
	var n int
	for _, places := range b.places {
		n += min(len(places), 1)
	}
	return n
}

func (b *batch[T]) weightsOf(mode string) []T {
	w := make([]T, b.N)
	for i, places := range b.places {
		if len(places) == 0 {
			continue
		}
		switch mode {
		case "sequence_mean":
			w[i] = 1 / (T(b.divisor()) * b.length(i))
		case "sequence_sum":
			w[i] = 1 / T(b.divisor())
		case "constant":
			w[i] = 1 / (T(b.divisor()) * T(b.Int("aggregate_length")))
		default:
			w[i] = 1 / T(len(slices.Concat(b.places...)))
		}
	}
	return w
}

// microBatches returns the weights of a mean over the means of two halves of the batch.
func (b *batch[T]) microBatches() []T {
	w, half := make([]T, b.N), (b.N+1)/2
	for i, places := range b.places {
		part := b.places[:half]
		if i >= half {
			part = b.places[half:]
		}
		if len(places) > 0 {
			w[i] = 1 / (2 * T(len(slices.Concat(part...))))
		}
	}
	return w
}

// times returns a number times each of x.
func times[T emulate.Number](c T, x []T) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = c * v
	}
	return y
}

// total returns the loss of the batch.
func (b *batch[T]) total(losses, weights []T) T {
	if len(b.nan) > 0 {
		return T(math.NaN())
	}
	if b.Makes("empty-sequence-nan") && b.Word("aggregate") == "sequence_mean" && b.sequences() < b.N {
		b.Show(true)
		return T(math.NaN())
	}
	return b.aggregate(losses, weights)
}

// aggregate returns losses weighted first and then summed, or summed first, sequence by sequence
// where the aggregation is.
func (b *batch[T]) aggregate(losses, weights []T) T {
	mode := b.Word("aggregate")
	if b.Config.Mistake != "" || b.NormalizeFirst || b.Quantities != nil {
		return b.weighted(losses, weights)
	}
	var parts []T
	for _, places := range b.places {
		part := b.kept(b.sums.Sum(emulate.Picked(losses, places)))
		if mode == "sequence_mean" && len(places) > 0 {
			part = b.kept(part / b.kept(T(len(places))))
		}
		parts = append(parts, part)
	}
	n := T(max(b.divisor(), 1))
	switch mode {
	case "sequence_mean", "sequence_sum":
		return b.kept(b.kept(b.sums.Sum(parts)) / b.kept(n))
	case "constant":
		return b.kept(b.kept(b.sums.Sum(parts)) / b.kept(n*T(b.Int("aggregate_length"))))
	}
	flat := emulate.Picked(losses, slices.Concat(b.places...))
	return b.kept(b.kept(b.sums.Sum(flat)) / b.kept(T(max(len(flat), 1))))
}

// weighted returns losses weighted first and then summed.
func (b *batch[T]) weighted(losses, weights []T) T {
	var terms []T
	b.each(func(i, at int) {
		loss := emulate.PassOne(b.Job, lossesInSum, at, losses[at])
		terms = append(terms, b.kept(loss*emulate.PassOne(b.Job, weightsInLoss, i, weights[i])))
	})
	return b.kept(b.sums.Sum(terms))
}

// divergence is an estimate of one token with its derivative.
func (b *batch[T]) divergence(estimator string, logprob, ref, limit T) (value, slope T) {
	right, rightSlope := b.estimate(estimator, logprob, ref, limit)
	value, slope = right, rightSlope
	switch {
	case b.First("k3-upside-down"):
		if estimator == "k3" {
			value, slope = b.estimate(estimator, ref, logprob, limit)
			slope = -slope
		}
	case b.First("kl-sign"):
		value, slope = -right, -rightSlope
	case b.First("log-ratio-unlimited"):
		value, slope = b.estimate(estimator, logprob, ref, 0)
	case b.First("limit-above-only"):
		if limit != 0 && ref < logprob {
			value, slope = b.estimate(estimator, logprob, ref, 0)
		}
	default:
		return b.otherDivergence(estimator, right, rightSlope, logprob, ref)
	}
	b.Show(value != right || slope != rightSlope && b.Op.Name != "policy.kl")
	return value, slope
}

// otherDivergence makes the mistakes that need no other estimate than the right one.
func (b *batch[T]) otherDivergence(estimator string, right, rightSlope, logprob, ref T) (value, slope T) {
	value, slope = right, rightSlope
	switch delta := b.kept(ref - logprob); {
	case estimator == b.ofOne():
		value, slope = b.oneDivergence(right, rightSlope, delta)
	case b.Among(ofLogRatio...) != "":
		value, slope = b.logRatioItself(-delta)
	case b.Makes("kl-times-probability"):
		p := b.exp(logprob)
		value, slope = p*right, p*(right+rightSlope)
	case b.Makes("kl-times-reference"):
		p := b.exp(ref)
		value, slope = p*delta, -p
	case b.Makes("kl-missing"):
		value, slope = 0, 0
	case b.Makes("kl-gradient-missing"):
		slope = 0
	case b.Makes("kl-gradient-of-k2"):
		slope = -delta
	default:
		return value, slope
	}
	b.Show(value != right || slope != rightSlope && b.Op.Name != "policy.kl")
	return value, slope
}

// ofLogRatio are the mistakes of a divergence that is formed of the log-ratio alone, whichever is
// asked for.
var ofLogRatio = []string{"k1-for-all", "kl-absolute", "kl-clamped-at-zero"}

// logRatioItself makes them, of log π − log π_ref.
func (b *batch[T]) logRatioItself(x T) (value, slope T) {
	switch {
	case b.First("kl-absolute"):
		return max(x, -x), b.sign(x)
	case b.First("kl-clamped-at-zero"):
		return max(x, 0), max(b.sign(x), 0)
	}
	return x, 1
}

// ofOne returns the estimator that a mistake changes, where it is of one alone.
func (b *batch[T]) ofOne() string {
	of, _ := emulate.In(b.Job, map[string]string{
		"k2-unhalved": "k2", "estimator-falls-through": "k2", "k3-clamped": "k3", "k3-without-one": "k3",
		"k3-sign-inside": "k3", "k3-is-square": "k3", "limit-in-exponential": "k3",
	})
	return of
}

// oneDivergence makes the mistakes of one estimator.
func (b *batch[T]) oneDivergence(value, slope, delta T) (T, T) {
	switch {
	case b.Makes("k2-unhalved"):
		return 2 * value, 2 * slope
	case b.Makes("estimator-falls-through"):
		value, _ = b.estimate("k3", -value, 0, 0)
	case b.Makes("k3-clamped") && value > 10:
		return 10, 0
	case b.Makes("k3-is-square"):
		return delta * delta, -2 * delta
	case b.Makes("limit-in-exponential") && b.limited(delta):
		return value + min(max(delta, -b.limit()), b.limit()) - delta, 1
	case b.Makes("k3-without-one"):
		value++
	case b.Makes("k3-sign-inside") && slope != 0:
		return value + 2*delta, slope - 2
	}
	return value, slope
}

// sign returns −1, 0 or 1.
func (b *batch[T]) sign(x T) T {
	if x == 0 {
		return 0
	}
	return T(math.Copysign(1, float64(x)))
}

// limit is the attribute of policy.kl.
func (b *batch[T]) limit() T { return T(b.Float("limit")) }

// limited tells whether a log-ratio is beyond the limit.
func (b *batch[T]) limited(delta T) bool {
	limit := b.limit()
	return limit != 0 && (delta > limit || delta < -limit)
}

func (b *batch[T]) estimate(estimator string, logprob, ref, limit T) (value, slope T) {
	delta := b.passed(logRatiosRef, b.kept(ref-logprob))
	switch estimator {
	case "k1":
		return -delta, 1
	case "k2":
		return b.kept(b.kept(delta*delta) / 2), -delta
	}
	inside := limit == 0 || delta >= -limit && delta <= limit
	if limit != 0 {
		delta = min(max(delta, b.kept(-limit)), b.kept(limit))
	}
	e := b.passed(ratiosRef, b.exp(delta))
	switch {
	case math.IsInf(float64(e), 1):
		value = e
	case b.NormalizeFirst:
		value = b.kept(b.kept(e-1) - delta)
	default:
		value = b.kept(b.kept(e-delta) - 1)
	}
	if !inside {
		return value, 0
	}
	return value, b.kept(1 - e)
}

// policyKL estimates each token's divergence, in the type of logprob.
func policyKL[T emulate.Number](j *emulate.Job) {
	b := newBatch[T](j)
	logprob, ref := emulate.Load[T](j, "logprob"), emulate.Load[T](j, "ref_logprob")
	kl, limit := make([]T, len(logprob)), T(j.Float("limit"))
	b.each(func(_, at int) {
		b.place = at
		kl[at], _ = b.divergence(j.Word("estimator"), logprob[at], ref[at], limit)
	})
	emulate.Store(j, "kl", j.Recording.Type("logprob"), kl)
}
