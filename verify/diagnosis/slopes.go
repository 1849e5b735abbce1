package diagnosis

import (
	"math"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// A loss that is another function has another derivative. Where a formula names a value and its
// derivative, functions of what else it names are put in the place of the value, and what they grow
// by where they hang on what is differentiated for, in that of the derivative: in both, or in one
// of them if nothing is wrong with the other.

// step is by how much what is differentiated for is moved, one way and the other, for a derivative:
// in float64 that of a smooth function is right to nine digits.
const step = 1e-4

// mostSlopes is how many functions are tried in the place of a value.
const mostSlopes = 12000

// manySloped is how many numbers have to be wrong: of fewer some function of so many fits.
const manySloped = 8

// sloped is a value of a formula with its derivative.
type sloped struct {
	value, slope emulate.Quantity
	at           [3][]alternative // where it is, and a step behind and ahead
	x            operand          // the value
	right        []float64        // the derivative
	wrong        [2]bool          // outputs are that hang on the value, on the derivative
	counts       func(i int) bool // which numbers of it do
}

// trySlopes tries values that are other functions, with their derivatives.
func (s *subject) trySlopes() {
	if s.wrongNumbers() < manySloped {
		return
	}
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		if p, ok := s.slopedOf(q); ok {
			s.trySloped(p)
		}
	}
	s.settle()
}

// slopedOf returns what a value may be and how that grows.
func (s *subject) slopedOf(q emulate.Quantity) (p sloped, ok bool) {
	formed, _ := s.formed()
	if q.Slope == "" || formed[q.Name] == nil || formed[q.Name].Len() > mostTarget || formed[q.By] == nil {
		return p, false
	}
	p.value, p.slope = q, emulate.Quantity{Name: q.Slope, Shape: q.Shape, Axes: q.Axes}
	for k, name := range []string{q.Name, q.Slope} {
		p.wrong[k] = slices.ContainsFunc(s.hung(), func(h hung) bool { return h.Name == name })
	}
	if !p.wrong[0] && !p.wrong[1] {
		return p, false
	}
	p.x, p.right = s.quantityOperand(q, formed[q.Name]), formed[q.Slope].Data
	p.counts = s.counting(p.x)
	for k, by := range []float64{0, -step, step} {
		moved := s.movedBy(q.By, by)
		if moved == nil {
			return p, false
		}
		o := s.quantityOperand(q, moved[q.Name])
		p.at[k] = o.alternatives(s.besides(p, moved))
	}
	return p, true
}

// movedBy returns the quantities where one of them is larger by a number.
func (s *subject) movedBy(name string, by float64) map[string]*tensor.Tensor {
	formed, _ := s.formed()
	other := map[string]*tensor.Tensor{}
	for n, x := range formed {
		other[n] = tensor.New(x.Shape...)
	}
	instead := eachOf(formed[name], func(x float64) float64 { return x + by })
	_, err := s.between(&emulate.Quantities{
		Formed: other, Instead: map[string]*tensor.Tensor{name: instead},
	})
	if err != nil {
		return nil
	}
	other[name] = instead
	return other
}

// besides are quantities and inputs of which the value may be a function: those that have an axis.
func (s *subject) besides(p sloped, formed map[string]*tensor.Tensor) (all []operand) {
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		x := formed[q.Name]
		if q.Name != p.slope.Name && slices.Equal(x.Shape, p.x.x.Shape) {
			all = append(all, s.quantityOperand(q, x))
		}
	}
	for _, o := range s.inputOperands(floating) {
		if slices.Contains(p.x.letters, o.letters[0]) && o.x.Len() <= p.x.x.Len() {
			all = append(all, o)
		}
	}
	return all
}

// trySloped tries functions in the place of one value.
func (s *subject) trySloped(p sloped) {
	n := min(len(p.at[0]), mostSlopes, int(max(s.budget, 0)/combinedShare/max(s.each, 1)))
	s.tryWhole(n, func(i int) (candidate, bool) { return s.slopedCandidate(p, i) }, s.judge)
}

// growth is the derivative of a function that stands in the place of a value, w.
func (p sloped) growth(i int, w []float64) []float64 {
	slope, behind := p.at[2][i].x(), p.at[1][i].x()
	for k := range slope {
		if slope[k] = (slope[k] - behind[k]) / (2 * step); math.IsInf(w[k], 0) {
			slope[k] = p.right[k] // what is infinite has none
		}
	}
	return slope
}

// slopedCandidate is the explanation that a function stands in the place of a value, and its
// derivative in that of the value's; none where that is no number.
func (s *subject) slopedCandidate(p sloped, i int) (c candidate, ok bool) {
	said, w := p.at[0][i].said, p.at[0][i].x()
	slope := p.growth(i, w)
	if !p.x.defined(w, p.counts) || !p.x.defined(slope, p.counts) {
		return c, false
	}
	instead := map[string]*tensor.Tensor{}
	if p.wrong[0] {
		instead[p.value.Name] = tensor.Of(w, p.x.x.Shape...)
	}
	if p.wrong[1] {
		instead[p.slope.Name] = tensor.Of(slope, p.x.x.Shape...)
	}
	of := "takes for " + within(bare(p.value.Name)) + " " + said
	switch {
	case !p.wrong[0]:
		of = "takes " + within(bare(p.slope.Name)) + " as if that were of " + said
	case p.wrong[1]:
		of += ", with its derivative"
	}
	c = s.takenAll(of, func() map[string]*tensor.Tensor { return instead })
	c.Kind, c.whole = "combined", true
	return c, true
}
