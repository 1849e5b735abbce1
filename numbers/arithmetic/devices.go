package arithmetic

import (
	"fmt"

	"plumbline/numbers/dtype"
)

// device is the tensor core of one generation, by the types of its operands. F32 stands for TF32.
// What is not there the hardware does not have, or nobody has recorded.
type device struct {
	wide map[dtype.Type]TensorCore // results in F32
	half map[dtype.Type]TensorCore // in F16
}

// short is the step that sums 16-bit operands in F32.
func short(products, fraction int) TensorCore {
	return TensorCore{Products: products, Fraction: fraction, Result: dtype.F32, Kept: 23}
}

// eight is the step that sums FP8 operands in 13 fraction bits.
func eight(products int) TensorCore {
	return TensorCore{Products: products, Fraction: 13, Result: dtype.F32, Kept: 13}
}

func half(t TensorCore) TensorCore {
	t.Result = dtype.F16
	return t
}

// late sums an instruction of FP8 operands from 0 and adds the accumulator at the end.
func late(t TensorCore) TensorCore {
	t.Late = 32
	return t
}

// paired is FP8 by two steps of F16.
func paired(t TensorCore) TensorCore {
	t.Paired = true
	return late(half(t))
}

var devices = map[Accumulator]device{
	F32Volta: {
		map[dtype.Type]TensorCore{dtype.F16: short(4, 23)},
		map[dtype.Type]TensorCore{dtype.F16: half(short(4, 23))},
	},
	F32Ampere: {
		map[dtype.Type]TensorCore{dtype.F16: short(8, 24), dtype.BF16: short(8, 24), dtype.F32: short(4, 24)},
		map[dtype.Type]TensorCore{dtype.F16: half(short(8, 24))},
	},
	F32Ada: {
		map[dtype.Type]TensorCore{
			dtype.F16: short(8, 24), dtype.BF16: short(8, 24), dtype.F32: short(4, 24),
			dtype.F8E4M3: eight(16), dtype.F8E5M2: eight(16),
		},
		map[dtype.Type]TensorCore{
			dtype.F16: half(short(8, 24)), dtype.F8E4M3: half(eight(16)), dtype.F8E5M2: half(eight(16)),
		},
	},
	F32Hopper: {
		map[dtype.Type]TensorCore{
			dtype.F16: short(16, 25), dtype.BF16: short(16, 25), dtype.F32: short(8, 25),
			dtype.F8E4M3: eight(32), dtype.F8E5M2: eight(32),
		},
		map[dtype.Type]TensorCore{
			dtype.F16: half(short(16, 25)), dtype.F8E4M3: paired(short(16, 25)), dtype.F8E5M2: paired(short(16, 25)),
		},
	},
	F32Blackwell: {
		map[dtype.Type]TensorCore{
			dtype.F16: short(16, 25), dtype.BF16: short(16, 25), dtype.F32: short(8, 25),
			dtype.F8E4M3: late(short(32, 25)), dtype.F8E5M2: late(short(32, 25)),
		},
		map[dtype.Type]TensorCore{
			dtype.F16: half(short(16, 25)), dtype.F8E4M3: paired(short(16, 25)), dtype.F8E5M2: paired(short(16, 25)),
		},
	},
}

// TensorCore returns the tensor core that the accumulator names, for operands of a type, F32 for
// TF32, and results in F32 or F16. It is an error if the accumulator is no device's, or its tensor
// core is not known for these types.
func (a Accumulator) TensorCore(operands, result dtype.Type) (TensorCore, error) {
	if _, known := devices[a]; !known {
		return TensorCore{}, fmt.Errorf("%s names no tensor core: want %s", a, DeviceNames)
	}
	t, known := a.step(operands, result)
	if !known {
		return TensorCore{}, fmt.Errorf("%s: no step is known that sums products of %s in %s", a, operands, result)
	}
	return t, nil
}

// step is TensorCore without words, for every sum of a large product.
func (a Accumulator) step(operands, result dtype.Type) (t TensorCore, known bool) {
	if !a.Truncates() {
		return t, false
	}
	d := devices[a]
	switch result {
	case dtype.F16:
		t, known = d.half[operands]
	case dtype.F32:
		t, known = d.wide[operands]
	}
	t.lowest = exponentOf(operands.MinNormal())
	t.bits = 2 * precision(operands)
	return t, known
}

// DeviceNames lists the accumulators that name a device, for messages.
const DeviceNames = "F32_HOPPER, F32_AMPERE, F32_ADA, F32_VOLTA or F32_BLACKWELL"

// precision is the number of bits in an operand, that of the leading 1 among them.
func precision(operands dtype.Type) int {
	if operands == dtype.F32 {
		return tf32Bits
	}
	return -exponentOf(operands.UnitRoundoff())
}
