// Package emulated has kernels of rotations and norms, right and wrong, as hardware would run them.
package emulated

import (
	"cmp"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("rope.apply", emulate.Kernel{
		Float32: ropeApply[float32], Float64: ropeApply[float64], Request: requestApply,
		Right: turns(), Quantities: []emulate.Quantity{
			{Name: emulate.Places, Shape: []string{"N", "H"}},
			{Name: emulate.Turns, Shape: []string{"D/2"}, Axes: []string{"pair"}},
			{Name: emulate.Cosines, Shape: []string{"N", "D/2"}, Axes: []string{"token", "pair"}},
			{Name: emulate.Sines, Shape: []string{"N", "D/2"}, Axes: []string{"token", "pair"}},
		},
	})
	emulate.Register("rope.table", emulate.Kernel{
		Float32: ropeTable[float32], Float64: ropeTable[float64], Request: requestTable,
		Right: rotations(), Quantities: []emulate.Quantity{
			{Name: emulate.Turns, Shape: []string{"dim/2"}, Axes: []string{"pair"}},
		},
	})
}

// ropeTable writes cos and sin in F32.
func ropeTable[T emulate.Number](j *emulate.Job) {
	positions := j.WrongPositions(j.LoadInts("positions"))
	r := emulate.NewRotary[T](j, j.Dim("dim"), moving(positions))
	var cos, sin []T
	for _, p := range positions {
		c, s := r.Table(p)
		cos, sin = append(cos, c...), append(sin, s...)
	}
	emulate.StoreMain(j, "cos", dtype.F32, cos)
	emulate.Store(j, "sin", dtype.F32, sin)
}

// ropeApply rotates x [N,H,D] and rounds the result once, to the type of x.
func ropeApply[T emulate.Number](j *emulate.Job) {
	x, heads, width := emulate.Load[T](j, "x"), j.Dim("H"), j.Dim("D")
	positions := j.WrongPositions(j.LoadInts("positions"))
	r := emulate.NewRotary[T](j, width, moving(positions))
	r.Kept = cmp.Or(j.Intermediate, dtype.F64)
	y := make([]T, 0, len(x))
	for n, p := range positions {
		cos, sin := r.Table(p)
		emulate.Pass(j, emulate.Cosines, n*len(cos), cos)
		padSines(r, p, sin)
		emulate.Pass(j, emulate.Sines, n*len(sin), sin)
		r.Direct(sin)
		for h := range heads {
			at := ofHead(j, positions, n, h)
			j.Show(at != p)
			if at = emulate.PassPlace[T](j, emulate.Places, n*heads+h, at); at != p {
				cos, sin = r.Table(at)
				r.Direct(sin)
			}
			y = append(y, r.Turn(emulate.Row(x, n*heads+h, width), cos, sin)...)
		}
	}
	emulate.StoreMain(j, "y", j.Recording.Type("x"), y)
}

// ofHead returns the position that a head of token n is rotated at: by mistake its own number, that
// much more, or that of another token.
func ofHead(j *emulate.Job, positions []int, n, head int) int {
	switch {
	case j.Makes("position-of-head"):
		return head
	case j.Makes("head-added-to-position"):
		return positions[n] + head
	case j.Makes("positions-along-heads"):
		return positions[head%len(positions)]
	case j.Makes("heads-before-tokens"):
		return positions[(n*j.Dim("H")+head)%len(positions)]
	}
	return positions[n]
}

// padSines makes the mistake of sines that are looked for in the row of a table behind as many
// cosines as the next power of two. Behind the end of a row stands the next one.
func padSines[T emulate.Number](r *emulate.Rotary[T], position int, sin []T) {
	late := emulate.ToPowerOfTwo(len(sin))
	if !r.Makes("sines-behind-padding") || late == 0 {
		return
	}
	next, _ := r.Table(position + 1)
	copy(sin, append(sin, next...)[late:])
	r.Show(true)
}

func moving(positions []int) bool {
	return slices.ContainsFunc(positions, func(p int) bool { return p != 0 })
}
