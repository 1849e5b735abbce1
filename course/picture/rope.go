package picture

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/svg"
	"plumbline/rope"
)

// The dials are of a rotation of width 8, whose pairs turn by 1, 1/10, 1/100 and 1/1000 a token.
const dialDim, dialPositions = 8, 8

var pictureRoPE = picture{
	name: "rope", heading: "RoPE", width: 880, height: 330,
	title: "Pairs that turn with the position, and the score that knows the distance alone",
	about: `
Left, four rows of eight dials: the first pair turns by one radian a token, each further pair ten
times slower. Right, the score of two equal vectors against their distance falls and swings; rings
of the same distances a thousand tokens later lie on the line.
`,
	text: `
Each dial is a pair of elements of a vector, $(1, 0)$ at position 0, turned by $m \theta_i$ at
position $m$: fast pairs tell neighbours apart, slow ones far places. On the right $q = k$ with ones
in every pair of a width of 64: the line is $q$ at position $m$ against $k$ at 0, the rings are both
a thousand tokens later. They agree because $R_m^\top R_n = R_{n-m}$: a score knows the distance
alone.
`,
	drawnBy: []string{"rope.Frequencies", "rope.Table", "rope.Rotate"},
	draw:    drawRoPE,
}

// turned returns a vector of (1, 0) in every pair, at a position.
func turned(dim int, position float64) []float64 {
	x := make([]float64, dim)
	for i := 0; i < dim; i += 2 {
		x[i] = 1
	}
	cos, sin := rope.Table([]float64{position}, rope.Frequencies(dim, yarnBase))
	return rope.Rotate(x, cos.RawRowView(0), sin.RawRowView(0), rope.Interleaved)
}

func drawRoPE(p *svg.Picture) {
	const left, step, radius = 96.0, 42.0, 16.0
	for m := range dialPositions {
		x, hands := left+step*float64(m), turned(dialDim, float64(m))
		p.Text(x, 40, small, fmt.Sprint(m))
		for i := range dialDim / 2 {
			y := 70 + 56*float64(i)
			p.Circle(x, y, radius, svg.BlueTint, svg.Grid)
			p.Line(svg.Stroke{Colour: svg.Blue, Width: 2}, svg.Point{X: x, Y: y},
				svg.Point{X: x + radius*hands[2*i], Y: y - radius*hands[2*i+1]})
		}
	}
	for i, theta := range rope.Frequencies(dialDim, yarnBase) {
		y := 74 + 56*float64(i)
		p.Text(10, y, svg.Style{}, fmt.Sprintf("θ_%d = %g", i, math.Round(theta*1e6)/1e6))
	}
	p.Text(10, 40, svg.Style{Size: 11, Colour: svg.Muted}, "position m")
	p.Text(left+3.5*step, 290, small, "each pair of a vector of width 8, as a hand")
	drawScores(p)
}

// drawScores draws the score of two vectors against their distance, and dots of the same elsewhere.
func drawScores(p *svg.Picture) {
	const later, farthest = 1000, 64
	score := func(m, n float64) float64 {
		return floats.Dot(turned(yarnDim, m), turned(yarnDim, n)) / (yarnDim / 2)
	}
	f := p.Plot(510, 56, 340, 210,
		svg.Axis{Max: farthest, Ticks: []float64{0, 16, 32, 48, 64}, Label: "distance m − n, tokens"},
		svg.Axis{Max: 1, Ticks: []float64{0, 0.25, 0.5, 0.75, 1}, Label: "q · k, as a share of its largest"})
	f.Curve(svg.Stroke{Colour: svg.Blue, Width: 2}, 0, farthest, 4*farthest,
		func(d float64) float64 { return score(d, 0) })
	for d := 0.0; d <= farthest; d += 4 {
		f.Dot(d, score(later+d, later), 3.5, svg.None, svg.Orange)
	}
	f.Text(22, 0.78, 0, 0, svg.Style{Colour: svg.Blue, Bold: true, Filled: true}, "line: k at position 0")
	f.Text(22, 0.7, 0, 0, svg.Style{Colour: svg.Orange, Bold: true, Filled: true}, "rings: k at position 1000")
}
