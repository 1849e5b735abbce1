package dgemm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BenchmarkDgemm measures each micro-kernel of this processor, and gonum's own product; with
// GOMAXPROCS=1 on one core.
func BenchmarkDgemm(b *testing.B) {
	for _, kn := range slices.Clone(kernels) {
		b.Run(kn.name, func(b *testing.B) {
			defer func(first kernel) { kernels[0] = first }(kernels[0])
			kernels[0] = kn
			benchmarkShapes(b, Implementation{}.Dgemm)
		})
	}
	b.Run("gonum", func(b *testing.B) { benchmarkShapes(b, gonum.Implementation{}.Dgemm) })
}

// benchmarkShapes measures square products, those of a decoding step with 4096 latents for scores
// and for outputs, a head of a prefill, a small one, and a row times a matrix of weights.
func benchmarkShapes(b *testing.B, dgemm func(
	tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int,
	beta float64, c []float64, ldc int,
)) {
	for _, s := range [][3]int{
		{2048, 2048, 2048}, {512, 512, 512}, {128, 4096, 576}, {128, 512, 4096}, {2048, 2048, 192}, {64, 64, 64},
		{1, 7168, 2048},
	} {
		for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			b.Run(fmt.Sprintf("%d×%d×%d/N%c", s[0], s[1], s[2], tB), func(b *testing.B) {
				c := newCall(blas.NoTrans, tB, s[0], s[1], s[2], 1, 0, rand.New(rand.NewPCG(1, 2)).NormFloat64)
				for b.Loop() {
					dgemm(c.tA, c.tB, c.m, c.n, c.k, 1, c.a, c.lda, c.b, c.ldb, 0, c.c, c.ldc)
				}
				operations := 2 * float64(c.m) * float64(c.n) * float64(c.k) * float64(b.N)
				b.ReportMetric(operations/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
