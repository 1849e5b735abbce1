package position

import (
	"plumbline/internal/parallel"
	"plumbline/norm"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(rmsOp) }

// rmsOp is norm.rms.
var rmsOp = &op.Op{
	Name:      "norm.rms",
	Doc:       "Divides each row by its root mean square and multiplies it by the weight.",
	Equations: []string{"norm.RMS"},
	Inputs: []op.Tensor{
		{Name: "x", Shape: []string{"N", "d"}, Parts: true, Doc: "rows"},
		{Name: "weight", Shape: []string{"d"}, Doc: "learned weight"},
	},
	Outputs: []op.Tensor{{
		Name: "y", Shape: []string{"N", "d"}, Axes: []string{"token", "column"}, Doc: "normalised rows",
	}},
	Attrs: []op.Attr{step.EpsAttr},
	Arithmetic: []op.Key{op.AccumulateKey, op.SubnormalsKey,
		{
			Name: "intermediate", Default: "the input type",
			Doc: "the normalised row before the weight, which many libraries round",
		}},
	Check: step.CheckEps,
	Truth: normRMS,
}

// normRMS calls norm.RMS row by row.
func normRMS(c *op.Case) ([]verdict.Expected, error) {
	rows, width, w := c.Dim("N"), c.Dim("d"), c.Input("weight").Row()
	y := make([]float64, rows*width)
	parallel.Each(rows, func(n int) {
		copy(y[n*width:], norm.RMS(c.Rows("x", n, n+1).Row(0), w, c.Float("eps")))
	})
	return c.Run(
		c.EitherWay(normProgram), float64(8*len(y)),
		op.Expectation{Name: "y", Truth: y, Shape: []int{rows, width}},
	), nil
}

// normProgram is the norm as kernels compute it: squares are summed, the inverse root and each
// product are rounded, and the normalised row is rounded to the intermediate type before the weight
// multiplies it. Where the weight is a power of two and the result has that type, this is the last
// rounding, of which the verdict knows.
func normProgram(c *op.Case) op.Program {
	weight, eps := c.Input("weight").Row(), c.Float("eps")
	inter, out := c.TypeOr(c.Arithmetic.Intermediate, "x"), c.Recording.Type("out.y")
	return func(r *arithmetic.Run) map[string][]float64 {
		n := step.NewNorm(r, c.Arithmetic.Accumulate, inter, out)
		y := make([]float64, 0, c.Dim("N")*c.Dim("d"))
		for i := range c.Dim("N") {
			y = append(y, n.Row(c.Rows("x", i, i+1).Row(0), weight, eps)...)
		}
		return map[string][]float64{"y": y}
	}
}
