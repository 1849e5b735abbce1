package verdict

import (
	"math"

	"plumbline/numbers/dtype"
)

// Movement is what a mistake does to an output, in units of what right kernels err by:
// Σ (w − t)²/s², s² = σ² + ulp²/12.
type Movement float64

// Strength is how many deviations a mistake moves an output.
func (m Movement) Strength() float64 { return math.Sqrt(float64(m)) }

// farthest is as many deviations as a number is said to be off by: another kind, or an exact one.
const farthest = 1e6

// Move returns what an output does that is wrong where it should be right, both before the last
// rounding.
func (e Expected) Move(wrong, right []float64) (m Movement) {
	for i, t := range right {
		if w := wrong[i]; e.Judged(i) && w != t && !(math.IsNaN(w) && math.IsNaN(t)) {
			d := (w - t) / deviation(e.Widest(i), e.Type.Spacing(t))
			if !dtype.Finite(d) || math.Abs(d) > farthest {
				d = farthest
			}
			m += Movement(d * d)
		}
	}
	return m
}
