package picture

import (
	"fmt"

	"plumbline/internal/svg"
	"plumbline/model"
	"plumbline/rope"
)

// DeepSeek-V3's rotation.
const yarnDim, yarnBase = 64, 10000.0

var yarnV3 = *model.DeepSeekV3().Attention.YaRN

var pictureYaRN = picture{
	name: "yarn", heading: "YaRN", width: 880, height: 560,
	title: "YaRN's multipliers, code against paper",
	about: `
Two plots over the 32 pairs of a rotation. Above: turns within the trained context fall from 652 to
less than one. Below: what frequencies are multiplied by falls from 1 to 1/40, in code along a
straight line between pairs 10 and 23, in the paper along a curve that lies far below it.
`,
	text: `
Pairs that turn more than 32 times within the trained 4096 tokens keep their frequency, pairs that
turn less than once are slowed by $s = 40$. Between them the paper's $\gamma$ is linear in the
turns, that of all code (DeepSeek's too) linear in the index of the pair: the end points agree up to
rounding to whole pairs, the middle does not. At pair 16 code keeps nearly three times the
frequency.
`,
	drawnBy: []string{"rope.Frequencies", "rope.Rotations", "rope.CorrectionIndex", "rope.CorrectionRange",
		"rope.YaRNFrequencies"},
	draw: drawYaRN,
}

func drawYaRN(p *svg.Picture) {
	theta := rope.Frequencies(yarnDim, yarnBase)
	low, high := rope.CorrectionRange(yarnDim, yarnBase, yarnV3)
	pairs := svg.Axis{Max: 31, Ticks: []float64{0, 4, 8, 12, 16, 20, 24, 28}}
	turns := svg.Axis{Min: 0.05, Max: 1000, Log: true, Ticks: []float64{0.1, 1, 10, 32, 100, 1000},
		Label: "turns of a pair within 4096 tokens"}
	above := p.Plot(70, 40, 770, 150, pairs, turns)
	pairs.Label = "pair i of d/2 = 32"
	below := p.Plot(70, 246, 770, 250, pairs,
		svg.Axis{Max: 1, Ticks: []float64{0, 0.25, 0.5, 0.75, 1},
			Label: "θ′_i/θ_i, what its frequency is multiplied by"})
	yarnBands(p, above, below, low, high)
	var points []svg.Point
	for i, t := range theta {
		points = append(points, svg.Point{X: float64(i), Y: rope.Rotations(t, yarnV3.OriginalContext)})
	}
	dots(above, svg.Muted, svg.Solid, points)
	code, paper := multipliers(theta, rope.IndexRamp), multipliers(theta, rope.RotationsRamp)
	dots(below, svg.Blue, svg.Solid, code)
	dots(below, svg.Orange, svg.Dashed, paper)
	name := svg.Style{Size: 13, Bold: true, Filled: true}
	name.Colour = svg.Blue
	below.Text(16, code[16].Y, 14, -4, name, fmt.Sprintf("code: linear in i, %.2f at pair 16", code[16].Y))
	name.Colour, name.Anchor = svg.Orange, svg.End
	below.Text(14, paper[14].Y, -12, 10, name, fmt.Sprintf("paper: linear in turns, %.2f at pair 16", paper[16].Y))
}

// multipliers returns by what each pair's frequency is multiplied, under one ramp.
func multipliers(theta []float64, ramp rope.Ramp) (points []svg.Point) {
	y := yarnV3
	y.Ramp = ramp
	for i, stretched := range rope.YaRNFrequencies(yarnDim, yarnBase, y) {
		points = append(points, svg.Point{X: float64(i), Y: stretched / theta[i]})
	}
	return points
}

// yarnBands marks where the ramp begins and ends, as real indices and as code rounds them.
func yarnBands(p *svg.Picture, above, below svg.Plot, low, high float64) {
	for _, end := range []struct {
		turns, index float64
		name         string
	}{{yarnV3.BetaFast, low, "β = 32 turns"}, {yarnV3.BetaSlow, high, "α = 1 turn"}} {
		top, foot := above.At(end.index, above.AxisY.Max), below.At(end.index, 0)
		p.Line(svg.Stroke{Colour: svg.Green, Width: 1, Dash: svg.DashDot}, top, foot)
		exact := rope.CorrectionIndex(end.turns, yarnDim, yarnBase, yarnV3.OriginalContext)
		s := svg.Style{Size: 11, Colour: svg.Green, Filled: true}
		p.Text(top.X+5, top.Y+14, s, fmt.Sprintf("%s: i = %.2f → %g", end.name, exact, end.index))
	}
}

// dots joins points, each of them a dot.
func dots(f svg.Plot, colour svg.Colour, dash string, points []svg.Point) {
	f.Line(svg.Stroke{Colour: colour, Width: 2, Dash: dash}, points...)
	for _, at := range points {
		f.Dot(at.X, at.Y, 2.5, colour, svg.None)
	}
}
