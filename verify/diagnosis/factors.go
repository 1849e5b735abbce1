package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// factorCandidates are outputs that are multiples of what they should be: all of one, all outputs
// alike, or each entry of an axis by a factor of its own, as rows are whose weights do not add up
// to 1.
func factorCandidates(s *subject) (all []candidate) {
	var failed []*view
	var factors []float64
	for _, v := range s.views {
		if v.want.Choice == nil && v.failed {
			factor := v.factor()
			failed, factors = append(failed, v), append(factors, factor)
			all = slices.Concat(all, v.oneFactor(s, factor), v.offset(s), v.line(), v.factors(s))
		}
	}
	return append(all, s.commonFactor(failed, factors)...)
}

// oneFactor is a factor on the whole output.
func (v *view) oneFactor(s *subject, factor float64) []candidate {
	if factor == 0 || !dtype.Finite(factor) {
		return nil
	}
	said := fmt.Sprintf("%s is %.4g times what it should be%s", v.want.Name, factor, s.namely(factor))
	c := v.instead("factor", "factor", said, func() []float64 { return v.times(factor) })
	if s.constant(factor) == "" {
		c.fitted = 1
	}
	return []candidate{c}
}

// offset is one number more or less on the whole output.
func (v *view) offset(s *subject) []candidate {
	var apart []float64
	for i, t := range v.truth {
		if d := v.got[i] - t; v.want.Judged(i) && dtype.Finite(d) {
			apart = append(apart, d)
		}
	}
	if len(apart) < fewParts {
		return nil
	}
	by := median(apart)
	said := fmt.Sprintf("%s is %.4g more than it should be%s", v.want.Name, by, s.constant(by))
	if by < 0 {
		said = fmt.Sprintf("%s is %.4g less than it should be%s", v.want.Name, -by, s.constant(-by))
	}
	c := v.instead("factor", "offset", said, func() []float64 {
		return v.each(func(t float64) float64 { return t + by })
	})
	c.fitted = 1
	return []candidate{c}
}

// line is a factor and an offset on the whole output, of least squares.
func (v *view) line() []candidate {
	var right, got []float64
	for i, t := range v.truth {
		if r := v.got[i]; v.want.Judged(i) && dtype.Finite(t) && dtype.Finite(r) && (t != 0 || r != 0) {
			right, got = append(right, t), append(got, r)
		}
	}
	if len(right) < 2*fewParts {
		return nil
	}
	if mean, variance := stat.PopMeanVariance(right, nil); variance <= 1e-9*(variance+mean*mean) {
		return nil
	}
	more, by := stat.LinearRegression(right, got, nil, false)
	said := fmt.Sprintf("%s is %.4g times what it should be and %.4g more", v.want.Name, by, more)
	if more < 0 {
		said = fmt.Sprintf("%s is %.4g times what it should be and %.4g less", v.want.Name, by, -more)
	}
	c := v.instead("factor", "line", said, func() []float64 {
		return v.each(func(t float64) float64 {
			if t == 0 {
				return 0
			}
			return by*t + more
		})
	})
	c.fitted = 2
	return []candidate{c}
}

// times is a multiple of the truth.
func (v *view) times(factor float64) []float64 {
	return v.each(func(t float64) float64 { return factor * t })
}

// commonFactor is one factor on several outputs, which each have nearly that.
func (s *subject) commonFactor(failed []*view, factors []float64) []candidate {
	if len(failed) < 2 {
		return nil
	}
	var names []string
	all := outputs{}
	for i, v := range failed {
		if f := factors[i]; f == 0 || !dtype.Finite(f) || math.Abs(f/factors[0]-1) > sameFactor {
			return nil
		}
		names = append(names, v.want.Name)
		all[v.want.Name] = v.times(factors[0])
	}
	said := fmt.Sprintf("%s are %.4g times what they should be%s", inWords(names), factors[0], s.namely(factors[0]))
	return []candidate{propose("factor", "factor", said, func() (outputs, error) { return all, nil })}
}

// sameFactor is how far apart the factors of two outputs may be that are one.
const sameFactor = 2e-3

// perFactor is how many elements there have to be for each factor that is fitted.
const perFactor = 8

// factors are a factor for each entry of an axis, and for each row.
func (v *view) factors(s *subject) (all []candidate) {
	shape := v.want.Truth.Shape
	for a := len(shape) - 1; a >= 0; a-- {
		if n := shape[a]; n > 1 && len(v.got)/n >= perFactor {
			all = append(all, v.byFactors(s, v.want.Axes[a], []int{a}))
		}
	}
	if last := len(shape) - 1; v.want.Columns() >= perFactor && last > 1 {
		all = append(all, v.byFactors(s, "row", emulate.Indices(last)))
	}
	return all
}

// byFactors is a factor for each place along some axes: the median over the elements that are
// wrong, so that what is wrong in a part of a place is met too.
func (v *view) byFactors(s *subject, word string, at []int) candidate {
	shape := v.want.Truth.Shape
	factors, fitted := v.factorsAt(at)
	runs := runsOfFactors(factors)
	if len(at) > 1 || len(runs) < 2 || len(runs) > fewFitted {
		runs = nil
	}
	for k := range runs {
		v.refine(&runs[k], at, factors)
	}
	w := slices.Clone(v.truth)
	for i := range w {
		w[i] *= factors[placeOf(i, shape, at)]
	}
	said := fmt.Sprintf("each %s of %s is a multiple of what it should be", word, v.want.Name)
	if runs != nil {
		said = fmt.Sprintf("each %s of %s is a multiple: %s", word, v.want.Name, s.ofRuns(runs))
		fitted = fitted[:len(runs)]
	} else if len(fitted) > 0 {
		said += fmt.Sprintf(", %s times", between(fitted)) + v.goesAs(s, at, factors)
	}
	c := v.instead("factors", "factor of each "+word, said, func() []float64 { return w })
	c.fitted = len(fitted)
	return c
}

// run is a run of places that have one factor, from its first to its last.
type run struct {
	first, last int
	factor      float64
	places      int
}

// refine makes one factor of least squares of those of a run.
func (v *view) refine(r *run, at []int, factors []float64) {
	var cross, square float64
	for i, t := range v.truth {
		p := placeOf(i, v.want.Truth.Shape, at)
		if s := v.scale[i]; r.first <= p && p <= r.last && factors[p] != 1 && s > 0 && dtype.Finite(v.got[i]*t) {
			cross, square = cross+v.got[i]/s*t/s, square+t/s*t/s
		}
	}
	if square == 0 {
		return
	}
	r.factor = cross / square
	for p := r.first; p <= r.last; p++ {
		if factors[p] != 1 {
			factors[p] = r.factor
		}
	}
}

// nearlyOne is how far apart medians of ratios may be that are of one factor.
const nearlyOne = 0.01

// runsOfFactors returns the runs of factors other than 1, each of two places or more; nil where one
// has fewer.
func runsOfFactors(factors []float64) (runs []run) {
	for i, f := range factors {
		switch n := len(runs) - 1; {
		case f == 1:
		case n >= 0 && math.Abs(f/runs[n].factor-1) < nearlyOne:
			runs[n].last = i
			runs[n].places++
		default:
			runs = append(runs, run{i, i, f, 1})
		}
	}
	if slices.ContainsFunc(runs, func(r run) bool { return r.places < 2 }) {
		return nil
	}
	return runs
}

// ofRuns says what runs are times what they should be.
func (s *subject) ofRuns(runs []run) string {
	var said []string
	for _, r := range runs {
		said = append(said, fmt.Sprintf("%d to %d %.4g times what it should be%s", r.first, r.last, r.factor,
			s.namely(r.factor)))
	}
	return inWords(said)
}

// factorsAt returns the factor at each place along some axes, 1 where too little is wrong, and
// those that were fitted.
func (v *view) factorsAt(at []int) (factors, fitted []float64) {
	shape := v.want.Truth.Shape
	ratios := make([][]float64, int(op.Elements(emulate.Picked(shape, at))))
	for i, t := range v.truth {
		if v.loss[i] > clear && v.want.Judged(i) && dtype.Finite(v.got[i]) && math.Abs(t) > 8*v.scale[i] {
			p := placeOf(i, shape, at)
			ratios[p] = append(ratios[p], v.got[i]/t)
		}
	}
	for _, r := range ratios {
		if len(r) < 2 {
			factors = append(factors, 1)
			continue
		}
		factor := median(r)
		factors, fitted = append(factors, factor), append(fitted, factor)
	}
	return factors, fitted
}

// goesAs says what factors at places along some axes are proportional to, or to the reciprocal of
// what; "" where it is nothing that is known, or too few differ.
func (v *view) goesAs(s *subject, at []int, factors []float64) string {
	axes := s.bound.Op.Output(v.want.Name).Shape
	if len(axes) != len(v.want.Truth.Shape) || !differ(factors) {
		return ""
	}
	var letters []string
	for _, a := range at {
		letters = append(letters, axes[a])
	}
	for _, f := range s.features(letters, emulate.Picked(v.want.Truth.Shape, at)) {
		for _, way := range []struct {
			said string
			of   func(x float64) float64
		}{{"as ", func(x float64) float64 { return x }}, {"as one over ", func(x float64) float64 { return 1 / x }}} {
			if f.proportional(factors, way.of) {
				return ", which goes " + way.said + f.name
			}
		}
	}
	return ""
}

// How many factors have to differ, by how much, and how far they may be from being proportional.
const (
	leastFactors  = 3
	differently   = 1.05
	proportionate = 5e-3
)

// differ tells whether enough factors differ from 1 and from each other.
func differ(factors []float64) bool {
	var sizes []float64
	for _, factor := range factors {
		if factor != 1 {
			sizes = append(sizes, math.Abs(factor))
		}
	}
	return len(sizes) >= leastFactors && slices.Max(sizes) > differently*slices.Min(sizes)
}

// proportional tells whether factors other than 1 go as a function of a feature.
func (f feature) proportional(factors []float64, of func(x float64) float64) bool {
	var ratios []float64
	for i, factor := range factors {
		if factor != 1 {
			ratios = append(ratios, factor/of(f.of[i]))
		}
	}
	if !finite(ratios) {
		return false
	}
	low, high := slices.Min(ratios), slices.Max(ratios)
	return low*high > 0 && math.Abs(high-low) < proportionate*math.Abs(high)
}

// copyCandidates are outputs that hold what another tensor of the recording does: an input, or the
// right numbers of another output.
func (v *view) copyCandidates(s *subject) (all []candidate) {
	for _, t := range s.bound.Op.Inputs {
		if !s.rec.Has(t.Name) || !s.small(t.Name) || len(v.got) < fewParts {
			continue
		}
		x, err := s.rec.Tensor(t.Name)
		if err != nil {
			continue
		}
		if w := v.repeating(x.Data, x.Shape); w != nil {
			said := fmt.Sprintf("%s holds what %s does", v.want.Name, t.Name)
			all = append(all, v.instead("copy", t.Name, said, func() []float64 { return w }))
		}
	}
	for _, other := range s.views {
		if other != v && other.want.Choice == nil && len(other.truth) == len(v.got) {
			said := fmt.Sprintf("%s holds what %s should", v.want.Name, other.want.Name)
			all = append(all, v.instead("copy", other.want.Name, said, func() []float64 {
				return slices.Clone(other.truth)
			}))
		}
	}
	return all
}

// repeating returns data in the shape of the output, as rounded to its type: of as many elements,
// or one row for all; nil where it has neither.
func (v *view) repeating(data []float64, shape []int) []float64 {
	n := v.want.Columns()
	if len(data) != len(v.got) && (len(data) != n || n < perFactor || len(shape) != 1) {
		return nil
	}
	w := make([]float64, len(v.got))
	for i := range w {
		w[i] = v.want.Type.Round(data[i%len(data)])
	}
	return w
}
