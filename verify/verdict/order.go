package verdict

import (
	"fmt"
	"math"
	"slices"
)

// Order expects things, which have numbers from 0 on, sorted by the class of each; things of one
// class stay in order.
type Order struct {
	Classes []int     // of each thing; below 0: it is left out
	Thing   string    // what one is, in a word
	Class   string    // and what its class is
	Want    []float64 // the thing in each place
}

// NewOrder returns the order of things of these classes.
func NewOrder(thing, class string, classes []int) *Order {
	o := &Order{Classes: classes, Thing: thing, Class: class}
	var sorted []int
	for i, c := range classes {
		if c >= 0 {
			sorted = append(sorted, i)
		}
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return classes[a] - classes[b] })
	for _, i := range sorted {
		o.Want = append(o.Want, float64(i))
	}
	return o
}

// Unit returns "places".
func (o *Order) Unit() string { return "places" }

// Rows returns the number of places.
func (o *Order) Rows() int { return len(o.Want) }

// Width returns 1.
func (o *Order) Width() int { return 1 }

// Judge judges the thing in place i.
func (o *Order) Judge(i int, got []float64) Answer {
	x, want := got[0], o.Want[i]
	if x == want {
		return Answer{Grade: Exact}
	}
	w := WrongRow{Got: x, Want: want, Score: math.NaN(), Best: math.NaN(), Bounds: math.Inf(1)}
	class := o.classOf(x)
	switch right := o.Classes[int(want)]; {
	case class == outOfRange:
		w.Why = fmt.Sprintf("%v is out of range, of %d", x, len(o.Classes))
	case class < 0:
		w.Why = fmt.Sprintf("%s %v has no %s", o.Thing, x, o.Class)
	case class == right:
		w.Why = fmt.Sprintf("%s %v where %v belongs, of the same %s %d", o.Thing, x, want, o.Class, right)
	default:
		w.Why = fmt.Sprintf("%s %v of %s %d where %v of %s %d belongs",
			o.Thing, x, o.Class, class, want, o.Class, right)
	}
	return Answer{Wrong, w}
}

const outOfRange = math.MinInt

// classOf returns the class of a recorded number.
func (o *Order) classOf(x float64) int {
	i, in := Index(x, len(o.Classes))
	if !in {
		return outOfRange
	}
	return o.Classes[i]
}

// Words says what a wrong order as a whole is.
func (o *Order) Words(got []float64) []string {
	if twice, never := o.repeated(got); twice >= 0 {
		return []string{fmt.Sprintf("%s %d is there twice, %s %d never", o.Thing, twice, o.Thing, never)}
	}
	switch {
	case slices.ContainsFunc(got, func(x float64) bool { return o.classOf(x) == outOfRange }):
		return nil
	case slices.IsSortedFunc(got, func(a, b float64) int { return o.classOf(a) - o.classOf(b) }):
		return []string{fmt.Sprintf("sorted by %s, but not in order within one: the sort is not stable", o.Class)}
	case o.isInverse(got):
		return []string{fmt.Sprintf("this is the place of each %s, the inverse of what is wanted", o.Thing)}
	}
	return nil
}

// repeated returns a thing that is there twice and one that is missing for it; −1 for none.
func (o *Order) repeated(got []float64) (twice, never int) {
	times := make([]int, len(o.Classes))
	for _, x := range got {
		if o.classOf(x) >= 0 {
			times[int(x)]++
		}
	}
	twice = slices.IndexFunc(times, func(n int) bool { return n > 1 })
	never = slices.IndexFunc(o.Want, func(x float64) bool { return times[int(x)] == 0 })
	if never >= 0 {
		never = int(o.Want[never])
	}
	return twice, never
}

// isInverse tells whether the places of things are recorded in place of the things in their places.
func (o *Order) isInverse(got []float64) bool {
	for i, x := range got {
		if x >= float64(len(o.Want)) || o.Want[int(x)] != float64(i) {
			return false
		}
	}
	return true
}

// Mistaken returns another thing, or one out of range.
func (o *Order) Mistaken(i int) []float64 { return []float64{o.Want[(i+1)%len(o.Want)] + 1} }
