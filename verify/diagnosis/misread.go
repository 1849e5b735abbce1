package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Most mistakes of kernels are addresses: the offset of the sequence is lost, scales advance at
// another pace, the table's row is that of another request, the last tile is dropped. Each is an
// input read at other indices than the formula says.

// misreadCandidates are inputs read at other indices along one axis: each by itself, and all that
// have the axis but the first, as keys and values beside queries.
func misreadCandidates(s *subject) (all []candidate) {
	for _, letter := range s.axisLetters() {
		for _, set := range s.setsOf(letter) {
			maps := indexMaps(s.length(letter, set[0]), set[0].Integer && len(set[0].Shape) > 1)
			all = append(all, s.misread(letter, set, maps)...)
		}
	}
	for _, t := range s.bound.Op.Inputs {
		all = append(all, s.inMemory(t)...)
	}
	return slices.Concat(all, s.otherHeads(), s.otherPartners(), s.writtenAs(), s.rotatedInPart(),
		s.pooledCandidates())
}

// setsOf lists the inputs that have an axis each by itself, and those that are read together.
func (s *subject) setsOf(letter string) [][]op.Tensor {
	holders := s.holders(letter)
	sets := make([][]op.Tensor, 0, len(holders)+2)
	for i := range holders {
		sets = append(sets, holders[i:i+1])
	}
	if len(holders) > 2 {
		sets = append(sets, holders[1:])
	}
	if others := floats(holders[1:]); len(others) > 1 && len(others) < len(holders)-1 {
		sets = append(sets, others) // but lengths are those of the place itself
	}
	if len(holders) > 1 && !s.ofAllOutputs(letter) {
		sets = append(sets, holders)
	}
	return sets
}

// otherHeads are keys and values that are taken to have half or twice as many heads as they do, one
// after the other in memory: rows of others are read.
func (s *subject) otherHeads() (all []candidate) {
	set := floats(s.holders("G"))
	heads := s.bound.Dim("G")
	if len(set) == 0 || !s.has("causal") {
		return nil
	}
	for _, taken := range []int{heads / 2, 2 * heads, 1} {
		if taken < 1 || taken == heads || s.bound.Dim("H")%taken > 0 {
			continue
		}
		for _, through := range []bool{false, true} {
			said := fmt.Sprintf("%s are taken to have %s, and have %d", namesOf(set), counted(taken, "head"), heads)
			if through {
				said += ", sequence after sequence"
			}
			all = append(all, s.otherwise("misread", said, said, s.changing(set, func(x *tensor.Tensor) *tensor.Tensor {
				return withHeads(x, len(x.Shape)-2, taken, through)
			})))
		}
	}
	return all
}

// withHeads reads the memory of a tensor with another number of heads: as many rows as there were,
// zeros behind the end; from the beginning of each sequence, or right through.
func withHeads(x *tensor.Tensor, a, heads int, through bool) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[a] = heads
	y := tensor.New(shape...)
	each, own := y.Len()/shape[0], x.Len()/shape[0]
	for b := range shape[0] {
		from, end := b*own, (b+1)*own
		if through {
			from, end = min(b*each, x.Len()), x.Len()
		}
		copy(y.Data[b*each:(b+1)*each], x.Data[from:end])
	}
	return y
}

// inMemory are an input whose two last axes are walked otherwise in memory: the second first, or
// both by one.
func (s *subject) inMemory(t op.Tensor) (all []candidate) {
	shape := s.rec.Shape(t.Name)
	d := len(shape)
	if s.axesOf(t) == nil || d < 2 || min(shape[d-1], shape[d-2]) < 2 {
		return nil
	}
	for _, walk := range []struct {
		said string
		of   func(x *tensor.Tensor) *tensor.Tensor
	}{
		{"column-major, where it is row-major", func(x *tensor.Tensor) *tensor.Tensor { return reread(x, d-2) }},
		{"with a stride of 1 along both of its last axes", func(x *tensor.Tensor) *tensor.Tensor {
			return bothBy(x, 1)
		}},
		{"with the stride of rows along both of its last axes", func(x *tensor.Tensor) *tensor.Tensor {
			return bothBy(x, shape[d-1])
		}},
		{"as one number for all, its first", func(x *tensor.Tensor) *tensor.Tensor { return bothBy(x, 0) }},
		{
			"as if it were column-major, with a stride of 1 along both of its last axes",
			func(x *tensor.Tensor) *tensor.Tensor { return bothBy(tensor.Of(transposed(x, d-2).Data, shape...), 1) },
		},
	} {
		said := t.Name + " is read " + walk.said
		all = append(all, s.otherwise("misread", said, said, s.changing([]op.Tensor{t}, walk.of)))
	}
	return all
}

// bothBy reads both of the last axes of a tensor with one stride: zeros behind the end.
func bothBy(x *tensor.Tensor, stride int) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	d := len(x.Shape)
	rows, cols := x.Shape[d-2], x.Shape[d-1]
	for i := range y.Data {
		in := i % (rows * cols)
		if at := (in/cols + in%cols) * stride; at < rows*cols {
			y.Data[i] = x.Data[i-in+at]
		}
	}
	return y
}

// axisLetters lists the axes of the inputs as they are declared, each once.
func (s *subject) axisLetters() (letters []string) {
	for _, t := range s.bound.Op.Inputs {
		for _, l := range s.axesOf(t) {
			if l != "1" && !slices.Contains(letters, l) {
				letters = append(letters, l)
			}
		}
	}
	return letters
}

// axesOf returns the declared axes of a recorded input, nil if it is not there or too large.
func (s *subject) axesOf(t op.Tensor) []string {
	switch d := len(s.rec.Shape(t.Name)); {
	case !s.rec.Has(t.Name) || !s.small(t.Name) || op.Elements(s.rec.Shape(t.Name)) == 0:
		return nil
	case d == len(t.Shape):
		return t.Shape
	case d == len(t.Other):
		return t.Other
	}
	return nil
}

// holders lists the inputs that have an axis.
func (s *subject) holders(letter string) (all []op.Tensor) {
	for _, t := range s.bound.Op.Inputs {
		if slices.Contains(s.axesOf(t), letter) {
			all = append(all, t)
		}
	}
	return all
}

// ofAllOutputs tells whether every output has the axis: reading all inputs elsewhere along it gives
// the rows of the outputs elsewhere, which is tried as that.
func (s *subject) ofAllOutputs(letter string) bool {
	return !slices.ContainsFunc(s.bound.Op.Outputs, func(t op.Tensor) bool { return !slices.Contains(t.Shape, letter) })
}

// misread lists what inputs give that are read at other indices along an axis.
func (s *subject) misread(letter string, set []op.Tensor, maps []indexMap) (all []candidate) {
	n := s.length(letter, set[0])
	names := namesOf(set)
	for _, m := range maps {
		said := fmt.Sprintf("%s %s along %s (of %d) %s", names, isRead(len(set)), s.word(letter), n, m.said)
		c := s.otherwise("misread", fmt.Sprintf("%s %s %s", names, letter, m.id), said,
			func(r *recording.Recording) {
				s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor {
					return entries(x, a, n, m.from)
				})
			})
		if m.family != "" {
			c.family = names + " " + letter
			c.about = fmt.Sprintf("%s %s elsewhere along %s", names, isRead(len(set)), s.word(letter))
			c.short, c.entry = m.family, m.entry
		}
		all = append(all, c)
	}
	return all
}

func isRead(n int) string {
	if n == 1 {
		return "is read"
	}
	return "are read"
}

func namesOf(set []op.Tensor) string {
	var names []string
	for _, t := range set {
		names = append(names, t.Name)
	}
	return inWords(names)
}

// length is how long an axis of an input is.
func (s *subject) length(letter string, t op.Tensor) int {
	return s.rec.Shape(t.Name)[slices.Index(s.axesOf(t), letter)]
}

// word is the word for an axis that an output of the op has for it, or one of an op of the same
// family, else its letter.
func (s *subject) word(letter string) string {
	family, _, _ := strings.Cut(s.bound.Op.Name, ".")
	for _, o := range append([]*op.Op{s.bound.Op}, op.Ops()...) {
		if !strings.HasPrefix(o.Name, family+".") {
			continue
		}
		for _, t := range o.Outputs {
			if i := slices.Index(t.Shape, letter); i >= 0 && len(t.Axes) == len(t.Shape) {
				return t.Axes[i]
			}
		}
	}
	if inner, ok := strings.CutPrefix(letter, "ceil("); ok {
		return "blocks of " + strings.Split(inner, "/")[0]
	}
	return "axis " + letter
}

// changing returns what changes some inputs alike.
func (s *subject) changing(
	set []op.Tensor, change func(x *tensor.Tensor) *tensor.Tensor,
) func(r *recording.Recording) {
	return func(r *recording.Recording) {
		for _, t := range set {
			if x, err := s.rec.Tensor(t.Name); err == nil {
				r.Set(t.Name, s.rec.Type(t.Name), change(x))
			}
		}
	}
}

// along changes inputs along an axis.
func (s *subject) along(
	r *recording.Recording, letter string, set []op.Tensor, change func(x *tensor.Tensor, a int) *tensor.Tensor,
) {
	for _, t := range set {
		x, err := s.rec.Tensor(t.Name)
		if err != nil {
			continue
		}
		for a, l := range s.axesOf(t) {
			if l == letter {
				x = change(x, a)
			}
		}
		r.Set(t.Name, s.rec.Type(t.Name), x)
	}
}

// inside is how many numbers each entry of an axis has: what the axes behind it hold.
func inside(shape []int, a int) (n int) {
	n = 1
	for _, m := range shape[a+1:] {
		n *= m
	}
	return n
}

// entries returns a tensor with n entries along an axis, each that of another; zeros where there is
// none.
func entries(x *tensor.Tensor, a, n int, from func(i int) int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	had, inner := shape[a], inside(shape, a)
	shape[a] = n
	y := tensor.New(shape...)
	for i := 0; i < len(y.Data); i += inner {
		if at := from(i / inner % n); 0 <= at && at < had {
			j := (i/inner/n*had + at) * inner
			copy(y.Data[i:i+inner], x.Data[j:])
		}
	}
	return y
}
