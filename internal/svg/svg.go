// Package svg writes pictures of lines, boxes and words, for light and for dark pages.
//
// Coordinates are pixels, from the upper left corner. They are written with one decimal, so that a
// picture has the same bytes wherever its numbers were computed.
package svg

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Point is a place in a picture, or in the units of a plot's axes.
type Point struct{ X, Y float64 }

// Stroke is how a line is drawn: Width 0 is 1.5 pixels, Dash is as in stroke-dasharray.
type Stroke struct {
	Colour Colour
	Width  float64
	Dash   string
}

// Dashes tell lines apart that nobody can tell apart by colour.
const (
	Solid   = ""
	Dashed  = "7 4"
	Dotted  = "2 3"
	DashDot = "9 3 2 3"
)

// Words is a text that stands in a picture: what is needed to see whether two overlap.
type Words struct {
	Text           string
	X, Y           float64 // its upper left corner
	Width, Height  float64
	Filled, Turned bool // it has a ground of its own; it is read upwards
}

// Picture is an SVG that is being drawn.
type Picture struct {
	Width, Height float64

	theme *Theme
	title string
	about string
	body  strings.Builder
	words []Words
}

// New returns an empty picture. title and about are for people who do not see it.
func New(theme *Theme, width, height float64, title, about string) *Picture {
	p := &Picture{Width: width, Height: height, theme: theme, title: title, about: about}
	p.Rect(0, 0, width, height, Ground, None)
	return p
}

// String returns the picture as a file.
func (p *Picture) String() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" `+
		`viewBox="0 0 %[1]s %[2]s" font-family="Helvetica,Arial,sans-serif" role="img">`+
		"\n<title>%[3]s</title>\n<desc>%[4]s</desc>\n%[5]s</svg>\n",
		Pixels(p.Width), Pixels(p.Height), escape(p.title), escape(p.about), p.body.String())
}

// Words returns the texts drawn so far.
func (p *Picture) Words() []Words { return p.words }

// Pixels returns a coordinate as it is written. What lies within a millionth of the middle between
// two results goes one way, so that last bits are never seen.
func Pixels(x float64) string {
	s := strings.TrimSuffix(strconv.FormatFloat(math.Round(x*1e6)/1e6, 'f', 1, 64), ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func (p *Picture) printf(format string, args ...any) { fmt.Fprintf(&p.body, format, args...) }

// Rect draws a rectangle. A fill or an edge of None is none.
func (p *Picture) Rect(x, y, width, height float64, fill, edge Colour) {
	p.Rounded(x, y, width, height, 0, fill, edge)
}

// Rounded draws a rectangle with round corners.
func (p *Picture) Rounded(x, y, width, height, radius float64, fill, edge Colour) {
	p.printf(`<rect x="%s" y="%s" width="%s" height="%s"`, Pixels(x), Pixels(y), Pixels(width), Pixels(height))
	if radius > 0 {
		p.printf(` rx="%s"`, Pixels(radius))
	}
	p.paint(fill, edge)
}

// Cell is a rectangle among many.
type Cell struct{ X, Y, Width, Height float64 }

// Cells draws many rectangles of one colour, in less room than one by one.
func (p *Picture) Cells(cells []Cell, fill, edge Colour) {
	p.printf(`<path d="`)
	for _, c := range cells {
		p.printf("M%s %sh%sv%sh%sz", Pixels(c.X), Pixels(c.Y), Pixels(c.Width), Pixels(c.Height), Pixels(-c.Width))
	}
	p.printf(`"`)
	p.paint(fill, edge)
}

// Circle draws a dot or a ring.
func (p *Picture) Circle(x, y, radius float64, fill, edge Colour) {
	p.printf(`<circle cx="%s" cy="%s" r="%s"`, Pixels(x), Pixels(y), Pixels(radius))
	p.paint(fill, edge)
}

// paint ends an element with its fill and its edge.
func (p *Picture) paint(fill, edge Colour) {
	p.printf(` fill="%s"`, p.theme[fill])
	if edge != None {
		p.printf(` stroke="%s"`, p.theme[edge])
	}
	p.printf("/>\n")
}

// Polygon fills an area.
func (p *Picture) Polygon(points []Point, fill Colour) {
	p.printf(`<polygon points="%s"`, joined(points))
	p.paint(fill, None)
}

// Line joins points.
func (p *Picture) Line(s Stroke, points ...Point) {
	width := s.Width
	if width == 0 {
		width = 1.5
	}
	p.printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="%s"`,
		joined(points), p.theme[s.Colour], Pixels(width))
	if s.Dash != Solid {
		p.printf(` stroke-dasharray="%s"`, s.Dash)
	}
	p.printf("/>\n")
}

func joined(points []Point) string {
	places := make([]string, len(points))
	for i, at := range points {
		places[i] = Pixels(at.X) + "," + Pixels(at.Y)
	}
	return strings.Join(places, " ")
}

// headLong and headWide are the size of an arrow's head, in pixels.
const headLong, headWide = 7, 3.2

// Arrow joins points, with a head at the last.
func (p *Picture) Arrow(s Stroke, points ...Point) {
	end, before := points[len(points)-1], points[len(points)-2]
	long := math.Hypot(end.X-before.X, end.Y-before.Y)
	along := Point{(end.X - before.X) / long, (end.Y - before.Y) / long}
	foot := Point{end.X - headLong*along.X, end.Y - headLong*along.Y}
	p.Line(s, append(points[:len(points)-1:len(points)-1], foot)...)
	p.Polygon([]Point{
		end,
		{foot.X - headWide*along.Y, foot.Y + headWide*along.X},
		{foot.X + headWide*along.Y, foot.Y - headWide*along.X},
	}, s.Colour)
}
