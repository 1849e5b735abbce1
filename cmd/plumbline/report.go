package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"plumbline/verify/report"
)

// join reads JSON reports, of the shards of a run or of several machines, and reports all as one.
func join(args []string, stdout *checked, stderr *os.File) int {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	forms := reportFlags(flags)
	color := flags.String("color", "auto", "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	var err error
	if forms.text.Color, err = wantsColor(*color, stdout.file); err == nil && len(args) == 0 {
		err = errors.New("no report is named, want files that verify -json has written, or - for the standard input")
	}
	if err != nil {
		return usageError(stderr, "report", err)
	}
	all, err := readReports(args, os.Stdin)
	if err != nil {
		complain(stderr, "plumbline report", err)
		return exitUnusable
	}
	return rewrite(all, *forms, stdout, stderr)
}

// rewrite writes what was read in the forms that are asked for.
func rewrite(all joined, forms forms, stdout *checked, stderr *os.File) int {
	if len(all.versions) > 1 {
		complain(stderr, "plumbline report",
			fmt.Errorf("the reports are of different versions: %s", strings.Join(all.versions, ", ")))
	}
	out, err := forms.open(all.names(), strings.Join(all.versions, ", "), stdout, stderr)
	if err != nil {
		return usageError(stderr, "report", err)
	}
	var summary report.Summary
	for _, e := range all.entries {
		summary.Count(e.Status)
		if err = out.Add(e); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Close()
	}
	if err = out.finish(err); err != nil {
		return cutShort(err, "report", stdout, stderr)
	}
	return exitStatus(summary)
}

// joined is what several reports hold, in the order in which they are named.
type joined struct {
	versions []string // each once
	entries  []report.Entry
}

func (j joined) names() (all []string) {
	for _, e := range j.entries {
		all = append(all, e.File)
	}
	return all
}

// readReports reads reports, "-" from stdin.
func readReports(files []string, stdin io.Reader) (all joined, err error) {
	seen := map[string]bool{}
	for _, name := range files {
		run, err := readReport(name, stdin)
		if err != nil {
			return joined{}, err
		}
		if !seen[run.Version] {
			seen[run.Version] = true
			all.versions = append(all.versions, run.Version)
		}
		all.entries = append(all.entries, run.Recordings...)
	}
	return all, nil
}

func readReport(name string, stdin io.Reader) (*report.Run, error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, reason(err))
		}
		defer file.Close()
		from = file
	}
	run, err := report.Read(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return run, nil
}
