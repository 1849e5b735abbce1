package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
)

// A kernel that takes its place along an axis for another, as all queries for the first, gives in
// all of its outputs what belongs there.

// tryAlong tries those.
func (s *subject) tryAlong() {
	s.try(outputsAlong(s))
	s.settle()
}

// outputsAlong are all outputs that are not explained holding along an axis what belongs elsewhere.
func outputsAlong(s *subject) (all []candidate) {
	var letters []string
	for _, name := range s.failed() {
		letters = append(letters, s.bound.Op.Output(name).Shape...)
	}
	slices.Sort(letters)
	for _, letter := range slices.Compact(letters) {
		n := s.bound.Dim(letter)
		set := s.failedAlong(letter)
		if n < 2 || len(set) < 2 { // rows of one are tried as such
			continue
		}
		for _, m := range indexMaps(n, false) {
			all = append(all, s.heldAlong(set, letter, n, m))
		}
	}
	return all
}

// failedAlong lists the outputs that are not explained, as numbers that were computed, and have an
// axis once, as it is declared.
func (s *subject) failedAlong(letter string) (set []op.Tensor) {
	for _, v := range s.views {
		t := s.bound.Op.Output(v.want.Name)
		if v.failed && v.want.Choice == nil && slices.Equal(s.bound.Shape(t.Shape), v.want.Truth.Shape) &&
			slices.Contains(t.Shape, letter) {
			set = append(set, t)
		}
	}
	return set
}

// heldAlong is the explanation that outputs hold what another entry of an axis should.
func (s *subject) heldAlong(set []op.Tensor, letter string, n int, m indexMap) candidate {
	said := fmt.Sprintf("%s hold along %s (of %d) the right results, read %s", namesOf(set), s.word(letter), n, m.said)
	moves := func(v *view, x []float64) []float64 {
		i := slices.IndexFunc(set, func(t op.Tensor) bool { return t.Name == v.want.Name })
		if i < 0 {
			return x
		}
		a := slices.Index(set[i].Shape, letter)
		return entries(tensor.Of(x, v.want.Truth.Shape...), a, n, m.from).Data
	}
	c := propose("rows", said, said, func() (outputs, error) {
		gives := outputs{}
		for _, v := range s.views {
			if v.want.Choice == nil {
				gives[v.want.Name] = moves(v, v.truth)
			}
		}
		return gives, nil
	})
	c.moves = moves
	return c
}
