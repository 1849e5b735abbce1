package dgemm

// kernels are the micro-kernels that this processor has, the fastest first. Every arm64 has NEON.
var kernels = available()

func available() []kernel {
	return []kernel{{name: "NEON", fused: true, rows: 8, lanes: 6, multiply: []multiply{kernelNEON}}, plain}
}

// kernelNEON adds a panel of A times a panel of B to 8×6 numbers of C, or stores it there.
//
//go:noescape
func kernelNEON(k int, a, b, c *float64, ldc int, add bool)
