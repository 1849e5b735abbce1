package picture

import (
	"fmt"
	"math"

	"plumbline/internal/svg"
	"plumbline/numbers/dtype"
)

var pictureFP8 = picture{
	name: "fp8", heading: "FP8", width: 880, height: 594,
	title: "Which tensor of a linear layer is in which format, and the numbers that E4M3 has",
	about: `
Above, three products of a linear layer: inputs in BF16 are cast to E4M3 in tiles or blocks,
multiplied, summed in FP32 and handed on in BF16; the weight's gradient stays FP32. Below, the
positive numbers of E4M3 and E5M2 as ticks on a logarithmic axis.
`,
	text: `
The three products of a linear layer, each with both operands in E4M3 (orange): activations and
their gradients in tiles of 1×128 along what is summed, weights in blocks of 128×128, so that one
weight serves forward and backward while activations are quantised again in tiles of 128×1. Sums,
the weight's gradient and the master weight are FP32 (blue). Below, every positive number there is:
E4M3 has 8 to a factor of two and ends at 448, which is why each tile has a scale; below 2⁻⁶ its
steps stop shrinking.
`,
	drawnBy: []string{"dtype.Type.FromBits"},
	shows:   []string{"fp8.Fprop", "fp8.Dgrad", "fp8.Wgrad", "fp8.Retile"},
	draw:    drawFP8,
}

// layerNodes are the boxes of the flow, a row for each of the three products.
var layerNodes = []svg.Node{
	svg.Box("x", 20, 34, 130, 42, svg.Muted, "*X", "~BF16"),
	svg.Box("x8", 190, 34, 150, 42, svg.Orange, "*X̂", "~E4M3, tiles 1×128"),
	svg.Box("f", 400, 34, 130, 42, svg.Orange, "*Fprop", "~X̂ Ŵᵀ"),
	svg.Box("fs", 580, 34, 130, 42, svg.Blue, "*sum", "~FP32 after each 128"),
	svg.Box("y", 750, 34, 110, 42, svg.Muted, "*Y", "~BF16"),
	svg.Box("w", 20, 114, 130, 42, svg.Blue, "*W", "~FP32, master"),
	svg.Box("w8", 190, 114, 150, 42, svg.Orange, "*Ŵ", "~E4M3, blocks 128×128"),
	svg.Box("dy", 20, 194, 130, 42, svg.Muted, "*dY", "~BF16"),
	svg.Box("dy8", 190, 194, 150, 42, svg.Orange, "*dŶ", "~E4M3, tiles 1×128"),
	svg.Box("b", 400, 194, 130, 42, svg.Orange, "*Dgrad", "~dŶ Ŵ"),
	svg.Box("bs", 580, 194, 130, 42, svg.Blue, "*sum", "~FP32 after each 128"),
	svg.Box("dx", 750, 194, 110, 42, svg.Muted, "*dX", "~BF16"),
	svg.Box("xw", 190, 274, 150, 42, svg.Orange, "*dŶ, and X̂ again", "~E4M3, tiles 128×1"),
	svg.Box("g", 400, 274, 130, 42, svg.Orange, "*Wgrad", "~dŶᵀ X̂"),
	svg.Box("gs", 580, 274, 130, 42, svg.Blue, "*sum", "~FP32 after each 128"),
	svg.Box("dw", 750, 274, 110, 42, svg.Blue, "*dW", "~FP32, to AdamW"),
}

var layerEdges = []svg.Edge{
	{From: "x.r", To: "x8.l"}, {From: "x8.r", To: "f.l"}, {From: "f.r", To: "fs.l"}, {From: "fs.r", To: "y.l"},
	{From: "w.r", To: "w8.l"}, {From: "w8.r", To: "f.b"}, {From: "w8.r", To: "b.t"},
	{From: "dy.r", To: "dy8.l"}, {From: "dy8.r", To: "b.l"}, {From: "b.r", To: "bs.l"}, {From: "bs.r", To: "dx.l"},
	{From: "dy.b", To: "xw.l"},
	{From: "xw.r", To: "g.l"}, {From: "g.r", To: "gs.l"}, {From: "gs.r", To: "dw.l"},
}

func drawFP8(p *svg.Picture) {
	p.Diagram(layerNodes, layerEdges, nil)
	p.Text(20, 376, svg.Style{Size: 13, Bold: true}, "The positive numbers of both formats, on one axis")
	axis := svg.Axis{Min: 0x1p-17, Max: 0x1p17, Log: true, Label: "logarithmic: a factor of two is as wide everywhere",
		Ticks: []float64{0x1p-16, 0x1p-9, 0x1p-6, 1, 448, 57344}}
	axis.Format = func(t float64) string {
		if t < 1 {
			return fmt.Sprintf("2^{−%.0f}", -math.Log2(t))
		}
		return fmt.Sprint(t)
	}
	f := p.Plot(70, 396, 790, 150, axis, svg.Axis{Max: 1})
	for i, format := range []struct {
		name   string
		is     dtype.Type
		colour svg.Colour
	}{{"E4M3", dtype.F8E4M3, svg.Orange}, {"E5M2", dtype.F8E5M2, svg.Blue}} {
		y := 412 + 70*float64(i)
		p.Text(62, y+28, svg.Style{Size: 13, Bold: true, Anchor: svg.End, Colour: format.colour}, format.name)
		numbers := positive(format.is)
		var cells []svg.Cell
		for _, v := range numbers {
			cells = append(cells, svg.Cell{X: f.At(v, 0).X - 0.5, Y: y, Width: 1, Height: 46})
		}
		p.Cells(cells, format.colour, svg.None)
		p.Text(852, y-3, svg.Style{Size: 11, Anchor: svg.End, Colour: svg.Muted, Filled: true},
			fmt.Sprintf("%d numbers, from %s to %s",
				len(numbers), axis.Format(numbers[0]), axis.Format(numbers[len(numbers)-1])))
	}
}

// positive returns the numbers above 0 of a type of eight bits, from the smallest on.
func positive(is dtype.Type) (numbers []float64) {
	for code := uint64(1); code < 0x80; code++ {
		if v := is.FromBits(code); dtype.Finite(v) {
			numbers = append(numbers, v)
		}
	}
	return numbers
}
