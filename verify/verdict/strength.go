package verdict

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"plumbline/numbers/dtype"
)

// farthest is as many deviations as a number is said to be off by: another kind, or an exact one.
const farthest = 1e6

// Strength returns how many deviations of what right kernels err by an output moves that is wrong
// where it should be right, both before the last rounding:
//
//	Σ d m/s ÷ √Σ d² ÷ max(1, χ),  d = (w − t)/s,  s² = σ² + ulp²/12
//
// m is what a recorded number moves by: w − t, but where nothing but the last rounding errs, which
// may leave all of it or nothing. χ is the deviation over the runs of Σ d (r − t)/s ÷ √Σ d², which
// is 1 of errors that are independent, and more where they go that way together. Of several forms
// of a kernel it is the one in which least is seen.
func (e Expected) Strength(wrong, right []float64) float64 {
	return e.strength(wrong, right, func(w, _ float64) float64 { return e.Type.Round(w) })
}

// Distance returns √Σ (w − t)²/s², where more forms than one of a kernel explain a number in that
// which explains most.
func (e Expected) Distance(wrong, right []float64) float64 {
	widest := make([]float64, len(right))
	for i := range widest {
		widest[i] = e.Widest(i)
	}
	return floats.Norm(e.moved(wrong, right, widest), 2)
}

// StrengthOfTruncation is Strength of an output that is cut off toward zero, by half a spacing on
// the mean, where it should be rounded.
func (e Expected) StrengthOfTruncation(cut, right []float64) float64 {
	return e.strength(cut, right, func(_, t float64) float64 { return e.Type.Truncate(t) })
}

// StrengthOfNoise is Strength of what moves numbers another way in every kernel, by as much: how
// many deviations the mean square grows by beyond what σ may be short by as an average.
func (e Expected) StrengthOfNoise(wrong, right []float64) float64 {
	if e.Sample == nil {
		return e.Strength(wrong, right)
	}
	least := math.Inf(1)
	for _, form := range e.each() {
		k := newJudgement(form, form.Truth).kin()
		mean := max(k.meanSquares[0].means[0], k.native.families[0].squares[0], leastMean)
		variance := max(k.meanSquares[0].variances[0], 2/k.geometry.n)
		d := form.moved(wrong, right, form.Sigma)
		more := k.geometry.dot(d, d)/k.geometry.n - (calibration*calibration-1)*mean
		least = min(least, more/mean/math.Sqrt(variance))
	}
	return max(0, least)
}

// strength is Strength with the last rounding of a wrong number, which may be made of the right
// one.
func (e Expected) strength(wrong, right []float64, last func(w, t float64) float64) float64 {
	if e.Sample == nil {
		return floats.Norm(e.moved(wrong, right, e.Sigma), 2)
	}
	least := math.Inf(1)
	for _, form := range e.each() {
		d := form.moved(wrong, right, form.Sigma)
		norm := floats.Norm(d, 2)
		if norm == 0 {
			return 0
		}
		least = min(least, form.kept(d, wrong, right, last)/norm/max(1, form.together(d)))
	}
	return max(0, least)
}

// moved returns (w − t)/s of each element.
func (e Expected) moved(wrong, right, sigma []float64) []float64 {
	moved := make([]float64, len(right))
	for i, t := range right {
		if w := wrong[i]; e.Judged(i) && w != t && !(math.IsNaN(w) && math.IsNaN(t)) {
			d := (w - t) / deviation(sigma[i], e.Type.Spacing(t))
			if !dtype.Finite(d) || math.Abs(d) > farthest {
				d = farthest
			}
			moved[i] = d
		}
	}
	return moved
}

// sharp is how much smaller than a spacing σ is where the last rounding is not smeared by what errs
// before it.
const sharp = 4

// kept returns Σ d m/s.
func (e Expected) kept(d, wrong, right []float64, last func(w, t float64) float64) (sum float64) {
	for i, x := range d {
		ulp := e.Type.Spacing(right[i])
		if x == 0 || math.Abs(x) == farthest || sharp*e.Sigma[i] >= ulp {
			sum += x * x
			continue
		}
		native := e.Sample.native(i)
		m := last(wrong[i]+native, right[i]+native) - e.Type.Round(right[i]+native)
		if m /= deviation(e.Sigma[i], ulp); !dtype.Finite(m) || math.Abs(m) > farthest {
			m = x
		}
		sum += x * m
	}
	return sum
}

// native is what the execution in the hardware's own units deviates by at an element, 0 where that
// is not known.
func (s *Sample) native(element int) float64 {
	at, in := element, true
	if s.elements != nil {
		at, in = slices.BinarySearch(s.elements, element)
	}
	if !in || at >= len(s.Native) || math.IsNaN(s.Native[at]) {
		return 0
	}
	return s.Native[at]
}

// together is χ along d. Of errors in common the elements that were not run have as much as the
// others.
func (e Expected) together(d []float64) float64 {
	var ran, last float64
	toward := make([]float64, len(e.Sample.Native)) // d/s of those that were run
	for k := range toward {
		i := e.Sample.at(k)
		if x := d[i]; x != 0 && math.Abs(x) < farthest {
			ulp := e.Type.Spacing(e.Truth.Data[i])
			toward[k] = x / deviation(e.Sigma[i], ulp)
			ran, last = ran+x*x, last+square(toward[k]*ulp)/12
		}
	}
	if ran == 0 {
		return 1
	}
	variance := (stat.Variance(e.Sample.along(toward), nil) + last) / ran
	return math.Sqrt(1 + max(0, variance-1)*floats.Dot(d, d)/ran)
}

// along returns what each run has of a direction.
func (s *Sample) along(toward []float64) []float64 {
	var some []int // places that count
	for k, x := range toward {
		if x != 0 {
			some = append(some, k)
		}
	}
	all := make([]float64, len(s.Deviations))
	for r, run := range s.Deviations {
		var sum float64
		for _, k := range some {
			if by := run[k]; !math.IsNaN(by) {
				sum += toward[k] * by
			}
		}
		all[r] = sum
	}
	return all
}
