package picture

import (
	"slices"
	"strconv"

	"plumbline/internal/svg"
	"plumbline/model"
)

var pictureMLA = picture{
	name: "mla", heading: "MLA", width: 930, height: 690,
	title: "Data flow of multi-head latent attention, naive and absorbed",
	about: `
Two diagrams, read upwards from a token to the layer's output. On the left keys and values of 128
heads are made from the cached latent. On the right nothing is made from it: the query goes through
W^UK instead, attention runs over the cached rows of 576, and W^UV stands behind the sum.
`,
	text: `
One token of DeepSeek-V3, read upwards; in brackets the shapes, heads first. Orange is all that is
cached: 576 numbers a token. On the left every head has keys and values made from it: multi-head
attention of widths 192 and 128. On the right $W^{UK}$ has gone to the query and $W^{UV}$ behind the
sum: multi-query attention of widths 576 and 512, the same numbers, no key or value of a head ever
made. The rotary parts stand beside because a rotation between $W^{UQ}$ and $W^{UK}$ would depend on
the distance, and could not be absorbed.
`,
	drawnBy: []string{"model.DeepSeekV3"},
	shows:   []string{"mla.Layer", "mla.LayerAbsorbed", "mla.AbsorbQuery", "mla.AbsorbOutput"},
	draw:    drawMLA,
}

// latentCommon are the boxes that both forms have.
var latentCommon = []svg.Node{
	svg.Box("h", 28, 630, 402, 42, svg.Muted, "*h_t", "~[{d}]"),
	svg.Box("cQ", 28, 532, 110, 42, svg.Blue, "*c^Q", "~[{dq}]"),
	svg.Box("cKV", 214, 532, 110, 42, svg.Orange, "*c^{KV}", "~[{dc}], cached"),
	svg.Box("kR", 350, 532, 80, 42, svg.Orange, "*k^R", "~[{dr}], cached"),
	svg.Box("qC", 0, 430, 80, 42, svg.Blue, "*q^C", "~[{n} × {dh}]"),
	svg.Box("qR", 88, 430, 78, 42, svg.Blue, "*q^R", "~[{n} × {dr}]"),
	svg.Box("o", 143, 100, 140, 42, svg.Muted, "*o", "~[{n} × {dv}]"),
	svg.Box("u", 143, 14, 140, 42, svg.Muted, "*u_t", "~[{d}]"),
}

// latentExpanded are the further boxes of the naive form.
var latentExpanded = []svg.Node{
	svg.Box("q", 28, 270, 110, 42, svg.Blue, "*q = [q^C; q^R]", "~[{n} × {dk}]"),
	svg.Box("vC", 182, 430, 84, 42, svg.Green, "*v^C", "~[{n} × {dv}]"),
	svg.Box("kC", 274, 430, 84, 42, svg.Green, "*k^C", "~[{n} × {dh}]"),
	svg.Box("k", 274, 270, 140, 42, svg.Green, "*k = [k^C; k^R]", "~[{n} × {dk}]"),
	svg.Box("att", 28, 184, 386, 42, svg.Muted, "*n_h heads with keys of their own", "~softmax_j(q · k_j / √{dk}) v_j"),
}

// latentShared are the arrows that both forms have.
var latentShared = []svg.Edge{
	{From: "h.t=", To: "cQ.b", Label: "W^{DQ}, norm", Colour: svg.Blue},
	{From: "h.t=", To: "cKV.b", Label: "<W^{DKV}, norm", Colour: svg.Orange},
	{From: "h.t=", To: "kR.b", Label: "<W^{KR}, RoPE", Colour: svg.Orange},
	{From: "cQ.t=", To: "qC.b", Label: "W^{UQ}", Colour: svg.Blue},
	{From: "cQ.t=", To: "qR.b", Label: "W^{QR}, RoPE", Colour: svg.Blue},
	{From: "q.t", To: "att.b=", Colour: svg.Blue},
	{From: "o.t", To: "u.b", Label: "W^O"},
}

var latentNaive = []svg.Edge{
	{From: "qC.t", To: "q.b=", Colour: svg.Blue},
	{From: "qR.t", To: "q.b=", Colour: svg.Blue},
	{From: "cKV.t=", To: "vC.b", Label: "W^{UV}", Colour: svg.Green},
	{From: "cKV.t=", To: "kC.b", Label: "W^{UK}", Colour: svg.Green},
	{From: "vC.t", To: "att.b=", Colour: svg.Green},
	{From: "kC.t", To: "k.b=", Colour: svg.Green},
	{From: "kR.t", To: "k.b=", Label: "to all heads", Colour: svg.Orange},
	{From: "k.t", To: "att.b=", Colour: svg.Green},
	{From: "att.t=", To: "o.b"},
}

// latentAbsorbed are the further boxes of the absorbed form.
var latentAbsorbed = []svg.Node{
	svg.Box("q~", 0, 350, 80, 42, svg.Blue, "*q̃", "~[{n} × {dc}]"),
	svg.Box("q", 0, 270, 166, 42, svg.Blue, "*q = [q̃; q^R]", "~[{n} × {row}]"),
	svg.Box("row", 236, 350, 178, 42, svg.Orange, "*row_j = [c^{KV}_j; k^R_j]", "~[{row}], one for all heads"),
	svg.Box("att", 0, 184, 414, 42, svg.Muted, "*n_h heads over the cached rows",
		"~softmax_j(q · row_j / √{dk}) c^{KV}_j → [{n} × {dc}]"),
}

var latentAbsorbedEdges = []svg.Edge{
	{From: "qC.t", To: "q~.b", Label: "(W^{UK})ᵀ", Colour: svg.Blue},
	{From: "q~.t", To: "q.b=", Colour: svg.Blue},
	{From: "qR.t", To: "q.b=", Colour: svg.Blue},
	{From: "cKV.t", To: "row.b=", Colour: svg.Orange},
	{From: "kR.t", To: "row.b=", Colour: svg.Orange},
	{From: "row.t", To: "att.b=", Label: "<key and value", Colour: svg.Orange},
	{From: "att.t=", To: "o.b", Label: "W^{UV}"},
}

func drawMLA(p *svg.Picture) {
	values := shapes()
	for i, form := range []struct {
		name  string
		nodes []svg.Node
		edges []svg.Edge
	}{{"naive", latentExpanded, latentNaive}, {"absorbed", latentAbsorbed, latentAbsorbedEdges}} {
		x := 10 + 475*float64(i)
		p.Text(x, 28, svg.Style{Size: 15, Bold: true}, form.name)
		nodes := slices.Concat(latentCommon, form.nodes)
		p.Diagram(moved(nodes, x, 0), slices.Concat(latentShared, form.edges), values)
	}
}

// shapes returns the widths of DeepSeek-V3 by the letters that diagrams have for them.
func shapes() map[string]string {
	c := model.DeepSeekV3()
	a := c.Attention
	numbers := map[string]int{
		"d": c.Width, "dq": c.QueryLatent, "dc": c.Latent, "dr": a.RopeDim, "n": a.Heads, "dh": a.NopeDim,
		"dk": a.NopeDim + a.RopeDim, "dv": a.ValueDim, "row": c.Latent + a.RopeDim,
		"2d": 2 * c.Width, "V": c.Vocabulary, "l": c.Layers,
	}
	values := map[string]string{}
	for key, n := range numbers {
		values[key] = strconv.Itoa(n)
	}
	return values
}

// moved returns boxes elsewhere.
func moved(nodes []svg.Node, dx, dy float64) (to []svg.Node) {
	for _, n := range nodes {
		n.X, n.Y = n.X+dx, n.Y+dy
		to = append(to, n)
	}
	return to
}
