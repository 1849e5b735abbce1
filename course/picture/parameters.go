package picture

import (
	"cmp"
	"fmt"
	"slices"

	"plumbline/course/page"
	"plumbline/internal/svg"
	"plumbline/model"
)

var pictureParameters = picture{
	name: "parameters", heading: "Parameters", width: 880, height: 470,
	title: "The parameters of DeepSeek-V3 as areas",
	about: `
Left a square of all 671 billion parameters, nearly all of it routed experts; a narrow strip is what
one token uses of them, another strip is everything else. Right, enlarged, the 37.6 billion that one
token uses: routed experts, attention, shared experts, embedding and head, dense networks.
`,
	text: `
Areas are numbers of parameters. Of 671 billion, 97 % are routed experts, of which a token uses 8 of
256; the strips on the right edge of the square are these, and all that is not a routed expert. Both
strips together, enlarged on the right, are the active parameters of one token, embedding and head
counted in full. Counts come from the shapes of the weights.
`,
	drawnBy: []string{"model.Sizes.Parameters", "model.Sizes.Active"},
	draw:    drawParameters,
}

// share is how many parameters there are of a kind, and how many of them a token uses.
type share struct {
	name          string
	colour        svg.Colour
	total, active int64
}

// shareNames are the kinds, by the names that the tree of parameters has for its nodes.
var shareNames = map[string]string{
	"routed expert": "routed experts", "shared expert": "shared experts", "attention": "attention",
	"network": "dense FFN", "embedding": "embedding, head", "head": "embedding, head",
}

var shareColours = map[string]svg.Colour{
	"routed experts": svg.Blue, "shared experts": svg.Orange, "attention": svg.Green,
	"embedding, head": svg.Muted, "dense FFN": svg.Purple,
}

// shares returns the kinds of parameters of a model, most used first; what is none of them is gates
// and norms.
func shares(tree model.Part) (kinds []share) {
	byName := map[string]share{}
	collect(tree, 1, byName)
	for _, s := range byName {
		kinds = append(kinds, s)
	}
	slices.SortFunc(kinds, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.active, a.active), cmp.Compare(a.name, b.name))
	})
	return kinds
}

// collect adds up the parts of a node that stands so many times in the model.
func collect(p model.Part, times int64, byName map[string]share) {
	name, known := shareNames[p.Name]
	if !known && len(p.Parts) > 0 {
		for _, part := range p.Parts {
			collect(part, times*int64(p.Times), byName)
		}
		return
	}
	if !known {
		name = "gates and norms"
	}
	s := byName[name]
	s.name, s.colour = name, shareColours[name]
	s.total, s.active = s.total+times*p.Elements, s.active+times*p.Active
	byName[name] = s
}

func drawParameters(p *svg.Picture) {
	const top, side, right, wide = 44.0, 390.0, 460.0, 400.0
	v3 := model.DeepSeekV3()
	tree := v3.Sizes().Parameters()
	kinds := shares(tree)
	routed := kinds[slices.IndexFunc(kinds, func(s share) bool { return s.name == "routed experts" })]
	p.Text(20, 26, svg.Style{Size: 14, Bold: true}, "all: "+page.Thousands(tree.Elements))
	p.Text(right, 26, svg.Style{Size: 14, Bold: true}, "of one token: "+page.Thousands(tree.Active))
	idle := side * float64(routed.total-routed.active) / float64(tree.Elements)
	used := side * float64(routed.active) / float64(tree.Elements)
	p.Rect(20, top, idle, side, svg.BlueTint, svg.None)
	p.Rect(20+idle, top, used, side, svg.Blue, svg.None)
	p.Rect(20+idle+used, top, side-idle-used, side, svg.Orange, svg.None)
	p.Text(20+idle/2, top+side/2-6, svg.Style{Size: 14, Anchor: svg.Middle}, "routed experts that a token does not use")
	p.Text(20+idle/2, top+side/2+14, small, billions(routed.total-routed.active))
	p.Text(20, top+side+20, svg.Style{Size: 11, Colour: svg.Muted},
		fmt.Sprintf("blue strip: the %d of %d used, %s; orange: all else, %s", v3.Gate.TopK, v3.Experts,
			billions(routed.active), billions(tree.Elements-routed.total)))
	for _, y := range []float64{top, top + side} {
		p.Line(svg.Stroke{Colour: svg.Muted, Width: 1, Dash: svg.Dotted}, svg.Point{X: 20 + side, Y: y},
			svg.Point{X: right, Y: y})
	}
	drawShares(p, svg.Cell{X: right, Y: top, Width: wide, Height: side}, kinds, float64(tree.Active))
}

// drawShares draws what a token uses: the two largest kinds across, the others side by side below.
func drawShares(p *svg.Picture, area svg.Cell, kinds []share, all float64) {
	y := area.Y
	for _, s := range kinds[:2] {
		high := area.Height * float64(s.active) / all
		drawShare(p, svg.Cell{X: area.X, Y: y, Width: area.Width, Height: high}, s)
		y += high
	}
	rest := 0.0
	for _, s := range kinds[2:] {
		rest += float64(s.active)
	}
	x := area.X
	for _, s := range kinds[2:] {
		wide := area.Width * float64(s.active) / rest
		drawShare(p, svg.Cell{X: x, Y: y, Width: wide, Height: area.Y + area.Height - y}, s)
		x += wide
	}
}

// drawShare draws one kind of parameters, with its name where there is room.
func drawShare(p *svg.Picture, c svg.Cell, s share) {
	p.Rect(c.X+1, c.Y+1, max(c.Width-2, 0.5), max(c.Height-2, 0.5), s.colour.Tint(), s.colour)
	name := svg.Style{Size: 13, Anchor: svg.Middle, Bold: true}
	for name.Size > 10 && svg.Wide(s.name, name.Size, true) > c.Width-6 {
		name.Size--
	}
	if svg.Wide(s.name, name.Size, true) > c.Width-4 {
		return
	}
	p.Text(c.X+c.Width/2, c.Y+c.Height/2-3, name, s.name)
	p.Text(c.X+c.Width/2, c.Y+c.Height/2+13, small, billions(s.active))
}

func billions(n int64) string { return fmt.Sprintf("%.2f billion", float64(n)/1e9) }
