package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/dtype"
)

// tryScaled tries once more what leaves errors that are a factor in each row: what is read
// elsewhere by the numerator alone, say, and divided by the right root mean square or sum of
// weights.
func (s *subject) tryScaled() {
	var all []candidate
	plain := s.plainlyScaled()
	for _, t := range s.trials {
		if t.of == nil && !t.whole && t.fitted == 0 {
			if c, found := s.scaled(t, plain); found {
				all = append(all, c)
			}
		}
	}
	s.try(all)
	s.settle()
}

// plainlyScaled is for each output what the right numbers leave of it with a factor for each row
// that is wrong: nothing where that is all that is wrong with it.
func (s *subject) plainlyScaled() (left []float64) {
	for _, v := range s.views {
		if v.want.Choice != nil {
			left = append(left, 0)
			continue
		}
		x, factors := v.rowsScaled(v.truth)
		lost := sum(v.lossBeside(x)) + leastGain*float64(len(factors))
		if lost < rightLoss*float64(len(x))+leastGain*float64(len(factors)) {
			lost = 0
		}
		left = append(left, lost)
	}
	return left
}

// scaled is a trial with a factor for each row that is wrong, where these take most of what it
// leaves away, and more than they do from the right numbers.
func (s *subject) scaled(t *trial, plain []float64) (c candidate, found bool) {
	gives, fitted, said := outputs{}, 0, []string{}
	for i, v := range s.views {
		w := t.gives[v.want.Name]
		if w == nil || !v.failed || v.want.Choice != nil || v.want.Columns() < wideMixed {
			continue
		}
		x, factors := v.rowsScaled(w)
		left := sum(v.lossBeside(x)) + leastGain*float64(len(factors))
		if len(factors) < 2 || left > min(mostLeft*min(t.losses[i], sum(v.loss)), plain[i]-alike) {
			continue
		}
		gives[v.want.Name], fitted = x, fitted+len(factors)
		said = append(said, fmt.Sprintf("rows of %s are %s times that", v.want.Name, between(factors)))
	}
	if fitted == 0 {
		return c, false
	}
	c = candidate{Finding: t.Finding, give: func() (outputs, error) { return gives, nil }, fitted: fitted}
	c.ID += ", rows scaled"
	c.Sentence += ", with another divisor: " + strings.Join(said, "; ")
	return c, true
}

// rowsScaled returns what an explanation gives with each wrong row times the median of what was
// recorded over it, and those factors.
func (v *view) rowsScaled(w []float64) (x []float64, factors []float64) {
	n := v.want.Columns()
	x = slices.Clone(w)
	for _, row := range v.wrongRows() {
		var ratios []float64
		for i := row * n; i < (row+1)*n; i++ {
			if r := v.got[i] / w[i]; dtype.Finite(r) && math.Abs(w[i]) > 8*v.scale[i] {
				ratios = append(ratios, r)
			}
		}
		if len(ratios) < wideMixed/2 {
			continue
		}
		f := v.rowFactor(w, row, median(ratios))
		factors = append(factors, f)
		for i := row * n; i < (row+1)*n; i++ {
			x[i] *= f
		}
	}
	return x, factors
}

// rowFactor is the factor of least squares, in deviations, of the elements of a row that are near a
// first one: the median alone is off by more than the mean of a row may be.
func (v *view) rowFactor(w []float64, row int, first float64) float64 {
	n := v.want.Columns()
	var cross, square float64
	for i := row * n; i < (row+1)*n; i++ {
		if s := v.scale[i] * max(1, math.Abs(first)); s > 0 && math.Abs(v.got[i]-first*w[i]) < 8*s {
			cross, square = cross+v.got[i]*w[i]/(s*s), square+w[i]*w[i]/(s*s)
		}
	}
	if square == 0 {
		return first
	}
	return cross / square
}

// between says between which numbers some are.
func between(x []float64) string {
	low, high := slices.Min(x), slices.Max(x)
	if math.Abs(high-low) < 0.02*math.Abs(high) {
		return fmt.Sprintf("%.3g", (low+high)/2)
	}
	return fmt.Sprintf("%.2g to %.2g", low, high)
}
