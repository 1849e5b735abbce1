package ledger

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// TeX converts one line of a comment's formula to TeX. ok is false if the line has a character or a
// nesting that the conversion does not know; the line is then better shown as it is.
//
// The conversion knows what formulas in comments are made of, and no more: Unicode operators and
// Greek letters, _ and ^ with one item, braces or parentheses, √ of one item or a parenthesis,
// primes, raised and lowered digits, the papers' names (cKV, WUK, kR), a space as a product, words
// as words.
func TeX(line string) (out string, ok bool) {
	c := converter{in: []rune(strings.TrimSpace(line))}
	if out = c.all(); c.failed || !balanced(out) {
		return "", false
	}
	return out, true
}

// balanced reports whether the braces that TeX counts come in pairs, and nothing ends a cell or the
// formula early.
func balanced(out string) bool {
	depth := 0
	bare := strings.NewReplacer(`\\`, "", `\{`, "", `\}`, "").Replace(out)
	for _, r := range bare {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		case '|', '`', '$', '\n':
			return false
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}

// converter walks over a line, or over what stands between a pair of brackets.
type converter struct {
	in     []rune
	last   rune // the one taken before
	failed bool
}

// all converts all that is left.
func (c *converter) all() string {
	var pieces []piece
	for len(c.in) > 0 && !c.failed {
		if spaces := c.run(func(r rune) bool { return r == ' ' }); spaces != "" {
			pieces = append(pieces, piece{tex: spaces, class: space})
			continue
		}
		pieces = append(pieces, c.item())
	}
	if c.failed {
		return ""
	}
	return join(pieces)
}

// inner converts a stretch of its own, such as what stands between brackets.
func (c *converter) inner(in []rune) string {
	part := converter{in: in}
	out := part.all()
	c.failed = c.failed || part.failed
	return out
}

// item takes one thing with all its accents, primes, and raised and lowered parts.
func (c *converter) item() piece {
	p := c.atom()
	for !c.failed {
		r := c.next()
		switch {
		case r == '_':
			c.take()
			p.lower(c.argument())
		case r == '^':
			c.take()
			p.raise(c.argument())
		case above[r] != "":
			p.raise(c.marks(above))
		case below[r] != "":
			p.lower(c.marks(below))
		case accents[r] != "":
			p.tex = accents[c.take()] + "{" + p.tex + "}"
		default:
			return p
		}
	}
	return p
}

// atom takes the next thing alone.
func (c *converter) atom() piece {
	r := c.next()
	switch {
	case isLatin(r):
		return c.letters()
	case isDigit(r):
		return piece{tex: c.number()}
	}
	before := c.last
	c.take()
	if r == '√' {
		return piece{tex: `\sqrt{` + c.radicand() + `}`}
	}
	if r == '|' {
		return bar(before, c.next())
	}
	p, known := signs[r]
	c.failed = c.failed || !known
	return p
}

// bar is the bar of a condition if it stands free on both sides, else one of a pair. A raw | would
// end the cell of the table.
func bar(before, next rune) piece {
	if before == ' ' && next == ' ' {
		return piece{tex: `\mid`, class: operator}
	}
	return piece{tex: `\vert`, class: operator}
}

// marks takes the characters that stand raised, or lowered, by themselves.
func (c *converter) marks(table map[rune]string) string {
	out := ""
	for table[c.next()] != "" {
		out += table[c.take()]
	}
	return strings.TrimSpace(out)
}

// radicand takes what a root is taken of: a bracket without its parentheses, or one item.
func (c *converter) radicand() string {
	if r := c.next(); r == '(' || r == '{' {
		return c.bracket()
	}
	return c.item().String()
}

// argument takes what is raised or lowered: a bracket without its parentheses, or one thing with
// its sign.
func (c *converter) argument() string {
	switch r := c.next(); {
	case r == '(' || r == '{':
		return c.bracket()
	case r == '−' || r == '-' || r == '+':
		return signs[c.take()].tex + c.argument()
	case isLatin(r):
		return index(c.run(isLatin) + c.run(isDigit))
	}
	return c.atom().String()
}

// indices are letters that stand side by side below another.
var indices = regexp.MustCompile(`^([A-Za-z]{1,2}|[A-Z][A-Z0-9]*|[bhijkst]{3})$`)

// index converts letters that are raised or lowered: indices, or else a word.
func index(letters string) string {
	if indices.MatchString(letters) {
		return letters
	}
	return `\text{` + letters + `}`
}

// bracket takes a bracket to its end and returns what is inside.
func (c *converter) bracket() string {
	closing := map[rune]rune{'(': ')', '{': '}'}
	first := c.take()
	for depth, i := 1, 0; i < len(c.in); i++ {
		switch c.in[i] {
		case first:
			depth++
		case closing[first]:
			depth--
		}
		if depth == 0 {
			inside := c.in[:i]
			c.in = c.in[i+1:]
			if indices.MatchString(string(inside)) && isLatin(inside[0]) {
				return string(inside)
			}
			return c.inner(inside)
		}
	}
	c.failed = true
	return ""
}

// number takes digits with a decimal point among them; a point at the end belongs to the sentence.
func (c *converter) number() string {
	n := c.run(isDigit)
	if len(c.in) > 1 && c.in[0] == '.' && isDigit(c.in[1]) {
		c.take()
		n += "." + c.run(isDigit)
	}
	return n
}

var (
	// snake is a name in code: parts of letters, the first of two or more, the second of three or
	// more. With shorter parts the underscore lowers: dp_sj is an element of dp.
	snake = regexp.MustCompile(`^[A-Za-z]{2,}_[A-Za-z]{3,}(_[A-Za-z0-9]+)*`)
	// prose is a word that is more than letters.
	prose = regexp.MustCompile(`^[A-Za-z]{2,}((-[A-Za-z]{2,})+|['’]s\b| a [A-Za-z]{2,})`)
)

// letters takes a word, a name or a single letter.
func (c *converter) letters() piece {
	rest := string(c.in)
	if name := snake.FindString(rest); name != "" {
		c.in = c.in[len([]rune(name)):]
		return piece{tex: `\mathrm{` + strings.ReplaceAll(name, "_", `\_`) + `}`}
	}
	if phrase := prose.FindString(rest); phrase != "" {
		c.in = c.in[len([]rune(phrase)):]
		return piece{tex: phrase, class: word}
	}
	return named(c.run(isLatin) + c.run(isDigit))
}

var (
	functions = regexp.MustCompile(`^(arg|cos|det|exp|lim|ln|log|max|min|sin|tan|tanh)$`)
	gradient  = regexp.MustCompile(`^d[A-Za-z][A-Z0-9]*$`)   // dx, dW1
	raised    = regexp.MustCompile(`^([a-zW])([A-Z]{1,3})$`) // the papers' cKV, kR, WUK
	lowered   = regexp.MustCompile(`^([A-Za-z])([0-9]+)$`)   // W1, x0
)

// named converts a name that is made of letters, and digits after them.
func named(name string) piece {
	switch parts := raised.FindStringSubmatch(name); {
	case len(name) == 1:
		return piece{tex: name}
	case functions.MatchString(name):
		return piece{tex: `\` + name, class: function}
	case gradient.MatchString(name):
		p := named(name[1:])
		p.tex = "d" + p.tex
		return p
	case parts != nil:
		return piece{tex: parts[1], above: parts[2]}
	}
	if parts := lowered.FindStringSubmatch(name); parts != nil {
		return piece{tex: parts[1], below: parts[2]}
	}
	return piece{tex: name, class: word}
}

func (c *converter) next() rune {
	if len(c.in) == 0 {
		return 0
	}
	return c.in[0]
}

func (c *converter) take() rune {
	r := c.next()
	c.in, c.last = c.in[min(1, len(c.in)):], r
	return r
}

// run takes runes for as long as they satisfy keep.
func (c *converter) run(keep func(rune) bool) string {
	end := slices.IndexFunc(c.in, func(r rune) bool { return !keep(r) })
	if end < 0 {
		end = len(c.in)
	}
	taken := string(c.in[:end])
	if end > 0 {
		c.last = c.in[end-1]
	}
	c.in = c.in[end:]
	return taken
}

func isLatin(r rune) bool { return r <= unicode.MaxASCII && unicode.IsLetter(r) }
func isDigit(r rune) bool { return '0' <= r && r <= '9' }
