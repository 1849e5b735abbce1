package picture

import (
	"fmt"
	"math"

	"plumbline/grpo"
	"plumbline/internal/svg"
	"plumbline/ppo"
)

// The bounds of all four, DAPO's and Klear-Reasoner's; PPO's own paper has 0.2 on both sides.
const clipLow, clipHigh, clipDual, clipMost = 0.2, 0.28, 3, 3.6

var pictureClips = picture{
	name: "clips", heading: "Clips", width: 880, height: 492,
	title: "How hard a token is pushed, by its ratio",
	about: `
Eight small plots: the push on the log-probability of a token against the ratio, for PPO's clip,
dual clip, CISPO and GPPO, with a positive advantage above and a negative one below. PPO's falls to
zero outside the clip where the advantage asks to go further; CISPO's and GPPO's never do.
`,
	text: `
A token's loss pushes its $\log \pi$ by $-\partial L/\partial \log \pi$, drawn against the ratio
$r = \pi/\pi_{\text{old}}$ with $\varepsilon_l = 0.2$ and $\varepsilon_h = 0.28$ (the band); the
dotted line is $rA$, no clip at all. PPO drops the tokens that have moved far enough in the wanted
direction, the dual clip also those far on the other side, where $rA$ has no bound. CISPO clips the
weight and GPPO the value alone: every token goes on teaching.
`,
	drawnBy: []string{"ppo.Clip", "ppo.DualClip", "grpo.CISPO", "grpo.GPPO"},
	draw:    drawClips,
}

// clipMethods are the columns: each returns the derivative of the loss for log π.
var clipMethods = []struct {
	name   string
	colour svg.Colour
	slope  func(r, advantage float64) float64
}{
	{"PPO clip", svg.Blue, func(r, advantage float64) float64 {
		_, d := ppo.Clip(r, advantage, clipLow, clipHigh)
		return d
	}},
	{"dual clip, c = 3", svg.Orange, func(r, advantage float64) float64 {
		_, d := ppo.DualClip(r, advantage, clipLow, clipHigh, clipDual)
		return d
	}},
	{"CISPO", svg.Green, func(r, advantage float64) float64 {
		_, d := grpo.CISPO(r, 0, advantage, clipLow, clipHigh)
		return d
	}},
	{"GPPO", svg.Purple, func(r, advantage float64) float64 {
		_, d := grpo.GPPO(r, advantage, clipLow, clipHigh)
		return d
	}},
}

func drawClips(p *svg.Picture) {
	const left, step, wide = 62, 208, 176
	for i, m := range clipMethods {
		x := float64(left + i*step)
		p.Text(x+wide/2, 26, svg.Style{Size: 14, Anchor: svg.Middle, Bold: true, Colour: m.colour}, m.name)
		push := func(advantage float64) func(r float64) float64 {
			return func(r float64) float64 { return 0 - m.slope(r, advantage) }
		}
		up := svg.Axis{Min: 0, Max: 2, Ticks: []float64{0, 1, 2}}
		down := svg.Axis{Min: -clipMost, Max: 0, Ticks: []float64{-3, -2, -1, 0}}
		if i == 0 {
			up.Label, down.Label = "A = +1: pushed up by", "A = −1: pushed down by"
		}
		clipPlot(p, x, 66, wide, 110, up, m.colour, push(1))
		clipPlot(p, x, 234, wide, 198, down, m.colour, push(-1))
		p.Text(x+67, 425, svg.Style{Size: 11, Colour: m.colour}, fmt.Sprintf("clip: %g … %g", 1-clipLow, 1+clipHigh))
		p.Text(x+wide/2, 468, svg.Style{Anchor: svg.Middle, Colour: svg.Muted}, "ratio r = π/π_{old}")
	}
}

// clipPlot draws the push of one method for one sign of the advantage.
func clipPlot(p *svg.Picture, x, y, w, h float64, ay svg.Axis, colour svg.Colour, push func(r float64) float64) {
	f := p.Plot(x, y, w, h, svg.Axis{Max: clipMost, Ticks: []float64{0, 1, 2, 3}}, ay)
	from, to := f.At(1-clipLow, ay.Max), f.At(1+clipHigh, ay.Min)
	p.Rect(from.X, from.Y, to.X-from.X, to.Y-from.Y, colour.Tint(), svg.None)
	end := clipMost
	if ay.Max > 0 {
		end = ay.Max
	}
	sign := 1.0
	if ay.Min < 0 {
		sign = -1
	}
	f.Line(svg.Stroke{Colour: svg.Muted, Width: 1, Dash: svg.Dotted}, svg.Point{}, svg.Point{X: end, Y: sign * end})
	bounds := []float64{0, 1 - clipLow, 1 + clipHigh, clipDual, clipMost}
	for i := 1; i < len(bounds); i++ {
		clipPiece(f, colour, bounds[i-1], bounds[i], push)
	}
}

// clipPiece draws the push between two bounds, where it is a straight line, and dots where it jumps
// at the second.
func clipPiece(f svg.Plot, colour svg.Colour, from, to float64, push func(r float64) float64) {
	const beside = 1e-9
	f.Line(svg.Stroke{Colour: colour, Width: 2.5},
		svg.Point{X: from, Y: push(from + beside)}, svg.Point{X: to, Y: push(to - beside)})
	if before, after := push(to-beside), push(to+beside); math.Abs(before-after) > 0.1 {
		f.Line(svg.Stroke{Colour: colour, Width: 1, Dash: svg.Dotted},
			svg.Point{X: to, Y: before}, svg.Point{X: to, Y: after})
	}
}
