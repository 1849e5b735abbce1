// Package product has the ops that are products of matrices, so far the step of a tensor core.
package product

import (
	"fmt"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(stepOp) }

// stepOp is mma.step.
var stepOp = &op.Op{
	Name:  "mma.step",
	Exact: true,
	Doc: "Adds the products of each row to an accumulator, as the tensor cores of the declared device do, to the " +
		"last bit. " +
		"The rest of a step is zeros, and rows longer than a step are several of them, one after the other.",
	Inputs: []op.Tensor{
		{
			Name: "a", Shape: []string{"N", "K"},
			Doc: "left operands: F16, BF16, F8_E4M3, F8_E5M2, or F32 with TF32 numbers",
		},
		{Name: "b", Shape: []string{"N", "K"}, Doc: "right operands, of the same type"},
		{
			Name: "c", Shape: []string{"N"}, Optional: true,
			Doc: "accumulators before, F32 or F16; without them 0. A step that sums in F16 rounds them to it first",
		},
	},
	Outputs: []op.Tensor{
		{
			Name: "d", Shape: []string{"N"}, Axes: []string{"row"},
			Doc: "accumulators after, F32 or F16: the type in which the step sums. Which NaN and the sign of a " +
				"zero do not matter",
		},
	},
	Arithmetic: []op.Key{{Name: "accumulate", Default: "required", Doc: "the device: " + arithmetic.DeviceNames}},
	Check:      checkStep,
	Truth:      tensorStep,
}

// checkStep looks at the types, which have to be those of a step that is known, and at TF32
// operands.
func checkStep(c *op.Case) error {
	a, b := c.Recording.Type("a"), c.Recording.Type("b")
	if a != b {
		return fmt.Errorf("tensor %q: type %s, want %s, that of tensor %q", "b", b, a, "a")
	}
	if t := c.Recording.Type("c"); c.Recording.Has("c") && t != dtype.F32 && t != dtype.F16 {
		return fmt.Errorf("tensor %q: type %s, want F32 or F16", "c", t)
	}
	if _, err := tensorCore(c); err != nil {
		return fmt.Errorf("arithmetic: %q: %w", "accumulate", err)
	}
	if a != dtype.F32 {
		return nil
	}
	for _, name := range []string{"a", "b"} {
		x := c.Input(name)
		for i, v := range x.Data {
			if !arithmetic.IsTF32(v) {
				return fmt.Errorf("tensor %q: element %v is %v, want a TF32 number: the low 13 bits of a float32 are 0",
					name, tensor.Unravel(i, x.Shape), v)
			}
		}
	}
	return nil
}

// tensorCore returns the step: of the device that is declared, for the types recorded. Without an
// output F32 stands for its type.
func tensorCore(c *op.Case) (arithmetic.TensorCore, error) {
	result := dtype.F32
	if c.Wants("d") {
		result = c.Recording.Type("out.d")
	}
	return c.Arithmetic.Accumulate.TensorCore(c.Recording.Type("a"), result)
}

// tensorStep: nothing is left to the kernel, so that σ is 0 and the truth is what the device gives,
// a number of the type recorded. Which NaN it is does not matter, nor the sign of a zero: of the
// recorded results two are zeros, of terms that cancel, and +0 as here; what a sum of −0, or one
// that is cut off to nothing, has on hardware nobody has recorded.
func tensorStep(c *op.Case) ([]verdict.Expected, error) {
	core, err := tensorCore(c)
	if err != nil {
		return nil, err
	}
	n := c.Dim("N")
	d := verdict.Expected{Name: "d", Truth: tensor.New(n), Sigma: make([]float64, n)}
	parallel.Each(n, func(i int) {
		before := 0.0
		if c.Input("c") != nil {
			before = c.Input("c").Data[i]
		}
		d.Truth.Data[i] = core.Dot(before, c.Input("a").Row(i), c.Input("b").Row(i))
	})
	return c.Wanted(d), nil
}
