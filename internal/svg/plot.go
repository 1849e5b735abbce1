package svg

import (
	"math"
	"strconv"
	"strings"
)

// Axis is one axis of a plot, in units of its own.
type Axis struct {
	Min, Max float64
	Log      bool
	Ticks    []float64
	Label    string
	Format   func(tick float64) string // nil: as few digits as there are
}

// along returns where a value lies, 0 at the axis's beginning and 1 at its end.
func (a Axis) along(v float64) float64 {
	if a.Log {
		return math.Log(v/a.Min) / math.Log(a.Max/a.Min)
	}
	return (v - a.Min) / (a.Max - a.Min)
}

func (a Axis) format(tick float64) string {
	if a.Format != nil {
		return a.Format(tick)
	}
	return strings.Replace(strconv.FormatFloat(tick, 'g', -1, 64), "-", "−", 1)
}

// Plot is a frame in a picture whose places are told in the units of two axes.
type Plot struct {
	picture             *Picture
	X, Y, Width, Height float64 // of the frame, in pixels
	AxisX, AxisY        Axis
}

// Plot draws a frame with its grid and the labels of its axes.
func (p *Picture) Plot(x, y, width, height float64, ax, ay Axis) Plot {
	f := Plot{p, x, y, width, height, ax, ay}
	for _, t := range ax.Ticks {
		at := f.At(t, ay.Min)
		p.Line(Stroke{Grid, 1, Solid}, at, Point{at.X, y})
		p.Text(at.X, y+height+15, Style{Size: 11, Anchor: Middle, Colour: Muted}, ax.format(t))
	}
	for _, t := range ay.Ticks {
		at := f.At(ax.Min, t)
		p.Line(Stroke{Grid, 1, Solid}, at, Point{x + width, at.Y})
		p.Text(x-6, at.Y+4, Style{Size: 11, Anchor: End, Colour: Muted}, ay.format(t))
	}
	p.Line(Stroke{Muted, 1, Solid}, Point{x, y}, Point{x, y + height}, Point{x + width, y + height})
	if ax.Label != "" {
		p.Text(x+width/2, y+height+32, Style{Anchor: Middle, Colour: Muted}, ax.Label)
	}
	if ay.Label != "" {
		p.Text(x-6, y-13, Style{Anchor: Start, Colour: Muted}, ay.Label)
	}
	return f
}

// At returns where a value of both axes is in the picture.
func (f Plot) At(x, y float64) Point {
	return Point{f.X + f.Width*f.AxisX.along(x), f.Y + f.Height*(1-f.AxisY.along(y))}
}

// Line joins points in the units of the axes.
func (f Plot) Line(s Stroke, points ...Point) {
	places := make([]Point, len(points))
	for i, at := range points {
		places[i] = f.At(at.X, at.Y)
	}
	f.picture.Line(s, places...)
}

// Curve draws a function between two values of the first axis, as n pieces.
func (f Plot) Curve(s Stroke, from, to float64, n int, y func(x float64) float64) {
	points := make([]Point, n+1)
	for i := range points {
		x := from + (to-from)*float64(i)/float64(n)
		points[i] = Point{x, y(x)}
	}
	f.Line(s, points...)
}

// Dot marks a point in the units of the axes.
func (f Plot) Dot(x, y, radius float64, fill, edge Colour) {
	at := f.At(x, y)
	f.picture.Circle(at.X, at.Y, radius, fill, edge)
}

// Text writes words beside a point in the units of the axes, dx and dy pixels from it.
func (f Plot) Text(x, y, dx, dy float64, s Style, words string) {
	at := f.At(x, y)
	f.picture.Text(at.X+dx, at.Y+dy, s, words)
}
