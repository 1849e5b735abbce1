package exercise

import (
	"math"

	"plumbline/verify/recording"
)

// Parting is where kernels of one call part most in one of their outputs.
type Parting struct {
	Row, Column int
	Gap         float64 // of the largest and the smallest there, as a share of the output's largest number
}

// MostApart returns where recordings part most in an output, which is out.NAME and of one shape in
// all of them. Where some have a number and others NaN or an infinity, they are apart by +Inf.
func MostApart(kernels []*recording.Recording, name string) (Parting, error) {
	var outputs [][]float64
	for _, rec := range kernels {
		x, err := rec.Tensor(name)
		if err != nil {
			return Parting{}, err
		}
		outputs = append(outputs, x.Data)
	}
	width := 1
	if shape := kernels[0].Shape(name); len(shape) > 0 {
		width = max(1, shape[len(shape)-1])
	}
	var most Parting
	largest := largestOf(outputs)
	for i := range outputs[0] {
		if gap := apart(outputs, i) / largest; gap > most.Gap {
			most = Parting{Row: i / width, Column: i % width, Gap: gap}
		}
	}
	return most, nil
}

// largestOf returns the largest finite magnitude, or 1 where all are 0.
func largestOf(outputs [][]float64) (largest float64) {
	for _, x := range outputs {
		for _, v := range x {
			if a := math.Abs(v); a > largest && !math.IsInf(a, 0) {
				largest = a
			}
		}
	}
	if largest == 0 {
		return 1
	}
	return largest
}

// apart returns how far the outputs are apart in element i.
func apart(outputs [][]float64, i int) float64 {
	low, high := outputs[0][i], outputs[0][i]
	for _, x := range outputs[1:] {
		if math.IsNaN(x[i]) != math.IsNaN(low) {
			return math.Inf(1)
		}
		low, high = min(low, x[i]), max(high, x[i])
	}
	if low == high || math.IsNaN(low) {
		return 0
	}
	return high - low
}
