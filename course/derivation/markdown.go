package derivation

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumbline/internal/ledger"
)

const before = `<!-- Written by go generate ./... from the files derivation_test.go of the equation packages. -->

# Derivations

Each of these goes from an equation that is known to one that is used, in steps. Every step is a sub-test: whenever the
tests are run it is checked in numbers, expectations as sums over everything that can happen, and equality to counted
roundings. Below a step stand the line that checks it and the functions that it calls. Symbols are those of
[EQUATIONS.md](EQUATIONS.md). A step that begins with "but" shows where a derivation ends: what does not follow from it,
or what it can not do without.

`

// markdown returns the page.
func markdown(derivations []Derivation) string {
	var b strings.Builder
	b.WriteString(before)
	for _, d := range derivations {
		fmt.Fprintf(&b, "- [%s](#%s)\n", d.Heading, anchor(d.Heading))
	}
	for _, d := range derivations {
		fmt.Fprintf(&b, "\n## %s\n\n", d.Heading)
		write(&b, d.Before)
		for i, s := range d.Steps {
			fmt.Fprintf(&b, "**%d. %s.**\n\n", i+1, inline(capital(s.Sentence)))
			write(&b, s.Text)
			fmt.Fprintf(&b, "%s\n\n", checked(d, s))
		}
		fmt.Fprintf(&b, "<sub>`go test -v -run '^%s$' ./%s`</sub>\n", d.Name, d.Package)
	}
	return b.String()
}

// write writes prose and formulas, each a paragraph.
func write(b *strings.Builder, blocks []Block) {
	for _, block := range blocks {
		if block.Formula != nil {
			b.WriteString(ledger.Formula(block.Formula))
		} else {
			b.WriteString(inline(block.Prose))
		}
		b.WriteString("\n\n")
	}
}

// checked says where a step is checked, and by which equations.
func checked(d Derivation, s Step) string {
	text := fmt.Sprintf("<sub>[%s:%d](../%s#L%d)", d.File, s.Line, d.File, s.Line)
	for _, f := range s.Calls {
		text += " · " + f.Link("../")
	}
	return text + "</sub>"
}

var escapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "$", "&#36;",
)

// inline returns prose as Markdown, what is a formula in it as such.
func inline(prose string) string {
	words := together(strings.Fields(prose))
	for i, word := range words {
		words[i] = symbol(word)
	}
	return wrapped(words)
}

// applied is the start of a function of up to three letters, with what it is applied to.
var applied = regexp.MustCompile(`^\(?\pL{1,3}(_\pL+)?[(\[]`)

// together joins the words of a function with what it is applied to, as those of KL(p ‖ q).
func together(words []string) (joined []string) {
	for len(words) > 0 {
		n := 1
		if applied.MatchString(words[0]) {
			for n < len(words) && open(strings.Join(words[:n], "")) {
				n++
			}
		}
		joined, words = append(joined, strings.Join(words[:n], " ")), words[n:]
	}
	return joined
}

// open reports whether a bracket is open at the end of text, that at its very beginning apart.
func open(text string) bool {
	text = strings.TrimPrefix(text, "(")
	return strings.Count(text, "(")+strings.Count(text, "[") > strings.Count(text, ")")+strings.Count(text, "]")
}

// columns is how wide lines of prose are, where no single word is wider.
const columns = 110

// wrapped returns words in lines, each of which begins with a letter or a formula: a sign or a
// number there might begin a list.
func wrapped(words []string) string {
	var b strings.Builder
	width := 0
	for _, word := range words {
		n := utf8.RuneCountInString(word)
		switch first, _ := utf8.DecodeRuneInString(word); {
		case width == 0:
		case width+1+n > columns && (unicode.IsLetter(first) || first == '$'):
			b.WriteByte('\n')
			width = 0
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}

// symbols are what a word has that is a formula: something raised or lowered, or a length.
const symbols = "_^‖ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹⁻"

// enclosed is a formula in brackets that belong to the sentence.
var enclosed = regexp.MustCompile(`^\([^()]*\)$`)

// symbol returns a word of prose as Markdown: in maths if it is a formula. What belongs to the
// sentence, its signs and a bracket that is open on one side, stays outside.
func symbol(word string) string {
	if !strings.ContainsAny(word, symbols) && !applied.MatchString(word) {
		return escapes.Replace(word)
	}
	formula := strings.TrimRight(word, ".,;:!?")
	before, after := "", word[len(formula):]
	depth := strings.Count(formula, "(") - strings.Count(formula, ")")
	if depth > 0 && formula[0] == '(' || enclosed.MatchString(formula) {
		before, formula = "(", formula[1:]
		depth--
	}
	if depth < 0 && strings.HasSuffix(formula, ")") {
		formula, after = strings.TrimSuffix(formula, ")"), ")"+after
	}
	converted := ledger.Formula([]string{formula})
	if !strings.HasPrefix(converted, "$") {
		return escapes.Replace(word)
	}
	return before + converted + after
}

// capital returns a sentence with its first letter raised.
func capital(sentence string) string {
	first, size := utf8.DecodeRuneInString(sentence)
	return string(unicode.ToUpper(first)) + sentence[size:]
}

// anchor returns what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

var noAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
