package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// otherFrequencies are those of a rotation with exponents of another width, or that begin
// elsewhere: base^(−(2i + b)/w).
func (s *subject) otherFrequencies(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	if q.Name != emulate.Turns || !s.has("base") {
		return nil
	}
	pairs, base := x.Len(), s.bound.Float("base")
	widths := []int{2 * pairs, pairs, 4 * pairs, 8 * pairs, 2*pairs - 2, 2*pairs + 2}
	for _, l := range s.bound.Letters() {
		widths = append(widths, s.bound.Dim(l), 2*s.bound.Dim(l))
		for _, by := range s.bound.Letters() {
			widths = append(widths, s.bound.Dim(l)+s.bound.Dim(by))
		}
	}
	slices.Sort(widths)
	for _, w := range slices.Compact(widths) {
		for _, b := range []float64{0, 1, 2, -1, -2} {
			if w < 2 {
				continue
			}
			said := fmt.Sprintf("takes %s for base^(−(2i%s)/%d)", q.Name, added(int(b)), w)
			all = append(all, s.taken(q, said, func() *tensor.Tensor {
				y := tensor.New(x.Shape...)
				for i := range y.Data {
					y.Data[i] = math.Pow(base, -(2*float64(i)+b)/float64(w))
				}
				return y
			}))
		}
	}
	return all
}
