package emulate

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// Query is what one query of one head sees: the keys lo ≤ j < hi of a sequence of length keys.
type Query[T Number] struct {
	Lo, Hi, Length int
	Tail           int             // end of the storage behind hi that a kernel may touch by mistake
	Score          func(j int) T   // query times key, rounded as a product is, neither scaled nor capped
	Value          func(j int) []T // the value of key j
	Sink           *T              // one more logit in the denominator
	Place          int             // of its scores among all, where they are looked at
	Row            int             // its number among all rows, in the order of log-sum-exps
	Longest        int             // keys of the longest sequence
}

// What an eager softmax forms: scores, and weights of keys.
const (
	Scores  = "the scores"
	Weights = "the weights of keys"
)

// Softmax is the part of an attention kernel between scores and output. It rounds
//   - scores to the type declared for them, before and after scaling (an eager framework does, a
//     flash kernel does not);
//   - weights to the type of the probabilities, unnormalised unless NormalizeFirst;
//   - nothing else but as the working type and the accumulator do.
//
// Denominators, rescaling and merging are in the working type whatever the accumulator.
type Softmax[T Number] struct {
	*Job
	Products, mixing *Summer[T] // of query and key, of weights and values
	Scalars          *Summer[T]
	Scale, Soft      T          // soft: the soft cap, 0 for none
	Unit             T          // what a score times it is a logit
	Log2             T          // unit·log₂e
	Scores, Weights  dtype.Type // roundings
	Chain            dtype.Type // and of each step of the soft cap
	width            int        // of the values
	Again            bool       // in a backward pass, which forms the scores once more
	truncates        bool       // the mistake truncates weights that have to be rounded
	narrowed         bool       // the mistake narrows the accumulator, or scores
	S, p             []T
	values           [][]T
	Batch            Batch[T]
	read             map[int][]*state[T] // parts of rows that were read for others
}

// NewSoftmax returns the softmax of a kernel with inputs of the given type.
func NewSoftmax[T Number](j *Job, scale, soft float64, input dtype.Type, width int) *Softmax[T] {
	k := &Softmax[T]{
		Job: j, Products: NewSummer[T](&j.Config, input), Scale: T(scale), Soft: T(soft), Unit: 1, width: width,
	}
	if j.Makes("accumulate-bf16") {
		k.narrowed = k.Products.mode != narrow
		k.Products.Narrow(dtype.BF16)
	}
	k.Scalars, k.mixing = k.Products.Plain(), k.Products
	j.Scores, j.Probabilities = cmp.Or(j.Scores, Working[T]()), cmp.Or(j.Probabilities, input)
	k.Scores, k.Weights, k.Chain = j.Scores, j.Probabilities, cmp.Or(j.CapChain, j.Scores)
	k.spoilTypes()
	if j.ScaleRounded {
		k.Scale = Round(k.Scores, k.Scale)
	}
	if k.Products.mode == tensorCore && k.Weights.Size() != 2 && !k.Products.tf32 {
		k.mixing = k.Scalars // wider weights do not fit a tensor core
	}
	if k.takesScaleIntoExponent() {
		k.Unit = k.Scale
	}
	k.Log2 = T(float64(k.Unit) * math.Log2E)
	return k
}

// spoilTypes makes the mistakes with the types that are declared.
func (k *Softmax[T]) spoilTypes() {
	if k.Makes("scores-bf16") {
		k.narrowed = k.Scores.Size() > 2
		k.Scores = dtype.BF16
	}
	k.truncates = k.Makes("probabilities-truncated") && k.Weights != dtype.F64 && k.Weights != Working[T]()
}

// takesScaleIntoExponent tells whether scores stay unscaled up to the exponential, as with exp2
// kernels.
func (k *Softmax[T]) takesScaleIntoExponent() bool {
	return k.Base2 && k.Scores == Working[T]() && k.Soft == 0 && k.Scale > 0 && !k.NormalizeFirst
}

// logit returns the score of key j, in units of unit.
func (k *Softmax[T]) logit(r *Query[T], j int) T {
	x := Round(k.Scores, r.Score(j))
	if k.takesScaleIntoExponent() {
		return x
	}
	if k.Soft == 0 {
		return Round(k.Scores, x*k.Scale)
	}
	if k.Makes("softcap-before-scale") {
		k.Show(k.Scale != 1)
		return Round(k.Scores, k.cap(x)*k.Scale)
	}
	return k.cap(Round(k.Scores, x*k.Scale))
}

// cap bounds x softly.
func (k *Softmax[T]) cap(x T) T {
	if wrong, made := k.wrongCap(x); made {
		k.Show(k.Makes("softcap-missing") || math.Abs(float64(wrong/k.rightCap(x)-1)) > 0.01)
		return wrong
	}
	return k.rightCap(x)
}

func (k *Softmax[T]) rightCap(x T) T {
	t := T(math.Tanh(float64(Round(k.Chain, x/k.Soft))))
	if k.FastTanh {
		t *= 1 + T(Wobble(float64(x))*0x1p-11)
	}
	return Round(k.Scores, Round(k.Chain, k.Soft*Round(k.Chain, t)))
}

// wrongCap returns what a kernel with a mistake of soft caps makes of x.
func (k *Softmax[T]) wrongCap(x T) (wrong T, made bool) {
	switch {
	case k.Makes("softcap-missing"), k.Again && k.Makes("backward-uncapped"):
		return x, true
	case k.Makes("softcap-inverted"):
		return k.Soft * T(math.Tanh(float64(x*k.Soft))), true
	case k.Makes("softcap-unmultiplied"):
		return T(math.Tanh(float64(x / k.Soft))), true
	case k.Makes("softcap-overflow") && math.Abs(float64(x/k.Soft)) > largestExponent:
		k.Show(true)
		return T(math.NaN()), true
	case k.Makes("softcap-in-base-2"):
		return k.rightCap(x*math.Log2E) / math.Log2E, true
	case k.Makes("softcap-hard"):
		return min(max(x, -k.Soft), k.Soft), true
	}
	return 0, false
}

// largestExponent is the largest number whose exponential float32 holds.
const largestExponent = 88.72

// Exp returns e^((x−m)·unit).
func (k *Softmax[T]) Exp(x, m T) T {
	y := k.rightExp(x, m)
	if k.Makes("exp-2e-3") {
		k.Show(x != m)
		y *= 1 + T(quadraticError(float64((x-m)*k.Unit)*math.Log2E)*2e-3)
	}
	return y
}

// quadraticError is the error of a quadratic for 2^f in units of its largest, f the fraction of x:
// none at 0, ½ and 1, negative below ½ and positive above. √3/18 is the largest f(1−f)(1−2f).
func quadraticError(x float64) float64 {
	f := x - math.Floor(x)
	return f * (1 - f) * (2*f - 1) * 18 / math.Sqrt(3)
}

func (k *Softmax[T]) rightExp(x, m T) T {
	var y T
	if k.FastExp {
		return T(FastExp(float32((x - m) * k.Unit)))
	}
	if k.Base2 {
		y = T(math.Exp2(float64(T(float64(x)*float64(k.Log2) - float64(T(m*k.Log2))))))
	} else {
		y = T(math.Exp(float64(T((x - m) * k.Unit))))
	}
	if k.Approximate {
		y *= 1 + T(Wobble(float64(x-m))*0x1p-22)
	}
	return y
}

// FastExp is __expf: ex2.approx of x·log₂e in float32.
func FastExp(x float32) float32 {
	return float32(math.Exp2(float64(x*math.Log2E)) * (1 + Wobble(float64(x))*0x1p-22))
}

// Wobble returns a number in [−1, 1) that looks random and depends on x alone: the error curve of
// an approximated function, which is exact at 0.
func Wobble(x float64) float64 {
	if x == 0 {
		return 0
	}
	z := math.Float64bits(x) * 0x9E3779B97F4A7C15
	z ^= z >> 29
	return float64(int64(z*0xBF58476D1CE4E5B9)) * 0x1p-63
}

// state is a part of a softmax: the running maximum, the denominator and the numerator, both
// relative to that maximum.
type state[T Number] struct {
	m, l T
	acc  []T
}

func (k *Softmax[T]) empty() *state[T] {
	return &state[T]{m: T(math.Inf(-1)), acc: make([]T, k.width)}
}

// all returns the denominator of a part, which a mistaken kernel begins at 1 and does not scale.
func (k *Softmax[T]) all(l T) T {
	if !k.Makes("denominator-from-one") || l == 0 {
		return l
	}
	k.Show(l < 20)
	return l + 1
}

// Run returns output and natural log-sum-exp of one row.
func (k *Softmax[T]) Run(r *Query[T]) ([]T, T) {
	if r.Lo >= r.Hi {
		return k.seesNothing(r)
	}
	r = k.padded(r)
	if k.vanishes(r) {
		return make([]T, k.width), T(math.Inf(-1))
	}
	k.Show((k.ScaleWrong || k.narrowed || k.truncates) && r.Hi-r.Lo > 1) // one key has weight 1 whatever its score
	out, lse := k.sees(r)
	if k.Makes("lse-with-sink") && r.Sink != nil {
		k.Show(weighs(*r.Sink - lse))
		lse = LogSum(lse, *r.Sink)
	}
	return out, lse
}

// padded returns a row that sees the zeros behind the last key of its last tile, too, if that is
// the mistake: a causal mask would hide them.
func (k *Softmax[T]) padded(r *Query[T]) *Query[T] {
	if !k.Makes("padding-scores-zero") || r.Hi < r.Length || k.Flag("causal") && k.Dim("S") > 1 {
		return r
	}
	end := (r.Length + k.Tile - 1) / k.Tile * k.Tile
	if end == r.Hi {
		return r
	}
	k.Show(true)
	wide := *r
	wide.Hi, wide.Length = end, end
	wide.Uncover(0, r.Lo, r.Hi)
	wide.Value = func(j int) []T {
		if j < r.Hi {
			return r.Value(j)
		}
		return make([]T, k.width)
	}
	return &wide
}

// Uncover gives the keys of a row that lie outside lo ≤ j < hi a score of their own.
func (r *Query[T]) Uncover(score T, lo, hi int) {
	right := r.Score
	r.Score = func(j int) T {
		if j >= lo && j < hi {
			return right(j)
		}
		return score
	}
}

// sees returns output and natural log-sum-exp of a row that sees a key.
func (k *Softmax[T]) sees(r *Query[T]) ([]T, T) {
	if k.NormalizeFirst || k.Quantities != nil {
		return k.eager(r)
	}
	parts := k.exchanged(r, k.parts(r))
	if len(parts) == 1 {
		return k.finish(r, parts[0])
	}
	return k.merge(r, parts)
}

// LogSum returns ln(e^a + e^b).
func LogSum[T Number](a, b T) T {
	top := max(a, b)
	return top + T(math.Log(math.Exp(float64(a-top))+math.Exp(float64(b-top))))
}

// seesNothing returns a row of zeros and −∞.
func (k *Softmax[T]) seesNothing(r *Query[T]) ([]T, T) {
	out := make([]T, k.width)
	switch {
	case k.Makes("empty-row-nan"):
		k.Show(true)
		Fill(out, T(math.NaN()))
		return out, T(math.NaN())
	case k.Makes("empty-row-mean") && r.Length > 0:
		k.Show(true)
		for j := range r.Length {
			k.Scalars.axpy(out, 1/T(r.Length), r.Value(j))
		}
		return out, sentinel + T(math.Log(float64(r.Length)))
	case k.Makes("empty-row-lse-zero"):
		k.Show(!k.DenominatorRounded)
		return out, 0
	case k.Makes("empty-row-lse-infinite"):
		k.Show(!k.DenominatorRounded)
		return out, T(math.Inf(1))
	}
	return out, T(math.Inf(-1))
}

// sentinel is what some kernels take for minus infinity.
const sentinel = -5e4

// starts are the numbers at which running maxima begin, in mistakes.
var starts = map[string]float64{
	"maximum-sentinel": sentinel, "maximum-from-minus-30000": -3e4, "maximum-from-minus-10000": -1e4,
	"maximum-from-zero": 0,
}

// vanishes tells whether all weights of a row underflow float32 below the number at which the
// running maximum of a mistaken kernel begins.
func (k *Softmax[T]) vanishes(r *Query[T]) bool {
	const underflow = 104
	start, made := In(k.Job, starts)
	gone := made && float64(k.Largest(r)) < start-underflow
	k.Show(gone)
	return gone
}

// Largest returns the largest logit of a row.
func (k *Softmax[T]) Largest(r *Query[T]) T {
	largest := T(math.Inf(-1))
	for j := r.Lo; j < r.Hi; j++ {
		largest = max(largest, k.logit(r, j)*k.Unit)
	}
	return largest
}

// parts runs the splits, each over its share of the sequence's tiles.
func (k *Softmax[T]) parts(r *Query[T]) []*state[T] {
	if k.Makes("stale-chunk-merged") {
		return k.staleParts(r)
	}
	tiles := (r.Length + k.Tile - 1) / k.Tile
	share := max(1, (tiles+max(1, k.Splits)-1)/max(1, k.Splits)) * k.Tile
	var parts []*state[T]
	for start := 0; start < max(r.Hi, 1); start += share {
		st := k.empty()
		k.part(r, st, max(r.Lo, k.begins(r, start)), min(r.Hi, start+share))
		parts = append(parts, st)
	}
	return parts
}

// begins returns where a split begins that should at start.
func (k *Softmax[T]) begins(r *Query[T], start int) int {
	if !k.Makes("split-overlap") || start == 0 {
		return start
	}
	k.Show(start > r.Lo && start < r.Hi)
	return start - 1
}

// part runs the tiles of the keys lo ≤ j < hi. Tiles lie at multiples of their size.
func (k *Softmax[T]) part(r *Query[T], st *state[T], lo, hi int) {
	for lo < hi {
		end := min(hi, lo-lo%k.Tile+k.Tile)
		k.tile(r, st, lo, end)
		lo = end
	}
	if hi == r.Hi && k.Makes("masked-tail") {
		for j := hi; j < r.Tail; j++ {
			k.mixing.axpy(st.acc, 0, r.Value(j))
			k.Show(slices.ContainsFunc(r.Value(j), func(x T) bool { return !dtype.Finite(x) }))
		}
	}
}

// tile is one step of the online softmax.
func (k *Softmax[T]) tile(r *Query[T], st *state[T], lo, hi int) {
	k.Gather(r, lo, hi)
	m := st.m
	for _, x := range k.S {
		m = max(m, x)
	}
	m = k.maximum(m)
	if math.IsInf(float64(m), -1) {
		return
	}
	if !k.skips(st, m) {
		k.rescale(st, m)
	}
	m = k.maximumOfTile(m)
	k.p = k.p[:0]
	for _, x := range k.S {
		k.p = append(k.p, k.Exp(x, m))
	}
	if k.DenominatorRounded {
		k.roundWeights(k.p)
	}
	st.l = k.denominator(k.soFar(st.l) + k.Scalars.Sum(k.p))
	k.mixing.Combine(st.acc, k.roundWeights(k.p), k.values)
}

// maximumOfTile returns what is subtracted from the scores of a tile: the running maximum m, and by
// mistake the tile's own, although what is summed has the other.
func (k *Softmax[T]) maximumOfTile(m T) T {
	if own := slices.Max(k.S); k.Makes("maximum-of-tile") && !math.IsInf(float64(own), -1) {
		k.Show((m-own)*k.Unit > 0.1)
		return own
	}
	return m
}

// soFar returns the sum of weights to which those of a tile are added.
func (k *Softmax[T]) soFar(l T) T {
	if k.Makes("denominator-of-last-tile") {
		k.Show(l > 0.1)
		return 0
	}
	return l
}

// skips tells whether what is summed so far keeps its maximum, because that has hardly grown, while
// weights are formed with the new one: a mistake.
func (k *Softmax[T]) skips(st *state[T], m T) bool {
	grown := float64((m - st.m) * k.Unit)
	if !k.Makes("rescale-skipped") || math.IsInf(grown, 0) || grown > mostGrown {
		return false
	}
	k.Show(grown > 0.1)
	return true
}

// mostGrown is by how much a maximum may grow in kernels that then leave what is summed as it is.
const mostGrown = 8 * math.Ln2

// denominator returns a sum of weights as it is kept: in the working type.
func (k *Softmax[T]) denominator(l T) T {
	if !k.Makes("denominator-bf16") {
		return l
	}
	narrow := Round(dtype.BF16, l)
	k.Show(narrow != l)
	return narrow
}

// Gather reads the scores and values of the keys lo ≤ j < hi.
func (k *Softmax[T]) Gather(r *Query[T], lo, hi int) {
	k.S, k.values = k.S[:0], k.values[:0]
	for j := lo; j < hi; j++ {
		k.S = append(k.S, k.logit(r, j))
		k.values = append(k.values, r.Value(j))
	}
}

// maximum returns what is subtracted in the exponent: the running maximum m.
func (k *Softmax[T]) maximum(m T) T {
	if !k.Makes("fixed-maximum") {
		return m
	}
	logit := float64(m * k.Unit)
	k.Show(logit > 99 || logit < -80 || k.Weights == dtype.F16 && (logit > 22 || logit < -4))
	return 10 / k.Unit
}

// rescale moves a state to a new maximum.
func (k *Softmax[T]) rescale(st *state[T], m T) {
	if m == st.m {
		return
	}
	var factor T
	if !math.IsInf(float64(st.m), -1) {
		factor = k.Exp(st.m, m)
	}
	st.m = m
	if k.Makes("denominator-rescale-missing") && factor > 0 {
		k.Show(factor < 0.9)
	} else {
		st.l = k.denominator(st.l * factor)
	}
	k.ScaleBy(st.acc, k.wrongFactor(factor))
	if k.Products.mode == narrow {
		RoundEach(k.Products.keep, st.acc)
	}
}

// wrongFactor returns what a sum of values is multiplied by for a new maximum. It makes the
// mistakes of rescaling it.
func (k *Softmax[T]) wrongFactor(right T) T {
	wrong := right
	switch {
	case right == 0:
	case k.Makes("rescale-missing"):
		wrong = 1
	case k.Makes("rescale-inverse"):
		wrong = 1 / right
	}
	k.Show(wrong != right && right < 0.9)
	return wrong
}

// roundWeights rounds probabilities, in place.
func (k *Softmax[T]) roundWeights(p []T) []T {
	if !k.truncates {
		return RoundEach(k.Weights, p)
	}
	for i := range p {
		p[i] = T(k.Weights.Truncate(float64(p[i])))
	}
	return p
}

// finish divides the only part by its denominator.
func (k *Softmax[T]) finish(r *Query[T], st *state[T]) ([]T, T) {
	st.l = k.all(st.l)
	lse := k.lse(st)
	top := st.m * k.Unit
	l := st.l
	if sink := k.SinkOf(r, lse, top); sink != nil {
		top = max(top, *sink)
		l = l*T(math.Exp(float64(st.m*k.Unit-top))) + T(math.Exp(float64(*sink-top)))
		k.ScaleBy(st.acc, T(math.Exp(float64(st.m*k.Unit-top))))
	}
	if l == 0 { // every weight underflowed: a row of zeros, as kernels leave it
		return st.acc, lse
	}
	k.ScaleBy(st.acc, 1/k.divisor(l))
	return st.acc, lse
}

// divisor returns what a sum of weighted values is divided by: the sum l of weights.
func (k *Softmax[T]) divisor(l T) T {
	if !k.Makes("denominator-missing") {
		return l
	}
	k.Show(math.Abs(float64(l)-1) > 0.02)
	return 1
}

// ScaleBy multiplies x by a factor, in place.
func (k *Softmax[T]) ScaleBy(x []T, factor T) {
	for c := range x {
		x[c] *= factor
	}
}

// lse returns the natural log-sum-exp of a part.
func (k *Softmax[T]) lse(st *state[T]) T { return k.logSum(st.m, st.l) }

// logSum returns the logarithm of a sum l of exponentials above a maximum m.
func (k *Softmax[T]) logSum(m, l T) T {
	top, log := T(m*k.Unit), T(math.Log(float64(l)))
	right := top + log
	switch {
	case k.Makes("lse-maximum-missing"):
		top = 0
	case k.Makes("lse-maximum-scaled-twice"):
		top *= k.Scale
	case k.Makes("lse-maximum-unscaled"):
		top /= k.Scale
	case k.Makes("lse-bases-mixed") && k.Word("lse_base") == "2":
		log *= math.Ln2
	case k.Makes("lse-bases-mixed"):
		log *= math.Log2E
	}
	k.Show(!k.DenominatorRounded && top+log != right)
	return top + log
}

// SinkOf returns the sink of a row with the given log-sum-exp, whose exponentials are above top.
func (k *Softmax[T]) SinkOf(r *Query[T], lse, top T) *T {
	if r.Sink == nil {
		return nil
	}
	wrong := *r.Sink
	switch {
	case k.Makes("sink-missing"):
		k.Show(weighs(*r.Sink - lse))
		return nil
	case k.Makes("sink-above-maximum"):
		wrong += top
	case k.Makes("sink-capped") && k.Soft != 0:
		wrong = k.cap(wrong)
	}
	k.Show(weighs(max(wrong, *r.Sink)-lse) && math.Abs(float64(wrong-*r.Sink)) > 0.1)
	return &wrong
}

// weighs tells whether a sink that much above the log-sum-exp takes a share of the weights worth
// noting, 2 %.
func weighs[T Number](above T) bool { return above > -4 }

// merge joins the parts, each normalised by itself, by their log-sum-exps; a sink counts once.
func (k *Softmax[T]) merge(r *Query[T], parts []*state[T]) ([]T, T) {
	parts = k.dropSplit(parts)
	lses := make([]T, len(parts))
	top := T(math.Inf(-1))
	for i, st := range parts {
		lses[i] = k.normalised(st, len(parts) > 1)
		top = max(top, lses[i])
	}
	if k.Makes("merge-maximum-missing") {
		top = 0
	}
	total := k.mergedDenominator(lses, top)
	k.Show(k.Makes("merge-maximum-missing") && (total == 0 || !dtype.Finite(total)))
	lse := top + k.mergedLogarithm(total)
	if sink := k.SinkOf(r, lse, top); sink != nil {
		total += k.sinkCount(lses, *sink-lse) * T(math.Exp(float64(*sink-top)))
	}
	out := make([]T, k.width)
	for i, st := range parts {
		if st.l > 0 {
			k.Scalars.axpy(out, k.mergeWeight(lses[i], top)/total, st.acc)
		}
	}
	return out, lse
}

// normalised divides a part by its denominator, and returns its log-sum-exp.
func (k *Softmax[T]) normalised(st *state[T], several bool) T {
	st.l = k.all(st.l)
	if st.l == 0 {
		return k.lse(st)
	}
	one := math.Abs(float64(st.l)-1) < 1e-3
	switch lse := k.lse(st); {
	case k.Makes("parts-unnormalised"):
		k.Show(several && !one)
		return lse
	case k.Makes("merged-by-maxima"):
		k.Show(several && !one)
		k.ScaleBy(st.acc, 1/st.l)
		return st.m * k.Unit
	default:
		k.ScaleBy(st.acc, 1/st.l)
		return lse
	}
}

// mergedDenominator returns Σ e^(lse−top).
func (k *Softmax[T]) mergedDenominator(lses []T, top T) T {
	weights := make([]T, len(lses))
	for i, x := range lses {
		weights[i] = k.mergeWeight(x, top)
		k.Show((k.Makes("merge-base") || k.Makes("parts-averaged")) && x != top && !math.IsInf(float64(x), -1))
	}
	return k.Scalars.Sum(weights)
}

func (k *Softmax[T]) mergeWeight(lse, top T) T {
	if k.Makes("parts-averaged") && !math.IsInf(float64(lse), -1) {
		return 1
	}
	switch {
	case k.Makes("merge-base") && k.Base2: // those to base 2 as if they were natural
		return T(math.Exp(float64(lse-top) * math.Log2E))
	case k.Makes("merge-base"):
		return T(math.Exp2(float64(lse - top)))
	}
	return T(math.Exp(float64(lse - top)))
}

// mergedLogarithm returns the logarithm of the merged denominator.
func (k *Softmax[T]) mergedLogarithm(total T) T {
	log := math.Log(float64(total))
	if k.Makes("merge-base") && k.Base2 {
		log *= math.Ln2
	}
	return T(log)
}

// sinkCount returns how often a sink that much above the log-sum-exp counts: once.
func (k *Softmax[T]) sinkCount(lses []T, above T) T {
	var seen T
	for _, x := range lses {
		if !math.IsInf(float64(x), -1) {
			seen++
		}
	}
	if k.Makes("sink-of-first-split") && math.IsInf(float64(lses[0]), -1) {
		k.Show(weighs(above))
		return 0
	}
	if k.Makes("sink-per-split") {
		k.Show(seen > 1 && weighs(above))
		return seen
	}
	return 1
}

// dropSplit leaves out the last part that saw anything, if that is the mistake.
func (k *Softmax[T]) dropSplit(parts []*state[T]) []*state[T] {
	if !k.Makes("split-dropped") {
		return parts
	}
	live := 0
	for _, st := range parts {
		if st.l > 0 {
			live++
		}
	}
	k.Show(live > 1)
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
func (k *Softmax[T]) eager(r *Query[T]) ([]T, T) {
	k.Gather(r, r.Lo, r.Hi)
	Pass(k.Job, Scores, r.Place+r.Lo, k.S)
	m := slices.Max(k.S)
	if math.IsInf(float64(m), -1) {
		return k.seesNothing(r)
	}
	m = k.maximum(m)
	k.p = k.p[:0]
	for _, x := range k.S {
		k.p = append(k.p, k.Exp(x, m))
	}
	l := k.all(k.denominator(k.Scalars.Sum(k.p)))
	lse := k.logSum(m, l)
	if sink := k.SinkOf(r, lse, m*k.Unit); sink != nil {
		l += T(math.Exp(float64(*sink - m*k.Unit)))
	}
	for i := range k.p {
		k.p[i] /= k.divisor(l)
	}
	Pass(k.Job, Weights, r.Place+r.Lo, k.p)
	out := make([]T, k.width)
	k.mixing.Combine(out, k.roundWeights(k.p), k.values)
	return out, lse
}

// ScaledEarly returns a query as scores are formed of it: by mistake rounded to t after it is
// scaled.
func (k *Softmax[T]) ScaledEarly(q []T, t dtype.Type) []T {
	switch {
	case k.Makes("query-scaled-early"):
		return k.roundScaled(q, k.Scale, t)
	case k.Makes("query-scaled-early-in-base-2"):
		return k.roundScaled(q, k.Scale*math.Log2E, t)
	}
	return q
}

// KeyScaledEarly is ScaledEarly for a key of a backward pass.
func (k *Softmax[T]) KeyScaledEarly(key []T, t dtype.Type) []T {
	if k.Again && k.Makes("backward-keys-scaled-early") {
		return k.roundScaled(key, k.Scale*math.Log2E, t)
	}
	return key
}

// roundScaled returns x as if it had been rounded in units of 1/factor.
func (k *Softmax[T]) roundScaled(x []T, factor T, t dtype.Type) []T {
	y := make([]T, len(x))
	for i := range x {
		y[i] = Round(t, x[i]*factor) / factor
		k.Show(t.Size() == 2 && y[i] != x[i])
	}
	return y
}

// WrongScale returns the softmax scale with the mistakes that are made with it. width is that of
// the keys.
func (j *Job) WrongScale(scale float64, width int) float64 {
	right := scale
	switch {
	case j.First("scale-one-percent"):
		scale *= 1.01
	case j.First("scale-missing"):
		scale = 1
	case j.First("scale-twice"):
		scale *= scale
	case j.First("scale-inverted"):
		scale = 1 / scale
	case j.First("exp2-unscaled"):
		scale *= math.Ln2
	case j.First("exp2-twice"):
		scale *= math.Log2E
	case j.First("scale-of-width"), j.First("scale-of-latent"):
		scale = 1 / math.Sqrt(float64(width))
	case j.First("temperature-missing"):
		scale /= 1.8738542 // DeepSeek-V3's (0.1 ln 40 + 1)²
	}
	j.ScaleWrong = math.Abs(scale/right-1) > 1e-3
	return scale
}
