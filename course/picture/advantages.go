package picture

import (
	"fmt"

	"plumbline/grpo"
	"plumbline/internal/svg"
	"plumbline/ppo"
)

// groupSize is how many answers a question has in the drawing, tokensBefore how many tokens are
// drawn before a reward.
const groupSize, tokensBefore = 8, 32

var pictureAdvantages = picture{
	name: "advantages", heading: "Advantages", width: 880, height: 372,
	title: "How an advantage is made: GAE over tokens, a mean over answers",
	about: `
Two plots. Left, the advantage that a reward of 1 at the end gives to tokens before it, for four
values of λ: all of it for λ = 1, that of the last token alone for λ = 0. Right, advantages of right
and wrong answers against how many of eight are right, with and without division by the standard
deviation.
`,
	text: `
Left, PPO: a reward of 1 behind the last token and values of 0 everywhere, so that what is drawn is
how far back the reward reaches: $(\gamma\lambda)^l$ with $\gamma = 1$. Right, GRPO: of eight
answers some are right and have reward 1. The rarer a right answer, the more it counts: divided by
the standard deviation up to √7, without (Dr. GRPO) never as much as 1. Where all are right or all
are wrong there is nothing to learn, and DAPO leaves such questions out.
`,
	drawnBy: []string{"ppo.GAE", "grpo.Normalize", "grpo.Centered"},
	draw:    drawAdvantages,
}

var lambdas = []struct {
	lambda float64
	colour svg.Colour
	dash   string
}{
	{1, svg.Purple, svg.Solid}, {0.95, svg.Blue, svg.Solid}, {0.8, svg.Green, svg.DashDot},
	{0, svg.Orange, svg.Dotted},
}

func drawAdvantages(p *svg.Picture) {
	back := p.Plot(60, 50, 320, 258, svg.Axis{Min: tokensBefore, Max: 0, Ticks: []float64{32, 24, 16, 8, 0},
		Label: "tokens before the last"},
		svg.Axis{Max: 1.05, Ticks: []float64{0, 0.25, 0.5, 0.75, 1},
			Label: "PPO: advantage from a reward of 1 at the end"})
	for i, l := range lambdas {
		rewards := make([]float64, tokensBefore+1)
		rewards[tokensBefore] = 1
		advantage, _ := ppo.GAE(rewards, make([]float64, len(rewards)), nil, 0, 1, l.lambda)
		var points []svg.Point
		for t, a := range advantage {
			points = append(points, svg.Point{X: float64(tokensBefore - t), Y: a})
		}
		back.Line(svg.Stroke{Colour: l.colour, Width: 2.5, Dash: l.dash}, points...)
		at := []float64{26, 22, 15, 8}[i]
		dy := []float64{16, -12, -10, -8}[i]
		back.Text(at, advantage[tokensBefore-int(at)], 0, dy,
			svg.Style{Bold: true, Colour: l.colour, Anchor: svg.Middle}, fmt.Sprintf("λ = %g", l.lambda))
	}
	drawGroups(p)
}

// rightAnswers returns the rewards of a group of which the first n are right.
func rightAnswers(n int) []float64 {
	rewards := make([]float64, groupSize)
	for i := range n {
		rewards[i] = 1
	}
	return rewards
}

// drawGroups draws the advantages of the answers to one question, by how many are right.
func drawGroups(p *svg.Picture) {
	f := p.Plot(480, 50, 340, 258, svg.Axis{Min: 0, Max: groupSize, Ticks: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8},
		Label: "right answers of eight"},
		svg.Axis{Min: -3, Max: 3, Ticks: []float64{-3, -2, -1, 0, 1, 2, 3}, Label: "GRPO: advantage of an answer"})
	for _, way := range []struct {
		colour    svg.Colour
		dash      string
		advantage func(rewards []float64) []float64
	}{
		{svg.Blue, svg.Solid, func(r []float64) []float64 { return grpo.Normalize(r, grpo.Population, 0) }},
		{svg.Orange, svg.Dashed, grpo.Centered},
	} {
		var right, wrong []svg.Point
		for n := 1; n < groupSize; n++ {
			a := way.advantage(rightAnswers(n))
			right = append(right, svg.Point{X: float64(n), Y: a[0]})
			wrong = append(wrong, svg.Point{X: float64(n), Y: a[groupSize-1]})
		}
		dots(f, way.colour, way.dash, right)
		dots(f, way.colour, way.dash, wrong)
	}
	name := svg.Style{Bold: true, Colour: svg.Blue}
	f.Text(1.5, 2.4, 4, 0, name, "right answers: (r − mean)/std")
	f.Text(1.3, -2.4, 0, 0, name, "wrong answers: (r − mean)/std")
	name.Colour = svg.Orange
	f.Text(1.2, 0.25, 0, 0, name, "r − mean")
}
