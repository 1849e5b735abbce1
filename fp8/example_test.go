package fp8_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/numbers/dtype"
)

// Four numbers in two tiles become codes and scales; the large one of the first tile costs only its
// own tile. With scales that are powers of two other codes stand for other numbers, and a product
// of both is exact for what the codes stand for.
func Example() {
	x := mat.NewDense(1, 4, []float64{100, 0.3, 0.3, -0.2})
	c := fp8.Config{Block: fp8.BlockSize{Rows: 1, Cols: 2}, Format: dtype.F8E4M3, Floor: 1e-4}
	q := fp8.Quantise(x, c)
	fmt.Printf("codes %v, scales %.4f\n", q.Codes.RawRowView(0), q.Scales.RawRowView(0))
	fmt.Printf("x̂ = %.4f\n", q.Dequantise().RawRowView(0))

	c.UE8M0 = true
	q = fp8.Quantise(x, c)
	fmt.Printf("codes %v, scales %v\n", q.Codes.RawRowView(0), q.Scales.RawRowView(0))
	fmt.Printf("x̂ = %v\n", q.Dequantise().RawRowView(0))
	fmt.Println("x̂·x̂ =", fp8.Product(q, q).At(0, 0))
	// Output:
	// codes [448 1.375 448 -288], scales [0.2232 0.0007]
	// x̂ = [100.0000 0.3069 0.3000 -0.1929]
	// codes [384 1.25 320 -208], scales [0.25 0.0009765625]
	// x̂ = [96 0.3125 0.3125 -0.203125]
	// x̂·x̂ = 9216.236572265625
}
