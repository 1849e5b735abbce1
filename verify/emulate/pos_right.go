package emulate

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

func norms() []Config {
	all := orders()
	for _, c := range orders()[:4] {
		c.Intermediate = dtype.F32
		all = append(all, c)
	}
	return append(
		all, Config{Order: Strided, Intermediate: dtype.BF16}, Config{Order: Strided, Intermediate: dtype.F16},
		Config{Order: Strided, Flushed: true},
	)
}

func rotations() []Config {
	return []Config{
		{},
		{Frequencies: Exp, Fused: true},
		{Frequencies: Exp2, Approximate: true},
		{Frequencies: Double},
		{Angle: dtype.F64, Frequencies: Double},
		{Accumulate: arithmetic.F64, Angle: dtype.F64, Frequencies: Double},
		{Output: dtype.BF16},
		{Frequencies: Recurrent},
	}
}

// turns returns rotations, those that keep cosines, sines and products in a narrow type, and one
// that flushes small numbers.
func turns() []Config {
	return append(rotations(), Config{Intermediate: dtype.F16}, Config{Intermediate: dtype.BF16, Frequencies: Exp},
		Config{Frequencies: Recurrent, Fused: true, Flushed: true})
}
