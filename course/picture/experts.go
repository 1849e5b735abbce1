package picture

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"

	"plumbline/course/page"
	"plumbline/internal/svg"
	"plumbline/moe"
)

var pictureExperts = picture{
	name: "experts", heading: "Experts", width: 880, height: 420,
	title: "From one network to many small experts and a shared one, of one size",
	about: `
Four rows of blocks of the same total width. A dense network is one block, all of it used. Eight
experts, two of them used. Thirty-two experts of a quarter the size, eight used. The same with two
of them shared, which every token uses.
`,
	text: `
Every row has as many parameters as the first, and from the second on as many of them are active:
the width of a block is the inner width of a network, filled blocks are what one token uses. Experts
cut into four can be combined in ten million ways instead of 28, and what every token needs is put
into shared experts instead of being learnt by each expert again: DeepSeekMoE's two steps.
`,
	drawnBy: []string{"moe.TopK"},
	draw:    drawExperts,
}

var expertRows = []struct {
	title           string
	experts, shared int
	topK            int
}{
	{"dense: one network, all of it active", 1, 0, 1},
	{"8 experts, 2 of a token", 8, 0, 2},
	{"32 experts of a quarter of the width, 8 of a token", 32, 0, 8},
	{"2 shared and 30 routed experts, 6 routed of a token", 32, 2, 6},
}

func drawExperts(p *svg.Picture) {
	const left, all = 30.0, 820.0
	random := rand.New(rand.NewPCG(2, 4))
	for n, row := range expertRows {
		y := 34 + 98*float64(n)
		scores := make([]float64, row.experts-row.shared)
		for i := range scores {
			scores[i] = random.Float64()
		}
		chosen := moe.TopK(scores, row.topK)
		ways := new(big.Int).Binomial(int64(len(scores)), int64(row.topK))
		p.Text(left, y-6, svg.Style{Size: 13, Bold: true}, row.title)
		p.Text(left+all, y-6, svg.Style{Anchor: svg.End, Colour: svg.Muted}, combinations(ways))
		wide := all / float64(row.experts)
		for i := range row.experts {
			name, colour := fmt.Sprint(i-row.shared+1), svg.Muted
			switch {
			case i < row.shared:
				name, colour = fmt.Sprint("s", i+1), svg.Orange
			case slices.Contains(chosen, i-row.shared):
				colour = svg.Blue
			}
			drawExpert(p, left+wide*float64(i), y, wide, name, colour)
		}
	}
}

// drawExpert draws one network; one that the token does not use is grey.
func drawExpert(p *svg.Picture, x, y, wide float64, name string, colour svg.Colour) {
	fill, ink := colour, svg.Ground
	if colour == svg.Muted {
		fill, ink = svg.Panel, svg.Muted
	}
	p.Rounded(x+1, y, wide-2, 46, 3, fill, colour)
	p.Text(x+wide/2, y+27, svg.Style{Size: 11, Anchor: svg.Middle, Colour: ink}, name)
}

// combinations says in how many ways a token's experts can be chosen.
func combinations(ways *big.Int) string {
	if ways.Cmp(big.NewInt(1)) == 0 {
		return "no choice"
	}
	return page.Thousands(ways.Int64()) + " combinations"
}
