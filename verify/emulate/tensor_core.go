package emulate

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// core returns the tensor core that an accumulator names, for operands of a type.
func core(a arithmetic.Accumulator, operands dtype.Type) arithmetic.TensorCore {
	t, err := a.TensorCore(operands, dtype.F32)
	if err != nil {
		panic("emulate: " + err.Error())
	}
	return t
}

// summed tells whether the accumulator's device sums products of these operands.
func summed(a arithmetic.Accumulator, operands dtype.Type) bool {
	_, err := a.TensorCore(operands, dtype.F32)
	return err == nil
}

// widest is the number of products of the widest step.
const widest = 32

// tensorDot returns Σ a_i b_i, step after step.
func tensorDot[T Number](core *arithmetic.TensorCore, a, b []T) T {
	var x, y [widest]float64
	var acc float64
	for start := 0; start < len(a); start += core.Products {
		n := min(core.Products, len(a)-start)
		for i := range n {
			x[i], y[i] = float64(a[start+i]), float64(b[start+i])
		}
		acc = core.Step(acc, x[:n], y[:n])
	}
	return T(acc)
}

// tensorCombine adds Σ_i w_i·row_i to out, a step's rows at a time.
func tensorCombine[T Number](core *arithmetic.TensorCore, out, w []T, rows [][]T) {
	var x, y [widest]float64
	for start := 0; start < len(w); start += core.Products {
		n := min(core.Products, len(w)-start)
		for i := range n {
			x[i] = float64(w[start+i])
		}
		for c := range out {
			for i := range n {
				y[i] = float64(rows[start+i][c])
			}
			out[c] = T(core.Step(float64(out[c]), x[:n], y[:n]))
		}
	}
}
