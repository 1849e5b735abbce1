package diagnosis

import (
	"fmt"

	"plumbline/numbers/tensor"
)

// tryPermuted tries inputs, and quantities, whose elements stand in another order within tiles:
// what lanes hold of a tile of tensor cores, and banks of shared memory, is a permutation of it.
func (s *subject) tryPermuted() {
	var all []candidate
	for _, letter := range s.axisLetters() {
		for _, set := range s.setsOf(letter) {
			all = append(all, s.misread(letter, set, fragmentMaps(s.length(letter, set[0])))...)
		}
	}
	for _, h := range s.hung() {
		for a, n := range h.x.Shape {
			for _, m := range fragmentMaps(n) {
				said := fmt.Sprintf("reads %s along %s (of %d) %s", h.Name, s.wordOf(h.Quantity, a), n, m.said)
				all = append(all, s.taken(h.Quantity, said, func() *tensor.Tensor {
					return entries(h.x, a, n, m.from)
				}))
			}
		}
	}
	s.try(all)
	s.settle()
}
