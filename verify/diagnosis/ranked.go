package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// A mask may keep the largest of another input in each row, as samplers do: up to a rank, a sum, a
// threshold. Whether what stands at the bound is kept is easily mistaken.

// bounding says what is kept beside another bound: of the least that is kept, and the next.
type bounding struct {
	said string
	kept func(x, least, next float64) bool
}

var boundings = []bounding{
	{"one more in each row than %s does, the next by %s", func(x, _, next float64) bool { return x >= next }},
	{"one less in each row than %s does, without the least by %s", func(x, least, _ float64) bool { return x > least }},
	{"in each row all that equal the least that %s keeps, by %s", func(x, least, _ float64) bool { return x >= least }},
}

// ranked are masks with another bound, where they keep the largest of an input.
func (s *subject) ranked(t op.Tensor) (all []candidate) {
	mask, err := s.rec.Tensor(t.Name)
	if err != nil || len(mask.Shape) < 2 {
		return nil
	}
	for _, o := range s.inputOperands(floating) {
		if !slices.Equal(o.x.Shape, mask.Shape) || !keepsLargest(mask, o.x) {
			continue
		}
		for _, b := range boundings {
			said := fmt.Sprintf("the kernel keeps "+b.said, t.Name, o.name)
			all = append(all, s.otherwise("input", said, said, func(r *recording.Recording) {
				r.Set(t.Name, s.rec.Type(t.Name), rebound(mask, o.x, b))
			}))
		}
	}
	return all
}

// rebound returns a mask with another bound.
func rebound(mask, by *tensor.Tensor, b bounding) *tensor.Tensor {
	y, n := tensor.New(mask.Shape...), mask.Shape[len(mask.Shape)-1]
	for first := 0; first < y.Len(); first += n {
		least, next := boundOf(mask.Data[first:first+n], by.Data[first:first+n])
		for i := first; i < first+n; i++ {
			if b.kept(by.Data[i], least, next) {
				y.Data[i] = 1
			}
		}
	}
	return y
}

// boundOf returns the least of what a row keeps, and the largest of what it does not.
func boundOf(mask, by []float64) (least, next float64) {
	least, next = math.Inf(1), math.Inf(-1)
	for i, k := range mask {
		if k != 0 {
			least = min(least, by[i])
		} else {
			next = max(next, by[i])
		}
	}
	return least, next
}

// keepsLargest tells whether a mask keeps some in each row, and nothing that is less than what it
// does not keep; in some row it has to leave out what is a number.
func keepsLargest(mask, by *tensor.Tensor) (leavesOut bool) {
	n := mask.Shape[len(mask.Shape)-1]
	for first := 0; first < mask.Len(); first += n {
		least, next := boundOf(mask.Data[first:first+n], by.Data[first:first+n])
		if !(least >= next) || math.IsInf(least, 0) { // NaN too
			return false
		}
		leavesOut = leavesOut || !math.IsInf(next, -1)
	}
	return leavesOut
}
