package story

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"plumbline/course/page"
)

// sheet is what a story writes: headings, paragraphs, and rows that are set as they are.
type sheet struct{ pieces []piece }

type kind int

const (
	heading kind = iota
	paragraph
	row
)

type piece struct {
	kind kind
	text string
}

// head begins a part.
func (s *sheet) head(title string) { s.add(heading, "%s", title) }

// say adds a paragraph.
func (s *sheet) say(format string, args ...any) { s.add(paragraph, format, args...) }

// row adds a line of a table.
func (s *sheet) row(format string, args ...any) { s.add(row, format, args...) }

func (s *sheet) add(k kind, format string, args ...any) {
	text := strings.TrimRight(withoutNegativeZero(fmt.Sprintf(format, args...)), " ")
	s.pieces = append(s.pieces, piece{k, text})
}

// negativeZero is a number that is printed as −0, with what follows it.
var negativeZero = regexp.MustCompile(`-(0(?:\.0*)?)([^0-9.]|$)`)

// withoutNegativeZero takes the sign off zeros: which sign a difference of 0 has is chance.
func withoutNegativeZero(text string) string { return negativeZero.ReplaceAllString(text, " $1$2") }

// columns is the width of the pages' text.
const columns = 96

// plain returns the sheet for a terminal.
func (s *sheet) plain() string {
	var b strings.Builder
	for i, p := range s.pieces {
		if i > 0 && (p.kind != row || s.pieces[i-1].kind != row) {
			b.WriteByte('\n')
		}
		b.WriteString(wrap(p.text, p.kind) + "\n")
	}
	return b.String()
}

// markdown returns the sheet for a page: rows stand in fences.
func (s *sheet) markdown() string {
	var b strings.Builder
	for i, p := range s.pieces {
		first := i == 0 || s.pieces[i-1].kind != row
		last := i+1 == len(s.pieces) || s.pieces[i+1].kind != row
		switch {
		case p.kind == heading:
			b.WriteString("\n## " + p.text + "\n")
		case p.kind == paragraph:
			b.WriteString("\n" + wrap(escape.Replace(p.text), p.kind) + "\n")
		default:
			if first {
				b.WriteString("\n```text\n")
			}
			b.WriteString(p.text + "\n")
			if last {
				b.WriteString("```\n")
			}
		}
	}
	return b.String()
}

// escape keeps a page from taking tags and stars of a text for its own.
var escape = strings.NewReplacer("<", "&lt;", "*", `\*`)

// wrap breaks a paragraph into lines; other text stays as it is.
func wrap(text string, k kind) string {
	if k != paragraph {
		return text
	}
	return strings.Join(page.Lines(text, columns), "\n")
}

// dice is where the numbers of a story come from. Tests nudge every one of them a little: what is
// printed must not hang on last bits, which other processors have otherwise.
type dice struct {
	rng   *rand.Rand
	nudge float64
}

func newDice(seed uint64, nudge float64) *dice { return &dice{rand.New(rand.NewPCG(seed, 1)), nudge} }

// uniform returns a number of [0, 1).
func (d *dice) uniform() float64 { return max(0, min(d.rng.Float64()+d.nudge, 1-d.nudge)) }

// normal returns a number of the standard normal distribution.
func (d *dice) normal() float64 { return d.rng.NormFloat64() + d.nudge }

// below returns one of 0 … n−1.
func (d *dice) below(n int) int { return d.rng.IntN(n) }

// teller writes a story on a sheet; all chance in it is the dice's.
type teller func(s *sheet, d *dice)

// sheet returns the story with every number of the dice nudged.
func (t teller) sheet(nudge float64) *sheet {
	s := &sheet{}
	t(s, newDice(1, nudge))
	return s
}
