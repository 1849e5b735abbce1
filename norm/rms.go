package norm

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const badShape = "norm: x, weight and dy differ in length"

// RMS returns a row divided by its root mean square and multiplied by the weight.
//
//	y_i = w_i x_i / √(mean(x²) + ε)
//
// x and weight are [d], eps is ε in the units of x²; the result is [d]. A row of zeros gives zeros
// as long as ε > 0; with ε = 0 it is 0/0. Rows whose squares would leave the range of numbers are
// scaled by a power of two first, exactly. Differs in code: x is usually normalised in float32 and
// rounded to its type before or after the weight, as the library likes it. It implements RMSNorm
// (4) with the ε of DeepSeek-V3's inference code.
func RMS(x, weight []float64, eps float64) []float64 {
	if len(x) != len(weight) {
		panic(badShape)
	}
	x, r, _ := inverseRMS(x, eps)
	y := make([]float64, len(x))
	for i := range x {
		y[i] = weight[i] * x[i] * r
	}
	return y
}

// RMSBackward returns the gradients of a loss with respect to x and weight, given the one with
// respect to y.
//
//	dx_i = r w_i dy_i − r³ x_i/d Σ_j w_j dy_j x_j,  r = 1/√(mean(x²) + ε)
//	dw_i = r x_i dy_i
//
// x, weight and dy are [d], and so are both results; for many rows dw is the sum over them. The
// second term of dx is what the row's own length takes back: with ε = 0 it leaves dx orthogonal to
// x. It implements RMSNorm (4) (derived).
func RMSBackward(x, weight, dy []float64, eps float64) (dx, dweight []float64) {
	if len(x) != len(weight) || len(x) != len(dy) {
		panic(badShape)
	}
	x, r, e := inverseRMS(x, eps)
	var along float64
	for j := range x {
		along += weight[j] * dy[j] * x[j]
	}
	along *= r * r * r / float64(len(x))
	dx = make([]float64, len(x))
	dweight = make([]float64, len(x))
	for i := range x {
		dx[i] = math.Ldexp(r*weight[i]*dy[i]-along*x[i], -e)
		dweight[i] = r * x[i] * dy[i]
	}
	return dx, dweight
}

// RMSRows returns a matrix with RMS applied to each row.
//
//	y_n = w ⊙ x_n / √(mean(x_n²) + ε)
//
// x is [N × d], weight is [d]; the result is [N × d].
// It implements RMSNorm (4) for N rows.
func RMSRows(x mat.Matrix, weight []float64, eps float64) *mat.Dense {
	rows, d := x.Dims()
	y := mat.NewDense(rows, d, nil)
	for n := range rows {
		y.SetRow(n, RMS(mat.Row(nil, n, x), weight, eps))
	}
	return y
}

// RMSRowsBackward returns the gradients of a loss with respect to the rows and the weight they
// share.
//
//	dx_n = RMSBackward(x_n, w, dy_n),  dw_i = Σ_n r_n x_ni dy_ni
//
// x and dy are [N × d], weight is [d]; dx is [N × d], dweight is [d].
// It implements RMSNorm (4) for N rows (derived).
func RMSRowsBackward(x mat.Matrix, weight []float64, dy mat.Matrix, eps float64) (dx *mat.Dense, dweight []float64) {
	rows, d := x.Dims()
	if r, _ := dy.Dims(); r != rows { // RMSBackward looks at the columns
		panic(badShape)
	}
	dx, dweight = mat.NewDense(rows, d, nil), make([]float64, d)
	for n := range rows {
		row, dw := RMSBackward(mat.Row(nil, n, x), weight, mat.Row(nil, n, dy), eps)
		dx.SetRow(n, row)
		for i := range dw {
			dweight[i] += dw[i]
		}
	}
	return dx, dweight
}

// inverseRMS returns x/2^e and r = 1/√(mean(x²)/4^e + ε/4^e), with e = 0 unless squares would
// overflow or vanish.
func inverseRMS(x []float64, eps float64) (scaled []float64, r float64, e int) {
	e = exponent(x, eps)
	var sum float64
	scaled = make([]float64, len(x))
	for i, v := range x {
		scaled[i] = math.Ldexp(v, -e)
		sum += scaled[i] * scaled[i]
	}
	return scaled, 1 / math.Sqrt(sum/float64(len(x))+math.Ldexp(eps, -2*e)), e
}

// exponent returns that of the larger of max |x| and √ε where its square, or the cube of its
// inverse, is near the end of the range of numbers, and 0 elsewhere.
func exponent(x []float64, eps float64) int {
	largest := math.Sqrt(eps)
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	_, e := math.Frexp(largest)
	if -300 < e && e < 300 || math.IsInf(largest, 0) || math.IsNaN(largest) {
		return 0
	}
	return e
}
