package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// What is wrong in some sequences, tokens or heads and right in the others is often so because of
// what these are given: a length beyond a tile, an entry of a table above 31, a ratio that is
// clipped. It is no explanation, but says where to look.

// feature is a number that each place of an output has, from an input or a quantity: of several
// numbers the least or the largest.
type feature struct {
	name string
	of   []float64 // by place
	any  bool      // it is the least or largest of several whole numbers, which sets apart as any does
}

// distinguished says by what wrong places of outputs are set apart from right ones, "" where by
// nothing that is looked at.
func (s *subject) distinguished() string {
	var parts []string
	for _, v := range s.views {
		if !v.failed || v.want.Choice != nil {
			continue
		}
		if said := v.setApart(s); said != "" && !slices.Contains(parts, said) {
			parts = append(parts, said)
		}
	}
	return strings.Join(parts, "; ")
}

// setApart looks along each axis of an output, and then at each row or element.
func (v *view) setApart(s *subject) string {
	axes := s.bound.Op.Output(v.want.Name).Shape
	shape := v.want.Truth.Shape
	if len(axes) != len(shape) {
		return ""
	}
	for a := range axes {
		if v.allButFirst(a) {
			return ""
		}
		if said := v.apartBy(s, axes[a:a+1], []int{a}); said != "" {
			return said
		}
	}
	if all := len(axes); all > 1 {
		for _, n := range []int{all, all - 1} {
			if said := v.apartBy(s, axes[:n], emulate.Indices(n)); said != "" {
				return said
			}
		}
	}
	return ""
}

// allButFirst tells whether all entries of an axis are wrong but the first, as where an offset is
// lost, or a rotation: whatever that one has tells nothing.
func (v *view) allButFirst(a int) bool {
	n := v.want.Truth.Shape[a]
	wrong, count := v.wrongPlaces(n, []int{a})
	return n > 2 && count == n-1 && !wrong[0]
}

// mostPlaces is how many places are compared, and how many numbers they may have of a tensor.
const mostPlaces = 1 << 18

// apartBy says which feature of the places along some axes sets the wrong ones apart.
func (v *view) apartBy(s *subject, axes []string, at []int) string {
	shape := emulate.Picked(v.want.Truth.Shape, at)
	n := int(op.Elements(shape))
	if n < 3 || n > mostPlaces {
		return ""
	}
	wrong, count := v.wrongPlaces(n, at)
	if count == 0 || count == n {
		return ""
	}
	features := s.features(axes, shape)
	for _, f := range features {
		low, high, above := f.threshold(wrong)
		if math.IsNaN(low) || chance(n, count)*float64(2*len(features)) > surprising && !f.whole() {
			continue
		}
		said := "%s is wrong where %s is at most %.6g, and right where it is %.6g"
		if above {
			said, low, high = "%s is wrong where %s is at least %.6g, and right where it is %.6g", high, low
		}
		return fmt.Sprintf(said, v.want.Name, f.name, low, high)
	}
	return ""
}

// wrongPlaces tells which of n places along some axes hold something wrong, and how many do.
func (v *view) wrongPlaces(n int, at []int) (wrong []bool, count int) {
	wrong = make([]bool, n)
	for _, i := range v.places() {
		if p := placeOf(i, v.shape(), at); !wrong[p] {
			wrong[p] = true
			count++
		}
	}
	return wrong, count
}

// surprising is the chance from which on it is none that a feature sets wrong places apart.
const surprising = 0.01

// chance is that of which of n places are wrong, if count of them are: one over n choose count.
func chance(n, count int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(count + 1))
	c, _ := math.Lgamma(float64(n - count + 1))
	return math.Exp(b + c - a)
}

// whole tells whether a feature is of whole numbers, of which few are as good as any: a length or a
// count, but not what stands in a table.
func (f feature) whole() bool {
	return !f.any && !slices.ContainsFunc(f.of, func(x float64) bool { return x != math.Trunc(x) })
}

// threshold returns the numbers between which lies what sets wrong places apart, the lower and the
// higher, and whether the wrong ones are above; NaN where nothing does.
func (f feature) threshold(wrong []bool) (low, high float64, above bool) {
	least, most := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i, x := range f.of {
		k := 0
		if wrong[i] {
			k = 1
		}
		if math.IsNaN(x) {
			return math.NaN(), 0, false
		}
		least[k], most[k] = min(least[k], x), max(most[k], x)
	}
	switch {
	case most[0] < least[1]:
		return most[0], least[1], true
	case most[1] < least[0]:
		return most[1], least[0], false
	}
	return math.NaN(), 0, false
}

// features lists what places along some axes have, inputs first.
func (s *subject) features(axes []string, shape []int) (all []feature) {
	formed, _ := s.formed()
	for _, t := range s.bound.Op.Inputs {
		if letters := s.axesOf(t); letters != nil && op.Elements(s.rec.Shape(t.Name)) <= mostPlaces {
			if x, err := s.rec.Tensor(t.Name); err == nil {
				all = append(all, features(t.Name, x, letters, axes, shape, t.Any || t.Integer)...)
			}
		}
	}
	for _, v := range s.views {
		letters := s.bound.Op.Output(v.want.Name).Shape
		own := s.bound.Shape(letters)
		if n := len(v.got); !v.failed && n <= mostPlaces && op.Elements(own) == float64(n) {
			all = append(all, features(v.want.Name, tensor.Of(v.got, own...), letters, axes, shape, false)...)
		}
	}
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		if x := formed[q.Name]; x != nil && len(x.Data) <= mostPlaces {
			all = append(all, features(strings.TrimSuffix(q.Name, ","), x, q.Shape, axes, shape, false)...)
		}
	}
	return all
}

// features are the least and the largest number that a tensor has at each place, and of one that
// counts the sum and how many there are; none where it does not have all the axes.
func features(name string, x *tensor.Tensor, letters, axes []string, shape []int, counts bool) []feature {
	at := make([]int, len(axes))
	for i, l := range axes {
		if at[i] = slices.Index(letters, l); at[i] < 0 || x.Shape[at[i]] != shape[i] {
			return nil
		}
	}
	n := int(op.Elements(shape))
	least, most := filled(math.Inf(1), n).Data, filled(math.Inf(-1), n).Data
	total, full := make([]float64, n), make([]float64, n)
	for i, p := range placesOf(x.Shape, at) {
		y := x.Data[i]
		least[p], most[p], total[p] = min(least[p], y), max(most[p], y), total[p]+y
		if y != 0 {
			full[p]++
		}
	}
	if len(x.Data) == n {
		return []feature{{name, most, false}}
	}
	all := []feature{{"the largest of " + name, most, true}, {"the least of " + name, least, true}}
	if counts {
		all = append(all, feature{"the sum of " + name, total, true},
			feature{"how many of " + name + " are not 0", full, false})
	}
	return all
}

// placesOf lists placeOf of every element.
func placesOf(shape, at []int) []int {
	steps, by := make([]int, len(shape)), 1
	for _, a := range slices.Backward(at) {
		steps[a], by = steps[a]+by, by*shape[a]
	}
	all := []int{0}
	for a, n := range shape {
		next := make([]int, 0, len(all)*n)
		for _, p := range all {
			for i := range n {
				next = append(next, p+i*steps[a])
			}
		}
		all = next
	}
	return all
}

// placeOf is the number of the place along some axes that element i of a tensor has.
func placeOf(i int, shape, at []int) (place int) {
	for _, a := range at {
		place = place*shape[a] + i/inside(shape, a)%shape[a]
	}
	return place
}
