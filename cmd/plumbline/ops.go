package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"plumbline/internal/catalogue"
	"plumbline/internal/spelling"
	"plumbline/verify/op"
)

// ops prints the catalogue: a line for each op, or the named ones in full; with -json all of it, or
// the named ones, as JSON.
func ops(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("ops", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	names, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	entries, err := lookupOps(names)
	switch {
	case err != nil:
		return usageError(stderr, "ops", err)
	case *asJSON:
		return writeOps(stdout, stderr, entries)
	case len(names) == 0:
		listOps(stdout)
		return exitExplained
	}
	for i, entry := range entries {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		describeOp(stdout, entry)
	}
	return exitExplained
}

// lookupOps returns the ops of these names, and all where none is named.
func lookupOps(names []string) ([]*op.Op, error) {
	if len(names) == 0 {
		return op.Ops(), nil
	}
	var entries []*op.Op
	for _, name := range names {
		entry := op.Lookup(name)
		if entry == nil {
			return nil, fmt.Errorf("no op %s%s", spelling.Quote(name), op.Near(name))
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func writeOps(stdout *checked, stderr io.Writer, entries []*op.Op) int {
	text, err := catalogue.JSON(entries)
	if err != nil {
		complain(stderr, "plumbline ops", err)
		return exitUnusable
	}
	_, _ = stdout.Write(text) // checked keeps the error
	return exitExplained
}

func listOps(w io.Writer) {
	tw := table(w)
	for _, entry := range op.Ops() {
		fmt.Fprintf(tw, "%s\t%s\n", entry.Name, entry.Doc)
	}
	_ = tw.Flush()
}

// describeOp prints an op in full: what a recording of it has to hold, and what is assumed where it
// says nothing.
func describeOp(w io.Writer, entry *op.Op) {
	fmt.Fprintf(w, "%s: %s\n", entry.Name, entry.Doc)
	section(w, "inputs", tensorRows(entry.Inputs, ""))
	section(w, "outputs (each may be left out, one is needed)", tensorRows(entry.Outputs, "out."))
	var attrs, keys [][]string
	for _, a := range entry.Attrs {
		attrs = append(attrs, []string{a.Name, a.Values(), attrDefault(a), a.Doc})
	}
	for _, k := range entry.Arithmetic {
		value := "default " + k.Default
		if k.Default == "required" {
			value = k.Default
		}
		keys = append(keys, []string{k.Name, value, k.Doc})
	}
	section(w, "attrs", attrs)
	section(w, "arithmetic", keys)
	if len(entry.Sides) > 0 {
		fmt.Fprintf(w, "  or each in an object for one side: %s\n", strings.Join(entry.Sides, ", "))
	}
	section(w, "mistakes, and when they do not show", mistakeRows(entry.Mistakes()))
	if len(entry.Equations) > 0 { // a step of hardware has none
		fmt.Fprintf(w, "\nequations\n  %s\n", strings.Join(entry.Equations, ", "))
	}
}

func tensorRows(tensors []op.Tensor, prefix string) [][]string {
	var rows [][]string
	for _, t := range tensors {
		kind := t.TypeText()
		if t.Optional {
			kind += ", optional"
		}
		rows = append(rows, []string{prefix + t.Name, t.ShapeText(), kind, t.Doc})
	}
	return rows
}

func mistakeRows(mistakes []op.Mistake) [][]string {
	var rows [][]string
	for _, m := range mistakes {
		rows = append(rows, []string{m.ID, m.Sentence}, []string{"", "hidden: " + m.Hidden})
	}
	return rows
}

func attrDefault(a op.Attr) string {
	if a.Missing == "required" {
		return a.Missing
	}
	return "default " + a.String()
}

// section prints rows of words under a heading, in columns. Nothing is printed of a section that is
// empty.
func section(w io.Writer, heading string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	tw := table(w)
	for _, row := range rows {
		fmt.Fprintln(tw, "  "+strings.Join(row, "\t"))
	}
	_ = tw.Flush()
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }
