package course

import (
	"fmt"
	"strings"

	"plumbline/internal/ledger"
)

// papers returns the index by paper and number.
func papers(l *ledger.Ledger) string {
	var b strings.Builder
	b.WriteString("<!-- Written by go generate ./... from the comments of the code. -->\n\n" +
		"# The equations by paper and number\n\n" +
		"Which function is the equation that a paper prints under a number. " +
		"[By subject](EQUATIONS.md), [in teaching order](PATHS.md), [misprints](MISPRINTS.md).\n")
	citations := l.Citations()
	for _, paper := range ledger.Papers {
		if cited := citations[paper.Name]; len(cited) > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", ledger.Cell(paper.Name), reference(paper))
			b.WriteString("| number | functions |\n|---|---|\n")
			for len(cited) > 0 {
				n := 1
				for n < len(cited) && cited[n].Place == cited[0].Place {
					n++
				}
				fmt.Fprintf(&b, "| %s | %s |\n", place(cited[0].Place), functions(cited[:n]))
				cited = cited[n:]
			}
		}
	}
	return b.String()
}

func reference(p ledger.Paper) string {
	if p.ArXiv == "" {
		return ledger.Cell(p.Full) + "."
	}
	return fmt.Sprintf("%s, [arXiv %s](https://arxiv.org/abs/%s).", ledger.Cell(p.Full), p.ArXiv, p.ArXiv)
}

func place(name string) string {
	if name == "" {
		return "unnumbered"
	}
	return ledger.Cell(name)
}

func functions(cited []ledger.Cited) string {
	var links []string
	for _, c := range cited {
		links = append(links, c.Function.Link("../"))
	}
	return strings.Join(links, ", ")
}
