package emulated

import (
	"math"
	"slices"

	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("ppo.gae", emulate.Kernel{
		Float32: gae[float32], Float64: gae[float64], Request: requestGAE,
		Right:      append(objectives(), eagerObjectives("ppo.gae")...),
		Quantities: ofTokens.have(valuesAfter, differences, carried, beforeWhitening, inReturns),
	})
	emulate.Register("ppo.value_loss", emulate.Kernel{
		Float32: valueLoss[float32], Float64: valueLoss[float64], Request: requestValueLoss,
		Right: append(objectives(), eagerObjectives("ppo.value_loss")...),
		Quantities: withSlopes(slices.Concat(
			ofTokens.have(
				tokenValues, valueErrors, clippedValues, clippedErrors, squares, clippedSquares, valueLosses,
				valueSlopes, lossesInSum,
			),
			ofSequences.have(lengths, weightsInLoss, weightsInSlope),
			averaging(ofSequences.have(tokenWeights), emulate.Weighs),
		), tokenValues, map[string]string{valueLosses: valueSlopes}),
	})
}

// recursion is generalised advantage estimation.
type recursion[T emulate.Number] struct {
	*batch[T]
	rewards, values []T
	gamma, decay    T
	toGo            []T // discounted sums of rewards, where a mistake asks for them
	after           T   // the first advantage of the sequence after, where a mistake carries it on
	nextValue       T   // and its first value, where a mistake reads that
}

// gae computes advantages and returns, in the type of rewards.
func gae[T emulate.Number](j *emulate.Job) {
	g := &recursion[T]{
		batch: newBatch[T](j), rewards: emulate.Load[T](j, "rewards"), values: emulate.Load[T](j, "values"),
	}
	g.discount()
	g.spoilInputs()
	advantage, returns := make([]T, len(g.mask)), make([]T, len(g.mask))
	for _, steps := range g.inOrder(g.runs()) {
		g.row(steps, advantage, returns)
	}
	if j.Flag("whiten") {
		emulate.Pass(j, beforeWhitening, 0, advantage)
		g.whiten(advantage)
		if g.Makes("returns-normalised") {
			g.Show(true)
			g.whiten(returns)
		}
		if g.Makes("returns-whitened") {
			g.each(func(_, at int) {
				g.Show(advantage[at]+g.values[at] != returns[at])
				returns[at] = advantage[at] + g.values[at]
			})
		}
	}
	emulate.Store(j, "advantage", j.Recording.Type("rewards"), advantage)
	emulate.Store(j, "return", j.Recording.Type("rewards"), returns)
}

// discount reads γ and λ.
func (g *recursion[T]) discount() {
	gamma, lambda := g.Float("gamma"), g.Float("lambda")
	long := slices.ContainsFunc(g.places, func(tokens []int) bool { return len(tokens) > 1 })
	switch {
	case g.Makes("lambda-missing"):
		g.Show(long && lambda != 1 && gamma != 0)
		lambda = 1
	case g.Makes("gamma-missing"):
		g.Show(long && gamma != 1)
		gamma = 1
	}
	g.gamma, g.decay = T(gamma), T(gamma*lambda)
	if g.Makes("decay-without-gamma") {
		g.Show(long && gamma != 1 && lambda != 0)
		g.decay = T(lambda)
	}
}

// spoilInputs makes the mistakes with rewards and values, which move them from token to token.
func (g *recursion[T]) spoilInputs() {
	for _, places := range g.places {
		for s, at := range places {
			last := s+1 == len(places)
			if g.Makes("values-of-next") {
				before := g.values[at]
				if g.values[at] = 0; !last {
					g.values[at] = g.values[places[s+1]]
				}
				g.Show(g.values[at] != before)
			}
			if g.Makes("terminal-reward-late") && last {
				g.Show(g.rewards[at] != 0 && g.decay != 1)
				g.rewards[at] *= g.decay
			}
		}
	}
}

// runs returns what the recursion goes through from end to start, sequence by sequence.
func (g *recursion[T]) runs() [][]int {
	runs := make([][]int, g.N)
	for i := range runs {
		runs[i] = g.steps(i)
	}
	if g.Makes("ends-ignored") {
		g.Show(g.sequences() > 1)
		return [][]int{slices.Concat(runs...)}
	}
	return runs
}

// inOrder returns runs in the order in which they are gone through, which matters to mistakes that
// carry something on from one to the one before.
func (g *recursion[T]) inOrder(runs [][]int) [][]int {
	if g.Makes("carry-not-reset") || g.Makes("value-of-next-sequence") {
		slices.Reverse(runs)
	}
	return runs
}

// carryOn makes the mistake of a recursion that goes on from the sequence after: values end with
// each, but the advantage is not set back to 0.
func (g *recursion[T]) carryOn(advantage []T) {
	if !g.Makes("carry-not-reset") {
		return
	}
	g.Show(g.after != 0 && g.decay != 0)
	by := g.after
	for s := len(advantage) - 1; s >= 0; s-- {
		by *= g.decay
		advantage[s] += by
	}
	g.after = advantage[0]
}

// steps returns the tokens of sequence i that the recursion visits.
func (g *recursion[T]) steps(i int) []int {
	steps := g.places[i]
	if g.Makes("gae-from-padding") && len(steps) > 0 {
		g.Show(steps[len(steps)-1] != (i+1)*g.L-1)
		return emulate.Indices((i + 1) * g.L)[i*g.L:]
	}
	if !g.Makes("gae-through-masked") || len(steps) == 0 {
		return steps
	}
	through := emulate.Indices(steps[len(steps)-1] + 1)[i*g.L:]
	g.Show(len(through) != len(steps))
	return through
}

func (g *recursion[T]) row(steps []int, advantage, returns []T) {
	if len(steps) == 0 {
		return
	}
	deltas := make([]T, len(steps))
	for s, at := range steps {
		deltas[s] = g.delta(at, g.valueAfter(s, steps))
	}
	g.begin(deltas, steps)
	g.accumulate(deltas, steps)
	g.carryOn(deltas)
	g.rewardsToGo(steps)
	for s, at := range steps {
		if g.mask[at] {
			advantage[at], returns[at] = g.results(s, at, deltas[s])
		}
	}
}

// valueAfter returns the value after step s, 0 after the last.
func (g *recursion[T]) valueAfter(s int, steps []int) (next T) {
	switch {
	case g.Makes("next-value-masked"):
		return g.nextPlace(s, steps)
	case s+2 == len(steps) && g.Makes("ends-early"):
		g.Show(g.values[steps[s+1]] != 0 && g.gamma != 0)
	case s+1 < len(steps):
		next = g.values[steps[s+1]]
	case g.Makes("bootstrap-repeated"):
		next = g.values[steps[s]]
		g.Show(next != 0 && g.gamma != 0)
	case g.Makes("value-of-next-sequence"):
		next, g.nextValue = g.nextValue, g.values[steps[0]]
		g.Show(next != 0 && g.gamma != 0)
	}
	return next
}

// nextPlace returns the value of the place after step s, whatever the mask says of it; 0 after the
// last of a sequence.
func (g *recursion[T]) nextPlace(s int, steps []int) T {
	place := steps[s] + 1
	if place%g.L == 0 {
		return 0
	}
	g.Show((s+1 == len(steps) || steps[s+1] != place) && g.values[place] != 0 && g.gamma != 0)
	return g.values[place]
}

// results returns advantage and return of step s.
func (g *recursion[T]) results(s, at int, advantage T) (T, T) {
	switch {
	case g.Makes("discounted-from-start"):
		g.Show(s > 0 && g.gamma != 1 && advantage != 0)
		advantage *= T(math.Pow(float64(g.gamma), float64(s)))
	case g.Makes("returns-of-rewards"):
		right := g.kept(advantage + g.values[at])
		g.Show(g.toGo[at] != right)
		return advantage, g.toGo[at]
	case g.Makes("returns-without-advantages"):
		g.Show(advantage != 0)
		return advantage, g.values[at]
	case g.Makes("returns-without-values"):
		g.Show(g.values[at] != 0)
		return advantage, advantage
	}
	return advantage, g.kept(emulate.PassOne(g.Job, inReturns, at, advantage) + g.values[at])
}

// begin makes the mistakes at the end: of a recursion that begins behind it with the last value,
// not with 0, and of a last value that is not taken off.
func (g *recursion[T]) begin(deltas []T, steps []int) {
	last := len(steps) - 1
	switch value := g.values[steps[last]]; {
	case g.Makes("carry-begins-with-value"):
		g.Show(value != 0 && g.decay != 0)
		deltas[last] += g.decay * value
	case g.Makes("last-value-not-subtracted"):
		g.Show(value != 0)
		deltas[last] += value
	}
}

// rewardsToGo forms the discounted sums of rewards from each step on.
func (g *recursion[T]) rewardsToGo(steps []int) {
	if !g.Makes("returns-of-rewards") {
		return
	}
	if g.toGo == nil {
		g.toGo = make([]T, len(g.rewards))
	}
	var after T
	for s := len(steps) - 1; s >= 0; s-- {
		after = g.rewards[steps[s]] + g.gamma*after
		g.toGo[steps[s]] = after
	}
}

// delta returns the error of a value, given the value after it.
func (g *recursion[T]) delta(at int, next T) T {
	return emulate.PassOne(g.Job, differences, at, g.difference(at, emulate.PassOne(g.Job, valuesAfter, at, next)))
}

func (g *recursion[T]) difference(at int, next T) T {
	switch {
	case g.Makes("value-not-subtracted"):
		g.Show(g.values[at] != 0)
		return g.rewards[at] + g.gamma*next
	case g.Makes("next-value-decayed"):
		g.Show(next != 0 && g.decay != g.gamma)
		return g.rewards[at] + g.decay*next - g.values[at]
	case g.Makes("next-value-undiscounted"):
		g.Show(next != 0 && g.gamma != 1)
		return g.rewards[at] + next - g.values[at]
	case g.Fused:
		return emulate.FMA(g.gamma, next, g.rewards[at]) - g.values[at]
	}
	return g.kept(g.kept(g.rewards[at]+g.kept(g.gamma*next)) - g.values[at])
}

// accumulate turns errors of steps into advantages, backwards one by one, or for pairwise sums as a
// parallel scan: in steps of doubling width.
func (g *recursion[T]) accumulate(x []T, steps []int) {
	switch {
	case g.Makes("recursion-forward"):
		g.forward(x)
	case g.sums.Order == emulate.Pairwise:
		g.scan(x)
	default:
		g.backward(x, steps)
	}
}

// scan is accumulate in steps of doubling width.
func (g *recursion[T]) scan(x []T) {
	decay := g.decay
	for width := 1; width < len(x); width *= 2 {
		for t := range len(x) - width {
			x[t] = g.kept(x[t] + g.kept(decay*x[t+width]))
		}
		decay = g.kept(decay * decay)
	}
}

// backward is accumulate one by one.
func (g *recursion[T]) backward(x []T, steps []int) {
	for t := len(x) - 2; t >= 0; t-- {
		after := emulate.PassOne(g.Job, carried, steps[t], x[t+1])
		if t+2 == len(x) && (g.Makes("ends-early") || g.Makes("last-advantage-not-carried")) {
			g.Show(after != 0 && g.decay != 0)
			continue
		}
		if g.Fused {
			x[t] = emulate.FMA(g.decay, after, x[t])
		} else {
			x[t] = g.kept(x[t] + g.kept(g.decay*after))
		}
	}
}

// forward makes the mistake of a recursion from a sequence's first token to its last.
func (g *recursion[T]) forward(x []T) {
	for t := 1; t < len(x); t++ {
		g.Show(x[t-1] != 0 && g.decay != 0)
		x[t] += g.decay * x[t-1]
	}
}

// whiten subtracts the mean over the mask and divides by the deviation.
func (g *recursion[T]) whiten(advantage []T) {
	groups := [][]int{slices.Concat(g.places...)}
	switch {
	case g.First("whiten-per-sequence"):
		groups = g.places
		g.Show(len(groups) > 1 && len(groups[0]) > 0 && len(groups[1]) > 0)
	case g.First("whiten-per-place"):
		groups = g.byPlace()
		g.Show(g.sequences() > 1)
	case g.First("whiten-over-padding"):
		g.Show(slices.Contains(g.mask, false))
		groups[0] = emulate.Indices(len(g.mask))
	}
	for _, group := range groups {
		g.whitenGroup(advantage, group)
	}
}

// byPlace groups tokens by their place in their sequences.
func (g *recursion[T]) byPlace() [][]int {
	groups := make([][]int, g.L)
	g.each(func(_, at int) { groups[at%g.L] = append(groups[at%g.L], at) })
	return groups
}

func (g *recursion[T]) whitenGroup(advantage []T, group []int) {
	x := emulate.Picked(advantage, group)
	mean := g.whitenedMean(advantage, x)
	for k := range x {
		x[k] = g.kept(x[k] - mean)
	}
	squares := g.sums.Dot(x, x)
	divisor := T(max(len(group)-1, 1))
	if g.Makes("whiten-population") {
		g.Show(len(group) > 1 && squares != 0)
		divisor = T(len(group))
	}
	inverse := g.inverseDeviation(g.kept(squares / divisor))
	for k, at := range group {
		advantage[at] = g.whitened(x[k], mean, inverse)
	}
}

// whitened returns a centred advantage over the deviation; by mistake with the mean added back, or
// with the mean alone divided.
func (g *recursion[T]) whitened(x, mean, inverse T) T {
	switch {
	case g.Makes("whiten-mean-kept"):
		g.Show(mean != 0)
		return g.kept(x*inverse) + mean
	case g.Makes("mean-alone-divided"):
		g.Show(inverse != 1)
		return x + mean - mean*inverse
	}
	return g.kept(x * inverse)
}

// inverseDeviation returns that of a variance.
func (g *recursion[T]) inverseDeviation(variance T) T {
	variance = g.kept(variance + T(1e-8))
	switch {
	case g.Makes("whiten-deviation-missing"):
		g.Show(variance != 1)
		return 1
	case g.Makes("whiten-root-missing"):
		g.Show(variance != 1)
		return 1 / variance
	}
	return g.kept(T(1 / math.Sqrt(float64(variance))))
}

// whitenedMean returns the mean of advantages that are whitened; by mistake it is over all places.
func (g *recursion[T]) whitenedMean(advantage, x []T) T {
	if !g.Makes("whiten-mean-over-padding") {
		return g.mean(x)
	}
	g.Show(len(x) < len(advantage) && g.mean(x) != 0)
	return g.mean(advantage)
}

// valueLoss computes ppo.value_loss; the loss is F32, the gradient has the type of values.
func valueLoss[T emulate.Number](j *emulate.Job) {
	b := newBatch[T](j)
	values, old := emulate.Load[T](j, "values"), emulate.Load[T](j, "old_values")
	returns := emulate.Load[T](j, "returns")
	losses, gradient, weights, clip := make([]T, len(values)), make([]T, len(values)), b.weights(), T(j.Float("clip"))
	all := b.allReturns(returns)
	b.each(func(i, at int) {
		b.place = at
		values[at] = b.passed(tokenValues, values[at])
		l, d := b.value(values[at], old[at], returns[at], clip, "")
		wrong, wrongSlope := b.value(values[at], old[at], returns[at], clip, b.Mistake())
		if all != nil {
			wrong, wrongSlope = all.value(values[at], old[at], clip)
		}
		b.Show(wrong != l || wrongSlope != d)
		losses[at] = b.passed(valueLosses, wrong)
		gradient[at] = b.kept(b.passed(valueSlopes, wrongSlope) * b.slopeWeight(i, weights))
	})
	b.spoilGradient(gradient)
	emulate.Store(j, "loss", emulate.Working[T](), []T{b.total(losses, weights)})
	b.storeParts(losses)
	emulate.Store(j, "dvalues", j.Recording.Type("values"), gradient)
}

// value returns the loss of one token and its derivative.
func (b *batch[T]) value(value, old, ret, clip T, mistake string) (loss, slope T) {
	e := b.passed(valueErrors, b.kept(value-ret))
	loss, slope = b.kept(e*e), e
	if size := max(e, -e); mistake == "value-huber" && size > 1 {
		loss, slope = 2*size-1, b.sign(e)
	}
	switch {
	case clip == 0 || mistake == "value-clip-ignored":
	case mistake == "value-loss-clamped":
		if loss > clip {
			loss, slope = clip, 0
		}
	default:
		loss, slope = b.clippedValue(value, old, ret, clip, mistake)
	}
	if mistake == "value-unhalved" {
		return loss, 2 * slope
	}
	return b.kept(loss / 2), slope
}

// clippedValue returns the larger of the squared errors of a value and of the clipped one, and half
// its derivative.
func (b *batch[T]) clippedValue(value, old, ret, clip T, mistake string) (loss, slope T) {
	e := b.passed(valueErrors, b.kept(value-ret))
	loss, slope = b.passed(squares, b.kept(e*e)), e
	edge := b.clip(value, old, clip, mistake)
	d := b.passed(clippedErrors, b.kept(b.passed(clippedValues, edge)-ret))
	square := b.passed(clippedSquares, b.kept(d*d))
	takes := square > loss
	switch mistake {
	case "value-min-for-max":
		takes = square < loss
	case "value-larger-before-square":
		takes = d > e
	case "value-clip-always":
		takes = edge != value
	}
	if takes {
		loss, slope = square, b.clippedSlope(d, mistake)
	}
	if mistake == "value-gradient-cut" && edge != value {
		slope = 0
	}
	return loss, slope
}

// clip returns a value that moves no further from the old one than the clip.
func (b *batch[T]) clip(value, old, clip T, mistake string) T {
	switch mistake {
	case "value-clip-relative":
		return min(max(value, old*(1-clip)), old*(1+clip))
	case "value-clip-above-only":
		return min(value, b.kept(old+clip))
	}
	return min(max(value, b.kept(old-clip)), b.kept(old+clip))
}

// clippedSlope returns the derivative of a clipped error d, halved: 0, which does not move with the
// value.
func (b *batch[T]) clippedSlope(d T, mistake string) T {
	if mistake == "clipped-value-passes-gradient" {
		return d
	}
	return 0
}

// allReturns are those of all tokens in the mask, in order, which a mistake compares every value
// with: values of one shape and returns of another make a matrix of errors.
type allReturns[T emulate.Number] struct {
	sorted, sums   []T // sums of none, of the smallest, of the two smallest, …
	mean, variance T
}

// allReturns returns them where the mistake is made, or else nil.
func (b *batch[T]) allReturns(returns []T) *allReturns[T] {
	if !b.Makes("returns-for-all") {
		return nil
	}
	a := &allReturns[T]{sorted: emulate.Picked(returns, slices.Concat(b.places...)), sums: []T{0}}
	slices.Sort(a.sorted)
	a.mean = b.mean(a.sorted)
	var sum T
	for _, x := range a.sorted {
		sum += x
		a.sums, a.variance = append(a.sums, sum), a.variance+(x-a.mean)*(x-a.mean)/T(len(a.sorted))
	}
	return a
}

// value returns the mean over all returns of the loss of a value, and its derivative: the clipped
// value counts for those returns that it is further from.
func (a *allReturns[T]) value(value, old, clip T) (loss, slope T) {
	edge, n := value, T(len(a.sorted))
	if clip != 0 {
		edge = min(max(value, old-clip), old+clip)
	}
	cut, _ := slices.BinarySearch(a.sorted, (value+edge)/2)
	count, sum := T(cut), a.sums[cut]
	switch {
	case edge == value:
		count, sum = 0, 0
	case edge < value:
		count, sum = n-count, a.sums[len(a.sorted)]-sum
	}
	loss = (value-a.mean)*(value-a.mean) + a.variance + (edge-value)*((edge+value)*count-2*sum)/n
	return loss / 2, value - a.mean - (value*count-sum)/n
}
