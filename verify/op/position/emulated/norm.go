package emulated

import (
	"cmp"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("norm.rms", emulate.Kernel{
		Float32: normRMS[float32], Float64: normRMS[float64], Request: requestNorm,
		Right: norms(), Quantities: []emulate.Quantity{
			{Name: emulate.Roots, Shape: []string{"N"}}, {Name: emulate.Normalised, Shape: []string{"N", "d"}},
		},
	})
}

// normRMS normalises the rows of x [N,d] and rounds the result once, to the type of x.
func normRMS[T emulate.Number](j *emulate.Job) {
	x, weight := emulate.Load[T](j, "x"), emulate.Load[T](j, "weight")
	j.Intermediate = cmp.Or(j.Intermediate, j.Recording.Type("x"))
	n := emulate.NewRMS(j, emulate.NewSummer[T](&j.Config, dtype.F32), j.Intermediate)
	if j.Makes("mean-of-column") {
		emulate.StoreMain(j, "y", j.Recording.Type("x"), ofColumns(n, x, weight))
		return
	}
	n.Whole(x)
	y := make([]T, 0, len(x))
	for i := range j.Dim("N") {
		n.Place = i
		y = append(y, n.Row(emulate.Row(x, i, len(weight)), weight)...)
	}
	emulate.StoreMain(j, "y", j.Recording.Type("x"), y)
}

// ofColumns makes the mistake of a norm along the other axis: columns are normalised as rows are.
func ofColumns[T emulate.Number](n *emulate.RMS[T], x, weight []T) []T {
	width, y := len(weight), make([]T, len(x))
	rows := len(x) / width
	for c := range width {
		column, same := make([]T, rows), make([]T, rows)
		for i := range column {
			column[i], same[i] = x[i*width+c], weight[c]
		}
		for i, v := range n.Row(column, same) {
			y[i*width+c] = v
		}
	}
	n.Show(rows > 1 || width > 1)
	return y
}
