package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"plumbline/internal/spelling"
	"plumbline/verify/foreign"
	"plumbline/verify/report"
)

// imported is what is said of an import.
type imported struct {
	Plumbline  int              `json:"plumbline"`
	Format     string           `json:"format"`
	Source     []string         `json:"source"`
	Op         string           `json:"op"`
	Written    string           `json:"written,omitempty"` // nothing, where something needed is left
	Request    bool             `json:"request,omitempty"` // without outputs
	Mapped     []importedTensor `json:"mapped"`
	Attrs      map[string]any   `json:"attrs"`
	Arithmetic map[string]any   `json:"arithmetic"`
	Left       []importedLeft   `json:"left"`
}

// importedTensor is a tensor of the recording.
type importedTensor struct {
	Tensor string `json:"tensor"`
	From   string `json:"from"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	How    string `json:"how,omitempty"`
}

// importedLeft is what nothing was made of.
type importedLeft struct {
	Name   string `json:"name"`
	Why    string `json:"why"`
	Needed bool   `json:"needed,omitempty"`
}

func sayImport(got *foreign.Import, paths []string) imported {
	said := imported{
		Plumbline: 1, Format: got.Format, Source: paths, Op: got.Op, Mapped: []importedTensor{}, Left: []importedLeft{},
		Attrs: map[string]any{}, Arithmetic: map[string]any{},
	}
	for _, m := range got.Mapped {
		said.Mapped = append(said.Mapped, importedTensor{m.To, m.From, m.Type.String(), m.Shape, m.How})
	}
	for _, l := range got.Left {
		said.Left = append(said.Left, importedLeft(l))
	}
	if got.Recording != nil {
		said.Attrs, said.Arithmetic = got.Recording.Attrs, got.Recording.Arithmetic
		said.Request = got.Recording.IsRequest()
	}
	return said
}

// write says it in words.
func (said imported) write(w io.Writer) {
	switch {
	case said.Written == "":
		fmt.Fprintf(w, "nothing written: %s of %s\n", said.Format, said.Op)
	case said.Request:
		fmt.Fprintf(w, "wrote %s: %s of %s, a request: no file has an output\n", report.Printable(said.Written),
			said.Format, said.Op)
	default:
		fmt.Fprintf(w, "wrote %s: %s of %s\n", report.Printable(said.Written), said.Format, said.Op)
	}
	var rows strings.Builder
	t := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	for _, m := range said.Mapped {
		how := ""
		if m.How != "" {
			how = "(" + report.Printable(m.How) + ")"
		}
		fmt.Fprintf(t, "  %s\tfrom %s\t%s\t%v\t%s\n", m.Tensor, report.Printable(m.From), m.DType, m.Shape, how)
	}
	writeObject(t, "attrs", said.Attrs)
	writeObject(t, "arithmetic", said.Arithmetic)
	t.Flush()
	for line := range strings.Lines(rows.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	said.writeLeft(w)
}

// writeObject writes what a recording says under a word.
func writeObject(w io.Writer, word string, object map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", word, report.Printable(key), report.Printable(spelling.Show(object[key])))
	}
}

// writeLeft says what nothing was made of, what is needed first.
func (said imported) writeLeft(w io.Writer) {
	for _, needed := range []bool{true, false} {
		word := map[bool]string{true: "wants  ", false: "left   "}[needed]
		for _, l := range said.Left {
			if l.Needed == needed {
				fmt.Fprintf(w, "  %s%s: %s\n", word, report.Printable(l.Name), report.Line(l.Why))
			}
		}
	}
}
