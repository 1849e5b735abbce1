package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("policy.cross_entropy", emulate.Kernel{
		Float32: crossEntropy[float32], Float64: crossEntropy[float64], Request: requestCrossEntropy,
		Right: heads(),
		Quantities: slices.Concat(
			ofTokenRows.have(lses, lsesAgain, tokenLogits, lossesInSum),
			averaging(ofTokenRows.have(divisors), emulate.Divides),
			ofLogits.have(productLogits, logitsAgain, gradients, gradientToHidden, gradientToWeight),
		),
	})
}

// heads returns kernels that differ in the order of their sums, in chunks of the vocabulary (tiles)
// and of rows (splits), and in what they store.
func heads() []emulate.Config {
	all := append(
		emulate.Orders(), emulate.Config{Tile: 7}, emulate.Config{Tile: 32, Order: emulate.Strided, Base2: true},
		emulate.Config{Splits: 3}, emulate.Config{Splits: 4, Approximate: true}, emulate.Config{NormalizeFirst: true},
		emulate.Config{Accumulate: arithmetic.F32Hopper, Tile: 64},
		emulate.Config{Splits: 2, Combine: dtype.BF16},
		emulate.Config{Splits: 6, Combine: dtype.BF16, Output: dtype.BF16},
		emulate.Config{Combine: dtype.BF16},
		emulate.Config{Scores: dtype.BF16, Intermediate: dtype.BF16, Output: dtype.BF16},
		emulate.Config{Scores: dtype.BF16, Intermediate: dtype.BF16, NormalizeFirst: true},
	)
	for _, t := range []dtype.Type{dtype.F32, dtype.BF16} {
		all = append(
			all, emulate.Config{Intermediate: t}, emulate.Config{Intermediate: t, Tile: 16},
			emulate.Config{Intermediate: t, Splits: 3, Order: emulate.Pairwise},
		)
	}
	return all
}

// linearHead is a fused head and loss. Logits and their gradients are rounded to the intermediate
// type; with Scores, as in eager frameworks, log-probabilities and probabilities are too.
type linearHead[T emulate.Number] struct {
	*batch[T]
	hidden, weight []T
	targets        []int
	vocab, d       int
	products       *emulate.Summer[T] // of hidden and weight
	slopes, parts  *emulate.Summer[T] // of gradients with each
	stored, scalar dtype.Type
	temperature    T
	divisor        T
	divisors       []T // of each row, where they differ by mistake
}

func newLinearHead[T emulate.Number](j *emulate.Job) *linearHead[T] {
	h := &linearHead[T]{
		hidden: emulate.Load[T](j, "hidden"), weight: emulate.Load[T](j, "weight"), targets: j.LoadInts("targets"),
		vocab: j.Dim("vocab"), d: j.Dim("d"), temperature: T(j.Float("temperature")), divisor: 1,
	}
	in, w := j.Recording.Type("hidden"), j.Recording.Type("weight")
	h.products = emulate.NewSummer[T](&j.Config, wider(in, w))
	j.Intermediate = cmp.Or(j.Intermediate, in)
	h.stored, h.scalar = j.Intermediate, emulate.Working[T]()
	if j.Scores != dtype.Invalid && !wide[T](h.stored) {
		h.scalar = h.stored
	}
	h.slopes, h.parts = h.summer(j, wider(h.stored, w)), h.summer(j, wider(h.stored, in))
	h.batch = newRows[T](j, j.Dim("N"), h.vocab)
	h.spoil()
	return h
}

// summer returns sums of products of gradients: of tensor cores where these take operands of the
// type.
func (h *linearHead[T]) summer(j *emulate.Job, operands dtype.Type) *emulate.Summer[T] {
	c := j.Config
	return emulate.NewSummer[T](&c, operands)
}

// wider returns the type of operands that are brought to one.
func wider(a, b dtype.Type) dtype.Type {
	if a.Size() < b.Size() {
		return b
	}
	return a
}

// wide tells whether a type is no narrower than the working type.
func wide[T emulate.Number](t dtype.Type) bool {
	return t.UnitRoundoff() <= emulate.Working[T]().UnitRoundoff()
}

// counts tells whether row n counts.
func (h *linearHead[T]) counts(n int) bool { return h.targets[n] != h.Int("ignore_index") }

// spoil makes the mistakes with targets, temperature and divisor.
func (h *linearHead[T]) spoil() {
	h.rollMask()
	n := 0
	for i := range h.targets {
		if h.counts(i) {
			n++
		}
	}
	if h.Word("reduction") == "mean" {
		h.divisor = T(max(1, n))
		if h.Makes("ignored-counted") {
			h.Show(n < h.N && n > 0)
			h.divisor = T(h.N)
		}
		h.halves(n)
	}
	if h.Makes("sampling-temperature-missing") {
		h.Show(h.temperature != 1 && n > 0)
		h.temperature = 1
	}
	h.shiftTargets()
	h.passDivisors()
}

// passDivisors hands out what each row is divided by, 0 for one that does not count.
func (h *linearHead[T]) passDivisors() {
	if h.Quantities == nil || h.Word("reduction") != "mean" {
		return
	}
	each := make([]T, h.N)
	for i := range each {
		if h.counts(i) {
			each[i] = h.divisorOf(i)
		}
	}
	emulate.Pass(h.Job, divisors, 0, each)
	for i, d := range each {
		if !h.counts(i) || d == 0 {
			each[i] = h.divisor
		}
	}
	h.divisors = each
}

// shiftTargets makes the mistake of targets that are shifted once more.
func (h *linearHead[T]) shiftTargets() {
	if !h.Makes("targets-shifted") {
		return
	}
	next := append(append([]int{}, h.targets[1:]...), h.Int("ignore_index"))
	for i := range next {
		h.Show(next[i] != h.targets[i])
	}
	h.targets = next
}

// halves makes the mistakes of means over two halves of the rows, of which n count, that are
// averaged or added.
func (h *linearHead[T]) halves(n int) {
	means := T(2)
	switch {
	case h.Makes("chunk-means-added"):
		means = 1
	case !h.Makes("chunk-means-averaged"):
		return
	}
	half, first := (h.N+1)/2, 0
	for i := range half {
		if h.counts(i) {
			first++
		}
	}
	h.divisors = make([]T, h.N)
	for i := range h.divisors {
		h.divisors[i] = means * T(max(1, first))
		if i >= half {
			h.divisors[i] = means * T(max(1, n-first))
		}
		h.Show(h.counts(i) && h.divisors[i] != h.divisor)
	}
}

// unit returns what the gradient of row n is multiplied by.
func (h *linearHead[T]) unit(n int) T {
	unit := h.keep(h.scalar, 1/h.divisorOf(n))
	if h.Makes("upstream-of-first") && !h.counts(0) {
		h.Show(unit != 0)
		return 0
	}
	if h.Makes("gradient-undivided") {
		h.Show(unit != 1)
		return 1
	}
	return unit
}

// divisorOf returns what the loss of row n is divided by.
func (h *linearHead[T]) divisorOf(n int) T {
	if h.divisors != nil {
		return h.divisors[n]
	}
	return h.divisor
}

// rollMask makes the mistake of a mask that is rolled once more than the targets are.
func (h *linearHead[T]) rollMask() {
	if !h.Makes("mask-rolled-twice") {
		return
	}
	for i := range h.targets {
		own, next := h.counts(i), i+1 < h.N && h.counts(i+1)
		h.Show(own != next)
		switch {
		case own && !next:
			h.targets[i] = h.Int("ignore_index")
		case next && !own:
			h.targets[i] = 0
		}
	}
}

// logits returns those of row n, over the temperature.
func (h *linearHead[T]) logits(n int) []T {
	z := make([]T, h.vocab)
	for j := range z {
		z[j] = h.keep(h.stored, h.products.Dot(emulate.Row(h.hidden, n, h.d), emulate.Row(h.weight, j, h.d)))
		if h.temperature != 1 {
			z[j] = h.keep(h.scalar, z[j]/h.temperature)
		}
	}
	emulate.Pass(h.Job, productLogits, n*h.vocab, z)
	return z
}

// keep rounds to a type, if that is narrower than the working type.
func (h *linearHead[T]) keep(t dtype.Type, x T) T {
	if wide[T](t) {
		return x
	}
	return emulate.Round(t, x)
}

// logSumExp goes through the vocabulary in tiles, and returns the largest logit and the sum.
func (h *linearHead[T]) logSumExp(z []T) (m, sum T) {
	m = T(math.Inf(-1))
	for from := 0; from < len(z); from += h.Tile {
		to := min(from+h.Tile, len(z))
		if h.Makes("last-chunk-dropped") && to == len(z) && from > 0 {
			h.Show(true)
			break
		}
		before := m
		var exps []T
		for _, x := range z[from:to] {
			m = max(m, x)
		}
		for _, x := range z[from:to] {
			exps = append(exps, h.exponential(x-m))
		}
		sum = h.rescaled(sum, before-m) + h.sums.Sum(exps)
	}
	return m, sum
}

// rescaled returns the sum of the chunks so far under a maximum that has grown.
func (h *linearHead[T]) rescaled(sum, by T) T {
	if h.Makes("sum-not-rescaled") {
		h.Show(sum != 0 && by != 0)
		return sum
	}
	return sum * T(math.Exp(float64(by)))
}

// row returns the loss of row n and the gradient of its logits.
func (h *linearHead[T]) row(n int) (loss T, dz []T) {
	z, y := h.logits(n), h.targets[n]
	all, _ := h.wrongVocabulary(z, y)
	m, sum := h.logSumExp(all)
	sum = h.counted(sum, all)
	logarithm := emulate.LogOfSum(h.Job, sum)
	if h.place = n; h.Quantities != nil {
		m, sum, logarithm = h.passed(lses, m+logarithm), 1, 0
	}
	loss = h.keep(h.scalar, -(h.passed(tokenLogits, z[y])-m-logarithm)) + h.lostLogit(z, y)
	unit := h.unit(n)
	z, m, sum = h.untempered(z, m, sum)
	dz, m = make([]T, h.vocab), h.passed(lsesAgain, m)
	emulate.Pass(h.Job, logitsAgain, n*h.vocab, z)
	for j, x := range z {
		p := h.exponential(x-m) / sum
		if h.scalar != emulate.Working[T]() {
			p = h.keep(h.scalar, emulate.Exponential(h.Job, h.keep(h.scalar, x-m-logarithm)))
		}
		dz[j] = h.slope(p, unit, j == y)
	}
	h.dropHalf(dz, y)
	emulate.Pass(h.Job, gradients, n*h.vocab, dz)
	return loss, dz
}

// untempered makes the mistake of a gradient whose softmax is of logits that are not divided by the
// temperature; it returns them with their maximum and sum of exponentials.
func (h *linearHead[T]) untempered(z []T, m, sum T) ([]T, T, T) {
	if !h.Makes("probabilities-untempered") || h.temperature == 1 {
		return z, m, sum
	}
	h.Show(true)
	z = times(h.temperature, z)
	m, sum = h.logSumExp(z)
	return z, m, sum
}

// slope returns an element of the gradient of logits as it is stored.
func (h *linearHead[T]) slope(p, unit T, target bool) T {
	if h.Makes("softmax-dropped") {
		h.Show(p != 0)
		p = 0
	}
	if h.Makes("temperature-on-softmax-alone") {
		return h.tempered(p, unit, target)
	}
	if target && h.Makes("target-missing") {
		h.Show(true)
	} else if target {
		p = h.keep(h.scalar, p-1)
	}
	x := h.keep(h.scalar, p*unit)
	if h.Makes("gradient-untempered") {
		h.Show(h.temperature != 1)
	} else if h.temperature != 1 {
		x = h.keep(h.scalar, x/h.temperature)
	}
	return h.keep(h.stored, x)
}

// tempered makes the mistake of a gradient of logits that is divided by the temperature before the
// target's own is subtracted.
func (h *linearHead[T]) tempered(p, unit T, target bool) T {
	h.Show(h.temperature != 1)
	x := p / h.temperature
	if target {
		x--
	}
	return h.keep(h.stored, x*unit)
}

// crossEntropy computes policy.cross_entropy: losses in float32, gradients in the types of what
// they are for.
func crossEntropy[T emulate.Number](j *emulate.Job) {
	h := newLinearHead[T](j)
	losses, dz := make([]T, h.N), make([][]T, h.N)
	for n := range losses {
		if h.counts(n) {
			losses[n], dz[n] = h.row(n)
		} else {
			h.ignored(n, losses, dz)
		}
	}
	emulate.Store(j, "loss", emulate.Working[T](), []T{h.loss(losses)})
	emulate.Store(j, "token_loss", emulate.Working[T](), losses)
	emulate.Store(j, "dhidden", j.Recording.Type("hidden"), h.dhidden(dz))
	emulate.Store(j, "dweight", j.Recording.Type("weight"), h.dweight(dz))
}

// ignored makes the mistakes with a row whose target is ignored: token 0 is in its place.
func (h *linearHead[T]) ignored(n int, losses []T, dz [][]T) {
	leaks, counts := h.Makes("ignored-leak"), h.Makes("ignored-in-loss")
	if !leaks && !counts {
		return
	}
	h.targets[n] = 0
	loss, slopes := h.row(n)
	h.Show(true)
	if leaks {
		dz[n] = slopes
	} else {
		losses[n] = loss
	}
}

// loss puts losses together.
func (h *linearHead[T]) loss(losses []T) T {
	losses = slices.Clone(losses)
	emulate.Pass(h.Job, lossesInSum, 0, losses)
	if !h.NormalizeFirst && h.divisors == nil {
		return h.keep(h.scalar, h.sums.Sum(losses)) / h.divisor
	}
	terms := make([]T, len(losses))
	for i, l := range losses {
		terms[i] = h.keep(h.scalar, l/h.divisorOf(i))
	}
	return h.sums.Sum(terms)
}

// dhidden returns the gradient of the hidden states.
func (h *linearHead[T]) dhidden(dz [][]T) []T {
	x, rows := make([]T, h.N*h.d), make([][]T, h.vocab)
	for v := range rows {
		rows[v] = emulate.Row(h.weight, v, h.d)
	}
	for n, g := range dz {
		if g != nil {
			g = slices.Clone(g)
			emulate.Pass(h.Job, gradientToHidden, n*h.vocab, g)
			h.slopes.Combine(emulate.Row(x, n, h.d), g, rows)
		}
	}
	return x
}

// dweight returns the gradient of the head, added up over chunks of rows.
func (h *linearHead[T]) dweight(dz [][]T) []T {
	x, chunks := make([]T, h.vocab*h.d), max(1, h.Splits)
	h.Combine = cmp.Or(h.Combine, emulate.Working[T]())
	kept := h.Combine
	if h.Makes("head-gradient-bf16") {
		h.Show(wide[T](kept) && wide[T](h.stored) && h.Recording.Type("weight") == dtype.F32)
		kept = dtype.BF16
	}
	for c := range chunks {
		part := h.partOf(dz, c*h.N/chunks, (c+1)*h.N/chunks)
		if h.Makes("last-chunk-alone") {
			h.Show(slices.ContainsFunc(x, func(v T) bool { return v != 0 }))
			clear(x)
		}
		for i, g := range part {
			x[i] = h.keep(kept, x[i]+h.keep(kept, g))
		}
	}
	return x
}

// partOf returns what some rows are for the gradient of the head.
func (h *linearHead[T]) partOf(dz [][]T, from, to int) []T {
	x := make([]T, h.vocab*h.d)
	var rows [][]T
	var counted []int
	for n := from; n < to; n++ {
		if dz[n] != nil {
			rows, counted = append(rows, emulate.Row(h.hidden, n, h.d)), append(counted, n)
		}
	}
	if len(rows) == 0 {
		return x
	}
	for v := range h.vocab {
		g := make([]T, len(counted))
		for i, n := range counted {
			g[i] = emulate.PassOne(h.Job, gradientToWeight, n*h.vocab+v, dz[n][v])
		}
		h.parts.Combine(emulate.Row(x, v, h.d), g, rows)
	}
	return x
}

func requestCrossEntropy(m *emulate.Maker) {
	n, d, vocab := emulate.Pick(m, 1, 3, 8, 17), emulate.Pick(m, 4, 16, 31), emulate.Pick(m, 5, 33, 70)
	hidden, targets := m.Normals(0, 1, n, d), make([]int, n)
	for i := range targets {
		targets[i] = m.IntN(vocab)
	}
	if m.Chance(0.6) {
		ignoreRows(m, hidden, targets)
	}
	m.Set("hidden", m.Input, hidden)
	spread := m.Within(1, 3) / math.Sqrt(float64(d)) // of logits
	m.Set("weight", emulate.Pick(m, m.Input, m.Input, dtype.F32), m.Normals(0, spread, vocab, d))
	m.Ints("targets", targets, n)
	m.Sometimes(0.4, "reduction", "sum")
	if m.Chance(0.4) {
		m.Number("temperature", emulate.Pick(m, 0.6, 0.7, 2))
	}
}

// ignoreRows leaves some rows without a target, and what they hold is nothing of use.
func ignoreRows(m *emulate.Maker, hidden *tensor.Tensor, targets []int) {
	ignore := emulate.Pick(m, -100, -100, -1)
	if ignore != -100 {
		m.Whole("ignore_index", ignore)
	}
	junk := emulate.Pick(m, 0, math.NaN(), 3)
	for i := 1; i < len(targets); i++ {
		if !m.Chance(0.3) {
			continue
		}
		targets[i] = ignore
		if i == 1 && len(targets) > 8 {
			targets[0] = ignore
		}
		for c := range hidden.Row(i) {
			hidden.Row(i)[c] = cmp.Or(junk, hidden.Row(i)[c])
		}
	}
}
