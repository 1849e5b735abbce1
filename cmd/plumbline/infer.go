package main

import (
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// infer says with which declarations recordings would be explained.
func infer(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("infer", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	if len(args) != 1 {
		return usageError(stderr, "infer", fmt.Errorf("found %d files, want one", len(args)))
	}
	rec, err := recording.Open(args[0])
	if err != nil {
		complain(stderr, "plumbline infer", err)
		return exitUnusable
	}
	defer rec.Close()
	return inferOf(rec, *asJSON, stdout, stderr)
}

func inferOf(rec *recording.Recording, asJSON bool, stdout *checked, stderr io.Writer) int {
	all, err := diagnosis.Infer(rec, op.MaxWork)
	if err != nil {
		complain(stderr, "plumbline infer", err)
		return exitUnusable
	}
	write := inferredWords
	if asJSON {
		write = inferredJSON
	}
	if err := write(stdout, rec, all); err != nil {
		return exitUnusable
	}
	return inferredStatus(all)
}

// inferredStatus is that a declaration explains, or that none does.
func inferredStatus(all []diagnosis.Inferred) int {
	if all[0].Status == verdict.Explained {
		return exitExplained
	}
	return exitUnexplained
}

func inferredJSON(w io.Writer, rec *recording.Recording, all []diagnosis.Inferred) error {
	return report.WriteJSON(w, struct {
		Plumbline    int                  `json:"plumbline"`
		File         string               `json:"file"`
		Op           string               `json:"op"`
		Declarations []diagnosis.Inferred `json:"declarations"`
	}{1, rec.Name, rec.Op, all})
}

func inferredWords(w io.Writer, rec *recording.Recording, all []diagnosis.Inferred) error {
	fmt.Fprintf(w, "%s  %s\n", report.Printable(rec.Name), rec.Op)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, i := range all {
		said, rest := i.Declares, fmt.Sprintf("rms %.3g, %.0f %% of its limit", i.RMS, 100*i.Fills)
		if said == "" {
			said = "as the recording says"
		}
		if i.Status != verdict.Explained {
			rest = report.Line(i.Reason)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", i.Status, said, rest)
	}
	return table.Flush()
}
