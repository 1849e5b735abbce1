package emulated

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// layers are right configurations of a layer, each in both forms.
func layers() (all []emulate.Config) {
	for _, form := range []string{"naive", "absorbed"} {
		for _, c := range spread() {
			c.Form = form
			all = append(all, c)
		}
	}
	return all
}

func spread() []emulate.Config {
	eager := emulate.Config{
		NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, Intermediate: dtype.BF16,
	}
	rounded := eager
	rounded.ScaleRounded = true
	return []emulate.Config{
		{},
		eager,
		rounded,
		{
			NormalizeFirst: true, Scores: dtype.F16, Probabilities: dtype.F16, Intermediate: dtype.F16,
			Order: emulate.Strided,
		},
		{Intermediate: dtype.F32, Probabilities: dtype.F32, Order: emulate.Pairwise, Frequencies: emulate.Exp},
		{NormTwice: true, Tile: 16, Splits: 2, Order: emulate.Shuffled, Seed: 4, Base2: true},
		{Accumulate: arithmetic.F32Hopper, Frequencies: emulate.Double},
		{Intermediate: dtype.BF16, Output: dtype.F32},
		{Accumulate: arithmetic.F64, Angle: dtype.F64, Frequencies: emulate.Double},
		{Frequencies: emulate.Recurrent, Flushed: true, Intermediate: dtype.F16, Probabilities: dtype.F16},
	}
}
