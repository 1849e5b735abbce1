package emulate

import (
	"cmp"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
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

// DeclaredBy returns a kernel that rounds what a recording declares, and its outputs not at all.
func DeclaredBy(c *op.Case) Config {
	d := c.Arithmetic
	return Config{
		Accumulate: d.Accumulate, Probabilities: d.Probabilities, Scores: d.Scores, Intermediate: d.Intermediate,
		CapChain: d.CapChain, Angle: d.Angle, Gate: d.Gate, Combine: d.Combine, Output: dtype.F64,
		Form:         cmp.Or(c.Word("form"), d.Form), // an attribute or declared, and never both
		PromoteEvery: d.PromoteEvery, FastExp: d.Exp == "approx", FastTanh: d.Tanh == "approx",
		Flushed: d.Subnormals == "flushed",
	}
}
