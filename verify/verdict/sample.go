package verdict

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mathext"

	"plumbline/numbers/dtype"
)

// Sample is what executions of an op's arithmetic program, each in units of its own, deviate from
// the truth by: what kernels of the declared arithmetic give on these inputs, before the last
// rounding. σ, how errors hang together, their tail and their sign follow from it.
type Sample struct {
	Deviations [][]float64 // run by run, of the elements that were run; NaN where one overflowed

	// Native is what the execution in the hardware's own units deviates by.
	Native []float64

	elements []int // which elements were run, in their order; nil: all

	once  sync.Once
	prior float64 // runs' worth of what pooling knows of an element's σ
	rare  float64 // and of what all errors together say, where few runs may err at an element
	kin   kin
}

// NewSample returns the sample with σ of each element of an output with rows of so many columns.
//
// A few runs know σ of an element to a part in √(2K), and that of all elements together much
// better. What an element's is expected to be is taken from its own size, from those of its row,
// from all alike, or from what the op says it goes with (shape, which may be nil), whichever tells
// most; how much that is worth beside the element's own runs follows from how far the elements'
// second moments scatter around it (Smyth 2004, "Linear models and empirical Bayes methods for
// assessing differential expression in microarray experiments", section 6):
//
//	Var(log s²/m²) = ψ′(K/2) + ψ′(ν/2),  σ² = (K s² + ν m²)/(K + ν)
//
// Where some elements are run for all, each has what the pool tells.
func NewSample(
	deviations [][]float64, native []float64, elements []int, truth, shape []float64, columns int,
) (*Sample, []float64) {
	return (&Sample{Deviations: deviations, Native: native, elements: elements}).measured(truth, shape, columns)
}

// NewRareSample is NewSample where it may be chance that no run errs at an element, or by little:
// a sum that nearly always fits loses a bit in a few orders, and a kernel's may be one of them. One
// more run errs at each element as much as all do on the mean.
func NewRareSample(
	deviations [][]float64, native []float64, elements []int, truth, shape []float64, columns int,
) (*Sample, []float64) {
	s := &Sample{Deviations: deviations, Native: native, elements: elements, rare: 1}
	return s.measured(truth, shape, columns)
}

// measured returns the sample with σ of each element.
func (s *Sample) measured(truth, shape []float64, columns int) (*Sample, []float64) {
	own, runs := s.secondMoments(len(truth))
	all := float64(len(s.Deviations))
	told, weights := telling(own), s.shares(own, truth)
	expect, scatter := s.pool(told, weights, truth, shape, columns)
	s.prior = priorRuns(scatter, all, told, weights)
	known, share := s.prior+s.rare, 1.0
	if s.rare > 0 {
		share = (s.prior + s.rare*s.meanRatio(own, expect, runs)) / known
	}
	sigma := make([]float64, len(truth))
	for i := range sigma {
		if expected := share * expect(i); s.whole() {
			sigma[i] = s.between(own[i], runs[i], expected, known)
		} else {
			sigma[i] = math.Sqrt(expected)
		}
	}
	return s, sigma
}

// between returns σ of an element of its own second moment over some runs, and of what is expected
// of it, which is worth so many runs.
func (s *Sample) between(own, runs, expected, known float64) float64 {
	switch {
	case runs == 0 && expected == 0: // every run overflows, which is right too, and nothing else errs: a guess
		return 1
	case runs == 0:
		return math.Sqrt(expected)
	case own > 0 || s.rare > 0:
		return math.Sqrt((runs*own + known*expected) / (runs + known))
	}
	return 0
}

// meanRatio is the mean of second moments in units of what is expected of them.
func (s *Sample) meanRatio(own []float64, expect func(i int) float64, runs []float64) float64 {
	var sum, n float64
	for i, v := range own {
		if e := expect(s.at(i)); runs[i] > 0 && e > 0 {
			sum, n = sum+v/e, n+1
		}
	}
	return sum / max(n, 1)
}

// cancelled is how small a second moment is, beside the largest, that is what float64 leaves of
// numbers that cancel: the square of 2⁻⁵² over the 2⁻²⁴ of a float32, and some.
const cancelled = 0x1p-50

// Bounds returns what right kernels, of any form, err by at most in each element: σ times the limit
// of elements. Choices are made by numbers that are not recorded, within these.
func (e Expected) Bounds() []float64 {
	bounds := make([]float64, len(e.Sigma))
	e.Type, e.Axes, e.Outputs = dtype.F64, make([]string, len(e.Truth.Shape)), 1
	for _, form := range e.each() {
		if form.Sample == nil {
			continue
		}
		limit := Judge(form, e.Truth).MaxZLimit
		for i, s := range form.Sigma {
			bounds[i] = max(bounds[i], limit*s)
		}
	}
	return bounds
}

// telling returns second moments without those, which tell nothing and differ between processors.
func telling(own []float64) []float64 {
	told := slices.Clone(own)
	least := cancelled * slices.Max(append(told, 0))
	for i, v := range told {
		if v < least {
			told[i] = 0
		}
	}
	return told
}

// pool is a way to expect second moments: of some elements what they are expected to be, and of any
// element of the output.
type pool struct {
	values []float64
	of     func(i int) float64
}

// pool returns what second moments are expected to be by that of all which they scatter around
// least, and how much. Of a row that was not run its own elements tell nothing.
func (s *Sample) pool(
	own, weights, truth, shape []float64, columns int,
) (expect func(i int) float64, scatter float64) {
	runs := float64(len(s.Deviations))
	logs := logarithms(own)
	byTruth := proportional(own, s.at, func(i int) float64 { return truth[i] * truth[i] }, runs)
	rest, least := tightest(logs, weights, allAlike(own, s.at, runs))
	if shape != nil {
		byShape := proportional(own, s.at, func(i int) float64 { return shape[i] }, runs)
		rest, least = tightest(logs, weights, rest, byShape)
	}
	pools := []*pool{byTruth, rest, s.mixed(own, logs, weights, byTruth, rest, least, runs)}
	if s.whole() {
		pools = append(pools, rowPool(own, columns, runs))
	}
	best, scatter := tightest(logs, weights, pools...)
	if best == nil { // nothing errs
		return func(int) float64 { return 0 }, scatter
	}
	return best.of, scatter
}

// logarithms returns those of second moments, −∞ where nothing errs.
func logarithms(own []float64) []float64 {
	logs := make([]float64, len(own))
	for i, v := range own {
		logs[i] = math.Log(v)
	}
	return logs
}

// tightest returns the pool around which second moments of these logarithms scatter least, the
// first of equals, and how much; nil if there is none.
func tightest(logs, weights []float64, pools ...*pool) (best *pool, scatter float64) {
	scatter = math.Inf(1)
	for _, p := range pools {
		if p == nil {
			continue
		}
		if v := poolScatter(logs, p.values, weights); best == nil || v < scatter {
			best, scatter = p, v
		}
	}
	return best, scatter
}

// shares returns how much each element that was run tells beside its copies.
func (s *Sample) shares(own, truth []float64) []float64 {
	ran := make([]float64, len(own))
	for e := range ran {
		ran[e] = truth[s.at(e)]
	}
	sizes := sizes(ran)
	addMoments(sizes, own, func(e int) int { return e })
	return shares(sizes, nil, nil)
}

// at returns the element of the output that is the i-th of the sample.
func (s *Sample) at(i int) int {
	if s.elements == nil {
		return i
	}
	return s.elements[i]
}

// Of returns what run k deviates by at an element of the output, NaN where that was not run.
func (s *Sample) Of(k, element int) float64 {
	if i, in := s.place(element); in {
		return s.Deviations[k][i]
	}
	return math.NaN()
}

// place returns where an element of the output stands in the sample, and whether it was run.
func (s *Sample) place(element int) (at int, in bool) {
	switch {
	case s == nil:
		return 0, false
	case s.elements == nil:
		return element, true
	}
	return slices.BinarySearch(s.elements, element)
}

// whole tells whether all elements were run.
func (s *Sample) whole() bool { return s.elements == nil }

// secondMoments returns the mean square deviation of each element that was run, of an output of n,
// and of how many runs it is.
func (s *Sample) secondMoments(n int) (squares, runs []float64) {
	if !s.whole() {
		n = len(s.elements)
	}
	squares, runs = make([]float64, n), make([]float64, n)
	for _, run := range s.Deviations {
		for i, d := range run {
			if !math.IsNaN(d) {
				squares[i] += square(d)
				runs[i]++
			}
		}
	}
	for i := range squares {
		squares[i] /= max(runs[i], 1)
	}
	return squares, runs
}

// square is d², of what is not nothing more than nothing.
func square(d float64) float64 {
	if d == 0 {
		return 0
	}
	return max(d*d, math.SmallestNonzeroFloat64)
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// proportional expects second moments, those of the elements at, in proportion to a shape. The mean
// logarithm of χ²/K is −1/K.
func proportional(own []float64, at func(i int) int, shape func(i int) float64, runs float64) *pool {
	p := &pool{values: make([]float64, len(own))}
	var logs, n float64
	for i, v := range own {
		if p.values[i] = shape(at(i)); v > 0 && p.values[i] > 0 {
			logs, n = logs+math.Log(v)-math.Log(p.values[i]), n+1
		}
	}
	if n == 0 {
		return nil
	}
	factor := math.Exp(logs/n + 1/runs)
	floats.Scale(factor, p.values)
	p.of = func(i int) float64 { return factor * shape(i) }
	return p
}

// allAlike expects second moments that are all the same.
func allAlike(own []float64, at func(i int) int, runs float64) *pool {
	return proportional(own, at, func(int) float64 { return 1 }, runs)
}

// mixed expects second moments in proportion to a sum of two pools, as of errors that are in part a
// factor on the truth: in the share around which they scatter least, and less than around the
// second pool.
func (s *Sample) mixed(own, logs, weights []float64, a, b *pool, least, runs float64) *pool {
	if a == nil || b == nil {
		return nil
	}
	const none = math.MaxInt
	sum, best := make([]float64, len(own)), none
	for power := -9; power <= 9; power += 3 {
		floats.AddScaledTo(sum, a.values, math.Ldexp(1, power), b.values)
		if scatter := poolScatter(logs, sum, weights); scatter < least {
			best, least = power, scatter
		}
	}
	if best == none {
		return nil
	}
	return proportional(own, s.at, func(i int) float64 { return a.of(i) + math.Ldexp(1, best)*b.of(i) }, runs)
}

// rowPool expects what a row's mean logarithm says; a row in which no run errs tells nothing, and
// expects what the others say.
func rowPool(own []float64, columns int, runs float64) *pool {
	pooled := make([]float64, len(own))
	var all, erring float64
	for r := 0; r < len(own); r += columns {
		if mean, any := meanLogarithm(own[r : r+columns]); any {
			all, erring = all+mean, erring+1
			fill(pooled[r:r+columns], math.Exp(mean+1/runs))
		}
	}
	for r := 0; r < len(own) && erring > 0; r += columns {
		if pooled[r] == 0 {
			fill(pooled[r:r+columns], math.Exp(all/erring+1/runs))
		}
	}
	return &pool{pooled, func(i int) float64 { return pooled[i] }}
}

// meanLogarithm is that of what is more than nothing, and whether anything is.
func meanLogarithm(own []float64) (mean float64, any bool) {
	var logs, n float64
	for _, v := range own {
		if v > 0 {
			logs, n = logs+math.Log(v), n+1
		}
	}
	return logs / n, n > 0
}

func fill(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}

// poolScatter is the variance of the logarithms of second moments around what is expected.
func poolScatter(logs, pooled, weights []float64) float64 {
	var mean, squares, n float64
	for i, v := range logs {
		if v > math.Inf(-1) && pooled[i] > 0 {
			x, each := v-math.Log(pooled[i]), shareOf(weights, i)
			n += each
			d := x - mean
			mean += each * d / n
			squares += each * d * (x - mean)
		}
	}
	if variance := squares / (n - 1); !math.IsNaN(variance) {
		return variance
	}
	return math.Inf(1)
}

// mostPrior is how many times its own runs a pool may count for, however well it fits.
const mostPrior = 8

// priorRuns solves Var(log s²/m²) = ψ′(K/2) + ψ′(ν/2) for ν, with ψ′(x) ≈ 1/x + 1/2x² + 1/6x³. Of
// few elements the scatter is known badly: it is taken as what it is below only once in twenty
// times.
func priorRuns(scatter, runs float64, own, weights []float64) float64 {
	trigamma := func(x float64) float64 { return 1/x + 1/(2*x*x) + 1/(6*x*x*x) }
	known := -1.0
	for i, v := range own {
		if v > 0 {
			known += shareOf(weights, i)
		}
	}
	rest := scatter*known/chiSquaredLow(known) - trigamma(runs/2)
	if known < 1 || math.IsNaN(rest) {
		return 0
	}
	low, high := 0.0, mostPrior*runs
	for range 40 {
		if mid := (low + high) / 2; trigamma(mid/2) > rest {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// studentQuantile is what |t| of so many degrees of freedom exceeds with that chance.
func studentQuantile(freedom, chance float64) float64 {
	x := mathext.InvRegIncBeta(freedom/2, 0.5, chance)
	return math.Sqrt(freedom * (1 - x) / x)
}
