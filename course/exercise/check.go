package exercise

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Result is what the tests of an exercise say.
type Result struct {
	Exercise Exercise
	Build    []string // what the compiler says, if it does not compile
	Passed   int      // sub-tests that are green; a test without any counts as one
	Failed   int
	Waiting  int      // tests that are not run until the first of them is green
	First    *Failure // the first that is red
	Foreign  []string // files in whose place the project's were read
	Cut      bool     // it printed too much, and was stopped
}

// Failure is a sub-test that is red.
type Failure struct {
	Test     string   // the function of the test
	Sentence string   // what its sub-test says, "" if it has none
	Lines    []string // what it reports
}

// Green tells whether the exercise is done.
func (r *Result) Green() bool {
	return r.Build == nil && r.Failed == 0 && r.Passed > 0 && !r.Cut && r.First == nil
}

// Limits of what learners' code may do to us.
const (
	slowest  = "60s"           // a run of the tests, before they are stopped with what they hang in
	patience = 5 * time.Minute // for compiling and running
	mostRead = 16 << 20        // bytes of what go test says
	mostSaid = 12              // lines of one failure or of the compiler
)

// Check runs the tests that name the exercise, with the project's tests and the learner's code.
func (s *Scratch) Check(c *Course, e Exercise) (*Result, error) {
	var packages []string
	for _, name := range append(s.Begun(), e.Name) {
		if other, err := c.Find(name); err == nil {
			packages = append(packages, other.Package)
		}
	}
	replaced, err := s.foreign(packages)
	if err != nil {
		return nil, err
	}
	r, err := s.inTurn(e, replaced)
	if err != nil {
		return nil, err
	}
	r.Foreign = slices.Sorted(maps.Keys(replaced))
	if r.Green() && !slices.Contains(s.said.Green, e.Name) {
		s.said.Green = append(s.said.Green, e.Name)
		err = s.save()
	}
	return r, err
}

// inTurn runs the test that says most of the exercise, and where it is green all of them: a panic
// ends a run, and would hide that one behind whatever comes before it.
func (s *Scratch) inTurn(e Exercise, replaced map[string]string) (r *Result, err error) {
	temp, err := os.MkdirTemp("", "plumbline-learn-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	overlay, err := writeOverlay(temp, replaced)
	if err != nil {
		return nil, err
	}
	l, err := lessonsOf(filepath.Join(s.said.Root, e.Package))
	if err != nil {
		return nil, err
	}
	for _, tests := range [][]string{e.Tests[:1], e.Tests} {
		r = &Result{Exercise: e, Waiting: len(e.Tests) - len(tests)}
		args := append([]string{"-overlay=" + overlay, "-run=" + pattern(tests), "./" + e.Package}, l.flags()...)
		events, err := s.run(r, temp, args...)
		if err != nil {
			return nil, err
		}
		if r.read(events, l); !r.Green() || len(e.Tests) == 1 {
			break
		}
	}
	return r, nil
}

// pattern matches the tests of these names.
func pattern(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }

// writeOverlay writes into a folder what the go command is to read instead of files.
func writeOverlay(temp string, replaced map[string]string) (string, error) {
	full := map[string]string{}
	for name, by := range replaced {
		name, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		full[name] = by
	}
	text, err := json.Marshal(map[string]any{"Replace": full})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(temp, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// event is a line of go test -json.
type event struct{ Action, Test, Output, ImportPath string }

// run runs go test in the copy, with a folder for what it makes on the way, and returns what it
// says.
func (s *Scratch) run(r *Result, temp string, args ...string) ([]event, error) {
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args = append([]string{"test", "-json", "-vet=off", "-count=1", "-timeout=" + slowest}, args...)
	cmd := exec.CommandContext(limited, "go", args...)
	endTogether(cmd)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.Folder, append(os.Environ(), "GOWORK=off", "GOTMPDIR="+temp), time.Second
	var complaints tail
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("the go command is needed: %w", err)
	}
	events := readEvents(out, mostRead, r)
	if r.Cut {
		cancel()
	}
	if err = cmd.Wait(); len(events) == 0 || ctx.Err() != nil {
		return nil, fmt.Errorf("go test: %w%s", cmp.Or(context.Cause(ctx), err), complaints.text())
	}
	return events, nil
}

// readEvents reads lines of JSON, up to so many bytes. What is no event, or cut short, is left out.
func readEvents(in io.Reader, most int, r *Result) (events []event) {
	lines := bufio.NewReaderSize(io.LimitReader(in, int64(most)), 1<<16)
	read := 0
	for {
		line, err := lines.ReadBytes('\n')
		read += len(line)
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			events = append(events, e)
		}
		if err != nil {
			r.Cut = read >= most
			return events
		}
	}
}

// tail keeps the end of what is written.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	t.kept = t.kept[max(0, len(t.kept)-1000):]
	return len(b), nil
}

// text is what ends a message.
func (t *tail) text() string {
	if kept := bytes.TrimSpace(t.kept); len(kept) > 0 {
		return ": " + string(kept)
	}
	return ""
}

// told is what go test says of each test.
type told struct {
	order   []string // tests as they were begun
	outcome map[string]string
	output  map[string][]string
	outer   map[string]bool // tests that have sub-tests
	around  map[string]bool // tests that have a sub-test that is red
}

// tell sorts events by their tests.
func (r *Result) tell(events []event) told {
	t := told{
		outcome: map[string]string{}, output: map[string][]string{},
		outer: map[string]bool{}, around: map[string]bool{},
	}
	for _, e := range events {
		switch {
		case e.Action == "build-output":
			r.build(e.Output)
		case e.Action == "output":
			t.output[e.Test] = append(t.output[e.Test], e.Output)
		case e.Action == "run" && e.Test != "":
			t.order = append(t.order, e.Test)
		case e.Test != "":
			t.outcome[e.Test] = e.Action
		}
	}
	for _, test := range t.order {
		for up, ok := outside(test); ok; up, ok = outside(up) {
			t.outer[up], t.around[up] = true, t.around[up] || t.red(test)
		}
	}
	return t
}

// outside returns the test that a sub-test is in; ok is false of one that is in none.
func outside(test string) (up string, ok bool) {
	at := strings.LastIndex(test, "/")
	return test[:max(0, at)], at >= 0
}

// red tells whether a test failed, or the program ended in it.
func (t told) red(test string) bool { return t.outcome[test] != "pass" && t.outcome[test] != "skip" }

// read reads what the tests say.
func (r *Result) read(events []event, l lessons) {
	t := r.tell(events)
	for _, test := range t.order {
		switch {
		case t.around[test]:
		case t.red(test):
			if r.Failed++; r.First == nil {
				r.First = r.failure(test, t, l)
			}
		case !t.outer[test] && t.outcome[test] == "pass":
			r.Passed++
		}
	}
}

// failure is what a test that is red says. Where the program ended in a sub-test, the test around
// it has the panic.
func (r *Result) failure(test string, t told, l lessons) *Failure {
	name, sub, _ := strings.Cut(test, "/")
	f := &Failure{Test: name}
	for i, part := range strings.Split(sub, "/") {
		if i > 0 {
			f.Sentence += ": "
		}
		f.Sentence += l.sentence(part)
	}
	output := strings.Join(t.output[test], "")
	for up, ok := outside(test); ok; up, ok = outside(up) {
		if more := strings.Join(t.output[up], ""); ended.MatchString(more) {
			output += more
		}
	}
	f.Lines = r.reported(output)
	return f
}

// ended matches how a program says that it ends.
var ended = regexp.MustCompile(`(?m)^(panic|fatal error): `)

// framing matches what go test and rapid write around what tests report.
var framing = regexp.MustCompile(`^\s*(=== |--- |PASS$|FAIL|exit status |ok  \t|To reproduce, |Failed test output:|$)`)

// reported returns the lines that tell something: of a panic its words, and where it came from.
func (r *Result) reported(output string) (lines []string) {
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if ended.MatchString(line) {
			words, _, _ := strings.Cut(line, " [recovered")
			lines = append(lines, words)
			return append(lines, r.where(output)...)
		}
		if framing.MatchString(line) {
			continue
		}
		if len(lines) == mostSaid {
			return append(lines, "…")
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// where is the first place that the trace of a panic names in the package's code, and the first in
// its tests.
func (r *Result) where(output string) (places []string) {
	place := regexp.MustCompile(`(?m)^\s+(?:.*/)?(` + regexp.QuoteMeta(r.Exercise.Package) + `/\w+\.go:\d+)`)
	var code, test string
	for _, m := range place.FindAllStringSubmatch(output, -1) {
		if strings.Contains(m[1], "_test.go:") {
			test = cmp.Or(test, m[1])
		} else {
			code = cmp.Or(code, m[1])
		}
	}
	for _, at := range []string{code, test} {
		if at != "" {
			places = append(places, "at "+at)
		}
	}
	return places
}

// build adds what the compiler says.
func (r *Result) build(output string) {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "# ") && len(r.Build) < mostSaid {
			r.Build = append(r.Build, line)
		}
	}
}
