package emulate

import (
	"slices"

	"plumbline/numbers/dtype"
)

func init() {
	register("rope.apply", kernel{
		float32: ropeApply[float32], float64: ropeApply[float64], request: (*maker).ropeApply,
		right: turns(),
	})
	register("rope.table", kernel{
		float32: ropeTable[float32], float64: ropeTable[float64], request: (*maker).ropeTable,
		right: rotations(),
	})
}

// ropeTable writes cos and sin in F32.
func ropeTable[T number](j *job) {
	positions := j.loadInts("positions")
	r := newRotary[T](j, j.Dim("dim"), moving(positions))
	var cos, sin []T
	for _, p := range positions {
		c, s := r.table(p)
		cos, sin = append(cos, c...), append(sin, s...)
	}
	storeMain(j, "cos", dtype.F32, cos)
	store(j, "sin", dtype.F32, sin)
}

// ropeApply rotates x [N,H,D] and rounds the result once, to the type of x.
func ropeApply[T number](j *job) {
	x, positions, heads, width := load[T](j, "x"), j.loadInts("positions"), j.Dim("H"), j.Dim("D")
	r := newRotary[T](j, width, moving(positions))
	r.kept = or(j.Intermediate, dtype.F64)
	y := make([]T, 0, len(x))
	for n, p := range positions {
		cos, sin := r.table(p)
		if j.Flag("inverse") {
			for i := range sin {
				sin[i] = -sin[i]
			}
		}
		for h := range heads {
			y = append(y, r.turn(vector(x, n*heads+h, width), cos, sin)...)
		}
	}
	storeMain(j, "y", j.rec.Type("x"), y)
}

func moving(positions []int) bool {
	return slices.ContainsFunc(positions, func(p int) bool { return p != 0 })
}
