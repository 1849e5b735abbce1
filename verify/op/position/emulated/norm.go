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
	y := make([]T, 0, len(x))
	for i := range j.Dim("N") {
		n.Place = i
		y = append(y, n.Row(emulate.Row(x, i, len(weight)), weight)...)
	}
	emulate.StoreMain(j, "y", j.Recording.Type("x"), y)
}
