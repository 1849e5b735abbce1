package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// A scale counts for a block of codes. A kernel that takes blocks to be longer or shorter than they
// are, as where it forms their extents of shapes that whole blocks do not fill, has other scales
// for all but the first.

// blocks are codes with the scales of their blocks.
type blocks struct {
	codes, scales op.Tensor
	extent        []int // of a block along each axis
	count, length []int // of blocks along each axis, and of codes
}

// extentCandidates are scales that are read as those of blocks of other extents.
func extentCandidates(s *subject) (all []candidate) {
	for _, scales := range s.bound.Op.Inputs {
		for _, codes := range s.bound.Op.Inputs {
			b := s.blocksOf(codes, scales)
			if b == nil {
				continue
			}
			for _, extent := range b.otherExtents() {
				all = append(all, s.ofExtent(b, extent))
			}
		}
	}
	return all
}

// blocksOf returns codes with their scales, nil where the one are not those of the other.
func (s *subject) blocksOf(codes, scales op.Tensor) *blocks {
	if len(codes.Shape) < 2 || !scales.Scales || scales.Name != codes.Name+"_scale" ||
		s.axesOf(codes) == nil || s.axesOf(scales) == nil {
		return nil
	}
	b := &blocks{codes: codes, scales: scales, count: s.rec.Shape(scales.Name), length: s.rec.Shape(codes.Name)}
	for a, letter := range s.axesOf(scales) {
		extent := 1
		if _, err := fmt.Sscanf(letter, "ceil("+codes.Shape[a]+"/%d)", &extent); err != nil {
			extent = 1
		}
		b.extent = append(b.extent, extent)
	}
	return b
}

// otherExtents lists what blocks may be taken for: as many as there are in equal parts, along one
// axis or along all, and the usual sizes.
func (b *blocks) otherExtents() (all [][]int) {
	add := func(of func(a int) int) {
		extent := slices.Clone(b.extent)
		for a, n := range b.extent {
			if n > 1 && b.count[a] > 1 {
				extent[a] = max(1, of(a))
			}
		}
		all = append(all, extent)
	}
	for _, of := range b.parts() {
		add(of)
		for axis := range b.extent {
			add(func(a int) int {
				if a == axis {
					return of(a)
				}
				return b.extent[a]
			})
		}
	}
	slices.SortFunc(all, slices.Compare[[]int])
	return slices.DeleteFunc(slices.CompactFunc(all, slices.Equal[[]int]), func(extent []int) bool {
		return slices.Equal(extent, b.extent)
	})
}

// parts lists extents along an axis.
func (b *blocks) parts() (all []func(a int) int) {
	all = append(all, func(a int) int { return (b.length[a] + b.count[a] - 1) / b.count[a] },
		func(a int) int { return b.length[a] / b.count[a] })
	for size := 16; size <= 512; size *= 2 {
		all = append(all, func(int) int { return size })
	}
	return all
}

// ofExtent is the explanation that blocks have other extents.
func (s *subject) ofExtent(b *blocks, extent []int) candidate {
	said := fmt.Sprintf("%s is read as if each scale counted for %s elements of %s, and it counts for %s",
		b.scales.Name, inExtents(extent), b.codes.Name, inExtents(b.extent))
	made := func(c emulate.Config) giver {
		d := len(extent)
		c.Dequantised, c.Blocks = true, emulate.Blocks{Of: b.codes.Name, Down: extent[d-2], Across: extent[d-1]}
		return s.kernel("", c)
	}
	c := propose("misread", said, said, made(emulate.Exact("")))
	c.made = made
	return c
}

// inExtents is as "128 × 128".
func inExtents(extent []int) string {
	words := make([]string, len(extent))
	for a, n := range extent {
		words[a] = fmt.Sprint(n)
	}
	return strings.Join(words, " × ")
}
