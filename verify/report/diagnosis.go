package report

import (
	"fmt"
	"slices"
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
	for _, text := range slices.Concat(runnersUp(d), remarks(d)) {
		fmt.Fprintf(b, "    %s\n", text)
	}
}

// runnersUp are what explains too, or takes less of the error away than what the sentence says.
func runnersUp(d *verdict.Diagnosis) (all []string) {
	for _, f := range rest(d.Explains) {
		all = append(all, "explains it too: "+finding(f))
	}
	for _, f := range rest(d.Leading) {
		all = append(all, fmt.Sprintf("takes %.0f %% away: %s", 100*f.Explains, finding(f)))
	}
	return all
}

// rest returns the findings but the first, of which the sentence is.
func rest(all []verdict.Finding) []verdict.Finding { return all[min(1, len(all)):] }

// remarks are what is said of a diagnosis beside the sentence, and not in it.
func remarks(d *verdict.Diagnosis) (all []string) {
	for _, text := range []string{d.Apart, d.Where, diagnosedIn(d.Part), d.Untried} {
		if text != "" && !strings.Contains(d.Sentence, text) {
			all = append(all, Line(text))
		}
	}
	return all
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
