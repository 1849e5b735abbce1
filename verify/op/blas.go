package op

import (
	"gonum.org/v1/gonum/blas/blas64"

	"plumbline/internal/dgemm"
)

// Truths, runs and emulated kernels of every op multiply by gonum's calls. What computes them is
// chosen here, once for the process; a program that chooses another implementation in its main has
// that.
func init() { blas64.Use(dgemm.Implementation{}) }
