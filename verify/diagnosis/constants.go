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
	for _, k := range s.known() {
		if math.Abs(factor/k.value-1) < exactly {
			return ", which is " + k.name
		}
	}
	return ""
}

// sized names the size of a number.
func (s *subject) sized(x float64) string {
	if said := s.constant(math.Abs(x)); x >= 0 || said == "" {
		return said
	}
	return strings.Replace(s.constant(-x), "which is ", "which is −", 1)
}

// namely says what a factor on an output is: a constant, or that of a mean over another number.
func (s *subject) namely(factor float64) string {
	if said := s.constant(factor); said != "" {
		return said
	}
	return s.divisor(factor)
}

// mostDivisor and wholeDivisor are up to which number one is said to be divided by in the place of
// another, and how far from a whole number it may be.
const (
	mostDivisor  = 1e5
	wholeDivisor = 0.03
)

// divisor says which whole number a mean is divided by if it is a factor times what it should be,
// and that in the place of a number that losses are divided by; "" if it is none.
func (s *subject) divisor(factor float64) string {
	for _, total := range s.divisors() {
		n := total.value / factor
		if m := math.Round(n); m >= 1 && m < mostDivisor && math.Abs(n-m) < wholeDivisor && m != total.value {
			return fmt.Sprintf(", as of a division by %v in the place of %v, %s", m, total.value, total.name)
		}
	}
	return ""
}

// divisors are what means of losses may be over: masks, targets that are not ignored, else all
// rows.
func (s *subject) divisors() (list []named) {
	if !s.has("aggregate") && !s.has("reduction") {
		return nil
	}
	list = append(s.totals(), s.targetsThatCount()...)
	if letters := s.bound.Op.Inputs[0].Shape; len(list) == 0 {
		list = append(list, named{"the number of rows", float64(s.bound.Dim(letters[0]))})
	}
	return list
}

// targetsThatCount is how many targets are not ignored.
func (s *subject) targetsThatCount() []named {
	x, err := s.rec.Tensor("targets")
	if err != nil || !s.has("ignore_index") {
		return nil
	}
	n, ignored := 0.0, float64(s.bound.Int("ignore_index"))
	for _, y := range x.Data {
		if y != ignored {
			n++
		}
	}
	return []named{{"the targets that count", n}}
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
		x := s.bound.Number(a)
		if a.Kind == op.Count || a.Kind == op.Integer {
			x = float64(s.bound.Int(a.Name))
		}
		if math.Abs(x) > 1e-12 && x != 1 {
			list = append(list, named{a.Name, x})
			if strings.HasPrefix(a.Name, "clip") && x < 1 {
				list = append(list, named{"1 + " + a.Name, 1 + x}, named{"1 − " + a.Name, 1 - x})
			}
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
	if s.has("format") {
		const own = 448. / 240
		all = append(all, named{"448/240, the largest codes of E4M3 and of its FNUZ form", own},
			named{"240/448, the largest codes of E4M3's FNUZ form and of itself", 1 / own})
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
