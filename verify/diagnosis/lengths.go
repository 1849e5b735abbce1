package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// cutCandidates are axes that end elsewhere: at a tile before the end, behind it with zeros, or
// without the first; and inputs that are zeros from the last whole tile on, or altogether.
func cutCandidates(s *subject) (all []candidate) {
	for _, letter := range s.axisLetters() {
		set := s.holders(letter)
		n := s.length(letter, set[0])
		if !s.ofAttribute(letter) && !s.ofAllOutputs(letter) {
			all = append(all, s.cuts(letter, set, n)...)
		}
		for _, end := range tileEnds(n) {
			said := fmt.Sprintf("%s count as zeros along %s from %d on, of %d", namesOf(floats(set)),
				s.word(letter), end, n)
			all = append(all, s.otherwise("input", fmt.Sprintf("%s zero from %d", letter, end), said,
				func(r *recording.Recording) {
					s.along(r, letter, floats(set), func(x *tensor.Tensor, a int) *tensor.Tensor {
						return zeroFrom(x, a, end)
					})
				}))
		}
	}
	for _, t := range floats(s.bound.Op.Inputs) {
		if s.axesOf(t) != nil && len(t.Shape) > 0 {
			said := t.Name + " counts as zeros"
			all = append(all, s.otherwise("input", t.Name+" zero", said, func(r *recording.Recording) {
				r.Set(t.Name, s.rec.Type(t.Name), tensor.New(s.rec.Shape(t.Name)...))
			}))
		}
	}
	return slices.Concat(all, s.otherValues())
}

// ofAttribute tells whether an attribute says how long an axis is.
func (s *subject) ofAttribute(letter string) bool {
	return slices.ContainsFunc(s.bound.Op.Attrs, func(a op.Attr) bool {
		return a.Letter != "" && slices.Contains([]string{a.Letter, a.Letter + "0", a.Letter + "1"}, letter)
	})
}

func floats(set []op.Tensor) (all []op.Tensor) {
	for _, t := range set {
		if !t.Integer && !t.Any {
			all = append(all, t)
		}
	}
	return all
}

// tileEnds lists where the last whole tile of an axis ends, for the usual tiles.
func tileEnds(n int) (ends []int) {
	for _, tile := range []int{16, 32, 64, 128, 256, 512, 1024, 2048, 4096} {
		if end := n / tile * tile; end > 0 && end < n && !slices.Contains(ends, end) {
			ends = append(ends, end)
		}
	}
	return ends
}

// tilesFilled lists how long an axis is that is filled to whole tiles.
func tilesFilled(n int) (all []int) {
	for _, tile := range []int{8, 16, 32, 64, 128, 256, 512, 1024} {
		if full := (n + tile - 1) / tile * tile; full > n && full < 4*n && !slices.Contains(all, full) {
			all = append(all, full)
		}
	}
	return all
}

// cuts are an axis that goes from one index up to another, beyond its end with zeros.
func (s *subject) cuts(letter string, set []op.Tensor, n int) (all []candidate) {
	word := s.word(letter)
	try := func(first, end int, said string) {
		id := fmt.Sprintf("%s %d to %d", letter, first, end)
		all = append(all, s.otherwise("input", id, said, func(r *recording.Recording) {
			s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor { return slice(x, a, first, end) })
		}))
	}
	ends := tileEnds(n)
	for most := 64; most < n; most *= 2 {
		if !slices.Contains(ends, most) {
			ends = append(ends, most)
		}
	}
	for _, end := range ends {
		try(0, end, fmt.Sprintf("%s ends at %d, of %d", word, end, n))
	}
	for _, full := range tilesFilled(n) {
		try(0, full, fmt.Sprintf("%s goes on to %d, beyond its %d, and what lies there counts as zeros", word, full, n))
	}
	if n > 1 {
		try(1, n, fmt.Sprintf("the first of %s, of %d, is left out", word, n))
		try(0, n-1, fmt.Sprintf("the last of %s, of %d, is left out", word, n))
	}
	if n > 2 {
		try(n-1, n, fmt.Sprintf("of %s the last alone counts, of %d", word, n))
		try(0, 1, fmt.Sprintf("of %s the first alone counts, of %d", word, n))
	}
	return all
}

// slice returns the entries of an axis from first on, up to end; those beyond its own are zeros.
func slice(x *tensor.Tensor, a, first, end int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	n, inner := shape[a], 1
	for _, m := range shape[a+1:] {
		inner *= m
	}
	shape[a] = end - first
	y := tensor.New(shape...)
	for block := range x.Len() / (n * inner) {
		to := y.Data[block*shape[a]*inner:]
		copy(to, x.Data[(block*n+first)*inner:(block*n+min(end, n))*inner])
	}
	return y
}

// zeroFrom returns a tensor whose entries of an axis are zeros from one on.
func zeroFrom(x *tensor.Tensor, a, end int) *tensor.Tensor {
	return slice(slice(x, a, 0, end), a, 0, x.Shape[a])
}
