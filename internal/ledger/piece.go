package ledger

import (
	"regexp"
	"strings"
)

// class says how a piece sits beside others.
type class uint8

const (
	symbol   class = iota // a letter, a number: beside another it is a product
	operator              // relations, signs, punctuation: TeX spaces them
	opening
	closing
	function // log, Σ and their like: TeX spaces them from what they apply to
	word     // upright text, whose spaces must be said
	space
)

// piece is one thing of a formula with what is raised and lowered on it.
type piece struct {
	tex          string
	class        class
	above, below string
}

func (p *piece) raise(tex string) {
	if p.above != "" {
		tex = p.above + `\,` + tex
	}
	p.above = tex
}

func (p *piece) lower(tex string) {
	if p.below != "" {
		tex = p.below + "," + tex
	}
	p.below = tex
}

func (p piece) String() string {
	out := p.tex
	if p.class == word {
		out = `\text{` + p.tex + `}`
	}
	if p.below != "" {
		out += "_{" + p.below + "}"
	}
	if p.above != "" {
		out += "^{" + p.above + "}"
	}
	return out
}

// plainWord reports whether p is a word with nothing on it.
func (p piece) plainWord() bool { return p.class == word && p.above == "" && p.below == "" }

// joinWords makes words side by side into one text, so that the spaces between them are those of
// text.
func joinWords(pieces []piece) []piece {
	var joined []piece
	for _, p := range pieces {
		n := len(joined)
		if n > 1 && p.plainWord() && joined[n-1].class == space && joined[n-2].plainWord() {
			joined[n-2].tex += " " + p.tex
			joined = joined[:n-1]
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// join writes pieces one after the other with the spaces that TeX has to be told.
func join(pieces []piece) string {
	var b strings.Builder
	var last piece
	gap := ""
	for _, p := range joinWords(pieces) {
		if p.class == space {
			gap = p.tex
			continue
		}
		next := p.String()
		if b.Len() > 0 {
			b.WriteString(between(last, gap, p, b.String(), next))
		}
		b.WriteString(next)
		last, gap = p, ""
	}
	return b.String()
}

// command is TeX that ends in the letters of a command, which a letter after it would lengthen.
var command = regexp.MustCompile(`\\[A-Za-z]+$`)

// between returns what to write between two pieces that stood gap apart; before and next are their
// TeX.
func between(a piece, gap string, b piece, before, next string) string {
	aligned := a.class == operator && a.tex != "," && a.tex != ";" || b.class == operator
	switch {
	case len(gap) > 1 && !aligned:
		return `\quad `
	case gap == "" && command.MatchString(before) && isLatin(rune(next[0])):
		return " "
	case gap == "":
		return ""
	case a.class == operator || b.class == operator || a.class == function:
		return " "
	case a.class == word || b.class == word:
		return `\ `
	case b.class == closing || a.class == opening:
		return " "
	}
	return `\,` // a space is a product
}
