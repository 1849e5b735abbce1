package report

import (
	"fmt"
	"strings"

	"plumbline/verify/verdict"
)

// writeDiagnosis writes what would explain a recording that is not explained: one sentence that
// somebody can act on, then the runners-up and what would tell them apart.
func writeDiagnosis(b *strings.Builder, d *verdict.Diagnosis) {
	if d == nil {
		return
	}
	fmt.Fprintf(b, "  %s\n", Line(d.Sentence))
	explains, leading := d.Explains, d.Leading
	if len(explains) > 0 {
		explains = explains[1:]
	}
	if len(leading) > 0 {
		leading = leading[1:]
	}
	for _, f := range explains {
		fmt.Fprintf(b, "    explains it too: %s\n", finding(f))
	}
	for _, f := range leading {
		fmt.Fprintf(b, "    takes %.0f %% away: %s\n", 100*f.Explains, finding(f))
	}
	for _, text := range []string{d.Apart, d.Where, diagnosedIn(d.Part), d.Untried} {
		if text != "" && !strings.Contains(d.Sentence, text) {
			fmt.Fprintf(b, "    %s\n", Line(text))
		}
	}
}

// diagnosedIn says which part of an output alone was diagnosed; "" for all of it.
func diagnosedIn(part string) string {
	if part == "" {
		return ""
	}
	return "diagnosed in " + part + " alone, counted from the first of each"
}

// finding is one explanation in a line.
func finding(f verdict.Finding) string {
	if f.Kind != "mistake" && f.Kind != "pair" && f.Kind != "share" {
		return Line(f.Sentence)
	}
	text := f.Name() + ": " + f.Sentence
	if f.Thread != "" {
		text += " [" + f.Thread + "]"
	}
	return Line(text)
}
