package evidence

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// visible is the strength from which on a mistake can be told from chance.
const visible = 10

// magnitude is how far a mistake moves numbers.
type magnitude struct {
	strength float64 // what can be seen of it; infinite where a choice is wrong
	distance float64 // √Σ (w − t)²/s²
	moved    int     // numbers that it moves
}

// faint tells whether a mistake moves the numbers that it moves by no more than one unit in the
// last place of an output that is exact otherwise, √12 of its deviations, in the root mean square:
// by no more than roundings do. It can be told by adding up many alone.
func (m magnitude) faint() bool { return m.distance < math.Sqrt(12*float64(m.moved)) }

// magnitudeOf returns how far a mistake moves one output from what it is without it: w from t, in
// units of what right kernels err by, s² = σ² + ulp²/12. Elements that are not judged do not count;
// one that nothing may move, or that becomes another kind of number, is infinitely far.
func magnitudeOf(e verdict.Expected, wrong, right *tensor.Tensor) (m magnitude) {
	for i, t := range right.Data {
		if w := wrong.Data[i]; e.Judged(i) && distance(w, t) != 0 {
			m.moved++
			if !dtype.Finite(w) || !dtype.Finite(t) {
				m.strength, m.distance = math.Inf(1), math.Inf(1)
			}
		}
	}
	if m.strength == 0 {
		m.strength, m.distance = e.Strength(wrong.Data, right.Data), e.Distance(wrong.Data, right.Data)
	}
	return m
}

// and is the magnitude of several outputs together, of which that tells that shows most.
func (m magnitude) and(o magnitude) magnitude {
	return magnitude{max(m.strength, o.strength), math.Hypot(m.distance, o.distance), m.moved + o.moved}
}
