package verdict

import (
	"math"

	"plumbline/numbers/dtype"
)

// farthest is as many deviations as a number is said to be off by: another kind, or an exact one.
const farthest = 1e6

// Strength returns how many deviations of what right kernels err by an output moves that is wrong
// where it should be right, both before the last rounding: √Σ (w − t)²/s², s² = σ² + ulp²/12.
func (e Expected) Strength(wrong, right []float64) float64 {
	var square float64
	for i, t := range right {
		if w := wrong[i]; e.Judged(i) && w != t && !(math.IsNaN(w) && math.IsNaN(t)) {
			d := (w - t) / deviation(e.Widest(i), e.Type.Spacing(t))
			if !dtype.Finite(d) || math.Abs(d) > farthest {
				d = farthest
			}
			square += d * d
		}
	}
	return math.Sqrt(square)
}
