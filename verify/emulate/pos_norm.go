package emulate

import (
	"plumbline/numbers/dtype"
)

func init() {
	register("norm.rms", kernel{
		float32: normRMS[float32], float64: normRMS[float64], request: (*maker).normRMS,
		right: norms(),
	})
}

// normRMS normalises the rows of x [N,d] and rounds the result once, to the type of x.
func normRMS[T number](j *job) {
	x, weight := load[T](j, "x"), load[T](j, "weight")
	j.Intermediate = or(j.Intermediate, j.rec.Type("x"))
	n := newRMS(j, newSummer[T](&j.Config, dtype.F32), j.Intermediate)
	y := make([]T, 0, len(x))
	for i := range j.Dim("N") {
		y = append(y, n.row(vector(x, i, len(weight)), weight)...)
	}
	storeMain(j, "y", j.rec.Type("x"), y)
}
