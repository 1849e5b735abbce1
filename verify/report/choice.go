package report

import (
	"fmt"
	"strings"

	"plumbline/verify/verdict"
)

// writeChoice writes how the rows of a choice were answered, and the worst of those that are wrong.
func writeChoice(b *strings.Builder, c verdict.ChoiceCount) {
	fmt.Fprintf(b, "      choice  %s\n", Line(c.InWords()))
	for i, w := range c.WrongRows {
		fmt.Fprintf(b, "      %-6s  row %d: %s\n", first(i, "worst"), w.Row, Line(w.Why))
	}
}
