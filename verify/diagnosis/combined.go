package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// A formula that is another one in one place has another tensor there: the largest probability for
// that of the draft, a ratio that is multiplied by a mask once more, a mean that is not taken off.

// operand is a tensor that may stand where another should, or be combined with it.
type operand struct {
	name    string
	letters []string // of axes, with a word for each
	words   []string
	x       *tensor.Tensor
	exact   func(y *tensor.Tensor) (outputs, error) // what a kernel gives that has another in its place
}

// mostOperand and mostTarget are how many numbers tensors have that are combined with others, and
// in whose place others are put; mostCombined is how many combinations are tried, for up to a part
// 1/combinedShare of what is left of the budget.
const (
	mostOperand   = 1 << 20
	mostTarget    = 1 << 16
	mostCombined  = 4000
	combinedShare = 4
)

// worthJudging is the share of the error that one has to take away to be judged.
const worthJudging = 0.9

// tryCombined tries tensors of the formula that are taken for others, or combined with others. What
// does not explain everything is not looked at again.
func (s *subject) tryCombined() {
	all := append(s.swappedCandidates(), s.combinedCandidates()...)
	all = all[:min(len(all), mostCombined, int(max(s.budget, 0)/combinedShare/max(s.each, 1)))]
	s.budget -= s.each * float64(len(all))
	trials := make([]*trial, len(all))
	parallel.Each(len(all), func(i int) {
		if t := s.weigh(all[i]); t != nil && t.Explains > worthJudging {
			if s.judgeWith(t, nil); t.explains {
				trials[i] = t
			}
		}
	})
	s.tried += len(all)
	s.trials = append(s.trials, slices.DeleteFunc(trials, func(t *trial) bool { return t == nil })...)
	s.settle()
}

// combinedCandidates lists them: first quantities, on which no other outputs hang than are wrong.
func (s *subject) combinedCandidates() (all []candidate) {
	var targets, inputs []operand
	for _, h := range s.hung() {
		targets = append(targets, s.quantityOperand(h.Quantity, h.x))
	}
	others := slices.Concat(targets, s.indexOperands(targets))
	for _, t := range s.bound.Op.Inputs {
		if o, ok := s.inputOperand(t); ok {
			others = append(others, o)
			if !t.Integer && !t.Any {
				inputs = append(inputs, o)
			}
		}
	}
	for _, target := range append(targets, inputs...) {
		if target.x.Len() > mostTarget {
			continue
		}
		for _, other := range others {
			all = append(all, target.with(other)...)
		}
	}
	return all
}

// indexOperands are the numbers of places along the axes of some tensors, which a kernel may take
// for an offset.
func (s *subject) indexOperands(targets []operand) (all []operand) {
	var known []string
	for _, t := range targets {
		for a, l := range t.letters {
			if n := t.x.Shape[a]; n > 1 && !slices.Contains(known, l) {
				known = append(known, l)
				x := tensor.New(n)
				for i := range x.Data {
					x.Data[i] = float64(i)
				}
				all = append(all, operand{"the number of the " + t.words[a], []string{l}, t.words[a : a+1], x, nil})
			}
		}
	}
	return all
}

// swappedCandidates are two quantities of one shape that stand in each other's place.
func (s *subject) swappedCandidates() (all []candidate) {
	for i, a := range s.hung() {
		for _, b := range s.hung()[i+1:] {
			if !slices.Equal(a.Shape, b.Shape) || !slices.Equal(a.x.Shape, b.x.Shape) {
				continue
			}
			said := fmt.Sprintf("the kernel takes %s for %s, and the reverse", strings.TrimSuffix(a.Name, ","), b.Name)
			c := propose("combined", said, said, func() (outputs, error) {
				return s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{a.Name: b.x, b.Name: a.x}})
			})
			c.whole = true
			all = append(all, c)
		}
	}
	return all
}

// quantityOperand is a quantity as it was formed.
func (s *subject) quantityOperand(q emulate.Quantity, x *tensor.Tensor) operand {
	words := make([]string, len(q.Shape))
	for a := range words {
		words[a] = s.wordOf(q, a)
	}
	return operand{strings.TrimSuffix(q.Name, ","), q.Shape, words, x, func(y *tensor.Tensor) (outputs, error) {
		return s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{q.Name: y}})
	}}
}

// inputOperand is an input, if it is small and has the axes that the op says.
func (s *subject) inputOperand(t op.Tensor) (operand, bool) {
	letters := s.axesOf(t)
	if letters == nil || op.Elements(s.rec.Shape(t.Name)) > mostOperand {
		return operand{}, false
	}
	x, err := s.rec.Tensor(t.Name)
	return operand{t.Name, letters, s.wordsFor(letters), x, func(y *tensor.Tensor) (outputs, error) {
		return s.exact(s.changed(func(r *recording.Recording) { r.Set(t.Name, dtype.F64, y) }))
	}}, err == nil
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
			said := "the kernel " + fmt.Sprintf(c.said, o.name, b.name)
			combined := propose("combined", said, said, func() (outputs, error) {
				return o.exact(tensor.Of(o.combined(c, b.x()), o.x.Shape...))
			})
			combined.whole = true
			all = append(all, combined)
		}
	}
	return all
}
