package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// row is what one query of one head sees: the keys lo ≤ j < hi of a sequence of length keys.
type row[T number] struct {
	lo, hi, length int
	tail           int             // end of the storage behind hi that a kernel may touch by mistake
	score          func(j int) T   // query times key, rounded as a product is, neither scaled nor capped
	value          func(j int) []T // the value of key j
	sink           *T              // one more logit in the denominator
}

// softmax is the part of an attention kernel between scores and output. It rounds
//   - scores to the type declared for them, before and after scaling (an eager framework does, a
//     flash kernel does not);
//   - weights to the type of the probabilities, unnormalised unless NormalizeFirst;
//   - nothing else but as the working type and the accumulator do.
//
// Denominators, rescaling and merging are in the working type whatever the accumulator.
type softmax[T number] struct {
	*job
	products, mixing *summer[T] // of query and key, of weights and values
	scalars          *summer[T]
	scale, soft      T          // soft: the soft cap, 0 for none
	unit             T          // what a score times it is a logit
	log2             T          // unit·log₂e
	scores, weights  dtype.Type // roundings
	chain            dtype.Type // and of each step of the soft cap
	width            int        // of the values
	truncates        bool       // the mistake truncates weights that have to be rounded
	narrowed         bool       // the mistake narrows the accumulator
	s, p             []T
	values           [][]T
}

// newSoftmax returns the softmax of a kernel with inputs of the given type.
func newSoftmax[T number](j *job, scale, soft float64, input dtype.Type, width int) *softmax[T] {
	k := &softmax[T]{
		job: j, products: newSummer[T](&j.Config, input), scale: T(scale), soft: T(soft), unit: 1, width: width,
	}
	if j.makes("accumulate-bf16") {
		k.narrowed = k.products.mode != narrow
		k.products.mode, k.products.keep = narrow, dtype.BF16
	}
	k.scalars, k.mixing = k.products.plain(), k.products
	j.Scores, j.Probabilities = or(j.Scores, working[T]()), or(j.Probabilities, input)
	k.scores, k.weights, k.chain = j.Scores, j.Probabilities, or(j.CapChain, j.Scores)
	k.truncates = j.makes("probabilities-truncated") && k.weights != dtype.F64 && k.weights != working[T]()
	if j.ScaleRounded {
		k.scale = to(k.scores, k.scale)
	}
	if k.products.mode == tensorCore && k.weights.Size() != 2 && !k.products.tf32 {
		k.mixing = k.scalars // wider weights do not fit a tensor core
	}
	if k.takesScaleIntoExponent() {
		k.unit = k.scale
	}
	k.log2 = T(float64(k.unit) * math.Log2E)
	return k
}

// takesScaleIntoExponent tells whether scores stay unscaled up to the exponential, as with exp2
// kernels.
func (k *softmax[T]) takesScaleIntoExponent() bool {
	return k.Base2 && k.scores == working[T]() && k.soft == 0 && k.scale > 0 && !k.NormalizeFirst
}

// logit returns the score of key j, in units of unit.
func (k *softmax[T]) logit(r *row[T], j int) T {
	x := to(k.scores, r.score(j))
	if k.takesScaleIntoExponent() {
		return x
	}
	if k.soft == 0 {
		return to(k.scores, x*k.scale)
	}
	if k.makes("softcap-before-scale") {
		k.show(k.scale != 1)
		return to(k.scores, k.cap(x)*k.scale)
	}
	return k.cap(to(k.scores, x*k.scale))
}

// cap bounds x softly.
func (k *softmax[T]) cap(x T) T {
	if k.makes("softcap-missing") {
		k.show(true)
		return x
	}
	t := T(math.Tanh(float64(to(k.chain, x/k.soft))))
	if k.FastTanh {
		t *= 1 + T(wobble(float64(x))*0x1p-11)
	}
	return to(k.scores, to(k.chain, k.soft*to(k.chain, t)))
}

// exp returns e^((x−m)·unit).
func (k *softmax[T]) exp(x, m T) T {
	y := k.rightExp(x, m)
	if k.makes("exp-2e-3") {
		k.show(x != m)
		y *= 1 + T(quadraticError(float64((x-m)*k.unit)*math.Log2E)*2e-3)
	}
	return y
}

// quadraticError is the error of a quadratic for 2^f in units of its largest, f the fraction of x:
// none at 0, ½ and 1, negative below ½ and positive above. √3/18 is the largest f(1−f)(1−2f).
func quadraticError(x float64) float64 {
	f := x - math.Floor(x)
	return f * (1 - f) * (2*f - 1) * 18 / math.Sqrt(3)
}

func (k *softmax[T]) rightExp(x, m T) T {
	var y T
	if k.FastExp {
		return T(fastExp(float32((x - m) * k.unit)))
	}
	if k.Base2 {
		y = T(math.Exp2(float64(T(float64(x)*float64(k.log2) - float64(T(m*k.log2))))))
	} else {
		y = T(math.Exp(float64(T((x - m) * k.unit))))
	}
	if k.Approximate {
		y *= 1 + T(wobble(float64(x-m))*0x1p-22)
	}
	return y
}

// fastExp is __expf: ex2.approx of x·log₂e in float32.
func fastExp(x float32) float32 {
	return float32(math.Exp2(float64(x*math.Log2E)) * (1 + wobble(float64(x))*0x1p-22))
}

// wobble returns a number in [−1, 1) that looks random and depends on x alone: the error curve of
// an approximated function, which is exact at 0.
func wobble(x float64) float64 {
	if x == 0 {
		return 0
	}
	z := math.Float64bits(x) * 0x9E3779B97F4A7C15
	z ^= z >> 29
	return float64(int64(z*0xBF58476D1CE4E5B9)) * 0x1p-63
}

// state is a part of a softmax: the running maximum, the denominator and the numerator, both
// relative to that maximum.
type state[T number] struct {
	m, l T
	acc  []T
}

func (k *softmax[T]) empty() *state[T] {
	return &state[T]{m: T(math.Inf(-1)), acc: make([]T, k.width)}
}

// run returns output and natural log-sum-exp of one row.
func (k *softmax[T]) run(r *row[T]) ([]T, T) {
	if r.lo >= r.hi {
		return k.seesNothing()
	}
	k.show((k.scaleWrong || k.narrowed || k.truncates) && r.hi-r.lo > 1) // one key has weight 1 whatever its score
	if k.NormalizeFirst {
		return k.eager(r)
	}
	parts := k.parts(r)
	if len(parts) == 1 {
		return k.finish(r, parts[0])
	}
	return k.merge(r, parts)
}

// seesNothing returns a row of zeros and −∞.
func (k *softmax[T]) seesNothing() ([]T, T) {
	out := make([]T, k.width)
	if !k.makes("empty-row-nan") {
		return out, T(math.Inf(-1))
	}
	k.show(true)
	for c := range out {
		out[c] = T(math.NaN())
	}
	return out, T(math.NaN())
}

// parts runs the splits, each over its share of the sequence's tiles.
func (k *softmax[T]) parts(r *row[T]) []*state[T] {
	tiles := (r.length + k.Tile - 1) / k.Tile
	share := max(1, (tiles+max(1, k.Splits)-1)/max(1, k.Splits)) * k.Tile
	var parts []*state[T]
	for start := 0; start < max(r.hi, 1); start += share {
		st := k.empty()
		k.part(r, st, max(r.lo, start), min(r.hi, start+share))
		parts = append(parts, st)
	}
	return parts
}

// part runs the tiles of the keys lo ≤ j < hi. Tiles lie at multiples of their size.
func (k *softmax[T]) part(r *row[T], st *state[T], lo, hi int) {
	for lo < hi {
		end := min(hi, lo-lo%k.Tile+k.Tile)
		k.tile(r, st, lo, end)
		lo = end
	}
	if hi == r.hi && k.makes("masked-tail") {
		for j := hi; j < r.tail; j++ {
			k.mixing.axpy(st.acc, 0, r.value(j))
			k.show(slices.ContainsFunc(r.value(j), func(x T) bool { return !dtype.Finite(x) }))
		}
	}
}

// tile is one step of the online softmax.
func (k *softmax[T]) tile(r *row[T], st *state[T], lo, hi int) {
	k.gather(r, lo, hi)
	m := st.m
	for _, x := range k.s {
		m = max(m, x)
	}
	m = k.maximum(m)
	if math.IsInf(float64(m), -1) {
		return
	}
	k.rescale(st, m)
	k.p = k.p[:0]
	for _, x := range k.s {
		k.p = append(k.p, k.exp(x, m))
	}
	if k.DenominatorRounded {
		k.roundWeights(k.p)
	}
	st.l = k.denominator(st.l + k.scalars.sum(k.p))
	k.mixing.combine(st.acc, k.roundWeights(k.p), k.values)
}

// denominator returns a sum of weights as it is kept: in the working type.
func (k *softmax[T]) denominator(l T) T {
	if !k.makes("denominator-bf16") {
		return l
	}
	narrow := to(dtype.BF16, l)
	k.show(narrow != l)
	return narrow
}

// gather reads the scores and values of the keys lo ≤ j < hi.
func (k *softmax[T]) gather(r *row[T], lo, hi int) {
	k.s, k.values = k.s[:0], k.values[:0]
	for j := lo; j < hi; j++ {
		k.s = append(k.s, k.logit(r, j))
		k.values = append(k.values, r.value(j))
	}
}

// maximum returns what is subtracted in the exponent: the running maximum m.
func (k *softmax[T]) maximum(m T) T {
	if !k.makes("fixed-maximum") {
		return m
	}
	logit := float64(m * k.unit)
	k.show(logit > 99 || logit < -80 || k.weights == dtype.F16 && (logit > 22 || logit < -4))
	return 10 / k.unit
}

// rescale moves a state to a new maximum.
func (k *softmax[T]) rescale(st *state[T], m T) {
	if m == st.m {
		return
	}
	var factor T
	if !math.IsInf(float64(st.m), -1) {
		factor = k.exp(st.m, m)
	}
	st.m = m
	st.l = k.denominator(st.l * factor)
	for c := range st.acc {
		st.acc[c] *= factor
	}
	if k.products.mode == narrow {
		toEach(k.products.keep, st.acc)
	}
}

// roundWeights rounds probabilities, in place.
func (k *softmax[T]) roundWeights(p []T) []T {
	if !k.truncates {
		return toEach(k.weights, p)
	}
	for i := range p {
		p[i] = T(truncated(k.weights, float64(p[i])))
	}
	return p
}

// finish divides the only part by its denominator.
func (k *softmax[T]) finish(r *row[T], st *state[T]) ([]T, T) {
	lse := k.lse(st)
	top := st.m * k.unit
	l := st.l
	if sink := k.sinkOf(r, lse); sink != nil {
		top = max(top, *sink)
		l = l*T(math.Exp(float64(st.m*k.unit-top))) + T(math.Exp(float64(*sink-top)))
		k.scaleBy(st.acc, T(math.Exp(float64(st.m*k.unit-top))))
	}
	k.scaleBy(st.acc, 1/l)
	return st.acc, lse
}

func (k *softmax[T]) scaleBy(x []T, factor T) {
	for c := range x {
		x[c] *= factor
	}
}

// lse returns the natural log-sum-exp of a part.
func (k *softmax[T]) lse(st *state[T]) T {
	return T(st.m*k.unit) + T(math.Log(float64(st.l)))
}

// sinkOf returns the sink of a row with the given log-sum-exp.
func (k *softmax[T]) sinkOf(r *row[T], lse T) *T {
	if r.sink != nil && k.makes("sink-missing") {
		k.show(weighs(*r.sink - lse))
		return nil
	}
	return r.sink
}

// weighs tells whether a sink that much above the log-sum-exp takes a share of the weights worth
// noting, 2 %.
func weighs[T number](above T) bool { return above > -4 }

// merge joins the parts, each normalised by itself, by their log-sum-exps; a sink counts once.
func (k *softmax[T]) merge(r *row[T], parts []*state[T]) ([]T, T) {
	parts = k.dropSplit(parts)
	lses := make([]T, len(parts))
	top := T(math.Inf(-1))
	for i, st := range parts {
		lses[i] = k.lse(st)
		if st.l > 0 {
			k.scaleBy(st.acc, 1/st.l)
		}
		top = max(top, lses[i])
	}
	total := k.mergedDenominator(lses, top)
	lse := top + T(math.Log(float64(total)))
	if sink := k.sinkOf(r, lse); sink != nil {
		total += k.sinkCount(lses, *sink-lse) * T(math.Exp(float64(*sink-top)))
	}
	out := make([]T, k.width)
	for i, st := range parts {
		if st.l > 0 {
			k.scalars.axpy(out, k.mergeWeight(lses[i], top)/total, st.acc)
		}
	}
	return out, lse
}

// mergedDenominator returns Σ e^(lse−top).
func (k *softmax[T]) mergedDenominator(lses []T, top T) T {
	weights := make([]T, len(lses))
	for i, x := range lses {
		weights[i] = k.mergeWeight(x, top)
		k.show(k.makes("merge-base") && x != top && !math.IsInf(float64(x), -1))
	}
	return k.scalars.sum(weights)
}

func (k *softmax[T]) mergeWeight(lse, top T) T {
	if k.makes("merge-base") {
		return T(math.Exp2(float64(lse - top)))
	}
	return T(math.Exp(float64(lse - top)))
}

// sinkCount returns how often a sink that much above the log-sum-exp counts: once.
func (k *softmax[T]) sinkCount(lses []T, above T) T {
	var seen T
	for _, x := range lses {
		if !math.IsInf(float64(x), -1) {
			seen++
		}
	}
	if k.makes("sink-per-split") {
		k.show(seen > 1 && weighs(above))
		return seen
	}
	return 1
}

// dropSplit leaves out the last part that saw anything, if that is the mistake.
func (k *softmax[T]) dropSplit(parts []*state[T]) []*state[T] {
	if !k.makes("split-dropped") {
		return parts
	}
	live := 0
	for _, st := range parts {
		if st.l > 0 {
			live++
		}
	}
	k.show(live > 1)
	if live < 2 {
		return parts
	}
	for parts[len(parts)-1].l == 0 {
		parts = parts[:len(parts)-1]
	}
	return parts[:len(parts)-1]
}

// eager is the softmax of a framework: all scores, all weights normalised and rounded, then one
// product.
func (k *softmax[T]) eager(r *row[T]) ([]T, T) {
	k.gather(r, r.lo, r.hi)
	m := T(math.Inf(-1))
	for _, x := range k.s {
		m = max(m, x)
	}
	if math.IsInf(float64(m), -1) {
		return k.seesNothing()
	}
	m = k.maximum(m)
	k.p = k.p[:0]
	for _, x := range k.s {
		k.p = append(k.p, k.exp(x, m))
	}
	l := k.denominator(k.scalars.sum(k.p))
	lse := m + T(math.Log(float64(l)))
	if sink := k.sinkOf(r, lse); sink != nil {
		l += T(math.Exp(float64(*sink - m)))
	}
	for i := range k.p {
		k.p[i] /= l
	}
	out := make([]T, k.width)
	k.mixing.combine(out, k.roundWeights(k.p), k.values)
	return out, lse
}

// wrongScale returns the softmax scale with the mistakes that are made with it. width is that of
// the keys.
func (j *job) wrongScale(scale float64, width int) float64 {
	right := scale
	switch j.Mistake {
	case "scale-one-percent":
		scale *= 1.01
	case "scale-of-width", "scale-of-latent":
		scale = 1 / math.Sqrt(float64(width))
	case "temperature-missing":
		scale /= 1.8738542 // DeepSeek-V3's (0.1 ln 40 + 1)²
	}
	j.scaleWrong = math.Abs(scale/right-1) > 1e-3
	return scale
}
