package verdict

import (
	"fmt"
	"math"
	"slices"
)

// Decisions expects one integer of each row: how many drafts were accepted, which token was drawn.
type Decisions struct {
	Exact []float64 // what exact arithmetic decides [B]
	// Others lists, by row, what else is right because a margin lies within its bound.
	Others map[int][]float64
	Values int    // decisions are 0 … Values−1
	Skip   []bool // rows of which nothing is expected [B]; nil: none
}

// Unit returns "rows".
func (d *Decisions) Unit() string { return "rows" }

// Rows returns the number of decisions.
func (d *Decisions) Rows() int { return len(d.Exact) }

// Width returns 1.
func (d *Decisions) Width() int { return 1 }

// Judge judges the decision of row i. One that is out of range is wrong whatever was expected.
func (d *Decisions) Judge(i int, got []float64) Answer {
	x, want := got[0], d.Exact[i]
	wrong := WrongRow{Got: x, Want: want, Score: math.NaN(), Best: math.NaN(), Bounds: math.Inf(1)}
	switch _, in := Index(x, d.Values); {
	case !in:
		wrong.Why = fmt.Sprintf("%v is out of range, of %d", x, d.Values)
	case d.Skip != nil && d.Skip[i]:
		return Answer{Grade: Unjudged}
	case x == want:
		return Answer{Grade: Exact}
	case slices.Contains(d.Others[i], x):
		return Answer{Grade: Within}
	default:
		wrong.Why = fmt.Sprintf("decided %v, want %v%s", x, want, alsoRight(d.Others[i]))
	}
	return Answer{Wrong, wrong}
}

// othersListed is how many decisions that are right too a report lists.
const othersListed = 8

func alsoRight(others []float64) string {
	switch n := len(others) - othersListed; {
	case len(others) == 0:
		return ""
	case n > 0:
		return fmt.Sprintf(" (also right: %v and %d more)", others[:othersListed], n)
	}
	return fmt.Sprintf(" (also right: %v)", others)
}

// Mistaken returns a value that is not right, where there is one.
func (d *Decisions) Mistaken(i int) []float64 {
	for v := range d.Values {
		if x := float64(v); x != d.Exact[i] && !slices.Contains(d.Others[i], x) {
			return []float64{x}
		}
	}
	return []float64{d.Exact[i]}
}
