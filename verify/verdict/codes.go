package verdict

import (
	"fmt"
	"math"

	"plumbline/numbers/dtype"
)

// Codes expects of a quantiser the code of each true quotient, or a neighbour where the quotient
// lies within its bound of the midpoint between both. −0 equals +0; NaN and infinities are exact.
type Codes struct {
	Type      dtype.Type
	Quotients []float64 // true x/s of each element
	Bounds    []float64 // largest error of each quotient before it is rounded
	Saturate  bool      // beyond the largest value the code is that of the largest value
	Skip      []bool    // elements of which nothing is expected; nil: none
}

// Unit returns "codes": each is a row of its own.
func (c *Codes) Unit() string { return "codes" }

// Rows returns the number of codes.
func (c *Codes) Rows() int { return len(c.Quotients) }

// Width returns 1.
func (c *Codes) Width() int { return 1 }

func (c *Codes) round(x float64) float64 {
	if c.Saturate {
		return c.Type.RoundSaturating(x)
	}
	return c.Type.Round(x)
}

// Judge judges code i by its value. Where the bound is NaN nothing is expected.
func (c *Codes) Judge(i int, got []float64) Answer {
	if c.Skip != nil && c.Skip[i] || math.IsNaN(c.Bounds[i]) {
		return Answer{Grade: Unjudged}
	}
	q, b, r := c.Quotients[i], c.Bounds[i], got[0]
	exact := c.round(q)
	switch {
	case r == exact || math.IsNaN(r) && math.IsNaN(exact):
		return Answer{Grade: Exact}
	case c.reaches(q, b, r):
		return Answer{Grade: Within}
	}
	w := WrongRow{Got: r, Want: exact, Score: q, Best: exact + (r-exact)/2}
	w.Bounds = apart(0, math.Abs(q-w.Best), b)
	w.Why = fmt.Sprintf("code %v for the quotient %.9g, want %v: %.3g bounds from the midpoint %v",
		r, q, exact, w.Bounds, w.Best)
	return Answer{Wrong, w}
}

// reaches tells whether a quotient within bound of q rounds to r. Rounding keeps the order, so the
// codes of both ends enclose all others.
func (c *Codes) reaches(q, bound, r float64) bool {
	if !dtype.Finite(q) {
		return false
	}
	lo, hi := c.round(q-bound), c.round(q+bound)
	if math.IsNaN(r) {
		return math.IsNaN(lo) || math.IsNaN(hi)
	}
	if math.IsNaN(lo) && q-bound < 0 {
		lo = -c.Type.Max()
	}
	if math.IsNaN(hi) && q+bound > 0 {
		hi = c.Type.Max()
	}
	return lo <= r && r <= hi
}

// Mistaken returns the largest value of the other sign.
func (c *Codes) Mistaken(i int) []float64 {
	return []float64{-math.Copysign(c.Type.Max(), c.Quotients[i])}
}
