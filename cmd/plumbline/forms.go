package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"plumbline/verify/report"
)

// forms are in which forms a run is reported: in words or JSON on the standard output, and in files
// beside.
type forms struct {
	asJSON, github bool
	html, junit    string
	text           report.TextOptions
	inputs         []string     // what is read, which no form is written over
	shard          report.Shard // which part of a run it is
}

// reportFlags declares the flags of a command that reports a run.
func reportFlags(flags *flag.FlagSet) *forms {
	f := &forms{}
	flags.BoolVar(&f.asJSON, "json", false, "")
	flags.BoolVar(&f.text.Details, "v", false, "")
	flags.StringVar(&f.html, "html", "", "")
	flags.StringVar(&f.junit, "junit", "", "")
	flags.BoolVar(&f.github, "github", false, "")
	return f
}

// draws tells whether somebody will see pictures, or the worst elements of what is explained.
func (f forms) draws() bool { return f.html != "" || f.text.Details }

// beside tells whether anything is written beside the standard output.
func (f forms) beside() bool { return f.html != "" || f.junit != "" || f.github }

// log returns what goes to the standard error, which is the log of a workflow where one is
// annotated.
func (f forms) log(stderr io.Writer) io.Writer {
	if f.github {
		return report.NewWorkflowLog(stderr, false)
	}
	return stderr
}

// written is a run that is reported in several forms.
type written struct {
	report.Report
	files   []*os.File
	targets []*besideFile
}

// open begins the files and returns what writes all forms. A file that cannot be written, or must
// not be, is an error before anything is judged.
func (f forms) open(names []string, version string, stdout *checked, stderr *os.File) (*written, error) {
	w := &written{}
	all := []report.Report{f.onStdout(names, version, stdout)}
	err := f.checkTargets(stdout.file, stderr)
	if err == nil {
		err = w.create(f.html, "-html", func(file *os.File) { all = append(all, report.NewHTML(file, version)) })
	}
	if err == nil {
		err = w.create(f.junit, "-junit", func(file *os.File) { all = append(all, report.NewJUnit(file)) })
	}
	if err == nil && f.github {
		if f.asJSON { // which must stay JSON; GitHub reads both
			all = append(all, report.NewGitHub(stderr))
		} else {
			all = append(all, report.NewGitHub(stdout))
		}
		err = w.appendTo(os.Getenv("GITHUB_STEP_SUMMARY"), func(file *os.File) {
			all = append(all, report.NewMarkdown(file))
		})
	}
	if err != nil {
		return nil, w.finish(err)
	}
	w.Report = report.Several(all...)
	return w, nil
}

// checkTargets checks that no form is written over another, or over anything else of the run.
func (f forms) checkTargets(streams ...*os.File) error {
	for _, t := range []struct{ flag, name, begin string }{
		{"-html", f.html, "<!doctype html>"}, {"-junit", f.junit, "<?xml"},
	} {
		if t.name == "" {
			continue
		}
		err := f.taken(t.name, streams...)
		if err == nil {
			err = another(t.name, t.begin)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.flag, err)
		}
	}
	if f.html != "" && f.junit != "" && sameFile(f.html, f.junit) {
		return fmt.Errorf("-html and -junit: both are %s", f.html)
	}
	return nil
}

// onStdout returns what is written to the standard output.
func (f forms) onStdout(names []string, version string, stdout *checked) report.Report {
	var out io.Writer = stdout
	if f.github {
		out = report.NewWorkflowLog(stdout, f.asJSON)
	}
	switch {
	case f.asJSON && f.text.Details:
		return report.NewShardJSON(out, version, f.shard)
	case f.asJSON:
		return report.InBrief(report.NewShardJSON(out, version, f.shard))
	}
	f.text.Files = append(f.text.Files, names...)
	return report.NewText(out, f.text)
}

// create begins a file, if it has a name.
func (w *written) create(name, flag string, use func(*os.File)) error {
	if name == "" {
		return nil
	}
	t, err := createBeside(name)
	if t != nil && t.File != nil {
		w.files, w.targets = append(w.files, t.File), append(w.targets, t)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", flag, name, reason(err))
	}
	use(t.File)
	return nil
}

// appendTo opens a file that others write to as well.
func (w *written) appendTo(name string, use func(*os.File)) error {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	w.files = append(w.files, file)
	use(file)
	return nil
}

// finish closes the files, and returns the error that there was or what closing says. Where there
// is one, no file is left that was begun.
func (w *written) finish(err error) error {
	for _, file := range w.files {
		err = errors.Join(err, file.Close())
	}
	for _, t := range w.targets {
		err = t.finish(err)
	}
	return err
}
