package norm_test

import (
	"fmt"

	"plumbline/norm"
)

// A row keeps its direction and loses its length; backward, nothing is learnt about the length.
func Example() {
	weight := []float64{1, 1}
	fmt.Printf("%.4f\n", norm.RMS([]float64{3, 4}, weight, 0))
	fmt.Printf("%.4f\n", norm.RMS([]float64{300, 400}, weight, 0))

	dx, _ := norm.RMSBackward([]float64{3, 4}, weight, []float64{1, 0}, 0)
	fmt.Printf("%.4f, along the row %.4f\n", dx, 3*dx[0]+4*dx[1])

	// Output:
	// [0.8485 1.1314]
	// [0.8485 1.1314]
	// [0.1810 -0.1358], along the row 0.0000
}

// The mean square of (1, 7) is 25: both are divided by 5, then multiplied by their weights. Nothing
// is subtracted, and signs stay.
func ExampleRMS() {
	fmt.Printf("%.1f\n", norm.RMS([]float64{1, 7}, []float64{1, 1}, 0))
	fmt.Printf("%.1f\n", norm.RMS([]float64{-1, 7}, []float64{10, 1}, 0))
	fmt.Printf("%.1f\n", norm.RMS([]float64{0, 0}, []float64{10, 1}, 1e-6)) // ε alone is under the root
	// Output:
	// [0.2 1.4]
	// [-2.0 1.4]
	// [0.0 0.0]
}
