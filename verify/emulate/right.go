package emulate

import (
	"plumbline/numbers/arithmetic"
)

// orders returns kernels that differ in the order of summation alone.
func orders() []Config {
	return []Config{
		{}, {Order: Reversed}, {Order: Pairwise}, {Order: Strided}, {Order: Shuffled, Seed: 3}, {Fused: true},
		{Accumulate: arithmetic.F64},
	}
}
