package diagnosis

import (
	"math"
	"testing"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// Rows may be divided by the statistic of other elements, or by another one.
func TestOtherStatistics(t *testing.T) {
	right := normed(8, 200)
	x := numbersOf(right, "x")
	wrong := func(k int, row func(i int) []float64) *recording.Recording {
		return withQuantity(right, emulate.Roots, func(roots *tensor.Tensor) *tensor.Tensor {
			y := tensor.New(roots.Shape...)
			for i := range y.Data {
				y.Data[i] = math.Sqrt(statistics[k].square(row(i)))
			}
			return y
		})
	}
	wrongs{
		{
			"a tile", "the kernel takes the root mean square of columns 128 to 199, of 200, for the root mean square " +
				"of the row: explains",
			wrong(0, func(i int) []float64 { return x.Row(i)[128:] }),
		},
		{
			"heads of a token", "the kernel takes the root mean square of each 4 tokens that follow each other for " +
				"the root mean square of the row: explains",
			wrong(0, func(i int) []float64 { return x.Data[i/4*4*200 : (i/4*4+4)*200] }),
		},
		{
			"sizes", "the kernel takes the mean size of the row for the root mean square of the row: explains",
			wrong(3, func(i int) []float64 { return x.Row(i) }),
		},
	}.check(t)
}
