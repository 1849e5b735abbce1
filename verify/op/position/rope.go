// Package position has the ops that treat each token by itself: rope.table, rope.apply and
// norm.rms.
package position

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(tableOp, applyOp) }

// tableOp is rope.table.
var tableOp = &op.Op{
	Name:      "rope.table",
	Doc:       "Cosines and sines of every position and frequency.",
	Equations: []string{"rope.Frequencies", "rope.YaRNFrequencies", "rope.YaRN.Amplitude", "rope.Table"},
	Inputs:    []op.Tensor{{Name: "positions", Shape: []string{"N"}, Integer: true, Doc: "positions in tokens"}},
	Outputs:   []op.Tensor{tableOutput("cos"), tableOutput("sin")},
	Attrs: []op.Attr{
		{
			Name: "dim", Kind: op.Count, Missing: op.Required, Letter: "dim", Doc: "rotary width, even",
		}, step.BaseAttr, step.YaRNAttr,
	},
	Arithmetic: []op.Key{op.AccumulateKey, step.AngleKey, step.FrequenciesKey},
	Check:      func(c *op.Case) error { return step.CheckRotary(c, c.Int("dim"), "attrs: \"dim\"") },
	Truth:      ropeTable,
	Work:       func(c *op.Case) float64 { return op.AngleWork * c.Extent("N") * float64(c.Int("dim")) / 2 },
}

// applyOp is rope.apply.
var applyOp = &op.Op{
	Name: "rope.apply",
	Doc:  "Rotates every pair of every head by position × frequency.",
	Equations: []string{
		"rope.Frequencies", "rope.YaRNFrequencies", "rope.YaRN.Amplitude", "rope.Table", "rope.Rotate",
		"rope.Inverse",
	},
	Inputs: []op.Tensor{
		{Name: "x", Shape: []string{"N", "H", "D"}, Doc: "vectors"},
		{Name: "positions", Shape: []string{"N"}, Integer: true, Doc: "positions in tokens"},
	},
	Outputs: []op.Tensor{{
		Name: "y", Shape: []string{"N", "H", "D"}, Axes: []string{"token", "head", "column"},
		Doc: "rotated vectors",
	}},
	Attrs: []op.Attr{
		step.BaseAttr, step.LayoutAttr, step.YaRNAttr, {
			Name: "inverse", Kind: op.Flag, Default: false, Doc: "turn back instead",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, step.AngleKey, step.FrequenciesKey, op.SubnormalsKey,
		{
			Name: "intermediate", Default: "F32",
			Doc: "cosines, sines and their products, where code keeps them in a narrow type",
		}},
	Check: func(c *op.Case) error { return step.CheckRotary(c, c.Dim("D"), "tensor \"x\"") },
	Truth: ropeApply,
	Work: func(c *op.Case) float64 {
		return op.AngleWork*c.Extent("N")*c.Extent("D")/2 + 50*c.Extent("N")*c.Extent("H")*c.Extent("D")
	},
}

func tableOutput(name string) op.Tensor {
	return op.Tensor{
		Name: name, Shape: []string{"N", "dim/2"}, Axes: []string{"token", "pair"}, Doc: "one column for each pair",
	}
}

// rotation returns the table of some positions, the amplitude included.
func rotation(c *op.Case, positions []float64, dim int) (cos, sin *mat.Dense) {
	theta, amplitude := Frequencies(c, dim)
	cos, sin = rope.Table(positions, theta)
	cos.Scale(amplitude, cos)
	sin.Scale(amplitude, sin)
	return cos, sin
}

// tableWork and turnWork are about how many roundings an element takes.
const (
	tableWork = 8
	turnWork  = 4
)

// ropeTable calls rope.Table.
func ropeTable(c *op.Case) ([]verdict.Expected, error) {
	positions := c.Input("positions").Data
	cos, sin := rotation(c, positions, c.Int("dim"))
	rows, pairs := cos.Dims()
	shape, work := []int{rows, pairs}, c.Arithmetic.Accumulate.Working()
	return c.Run(func(r *arithmetic.Run) map[string][]float64 {
		t := step.NewRotation(c, r, c.Int("dim"), work, work, work)
		out := map[string][]float64{}
		for _, p := range positions {
			cos, sin := t.Row(p)
			out["cos"], out["sin"] = append(out["cos"], cos...), append(out["sin"], sin...)
		}
		return out
	}, float64(rows*pairs*tableWork), op.Expectation{Name: "cos", Truth: cos.RawMatrix().Data, Shape: shape},
		op.Expectation{Name: "sin", Truth: sin.RawMatrix().Data, Shape: shape},
	), nil
}

// ropeApply calls rope.Rotate or rope.Inverse row by row.
func ropeApply(c *op.Case) ([]verdict.Expected, error) {
	tokens, heads, width := c.Dim("N"), c.Dim("H"), c.Dim("D")
	cos, sin := rotation(c, c.Input("positions").Data, width)
	turn := step.TurnOf(c)
	y := make([]float64, tokens*heads*width)
	parallel.Each(tokens, func(n int) {
		for h := range heads {
			copy(
				y[(n*heads+h)*width:],
				turn.Rotate(c.Input("x").Row(n, h), cos.RawRowView(n), sin.RawRowView(n)),
			)
		}
	})
	return c.Run(
		c.EitherWay(rotationProgram), float64(turnWork*len(y)),
		op.Expectation{Name: "y", Truth: y, Shape: []int{tokens, heads, width}},
	), nil
}

// rotationProgram turns rows as kernels do.
func rotationProgram(c *op.Case) op.Program {
	positions, heads, turn := c.Input("positions").Data, c.Dim("H"), step.TurnOf(c)
	kept := c.Arithmetic.Intermediate
	if kept == dtype.Invalid {
		kept = c.Arithmetic.Accumulate.Working()
	}
	return func(r *arithmetic.Run) map[string][]float64 {
		t := step.NewRotation(c, r, c.Dim("D"), c.Recording.Type("x"), kept, c.Recording.Type("out.y"))
		y := make([]float64, 0, c.Input("x").Len())
		for n, p := range positions {
			cos, sin := t.Row(p)
			for h := range heads {
				y = append(y, t.Rotate(c.Input("x").Row(n, h), cos, sin, turn)...)
			}
		}
		return map[string][]float64{"y": y}
	}
}
