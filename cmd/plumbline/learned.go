package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"plumbline/course/exercise"
	"plumbline/verify/report"
)

// list prints the exercises in the order in which they are learned: those on the way, or those of
// one part.
func (l *learning) list(w io.Writer) {
	green, _ := l.state()
	var rest [][]string
	for _, g := range l.course.Part(l.arg) {
		if g.Rest && l.arg == "" {
			rest = append(rest, []string{"plumbline learn " + g.Title, fmt.Sprintf("%d more", len(g.Functions))})
		} else {
			section(w, report.Line(g.Title), l.rows(g))
		}
	}
	section(w, "beside the way", rest)
	if l.scratch == nil {
		fmt.Fprintf(w, "\nbegin with one: %s\n", l.command(l.next()))
		return
	}
	fmt.Fprintf(w, "\n%d green in %s\n", len(green), l.shown(l.folder))
	l.sayNext(w)
}

// rows lists the exercises of a group, with those that are done or begun.
func (l *learning) rows(g exercise.Group) (rows [][]string) {
	green, begun := l.state()
	for _, name := range g.Functions {
		state := ""
		switch {
		case green[name]:
			state = "green"
		case begun[name]:
			state = "begun"
		}
		rows = append(rows, []string{state, name, l.hint(name)})
	}
	return rows
}

// sayNext says what to do next, unless everything is done.
func (l *learning) sayNext(w io.Writer) {
	if next := l.next(); next != "" {
		fmt.Fprintf(w, "next: %s\n", l.command(next))
	}
}

// command is how the command is called for the same scratch copy, and from the same place.
func (l *learning) command(args ...string) string {
	args = append([]string{"plumbline", "learn"}, args...)
	if l.set["root"] && l.scratch == nil { // which knows what it is a copy of
		args = append(args, "-root", shellWord(l.shown(l.root)))
	}
	if l.folder != defaultFolder(l.root) {
		args = append(args, "-o", shellWord(l.shown(l.folder)))
	}
	return strings.Join(args, " ")
}

// shellWord is a path as a shell reads it as one word.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(`/\._-+@:`, r)
	}
	if path != "" && strings.TrimLeftFunc(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// hint is the first line of a formula, cut to fit a line.
func (l *learning) hint(name string) string {
	e, err := l.course.Find(name)
	if err != nil || len(e.Formula) == 0 {
		return ""
	}
	line, most := []rune(strings.TrimSpace(e.Formula[0])), 60
	if len(line) > most {
		line = append(line[:most], '…')
	}
	return report.Line(string(line))
}

// state says which exercises are done, and which were begun.
func (l *learning) state() (green, begun map[string]bool) {
	begun = map[string]bool{}
	if l.scratch == nil {
		return nil, begun
	}
	for _, name := range l.scratch.Begun() {
		begun[name] = true
	}
	return l.scratch.Green(), begun
}

// next is what to do next: the exercise that is not green yet, else the first behind it.
func (l *learning) next() string {
	if l.scratch == nil || l.scratch.Current() == "" {
		return l.course.Names()[0]
	}
	green, _ := l.state()
	if current := l.scratch.Current(); !green[current] {
		return "-check"
	}
	return l.course.Next(l.scratch.Current(), green)
}

// shown is a path as people write it, from where they are.
func (l *learning) shown(path string) string {
	here, err := os.Getwd()
	if err == nil {
		full, err := filepath.Abs(path)
		if rel, relErr := filepath.Rel(here, full); err == nil && relErr == nil && len(rel) < len(full) {
			path = rel
		}
	}
	return report.Printable(path)
}

// begin empties a function in the scratch copy, which is made where there is none.
func (l *learning) begin(w io.Writer) error {
	e, err := l.course.Find(l.arg)
	if err != nil {
		return err
	}
	green, begun := l.state()
	if l.scratch == nil {
		if l.scratch, err = exercise.Create(l.root, l.folder); err != nil {
			return err
		}
	}
	if current := l.scratch.Current(); current != "" && !green[current] && current != e.Name {
		return fmt.Errorf("%s is not green yet, and others may need it: -check and -solution help; "+
			"or -o names another folder", report.Brief(current))
	}
	if green[e.Name] {
		return fmt.Errorf("%s: %s is green there; -o names another folder", l.folder, e.Name)
	}
	if begun[e.Name] {
		return fmt.Errorf("%s: %s was begun there; plumbline learn -check says how it stands", l.folder, e.Name)
	}
	line, err := l.scratch.Begin(e)
	if err == nil {
		l.assign(w, e, line)
	}
	return err
}

// assign says what is to be written, and where.
func (l *learning) assign(w io.Writer, e exercise.Exercise, line int) {
	fmt.Fprintf(w, "%s is empty. Write it again:\n\n", e.Name)
	for _, formula := range e.Formula {
		fmt.Fprintf(w, "    %s\n", report.Line(formula))
	}
	place := filepath.Join(l.folder, filepath.FromSlash(e.File))
	fmt.Fprintf(w, "\n%s\n\n", report.Line(e.Ending))
	fmt.Fprintf(w, "edit   %s:%d\n", l.shown(place), line)
	fmt.Fprintf(w, "check  %s\n", l.command("-check"))
	fmt.Fprintf(w, "tests  %s\n", firstOf(e.Tests))
	if at := anchor(e.Name); at != "" {
		fmt.Fprintf(w, "read   %s#%s\n", l.shown(filepath.Join(l.root, "docs", "PATHS.md")), at)
	}
}

// firstOf names the first of some tests.
func firstOf(tests []string) string {
	const most = 4
	if n := len(tests) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(tests[:most], ", "), n)
	}
	return strings.Join(tests, ", ")
}

// current returns the exercise that was begun last.
func (l *learning) current() (exercise.Exercise, error) {
	name := l.scratch.Current()
	if name == "" {
		err := fmt.Errorf("%s: no exercise was begun; plumbline learn FUNCTION begins one", l.folder)
		return exercise.Exercise{}, err
	}
	return l.course.Find(name)
}

// examine runs the tests of the exercise, and says what the first that is red says.
func (l *learning) examine(w io.Writer) (int, error) {
	e, err := l.current()
	if err != nil {
		return exitUnusable, err
	}
	say, clear := statusOn(l.stderr)
	say(fmt.Sprintf("testing %s, for a minute at most", e.Name))
	r, err := l.scratch.Check(l.course, e)
	clear()
	if err != nil {
		return exitUnusable, err
	}
	for _, name := range r.Foreign {
		fmt.Fprintf(w, "note: %s is not as the project has it; the project's was run\n", l.shown(name))
	}
	if r.Green() {
		fmt.Fprintf(w, "green: %s: %s\n", e.Name, all(r.Passed))
		l.sayNext(w)
		return exitExplained, nil
	}
	fail(w, r)
	return exitUnexplained, nil
}

// all says how many sub-tests are green where none is red.
func all(n int) string {
	if n == 1 {
		return "its one sub-test passes"
	}
	return fmt.Sprintf("all %d sub-tests pass", n)
}

// fail says what is wrong: what the compiler says, or the first sub-test that is red.
func fail(w io.Writer, r *exercise.Result) {
	if r.Build != nil {
		fmt.Fprintf(w, "red: %s does not compile\n", r.Exercise.Name)
		indent(w, r.Build)
		return
	}
	fmt.Fprintf(w, "red: %s\n", r.Exercise.Name)
	if f := r.First; f != nil {
		fmt.Fprintf(w, "\n%s\n", report.Line(strings.TrimSuffix(f.Test+": "+f.Sentence, ": ")))
		indent(w, f.Lines)
	}
	if r.Cut {
		fmt.Fprintln(w, "\nit prints more than anybody reads, and was stopped")
	}
	fmt.Fprintf(w, "\n%s\n", tally(r))
}

func tally(r *exercise.Result) string {
	said := strconv.Itoa(r.Passed) + " green, " + strconv.Itoa(r.Failed) + " red"
	switch r.Waiting {
	case 0:
		return said
	case 1:
		return fmt.Sprintf("%s in %s; one more test waits for it", said, r.Exercise.Tests[0])
	}
	return fmt.Sprintf("%s in %s; %d more tests wait for it", said, r.Exercise.Tests[0], r.Waiting)
}

// widestSaid bounds a line of what a program says.
const widestSaid = 300

// indent writes what a program says, of which a terminal obeys nothing.
func indent(w io.Writer, lines []string) {
	for _, line := range lines {
		if runes := []rune(line); len(runes) > widestSaid {
			line = string(runes[:widestSaid]) + "…"
		}
		fmt.Fprintf(w, "  %s\n", report.Line(line))
	}
}

// solve prints the function as the project has it, beside the learner's.
func (l *learning) solve(w io.Writer) error {
	e, err := l.current()
	if err != nil {
		return err
	}
	lines, err := l.scratch.Solution(e)
	if err != nil {
		return err
	}
	for _, line := range lines {
		cells := strings.Split(line, "\t") // which Line would escape
		for i, cell := range cells {
			cells[i] = report.Line(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), " "))
	}
	return nil
}
