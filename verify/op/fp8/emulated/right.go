package emulated

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// casts are right configurations of a quantiser: the recipes of a code, two ways to a scale, and
// what powers of two are stored in.
func casts() []emulate.Config {
	return []emulate.Config{
		{}, {Recipe: "reciprocal"}, {Recipe: "amax"}, {ScaleInverted: true}, {Scales: dtype.F8E8M0},
		{Recipe: "reciprocal", ScaleInverted: true}, {Recipe: "reciprocal", Scales: dtype.F8E8M0},
	}
}

// products are right configurations of a product: orders and splits of K, what multiplies codes
// first or last, promotions, accumulators and types of the output.
func products() []emulate.Config {
	all := emulate.Orders()
	for i, c := range emulate.Orders() {
		c.Dequantised, c.Splits = true, i%3
		all = append(all, c)
	}
	return append(
		append(all, promoted()...),
		emulate.Config{Output: dtype.F32, Splits: 4},
		emulate.Config{Output: dtype.F32, PromoteEvery: 64},
		emulate.Config{Output: dtype.F32, Dequantised: true, Splits: 3},
		emulate.Config{Output: dtype.F16},
		emulate.Config{Accumulate: arithmetic.F32Ada, Output: dtype.F32},
		emulate.Config{Accumulate: arithmetic.F32Blackwell, Output: dtype.F32},
		emulate.Config{Accumulate: arithmetic.F32Ampere, Output: dtype.F32},
		emulate.Config{Accumulate: arithmetic.TF32, Output: dtype.F32},
		emulate.Config{Accumulate: arithmetic.TF32, Dequantised: true},
		emulate.Config{Accumulate: arithmetic.TF32, Dequantised: true, OperandsRounded: true, Output: dtype.F32},
		emulate.Config{Accumulate: arithmetic.BF16},
	)
}

// promoted are kernels of Hopper, which differ in how often they promote.
func promoted() (all []emulate.Config) {
	for i, o := range []emulate.Order{emulate.Sequential, emulate.Reversed, emulate.Strided} {
		all = append(
			all,
			emulate.Config{Accumulate: arithmetic.F32Hopper, Order: o, Output: dtype.F32, Splits: i},
			emulate.Config{Accumulate: arithmetic.F32Hopper, Order: o, PromoteEvery: 32 << i, Fused: i == 1},
			emulate.Config{Accumulate: arithmetic.F32Hopper, Order: o, PromoteEvery: 256 << i, Output: dtype.F32},
		)
	}
	return all
}
