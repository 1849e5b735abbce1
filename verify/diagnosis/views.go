package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
)

// Heads and positions are often one axis in memory, and a kernel that takes one head for several,
// or several for one, as where devices share them and it has the count of all, takes so many
// positions for one, or one for several.

// viewCandidates are calls whose inputs are all viewed with other numbers of heads.
func viewCandidates(s *subject) (all []candidate) {
	o := s.bound.Op
	set := slices.Concat(ofHeads(o.Inputs, "S"), ofHeads(o.Inputs, "T"))
	if len(set) == 0 || !s.headsAlone() {
		return nil
	}
	for by := 2; by <= 8; by *= 2 {
		said := fmt.Sprintf("%s are viewed with %d times the heads, each of %d positions one after the other for "+
			"one position", namesOf(set), by, by)
		all = append(all, s.inView(set, said, by, 1))
		said = fmt.Sprintf("%s are viewed with %d heads for one, and each position for %d", namesOf(set), by, by)
		all = append(all, s.inView(set, said, 1, by))
	}
	return all
}

// headsAlone tells whether positions are an axis of inputs that have heads and of no other.
func (s *subject) headsAlone() bool {
	return !slices.ContainsFunc(slices.Concat(s.holders("S"), s.holders("T")), func(t op.Tensor) bool {
		return headAxis(t) < 0
	})
}

// inView is the explanation that positions are fewer by a factor, and heads more, or the reverse.
func (s *subject) inView(set []op.Tensor, said string, more, fewer int) candidate {
	return s.otherwise("layout", said, said, s.changing(set, func(x *tensor.Tensor) *tensor.Tensor {
		a := len(x.Shape) - 3
		shape := slices.Clone(x.Shape)
		shape[a], shape[a+1] = shape[a]*fewer/more, shape[a+1]*more/fewer
		if shape[a]*more != x.Shape[a]*fewer || shape[a+1]*fewer != x.Shape[a+1]*more {
			return x
		}
		return tensor.Of(x.Data, shape...)
	}))
}
