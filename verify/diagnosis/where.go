package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/dtype"
)

// where says of the outputs that are not explained in which parts of them the errors are, by axes:
// "o: in head 3, queries 1024 to 2047".
func (s *subject) where() string {
	var parts []string
	for _, v := range s.views {
		if text := v.within(v.places()); v.failed && text != "" {
			parts = append(parts, v.want.Name+": all of the error is"+text)
		}
	}
	return strings.Join(parts, "; ")
}

// enoughToTell is how many wrong elements it takes to say what stands there.
const enoughToTell = 16

// composition says what stands where an output is wrong: r = a t + e, with a of least squares, how
// large the right numbers t in it are, and how large beside them what is not of them. "" for a
// multiple.
func (v *view) composition() string {
	var cross, right, square, n float64
	for i, t := range v.truth {
		if r := v.got[i]; v.loss[i] > clear && dtype.Finite(r) && dtype.Finite(t) {
			cross, right, square, n = cross+r*t, right+t*t, square+r*r, n+1
		}
	}
	a := cross / right
	rest := math.Sqrt(max(0, square/right-a*a))
	switch {
	case n < enoughToTell || right == 0 || rest < 0.05*math.Abs(a):
		return ""
	case math.Abs(a)*math.Sqrt(n) < 4*rest:
		return fmt.Sprintf("what stands there has nothing of the right numbers, and is %.2g times as large", rest)
	}
	return fmt.Sprintf("what stands there is %.2g times the right numbers, and something else that is %.2g times as "+
		"large as these", a, rest)
}

// clear is the loss from which an element is said to be wrong: some five deviations.
const clear = 3.2

// places lists the elements that are wrong; of a choice, the first of each row that is.
func (v *view) places() (all []int) {
	width := 1
	if v.want.Choice != nil {
		width = v.want.Choice.Width()
	}
	for i, lost := range v.loss {
		if lost > clear {
			all = append(all, i*width)
		}
	}
	return all
}

// within says in which part of the output some elements are: along each axis the indices that hold
// them, where these are less than the axis has. "" where they are everywhere.
func (v *view) within(places []int) string {
	if len(places) == 0 {
		return ""
	}
	var parts []string
	shape, inner := v.shape(), 1
	axes := v.want.Axes
	for a := len(shape) - 1; a >= 0; a-- {
		counts := make([]int, shape[a])
		for _, i := range places {
			counts[i/inner%shape[a]]++
		}
		inner *= shape[a]
		if text := indicesInWords(counts); text != "" && a < len(axes) {
			parts = append(parts, axes[a]+" "+text)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Reverse(parts)
	return " in " + strings.Join(parts, ", ")
}

func (v *view) shape() []int {
	if v.want.Truth != nil {
		return v.want.Truth.Shape
	}
	return []int{v.want.Choice.Rows(), v.want.Choice.Width()}
}

// indicesInWords says which indices of an axis hold the elements that were counted: one, a range,
// or every so many; "" where that is no less than all, or no pattern.
func indicesInWords(counts []int) string {
	kept := holding(counts)
	first, last := kept[0], kept[len(kept)-1]
	switch {
	case len(kept) == len(counts):
		return ""
	case len(kept) == 1:
		return fmt.Sprintf("%d of %d", first, len(counts))
	case last-first+1 == len(kept) || 10*len(kept) >= 9*(last-first+1):
		return rangeInWords(first, last, len(counts))
	}
	if step := kept[1] - kept[0]; evenly(kept, step) && len(kept) > 2 {
		return fmt.Sprintf("%d, %d, … %d, in steps of %d, of %d", first, kept[1], last, step, len(counts))
	}
	if len(kept) <= 6 {
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(kept), " ", ", "), "[]") + fmt.Sprintf(" of %d", len(counts))
	}
	if runs := runsOf(kept); len(runs) <= mostRuns {
		return strings.Join(runs, " and ") + fmt.Sprintf(" of %d", len(counts))
	}
	if last-first+1 < len(counts) {
		return rangeInWords(first, last, len(counts))
	}
	return ""
}

// mostRuns is how many runs of indices are said one by one.
const mostRuns = 4

// runsOf lists runs of indices without a gap.
func runsOf(kept []int) (runs []string) {
	for i := 0; i < len(kept); {
		end := i + 1
		for end < len(kept) && kept[end] == kept[end-1]+1 {
			end++
		}
		run := fmt.Sprintf("%d to %d", kept[i], kept[end-1])
		if end == i+1 {
			run = fmt.Sprint(kept[i])
		}
		runs, i = append(runs, run), end
	}
	return runs
}

// holding returns the indices that hold something.
func holding(counts []int) (kept []int) {
	for i, n := range counts {
		if n > 0 {
			kept = append(kept, i)
		}
	}
	return kept
}

func rangeInWords(first, last, n int) string {
	switch {
	case first == 0 && last == n-1:
		return ""
	case first == 0:
		return fmt.Sprintf("up to %d of %d", last, n)
	case last == n-1:
		return fmt.Sprintf("from %d on, of %d", first, n)
	}
	return fmt.Sprintf("%d to %d of %d", first, last, n)
}

func evenly(x []int, step int) bool {
	for i := 1; i < len(x); i++ {
		if x[i]-x[i-1] != step {
			return false
		}
	}
	return true
}
