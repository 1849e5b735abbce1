package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// functionsOfInputs are inputs that are taken for functions of them: each, and those of one name
// together, as the reference's log-probabilities are.
func (s *subject) functionsOfInputs() (all []candidate) {
	for _, set := range s.namesakes() {
		var x []*tensor.Tensor
		for _, t := range set {
			if y, err := s.rec.Tensor(t.Name); err == nil {
				x = append(x, y)
			}
		}
		if len(x) < len(set) {
			continue
		}
		for _, f := range s.functionsOf(x...) {
			said := fmt.Sprintf("takes %s %s", namesOf(set), f.said)
			as := func(of func(x float64) float64) candidate {
				return s.otherwise("input", said, "the kernel "+said, func(r *recording.Recording) {
					for i, t := range set {
						r.Set(t.Name, dtype.F64, eachOf(x[i], of))
					}
				})
			}
			all = append(all, as(f.of).asFactor(f, func(by float64) candidate {
				return as(func(x float64) float64 { return by * x })
			}))
		}
	}
	return all
}

// namesakes lists small inputs of floating-point numbers, each by itself and those whose names
// begin alike.
func (s *subject) namesakes() (sets [][]op.Tensor) {
	small := slices.DeleteFunc(floats(s.bound.Op.Inputs), func(t op.Tensor) bool {
		return s.axesOf(t) == nil || op.Elements(s.rec.Shape(t.Name)) > mostOperand
	})
	first := func(t op.Tensor) string {
		name, _, _ := strings.Cut(t.Name, "_")
		return name
	}
	for i, t := range small {
		sets = append(sets, small[i:i+1])
		alike := slices.DeleteFunc(slices.Clone(small), func(other op.Tensor) bool { return first(other) != first(t) })
		if len(alike) > 1 && alike[0].Name == t.Name {
			sets = append(sets, alike)
		}
	}
	return sets
}

// tryConstants tries tensors that are one number: a size or an attribute, or one over it.
func (s *subject) tryConstants() {
	var all []candidate
	for _, t := range s.targets() {
		for _, k := range s.own() {
			for _, c := range []named{k, {"1/" + k.name, 1 / k.value}} {
				said := fmt.Sprintf("takes %s for %s, which is %.4g", within(t.name), c.name, c.value)
				all = append(all, t.as(said, func() *tensor.Tensor { return filled(c.value, t.x.Shape...) }))
			}
		}
	}
	s.try(all)
	s.settle()
}

// change is how a tensor may be changed by one number, in units of its root mean square.
type change struct {
	said string // of the number
	of   func(x, by float64) float64
}

var changes = []change{
	{"and %.4g more", func(x, by float64) float64 { return x + by }},
	{"and %.4g less", func(x, by float64) float64 { return x - by }},
	{"for at most %.4g", math.Min},
	{"for at least −%.4g", func(x, by float64) float64 { return max(x, -by) }},
	{"between ±%.4g", func(x, by float64) float64 { return min(max(x, -by), by) }},
	{"for at least %.4g", math.Max},
	{"for at most −%.4g", func(x, by float64) float64 { return min(x, -by) }},
}

// changesShare is the part of what is left of the budget that fitting changes may take, over one.
const changesShare = 2

// tryChanges fits what is added to a tensor, or what it is bounded by.
func (s *subject) tryChanges() {
	all := s.targets()
	left := s.budget / changesShare
	for _, t := range s.inputOperands(func(t op.Tensor) bool { return !t.Integer && !t.Any }) {
		s.fitChange(t, change{"times %.4g", func(x, by float64) float64 { return by * x }}, 1)
	}
	for _, c := range changes {
		for _, t := range all {
			if s.budget > left && t.x.Len() <= mostTarget {
				s.fitChange(t, c, gonum.Norm(t.x.Data, 2)/math.Sqrt(float64(t.x.Len())))
			}
		}
	}
	s.settle()
}

// fitChange looks for the number that leaves least of the error.
func (s *subject) fitChange(t operand, c change, unit float64) {
	if unit == 0 || !dtype.Finite(unit) {
		return
	}
	best := s.fittest(func(by float64) candidate {
		by *= unit
		said := fmt.Sprintf("takes %s "+c.said+"%s", within(t.name), by, s.constant(by))
		f := t.as(said, func() *tensor.Tensor { return eachOf(t.x, func(x float64) float64 { return c.of(x, by) }) })
		f.Kind, f.fitted = "fit", 1
		return f
	})
	if best != nil && slices.Max(best.shares) > leastShare {
		s.trials = append(s.trials, best)
	}
}
