package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/verify/op"
)

// constant names what a factor is, from the attributes and sizes of the recording; "" if it is none
// of them.
func (s *subject) constant(factor float64) string {
	for _, k := range s.constants() {
		if math.Abs(factor/k.value-1) < exactly {
			return ", which is " + k.name
		}
	}
	return ""
}

// exactly is how far a factor may be from a number that it is said to be.
const exactly = 1e-3

// named is a number with its name.
type named struct {
	name  string
	value float64
}

// own lists the numbers of the recording: attributes, sizes and their roots.
func (s *subject) own() (list []named) {
	for _, a := range s.bound.Op.Attrs {
		x := s.bound.Float(a.Name)
		if a.Kind == op.Count || a.Kind == op.Integer {
			x = float64(s.bound.Int(a.Name))
		}
		if math.Abs(x) > 1e-12 && x != 1 {
			list = append(list, named{a.Name, x})
		}
	}
	for _, letter := range s.bound.Letters() {
		if n := float64(s.bound.Dim(letter)); n > 1 {
			list = append(list, named{letter, n}, named{"√" + letter, math.Sqrt(n)})
		}
	}
	return append(list, s.totals()...)
}

// mostSummed is how many numbers an input may have whose sum is looked at.
const mostSummed = 1 << 20

// totals are the sums of masks, lengths and counts, which losses are divided by, and the largest
// of them.
func (s *subject) totals() (list []named) {
	for _, t := range s.bound.Op.Inputs {
		lengths := strings.HasSuffix(t.Name, "lens") || t.Name == "counts"
		if !t.Any && !lengths || s.axesOf(t) == nil || op.Elements(s.rec.Shape(t.Name)) > mostSummed {
			continue
		}
		x, err := s.rec.Tensor(t.Name)
		if err != nil {
			continue
		}
		if total := sum(x.Data); total > 1 && !math.IsInf(total, 0) {
			list = append(list, named{"the sum of " + t.Name, total})
		}
	}
	return list
}

// constants lists the numbers that factors are made of, simplest first, and their reciprocals and
// squares.
func (s *subject) constants() []named {
	base := append([]named{{"ln 2", math.Ln2}}, s.own()...)
	all := []named{{"2", 2}, {"1/2", 0.5}, {"√2", math.Sqrt2}, {"1/√2", 1 / math.Sqrt2}}
	for _, k := range base {
		all = append(all, k, named{"1/" + k.name, 1 / k.value})
	}
	for _, k := range base {
		all = append(all, named{k.name + "²", k.value * k.value}, named{"1/" + k.name + "²", 1 / (k.value * k.value)})
	}
	for _, k := range base {
		for _, by := range base {
			if k != by {
				all = append(all, named{k.name + " over " + by.name, k.value / by.value})
			}
		}
	}
	for n := 3.0; n <= 8; n++ {
		all = append(all, named{fmt.Sprint(n), n}, named{fmt.Sprintf("1/%v", n), 1 / n})
	}
	return slices.DeleteFunc(all, func(k named) bool { return math.Abs(k.value-1) < 1e-3 })
}
