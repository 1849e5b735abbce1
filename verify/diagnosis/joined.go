package diagnosis

import (
	"fmt"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Inputs of one shape are often stored as one tensor: W1 and W3 of experts, keys and values, or
// queries with both. What reads that as if it lay otherwise mixes them.

// joinedCandidates are two or three inputs of one shape that lie in memory as one, and are read as
// if that lay column by column, which of a square one is its transpose; of three also as if they
// were interleaved, or the reverse: joinedInputs has that of two.
func (s *subject) joinedCandidates() (all []candidate) {
	for _, set := range s.ofOneShape() {
		d := len(s.rec.Shape(set[0].Name))
		for back := 1; back <= d; back++ {
			if back <= 2 && d > 1 {
				all = append(all, s.byColumns(set, back))
			}
			if len(set) > 2 {
				all = append(all, s.interleaved(set, back)...)
			}
		}
	}
	return all
}

// ofOneShape lists pairs and threes of floating-point inputs of one shape and type: matrices of
// weights, and what has three axes or more.
func (s *subject) ofOneShape() (sets [][]op.Tensor) {
	inputs := floats(s.bound.Op.Inputs)
	for i, a := range inputs {
		if axes := s.axesOf(a); len(axes) < 3 && !a.Parts || axes == nil {
			continue
		}
		for j := i + 1; j < len(inputs); j++ {
			if !s.alike(a.Name, inputs[j].Name) {
				continue
			}
			sets = append(sets, []op.Tensor{a, inputs[j]})
			for _, c := range inputs[j+1:] {
				if s.alike(a.Name, c.Name) {
					sets = append(sets, []op.Tensor{a, inputs[j], c})
				}
			}
		}
	}
	return sets
}

// byColumns are inputs behind each other along an axis, so many from the end, that are read as if
// what they are together lay column by column.
func (s *subject) byColumns(set []op.Tensor, back int) candidate {
	shape := s.rec.Shape(set[0].Name)
	d := len(shape)
	rows, cols := shape[d-2], shape[d-1]
	if back == 1 {
		cols *= len(set)
	} else {
		rows *= len(set)
	}
	how := "column by column, where that lies row by row"
	if rows == cols {
		how = "as its transpose"
	}
	said := fmt.Sprintf("%s lie behind each other along %s as one tensor, and are read %s", namesOf(set),
		s.axisFromEnd(set, back), how)
	return s.joinedAs(set, back, said, func(x *tensor.Tensor) *tensor.Tensor { return reread(x, len(x.Shape)-2) })
}

// axisFromEnd is the word for an axis of inputs, so many from the end.
func (s *subject) axisFromEnd(set []op.Tensor, back int) string {
	axes := s.axesOf(set[0])
	return s.word(axes[len(axes)-back])
}

// interleaved are inputs that lie behind each other and are read as if they were interleaved along
// an axis, or the reverse.
func (s *subject) interleaved(set []op.Tensor, back int) []candidate {
	word, m := s.axisFromEnd(set, back), len(set)
	try := func(how string, from func(i, n int) int) candidate {
		said := fmt.Sprintf("%s are read as if they were "+how, namesOf(set), word)
		return s.joinedAs(set, back, said, func(x *tensor.Tensor) *tensor.Tensor {
			a := len(x.Shape) - back
			n := x.Shape[a]
			return entries(x, a, n, func(i int) int { return from(i, n/m) })
		})
	}
	return []candidate{
		try("interleaved along %s, and lie behind each other", func(i, n int) int { return m*(i%n) + i/n }),
		try("behind each other along %s, and lie interleaved", func(i, n int) int { return i%m*n + i/m }),
	}
}

// joinedAs is the explanation that inputs are read as parts of what they are together taken
// otherwise; those of the shared experts too, where there are such.
func (s *subject) joinedAs(
	set []op.Tensor, back int, said string, as func(x *tensor.Tensor) *tensor.Tensor,
) candidate {
	read := func(r *recording.Recording, names []string) {
		var all []*tensor.Tensor
		for _, name := range names {
			x, err := s.rec.Tensor(name)
			if err != nil {
				return
			}
			all = append(all, x)
		}
		for i, x := range parted(as(joined(all, back)), len(all), back) {
			r.Set(names[i], s.rec.Type(names[i]), x)
		}
	}
	var own, shared []string
	for _, t := range set {
		own = append(own, t.Name)
		if x := s.shared(t); x != "" && s.alike(s.shared(set[0]), x) {
			shared = append(shared, x)
		}
	}
	c := s.otherwise("misread", said, said, func(r *recording.Recording) { read(r, own) })
	if len(shared) == len(own) && back < len(s.rec.Shape(own[0])) {
		c.others = append(c.others, s.otherwise("misread", said, said, func(r *recording.Recording) {
			read(r, own)
			read(r, shared)
		}).give)
	}
	return c
}

// joined puts tensors behind each other along an axis, so many from the end.
func joined(all []*tensor.Tensor, back int) *tensor.Tensor {
	shape := append([]int(nil), all[0].Shape...)
	a := len(shape) - back
	block := shape[a] * inside(shape, a)
	shape[a] *= len(all)
	y := tensor.New(shape...)
	for i, x := range all {
		for from := 0; from < len(x.Data); from += block {
			copy(y.Data[from*len(all)+i*block:], x.Data[from:from+block])
		}
	}
	return y
}

// parted takes apart what joined puts together.
func parted(y *tensor.Tensor, parts, back int) (all []*tensor.Tensor) {
	a := len(y.Shape) - back
	n := y.Shape[a] / parts
	for k := range parts {
		all = append(all, entries(y, a, n, func(i int) int { return k*n + i }))
	}
	return all
}
