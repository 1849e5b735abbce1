package moe_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
)

// A network of two inner units, whose gates look at one element of the token each: one is open, one
// nearly shut.
func Example() {
	x := []float64{4, -4}
	gate := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	up := mat.NewDense(2, 2, []float64{0.5, 0, 0, 0.5})
	down := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	fmt.Printf("gates %.4f %.4f\n", moe.SiLU(4), moe.SiLU(-4))
	fmt.Printf("y %.4f\n", moe.SwiGLU(x, gate, up, down))

	dx, _, _, _ := moe.SwiGLUBackward(x, gate, up, down, []float64{1, 1})
	fmt.Printf("dx %.4f\n", dx)

	// Output:
	// gates 3.9281 -0.0719
	// y [7.8561 0.1439]
	// dx [4.0694 0.0694]
}
