package hand

import (
	"fmt"
	"strings"

	"plumbline/course/page"
	"plumbline/internal/ledger"
)

// header is the first line of every page.
const header = "<!-- Written by go generate ./... from course/hand. -->\n"

// markdown returns the sheet as a part of a page, below a heading.
func (s *Sheet) markdown(heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", heading, s.Title)
	if s.Words != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(page.Lines(s.Words, 100), "\n"))
	}
	for i, t := range s.Steps {
		fmt.Fprintf(&b, "\n**%d.** %s\n", i+1, strings.Join(page.Lines(t.linked(), 96), "\n"))
		for _, line := range t.formulas() {
			fmt.Fprintf(&b, "\n%s\n", maths(line))
		}
		if lines := t.block(s.exact); len(lines) > 0 {
			fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.Join(lines, "\n"))
		}
	}
	return b.String()
}

// linked returns what a step says, with a link from its function to its row in the list of
// equations.
func (t Step) linked() string {
	if t.Function == "" {
		return t.Words
	}
	return t.Words + " ([`" + t.Function + "`](../EQUATIONS.md#" + ledger.Anchor(t.Function) + "))"
}

// maths returns a formula as GitHub shows it.
func maths(line string) string {
	if converted, ok := ledger.TeX(line); ok {
		return "$`" + converted + "`$"
	}
	return "`" + line + "`"
}
