package op

import (
	"fmt"
	"math"

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

// rotation is the table of a rotation with the errors of its angles.
type rotation struct {
	cos, sin *mat.Dense // [N × d/2], the amplitude included
	angle    *mat.Dense // second moment of the error of each angle, radians²
	errors   angleErrors
	// draws is per position how many pairs have an angle of their own; where angles are near 0 a
	// table errs alike for all.
	draws []float64
	kept  dtype.Type // of table and products, where code keeps them in a narrow type; else the working type
	work  dtype.Type
	at    []float64 // positions
}

// newRotation returns the table of some positions; angleErrors says what it errs by.
func (c *Case) newRotation(positions []float64, dim int) rotation {
	work := c.Arithmetic.Accumulate.Working()
	r := rotation{errors: c.newAngleErrors(dim), at: positions, work: work, kept: work}
	theta := r.errors.theta
	r.cos, r.sin = rope.Table(positions, theta)
	r.cos.Scale(r.errors.amplitude, r.cos)
	r.sin.Scale(r.errors.amplitude, r.sin)
	r.angle = mat.NewDense(len(positions), len(theta), nil)
	r.draws = make([]float64, len(positions))
	for n, p := range positions {
		r.draws[n] = 1
		for i, t := range theta {
			r.angle.Set(n, i, r.errors.variance(p, i))
			if math.Abs(p*t) > 0.01 && r.errors.step == 0 { // the factor of a recurrence is one error for all pairs
				r.draws[n]++
			}
		}
	}
	return r
}

// curved is the second moment of what an angle's error δ moves a sine or cosine to second order,
// ½δ², as a part of its value: at the top of the wave there is nothing else, and at position 100
// 000 it is far above a rounding. 2.25σ⁴, three times the ¾σ⁴ of a normal δ, because δ² has the
// longer tail.
func curved(angle float64) float64 { return 2.25 * angle * angle }

// ropeTable: a cosine errs by sin φ · σ_φ, by ½ cos φ · σ_φ², and by its own roundings.
func ropeTable(c *Case) ([]verdict.Expected, error) {
	r := c.newRotation(c.Input("positions").Data, c.Int("dim"))
	rows, pairs := r.cos.Dims()
	cos, sin := c.newEstimate("cos", rows, pairs), c.newEstimate("sin", rows, pairs)
	for n, p := range r.at {
		for i := range pairs {
			co, si, angle := r.cos.At(n, i), r.sin.At(n, i), r.angle.At(n, i)
			cos.setOne(co, si*si*angle+co*co*curved(angle)+r.errors.value(p, co), n, i)
			sin.setOne(si, co*co*angle+si*si*curved(angle)+r.errors.value(p, si), n, i)
		}
	}
	return c.wanted(r.oneTable(cos, "cos"), r.oneTable(sin, "sin")), nil
}

// oneTable says that all rows share the errors of one set of frequencies.
func (r rotation) oneTable(e *estimate, name string) verdict.Expected {
	_, pairs := r.cos.Dims()
	if r.errors.step > 0 {
		pairs = 1
	}
	x := verdict.Expected{
		Name: name, Truth: e.truth, Sigma: e.sigma, Draws: e.draws, MostDraws: float64(pairs), ColumnDraws: 1,
		Systematic: 1,
	}
	for i := range x.Draws {
		x.Draws[i] = r.draws[i*len(r.draws)/len(x.Draws)]
	}
	return x
}

// ropeApply: an output element y_a = x_a cos φ − x_b sin φ moves by the other element of its pair
// times the error of the angle, by the errors of the table, and by the roundings of two products
// and a sum. Cosines, sines and products that are kept in a narrower type I add theirs.
//
//	σ² = y_b² σ_φ² + 2.25 y_a² σ_φ⁴ + (x_a² + x_b²)·4ρ² + round(x_a cos)² + round(x_b sin)² + y_a² ρ² [ + x_a² round_I(cos)² + x_b² round_I(sin)² ]
//
// round(x)² is the second moment of a rounding, that of a product in I if there is one: on the grid
// of I's subnormal numbers where it is among them, and 0 where a factor is a power of two. A sum
// with a term of 0 is not rounded.
func ropeApply(c *Case) ([]verdict.Expected, error) {
	tokens, heads, width := c.Dim("N"), c.Dim("H"), c.Dim("D")
	r := c.newRotation(c.Input("positions").Data, width)
	if t := c.Arithmetic.Intermediate; t != dtype.Invalid && t.UnitRoundoff() > r.work.UnitRoundoff() {
		r.kept = t
	}
	y := c.newEstimate("y", tokens, heads, width)
	turn := turned{layout: c.Word("layout"), inverse: c.Flag("inverse")}
	parallel.Each(tokens, func(n int) {
		for h := range heads {
			x := c.Input("x").Row(n, h)
			y.setRow(turn.rotate(x, r, n), turn.errors(x, nil, r, n), 1, n, h)
		}
	})
	return c.wanted(r.oneTable(y, "y")), nil
}

var layouts = map[string]rope.Layout{
	"interleaved": rope.Interleaved, "half": rope.Half, "interleaved_to_half": rope.InterleavedToHalf,
}

// turned says how pairs stand and which way they turn.
type turned struct {
	layout  string
	inverse bool
}

func (t turned) rotate(x []float64, r rotation, n int) []float64 {
	if t.inverse {
		return rope.Inverse(x, r.cos.RawRowView(n), r.sin.RawRowView(n), layouts[t.layout])
	}
	return rope.Rotate(x, r.cos.RawRowView(n), r.sin.RawRowView(n), layouts[t.layout])
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

// errors returns σ² of a rotated row; before is that of x itself, nil where x is an input.
func (t turned) errors(x, before []float64, r rotation, n int) []float64 {
	variance := make([]float64, len(x))
	for i := range len(x) / 2 {
		read, write := t.pair(i, len(x))
		a, b := x[read[0]], x[read[1]]
		cos, sin, angle := r.cos.At(n, i), r.sin.At(n, i), r.angle.At(n, i)
		if t.inverse {
			sin = -sin
		}
		first, second := a*cos-b*sin, a*sin+b*cos
		table := [2]float64{r.errors.value(r.at[n], cos), r.errors.value(r.at[n], sin)}
		variance[write[0]] = times(angle, second) + times(curved(angle), first) +
			times(table[0], a) + times(table[1], b) + r.crossed(a, cos, b, sin, first)
		variance[write[1]] = times(angle, first) + times(curved(angle), second) +
			times(table[1], a) + times(table[0], b) + r.crossed(a, sin, b, cos, second)
		if before != nil {
			va, vb := before[read[0]], before[read[1]]
			variance[write[0]] += va*cos*cos + vb*sin*sin
			variance[write[1]] += va*sin*sin + vb*cos*cos
		}
	}
	return variance
}

// times returns x²·variance, 0 where there is no error even if x² overflows.
func times(variance, x float64) float64 {
	if variance == 0 {
		return 0
	}
	return variance * x * x
}

// crossed is the second moment of what sum = a·u ± b·v errs by for its roundings, before the last.
func (r rotation) crossed(a, u, b, v, sum float64) float64 {
	variance := r.product(a, u) + r.product(b, v)
	if a*u != 0 && b*v != 0 {
		variance += arithmetic.Rounding(r.work, sum)
	}
	return variance
}

// product is the second moment of what x·u errs by where u is a cosine or sine: the rounding of u,
// if it is kept in a narrow type, and of the product.
func (r rotation) product(x, u float64) float64 {
	if r.kept == r.work {
		return productError(r.work, x, u)
	}
	variance, narrow := x*x*arithmetic.Rounding(r.kept, u), r.kept.Round(u)
	if narrow == u {
		variance = 0
	}
	if r.kept.Round(x) == x {
		return variance + productError(r.kept, x, narrow)
	}
	return variance + arithmetic.Rounding(r.kept, x*narrow)
}
