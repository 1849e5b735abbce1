package picture

import (
	"fmt"

	"plumbline/internal/svg"
	"plumbline/mtp"
)

// deepest is the longest draft drawn.
const deepest = 8

var pictureAcceptance = picture{
	name: "acceptance", heading: "Acceptance", width: 880, height: 372,
	title: "What a longer draft is worth",
	about: `
Two plots against the number of drafted tokens, for five rates of acceptance. Left: the chance that
all of them are kept falls geometrically. Right: tokens a step rise and flatten, at 1 + α for one
drafted token.
`,
	text: `
Each drafted token is kept with probability $\alpha$ as long as all before it were. The chance that
a draft is kept to depth $\gamma$ is $\alpha^\gamma$, and what a step yields is the sum of these.
DeepSeek-V3 drafts one token and reports 85 to 90 %: the ring, 1.85 to 1.9 tokens a step. That the
rate is the same at every depth is an assumption of the formula.
`,
	drawnBy: []string{"mtp.ExpectedTokens"},
	draw:    drawAcceptance,
}

var rates = []struct {
	alpha  float64
	colour svg.Colour
	dash   string
}{
	{0.95, svg.Purple, svg.Solid}, {0.9, svg.Blue, svg.Dashed}, {0.85, svg.Blue, svg.Solid},
	{0.7, svg.Green, svg.DashDot}, {0.5, svg.Orange, svg.Dotted},
}

func drawAcceptance(p *svg.Picture) {
	depth := svg.Axis{Min: 0, Max: deepest, Ticks: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}, Label: "drafted tokens γ"}
	kept := p.Plot(60, 50, 340, 258, depth,
		svg.Axis{Max: 1, Ticks: []float64{0, 0.25, 0.5, 0.75, 1}, Label: "chance that the whole draft is kept"})
	yields := p.Plot(490, 50, 320, 258, depth,
		svg.Axis{Min: 1, Max: 8, Ticks: []float64{1, 2, 3, 4, 5, 6, 7, 8}, Label: "tokens a step"})
	for _, r := range rates {
		var chances, tokens []svg.Point
		for gamma := range deepest + 1 {
			x, expected := float64(gamma), mtp.ExpectedTokens(r.alpha, gamma)
			before := 0.0
			if gamma > 0 {
				before = mtp.ExpectedTokens(r.alpha, gamma-1)
			}
			tokens = append(tokens, svg.Point{X: x, Y: expected})
			chances = append(chances, svg.Point{X: x, Y: expected - before})
		}
		dots(kept, r.colour, r.dash, chances)
		dots(yields, r.colour, r.dash, tokens)
		name := svg.Style{Size: 12, Colour: r.colour, Bold: true}
		kept.Text(deepest, chances[deepest].Y, 6, 4, name, fmt.Sprintf("%g", r.alpha))
		yields.Text(deepest, tokens[deepest].Y, 6, 4, name, fmt.Sprintf("α = %g", r.alpha))
	}
	yields.Dot(1, mtp.ExpectedTokens(0.875, 1), 8, svg.None, svg.Ink)
	yields.Line(svg.Stroke{Colour: svg.Ink, Width: 1}, svg.Point{X: 1, Y: 2.15}, svg.Point{X: 1, Y: 4.5})
	yields.Text(0.3, 4.7, 0, 0, svg.Style{}, "DeepSeek-V3: γ = 1")
}
