//go:build !amd64 && !arm64

package dgemm

// kernels are what any processor can do.
var kernels = available()

func available() []kernel { return []kernel{plain} }
