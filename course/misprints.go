package course

import (
	"fmt"
	"strings"

	"plumbline/internal/ledger"
)

// misprints returns the page of the notes "Differs in print" and "Differs in code".
func misprints(l *ledger.Ledger) string {
	var b strings.Builder
	b.WriteString("<!-- Written by go generate ./... from the comments of the code. -->\n\n# Misprints\n\n" +
		"Where a formula as printed is not what is computed, and where code in the wild differs from both.\n" +
		"Each note stands in the comment of its function.\n")
	notes(&b, l, ledger.InPrint, "## In print\n\nWhat papers print and do not mean, leave out, or print otherwise.")
	notes(&b, l, ledger.InCode, "## In code\n\nWhat other people's code does, for its own reasons or by mistake.")
	return b.String()
}

func notes(b *strings.Builder, l *ledger.Ledger, kind, title string) {
	fmt.Fprintf(b, "\n%s\n\n| function | of | note |\n|---|---|---|\n", title)
	for _, f := range l.Functions {
		for _, note := range f.Notes {
			if note.Kind == kind {
				fmt.Fprintf(b, "| %s | %s | %s |\n", f.Link("../"), ledger.Cell(f.Cites()), ledger.Cell(note.Text))
			}
		}
	}
}
