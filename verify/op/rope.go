package op

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
	"plumbline/verify/verdict"
)

var (
	baseAttr = Attr{Name: "base", Kind: Number, Default: 10000.0, Doc: "base of the frequencies"}
	yarnAttr = Attr{Name: "yarn", Kind: YaRN, Missing: "none", Doc: `stretched rotation, such as {"factor":40,` +
		`"original_context":4096,"beta_fast":32,"beta_slow":1,"mscale":1,"mscale_all_dim":1,"ramp":"index","truncate":true} ` +
		`(these are the defaults of its keys; without mscale and mscale_all_dim the amplitude is 0.1 ln(factor) + 1 and scores ` +
		`have no factor; "attention_factor" is the amplitude, and neither mscale counts)`}
	layout = Attr{
		Name: "layout", Kind: Choice, Default: "interleaved",
		Choices: []string{"interleaved", "half", "interleaved_to_half"},
		Doc:     "which elements are a pair: (2i, 2i+1), (i, i+D/2), or the first read and the second written",
	}

	accumulateKey = Key{"accumulate", "F32", "sums and scalar work"}
	angleKey      = Key{"angle", "F32", "position × frequency"}

	frequenciesKey = Key{"frequencies", "power",
		"power, or recurrent: each frequency is the one before times base^(−2/d)"}
)

func init() {
	register(&Op{
		Name:      "rope.table",
		Doc:       "Cosines and sines of every position and frequency.",
		Equations: []string{"rope.Frequencies", "rope.YaRNFrequencies", "rope.YaRN.Amplitude", "rope.Table"},
		Inputs:    []Tensor{{Name: "positions", Shape: []string{"N"}, Integer: true, Doc: "positions in tokens"}},
		Outputs:   []Tensor{tableOutput("cos"), tableOutput("sin")},
		Attrs: []Attr{
			{Name: "dim", Kind: Count, Missing: required, Letter: "dim", Doc: "rotary width, even"}, baseAttr, yarnAttr,
		},
		Arithmetic: []Key{accumulateKey, angleKey, frequenciesKey},
		check:      func(c *Case) error { return c.checkRotary(c.Int("dim"), "attrs: \"dim\"") },
		truth:      ropeTable,
	})
	register(&Op{
		Name: "rope.apply",
		Doc:  "Rotates every pair of every head by position × frequency.",
		Equations: []string{
			"rope.Frequencies", "rope.YaRNFrequencies", "rope.YaRN.Amplitude", "rope.Table", "rope.Rotate",
			"rope.Inverse",
		},
		Inputs: []Tensor{
			{Name: "x", Shape: []string{"N", "H", "D"}, Doc: "vectors"},
			{Name: "positions", Shape: []string{"N"}, Integer: true, Doc: "positions in tokens"},
		},
		Outputs: []Tensor{{
			Name: "y", Shape: []string{"N", "H", "D"}, Axes: []string{"token", "head", "column"},
			Doc: "rotated vectors",
		}},
		Attrs: []Attr{
			baseAttr, layout, yarnAttr, {Name: "inverse", Kind: Flag, Default: false, Doc: "turn back instead"},
		},
		Arithmetic: []Key{accumulateKey, angleKey, frequenciesKey, subnormalsKey,
			{"intermediate", "F32", "cosines, sines and their products, where code keeps them in a narrow type"}},
		check: func(c *Case) error { return c.checkRotary(c.Dim("D"), "tensor \"x\"") },
		truth: ropeApply,
	})
}

func tableOutput(name string) Tensor {
	return Tensor{
		Name: name, Shape: []string{"N", "dim/2"}, Axes: []string{"token", "pair"}, Doc: "one column for each pair",
	}
}

func (c *Case) checkRotary(width int, where string) error {
	if width%2 != 0 || width == 0 {
		return fmt.Errorf("%s: rotary width %d, want an even one", where, width)
	}
	if base := c.Float("base"); base <= 1 || base > 1e30 {
		return fmt.Errorf("attrs: %q: found %v, want more than 1 and at most 1e30", "base", base)
	}
	return nil
}

// rotation returns the table of some positions, the amplitude included.
func (c *Case) rotation(positions []float64, dim int) (cos, sin *mat.Dense) {
	theta, amplitude := rope.Frequencies(dim, c.Float("base")), 1.0
	if y := c.YaRN(); y != nil {
		theta, amplitude = rope.YaRNFrequencies(dim, c.Float("base"), *y), y.Amplitude()
	}
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
func ropeTable(c *Case) ([]verdict.Expected, error) {
	positions := c.Input("positions").Data
	cos, sin := c.rotation(positions, c.Int("dim"))
	rows, pairs := cos.Dims()
	shape, work := []int{rows, pairs}, c.Arithmetic.Accumulate.Working()
	return c.run(func(r *arithmetic.Run) map[string][]float64 {
		t := c.newRotationRun(r, c.Int("dim"), work, work, work)
		out := map[string][]float64{}
		for _, p := range positions {
			cos, sin := t.row(p)
			out["cos"], out["sin"] = append(out["cos"], cos...), append(out["sin"], sin...)
		}
		return out
	}, float64(rows*pairs*tableWork), expectation{name: "cos", truth: cos.RawMatrix().Data, shape: shape},
		expectation{name: "sin", truth: sin.RawMatrix().Data, shape: shape},
	), nil
}

// ropeApply calls rope.Rotate or rope.Inverse row by row.
func ropeApply(c *Case) ([]verdict.Expected, error) {
	tokens, heads, width := c.Dim("N"), c.Dim("H"), c.Dim("D")
	cos, sin := c.rotation(c.Input("positions").Data, width)
	turn := c.turned()
	y := make([]float64, tokens*heads*width)
	parallel.Each(tokens, func(n int) {
		for h := range heads {
			copy(
				y[(n*heads+h)*width:],
				turn.rotate(c.Input("x").Row(n, h), cos.RawRowView(n), sin.RawRowView(n)),
			)
		}
	})
	return c.run(
		c.eitherWay((*Case).rotationProgram), float64(turnWork*len(y)),
		expectation{name: "y", truth: y, shape: []int{tokens, heads, width}},
	), nil
}

// rotationProgram turns rows as kernels do.
func (c *Case) rotationProgram() program {
	positions, heads, turn := c.Input("positions").Data, c.Dim("H"), c.turned()
	kept := c.Arithmetic.Intermediate
	if kept == dtype.Invalid {
		kept = c.Arithmetic.Accumulate.Working()
	}
	return func(r *arithmetic.Run) map[string][]float64 {
		t := c.newRotationRun(r, c.Dim("D"), c.rec.Type("x"), kept, c.rec.Type("out.y"))
		y := make([]float64, 0, c.Input("x").Len())
		for n, p := range positions {
			cos, sin := t.row(p)
			for h := range heads {
				y = append(y, t.rotate(c.Input("x").Row(n, h), cos, sin, turn)...)
			}
		}
		return map[string][]float64{"y": y}
	}
}

var layouts = map[string]rope.Layout{
	"interleaved": rope.Interleaved, "half": rope.Half, "interleaved_to_half": rope.InterleavedToHalf,
}

// turned says how pairs stand and which way they turn.
type turned struct {
	layout  string
	inverse bool
}

// turned returns how the case turns vectors.
func (c *Case) turned() turned { return turned{c.Word("layout"), c.Flag("inverse")} }

func (t turned) rotate(x, cos, sin []float64) []float64 {
	if t.inverse {
		return rope.Inverse(x, cos, sin, layouts[t.layout])
	}
	return rope.Rotate(x, cos, sin, layouts[t.layout])
}

// pair returns where the two elements of pair i are read and written.
func (t turned) pair(i, width int) (read, write [2]int) {
	adjacent, halves := [2]int{2 * i, 2*i + 1}, [2]int{i, i + width/2}
	read, write = adjacent, adjacent
	if t.layout != "interleaved" {
		write = halves
	}
	if t.layout == "half" {
		read = halves
	}
	return read, write
}
