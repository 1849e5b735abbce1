package diagnosis

import (
	"fmt"

	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// What a kernel before this one should have written into a cache may have been written elsewhere:
// where it belongs there are zeros, which count, in keys and values alike.

// mostRunsOfZeros is in how many tiles at most an axis is cut of which runs are zeros.
const mostRunsOfZeros = 6

// tryEmpty tries those.
func (s *subject) tryEmpty() {
	s.try(emptyCandidates(s))
	s.settle()
}

// emptyCandidates are inputs that are summed over of which runs of tiles are zeros, each of a
// family of which others may be so in other parts of the outputs.
func emptyCandidates(s *subject) (all []candidate) {
	for _, letter := range s.axisLetters() {
		set := floats(s.holders(letter))
		if len(set) == 0 || s.ofAttribute(letter) || s.ofAllOutputs(letter) {
			continue
		}
		n := s.length(letter, set[0])
		for _, tile := range tilesOf(n) {
			for first := 0; first < n && n <= mostRunsOfZeros*tile; first += tile {
				for end := first + tile; end < n+tile && end-first < n; end += tile {
					all = append(all, s.emptied(letter, tile, n, first, min(end, n)))
				}
			}
		}
	}
	return all
}

// emptied is the explanation that inputs are zeros in a run of entries of an axis.
func (s *subject) emptied(letter string, tile, n, first, end int) candidate {
	set := floats(s.holders(letter))
	word := s.word(letter)
	said := fmt.Sprintf("%s are zeros in %s %d to %d, of %d, as if they were never written there, and count",
		namesOf(set), word, first, end-1, n)
	c := s.otherwise("input", fmt.Sprintf("%s zero from %d to %d", letter, first, end), said,
		func(r *recording.Recording) {
			s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor {
				return entries(x, a, n, outside(first, end))
			})
		})
	c.family, c.short = fmt.Sprintf("%s zero %d", letter, tile), fmt.Sprintf("%d to %d", first, end-1)
	c.about = fmt.Sprintf("%s are zeros in some %s, as if they were never written there, and count", namesOf(set),
		plural(word))
	return c
}

// outside returns an index as it is outside a run, and none inside.
func outside(first, end int) func(i int) int {
	return func(i int) int {
		if first <= i && i < end {
			return -1
		}
		return i
	}
}
