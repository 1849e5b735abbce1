package emulate

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// Right returns a spread of right kernels of an op: tiles, splits, orders of summation,
// accumulators and types. All of them are right for every request.
func Right(op string) []Config {
	switch op {
	case "attention.forward", "mla.decode":
		return append(flash(), frameworks()...)
	case "attention.backward":
		return append(backwards(), frameworks()...)
	case "attention.merge":
		return orders()
	case "mla.layer":
		return layers()
	case "norm.rms":
		return norms()
	case "rope.apply":
		return turns()
	case "rope.table":
		return rotations()
	case "dpo.loss", "grpo.advantage", "grpo.loss", "policy.kl", "policy.logprob", "ppo.gae", "ppo.loss",
		"ppo.value_loss":
		return append(objectives(), eagerObjectives(op)...)
	}
	return nil
}

// objectives returns kernels that differ in the order of summation, in when weights are applied,
// and in their exponentials.
func objectives() []Config {
	all := append(orders(), Config{Base2: true}, Config{Approximate: true, Base2: true, Order: Strided})
	for _, c := range orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	return append(all, Config{NormalizeFirst: true, Approximate: true})
}

// eagerObjectives returns those that round every element-wise result, as eager frameworks do with
// narrow tensors.
func eagerObjectives(op string) []Config {
	var all []Config
	for _, t := range []dtype.Type{dtype.BF16, dtype.F16} {
		if t == dtype.F16 && (op == "grpo.advantage" || op == "ppo.gae") {
			continue // squares of small deviations, and what keeps them from 0, are 0 in it
		}
		all = append(
			all, Config{Intermediate: t}, Config{Intermediate: t, Order: Strided, Output: t},
			Config{Intermediate: t, NormalizeFirst: true, Order: Pairwise},
		)
	}
	return all
}

// flash returns kernels with an online softmax.
func flash() []Config {
	return []Config{
		{Tile: 64},
		{Tile: 128, Splits: 4, Order: Strided, Base2: true},
		{Tile: 16, Splits: 7, Order: Pairwise, Approximate: true, Base2: true},
		{Tile: 1, Order: Reversed},
		{Tile: 37, Splits: 3, Order: Shuffled, Seed: 1, Fused: true},
		{Tile: 64, Probabilities: dtype.F32, Order: Strided},
		{Tile: 32, Probabilities: dtype.BF16, DenominatorRounded: true, Splits: 2},
		{Tile: 16, Probabilities: dtype.F16, Base2: true},
		{Tile: 64, Accumulate: arithmetic.F32Hopper, Base2: true, Splits: 2},
		{Tile: 64, Accumulate: arithmetic.F64, Splits: 4},
		{Tile: 64, Accumulate: arithmetic.F16, Probabilities: dtype.F16},
		{Tile: 16, Accumulate: arithmetic.BF16, Order: Pairwise},
		{Tile: 64, FastExp: true},
		{Tile: 64, FastTanh: true, Splits: 2},
		{Tile: 64, Accumulate: arithmetic.TF32, Base2: true},
		{Tile: 16, Accumulate: arithmetic.TF32, OperandsRounded: true},
	}
}

// frameworks returns kernels that store scores and normalised weights, as eager frameworks do.
func frameworks() []Config {
	return []Config{
		{NormalizeFirst: true},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, Order: Strided},
		{NormalizeFirst: true, Scores: dtype.F16, Probabilities: dtype.F16, Order: Pairwise},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, ScaleRounded: true},
		{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, CapChain: dtype.F32},
		{NormalizeFirst: true, Probabilities: dtype.BF16, CapChain: dtype.BF16, Order: Strided},
		{NormalizeFirst: true, Accumulate: arithmetic.TF32},
	}
}

func backwards() []Config {
	return []Config{
		{Tile: 64},
		{Tile: 16, Order: Strided, Base2: true},
		{Tile: 37, Order: Shuffled, Seed: 2, Fused: true, Approximate: true},
		{Tile: 64, Order: Pairwise, Probabilities: dtype.F32, Intermediate: dtype.F32},
		{Tile: 64, Order: Reversed, Intermediate: dtype.BF16, Probabilities: dtype.BF16},
		{Tile: 64, Accumulate: arithmetic.F32Hopper, Base2: true},
		{Tile: 64, Accumulate: arithmetic.F64},
		{Tile: 64, Accumulate: arithmetic.TF32},
		{Tile: 64, Accumulate: arithmetic.TF32, OperandsRounded: true},
		{Tile: 64, FastTanh: true, FastExp: true},
		{Tile: 64, GroupSum: dtype.BF16},
		{Tile: 64, GroupSum: dtype.F16, Order: Strided},
	}
}

// orders returns kernels that differ in the order of summation alone.
func orders() []Config {
	return []Config{
		{}, {Order: Reversed}, {Order: Pairwise}, {Order: Strided}, {Order: Shuffled, Seed: 3}, {Fused: true},
		{Accumulate: arithmetic.F64},
	}
}

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
