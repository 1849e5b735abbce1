package dgemm

import "golang.org/x/sys/cpu"

// kernels are the micro-kernels that this processor has, the fastest first.
var kernels = available()

// available returns the micro-kernels that this processor has, the fastest first.
func available() []kernel {
	var all []kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		all = append(all, kernel{
			name: "AVX-512", fused: true, rows: 8, lanes: 8, interleave: interleaveAVX512, squares: squaresAVX512,
			multiply: []multiply{kernelAVX512x8, kernelAVX512x16, kernelAVX512x24},
			copies:   []copies{copyAVX512x8, copyAVX512x16, copyAVX512x24},
		})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append(all, kernel{
			name: "AVX2", fused: true, rows: 4, lanes: 4, interleave: interleaveAVX2, squares: squaresAVX2,
			multiply: []multiply{kernelAVX2x4, kernelAVX2x8, kernelAVX2x12},
			copies:   []copies{copyAVX2x4, copyAVX2x8, copyAVX2x12},
		})
	}
	return append(all, plain)
}
