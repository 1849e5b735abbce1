package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"plumbline/verify/compare"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// against compares one recording with another of the same call.
func against(other string, args []string, how verifying, stdout *checked, stderr *os.File) int {
	if len(args) != 1 {
		err := fmt.Errorf("-against compares one file with another, and %d are named", len(args))
		return usageError(stderr, "verify", err)
	}
	if how.beside() {
		return usageError(stderr, "verify", errors.New("-against has its own words: no -html, -junit or -github"))
	}
	c := compared(args[0], other, how.mostWork)
	for _, v := range c.Verdicts {
		if v.Fault != "" {
			newBench(nil, nil, stderr).logFault(v.File, v.Fault)
		}
	}
	var err error
	if how.asJSON {
		err = report.ComparisonJSON(stdout, c, currentVersion())
	} else {
		err = report.WriteComparison(stdout, c, how.text)
	}
	if err != nil {
		return cutShort(err, "verify", stdout, stderr)
	}
	var one report.Summary
	one.Count(c.Status)
	return exitStatus(one)
}

// compared opens two files and compares them.
func compared(path, other string, mostWork float64) report.Comparison {
	var recordings [2]*recording.Recording
	for i, name := range []string{path, other} {
		rec, err := openOne(name)
		if err != nil {
			c := compare.Comparison{File: path, Against: other, Status: verdict.Unusable, Reason: err.Error()}
			return report.Comparison{Comparison: c}
		}
		defer rec.Close()
		recordings[i] = rec
	}
	c := report.Comparison{Comparison: compare.Within(recordings[0], recordings[1], mostWork)}
	for i, v := range c.Verdicts {
		c.Entries = append(c.Entries, report.NewEntry(v, recordings[i].Provenance))
	}
	return c
}

// openOne opens what names one recording: no folder of several.
func openOne(name string) (*recording.Recording, error) {
	list := expand(name)
	if len(list) != 1 {
		return nil, fmt.Errorf("%s: %w", filepath.Clean(name), errors.New("names several recordings, want one"))
	}
	return list[0].open()
}
