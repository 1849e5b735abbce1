package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

// drawing is SVG that stands in a page, whose style its classes have.
type drawing struct{ strings.Builder }

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// open begins a drawing of that size, with what it shows in words.
func (d *drawing) open(class string, wide, high int, title, words string) {
	d.printf(`<svg class="%s" role="img" width="%d" height="%d" viewBox="0 0 %d %d"><title>%s</title><desc>%s</desc>`,
		class, wide, high, wide, high, escaped(title), escaped(words))
}

// text writes words at a place; anchor is start, middle or end.
func (d *drawing) text(x, y int, anchor, words string) {
	d.printf(`<text x="%d" y="%d" text-anchor="%s">%s</text>`, x, y, anchor, escaped(words))
}

func escaped(s string) string { return html.EscapeString(s) }

// The histogram in pixels. Errors beyond the bins have a column of their own at either side.
const (
	plotLeft, plotTop   = 46, 22
	plotWide, plotHigh  = 366, 130
	outerWide, outerGap = 14, 5
)

// leastCount is where the logarithmic axis of counts begins.
const leastCount = 0.5

// plot is a histogram while it is drawn.
type plot struct {
	drawing
	verdict.Histogram
	top float64 // largest count
}

// drawHistogram draws scaled errors beside what executions give, and the limit of single elements.
func drawHistogram(h verdict.Histogram) string {
	if n := len(h.Counts); n == 0 || n > mostSide || len(h.Curve) != n || !(h.Range > 0) || math.IsInf(h.Range, 0) {
		return ""
	}
	p := &plot{Histogram: h, top: 2}
	for b, n := range h.Counts {
		p.top = max(p.top, float64(n), h.Curve[b])
	}
	p.top = 1.3 * max(p.top, float64(h.Below), float64(h.Above), h.CurveBelow, h.CurveAbove)
	if !dtype.Finite(p.top) {
		return ""
	}
	p.open("histogram", plotLeft+plotWide+outerWide+outerGap+10, plotTop+plotHigh+36,
		"Histogram of the scaled errors", histogramWords(h))
	p.grid()
	p.band()
	p.bars()
	p.curve()
	p.printf("</svg>")
	return p.String()
}

// histogramWords says in words what a histogram shows.
func histogramWords(h verdict.Histogram) string {
	all := h.Below + h.Above
	for _, n := range h.Counts {
		all += n
	}
	words := fmt.Sprintf("%d errors", all)
	if all == 1 {
		words = "1 error"
	}
	if h.LimitTo > 0 {
		words += fmt.Sprintf("; single elements have their limit at ±%s, and %d lie beyond",
			span(h.LimitFrom, h.LimitTo), h.Beyond)
	}
	if h.Below+h.Above > 0 {
		words += fmt.Sprintf("; %d are below and %d above what is drawn", h.Below, h.Above)
	}
	return words
}

// span writes a number, or two that differ as printed.
func span(from, to float64) string {
	if a, b := brief(from), brief(to); a != b {
		return a + "…" + b
	}
	return brief(to)
}

func (p *plot) x(w float64) float64 { return plotLeft + outerGap/2 + (w+p.Range)/(2*p.Range)*plotWide }

// y is the height of a count, on a logarithmic axis.
func (p *plot) y(n float64) float64 {
	share := math.Log(max(n, leastCount)/leastCount) / math.Log(p.top/leastCount)
	return plotTop + plotHigh*(1-share)
}

// grid draws the axes: powers of ten of counts, and whole numbers of errors.
func (p *plot) grid() {
	for n := 1.0; n <= p.top; n *= 10 {
		y := p.y(n)
		p.printf(`<path class="grid" d="M%d %.1fh%d"/>`, plotLeft-outerWide, y, plotWide+2*outerWide+outerGap)
		if n < 1e4 {
			p.text(plotLeft-outerWide-4, int(y)+4, "end", fmt.Sprint(n))
		} else {
			p.text(plotLeft-outerWide-4, int(y)+4, "end", fmt.Sprintf("%.0e", n))
		}
	}
	step := math.Pow(10, math.Ceil(math.Log10(p.Range/5)))
	for _, finer := range []float64{5, 2} {
		if p.Range*finer/step <= 5 {
			step /= finer
			break
		}
	}
	for k := -math.Floor(p.Range / step); k*step <= p.Range; k++ {
		p.text(int(p.x(k*step)), plotTop+plotHigh+14, "middle", fmt.Sprintf("%.4g", k*step))
	}
	p.text(plotLeft+plotWide/2, plotTop+plotHigh+30, "middle", "scaled error w")
}

// band shows where the limits of single elements are.
func (p *plot) band() {
	if p.LimitTo == 0 {
		return
	}
	for _, sign := range []float64{-1, 1} {
		a, b := p.x(sign*p.LimitFrom), p.x(sign*p.LimitTo)
		from, wide := min(a, b), max(math.Abs(a-b), 1.5)
		p.printf(`<rect class="limit" x="%.1f" y="%d" width="%.1f" height="%d"/>`, from, plotTop, wide, plotHigh)
		p.text(int(from+wide/2), plotTop-8, "middle", "limit")
	}
}

// bars draws counts, those of bins beyond every limit in another colour.
func (p *plot) bars() {
	var within, beyond strings.Builder
	wide := float64(plotWide) / float64(len(p.Counts))
	for b, n := range p.Counts {
		to := &within
		if p.LimitTo > 0 && math.Abs(p.center(b)) > p.LimitTo {
			to = &beyond
		}
		p.bar(to, p.x(p.edge(b)), wide, n)
	}
	p.bar(&beyond, plotLeft-outerWide, outerWide, p.Below)
	p.bar(&beyond, plotLeft+plotWide+outerGap, outerWide, p.Above)
	p.printf(`<path class="bar" d="%s"/>`, within.String())
	if beyond.Len() > 0 {
		p.printf(`<path class="beyond" d="%s"/>`, beyond.String())
	}
	if p.Below > 0 {
		p.text(plotLeft-outerWide, plotTop-8, "start", fmt.Sprintf("◂ %d", p.Below))
	}
	if p.Above > 0 {
		p.text(plotLeft+plotWide+outerGap+outerWide, plotTop-8, "end", fmt.Sprintf("%d ▸", p.Above))
	}
}

func (p *plot) bar(b *strings.Builder, x, wide float64, n int) {
	if n > 0 {
		y := p.y(float64(n))
		fmt.Fprintf(b, "M%.1f %.1fh%.1fV%dh-%.1fz", x, y, wide-0.6, plotTop+plotHigh, wide-0.6)
	}
}

// edge is where a bin begins, center its middle.
func (p *plot) edge(b int) float64 { return (2*float64(b)/float64(len(p.Counts)) - 1) * p.Range }

func (p *plot) center(b int) float64 { return p.edge(b) + p.Range/float64(len(p.Counts)) }

// curve draws what executions give, as steps.
func (p *plot) curve() {
	var d strings.Builder
	wide, floor := float64(plotWide)/float64(len(p.Curve)), p.y(leastCount)
	drawn := false
	for b, n := range p.Curve {
		y := p.y(n)
		switch {
		case y >= floor:
			drawn = false
			continue
		case !drawn:
			fmt.Fprintf(&d, "M%.1f %.1f", p.x(p.edge(b)), y)
		default:
			fmt.Fprintf(&d, "V%.1f", y)
		}
		drawn = true
		fmt.Fprintf(&d, "h%.1f", wide)
	}
	p.printf(`<path class="curve" d="%s"/>`, d.String())
}
