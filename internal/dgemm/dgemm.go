// Package dgemm multiplies matrices of float64 at nearly the speed of the machine's multiply-add
// units, behind gonum's own calls:
//
//	blas64.Use(dgemm.Implementation{})
//
// It is a product of packed panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008). A task is a rectangle of C. Of each 256 terms of its sums it packs the
// rows of A once, which stay in the second cache, then one panel of columns of B after another,
// which stay in the first, and a micro-kernel holds a few rows and columns of C in registers.
//
// Every sum takes its terms in order, 256 of them at a time from 0 on, wherever C is cut: the bits
// are the same for any number of cores, and on any processor that fuses products into sums.
// They differ from gonum's, whose sums begin with β·C. As in gonum A and B are not read where α or
// k is 0, and C is not where β is; but 0·NaN and 0·∞ are NaN, where gonum leaves out terms whose
// factor of A is 0.
package dgemm

import (
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

// Implementation is gonum's, with a product of its own.
type Implementation struct{ gonum.Implementation }

// Dgemm computes C = α·op(A)·op(B) + β·C for op(A) [m × k], op(B) [k × n] and C [m × n], where op
// leaves a matrix as it is or transposes it. It panics as gonum's does.
func (i Implementation) Dgemm(
	tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int,
	beta float64, c []float64, ldc int,
) {
	i.multiply(tA, tB, m, n, k, alpha, a, lda, operand{data: b, ld: ldb}, beta, c, ldc)
}

// MulSquares computes C = op(A)·(op(B)∘op(B)) + β·C: of B the squares of its numbers, which never
// stand in memory. It panics as gonum's product does.
func MulSquares(tA, tB blas.Transpose, a, b blas64.General, beta float64, c blas64.General) {
	k := a.Cols
	if tA != blas.NoTrans {
		k = a.Rows
	}
	squares := operand{data: b.Data, ld: b.Stride, squared: true}
	Implementation{}.multiply(tA, tB, c.Rows, c.Cols, k, 1, a.Data, a.Stride, squares, beta, c.Data, c.Stride)
}

// multiply is Dgemm.
func (i Implementation) multiply(
	tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b operand, beta float64,
	c []float64, ldc int,
) {
	if alpha == 0 || k == 0 {
		i.Implementation.Dgemm(tA, tB, m, n, k, 0, a, lda, b.data, b.ld, beta, c, ldc) // β·C
		return
	}
	i.Implementation.Dgemm(tA, tB, m, n, k, 0, a, lda, b.data, b.ld, 1, c, ldc) // refuses what is malformed
	if m == 0 || n == 0 {
		return
	}
	p := product{
		kernel: &kernels[0], m: m, n: n, k: k, alpha: alpha, beta: beta, c: c, ldc: ldc,
		a: operand{data: a, ld: lda, across: tA != blas.NoTrans}, b: b,
	}
	p.b.across = tB == blas.NoTrans
	p.compute(runtime.GOMAXPROCS(0))
}
