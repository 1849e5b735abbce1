package verdict

import (
	"math"
	"slices"
	"sync"

	"plumbline/numbers/dtype"

	"gonum.org/v1/gonum/mathext"
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
	told := telling(own)
	pooled, scatter := s.pool(told, truth, shape, columns)
	s.prior = priorRuns(scatter, all, told)
	known, share := s.prior+s.rare, 1.0
	if s.rare > 0 {
		share = (s.prior + s.rare*meanRatio(own, pooled, runs)) / known
	}
	sigma := make([]float64, len(own))
	for i, v := range own {
		expected := share * pooled[i]
		switch k := runs[i]; {
		case !s.whole():
			sigma[i] = math.Sqrt(expected)
		case k == 0: // every run overflows, which is right too; where nothing else errs, a unit is a guess
			if sigma[i] = math.Sqrt(expected); expected == 0 {
				sigma[i] = 1
			}
		case v > 0 || s.rare > 0:
			sigma[i] = math.Sqrt((k*v + known*expected) / (k + known))
		}
	}
	return s, sigma
}

// meanRatio is the mean of second moments in units of what is expected of them.
func meanRatio(own, pooled, runs []float64) float64 {
	var sum, n float64
	for i, v := range own {
		if runs[i] > 0 && pooled[i] > 0 {
			sum, n = sum+v/pooled[i], n+1
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

// pool returns what second moments are expected to be by that of all which they scatter around
// least, and how much. Of a row that was not run its own elements tell nothing.
func (s *Sample) pool(own, truth, shape []float64, columns int) (pooled []float64, scatter float64) {
	runs := float64(len(s.Deviations))
	logs := logarithms(own)
	byTruth, alike := proportional(own, squared(truth), runs), proportional(own, ones(len(own)), runs)
	rest, least := tightest(logs, alike, proportional(own, shape, runs))
	pools := [][]float64{byTruth, rest, mixed(own, logs, byTruth, rest, least, runs)}
	if s.whole() {
		pools = append(pools, rowPool(own, columns, runs))
	}
	pooled, scatter = tightest(logs, pools...)
	if pooled == nil { // nothing errs
		pooled = make([]float64, len(own))
	}
	return pooled, scatter
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
func tightest(logs []float64, pools ...[]float64) (best []float64, scatter float64) {
	scatter = math.Inf(1)
	for _, p := range pools {
		if v := poolScatter(logs, p); p != nil && (best == nil || v < scatter) {
			best, scatter = p, v
		}
	}
	return best, scatter
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
	if s.elements == nil {
		return s.Deviations[k][element]
	}
	if i, in := slices.BinarySearch(s.elements, element); in {
		return s.Deviations[k][i]
	}
	return math.NaN()
}

// whole tells whether all elements were run.
func (s *Sample) whole() bool { return s.elements == nil }

// secondMoments returns the mean square deviation of each element, and of how many runs it is.
func (s *Sample) secondMoments(n int) (squares, runs []float64) {
	squares, runs = make([]float64, n), make([]float64, n)
	for _, run := range s.Deviations {
		for i, d := range run {
			if !math.IsNaN(d) {
				squares[s.at(i)] += square(d)
				runs[s.at(i)]++
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

func squared(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * v
	}
	return y
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// proportional expects second moments in proportion to a shape. The mean logarithm of χ²/K is −1/K.
func proportional(own, shape []float64, runs float64) []float64 {
	if shape == nil {
		return nil
	}
	var logs, n float64
	for i, v := range own {
		if v > 0 && shape[i] > 0 {
			logs, n = logs+math.Log(v)-math.Log(shape[i]), n+1
		}
	}
	if n == 0 {
		return nil
	}
	factor := math.Exp(logs/n + 1/runs)
	pooled := make([]float64, len(own))
	for i, t := range shape {
		pooled[i] = factor * t
	}
	return pooled
}

// mixed expects second moments in proportion to a sum of two pools, as of errors that are in part a
// factor on the truth: in the share around which they scatter least, and less than around the
// second pool.
func mixed(own, logs, a, b []float64, least, runs float64) (best []float64) {
	if a == nil || b == nil {
		return nil
	}
	sum := make([]float64, len(own))
	for power := -9; power <= 9; power += 3 {
		for i := range sum {
			sum[i] = a[i] + math.Ldexp(b[i], power)
		}
		if scatter := poolScatter(logs, sum); scatter < least {
			best, least = slices.Clone(sum), scatter
		}
	}
	return proportional(own, best, runs)
}

// rowPool expects what a row's mean logarithm says; a row in which no run errs tells nothing, and
// expects what the others say.
func rowPool(own []float64, columns int, runs float64) []float64 {
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
	return pooled
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
func poolScatter(logs, pooled []float64) float64 {
	if pooled == nil {
		return math.Inf(1)
	}
	var mean, squares, n float64
	for i, v := range logs {
		if v > math.Inf(-1) && pooled[i] > 0 {
			x := v - math.Log(pooled[i])
			n++
			d := x - mean
			mean += d / n
			squares += d * (x - mean)
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
func priorRuns(scatter, runs float64, own []float64) float64 {
	trigamma := func(x float64) float64 { return 1/x + 1/(2*x*x) + 1/(6*x*x*x) }
	known := -1.0
	for _, v := range own {
		if v > 0 {
			known++
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
