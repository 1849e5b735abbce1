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
		for _, end := range zeroEnds(n) {
			said := fmt.Sprintf("%s count as zeros along %s from %d on, of %d", namesOf(floats(set)),
				s.word(letter), end, n)
			all = append(all, s.otherwise("input", fmt.Sprintf("%s zero from %d", letter, end), said,
				func(r *recording.Recording) {
					s.along(r, letter, floats(set), func(x *tensor.Tensor, a int) *tensor.Tensor {
						return entries(x, a, n, func(i int) int { return beforeEnd(i, end) })
					})
				}))
		}
	}
	for _, t := range floats(s.bound.Op.Inputs) {
		if s.axesOf(t) != nil && len(t.Shape) > 0 {
			all = append(all, s.otherwise("input", t.Name+" zero", t.Name+" counts as zeros",
				s.numbers(t.Name, func(float64) float64 { return 0 })))
			all = append(all, s.takenForOthers(t)...)
		}
	}
	return slices.Concat(all, s.otherValues(), pagedCandidates(s), extentCandidates(s))
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

// zeroEnds lists from where on an axis may count as zeros: where its last whole tile ends, and from
// a half, a quarter or an eighth of it on.
func zeroEnds(n int) []int {
	ends := tileEnds(n)
	for part := 2; part <= 8; part *= 2 {
		if end := n / part; n%part == 0 && end > 0 && !slices.Contains(ends, end) {
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
			s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor {
				return entries(x, a, end-first, func(i int) int { return first + i })
			})
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

// beforeEnd is an index before an end, and none from there on.
func beforeEnd(i, end int) int {
	if i < end {
		return i
	}
	return -1
}
