package emulated

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// Flash returns kernels with an online softmax.
func Flash() []emulate.Config {
	return []emulate.Config{
		{Tile: 64},
		{Tile: 128, Splits: 4, Order: emulate.Strided, Base2: true},
		{Tile: 16, Splits: 7, Order: emulate.Pairwise, Approximate: true, Base2: true},
		{Tile: 1, Order: emulate.Reversed},
		{Tile: 37, Splits: 3, Order: emulate.Shuffled, Seed: 1, Fused: true},
		{Tile: 64, Probabilities: dtype.F32, Order: emulate.Strided},
		{Tile: 32, Probabilities: dtype.BF16, DenominatorRounded: true, Splits: 2},
		{Tile: 16, Probabilities: dtype.F16, Base2: true},
		{Tile: 64, Accumulate: arithmetic.F32Hopper, Base2: true, Splits: 2},
		{Tile: 64, Accumulate: arithmetic.F64, Splits: 4},
		{Tile: 64, Accumulate: arithmetic.F16, Probabilities: dtype.F16},
		{Tile: 16, Accumulate: arithmetic.BF16, Order: emulate.Pairwise},
		{Tile: 64, FastExp: true},
		{Tile: 64, FastTanh: true, Splits: 2},
		{Tile: 64, Accumulate: arithmetic.TF32, Base2: true},
		{Tile: 16, Accumulate: arithmetic.TF32, OperandsRounded: true},
	}
}

// Frameworks returns kernels that store scores and normalised weights, as eager frameworks do.
func Frameworks() []emulate.Config {
	return []emulate.Config{
		{NormalizeFirst: true},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, Order: emulate.Strided},
		{NormalizeFirst: true, Scores: dtype.F16, Probabilities: dtype.F16, Order: emulate.Pairwise},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, ScaleRounded: true},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, CapChain: dtype.F32},
		{NormalizeFirst: true, Probabilities: dtype.BF16, CapChain: dtype.BF16, Order: emulate.Strided},
		{NormalizeFirst: true, Accumulate: arithmetic.TF32},
	}
}

func backwards() []emulate.Config {
	return []emulate.Config{
		{Tile: 64},
		{Tile: 16, Order: emulate.Strided, Base2: true},
		{Tile: 37, Order: emulate.Shuffled, Seed: 2, Fused: true, Approximate: true},
		{Tile: 64, Order: emulate.Pairwise, Probabilities: dtype.F32, Intermediate: dtype.F32},
		{Tile: 64, Order: emulate.Reversed, Intermediate: dtype.BF16, Probabilities: dtype.BF16},
		{Tile: 64, Accumulate: arithmetic.F32Hopper, Base2: true},
		{Tile: 64, Accumulate: arithmetic.F64},
		{Tile: 64, Accumulate: arithmetic.TF32},
		{Tile: 64, Accumulate: arithmetic.TF32, OperandsRounded: true},
		{Tile: 64, FastTanh: true, FastExp: true},
		{Tile: 64, GroupSum: dtype.BF16},
		{Tile: 64, GroupSum: dtype.F16, Order: emulate.Strided},
	}
}
