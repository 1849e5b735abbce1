package emulate

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// Exact returns a kernel that rounds nothing: what a mistake makes of the truth, or with "" the
// truth itself, in float64. The form is that of the recording's declaration.
func Exact(mistake string) Config {
	return Config{
		Accumulate: arithmetic.F64, Probabilities: dtype.F64, Scores: dtype.F64, Intermediate: dtype.F64,
		CapChain: dtype.F64, Angle: dtype.F64, Output: dtype.F64, Gate: dtype.F64,
		Combine: dtype.F64, Mistake: mistake,
	}
}
