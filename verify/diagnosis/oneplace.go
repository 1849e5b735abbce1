package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// What is loaded as one number, as of a gradient that autograd spreads with strides of 0, is that
// of one place for all.

// atOnePlace lists what a quantity gives that is read at the first or the last place of several of
// its axes.
func (s *subject) atOnePlace(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	for _, axes := range severalOf(x.Shape) {
		for _, last := range []bool{false, true} {
			place := make([]int, len(x.Shape))
			var words []string
			for _, a := range axes {
				if last {
					place[a] = x.Shape[a] - 1
				}
				words = append(words, fmt.Sprintf("%s %d", s.wordOf(q, a), place[a]))
			}
			said := fmt.Sprintf("reads %s at one place for all: %s", q.Name, strings.Join(words, ", "))
			all = append(all, s.taken(q, said, func() *tensor.Tensor {
				y := x
				for _, a := range axes {
					y = entries(y, a, x.Shape[a], func(int) int { return place[a] })
				}
				return y
			}))
		}
	}
	return all
}

// severalOf lists sets of two axes and more that have several entries each, all of them first.
func severalOf(shape []int) (sets [][]int) {
	for bits := 1<<len(shape) - 1; bits > 0; bits-- {
		var axes []int
		for a, n := range shape {
			if bits>>a&1 == 1 && n > 1 {
				axes = append(axes, a)
			}
		}
		known := slices.ContainsFunc(sets, func(set []int) bool { return slices.Equal(set, axes) })
		if len(axes) > 1 && !known {
			sets = append(sets, axes)
		}
	}
	return sets
}
