package svg

import (
	"math"
	"strconv"
	"strings"
)

// Node is a box of a diagram with words in it. A line that begins with * is bold, one with ~ small.
type Node struct {
	ID         string
	X, Y, W, H float64
	Colour     Colour // of its edge, and of its fill as a tint; Muted is grey, None has no box
	Lines      []string
}

// Edge is an arrow between two nodes. From and To name a node and a side of it, t, b, l or r, with
// the place on it in percent: "q.t" is the middle of the upper side, "q.t25" a quarter along it,
// and "q.t=" is where a straight arrow comes in.
// A label stands beside the longest part of the arrow, on the other side if it begins with <.
type Edge struct {
	From, To string
	Label    string
	Colour   Colour
	Dash     string
}

// Diagram draws boxes and the arrows between them; "{key}" in words is replaced by its value.
func (p *Picture) Diagram(nodes []Node, edges []Edge, values map[string]string) {
	var pairs []string
	for key, value := range values {
		pairs = append(pairs, "{"+key+"}", value)
	}
	fill := strings.NewReplacer(pairs...)
	byID := map[string]Node{}
	for _, n := range nodes {
		byID[n.ID] = n
	}
	for _, e := range edges {
		p.edge(e, route(byID, e), fill.Replace(e.Label))
	}
	for _, n := range nodes {
		p.node(n, fill)
	}
}

func (p *Picture) node(n Node, fill *strings.Replacer) {
	if n.Colour != None {
		p.Rounded(n.X, n.Y, n.W, n.H, 5, n.Colour.Tint(), n.Colour)
	}
	y := n.Y + n.H/2 - 7.5*float64(len(n.Lines)) + 11.5
	for _, line := range n.Lines {
		s := Style{Anchor: Middle}
		switch line[0] {
		case '*':
			s.Bold, line = true, line[1:]
		case '~':
			s.Size, s.Colour, line = 11, Muted, line[1:]
		}
		p.Text(n.X+n.W/2, y, s, fill.Replace(line))
		y += 15
	}
}

func (p *Picture) edge(e Edge, points []Point, label string) {
	colour := e.Colour
	if colour == None {
		colour = Muted
	}
	p.Arrow(Stroke{Colour: colour, Dash: e.Dash}, points...)
	if label == "" {
		return
	}
	a, b := longest(points)
	other := strings.HasPrefix(label, "<")
	label = strings.TrimPrefix(label, "<")
	s := Style{Size: 11, Colour: colour}
	middle := Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2}
	switch upright := math.Abs(a.X-b.X) < math.Abs(a.Y-b.Y); {
	case upright && other:
		s.Anchor = End
		p.Text(middle.X-6, middle.Y+4, s, label)
	case upright:
		p.Text(middle.X+6, middle.Y+4, s, label)
	default:
		s.Anchor = Middle
		p.Text(middle.X, middle.Y+map[bool]float64{true: 14, false: -6}[other], s, label)
	}
}

func longest(points []Point) (a, b Point) {
	best := -1.0
	for i := 1; i < len(points); i++ {
		if d := math.Hypot(points[i].X-points[i-1].X, points[i].Y-points[i-1].Y); d > best {
			best, a, b = d, points[i-1], points[i]
		}
	}
	return a, b
}

// route returns the corners of an arrow whose parts are level or upright.
func route(nodes map[string]Node, e Edge) []Point {
	from, out := anchor(nodes, e.From)
	to, in := anchor(nodes, e.To)
	if strings.HasSuffix(e.To, "=") {
		to = level(to, from, in)
	}
	if strings.HasSuffix(e.From, "=") {
		from = level(from, to, out)
	}
	switch {
	case math.Abs(from.X-to.X) < 0.5, math.Abs(from.Y-to.Y) < 0.5:
		return []Point{from, to}
	case out && in:
		half := (from.Y + to.Y) / 2
		return []Point{from, {from.X, half}, {to.X, half}, to}
	case out:
		return []Point{from, {from.X, to.Y}, to}
	case in:
		return []Point{from, {to.X, from.Y}, to}
	}
	half := (from.X + to.X) / 2
	return []Point{from, {half, from.Y}, {half, to.Y}, to}
}

// level returns a place moved along its side to where the other one is.
func level(at, other Point, upright bool) Point {
	if upright {
		return Point{other.X, at.Y}
	}
	return Point{at.X, other.Y}
}

// anchor returns a place on the side of a node, and whether arrows leave it upright.
func anchor(nodes map[string]Node, name string) (at Point, upright bool) {
	id, side, _ := strings.Cut(name, ".")
	n, ok := nodes[id]
	if !ok || side == "" {
		panic("svg: an edge without a node")
	}
	part := 0.5
	if percent, err := strconv.Atoi(side[1:]); err == nil {
		part = float64(percent) / 100
	}
	switch side[0] {
	case 't':
		return Point{n.X + part*n.W, n.Y}, true
	case 'b':
		return Point{n.X + part*n.W, n.Y + n.H}, true
	case 'l':
		return Point{n.X, n.Y + part*n.H}, false
	}
	return Point{n.X + n.W, n.Y + part*n.H}, false
}

// Box returns a node; its place is its upper left corner.
func Box(id string, x, y, width, height float64, colour Colour, lines ...string) Node {
	return Node{id, x, y, width, height, colour, lines}
}
