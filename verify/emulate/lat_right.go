package emulate

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

func layers() []Config {
	eager := Config{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, Intermediate: dtype.BF16}
	rounded := eager
	rounded.ScaleRounded = true
	var all []Config
	for _, form := range []string{"naive", "absorbed"} {
		for _, c := range []Config{
			{},
			eager,
			rounded,
			{
				NormalizeFirst: true, Scores: dtype.F16, Probabilities: dtype.F16, Intermediate: dtype.F16,
				Order: Strided,
			},
			{Intermediate: dtype.F32, Probabilities: dtype.F32, Order: Pairwise, Frequencies: Exp},
			{NormTwice: true, Tile: 16, Splits: 2, Order: Shuffled, Seed: 4, Base2: true},
			{Accumulate: arithmetic.F32Hopper, Frequencies: Double},
			{Intermediate: dtype.BF16, Output: dtype.F32},
			{Accumulate: arithmetic.F64, Angle: dtype.F64, Frequencies: Double},
			{Frequencies: Recurrent, Flushed: true, Intermediate: dtype.F16, Probabilities: dtype.F16},
		} {
			c.Form = form
			all = append(all, c)
		}
	}
	return all
}
