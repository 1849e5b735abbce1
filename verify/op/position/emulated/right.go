package emulated

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func norms() []emulate.Config {
	all := emulate.Orders()
	for _, c := range emulate.Orders()[:4] {
		c.Intermediate = dtype.F32
		all = append(all, c)
	}
	return append(
		all, emulate.Config{
			Order: emulate.Strided, Intermediate: dtype.BF16,
		}, emulate.Config{Order: emulate.Strided, Intermediate: dtype.F16},
		emulate.Config{Order: emulate.Strided, Flushed: true},
	)
}

func rotations() []emulate.Config {
	return []emulate.Config{
		{},
		{Frequencies: emulate.Exp, Fused: true},
		{Frequencies: emulate.Exp2, Approximate: true},
		{Frequencies: emulate.Double},
		{Angle: dtype.F64, Frequencies: emulate.Double},
		{Accumulate: arithmetic.F64, Angle: dtype.F64, Frequencies: emulate.Double},
		{Output: dtype.BF16},
		{Frequencies: emulate.Recurrent},
	}
}

// turns returns rotations, those that keep cosines, sines and products in a narrow type, and one
// that flushes small numbers.
func turns() []emulate.Config {
	return append(rotations(), emulate.Config{Intermediate: dtype.F16}, emulate.Config{
		Intermediate: dtype.BF16, Frequencies: emulate.Exp,
	},
		emulate.Config{Frequencies: emulate.Recurrent, Fused: true, Flushed: true})
}
