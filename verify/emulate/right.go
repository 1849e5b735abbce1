package emulate

import "plumbline/numbers/arithmetic"

// Orders returns kernels that differ in the order of summation alone.
func Orders() []Config {
	return []Config{
		{}, {Order: Reversed}, {Order: Pairwise}, {Order: Strided}, {Order: Shuffled, Seed: 3}, {Fused: true},
		{Accumulate: arithmetic.F64},
	}
}
