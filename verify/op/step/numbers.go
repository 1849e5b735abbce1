// Package step has the steps that ops of several families take, as kernels compute them: the norm
// and the rotation of a row.
package step

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/dgemm"
	"plumbline/numbers/dtype"
)

// Squares returns the squares of the elements.
func Squares(m *mat.Dense) *mat.Dense {
	var s mat.Dense
	s.MulElem(m, m)
	return &s
}

// TimesSquares returns x·(y∘y), the product with the squares of the elements of y.
func TimesSquares(x, y mat.Matrix) *mat.Dense {
	rows, _ := x.Dims()
	_, columns := y.Dims()
	product := mat.NewDense(rows, columns, nil)
	a, tA := stored(x)
	b, tB := stored(y)
	dgemm.MulSquares(tA, tB, a, b, 0, product.RawMatrix())
	return product
}

// AddProducts adds xᵀ·y to sums, and (x∘x)ᵀ·(y∘y) to squares, infinities and NaN left out of these.
func AddProducts(sums, squares, x, y *mat.Dense) {
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, x.RawMatrix(), y.RawMatrix(), 1, sums.RawMatrix())
	x2, y := Squares(FiniteOrZero(x)), FiniteOrZero(y)
	dgemm.MulSquares(blas.Trans, blas.NoTrans, x2.RawMatrix(), y.RawMatrix(), 1, squares.RawMatrix())
}

// stored returns what is stored of a matrix or of a transposed one.
func stored(x mat.Matrix) (blas64.General, blas.Transpose) {
	if t, transposed := x.(mat.Transpose); transposed {
		return t.Matrix.(*mat.Dense).RawMatrix(), blas.Trans
	}
	return x.(*mat.Dense).RawMatrix(), blas.NoTrans
}

// FiniteOrZero returns m, or a copy with zeros in place of what is not finite.
func FiniteOrZero(m *mat.Dense) *mat.Dense {
	rows, _ := m.Dims()
	sum := 0.0
	for i := range rows {
		sum += floats.Sum(m.RawRowView(i))
	}
	if dtype.Finite(sum) {
		return m // what is not finite would be in the sum, which is quick
	}
	c := mat.DenseCopyOf(m)
	c.Apply(func(_, _ int, v float64) float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0
		}
		return v
	}, c)
	return c
}

// powerOfTwo tells whether the size of x is a power of two: products with it are not rounded.
func powerOfTwo(x float64) bool {
	bits := math.Float64bits(x) &^ (1 << 63)
	if bits < 1<<52 { // subnormal
		return bits != 0 && bits&(bits-1) == 0
	}
	return bits&(1<<52-1) == 0 && bits>>52 != 0x7ff
}

// RowsBetween views rows a … b−1.
func RowsBetween(m *mat.Dense, a, b int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(a, b, 0, cols).(*mat.Dense)
}

// ColumnsBetween views columns a … b−1.
func ColumnsBetween(m *mat.Dense, a, b int) *mat.Dense {
	rows, _ := m.Dims()
	return m.Slice(0, rows, a, b).(*mat.Dense)
}

// Pages is how many pages hold n keys.
func Pages(n, page int) int { return (n + page - 1) / page }
