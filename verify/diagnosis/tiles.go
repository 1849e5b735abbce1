package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// tileCandidates are tiles of what is summed over that are left out, each of a family of which
// another may be missing in each part of the outputs: a tile that a loop skips, a page that is not
// read, the partial sum of a warp.
func tileCandidates(s *subject) (all []candidate) {
	for _, letter := range s.axisLetters() {
		if s.ofAttribute(letter) || s.ofAllOutputs(letter) {
			continue
		}
		set := s.holders(letter)
		n := s.length(letter, set[0])
		for _, tile := range tilesOf(n) {
			for first := 0; first < n; first += tile {
				all = append(all, s.withoutTile(letter, set, first, min(first+tile, n), n))
			}
		}
	}
	return all
}

// mostTiles is how many tiles of one size are tried.
const mostTiles = 16

// tilesOf lists the sizes of tiles of which an axis has a few.
func tilesOf(n int) (sizes []int) {
	for tile := 1; tile < n; tile *= 2 {
		if (n+tile-1)/tile <= mostTiles {
			sizes = append(sizes, tile)
		}
	}
	for _, parts := range []int{2, 4, 8} { // as devices have them
		if n%parts == 0 && n > parts && !slices.Contains(sizes, n/parts) {
			sizes = append(sizes, n/parts)
		}
	}
	return sizes
}

func (s *subject) withoutTile(letter string, set []op.Tensor, first, end, n int) candidate {
	word := s.word(letter)
	said := fmt.Sprintf("%s %d to %d, of %d, are left out", word, first, end-1, n)
	if end == first+1 {
		said = fmt.Sprintf("%s %d of %d is left out", word, first, n)
	}
	id := fmt.Sprintf("%s without %d to %d", letter, first, end)
	c := s.otherwise("input", id, said, func(r *recording.Recording) {
		s.leaveOut(r, letter, set, first, end)
	})
	c.twice = fmt.Sprintf("%s %d to %d, of %d, count twice", word, first, end-1, n)
	c.family = fmt.Sprintf("%s without %d", letter, end-first)
	c.about = fmt.Sprintf("some %s are left out", plural(word))
	if strings.HasPrefix(word, "axis ") {
		c.about = fmt.Sprintf("some of %s of %s is left out", word, namesOf(floats(set)))
	}
	c.short = fmt.Sprintf("%d to %d", first, end-1)
	return c
}

// leaveOut takes entries of an axis out of inputs, and out of the lengths of sequences where the
// axis is one of keys or of pages of them.
func (s *subject) leaveOut(r *recording.Recording, letter string, set []op.Tensor, first, end int) {
	s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor { return without(x, a, first, end) })
	keys := map[string]int{"T": 1, "cols": s.bound.Dim("page")}[letter]
	if keys > 0 && s.rec.Has("kv_lens") {
		s.numbers("kv_lens", func(n float64) float64 {
			return n - min(n, float64(end*keys)) + min(n, float64(first*keys))
		})(r)
	}
}

// without returns the entries of an axis but those from first on, up to end.
func without(x *tensor.Tensor, a, first, end int) *tensor.Tensor {
	return entries(x, a, x.Shape[a]-(end-first), func(i int) int {
		if i < first {
			return i
		}
		return i + end - first
	})
}
