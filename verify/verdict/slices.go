package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// tally adds up the scores of a part of an output.
type tally struct {
	n        float64
	squares  float64 // Σ w²
	inside   float64 // Σ share
	own      float64 // Σ (1 − share)²: the last roundings, one draw each
	together float64 // Σ over rows of (Σ share)²/draws: the errors inside
	maxZ     float64
}

// one returns the tally of a single element.
func one(s score) tally {
	if s.unjudged || s.exact {
		return tally{}
	}
	own := 1 - s.inside
	return tally{
		n: 1, squares: s.w * s.w, inside: s.inside, own: own * own * s.repeats,
		together: s.inside * s.inside * s.repeats, maxZ: s.z,
	}
}

// add joins another part, which has draws of its own.
func (t *tally) add(u tally) {
	t.n += u.n
	t.squares += u.squares
	t.inside += u.inside
	t.own += u.own
	t.together += u.together
	t.maxZ = max(t.maxZ, u.maxZ)
}

func (t *tally) rms() float64 { return math.Sqrt(t.squares / t.n) }

// draws is the number of independent normal errors whose mean square scatters as this part's does,
// the errors inside being at most `most` (0: no bound).
func (t *tally) draws(most float64) float64 {
	together := t.together
	if most > 0 {
		together = max(together, t.inside*t.inside/most)
	}
	return max(1, t.n*t.n/(t.own+together))
}

// tallyRows tallies each row (the last axis).
func (j *judgement) tallyRows() []tally {
	rows := make([]tally, len(j.scores)/j.columns)
	for r := range rows {
		t, repeats := tally{}, 0.0
		for _, s := range j.scores[r*j.columns : (r+1)*j.columns] {
			t.add(one(s))
			if !s.unjudged && !s.exact {
				repeats += s.repeats
			}
		}
		if j.want.Draws != nil && t.n > 0 {
			draws := min(max(j.want.Draws[r], 1), t.n)
			t.together = t.inside * t.inside / draws * repeats / t.n
		}
		rows[r] = t
	}
	return rows
}

// slices judges every index of every axis and, where there are several leading axes, every row. A
// part that is wrong is found even when the rest of the tensor would dilute it: one sequence of 64,
// one head of 128, one block of columns.
func (j *judgement) slices(out *Output) {
	shape := j.want.Truth.Shape
	if len(shape) == 0 {
		return
	}
	last := len(shape) - 1
	for a := range last {
		j.judgeSlices(out, j.want.Axes[a], shape[a:a+1], j.alongAxis(a))
	}
	if last > 1 {
		j.judgeSlices(out, "row", shape[:last], j.rows)
	}
	j.judgeSlices(out, j.want.Axes[last], shape[last:], j.alongColumns())
}

// alongAxis gathers the rows by their index on a leading axis.
func (j *judgement) alongAxis(axis int) []tally {
	shape := j.want.Truth.Shape
	inner := 1
	for _, n := range shape[axis+1 : len(shape)-1] {
		inner *= n
	}
	parts := make([]tally, shape[axis])
	for r, row := range j.rows {
		parts[r/inner%shape[axis]].add(row)
	}
	return parts
}

func (j *judgement) alongColumns() []tally {
	parts := make([]tally, j.columns)
	for i, s := range j.scores {
		parts[i%j.columns].add(one(s))
	}
	if j.want.ColumnDraws > 0 {
		for i := range parts {
			parts[i].together = max(parts[i].together, parts[i].inside*parts[i].inside/j.want.ColumnDraws)
		}
	}
	return parts
}

// judgeSlices adds the slices beyond their limit, worst first, and one line that says how many
// there are.
func (j *judgement) judgeSlices(out *Output, axis string, shape []int, parts []tally) {
	if len(parts) < 2 {
		return
	}
	var failed []Slice
	for i, p := range parts {
		if p.n == 0 {
			continue
		}
		draws, rms := p.draws(j.want.MostDraws), p.rms()
		if rms <= rmsFloor(draws, len(parts)) {
			continue
		}
		limit := rmsLimit(draws, len(parts), j.want.Walk, j.want.Terms)
		j.checkLimit(limit)
		if rms > limit {
			failed = append(failed, Slice{
				Axis: axis, Index: tensor.Unravel(i, shape), Of: shape, Elements: int(p.n), RMS: rms, Limit: limit,
				Part: i,
			})
		}
	}
	j.addSlices(out, axis, len(parts), failed, func(part int) float64 { return parts[part].maxZ })
}

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
