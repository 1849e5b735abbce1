package attention

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// zeros returns an [r × c] matrix of zeros; unlike mat.NewDense it takes r or c of 0.
func zeros(r, c int) *mat.Dense {
	if r > 0 && c > 0 {
		return mat.NewDense(r, c, nil)
	}
	var m mat.Dense
	m.SetRawMatrix(blas64.General{Rows: r, Cols: c, Stride: c})
	return &m
}

// product returns a·b; an empty sum is 0.
func product(a, b mat.Matrix) *mat.Dense {
	r, n := a.Dims()
	_, c := b.Dims()
	out := zeros(r, c)
	if r > 0 && c > 0 && n > 0 {
		out.Mul(a, b)
	}
	return out
}

// weigh returns p·v as sums over those rows j of v that row s sees:
//
//	out_s = Σ_{j seen by s} p_sj v_j
//
// p [S × T] is 0 where s does not see j. 0·v is left to the matrix product only
// while v is finite: the other rows of v are taken out of it and added to the
// rows that see them.
func weigh(p, v mat.Matrix, sees func(s, j int) bool) *mat.Dense {
	finite, rest := splitFinite(v)
	out := product(p, finite)
	for _, j := range rest {
		for s := range out.RawMatrix().Rows {
			if sees(s, j) {
				row := out.RawRowView(s)
				for c := range row {
					row[c] += p.At(s, j) * v.At(j, c)
				}
			}
		}
	}
	return out
}

// splitFinite returns v with zeros in place of the rows that are not all finite,
// and the indices of these rows; v itself if there are none.
func splitFinite(v mat.Matrix) (finite mat.Matrix, rest []int) {
	rows, cols := v.Dims()
	if rows == 0 || cols == 0 || isFinite(sum(v)) {
		return v, nil // a NaN or an infinity would be in the sum, which is quick
	}
	clean := mat.DenseCopyOf(v)
	for j := range rows {
		if row := clean.RawRowView(j); slices.ContainsFunc(row, func(x float64) bool { return !isFinite(x) }) {
			rest = append(rest, j)
			clear(row)
		}
	}
	return clean, rest
}

// sum adds up all elements.
func sum(x mat.Matrix) (total float64) {
	raw, stored := x.(mat.RawRowViewer)
	if !stored {
		return mat.Sum(x)
	}
	rows, _ := x.Dims()
	for i := range rows {
		total += floats.Sum(raw.RawRowView(i))
	}
	return total
}

// isFinite tells whether x is a number.
func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// accumulate adds x to sum, which have the same shape.
func accumulate(sum, x *mat.Dense) {
	rows, _ := sum.Dims()
	for r := range rows {
		floats.Add(sum.RawRowView(r), x.RawRowView(r))
	}
}

// hide puts value wherever s does not see j.
func hide(x *mat.Dense, m Mask, value float64) {
	rows, _ := x.Dims()
	for s := range rows {
		row := x.RawRowView(s)
		lo, hi := m.Range(s)
		for j := range row {
			if j < lo || j >= hi {
				row[j] = value
			}
		}
	}
}

// apply replaces every element by what f makes of it; unlike gonum's it takes a matrix of none.
func apply(x *mat.Dense, f func(s, j int, x float64) float64) {
	rows, _ := x.Dims()
	for s := range rows {
		row := x.RawRowView(s)
		for j := range row {
			row[j] = f(s, j, row[j])
		}
	}
}

// copyOf returns a copy of x, which may have no elements.
func copyOf(x *mat.Dense) *mat.Dense {
	y := zeros(x.Dims())
	for s := range x.RawMatrix().Rows {
		copy(y.RawRowView(s), x.RawRowView(s))
	}
	return y
}
