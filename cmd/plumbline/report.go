package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"plumbline/verify/report"
)

// join reads JSON reports, of the shards of a run or of several machines, and reports all as one.
func join(args []string, stdout *checked, stderr *os.File) int {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	forms := reportFlags(flags)
	color := flags.String("color", "auto", "")
	partial := flags.Bool("partial", false, "")
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
	forms.inputs = args
	all, err := readWhole(args, *partial, forms.log(stderr))
	if err != nil {
		complain(forms.log(stderr), "plumbline report", err)
		return exitUnusable
	}
	return rewrite(all, *forms, stdout, stderr)
}

// readWhole reads reports of which no shard is missing; where some may be, it says which are.
func readWhole(files []string, partial bool, log io.Writer) (joined, error) {
	all, err := readReports(files, os.Stdin)
	if gaps := all.gaps(); err == nil && gaps != nil {
		if !partial {
			return joined{}, fmt.Errorf("%w (-partial joins what is there)", gaps)
		}
		complain(log, "plumbline report", gaps)
	}
	return all, err
}

// rewrite writes what was read in the forms that are asked for.
func rewrite(all joined, forms forms, stdout *checked, stderr *os.File) int {
	log := forms.log(stderr)
	if len(all.versions) > 1 {
		complain(log, "plumbline report",
			fmt.Errorf("the reports are of different versions: %s", strings.Join(all.versions, ", ")))
	}
	out, err := forms.open(all.names(), strings.Join(all.versions, ", "), stdout, stderr)
	if err != nil {
		return usageError(log, "report", err)
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
		return cutShort(err, "report", stdout, log)
	}
	return exitStatus(summary)
}

// joined is what several reports hold, in the order in which they are named.
type joined struct {
	versions []string // each once
	entries  []report.Entry
	parts    []part
}

// part is a report that is one shard of a run.
type part struct {
	report.Shard
	file string
}

// gaps says which shards are missing, or there twice. Shards of as many are of one run.
func (j joined) gaps() error {
	var said []string
	var totals []int
	first, present := map[report.Shard]string{}, map[int][]int{}
	for _, p := range j.parts {
		if file, twice := first[p.Shard]; twice {
			said = append(said,
				fmt.Sprintf("shard %d of %d is there twice, in %s and in %s", p.Index, p.Of, file, p.file))
			continue
		}
		if first[p.Shard] = p.file; present[p.Of] == nil {
			totals = append(totals, p.Of)
		}
		present[p.Of] = append(present[p.Of], p.Index)
	}
	for _, of := range totals {
		if missing := missingOf(of, present[of]); missing != "" {
			said = append(said, missing)
		}
	}
	if len(said) > 0 {
		return errors.New(strings.Join(said, "; "))
	}
	return nil
}

// missingOf names the shards that are not present: "shards 2, 5–7 of 8 are missing".
func missingOf(of int, present []int) string {
	slices.Sort(present)
	var gaps []string
	add := func(from, to int) {
		if from == to {
			gaps = append(gaps, fmt.Sprint(from))
		} else if from < to {
			gaps = append(gaps, fmt.Sprintf("%d–%d", from, to))
		}
	}
	last := 0
	for _, at := range present {
		add(last+1, at-1)
		last = at
	}
	if last < of {
		add(last+1, of)
	}
	switch {
	case len(gaps) == 0:
		return ""
	case len(gaps) == 1 && !strings.Contains(gaps[0], "–"):
		return fmt.Sprintf("shard %s of %d is missing", gaps[0], of)
	}
	return fmt.Sprintf("shards %s of %d are missing", strings.Join(gaps, ", "), of)
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
		if run.Shard != nil {
			all.parts = append(all.parts, part{*run.Shard, name})
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
