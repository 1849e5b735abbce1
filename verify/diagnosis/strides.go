package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
)

// The stride of an axis is how many entries the axes inside of it have. A kernel that takes one of
// these to be longer or shorter than it is, as another of the call or padded to whole tiles, reads
// the first entry at the right address and every other one elsewhere.

// tryStrides tries inputs that are read with the strides of another extent.
func (s *subject) tryStrides() {
	s.try(strideCandidates(s))
	s.settle()
}

// strideCandidates lists them: extents of each axis but the first.
func strideCandidates(s *subject) (all []candidate) {
	for _, set := range s.sharing() {
		shape := s.rec.Shape(set[0].Name)
		for a := 1; a < len(shape); a++ {
			for _, extent := range s.extents(shape[a]) {
				all = append(all, s.strided(set, a, extent, true))
				if a > 1 {
					all = append(all, s.strided(set, a, extent, false))
				}
			}
		}
	}
	return all
}

// sharing lists each input of several axes by itself, and those of the same axes together, as keys
// and values are.
func (s *subject) sharing() (sets [][]op.Tensor) {
	for i, t := range s.bound.Op.Inputs {
		letters := s.axesOf(t)
		if len(letters) < 2 {
			continue
		}
		sets = append(sets, s.bound.Op.Inputs[i:i+1])
		alike := slices.DeleteFunc(slices.Clone(s.bound.Op.Inputs), func(other op.Tensor) bool {
			axes := s.axesOf(other)
			return len(axes) != len(letters) || !slices.Equal(axes[:len(axes)-1], letters[:len(letters)-1])
		})
		if len(alike) > 1 && alike[0].Name == t.Name {
			sets = append(sets, alike)
		}
	}
	return sets
}

// extents lists what an extent may be mistaken for: another of the call, itself in whole tiles, or
// without what a ragged tile begins.
func (s *subject) extents(n int) (all []int) {
	all = []int{n - 1, n + 1}
	for _, letter := range s.bound.Letters() {
		all = append(all, s.bound.Dim(letter))
	}
	for tile := 8; tile <= 128; tile *= 2 {
		all = append(all, (n+tile-1)/tile*tile)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(m int) bool { return m == n || m < 1 || m > mostExtent })
}

// mostExtent bounds addresses.
const mostExtent = 1 << 20

// strided is the explanation that some inputs are read as if axis a had another extent, in the
// strides of all axes outside of it or in that of the next one alone.
func (s *subject) strided(set []op.Tensor, a, extent int, through bool) candidate {
	axes := s.axesOf(set[0])
	said := fmt.Sprintf("%s %s with the strides of %d for %s, of which there are %d", namesOf(set), isRead(len(set)),
		extent, plural(s.word(axes[a])), s.rec.Shape(set[0].Name)[a])
	if !through {
		said += fmt.Sprintf(", along %s alone", s.word(axes[a-1]))
	}
	return s.otherwise("misread", said, said, s.changing(set, func(x *tensor.Tensor) *tensor.Tensor {
		return restrided(x, a, extent, through)
	}))
}

// restrided reads the memory of a tensor as if axis a had another extent: zeros behind its end.
func restrided(x *tensor.Tensor, a, extent int, through bool) *tensor.Tensor {
	d := len(x.Shape)
	strides, stride := make([]int, d), 1
	for i := d - 1; i >= 0; i-- {
		strides[i] = stride
		stride *= x.Shape[i]
	}
	for i := a - 1; i >= 0 && (through || i == a-1); i-- {
		strides[i] = strides[i] / x.Shape[a] * extent
	}
	y := tensor.New(x.Shape...)
	for i := range y.Data {
		at, rest := 0, i
		for k := d - 1; k >= 0; k-- {
			at, rest = at+rest%x.Shape[k]*strides[k], rest/x.Shape[k]
		}
		if at < len(x.Data) {
			y.Data[i] = x.Data[at]
		}
	}
	return y
}
