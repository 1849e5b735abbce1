package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Where things are added up by a number that each has, a wrong number adds what belongs to one
// place to another: that one is empty, and this one has both.

// mostEmptied is how many places of an axis may be empty for it to be said where each went.
const mostEmptied = 64

// collectedCandidates are outputs in which what belongs to some entries of an axis was added to
// others.
func (v *view) collectedCandidates() (all []candidate) {
	for a, n := range v.want.Truth.Shape {
		emptied, others := v.emptied(a)
		if len(emptied) == 0 || len(emptied) > min(mostEmptied, n/2) || len(others) == 0 || a >= len(v.want.Axes) {
			continue
		}
		to := v.destinations(a, emptied, others)
		if to == nil {
			continue
		}
		axis := v.want.Axes[a]
		var said []string
		for k, i := range emptied[:min(len(emptied), mostParts)] {
			said = append(said, fmt.Sprintf("that of %d to %d", i, to[k]))
		}
		if more := len(emptied) - mostParts; more > 0 {
			said = append(said, fmt.Sprintf("and %d more", more))
		}
		text := fmt.Sprintf("what belongs to one %s of %s is added to another, and 0 stands in its place: %s", axis,
			v.want.Name, strings.Join(said, ", "))
		c := v.placed(axis+" of "+v.want.Name+" added to others", text, func(x []float64) []float64 {
			return v.collected(x, a, emptied, to)
		})
		c.whole = true
		all = append(all, c)
	}
	return all
}

// emptied lists entries of an axis of which all numbers were recorded as 0 and should not be, and
// others that are wrong.
func (v *view) emptied(a int) (empty, others []int) {
	n := v.want.Truth.Shape[a]
	wrong, zero := make([]bool, n), make([]bool, n)
	for i := range zero {
		zero[i] = true
	}
	inner := inside(v.want.Truth.Shape, a)
	for i, x := range v.got {
		at := i / inner % n
		wrong[at] = wrong[at] || v.loss[i] > clear
		zero[at] = zero[at] && x == 0
	}
	for i := range n {
		switch {
		case wrong[i] && zero[i]:
			empty = append(empty, i)
		case wrong[i]:
			others = append(others, i)
		}
	}
	return empty, others
}

// destinations returns where each emptied entry went: to the one of which it leaves least, of
// several the nearest; nil where one went nowhere.
func (v *view) destinations(a int, emptied, others []int) (to []int) {
	apart := make([]float64, len(v.got))
	for i, x := range v.got {
		apart[i] = x - v.truth[i]
	}
	for _, i := range emptied {
		best, least := -1, 1.0
		for _, j := range others {
			before, after := v.withOther(apart, a, j, i)
			left := after / before
			if left < least-1e-9 || left < least+1e-9 && best >= 0 && max(i-j, j-i) < max(i-best, best-i) {
				best, least = j, left
			}
		}
		if best < 0 {
			return nil
		}
		to = append(to, best)
		v.sideBySide(a, best, i, func(at, from int) { apart[at] -= v.truth[from] })
	}
	return to
}

// withOther returns how large what an entry is apart by is, and what is left of it without another
// entry's truth.
func (v *view) withOther(apart []float64, a, j, i int) (before, after float64) {
	v.sideBySide(a, j, i, func(at, from int) {
		before += apart[at] * apart[at]
		d := apart[at] - v.truth[from]
		after += d * d
	})
	return math.Sqrt(before), math.Sqrt(after)
}

// sideBySide goes through the elements of two entries of an axis side by side.
func (v *view) sideBySide(a, i, j int, do func(at, beside int)) {
	n, inner := v.want.Truth.Shape[a], inside(v.want.Truth.Shape, a)
	for block := 0; block < len(v.got); block += n * inner {
		for k := range inner {
			do(block+i*inner+k, block+j*inner+k)
		}
	}
}

// collected adds entries of an axis to others, and leaves 0 in their places.
func (v *view) collected(x []float64, a int, emptied, to []int) []float64 {
	w := slices.Clone(x)
	for k, i := range emptied {
		v.sideBySide(a, to[k], i, func(at, from int) {
			w[at] += x[from]
			w[from] = 0
		})
	}
	return w
}
