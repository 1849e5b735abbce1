package svg

import (
	"fmt"
	"strings"
)

// Style is how words are written; the zero value is 12 pixels of ink that begin at the place.
type Style struct {
	Size   float64
	Anchor string // Start, Middle or End
	Colour Colour
	Bold   bool
	Turned bool // read upwards
	Filled bool // on a ground of their own, over lines
}

// Anchors of words: their place is where they begin, their middle or where they end.
const (
	Start  = ""
	Middle = "middle"
	End    = "end"
)

// Text writes words on a line whose foot is at y. In them ^ raises and _ lowers the next letter, or
// all in the braces that follow; a backslash before either leaves it as it is.
func (p *Picture) Text(x, y float64, s Style, words string) {
	if s.Size == 0 {
		s.Size = 12
	}
	if s.Colour == None {
		s.Colour = Ink
	}
	pieces := split(words)
	box := place(x, y, s, pieces)
	p.words = append(p.words, box)
	if s.Filled {
		p.Rounded(box.X-2, box.Y-1, box.Width+4, box.Height+2, 2, Ground, None)
	}
	p.printf(`<text x="%s" y="%s" font-size="%s" fill="%s"`, Pixels(x), Pixels(y), Pixels(s.Size), p.theme[s.Colour])
	if s.Anchor != Start {
		p.printf(` text-anchor="%s"`, s.Anchor)
	}
	if s.Bold {
		p.printf(` font-weight="bold"`)
	}
	if s.Turned {
		p.printf(` transform="rotate(-90 %s %s)"`, Pixels(x), Pixels(y))
	}
	p.printf(">%s</text>\n", spans(pieces, s.Size))
}

// piece is words on one height: 1 raised, -1 lowered.
type piece struct {
	words  string
	height int
}

// split takes words apart at what raises and lowers.
func split(words string) (pieces []piece) {
	add := func(s string, height int) {
		if n := len(pieces); n > 0 && pieces[n-1].height == height {
			pieces[n-1].words += s
		} else {
			pieces = append(pieces, piece{s, height})
		}
	}
	for words != "" {
		i := strings.IndexAny(words, `^_\`)
		if i < 0 || i == len(words)-1 {
			add(words, 0)
			break
		}
		if i > 0 {
			add(words[:i], 0)
		}
		var moved string
		mark := words[i]
		moved, words = next(words[i+1:])
		add(moved, map[byte]int{'^': 1, '_': -1, '\\': 0}[mark])
	}
	return pieces
}

// next cuts off one letter, or what is in braces.
func next(s string) (first, rest string) {
	if braced, ok := strings.CutPrefix(s, "{"); ok {
		if first, rest, ok = strings.Cut(braced, "}"); ok {
			return first, rest
		}
	}
	for i := range s {
		if i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// small is the size of what is raised or lowered, and shift how far it is, in parts of the size.
const small, shift = 0.72, 0.33

func spans(pieces []piece, size float64) string {
	var b strings.Builder
	was := 0
	for _, piece := range pieces {
		move := ""
		if piece.height != was {
			move = fmt.Sprintf(` dy="%s"`, Pixels(float64(was-piece.height)*shift*size))
		}
		was = piece.height
		switch {
		case piece.height != 0:
			fmt.Fprintf(&b, `<tspan%s font-size="%s">%s</tspan>`, move, Pixels(small*size), escape(piece.words))
		case move != "":
			fmt.Fprintf(&b, `<tspan%s>%s</tspan>`, move, escape(piece.words))
		default:
			b.WriteString(escape(piece.words))
		}
	}
	return b.String()
}

// place is what words cover, as far as their widths in Helvetica say.
func place(x, y float64, s Style, pieces []piece) Words {
	w := Words{Height: s.Size, Filled: s.Filled, Turned: s.Turned}
	for _, piece := range pieces {
		size := s.Size
		if piece.height != 0 {
			size *= small
		}
		w.Text += piece.words
		w.Width += Wide(piece.words, size, s.Bold)
	}
	before := map[string]float64{Start: 0, Middle: w.Width / 2, End: w.Width}[s.Anchor]
	if s.Turned {
		w.X, w.Y = x-0.8*s.Size, y+before-w.Width
		w.Width, w.Height = w.Height, w.Width
		return w
	}
	w.X, w.Y = x-before, y-0.8*s.Size
	return w
}

// helvetica is how wide its characters from space to ~ are, in thousandths of the size.
var helvetica = [...]float64{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

// Wide returns about how wide words are, in pixels.
func Wide(words string, size float64, bold bool) (width float64) {
	for _, r := range words {
		if i := int(r) - ' '; 0 <= i && i < len(helvetica) {
			width += helvetica[i]
		} else {
			width += 600 // of another alphabet
		}
	}
	if bold {
		width *= 1.06
	}
	return width * size / 1000
}
