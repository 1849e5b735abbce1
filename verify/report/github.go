package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"plumbline/verify/verdict"
)

// GitHub writes what is not explained as commands of a GitHub workflow, which annotate the run.
type GitHub struct{ w io.Writer }

// NewGitHub returns a report that writes to w, which is the output of a step.
func NewGitHub(w io.Writer) *GitHub { return &GitHub{w: w} }

// The escapes of workflow commands: of what stands behind ::, and of a property before it.
var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Add writes one recording, if it is not explained.
func (g *GitHub) Add(e Entry) error {
	if e.Status == verdict.Explained {
		return nil
	}
	title := e.Status.String()
	if e.Op != "" {
		title += ": " + Brief(e.Op)
	}
	_, err := fmt.Fprintf(NewWorkflowLog(g.w, false), "::error file=%s,title=%s::%s\n",
		commandProperty.Replace(Printable(e.File)), commandProperty.Replace(title), commandData.Replace(e.Sentence()))
	return err
}

// Close has nothing to write.
func (g *GitHub) Close() error { return nil }

// logged passes on what goes to the log of a workflow.
type logged struct {
	w    io.Writer
	hash string // what stands for # before # and [
}

// NewWorkflowLog returns a writer for all that goes to the log of a GitHub workflow beside GitHub's
// commands: words, or JSON. The runner obeys ##[ wherever it stands in a line; its # is escaped, in
// JSON so that it reads back the same. What is written at one time is looked at by itself, so that
// lines must not be cut.
func NewWorkflowLog(w io.Writer, isJSON bool) io.Writer {
	if isJSON {
		return logged{w, `\u0023`}
	}
	return logged{w, `\x23`}
}

func (l logged) Write(p []byte) (int, error) {
	if _, err := l.w.Write(bytes.ReplaceAll(p, []byte("##["), []byte("#"+l.hash+"["))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Markdown writes a run as the summary of a workflow's step: what is not explained, and a line that
// counts.
type Markdown struct {
	w       io.Writer
	summary Summary
	rows    strings.Builder
	shown   int
}

// NewMarkdown returns a report that writes to w when it is closed.
func NewMarkdown(w io.Writer) *Markdown { return &Markdown{w: w} }

// mostRows bounds a summary, which GitHub refuses beyond a size.
const mostRows = 200

// Add takes one recording.
func (m *Markdown) Add(e Entry) error {
	m.summary.Count(e.Status)
	if e.Status == verdict.Explained {
		return nil
	}
	if m.shown++; m.shown <= mostRows {
		fmt.Fprintf(&m.rows, "| %s %s | %s | %s | %s |\n", mark(e.Status), e.Status,
			plainMarkdown(Printable(e.File)), plainMarkdown(Brief(e.Op)), plainMarkdown(e.Sentence()))
	}
	return nil
}

// Close writes all.
func (m *Markdown) Close() error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Plumbline: %s\n", m.summary)
	if m.shown > 0 {
		fmt.Fprintf(&b, "\n| verdict | recording | op | what explains it |\n|---|---|---|---|\n%s", m.rows.String())
	}
	if m.shown > mostRows {
		fmt.Fprintf(&b, "\nand %d more\n", m.shown-mostRows)
	}
	_, err := io.WriteString(m.w, b.String()+"\n")
	return err
}

// plainMarkdown escapes all that Markdown or HTML would take for more than text.
func plainMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~@&$:\"'=-", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
