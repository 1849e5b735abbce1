package hand

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/norm"
	"plumbline/rope"
	"plumbline/verify/op"
	"plumbline/verify/op/position"
	"plumbline/verify/op/step"
)

func positionWalks() []walk {
	return []walk{
		{"norm.rms", normSheet, walkNorm, nil},
		{"rope.apply", rotationSheet, walkRotation, nil},
		{"rope.table", tableSheet, walkTable, nil},
	}
}

func normSheet() *Sheet {
	rec := chosen("norm.rms", map[string]any{"eps": 0}).put("x", []int{1, 2}, 1, 7).put("weight", nil, 5, 10)
	return work("RMSNorm of one row", "1² + 7² = 2 · 5², so the root mean square is 5; ε is 0 here.", rec.Recording,
		walkNorm)
}

// walkNorm works the first row.
func walkNorm(s *Sheet, c *op.Case) {
	x, weight, eps := c.Rows("x", 0, 1).Row(0), c.Input("weight").Row(), c.Float("eps")
	s.given("A row, the learned weight and ε.", row("x", x), row("w", weight), number("ε", eps))
	s.out("y", 0, s.norm("x", "y", x, weight, eps)...)
}

// norm adds the two steps of RMSNorm.
func (s *Sheet) norm(from, to string, x, weight []float64, eps float64) []float64 {
	square := 0.0
	for _, v := range x {
		square += float64(v * v)
	}
	mean := square / float64(len(x))
	s.step("The mean of the squares, and the root of it with ε.", "", "rms = √(mean("+from+"²) + ε)",
		number("mean("+from+"²)", mean), number("rms", math.Sqrt(mean+eps)))
	y := norm.RMS(x, weight, eps)
	s.step("Each element is divided by it and multiplied by its weight.", "norm.RMS",
		to+"_i = w_i "+from+"_i / rms", row(to, y))
	return y
}

// turned is what a rotation is of: rows at their positions, and the angle of each pair per token.
type turned struct {
	x         *mat.Dense
	positions []float64
	theta     []float64
	amplitude float64
	turn      func(x, cos, sin []float64) []float64
	function  string
}

func rotationSheet() *Sheet {
	s := newSheet("rope.apply", "RoPE at θ = π/2", "One pair, a quarter of a turn for each position: four positions "+
		"bring it back. (Frequencies are base^(−2i/d) in a model, and 1 for its first pair.)")
	s.turn(turned{
		x:         dense([]float64{3, 1}, []float64{3, 1}, []float64{3, 1}, []float64{3, 1}),
		positions: []float64{0, 1, 2, 3}, theta: []float64{math.Pi / 2}, amplitude: 1, function: "rope.Rotate",
		turn: func(x, cos, sin []float64) []float64 { return rope.Rotate(x, cos, sin, rope.Interleaved) },
	})
	return s
}

// walkRotation works the first token's first head.
func walkRotation(s *Sheet, c *op.Case) {
	theta, amplitude := position.Frequencies(c, c.Dim("D"))
	t := turned{
		x: mat.NewDense(1, c.Dim("D"), c.Input("x").Row(0, 0)), positions: c.Input("positions").Data[:1],
		theta: theta, amplitude: amplitude, turn: step.TurnOf(c).Rotate, function: "rope.Rotate",
	}
	if c.Flag("inverse") {
		t.function = "rope.Inverse"
	}
	s.out("y", 0, s.turn(t).RawRowView(0)...)
}

// turn adds the steps of a rotation, and returns the rows turned.
func (s *Sheet) turn(t turned) *mat.Dense {
	s.given("Rows, the positions at which they stand, and the angle of each pair per position.",
		matrix("x", t.x), row("m", t.positions), row("θ", t.theta))
	cos, sin := s.table(t.positions, t.theta, t.amplitude)
	y := mat.DenseCopyOf(t.x)
	for i := range t.positions {
		y.SetRow(i, t.turn(t.x.RawRowView(i), cos.RawRowView(i), sin.RawRowView(i)))
	}
	says, formula := "Each pair is turned", "y₀ = x₀ cos − x₁ sin\ny₁ = x₀ sin + x₁ cos"
	if t.function == "rope.Inverse" {
		says, formula = "Each pair is turned back", "y₀ = x₀ cos + x₁ sin\ny₁ = −x₀ sin + x₁ cos"
	}
	s.step(says+" by its angle: x₀ and x₁ are its two elements.", t.function, formula, matrix("y", y))
	return y
}

// table adds the steps from positions to cosines and sines.
func (s *Sheet) table(positions, theta []float64, amplitude float64) (cos, sin *mat.Dense) {
	angles := mat.NewDense(len(positions), len(theta), nil)
	angles.Outer(1, mat.NewVecDense(len(positions), positions), mat.NewVecDense(len(theta), theta))
	cos, sin = rope.Table(positions, theta)
	says, formula := "Angles, with their cosines and sines.", "φ_mi = m θ_i"
	values := []Value{matrix("φ", angles)}
	if amplitude != 1 {
		cos.Scale(amplitude, cos)
		sin.Scale(amplitude, sin)
		says += " YaRN's amplitude multiplies both."
		values = append(values, number("amplitude", amplitude))
	}
	s.step(says, "rope.Table", formula, append(values, matrix("cos", cos), matrix("sin", sin))...)
	return cos, sin
}

func tableSheet() *Sheet {
	rec := chosen("rope.table", map[string]any{"dim": 4, "base": 10000}).put("positions", nil, 0, 1, 100)
	return work("Cosines and sines of two pairs", "The second pair turns a hundred times slower than the first: at "+
		"position 100 it is where the first was at 1.", rec.Recording, walkTable)
}

// walkTable works the first position.
func walkTable(s *Sheet, c *op.Case) {
	n, dim := s.rows(c.Dim("N")), c.Int("dim")
	theta, amplitude := position.Frequencies(c, dim)
	positions := c.Input("positions").Data[:n]
	function := "rope.Frequencies"
	if c.YaRN() != nil {
		function = "rope.YaRNFrequencies"
	}
	s.step("Each pair has a frequency.", function, "θ_i = base^(−2i/d)", number("base", c.Float("base")),
		number("d", float64(dim)), row("θ", theta))
	cos, sin := s.table(positions, theta, amplitude)
	for i := range n {
		s.out("cos", i*len(theta), cos.RawRowView(i)...)
		s.out("sin", i*len(theta), sin.RawRowView(i)...)
	}
}
