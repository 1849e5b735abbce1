package verdict

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// addSlices adds the parts beyond their limit, worst first, and one line that says how many of all
// there are.
func (j *judgement) addSlices(out *Output, axis string, all int, failed []Slice) {
	if len(failed) == 0 {
		return
	}
	slices.SortStableFunc(failed, func(a, b Slice) int { return cmp.Compare(b.RMS, a.RMS) })
	out.Reasons = append(out.Reasons, fmt.Sprintf("%d of %d %s slices beyond their limit", len(failed), all, axis))
	for _, s := range failed[:min(worstListed, len(failed))] {
		s.Constant, s.MaxZ, s.Elements = j.constant(s), j.largestIn(s), j.judgedIn(s)
		out.Slices = append(out.Slices, s)
	}
}

// constant reports whether every recorded element of a slice has one value although the truth's
// elements differ: the mark of a part never written.
func (j *judgement) constant(s Slice) bool {
	var got, want []float64
	for i := range j.elementsOf(s) {
		if !j.scores[i].unjudged {
			got = append(got, j.got.Data[i])
			want = append(want, j.want.Truth.Data[i])
		}
	}
	_, flat := sameEverywhere(got)
	_, truth := sameEverywhere(want)
	return flat && !truth
}

// judgedIn returns how many elements of a slice are judged by what the runs give.
func (j *judgement) judgedIn(s Slice) (n int) {
	judged := j.kin().geometry.judged
	for i := range j.elementsOf(s) {
		if judged[i] {
			n++
		}
	}
	return n
}

// largestIn returns the largest score in a slice.
func (j *judgement) largestIn(s Slice) (z float64) {
	for i := range j.elementsOf(s) {
		if !j.scores[i].unjudged {
			z = max(z, j.scores[i].z)
		}
	}
	return z
}

// elementsOf goes through the elements of a slice, in their order: those of a row, or of an axis
// one run of neighbours for each index on the axes before.
func (j *judgement) elementsOf(s Slice) iter.Seq[int] {
	shape := j.want.Truth.Shape
	inner, all := j.columns, j.want.Truth.Len()
	start, step := s.Part*inner, all
	if len(s.Index) == 1 {
		axis := slices.Index(j.want.Axes, s.Axis)
		inner = 1
		for _, n := range shape[axis+1:] {
			inner *= n
		}
		start, step = s.Part*inner, inner*shape[axis]
	}
	return func(yield func(int) bool) {
		for ; start < all; start += step {
			for i := start; i < start+inner; i++ {
				if !yield(i) {
					return
				}
			}
		}
	}
}
