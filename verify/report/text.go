package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"plumbline/verify/verdict"
)

// Text writes a run in words: one line for each recording, under it what a failure looks like, and
// a last line that counts.
type Text struct {
	w       io.Writer
	options TextOptions
	width   int // of the column of files
	summary Summary
}

// TextOptions says how a run is written in words.
type TextOptions struct {
	Files   []string // the names that will come, so that the columns stand in line from the first; may be left out
	Color   bool     // colour the word of the verdict
	Details bool     // write the scores of every output, not only of those that fail
}

// widestFile bounds the column of files; longer names push their own line only.
const widestFile = 80

// NewText returns a report that writes to w.
func NewText(w io.Writer, options TextOptions) *Text {
	t := &Text{w: w, options: options}
	for _, f := range options.Files {
		t.width = max(t.width, min(utf8.RuneCountInString(Printable(f)), widestFile))
	}
	return t
}

// Add writes one recording, by the digits that JSON has, so that words are the same whether they
// are written when recordings are judged or later.
func (t *Text) Add(e Entry) error {
	e = e.asPrinted()
	t.summary.Count(e.Status)
	var b strings.Builder
	t.line(&b, e.Verdict)
	writeSigns(&b, e.Outputs)
	writeDiagnosis(&b, e.Diagnosis)
	if t.options.Details {
		writeBlind(&b, e.Vouching)
	}
	for _, o := range e.Outputs {
		if t.options.Details || o.Status == verdict.Unexplained {
			writeOutput(&b, o, t.options.Details)
		}
	}
	if t.options.Details || e.Status == verdict.Unexplained {
		writeProvenance(&b, e.Provenance)
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

// Close writes the line that counts.
func (t *Text) Close() error {
	_, err := fmt.Fprintln(t.w, t.summary)
	return err
}

// Words returns what Text writes of one recording, in full, without colour.
func Words(e Entry) string {
	var b strings.Builder
	t := NewText(&b, TextOptions{Details: true})
	_ = t.Add(e)
	return b.String()
}

// widest words of the first and the third column.
const (
	statusWidth = len("undetermined")
	opWidth     = len("attention.backward")
)

// line writes the line that is read at a glance. Of several outputs it has the scores of the one
// nearest its limits; where nothing was judged to an end, it has the reason.
func (t *Text) line(b *strings.Builder, v verdict.Verdict) {
	status := fmt.Sprintf("%-*s", statusWidth, v.Status)
	if t.options.Color {
		status = colour(v.Status) + status + "\x1b[0m"
	}
	op := v.Op
	if op == "" {
		op = "-"
	}
	fmt.Fprintf(b, "%s  %-*s  %-*s  ", status, t.width, Printable(v.File), opWidth, Brief(op))
	glance(b, v)
	b.WriteByte('\n')
}

// glance writes what is said of a recording beside its name.
func glance(b *strings.Builder, v verdict.Verdict) {
	nearest := nearestLimit(v.Outputs)
	if v.Status == verdict.Unusable || v.Status == verdict.Undetermined || nearest < 0 {
		b.WriteString(Line(v.Reason))
		return
	}
	scores(b, v.Outputs[nearest])
	others(b, v, nearest)
	if known := v.Vouching; known != nil {
		fmt.Fprintf(b, "  vouches against %d of %d", known.Against, known.Known)
	}
}

// Sentence returns what is said of a recording in one line, in every form of a report: what would
// explain it, else why it is not explained, else its scores as they are printed.
func (e Entry) Sentence() string {
	switch {
	case e.Diagnosis != nil:
		return Line(e.Diagnosis.Sentence)
	case e.Reason != "":
		return Line(e.Reason)
	}
	var b strings.Builder
	glance(&b, e.asPrinted().Verdict)
	return strings.Join(strings.Fields(b.String()), " ")
}

// writeSigns says of outputs that are too large to be recomputed how they were checked.
func writeSigns(b *strings.Builder, outputs []verdict.Output) {
	for _, o := range outputs {
		if o.Signs != nil {
			fmt.Fprintf(b, "  %s: %s\n    %s\n", Printable(o.Name), o.Signs.InWords(), o.Signs.Misses())
		}
	}
}

// writeBlind names the mistakes that the recording would not show.
func writeBlind(b *strings.Builder, v *verdict.Vouching) {
	if v != nil && len(v.Blind) > 0 {
		fmt.Fprintf(b, "      blind to: %s\n", Line(strings.Join(v.Blind, ", ")))
	}
	if v != nil && len(v.Holds) > 0 {
		fmt.Fprintf(b, "      the declared arithmetic explains it, and it holds: %s\n",
			Line(strings.Join(v.Holds, "; ")))
	}
}

// others writes what is to be said of the outputs beside the one nearest its limit.
func others(b *strings.Builder, v verdict.Verdict, nearest int) {
	what := "nearest its limit"
	if v.Status == verdict.Unexplained {
		what = "farthest beyond its limit"
	}
	if n := len(v.Outputs); n > 1 {
		fmt.Fprintf(b, "  (%s of %d outputs)", what, n)
	}
	for i, o := range v.Outputs {
		if i != nearest && o.Allowed > 0 {
			fmt.Fprintf(b, "  %s: %s", Printable(o.Name), Line(o.InWords()))
		}
		if o.Vouches > 0 {
			fmt.Fprintf(b, "  %s to 1 ± %s", Printable(o.Name), brief(o.Vouches))
		}
		if o.NotJudged != "" {
			fmt.Fprintf(b, "  %s: %s", Printable(o.Name), Line(o.NotJudged))
		}
	}
}

// scores writes an output's name and what is to be said of it on one line.
func scores(b *strings.Builder, o verdict.Output) {
	fmt.Fprintf(b, "%-8s ", Printable(o.Name))
	switch {
	case o.Rows > 0:
		b.WriteString(Line(o.InWords()))
	case o.NonFinite > 0 && o.NonFinite == o.Elements:
		b.WriteString(nothingComparable(o))
	case exact(o):
		b.WriteString(allExact(o))
	case notExact(o):
		b.WriteString(worstInexact(o))
	default:
		fmt.Fprintf(b, "max %6sσ of %-5s rms %6s of %s",
			score(o.MaxZ), score(o.MaxZLimit), score(o.RMS), score(o.RMSLimit))
		if o.NonFinite > 0 {
			fmt.Fprintf(b, "  %d NaN or Inf out of place", o.NonFinite)
		}
	}
}

// exact tells whether no element may err and none does: then there is nothing to score.
func exact(o verdict.Output) bool { return o.Status == verdict.Explained && o.RMSLimit == 0 }

// notExact tells whether no element may err and some do.
func notExact(o verdict.Output) bool {
	return o.Status == verdict.Unexplained && o.RMSLimit == 0 && o.NonFinite == 0
}

func worstInexact(o verdict.Output) string {
	return fmt.Sprintf("not exact, as it has to be: worst element off by %s ulp", score(o.WorstUlp))
}

func allExact(o verdict.Output) string {
	if o.Elements == 1 {
		return "the element is exact, as it has to be"
	}
	return fmt.Sprintf("all %d elements are exact, as they have to be", o.Elements)
}

// nothingComparable says of an output without one element of the truth's kind what stands in the
// truth's place. Scores are those of elements of its kind, so there are none.
func nothingComparable(o verdict.Output) string {
	text := fmt.Sprintf("all %d elements are NaN or Inf out of place", o.Elements)
	if o.Elements == 1 {
		text = "the one element is NaN or Inf out of place"
	}
	if len(o.Worst) > 0 {
		text += fmt.Sprintf(": the first is %.9g, the truth %.9g", o.Worst[0].Got, o.Worst[0].Want)
	}
	return text
}

func colour(s verdict.Status) string {
	switch s {
	case verdict.Explained:
		return "\x1b[32m"
	case verdict.Undetermined:
		return "\x1b[33m"
	case verdict.Unexplained:
		return "\x1b[31m"
	}
	return "\x1b[35m"
}

// nearestLimit returns the index of the output whose verdict is worst, and among equals the one
// whose scores fill most of their limits; −1 if there is none.
func nearestLimit(outputs []verdict.Output) int {
	best, fill := -1, 0.0
	for i, o := range outputs {
		f := max(share(o.MaxZ, o.MaxZLimit), share(o.RMS, o.RMSLimit), share(math.Abs(o.Bias), o.BiasLimit))
		if best < 0 || o.Status > outputs[best].Status || o.Status == outputs[best].Status && f > fill {
			best, fill = i, f
		}
	}
	return best
}

// share is how much of its limit a score fills, nothing where there is no limit.
func share(score, limit float64) float64 {
	if limit == 0 {
		return 0
	}
	return score / limit
}

// writeOutput writes everything known of one output: scores and limits, the tests that failed, the
// worst elements, and where the error sits.
func writeOutput(b *strings.Builder, o verdict.Output, details bool) {
	fmt.Fprintf(b, "    %s: %s %v, %s\n", Printable(o.Name), Brief(o.Type), o.Shape, o.Status)
	writeScores(b, o)
	for i, reason := range o.Reasons {
		fmt.Fprintf(b, "      %-6s  %s\n", first(i, "failed"), Line(reason))
	}
	writeWorst(b, shown(o), details)
	writeSlices(b, o.Slices)
}

// writeScores writes the scores of an output, what one number vouches for, and what would have
// passed as well.
func writeScores(b *strings.Builder, o verdict.Output) {
	if o.Rows > 0 {
		writeChoice(b, o.ChoiceCount)
		return
	}
	if o.NonFinite > 0 && o.NonFinite == o.Elements {
		fmt.Fprintf(b, "      scores  none, %s\n", nothingComparable(o))
		return
	}
	if exact(o) {
		fmt.Fprintf(b, "      scores  none, %s\n", allExact(o))
		return
	}
	if notExact(o) {
		fmt.Fprintf(b, "      scores  none, %s\n", worstInexact(o))
		return
	}
	fmt.Fprintf(b, "      scores  max %sσ of %s, rms %s of %s, bias %s %s, worst element off by %s ulp\n",
		score(o.MaxZ), score(o.MaxZLimit), score(o.RMS), score(o.RMSLimit), score(o.Bias), biasLimit(o),
		score(o.WorstUlp))
	if o.Vouches > 0 {
		fmt.Fprintf(b, "      one number, which the arithmetic explains to 1 ± %s\n", brief(o.Vouches))
	}
	if len(o.Blind) > 0 && o.Status != verdict.Undetermined {
		fmt.Fprintf(b, "      blind   %s\n", Line(verdict.WouldPass(o.Blind)))
	}
}

// biasLimit writes the limit of a bias, where one is judged.
func biasLimit(o verdict.Output) string {
	if o.BiasLimit == 0 {
		return "(not judged: the errors may share a sign)"
	}
	return "of ±" + score(o.BiasLimit)
}

// first returns the label for the first of several lines and nothing for the others.
func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// explainedShown is how many of the worst elements are shown of an output that did not fail.
const explainedShown = 3

// shown keeps the elements beyond the limit, or all where none is: then it is their number that
// fails. Of an output that did not fail it keeps the first few.
func shown(o verdict.Output) []verdict.Element {
	n := 0
	for n < len(o.Worst) && o.Worst[n].Z > o.MaxZLimit {
		n++
	}
	switch {
	case o.Status != verdict.Unexplained:
		return o.Worst[:min(len(o.Worst), explainedShown)]
	case n == 0:
		return o.Worst
	}
	return o.Worst[:n]
}

// writeWorst writes the worst elements as a table: recorded and true value, in decimal and as the
// bits of the output type, and with details σ.
func writeWorst(b *strings.Builder, worst []verdict.Element, details bool) {
	if len(worst) == 0 {
		return
	}
	var table strings.Builder
	tw := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	sigma := func(words string) string {
		if details {
			return words + "\t"
		}
		return ""
	}
	fmt.Fprintf(tw, "worst \tat\trecorded\t\ttrue\t\terror\tin σ\t%s\n", sigma("σ"))
	for _, e := range worst {
		fmt.Fprintf(tw, "\t%s\t%.9g\t%s\t%.9g\t%s\t%s ulp\t%sσ\t%s\n",
			place(e.Index), e.Got, Printable(e.GotHex), e.Want, Printable(e.WantHex), signed(e.Ulps), score(e.Z),
			sigma(score(e.Sigma)))
	}
	_ = tw.Flush()
	for line := range strings.Lines(table.String()) {
		b.WriteString("      " + strings.TrimRight(line, " \n") + "\n")
	}
}

// place writes the index of an element: [2,0,5].
func place(index []int) string { return strings.ReplaceAll(fmt.Sprint(index), " ", ",") }

// writeSlices says where an output is beyond its limits.
func writeSlices(b *strings.Builder, all []verdict.Slice) {
	for i, words := range wheres(all) {
		fmt.Fprintf(b, "      %-6s  %s\n", first(i, "where"), words)
	}
}

// wheres says where an output is beyond its limits: a line for each kind of slice, the kind that
// stands out most first.
func wheres(all []verdict.Slice) (lines []string) {
	byAxis := map[string][]verdict.Slice{}
	var axes []string
	for _, s := range all {
		if byAxis[s.Axis] == nil {
			axes = append(axes, s.Axis)
		}
		byAxis[s.Axis] = append(byAxis[s.Axis], s)
	}
	slices.SortStableFunc(axes, func(x, y string) int {
		return cmp.Compare(excess(byAxis[y][0]), excess(byAxis[x][0]))
	})
	for _, axis := range axes {
		lines = append(lines, where(byAxis[axis]))
	}
	return lines
}

// excess is how far a slice lies beyond its limit.
func excess(s verdict.Slice) float64 { return s.RMS / s.Limit }

// where says in words how far the worst slice of an axis lies beyond its limit, and which others
// do: "head 3 of 8: rms 14.2 (limit 1.41), max 52σ; also 5, 6".
func where(failed []verdict.Slice) string {
	s := failed[0]
	text := fmt.Sprintf("%s %s of %s: rms %s (limit %s), max %sσ",
		Printable(s.Axis), index(s.Index), index(s.Of), score(s.RMS), score(s.Limit), score(s.MaxZ))
	if s.Constant {
		text += ", one value throughout"
	}
	for i, other := range failed[1:] {
		text += []string{"; also ", ", "}[min(i, 1)] + index(other.Index)
	}
	return text
}

// index writes the index on one axis as a number and one on several as [2,5].
func index(at []int) string {
	if len(at) == 1 {
		return strconv.Itoa(at[0])
	}
	return place(at)
}

// provenanceKeys are the keys of provenance that have a meaning, in the order in which they are
// written.
var provenanceKeys = []string{"producer", "source", "device", "driver", "toolchain", "command", "recorded_at", "note"}

func writeProvenance(b *strings.Builder, p map[string]any) {
	var parts []string
	for _, key := range provenanceKeys {
		if v, ok := p[key]; ok {
			parts = append(parts, Brief(fmt.Sprint(v)))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "    recorded by %s\n", strings.Join(parts, ", "))
	}
}

// score writes a score with three digits, and without an exponent where six places do.
func score(x float64) string {
	if a := math.Abs(x); a >= 1000 && a < 1e6 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// brief writes a number with two digits.
func brief(x float64) string { return strconv.FormatFloat(x, 'g', 2, 64) }

// signed is score with the sign of a positive number.
func signed(x float64) string {
	if x > 0 && !math.IsInf(x, 1) {
		return "+" + score(x)
	}
	return score(x)
}

// Printable quotes a string that holds anything a terminal would obey, or that turns the direction
// of text.
func Printable(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// mostShown bounds what is shown of one value of a file, which may be as long as the file.
const mostShown = 200

// Brief is Printable for a value that may be long: its beginning, with "…" where it goes on.
func Brief(s string) string {
	cut := 0
	for i := range s {
		if cut++; cut > mostShown {
			return Printable(s[:i]) + "…"
		}
	}
	return Printable(s)
}

// Line returns a message as one line that a terminal shows and does not obey: what Printable would
// quote the whole for is written as in a string of Go, \n or \x1b, and all else stays as it is.
func Line(s string) string {
	if Printable(s) == s {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if part := s[:n]; r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			b.WriteString(strings.Trim(strconv.Quote(part), `"`))
		} else {
			b.WriteString(part)
		}
		s = s[n:]
	}
	return b.String()
}
