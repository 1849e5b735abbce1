package verdict

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// Codes expects of each number of an output one of the few that right kernels store there: the
// codes of a quantiser, or the scales beside them. They are judged to the last bit, but that −0
// equals +0.
type Codes struct {
	Type dtype.Type
	Of   string // what they are, in the plural: "codes", "scales"
	N    int
	// Right appends the numbers that are right at one place, that of exact arithmetic first. Where
	// there is none nothing is expected.
	Right  func(i int, some []float64) []float64
	Exact  func(i int) float64 // before it is rounded, for reports
	Others []Convention
}

// Convention is another way of making all numbers of an output: a known mistake, or what is right
// where something else is declared.
type Convention struct {
	Says  string // what it does, after "each would be right"
	Right func(i int, some []float64) []float64
}

// Unit returns what the numbers are: each is a row of its own.
func (c *Codes) Unit() string { return c.Of }

// Rows returns how many numbers there are.
func (c *Codes) Rows() int { return c.N }

// Width returns 1.
func (c *Codes) Width() int { return 1 }

// Judge judges number i by its value.
func (c *Codes) Judge(i int, got []float64) Answer {
	right := c.Right(i, nil)
	if grade := gradeOf(got[0], right); grade != Wrong {
		return Answer{Grade: grade}
	}
	exact := c.Exact(i)
	steps := math.Abs(got[0]-exact) / c.Type.Spacing(right[0])
	if math.IsNaN(steps) {
		steps = math.Inf(1)
	}
	return Answer{Wrong, WrongRow{
		Got: got[0], Want: right[0], Score: exact, Best: right[0], Bounds: steps,
		Why: fmt.Sprintf("%v, want %v, of %.9g before it is rounded: %.3g steps away", got[0], right[0], exact, steps),
	}}
}

// Grade is the grade that Judge gives.
func (c *Codes) Grade(i int, got []float64) Grade { return gradeOf(got[0], c.Right(i, nil)) }

// gradeOf grades a number beside those that are right.
func gradeOf(got float64, right []float64) Grade {
	switch at := slices.IndexFunc(right, func(r float64) bool { return alike(r, got) }); {
	case len(right) == 0:
		return Unjudged
	case at == 0:
		return Exact
	case at > 0:
		return Within
	}
	return Wrong
}

// alike tells whether two numbers are equal, or both NaN.
func alike(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// Mistaken returns the largest value of the other sign.
func (c *Codes) Mistaken(i int) []float64 {
	return []float64{-math.Copysign(c.Type.Max(), c.Exact(i))}
}

// Words names the conventions under which every number would be right.
func (c *Codes) Words(got []float64) (words []string) {
	for _, o := range c.Others {
		if c.agree(o, got) {
			words = append(words, fmt.Sprintf("each of the %s would be right %s", c.Of, o.Says))
		}
	}
	return words
}

// agree tells whether every number that is judged is one of a convention's.
func (c *Codes) agree(o Convention, got []float64) bool {
	var some []float64
	for i, g := range got {
		if some = c.Right(i, some[:0]); len(some) == 0 {
			continue
		}
		some = o.Right(i, some[:0])
		if !slices.ContainsFunc(some, func(r float64) bool { return alike(r, g) }) {
			return false
		}
	}
	return true
}
