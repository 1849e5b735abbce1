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

// The largest number of E4M3 is 448, and a scale brings the largest of a block there. A power of
// two is rounded up, for a smaller one would not fit. A block of zeros has the floor's scale.
func ExampleScale() {
	for _, amax := range []float64{448, 896, 1344, 0} {
		fmt.Printf("amax %4v: scale %.3g, as a power of two %.3g\n",
			amax, fp8.Scale(amax, 1e-4, dtype.F8E4M3), fp8.ScaleUE8M0(amax, 1e-4, dtype.F8E4M3))
	}
	// Output:
	// amax  448: scale 1, as a power of two 1
	// amax  896: scale 2, as a power of two 2
	// amax 1344: scale 3, as a power of two 4
	// amax    0: scale 2.23e-07, as a power of two 2.38e-07
}

// A tile with a scale of 2: numbers of E4M3 between 8 and 16 are whole, so that 17/2 is rounded, to
// the even one; 0.001 is too small to be anything.
func ExampleQuantise() {
	x := mat.NewDense(1, 4, []float64{896, 17, 19, 0.001})
	q := fp8.Quantise(x, fp8.Config{Block: fp8.BlockSize{Rows: 1, Cols: 4}, Format: dtype.F8E4M3, Floor: 1e-4})
	fmt.Println("scale", q.Scales.At(0, 0), "codes", q.Codes.RawRowView(0))
	fmt.Println("stands for", q.Dequantise().RawRowView(0))
	// Output:
	// scale 2 codes [448 8 10 0]
	// stands for [896 16 20 0]
}

// Each block of two is summed by itself and counts with the scales of both operands.
func ExampleProduct() {
	block := fp8.BlockSize{Rows: 1, Cols: 2}
	a := fp8.Blocked{
		Codes: mat.NewDense(1, 4, []float64{1, 2, 3, 4}), Scales: mat.NewDense(1, 2, []float64{10, 1}), Block: block,
	}
	b := fp8.Blocked{
		Codes: mat.NewDense(1, 4, []float64{1, 1, 1, 1}), Scales: mat.NewDense(1, 2, []float64{1, 0.5}), Block: block,
	}
	fmt.Println("10 · 1 · (1 + 2) + 1 · ½ · (3 + 4) =", fp8.Product(a, b).At(0, 0))
	// Output:
	// 10 · 1 · (1 + 2) + 1 · ½ · (3 + 4) = 33.5
}

// A sum of 8 and seven halves, in an accumulator of 3 fraction bits: beside 8 it has no place for a
// half. Promoted often enough, the halves come together first.
func ExampleShortSum() {
	a := []float64{8, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	fmt.Println("never promoted:", fp8.ShortSum(a, ones, 3, 0))
	for _, every := range []int{4, 2, 1} {
		fmt.Printf("after every %d: %v\n", every, fp8.ShortSum(a, ones, 3, every))
	}
	// Output:
	// never promoted: 8
	// after every 4: 10
	// after every 2: 11
	// after every 1: 11.5
}

// A layer that hands on its input: what is lost is what the codes of the input lose.
func ExampleFprop() {
	c := fp8.Config{Block: fp8.BlockSize{Rows: 1, Cols: 2}, Format: dtype.F8E4M3, Floor: 1e-4}
	x := fp8.Quantise(mat.NewDense(1, 2, []float64{448, 17}), c)
	c.Block.Rows = 2
	w := fp8.Quantise(mat.NewDense(2, 2, []float64{1, 0, 0, 1}), c)
	fmt.Printf("y %.2f\n", fp8.Fprop(x, w).RawRowView(0))
	// Output:
	// y [448.00 16.00]
}

// Codes times the scale of their block.
func ExampleBlocked_Dequantise() {
	b := fp8.Blocked{
		Codes:  mat.NewDense(1, 4, []float64{1, 448, 1, -3}),
		Scales: mat.NewDense(1, 2, []float64{2, 0.5}), Block: fp8.BlockSize{Rows: 1, Cols: 2},
	}
	fmt.Println(b.Dequantise().RawRowView(0))
	// Output:
	// [2 896 0.5 -1.5]
}

// The gradient of the input of a layer: the gradient of its output times the weights as they are,
// whose blocks of 2 × 2 need not be made anew.
func ExampleDgrad() {
	w := fp8.Blocked{
		Codes: mat.NewDense(2, 2, []float64{1, 2, 3, 4}), Scales: mat.NewDense(1, 1, []float64{10}),
		Block: fp8.BlockSize{Rows: 2, Cols: 2},
	}
	dy := fp8.Blocked{
		Codes: mat.NewDense(1, 2, []float64{1, -1}), Scales: mat.NewDense(1, 1, []float64{0.5}),
		Block: fp8.BlockSize{Rows: 1, Cols: 2},
	}
	fmt.Println(fp8.Dgrad(dy, w).RawRowView(0))
	// Output:
	// [-10 -10]
}

// The gradient of the weights is a sum over tokens, so that both operands are in tiles along their
// columns: two tokens share a scale.
func ExampleWgrad() {
	column := fp8.BlockSize{Rows: 2, Cols: 1}
	dy := fp8.Blocked{
		Codes: mat.NewDense(2, 1, []float64{1, 2}), Scales: mat.NewDense(1, 1, []float64{0.5}), Block: column,
	}
	x := fp8.Blocked{
		Codes: mat.NewDense(2, 2, []float64{1, 3, 1, 4}), Scales: mat.NewDense(1, 2, []float64{2, 4}), Block: column,
	}
	fmt.Println(fp8.Wgrad(dy, x).RawRowView(0))
	// Output:
	// [3 22]
}

// What was quantised by rows is quantised again by columns. Powers of two as scales lose nothing by
// it here; others round once more.
func ExampleRetile() {
	x := mat.NewDense(2, 2, []float64{100, 3, 0.3, 7})
	for _, powers := range []bool{true, false} {
		rows := fp8.Config{Block: fp8.BlockSize{Rows: 1, Cols: 2}, Format: dtype.F8E4M3, UE8M0: powers, Floor: 1e-4}
		columns := rows
		columns.Block = fp8.BlockSize{Rows: 2, Cols: 1}
		q := fp8.Quantise(x, rows)
		again := fp8.Retile(q, columns)
		fmt.Printf("powers of two %v: %.4f, then %.4f\n",
			powers, q.Dequantise().RawRowView(1), again.Dequantise().RawRowView(1))
	}
	// Output:
	// powers of two true: [0.3125 7.0000], then [0.3125 7.0000]
	// powers of two false: [0.3125 7.0000], then [0.3069 7.0000]
}
