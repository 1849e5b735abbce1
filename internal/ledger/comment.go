package ledger

import (
	"go/doc/comment"
	"regexp"
	"strings"
)

const (
	citing = "It implements "
	none   = "It implements no equation"
)

var (
	sentenceEnd = regexp.MustCompile(`[.!?]\s+[A-Z]`)
	paper       = regexp.MustCompile(`\p{Lu}`)
	place       = regexp.MustCompile(`\d|appendix \p{Lu}|\bcode\b|unnumbered`)
)

// readComment returns the lines of the first indented block, and the last sentence if it is a
// citing one.
func readComment(doc string) (formula []string, ending string) {
	var parser comment.Parser
	var prose string
	for _, block := range parser.Parse(doc).Content {
		prose = ""
		switch block := block.(type) {
		case *comment.Code:
			if formula == nil {
				formula = strings.Split(strings.TrimRight(block.Text, "\n"), "\n")
			}
		case *comment.Paragraph:
			prose = Plain(block.Text)
		}
	}
	return formula, citation(prose)
}

// Plain returns text without its links and on one line.
func Plain(text []comment.Text) string {
	var b strings.Builder
	for _, t := range text {
		switch t := t.(type) {
		case comment.Plain:
			b.WriteString(string(t))
		case comment.Italic:
			b.WriteString(string(t))
		case *comment.Link:
			b.WriteString(Plain(t.Text))
		case *comment.DocLink:
			b.WriteString(Plain(t.Text))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// citation returns the last sentence of prose if it is "It implements ….", else "".
func citation(prose string) string {
	start := strings.LastIndex(prose, citing)
	if start < 0 || start > 0 && !strings.HasSuffix(prose[:start], ". ") || !strings.HasSuffix(prose, ".") {
		return ""
	}
	sentence := prose[start:]
	if sentenceEnd.MatchString(sentence[len(citing):]) {
		return ""
	}
	return sentence
}

// names reports whether a citing sentence names a paper and a place in it.
func names(sentence string) bool {
	said := strings.TrimPrefix(sentence, citing)
	return paper.MatchString(said) && place.MatchString(said)
}

// saysNone reports whether a citing sentence says that there is no equation.
func saysNone(sentence string) bool {
	rest, ok := strings.CutPrefix(sentence, none)
	return ok && (rest == "." || strings.HasPrefix(rest, ": "))
}
