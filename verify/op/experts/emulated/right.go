package emulated

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// gates are right configurations of a gate: orders of sums and of slots, accumulators, types, ways
// to an exponential, and ties that go to the last.
func gates() []emulate.Config {
	return append(
		emulate.Orders(),
		emulate.Config{Gate: dtype.BF16},
		emulate.Config{Gate: dtype.BF16, Output: dtype.BF16, Slots: emulate.ByExpert, NormalizeFirst: true},
		emulate.Config{Gate: dtype.F16, Slots: emulate.ByWeight, Indices: dtype.I64},
		emulate.Config{Gate: dtype.BF16, Scores: dtype.BF16, Output: dtype.BF16},
		emulate.Config{Gate: dtype.BF16, Scores: dtype.BF16, Order: emulate.Pairwise, Base2: true},
		emulate.Config{NormalizeFirst: true, Slots: emulate.ByExpert, Indices: dtype.I64, Order: emulate.Strided},
		emulate.Config{Base2: true, Slots: emulate.AtRandom, Seed: 5, Output: dtype.BF16},
		emulate.Config{Approximate: true, Base2: true, Order: emulate.Strided, TiesLast: true},
		emulate.Config{FastExp: true, Slots: emulate.Backwards, TiesLast: true},
		emulate.Config{Accumulate: arithmetic.F32Hopper, NormalizeFirst: true},
		emulate.Config{Accumulate: arithmetic.F32Hopper, Gate: dtype.BF16, Indices: dtype.I64},
		emulate.Config{Accumulate: arithmetic.TF32},
		emulate.Config{Accumulate: arithmetic.TF32, OperandsRounded: true, Slots: emulate.AtRandom, Seed: 1},
		emulate.Config{Accumulate: arithmetic.BF16, Order: emulate.Pairwise},
		emulate.Config{Flushed: true, Order: emulate.Pairwise},
	)
}

func balances() []emulate.Config {
	all := emulate.Orders()
	for _, c := range emulate.Orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	return append(all, emulate.Config{Output: dtype.BF16})
}

func dispatches() []emulate.Config {
	return []emulate.Config{
		{}, {Tile: 1}, {Tile: 7, Indices: dtype.I64}, {Tile: 128}, {Tile: 2}, {Indices: dtype.I64},
	}
}

// eager is a kernel of a framework that rounds every result to BF16.
var eager = emulate.Config{Intermediate: dtype.BF16, Combine: dtype.BF16, NormalizeFirst: true}

// mixtures are right configurations of experts: kernels that round as they declare, in some order
// of slots, and fused ones that round less.
func mixtures() []emulate.Config {
	all := append(emulate.Orders(), eager)
	for i, c := range []emulate.Config{
		{Fusion: emulate.FusedActivation},
		{Fusion: emulate.FusedActivation, Intermediate: dtype.BF16, Combine: dtype.BF16, Order: emulate.Strided},
		{Fusion: emulate.FusedExpert, Intermediate: dtype.BF16, Combine: dtype.BF16},
		{Fusion: emulate.FusedExpert, NormalizeFirst: true, Base2: true},
		eager,
		{Intermediate: dtype.BF16, Output: dtype.F32},
		{Intermediate: dtype.F32, Order: emulate.Strided, Output: dtype.F32},
		{Intermediate: dtype.F32, Combine: dtype.F16, Fused: true},
		{Intermediate: dtype.F16, Combine: dtype.F16},
		{Combine: dtype.BF16, Approximate: true, Base2: true},
	} {
		c.Slots, c.Seed = emulate.Slots(1+i%4), uint64(i)
		all = append(all, c)
	}
	return append(all, devices()...)
}

// devices are kernels of several accumulators and units.
func devices() []emulate.Config {
	return []emulate.Config{
		{Accumulate: arithmetic.F32Hopper, Slots: emulate.ByExpert},
		{Accumulate: arithmetic.F32Hopper, Intermediate: dtype.BF16, Combine: dtype.BF16},
		{Accumulate: arithmetic.TF32},
		{Accumulate: arithmetic.TF32, OperandsRounded: true, Fusion: emulate.FusedExpert},
		{Accumulate: arithmetic.F16, Intermediate: dtype.F16},
		{FastExp: true, Fusion: emulate.FusedActivation},
		{Flushed: true},
	}
}

// layers are those of experts, some of them with a gate in a narrow type.
func layers() []emulate.Config {
	all := mixtures()
	for i, t := range []dtype.Type{dtype.BF16, dtype.BF16, dtype.F16} {
		c := all[7+i]
		c.Gate = t
		all = append(all, c)
	}
	return append(all, emulate.Config{Gate: dtype.BF16, Scores: dtype.BF16, Intermediate: dtype.BF16},
		emulate.Config{TiesLast: true, Gate: dtype.BF16, Intermediate: dtype.F32})
}
