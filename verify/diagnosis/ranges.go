package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/verify/verdict"
)

// Decisions do not tell a factor from others near it: ln 2 on a ratio decides as 0.7 does. Where no
// number was recorded that hangs on it, the factor is said as a range, and not as a constant.

// factored is how an explanation is one factor on something.
type factored struct {
	said string // of the factor: "times ln 2"
	by   float64
	with func(by float64) candidate
}

// asFactor notes that an explanation takes a function for a number, where that is a multiple.
func (c candidate) asFactor(f function, with func(by float64) candidate) candidate {
	by := f.of(1)
	for _, x := range []float64{3, -2, 1e-3} {
		if math.Abs(f.of(x)-by*x) > 1e-12*math.Abs(x) || math.IsNaN(f.of(x)) {
			return c
		}
	}
	if by > 0 && by != 1 {
		c.factor = &factored{f.said, by, with}
	}
	return c
}

// A range is looked for in steps of so much, and so many of them each way.
const (
	rangeStep  = 0.02
	rangeSteps = 40
)

// ranged returns what was found, with the range of factors that explain these outputs as well, if
// all of them are decisions.
func (s *subject) ranged(t *trial, names []string) verdict.Finding {
	found, f := t.Finding, t.factor
	if t.of != nil { // it holds in parts
		f = t.of.factor
	}
	if f == nil || !s.decideOnly(names) {
		return found
	}
	most := s.undecided(f.with(f.by), names)
	var ends []float64
	for _, step := range []float64{-rangeStep, rangeStep} {
		end := f.by
		for range rangeSteps {
			if !(s.undecided(f.with(end*math.Exp(step)), names) <= most) {
				break
			}
			end *= math.Exp(step)
		}
		ends = append(ends, end)
	}
	if ends[1] > ends[0] {
		said := fmt.Sprintf("times %.2g to %.2g, which decisions do not tell apart,", ends[0], ends[1])
		found.Sentence = strings.TrimSuffix(strings.Replace(found.Sentence, f.said, said, 1), ",")
	}
	return found
}

// decideOnly tells whether outputs are all choices.
func (s *subject) decideOnly(names []string) bool {
	return !slices.ContainsFunc(s.views, func(v *view) bool {
		return v.want.Choice == nil && slices.Contains(names, v.want.Name)
	})
}

// undecided is the loss of decisions that an explanation does not give as they were recorded.
func (s *subject) undecided(c candidate, names []string) (loss float64) {
	gives, err := c.give()
	if err != nil {
		return math.Inf(1)
	}
	for _, v := range s.views {
		if !slices.Contains(names, v.want.Name) {
			continue
		}
		w := v.aligned(s, gives[v.want.Name], gives)
		if w == nil {
			return math.Inf(1)
		}
		loss += sum(v.lossBeside(w))
	}
	return loss
}
