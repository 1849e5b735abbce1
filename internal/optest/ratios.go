package optest

import (
	"math"
	"slices"
)

// Ratios returns the logarithms to base 2 of the ratios of two lists, in order.
func Ratios(a, b []float64) []float64 {
	ratios := make([]float64, len(a))
	for i, s := range a {
		ratios[i] = math.Log2(s / b[i])
	}
	slices.Sort(ratios)
	return ratios
}
