package emulate

import "plumbline/arithmetic"

// tensorDot returns Σ a_i b_i, step after step.
func tensorDot[T number](h arithmetic.Hopper, a, b []T) T {
	var x, y [arithmetic.HopperWidth]float64
	var acc float64
	for start := 0; start < len(a); start += arithmetic.HopperWidth {
		n := min(arithmetic.HopperWidth, len(a)-start)
		for i := range n {
			x[i], y[i] = float64(a[start+i]), float64(b[start+i])
		}
		acc = h.Step(acc, x[:n], y[:n])
	}
	return T(acc)
}

// tensorCombine adds Σ_i w_i·row_i to out, sixteen rows a step.
func tensorCombine[T number](h arithmetic.Hopper, out, w []T, rows [][]T) {
	var x, y [arithmetic.HopperWidth]float64
	for start := 0; start < len(w); start += arithmetic.HopperWidth {
		n := min(arithmetic.HopperWidth, len(w)-start)
		for i := range n {
			x[i] = float64(w[start+i])
		}
		for c := range out {
			for i := range n {
				y[i] = float64(rows[start+i][c])
			}
			out[c] = T(h.Step(float64(out[c]), x[:n], y[:n]))
		}
	}
}
