package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/tensor"
)

// What a formula has in one place may be any small function of what it names: of another tensor, of
// itself and another one, of two others.

// alternative is what may stand in the place of a tensor, made only where it is looked at.
type alternative struct {
	said  string // "−1 times the ratio"
	plain bool   // it is a function that may stand beside something
	x     func() []float64
}

// multiples are the numbers with which what is written in the place of another may be multiplied.
var multiples = []named{{"", 1}, {"−1 times ", -1}, {"half ", 0.5}, {"minus half ", -0.5}}

// alternatives lists what may stand in the place of a tensor, simplest first: functions of others;
// itself with these; two others with each other.
func (o operand) alternatives(others []operand) (all []alternative) {
	var fits []fitted
	for _, b := range others {
		if b.name != o.name {
			fits = append(fits, o.fitting(b)...)
		}
	}
	for i := range fits {
		fits[i].x = sync.OnceValue(fits[i].x) // it may be reduced from a much larger one
	}
	var own []alternative
	plain := make([][]alternative, len(fits))
	for i, b := range fits {
		for _, f := range o.functions(b) {
			if all = append(all, f); f.plain {
				plain[i], own = append(plain[i], f), append(own, o.beside(f)...)
			}
		}
	}
	return slices.Concat(all, own, o.ofTwo(fits), products(fits, plain))
}

// functions lists multiples of functions of another tensor.
func (o operand) functions(b fitted) (all []alternative) {
	for _, f := range slices.Concat([]function{itself}, formulas()[varying:], curves()) {
		for _, by := range multiples {
			said := strings.TrimSpace(fmt.Sprintf("%s%s %s", by.name, b.name, taken(f.said)))
			plain := by.value == 1 && slices.Contains(plainest, f.said)
			all = append(all, alternative{said, plain, func() []float64 {
				return eachOf(b.x(), func(x float64) float64 { return by.value * f.of(x) }).Data
			}})
		}
	}
	return all
}

// plainest are functions that may stand beside something else: the number itself first.
var plainest = []string{"", "without its sign", "for its exponential", "for its square", "twice"}

// curves are functions of which losses are made.
func curves() []function {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	return []function{
		{"for its sigmoid", sigmoid},
		{"for the logarithm of its sigmoid", func(x float64) float64 { return math.Log(sigmoid(x)) }},
		{"for its tangens hyperbolicus", math.Tanh},
		{"for 1 − it, where that is positive", func(x float64) float64 { return max(0, 1-x) }},
	}
}

// beside lists the tensor itself with a function of another.
func (o operand) beside(f alternative) (all []alternative) {
	for _, c := range combinations[1:] {
		all = append(all, alternative{fmt.Sprintf(paired[c.said], o.name, f.said), false, func() []float64 {
			return o.combined(c, tensor.Of(f.x(), o.x.Shape...))
		}})
	}
	return all
}

// paired says of combinations what comes of them.
var paired = map[string]string{
	combinations[1].said: "%s times %s",
	combinations[2].said: "%s over %s",
	combinations[3].said: "%s and %s",
	combinations[4].said: "%s less %s",
	combinations[5].said: "the larger of %s and %s",
	combinations[6].said: "the smaller of %s and %s",
}

// ofTwo lists what two other tensors come to, and multiples of it.
func (o operand) ofTwo(fits []fitted) (all []alternative) {
	for i, a := range fits {
		for _, b := range fits[i+1:] {
			for _, c := range combinations[1:] {
				for _, by := range multiples {
					said := by.name + fmt.Sprintf(paired[c.said], a.name, b.name)
					all = append(all, alternative{said, false, func() []float64 {
						y := operand{x: a.x()}.combined(c, b.x())
						gonum.Scale(by.value, y)
						return y
					}})
				}
			}
		}
	}
	return all
}

// products lists those of a tensor with a plain function of another, of either sign.
func products(fits []fitted, plain [][]alternative) (all []alternative) {
	for _, a := range fits {
		for i, b := range fits {
			for _, f := range plain[i] {
				if a.name == b.name || f.said == b.name {
					continue
				}
				for _, by := range multiples[:2] {
					said := fmt.Sprintf("%s%s times %s", by.name, a.name, f.said)
					all = append(all, alternative{said, false, func() []float64 {
						y := f.x()
						gonum.Mul(y, a.x().Data)
						gonum.Scale(by.value, y)
						return y
					}})
				}
			}
		}
	}
	return all
}

// defined tells whether an alternative is a number wherever the tensor is one that counts.
func (o operand) defined(x []float64, counts func(i int) bool) bool {
	for i, v := range o.x.Data {
		if v == v && x[i] != x[i] && counts(i) {
			return false
		}
	}
	return true
}

// mostAlternatives is how many numbers are formed to try what an output may be, and leastWrong how
// many of its numbers have to be wrong for one of so many alternatives to say anything.
const (
	mostAlternatives = 1 << 23
	leastWrong       = 8
)

// tryAlternatives tries outputs that are other small functions of what the formula names.
func (s *subject) tryAlternatives() {
	for _, v := range s.views {
		letters := s.bound.Op.Output(v.want.Name).Shape
		if v.want.Choice != nil || !v.failed || len(letters) != len(v.want.Truth.Shape) {
			continue
		}
		wrong := v.places()
		if len(wrong) < leastWrong {
			continue
		}
		o := operand{v.want.Name, letters, v.want.Axes, v.want.Truth, nil}
		others := slices.DeleteFunc(s.operands(), func(b operand) bool { return b.name == "the right "+o.name })
		all := o.alternatives(others)
		all = all[:min(len(all), mostAlternatives/len(v.got))]
		some := spread(wrong, leastWrong) // which rule most alternatives out
		trials := make([]*trial, len(all))
		parallel.Each(len(all), func(i int) {
			if w := all[i].x(); v.roughly(w, some) && v.near(w) && !v.undefined(w) {
				said := o.name + " holds " + all[i].said
				c := v.instead("combined", said, said, func() []float64 { return w })
				trials[i] = s.compared(c, c.give)
			}
		})
		s.trials = append(s.trials, slices.DeleteFunc(trials, func(t *trial) bool { return t == nil })...)
	}
	s.settle()
}

// roughly tells whether other numbers are near what was recorded in most of some places.
func (v *view) roughly(w []float64, places []int) bool {
	far := 0
	for _, i := range places {
		if math.Abs(w[i]-v.got[i]) > rough*math.Abs(v.got[i])+64*v.scale[i] {
			far++
		}
	}
	return 2*far <= len(places)
}

// rough is how far from a recorded number, as a part of it, one may be to be looked at again.
const rough = 0.05
