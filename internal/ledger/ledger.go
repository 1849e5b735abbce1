package ledger

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Page is where the table of equations stands, from the root of the module.
const Page = "docs/EQUATIONS.md"

// Rooms are the equation packages in the order in which they are taught, which is that of the page;
// those that do not exist yet are passed over.
var Rooms = []string{
	"attention", "rope", "norm", "mla", "numbers/logistic", "moe", "fp8", "mtp", "model",
	"rl", "policy", "ppo", "dpo", "grpo",
}

// Ledger is what the sources say of the equations.
type Ledger struct {
	Functions []*Function // exported, of all equation packages; in the order in which they are taught
	Ops       []Op        // of the catalogue, by name
}

// Function is an exported function or method of an equation package.
type Function struct {
	Package string // from the root, as in Rooms
	Name    string // YaRN.ScoreFactor for a method
	File    string // from the root, with slashes
	Line    int
	Formula []string // lines of the indented block
	Notes   []Note   // where print and code differ from it
	Ending  string   // last sentence of the comment, from "It implements" on
	Exempt  bool     // it is no equation: its ending says so, or it is a String method
	Tests   []Test   // those that name it, in any way: through helpers too
}

// Note says where a formula, as printed or as coded elsewhere, is not what the function computes.
type Note struct {
	Kind string // InPrint or InCode
	Text string
}

// Kinds of notes.
const (
	InPrint = "print"
	InCode  = "code"
)

// Test is a test, fuzz test or example.
type Test struct {
	Name, File string
	Line       int
	Sentences  []Sentence // what its sub-tests are called
	Breadth    int        // how many functions of its package it names
}

// Sentence is the name of a sub-test that is written out in the source.
type Sentence struct {
	Text string
	Line int
}

// Op is an entry of the catalogue of package op.
type Op struct {
	Name       string
	Equations  []string // functions, as rope.Rotate or rope.YaRN.ScoreFactor
	Recordings []string // golden recordings, paths from the root
	Position   string   // file:line
}

// Path returns the name as other packages write it, rope.Rotate or rope.YaRN.ScoreFactor.
func (f *Function) Path() string { return path.Base(f.Package) + "." + f.Name }

// Link returns a link to the line of the function, from a page that leaves for the root by up, as
// "../".
func (f *Function) Link(up string) string {
	return fmt.Sprintf("[`%s`](%s%s#L%d)", f.Path(), up, f.File, f.Line)
}

// Read reads the sources below root, which is the root of the module.
func Read(root fs.FS) (*Ledger, error) {
	l := &Ledger{}
	for _, room := range Rooms {
		functions, err := readPackage(root, room)
		if err != nil {
			return nil, err
		}
		l.Functions = append(l.Functions, functions...)
	}
	var err error
	l.Ops, err = readOps(root)
	return l, err
}

// Problems returns what is missing, one line each, starting with the place; page is the text of
// docs/EQUATIONS.md.
func (l *Ledger) Problems(page string) []string {
	var problems []string
	rows := tableRows(page)
	for _, f := range l.Functions {
		for _, problem := range f.problems(rows) {
			problems = append(problems, fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Path(), problem))
		}
	}
	return append(problems, l.opProblems()...)
}

// problems returns what the comment, the tests and the rows of the page lack.
func (f *Function) problems(rows []string) []string {
	switch {
	case f.Exempt && len(f.Formula) > 0:
		return []string{"its comment has a formula and says that it implements no equation"}
	case f.Exempt:
		return nil
	case f.Ending == "" && len(f.Formula) == 0:
		return []string{
			`its comment ends neither with "It implements PAPER (N)." ` +
				`nor with "It implements no equation."`,
		}
	}
	var problems []string
	missing := func(is bool, problem string) {
		if is {
			problems = append(problems, problem)
		}
	}
	missing(f.Ending == "", `its comment does not end with the sentence "It implements PAPER (N)."`)
	missing(
		f.Ending != "" && !names(f.Ending),
		fmt.Sprintf("%q names no paper with a number or section, and no code", f.Ending),
	)
	missing(len(f.Formula) == 0, "its comment has no formula as an indented block")
	missing(len(f.Tests) == 0, "no test of its package names it")
	missing(!f.hasRow(rows), "it has no row in "+Page+": run go generate ./...")
	return problems
}

func (f *Function) hasRow(rows []string) bool {
	return slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, "[`"+f.Path()+"`]") })
}

// opProblems returns the equations that ops name and that do not exist.
func (l *Ledger) opProblems() []string {
	var problems []string
	for _, op := range l.Ops {
		for _, name := range op.Equations {
			if !slices.ContainsFunc(l.Functions, func(f *Function) bool { return f.Path() == name }) {
				problems = append(
					problems, fmt.Sprintf("%s: op %s: its equation %s does not exist", op.Position, op.Name, name),
				)
			}
		}
	}
	return problems
}

// tableRows returns the lines of the page that are rows of tables.
func tableRows(page string) []string {
	return slices.DeleteFunc(strings.Split(page, "\n"), func(line string) bool { return !strings.HasPrefix(line, "|") })
}
