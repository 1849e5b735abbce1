package diagnosis

import (
	"slices"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// operand is a tensor of the formula that may stand where another should, or be taken for another
// itself: a quantity, or an input.
type operand struct {
	name    string
	letters []string // of axes, with a word for each
	words   []string
	x       *tensor.Tensor
	as      func(said string, y func() *tensor.Tensor) candidate // that the kernel has another there; nil of an output
}

// targets are the quantities on which outputs hang that are not explained, and small inputs of
// floating-point numbers.
func (s *subject) targets() (all []operand) {
	for _, h := range s.hung() {
		all = append(all, s.quantityOperand(h.Quantity, h.x))
	}
	return append(all, s.inputOperands(floating)...)
}

// floating tells whether an input is of floating-point numbers.
func floating(t op.Tensor) bool { return !t.Integer && !t.Any }

// wholeInputs are small inputs of whole numbers.
func (s *subject) wholeInputs() []operand {
	return s.inputOperands(func(t op.Tensor) bool { return t.Integer || t.Any })
}

// operands are what an output may be a function of.
func (s *subject) operands() (all []operand) {
	formed, _ := s.formed()
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		if x := formed[q.Name]; x != nil && x.Len() > 0 && x.Len() <= mostOperand {
			all = append(all, s.quantityOperand(q, x))
		}
	}
	all = append(all, s.inputOperands(func(op.Tensor) bool { return true })...)
	for _, v := range s.views {
		letters := s.bound.Op.Output(v.want.Name).Shape
		if v.want.Choice == nil && len(letters) == len(v.want.Truth.Shape) {
			all = append(all, operand{"the right " + v.want.Name, letters, v.want.Axes, v.want.Truth, nil})
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

// quantityOperand is a quantity as it was formed.
func (s *subject) quantityOperand(q emulate.Quantity, x *tensor.Tensor) operand {
	words := make([]string, len(q.Shape))
	for a := range words {
		words[a] = s.wordOf(q, a)
	}
	return operand{bare(q.Name), q.Shape, words, x, func(said string, y func() *tensor.Tensor) candidate {
		return s.taken(q, said, y)
	}}
}

// bare is the name of a quantity without the comma that it ends with in a sentence.
func bare(name string) string { return strings.TrimSuffix(name, ",") }

// within is a name as it stands within a sentence: with a comma where it has one.
func within(name string) string {
	if strings.Contains(name, ", ") {
		return name + ","
	}
	return name
}

// inputOperands are the inputs of a kind that are small and have the axes that the op says.
func (s *subject) inputOperands(of func(t op.Tensor) bool) (all []operand) {
	for _, t := range s.bound.Op.Inputs {
		letters := s.axesOf(t)
		if letters == nil || op.Elements(s.rec.Shape(t.Name)) > mostOperand || !of(t) {
			continue
		}
		x, err := s.rec.Tensor(t.Name)
		if err != nil {
			continue
		}
		all = append(all, operand{t.Name, letters, s.wordsFor(letters), x,
			func(said string, y func() *tensor.Tensor) candidate {
				return s.otherwise("input", said, "the kernel "+said, func(r *recording.Recording) {
					r.Set(t.Name, dtype.F64, y())
				})
			}})
	}
	return all
}
