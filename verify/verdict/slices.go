package verdict

import (
	"cmp"
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
)

// addSlices adds the parts beyond their limit, worst first, and one line that says how many of all
// there are; largest returns the largest score in a part.
func (j *judgement) addSlices(out *Output, axis string, all int, failed []Slice, largest func(part int) float64) {
	if len(failed) == 0 {
		return
	}
	slices.SortStableFunc(failed, func(a, b Slice) int { return cmp.Compare(b.RMS, a.RMS) })
	out.Reasons = append(out.Reasons, fmt.Sprintf("%d of %d %s slices beyond their limit", len(failed), all, axis))
	for _, s := range failed[:min(worstListed, len(failed))] {
		s.Constant, s.MaxZ = j.constant(s), largest(s.Part)
		out.Slices = append(out.Slices, s)
	}
}

// constant reports whether every recorded element of a slice has one value although the truth's
// elements differ: the mark of a part never written.
func (j *judgement) constant(s Slice) bool {
	var got, want []float64
	inSlice := j.inSlice(s)
	for i := range j.scores {
		if !j.scores[i].unjudged && inSlice(i) {
			got = append(got, j.got.Data[i])
			want = append(want, j.want.Truth.Data[i])
		}
	}
	_, flat := sameEverywhere(got)
	_, truth := sameEverywhere(want)
	return flat && !truth
}

// inSlice returns what tells whether an element is in a slice.
func (j *judgement) inSlice(s Slice) func(i int) bool {
	shape := j.want.Truth.Shape
	if len(s.Index) > 1 { // a row
		return func(i int) bool { return slices.Equal(tensor.Unravel(i/j.columns, shape[:len(shape)-1]), s.Index) }
	}
	axis := slices.Index(j.want.Axes, s.Axis)
	inner := 1
	for _, n := range shape[axis+1:] {
		inner *= n
	}
	return func(i int) bool { return i/inner%shape[axis] == s.Index[0] }
}
