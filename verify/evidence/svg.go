package evidence

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The picture, in pixels.
const (
	pictureWidth           = 960
	barTop, barStep        = 70, 24
	barLeft, barLong       = 210, 300
	barApart               = 380 // from the bars of false alarms to those of what is found
	panelColumns           = 5
	panelWide, panelHigh   = 150, 70 // of one curve
	panelStepX, panelStepY = 184, 120
	panelLeft              = 40
)

// The curves of each panel.
var curvesDrawn = []struct{ criterion, colour string }{
	{"allclose 1e-2", "#999999"}, {"torch assert_close", "#d98c00"}, {plumbline, "#1f5fa8"},
}

const alarmColour, foundColour = "#c0392b", "#1f5fa8"

// picture writes SVG. It keeps the first error.
type picture struct {
	w   io.Writer
	err error
}

func (p *picture) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// text writes words at a place; anchor is start, middle or end.
func (p *picture) text(x, y float64, size int, anchor, words string) {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(words)) // a Builder takes everything
	p.printf(
		"<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\">%s</text>\n", x, y, size, anchor, b.String(),
	)
}

func (p *picture) bar(x, y, wide, high float64, colour string) {
	p.printf(
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, wide, high, colour,
	)
}

// WriteSVG draws the rates of every criterion as bars, and for each op what is found by strength.
func (r Report) WriteSVG(w io.Writer) error {
	p := &picture{w: w}
	names, ops := r.names(), r.ops()
	below := barTop + len(names)*barStep + 60
	high := below + (len(ops)+panelColumns-1)/panelColumns*panelStepY + 40
	p.printf(
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "+
			"font-family=\"sans-serif\" fill=\"#222222\">\n", pictureWidth, high, pictureWidth, high,
	)
	p.printf("<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", pictureWidth, high)
	p.bars(r, names)
	p.legend(float64(below))
	for i, name := range ops {
		x, y := panelLeft+i%panelColumns*panelStepX, below+36+i/panelColumns*panelStepY
		p.panel(r, name, float64(x), float64(y))
	}
	p.printf("</svg>\n")
	return p.err
}

// bars draws false alarms on the left and found mistakes on the right.
func (p *picture) bars(r Report, names []string) {
	p.text(barLeft, 28, 15, "start", "Right kernels that fail")
	p.text(barLeft+barApart, 28, 15, "start", "Visible mistakes that are found")
	for _, percent := range []int{0, 50, 100} {
		for _, left := range []float64{barLeft, barLeft + barApart} {
			p.text(left+float64(barLong*percent)/100, barTop-14, 11, "middle", fmt.Sprintf("%d %%", percent))
		}
	}
	for i, name := range names {
		t, y := r.Total(name, 0), float64(barTop+i*barStep)
		p.text(barLeft-10, y+12, 12, "end", name)
		p.rate(barLeft, y, t.Alarms, alarmColour)
		p.rate(barLeft+barApart, y, t.Found, foundColour)
	}
}

// rate draws one bar on a ground of its full length, with its number.
func (p *picture) rate(x, y float64, c Count, colour string) {
	p.bar(x, y, barLong, barStep-8, "#eeeeee")
	if c.Of > 0 {
		p.bar(x, y, barLong*c.Share(), barStep-8, colour)
	}
	p.text(x+barLong+6, y+12, 11, "start", share(c))
}

func (p *picture) legend(y float64) {
	p.text(panelLeft, y, 15, "start", "Found, by the strength of the mistake")
	for i, c := range curvesDrawn {
		x := float64(panelLeft + 330 + i*180)
		p.bar(x, y-10, 22, 4, c.colour)
		p.text(x+28, y-3, 12, "start", c.criterion)
	}
}

// panel draws the curves of one op over the bins of strength.
func (p *picture) panel(r Report, name string, x, y float64) {
	p.text(x, y-6, 12, "start", name)
	p.bar(x, y, panelWide, panelHigh, "#f5f5f5")
	for i, edge := range edges {
		if i%2 == 0 {
			p.text(x+(place(i)+place(i+1))/2, y+panelHigh+12, 9, "middle", fmt.Sprint(edge))
		}
	}
	p.text(x+place(Beyond), y+panelHigh+12, 9, "middle", "∞")
	for _, c := range curvesDrawn {
		p.line(r.Of(c.criterion, name).Bins, x, y, c.colour)
	}
}

// place is where a bin stands in a panel.
func place(bin int) float64 { return (float64(bin) + 0.5) * panelWide / (Beyond + 1) }

// line joins the shares of the bins that have mistakes, each a dot.
func (p *picture) line(counts [Beyond + 1]Count, x, y float64, colour string) {
	var points []string
	for i, c := range counts {
		if c.Of == 0 {
			continue
		}
		at, up := x+place(i), y+panelHigh*(1-c.Share())
		points = append(points, fmt.Sprintf("%.1f,%.1f", at, up))
		p.printf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2\" fill=\"%s\"/>\n", at, up, colour)
	}
	p.printf(
		"<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n",
		strings.Join(points, " "), colour,
	)
}
