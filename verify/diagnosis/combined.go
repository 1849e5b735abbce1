package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// A formula that is another one in one place has another tensor there: the largest probability for
// that of the draft, a ratio that is multiplied by a mask once more, a mean that is not taken off.

// mostOperand and mostTarget are how many numbers tensors have that are combined with others, and
// in whose place others are put; mostCombined is how many combinations are tried, for up to a part
// 1/combinedShare of what is left of the budget.
const (
	mostOperand   = 1 << 20
	mostTarget    = 1 << 16
	mostCombined  = 8000
	combinedShare = 4
)

// worthJudging is the share of the error that one has to take away to be judged.
const worthJudging = 0.9

// tryCombined tries tensors of the formula that are taken for others, or combined with others. What
// does not explain everything is not looked at again.
func (s *subject) tryCombined() {
	all := append(s.swappedCandidates(), s.combinedCandidates()...)
	all = all[:min(len(all), mostCombined, int(max(s.budget, 0)/combinedShare/max(s.each, 1)))]
	s.tryWhole(len(all), func(i int) (candidate, bool) { return all[i], true }, func(t *trial) { s.judgeWith(t, nil) })
	s.settle()
}

// tryWhole weighs so many candidates, those that there are, and keeps what explains everything as
// it is judged.
func (s *subject) tryWhole(n int, of func(i int) (candidate, bool), judge func(t *trial)) {
	s.budget -= s.each * float64(n)
	trials := make([]*trial, n)
	parallel.Each(n, func(i int) {
		c, there := of(i)
		if !there {
			return
		}
		if t := s.weigh(c); t != nil && t.Explains > worthJudging && !s.undefined(t) {
			if judge(t); t.explains {
				trials[i] = t
			}
		}
	})
	s.tried += n
	s.trials = append(s.trials, slices.DeleteFunc(trials, func(t *trial) bool { return t == nil })...)
}

// undefined tells whether a trial gives what is no number where one should be: of 0/0 or of NaN
// that is taken along, anything would come.
func (s *subject) undefined(t *trial) bool {
	return slices.ContainsFunc(s.views, func(v *view) bool {
		w := t.gives[v.want.Name]
		return v.want.Choice == nil && w != nil && v.undefined(w)
	})
}

// swappedCandidates are two quantities of one shape that stand in each other's place.
func (s *subject) swappedCandidates() (all []candidate) {
	for i, a := range s.hung() {
		for _, b := range s.hung()[i+1:] {
			if !slices.Equal(a.Shape, b.Shape) || !slices.Equal(a.x.Shape, b.x.Shape) {
				continue
			}
			said := fmt.Sprintf("the kernel takes %s for %s, and the reverse", bare(a.Name), bare(b.Name))
			c := propose("combined", said, said, func() (outputs, error) {
				return s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{a.Name: b.x, b.Name: a.x}})
			})
			c.whole = true
			all = append(all, c)
		}
	}
	return all
}

// combinedCandidates lists them: first quantities, on which no other outputs hang than are wrong.
func (s *subject) combinedCandidates() (all []candidate) {
	targets := s.targets()
	others := slices.Concat(targets, s.wholeInputs(), s.indexOperands(targets))
	for _, target := range targets {
		if target.x.Len() > mostTarget {
			continue
		}
		for _, other := range others {
			all = append(all, target.with(other)...)
		}
	}
	return all
}

// combination is what two numbers are made to one with; said is of the tensor, and of the other.
type combination struct {
	said string
	of   func(a, b float64) float64
}

var combinations = []combination{
	{"takes %[2]s for %[1]s", func(_, b float64) float64 { return b }},
	{"multiplies %s by %s", func(a, b float64) float64 { return a * b }},
	{"divides %s by %s", func(a, b float64) float64 { return a / b }},
	{"adds to %s %s", func(a, b float64) float64 { return a + b }},
	{"subtracts from %s %s", func(a, b float64) float64 { return a - b }},
	{"takes for %s the larger of it and %s", math.Max},
	{"takes for %s the smaller of it and %s", math.Min},
}

// with lists what combines a tensor with another: with itself, only over an axis.
func (o operand) with(other operand) (all []candidate) {
	fitting := o.fitting(other)
	if other.name == o.name {
		fitting = o.overItsAxes()
	}
	for _, b := range fitting {
		for _, c := range combinations {
			combined := o.as(fmt.Sprintf(c.said, o.name, b.name), func() *tensor.Tensor {
				return tensor.Of(o.combined(c, b.x()), o.x.Shape...)
			})
			combined.Kind = "combined"
			combined.whole = true
			all = append(all, combined)
		}
	}
	return all
}

// combined returns the numbers of a tensor combined with those of another.
func (o operand) combined(c combination, y *tensor.Tensor) []float64 {
	z := make([]float64, len(o.x.Data))
	for i, a := range o.x.Data {
		z[i] = c.of(a, y.Data[i])
	}
	return z
}
