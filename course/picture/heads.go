package picture

import (
	"fmt"

	"plumbline/attention"
	"plumbline/course/page"
	"plumbline/internal/svg"
	"plumbline/model"
)

// schematicHeads stands for all heads of a layer in the drawing.
const schematicHeads = 8

var pictureHeads = picture{
	name: "heads", heading: "Heads", width: 880, height: 330,
	title: "Which query heads share which keys and values",
	about: `
Four columns. In multi-head attention eight query heads have eight key and value heads; in
grouped-query attention they share two, in multi-query attention one. In latent attention each has
keys and values of its own again, all made from one latent, which alone is cached.
`,
	text: `
Eight query heads (blue) stand for all of a layer; what is cached is orange. Sharing keys and values
makes the cache smaller and the heads more alike. MLA caches one latent and a rotary key for all
heads, as much as GQA with 2.25 groups, and makes keys and values of each head from the latent
(green, never stored): no head is like another. The counts are of DeepSeek-V3's heads, 128 of width
128.
`,
	drawnBy: []string{"attention.Group", "model.DeepSeekV3"},
	shows:   []string{"attention.MHA", "attention.GQA", "attention.MQA", "mla.Layer"},
	draw:    drawHeads,
}

func drawHeads(p *svg.Picture) {
	c := model.DeepSeekV3()
	dh, all := c.Attention.NopeDim, c.Attention.Heads
	for i, kind := range []struct {
		name   string
		groups int
		cached string
	}{
		{"MHA", schematicHeads, fmt.Sprintf("2 n_h d_h = %s", page.Thousands(2*all*dh))},
		{"GQA", 2, fmt.Sprintf("2 n_g d_h = %s for n_g = 8", page.Thousands(2*8*dh))},
		{"MQA", 1, fmt.Sprintf("2 d_h = %s", page.Thousands(2*dh))},
		{"MLA", schematicHeads, fmt.Sprintf("d_c + d_h^R = %s", page.Thousands(c.Latent+c.Attention.RopeDim))},
	} {
		x := 30 + float64(i)*215
		p.Text(x+90, 30, svg.Style{Size: 15, Bold: true, Anchor: svg.Middle}, kind.name)
		p.Text(x+90, 296, svg.Style{Anchor: svg.Middle, Colour: svg.Orange, Bold: true}, kind.cached)
		p.Text(x+90, 312, small, "numbers cached a token and layer")
		colour := svg.Orange
		if kind.name == "MLA" {
			colour = svg.Green
			drawLatent(p, x)
		}
		drawSharing(p, x, kind.groups, colour)
	}
}

// small is how what explains is written.
var small = svg.Style{Size: 11, Anchor: svg.Middle, Colour: svg.Muted}

// drawSharing draws the query heads, the heads of keys and values, and who uses which.
func drawSharing(p *svg.Picture, x float64, groups int, colour svg.Colour) {
	const wide, step = 15.0, 23.0
	middle := func(g int) float64 { // of a key and value head: below the heads of its group
		return x + step*schematicHeads/float64(groups)*(float64(g)+0.5) - (step-wide)/2
	}
	for h := range schematicHeads {
		at := x + step*float64(h) + wide/2
		p.Line(svg.Stroke{Colour: svg.Muted, Width: 1}, svg.Point{X: at, Y: 80},
			svg.Point{X: middle(attention.Group(h, schematicHeads, groups)), Y: 130})
		p.Rounded(at-wide/2, 56, wide, 24, 3, svg.Blue.Tint(), svg.Blue)
	}
	for g := range groups {
		for i, name := range []string{"k", "v"} {
			y := 130 + 27*float64(i)
			p.Rounded(middle(g)-wide/2, y, wide, 24, 3, colour.Tint(), colour)
			p.Text(middle(g), y+16, svg.Style{Size: 11, Anchor: svg.Middle}, name)
		}
	}
	p.Text(x+90, 50, small, "query heads")
}

// drawLatent draws what latent attention caches, and that all heads' keys and values come from it.
func drawLatent(p *svg.Picture, x float64) {
	for h := range schematicHeads {
		p.Line(svg.Stroke{Colour: svg.Green, Width: 1, Dash: svg.Dotted},
			svg.Point{X: x + 23*float64(h) + 7.5, Y: 181}, svg.Point{X: x + 70, Y: 222})
	}
	p.Rounded(x+20, 222, 100, 26, 3, svg.OrangeTint, svg.Orange)
	p.Text(x+70, 239, svg.Style{Anchor: svg.Middle}, "latent c^{KV}")
	p.Rounded(x+126, 222, 40, 26, 3, svg.OrangeTint, svg.Orange)
	p.Text(x+146, 239, svg.Style{Anchor: svg.Middle}, "k^R")
}
