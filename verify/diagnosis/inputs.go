package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// inputCandidates are inputs read in another way than they were given: not at all, in the place of
// another, as their transpose, lengths off by some keys.
func inputCandidates(s *subject) []candidate {
	var all []candidate
	for i, t := range s.bound.Op.Inputs {
		if !s.rec.Has(t.Name) || !s.small(t.Name) {
			continue
		}
		if t.Optional {
			said := t.Name + " is not read"
			all = append(all, s.otherwise("input", "without "+t.Name, said, func(r *recording.Recording) {
				r.Delete(t.Name)
			}))
		}
		all = append(all, s.transposedInput(t)...)
		for _, other := range s.bound.Op.Inputs[i+1:] {
			all = append(all, s.exchangedInputs(t.Name, other.Name)...)
			all = append(all, s.joinedInputs(t, other)...)
		}
	}
	return slices.Concat(all, s.joinedCandidates(), s.lengthCandidates(), maskCandidates(s))
}

// mostInput is the number of elements up to which an input is changed to try something.
const mostInput = 1 << 24

func (s *subject) small(name string) bool { return op.Elements(s.rec.Shape(name)) <= mostInput }

// transposedInput is a square input, or square matrices, read as their transposes.
func (s *subject) transposedInput(t op.Tensor) []candidate {
	shape := s.rec.Shape(t.Name)
	d := len(shape)
	if t.Integer || d < 2 || shape[d-1] != shape[d-2] || shape[d-1] == 1 {
		return nil
	}
	said := t.Name + " is read as its transpose"
	return []candidate{s.otherwise("input", t.Name+" transposed", said, func(r *recording.Recording) {
		if x, err := s.rec.Tensor(t.Name); err == nil {
			r.Set(t.Name, s.rec.Type(t.Name), transposed(x, d-2))
		}
	})}
}

// exchangedInputs are two inputs of one shape and type, each read in the place of the other.
func (s *subject) exchangedInputs(a, b string) []candidate {
	if !s.alike(a, b) {
		return nil
	}
	return []candidate{
		s.otherwise("input", a+" for "+b, a+" and "+b+" are read in each other's place", func(r *recording.Recording) {
			s.readFor(a, b)(r)
			s.readFor(b, a)(r)
		}),
		s.otherwise("input", a+" again for "+b, a+" is read in the place of "+b+" too", s.readFor(a, b)),
		s.otherwise("input", b+" again for "+a, b+" is read in the place of "+a+" too", s.readFor(b, a)),
	}
}

// alike tells whether two inputs are there, of one shape and type.
func (s *subject) alike(a, b string) bool {
	return s.rec.Has(b) && slices.Equal(s.rec.Shape(a), s.rec.Shape(b)) && s.rec.Type(a) == s.rec.Type(b)
}

// joinedInputs are two inputs of one shape that lie in memory as one, behind each other where a
// kernel takes them to be interleaved along an axis, or the reverse.
func (s *subject) joinedInputs(a, b op.Tensor) (all []candidate) {
	shape := s.rec.Shape(a.Name)
	if len(floats([]op.Tensor{a, b})) < 2 || s.axesOf(a) == nil || !s.alike(a.Name, b.Name) {
		return nil
	}
	for axis := range shape {
		word := s.word(s.axesOf(a)[axis])
		try := func(how string, from func(i, n int) int) {
			said := fmt.Sprintf("%s and %s are read as if they were "+how, a.Name, b.Name, word)
			all = append(all, s.otherwise("misread", said, said, func(r *recording.Recording) {
				s.readJoined(r, a.Name, b.Name, axis, from)
			}))
			x, y := s.shared(a), s.shared(b)
			if x == "" || y == "" || axis == 0 {
				return
			}
			said = fmt.Sprintf("%s and %s, and %s and %s, are read as if they were "+how, a.Name, b.Name, x, y, word)
			all = append(all, s.otherwise("misread", said, said, func(r *recording.Recording) {
				s.readJoined(r, a.Name, b.Name, axis, from)
				s.readJoined(r, x, y, axis-1, from)
			}))
		}
		try("interleaved along %s, and lie behind each other", func(i, n int) int { return 2*(i%n) + i/n })
		try("behind each other along %s, and lie interleaved", func(i, n int) int { return i%2*n + i/2 })
	}
	return all
}

// shared is the input of the shared experts that is what one of the routed ones is, without the
// axis of experts; "" where there is none.
func (s *subject) shared(t op.Tensor) string {
	name := "shared" + strings.TrimPrefix(t.Name, "w")
	if !strings.HasPrefix(t.Name, "w_") || len(s.rec.Shape(name)) != len(s.rec.Shape(t.Name))-1 {
		return ""
	}
	return name
}

// readJoined reads entry i of an axis of two inputs behind each other, of n entries each, at
// another.
func (s *subject) readJoined(r *recording.Recording, a, b string, axis int, from func(i, n int) int) {
	x, first := s.rec.Tensor(a)
	y, second := s.rec.Tensor(b)
	if first != nil || second != nil {
		return
	}
	n := x.Shape[axis]
	part := func(start int) *tensor.Tensor {
		ofX := entries(x, axis, n, func(i int) int { return from(start+i, n) })
		ofY := entries(y, axis, n, func(i int) int { return from(start+i, n) - n })
		for i, v := range ofY.Data {
			ofX.Data[i] += v
		}
		return ofX
	}
	r.Set(a, s.rec.Type(a), part(0))
	r.Set(b, s.rec.Type(b), part(n))
}

// readFor reads one input in the place of another.
func (s *subject) readFor(a, b string) func(r *recording.Recording) {
	return func(r *recording.Recording) {
		if x, err := s.rec.Tensor(a); err == nil {
			r.Set(b, s.rec.Type(b), x)
		}
	}
}

// lengthCandidates are sequences that end elsewhere: some keys more or less, at the end of a tile.
func (s *subject) lengthCandidates() []candidate {
	if !s.rec.Has("kv_lens") {
		return nil
	}
	var all []candidate
	try := func(said string, of func(n float64) float64) {
		all = append(all, s.otherwise("input", said, "as if sequences had "+said,
			s.numbers("kv_lens", func(n float64) float64 { return max(0, of(n)) })))
	}
	for _, by := range []float64{-1, 1, -2, 2, -16, 16, -64, 64} {
		word := "more"
		if by < 0 {
			word = "less"
		}
		try(fmt.Sprintf("%v keys %s", math.Abs(by), word), func(n float64) float64 { return n + by })
	}
	for _, tile := range []float64{8, 16, 32, 64, 128} {
		try(fmt.Sprintf("keys up to the last whole tile of %v", tile), func(n float64) float64 {
			return math.Floor(n/tile) * tile
		})
		try(fmt.Sprintf("keys up to the end of the last tile of %v", tile), func(n float64) float64 {
			return math.Ceil(n/tile) * tile
		})
	}
	for _, by := range []float64{2, 4, 8, 16, 32, 64, 128} {
		try(fmt.Sprintf("one key for each %v", by), func(n float64) float64 { return math.Ceil(n / by) })
	}
	for _, most := range []float64{256, 512, 1024, 2048, 4096} {
		try(fmt.Sprintf("at most %v keys", most), func(n float64) float64 { return min(n, most) })
	}
	return all
}
