package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// A loop treats its first or its last turn in a way of its own: what comes from beyond the end is
// 0, a reward is given there. By mistake the last has something else there, or has alone what all
// have.

// tryEnds tries what stands at an end of each row of a tensor, of those that count, and nowhere
// else.
func (s *subject) tryEnds() {
	var all []candidate
	targets := s.targets()
	for _, t := range targets {
		counts := s.counting(t)
		for a, n := range t.x.Shape {
			if n == 1 || t.x.Len() > mostTarget {
				continue
			}
			for _, last := range []bool{true, false} {
				all = append(all, s.atEnds(t, a, last, counts, targets)...)
			}
		}
	}
	s.try(all)
	s.settle()
}

// atEnds lists what may stand at the last or the first entry that counts along an axis: nothing, a
// multiple, another of the targets.
func (s *subject) atEnds(
	t operand, a int, last bool, counts func(i int) bool, targets []operand,
) (all []candidate) {
	ends := t.ends(a, last, counts)
	where := fmt.Sprintf("at the %s %s that counts", map[bool]string{true: "last", false: "first"}[last], t.words[a])
	add := func(said string, x func() []float64, beyond bool) {
		c := t.as(said, func() *tensor.Tensor {
			y := slices.Clone(t.x.Data)
			for i, v := range x() {
				if ends[i] != beyond {
					y[i] = v
				}
			}
			return tensor.Of(y, t.x.Shape...)
		})
		c.Kind, c.whole = "combined", true
		all = append(all, c)
	}
	none := func() []float64 { return make([]float64, t.x.Len()) }
	add(fmt.Sprintf("takes %s for 0 everywhere but %s", within(t.name), where), none, true)
	add(fmt.Sprintf("takes %s for 0 %s", within(t.name), where), none, false)
	for _, k := range s.rates() {
		add(fmt.Sprintf("takes %s times %s %s", within(t.name), k.name, where), func() []float64 {
			return eachOf(t.x, func(x float64) float64 { return k.value * x }).Data
		}, false)
	}
	for _, other := range targets {
		if other.name == t.name || !slices.Equal(other.letters, t.letters) {
			continue
		}
		add(fmt.Sprintf("takes %s for %s %s", other.name, within(t.name), where), func() []float64 {
			return other.x.Data
		}, false)
	}
	return all
}

// rates are attributes by which something may be multiplied once more, and products of two.
func (s *subject) rates() (all []named) {
	var own []named
	for _, k := range s.own() {
		if math.Abs(k.value) < 1 {
			own = append(own, k)
		}
	}
	for i, k := range own {
		all = append(all, k)
		for _, by := range own[i:] {
			all = append(all, named{k.name + "·" + by.name, k.value * by.value})
		}
	}
	return all
}

// ends marks the last or the first entry of each row along an axis, of those that count.
func (t operand) ends(a int, last bool, counts func(i int) bool) []bool {
	ends := make([]bool, t.x.Len())
	for row := range placesAlong(t.x.Shape, a) {
		at := -1
		for _, place := range row {
			if counts(place) && (last || at < 0) {
				at = place
			}
		}
		if at >= 0 {
			ends[at] = true
		}
	}
	return ends
}

// counting tells which numbers of a tensor count: those that the mask keeps where it has its axes.
func (s *subject) counting(t operand) func(i int) bool {
	for _, m := range s.wholeInputs() {
		if m.name == "mask" && slices.Equal(m.letters, t.letters) && slices.Equal(m.x.Shape, t.x.Shape) {
			return func(i int) bool { return m.x.Data[i] != 0 }
		}
	}
	return everywhere
}

func everywhere(int) bool { return true }
