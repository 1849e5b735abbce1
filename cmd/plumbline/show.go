package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"plumbline/course/hand"
	"plumbline/internal/spelling"
	"plumbline/verify/op"
	"plumbline/verify/report"
)

// show prints calculations worked by hand: of an op or a page in small numbers, of a recording for
// its first row; or stories.
func show(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	stories := flags.Bool("story", false, "")
	args, status, done := parse(flags, args, stdout, stderr)
	switch {
	case done:
		return status
	case *stories:
		return tell(args, stdout, stderr)
	case len(args) == 0:
		listSheets(stdout)
		return exitExplained
	}
	for i, arg := range args {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		sheets, err := sheetsOf(arg)
		if err != nil {
			complain(stderr, "plumbline show", err)
			return exitUnusable
		}
		printSheets(stdout, sheets)
	}
	return exitExplained
}

// listSheets prints what can be shown without a recording.
func listSheets(w io.Writer) {
	var rows [][]string
	for _, name := range hand.Ops() {
		rows = append(rows, []string{name, op.Lookup(name).Doc})
	}
	section(w, "ops, in small numbers or for the first row of a recording", rows)
	section(w, "pages", hand.List())
}

// sheetsOf returns those of an op, a page or a file.
func sheetsOf(arg string) ([]*hand.Sheet, error) {
	sheets, err := hand.Named(arg)
	if err == nil || op.Lookup(arg) != nil {
		return sheets, err
	}
	switch _, missing := os.Stat(arg); {
	case errors.Is(missing, fs.ErrNotExist):
		return nil, fmt.Errorf("no op, page or file %s%s", spelling.Quote(arg), spelling.Suggest(arg, hand.Names()))
	case missing != nil:
		return nil, fmt.Errorf("%s: %w", arg, reason(missing))
	}
	sheet, err := sheetOfFile(arg)
	return []*hand.Sheet{sheet}, err
}

// sheetOfFile returns the calculation of a recording's first row.
func sheetOfFile(path string) (sheet *hand.Sheet, err error) {
	rec, err := file(path).open()
	if err != nil {
		return nil, err
	}
	sheet, err = hand.Recorded(rec)
	if err == nil {
		sheet.Title = report.Printable(rec.Name) + "\n" + sheet.Title
	}
	return sheet, errors.Join(err, rec.Close())
}

func printSheets(w io.Writer, sheets []*hand.Sheet) {
	for i, s := range sheets {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprint(w, s.Text())
	}
}
