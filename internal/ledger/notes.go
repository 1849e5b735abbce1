package ledger

import (
	"go/doc/comment"
	"strings"
)

const differs = "Differs in "

// paragraphs returns the prose of a comment, one line for each paragraph.
func paragraphs(doc string) (prose []string) {
	var parser comment.Parser
	for _, block := range parser.Parse(doc).Content {
		if p, ok := block.(*comment.Paragraph); ok {
			prose = append(prose, Plain(p.Text))
		}
	}
	return prose
}

// readNotes returns what a comment says of differences: from "Differs in print: " or "Differs in
// code: " to the next such words, the citing sentence or the end of the paragraph.
func readNotes(doc string) (notes []Note) {
	for _, prose := range paragraphs(doc) {
		prose, _, _ = strings.Cut(prose, citing)
		for i, note := range strings.Split(prose, differs) {
			if i == 0 {
				continue
			}
			if kind, text, ok := strings.Cut(strings.TrimSpace(note), ": "); ok && (kind == InPrint || kind == InCode) {
				notes = append(notes, Note{kind, text})
			}
		}
	}
	return notes
}
