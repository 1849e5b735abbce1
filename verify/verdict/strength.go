package verdict

import (
	"math"

	"plumbline/numbers/dtype"
)

// Movement is what a mistake does to an output, in units of what right kernels err by.
type Movement struct {
	Square float64 // Σ (w − t)²/s², s² = σ² + ulp²/12
	Chance float64 // variance of Σ (r − t)(w − t)/s² over right kernels, whose errors may hang together
}

// Strength is how many deviations of what right kernels have by chance a mistake moves an output:
// √Σ (w − t)²/s² where errors are independent, and less where all of them may go that way together.
func (m Movement) Strength() float64 {
	if m.Square == 0 {
		return 0
	}
	return m.Square / math.Sqrt(m.Chance)
}

// And is the movement of two outputs together.
func (m Movement) And(o Movement) Movement {
	return Movement{m.Square + o.Square, m.Chance + o.Chance}
}

// farthest is as many deviations as a number is said to be off by: another kind, or an exact one.
const farthest = 1e6

// Move returns what an output does that is wrong where it should be right, both before the last
// rounding.
func (e Expected) Move(wrong, right []float64) Movement {
	toward := make([]float64, len(right)) // (w − t)/s²
	m := Movement{}
	for i, t := range right {
		if w := wrong[i]; e.Judged(i) && w != t && !(math.IsNaN(w) && math.IsNaN(t)) {
			s := deviation(e.Widest(i), e.Type.Spacing(t))
			d := (w - t) / s
			if !dtype.Finite(d) || math.Abs(d) > farthest {
				d = farthest
			} else {
				toward[i] = d / s
			}
			m.Square += d * d
		}
	}
	m.Chance = m.Square + e.together(toward)
	return m
}

// together is by how much more than independent errors would the runs' errors vary along a
// direction.
func (e Expected) together(toward []float64) float64 {
	if e.Sample == nil || len(e.Sample.Deviations) == 0 {
		return 0
	}
	var all, ran, alone, square float64
	for _, u := range toward {
		all += u * u
	}
	for _, run := range e.Sample.Deviations {
		cross := 0.0
		for k, d := range run {
			i := e.Sample.at(k)
			if u := toward[i]; u != 0 && !math.IsNaN(d) {
				cross, alone, ran = cross+u*d, alone+u*u*e.Sigma[i]*e.Sigma[i], ran+u*u
			}
		}
		square += cross * cross
	}
	if ran == 0 {
		return 0
	}
	runs := float64(len(e.Sample.Deviations))
	more := runs * all / ran // of which some elements were run
	return max(0, square-alone) / runs * more * more
}
