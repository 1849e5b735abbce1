package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// otherPartners are entries of an axis that meet what belongs to others of them: query heads the
// keys of other groups, in an output that has the axis and in the sums over it. They are the right
// call with that axis in another order, in inputs and outputs alike.
func (s *subject) otherPartners() (all []candidate) {
	for _, letter := range s.axisLetters() {
		set, out := s.holders(letter), s.outputsWith(letter)
		if len(out) == 0 || s.ofAllOutputs(letter) {
			continue
		}
		n := s.length(letter, set[0])
		for _, m := range indexMaps(n, false) {
			if back := inverse(m.from, n); back != nil {
				all = append(all, s.reorderedAlong(letter, set, out, m, back))
			}
		}
	}
	return all
}

// outputsWith lists recorded outputs that have an axis.
func (s *subject) outputsWith(letter string) (all []op.Tensor) {
	for _, t := range s.bound.Op.Outputs {
		if slices.Contains(t.Shape, letter) && len(s.rec.Shape("out."+t.Name)) == len(t.Shape) {
			all = append(all, t)
		}
	}
	return all
}

// inverse returns where each entry is read, nil where that is no permutation of n.
func inverse(from func(i int) int, n int) []int {
	back := repeated(-1, n)
	for i := range n {
		at := from(i)
		if at < 0 || at >= n || back[at] >= 0 {
			return nil
		}
		back[at] = i
	}
	return back
}

// reorderedAlong is the explanation that an axis is in another order, but for what it meets.
func (s *subject) reorderedAlong(letter string, set, out []op.Tensor, m indexMap, back []int) candidate {
	word := s.word(letter)
	said := fmt.Sprintf("each %s of %s, and of %s, meets what belongs to another: to that which is read along %s "+
		"(of %d) %s", word, namesOf(set), namesOf(out), word, len(back), m.said)
	c := s.otherwise("misread", letter+" "+m.id+" beside others", said, func(r *recording.Recording) {
		s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor {
			return entries(x, a, len(back), func(i int) int { return back[i] })
		})
	})
	in := c.made
	c.made = func(as emulate.Config) giver {
		return func() (outputs, error) {
			all, err := in(as)()
			return s.outputsAlong(letter, out, m.from, all), err
		}
	}
	c.give, c.again, c.changes = c.made(emulate.Exact("")), nil, nil
	return c
}

// outputsAlong reads some outputs elsewhere along an axis.
func (s *subject) outputsAlong(letter string, out []op.Tensor, from func(i int) int, all outputs) outputs {
	for _, t := range out {
		shape := s.rec.Shape("out." + t.Name)
		if a := slices.Index(t.Shape, letter); all[t.Name] != nil {
			all[t.Name] = entries(tensor.Of(all[t.Name], shape...), a, shape[a], from).Data
		}
	}
	return all
}
