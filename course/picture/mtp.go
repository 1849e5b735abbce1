package picture

import (
	"fmt"

	"plumbline/internal/svg"
)

var pictureMTP = picture{
	name: "mtp", heading: "MTP", width: 880, height: 520,
	title: "Data flow of the main model and of its module of depth 1",
	about: `
Two columns, read upwards. The main model embeds tokens 1 to 5, runs its blocks and predicts tokens
2 to 6. The module takes the main model's first four representations and the embeddings of tokens 2
to 5, joins them, runs one block and predicts tokens 3 to 6.
`,
	text: `
A text of six tokens, $T = 5$ of them given, read upwards. The module is given what the main model
thinks at position $i$ and the token that in truth came next, $t_{i+1}$, and has to say the one
after it: one more block, and a chain that stays causal. Embedding and head are the main model's own
(dotted); $M$, three norms and the block are the module's. The paper puts $h$ before the embedding,
released weights the embedding first. When text is written, the module's prediction is the draft
that the main model verifies in its next step.
`,
	drawnBy: []string{"model.DeepSeekV3"},
	shows:   []string{"mtp.Combine", "mtp.Depths.Forward", "mtp.Loss"},
	draw:    drawMTP,
}

var predictionNodes = []svg.Node{
	svg.Box("emb", 40, 396, 300, 34, svg.Muted, "Emb [{V} × {d}]"),
	svg.Box("trm", 40, 226, 300, 70, svg.Blue, "*main model", "{l} blocks", "~[T × {d}]"),
	svg.Box("head", 40, 110, 300, 34, svg.Muted, "norm, OutHead [{V} × {d}]"),
	svg.Box("emb1", 660, 396, 200, 34, svg.Muted, "Emb, shared"),
	svg.Box("nh", 470, 336, 170, 34, svg.Green, "RMSNorm [{d}]"),
	svg.Box("ne", 660, 336, 200, 34, svg.Green, "RMSNorm [{d}]"),
	svg.Box("m", 470, 270, 390, 38, svg.Green, "M_1 [h; Emb],  M_1 [{d} × {2d}]"),
	svg.Box("trm1", 470, 196, 390, 46, svg.Green, "*one block of the same kind", "~[T − 1 × {d}]"),
	svg.Box("head1", 470, 110, 390, 34, svg.Muted, "norm, OutHead, shared"),
}

var predictionEdges = []svg.Edge{
	{From: "emb.t", To: "trm.b", Label: "[T × {d}]"},
	{From: "trm.t", To: "head.b", Label: "<h^0"},
	{From: "trm.r", To: "nh.l", Label: "<h^0_{1…4}", Colour: svg.Blue},
	{From: "emb1.t", To: "ne.b"},
	{From: "nh.t", To: "m.b=", Colour: svg.Green},
	{From: "ne.t", To: "m.b=", Colour: svg.Green},
	{From: "m.t", To: "trm1.b", Label: "h′^1", Colour: svg.Green},
	{From: "trm1.t", To: "head1.b", Label: "h^1", Colour: svg.Green},
	{From: "emb.r", To: "emb1.l", Label: "the same matrix", Dash: svg.Dotted},
	{From: "head.r", To: "head1.l", Label: "the same", Dash: svg.Dotted},
}

func drawMTP(p *svg.Picture) {
	p.Diagram(predictionNodes, predictionEdges, shapes())
	for _, column := range []struct {
		x, wide, tokensX, tokensWide float64
		first                        int
		loss                         string
		colour                       svg.Colour
	}{{40, 300, 40, 300, 1, "L_{main}: the next token", svg.Blue}, {470, 390, 660, 200, 2,
		"L^1_{MTP}: the token after it", svg.Green}} {
		tokenRow(p, column.tokensX, 456, column.tokensWide, column.first, 5, svg.Muted)
		tokenRow(p, column.x, 46, column.wide, column.first+1, 6, column.colour)
		p.Text(column.x, 34, svg.Style{Size: 13, Bold: true, Colour: column.colour}, column.loss)
		at := column.tokensX + column.tokensWide/2
		p.Arrow(svg.Stroke{Colour: svg.Muted}, svg.Point{X: at, Y: 456}, svg.Point{X: at, Y: 430})
		at = column.x + column.wide/2
		p.Arrow(svg.Stroke{Colour: column.colour}, svg.Point{X: at, Y: 110}, svg.Point{X: at, Y: 80})
	}
	p.Text(40, 506, svg.Style{Colour: svg.Muted}, "tokens that are given")
}

// tokenRow draws tokens in a row.
func tokenRow(p *svg.Picture, x, y, wide float64, first, last int, colour svg.Colour) {
	each := wide / float64(last-first+1)
	for i := range last - first + 1 {
		p.Rounded(x+each*float64(i)+2, y, each-4, 32, 4, colour.Tint(), colour)
		p.Text(x+each*(float64(i)+0.5), y+20, svg.Style{Size: 13, Anchor: svg.Middle}, fmt.Sprint("t_", first+i))
	}
}
