package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	_ "plumbline/verify/emulate/all"

	"plumbline/verify/emulate"
	"plumbline/verify/evidence"
	"plumbline/verify/op"
)

// How many requests of each op the two forms run, and how many right kernels of each.
const (
	quickSeeds, quickTurns = 4, 1
	fullSeeds, fullTurns   = 24, 3
)

// measured is what the flags of the command ask for.
type measured struct {
	asJSON, full bool
	svg, folder  string
	options      evidence.Options
}

// measure runs right and wrong kernels through the verdict and the criteria of others, and reports
// how often each is right.
func measure(args []string, stdout *checked, stderr *os.File) int {
	m, status, done := evidenceFlags(args, stdout, stderr)
	if done {
		return status
	}
	r, err := m.run(stderr)
	if err == nil {
		err = m.write(r, stdout)
	}
	switch {
	case err != nil && stdout.err == nil: // else it is said once, for all commands
		complain(stderr, "plumbline evidence", err)
		return exitUnusable
	case err != nil:
		return exitUnusable
	case !r.Kept():
		return exitUnexplained
	}
	return exitExplained
}

func evidenceFlags(args []string, stdout *checked, stderr io.Writer) (m measured, status int, done bool) {
	flags := flag.NewFlagSet("evidence", flag.ContinueOnError)
	opName := flags.String("op", "", "")
	flags.BoolVar(&m.asJSON, "json", false, "")
	flags.BoolVar(&m.full, "full", false, "")
	flags.StringVar(&m.svg, "svg", "", "")
	flags.StringVar(&m.folder, "o", "docs", "")
	flags.IntVar(&m.options.Seeds, "seeds", 0, "")
	rest, status, done := parse(flags, args, stdout, stderr)
	if done {
		return m, status, true
	}
	if err := m.choose(*opName, rest); err != nil {
		return m, usageError(stderr, "evidence", err), true
	}
	return m, exitExplained, false
}

// choose fills in what is measured.
func (m *measured) choose(opName string, rest []string) error {
	o := &m.options
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q: want no argument", rest[0])
	case o.Seeds < 0:
		return fmt.Errorf("-seeds %d: want a number above 0", o.Seeds)
	case opName != "" && op.Lookup(opName) == nil:
		return fmt.Errorf("no op %q%s", opName, op.Near(opName))
	case opName != "" && !slices.Contains(emulate.Ops(), opName):
		return fmt.Errorf("%s: has no emulated kernels", opName)
	}
	seeds := quickSeeds
	o.Turns, o.Exp2 = quickTurns, []int{0, -6, 6}
	if m.full {
		seeds, o.Turns, o.Large, o.Cases = fullSeeds, fullTurns, true, opName == ""
	}
	o.Seeds = cmp.Or(o.Seeds, seeds)
	if opName != "" {
		o.Ops = []string{opName}
	}
	return nil
}

// run measures, and says on a terminal how far it is.
func (m measured) run(stderr *os.File) (evidence.Report, error) {
	watch := newProgress(m.options.Jobs(), stderr)
	defer watch.start()()
	m.options.Begin = func(name string) {
		w := &waiting{name: name}
		watch.begin(w)
		watch.await(w)
	}
	m.options.End = func() {
		watch.end()
		watch.step()
	}
	return evidence.Run(m.options)
}

// write writes the report, and the picture and the page where they are asked for.
func (m measured) write(r evidence.Report, stdout *checked) error {
	if m.svg != "" {
		if err := save(m.svg, r.WriteSVG); err != nil {
			return err
		}
	}
	if m.full {
		if err := m.writePage(r); err != nil {
			return err
		}
	}
	if m.asJSON {
		return r.WriteJSON(stdout, currentVersion())
	}
	return r.WriteText(stdout)
}

// writePage writes the page with its picture and its numbers.
func (m measured) writePage(r evidence.Report) error {
	stamp := evidence.Stamp{
		Machine: cmp.Or(os.Getenv("PLUMBLINE_MACHINE"), thisMachine()),
		Date:    cmp.Or(os.Getenv("PLUMBLINE_DATE"), time.Now().UTC().Format(time.DateOnly)),
		Version: cmp.Or(os.Getenv("PLUMBLINE_VERSION"), currentVersion()),
	}
	return errors.Join(
		save(filepath.Join(m.folder, "EVIDENCE.md"), func(w io.Writer) error { return r.WritePage(w, stamp) }),
		save(filepath.Join(m.folder, "evidence.svg"), r.WriteSVG),
		save(filepath.Join(m.folder, "evidence.json"), func(w io.Writer) error {
			return r.WriteJSON(w, stamp.Version)
		}),
	)
}

func thisMachine() string {
	return fmt.Sprintf("%s/%s with %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// save writes a file whole.
func save(path string, write func(w io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}
