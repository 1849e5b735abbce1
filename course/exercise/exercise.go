// Package exercise makes exercises of what the project has: an equation whose function is emptied
// and whose test says what it should give, and kernels of which one is wrong.
package exercise

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"plumbline/internal/ledger"
	"plumbline/internal/spelling"
)

// Exercise is a function to be written again.
type Exercise struct {
	Name     string // mla.AbsorbQuery, or rope.YaRN.ScoreFactor for a method
	Function string // the same inside its package
	Package  string // its folder, from the root of the module
	File     string // from the root, with slashes
	Line     int
	Formula  []string // of its comment
	Ending   string   // what it implements, the last sentence of its comment
	Tests    []string // those that name it, the one that says most of it first
}

// Group is a stretch of the way: exercises by name, in the order in which they are learned.
type Group struct {
	Title     string
	Functions []string
	Rest      bool // what a package has beside the way
}

// Course is all exercises.
type Course struct {
	Groups []Group // each exercise stands in one of them
	byName map[string]Exercise
}

// Read returns the exercises of the module below root: the groups of a way, and what is not on it
// behind them, by package. A function that the way names twice is an exercise where it comes first;
// one that these sources have not, as those of another version, is none, and no more is one without
// tests.
func Read(root fs.FS, way ...Group) (*Course, error) {
	books, err := ledger.Read(root)
	if err != nil {
		return nil, err
	}
	return courseOf(books.Functions, way), nil
}

func courseOf(functions []*ledger.Function, way []Group) *Course {
	c := &Course{byName: map[string]Exercise{}}
	rest := map[string][]string{}
	for _, f := range functions {
		if e := exerciseOf(f); !f.Exempt && len(e.Tests) > 0 {
			c.byName[e.Name] = e
			rest[e.Package] = append(rest[e.Package], e.Name)
		}
	}
	for _, room := range ledger.Rooms {
		way = append(way, Group{room, rest[room], true})
	}
	c.order(way)
	return c
}

func exerciseOf(f *ledger.Function) Exercise {
	return Exercise{
		Name: f.Path(), Function: f.Name, Package: f.Package, File: f.File, Line: f.Line,
		Formula: f.Formula, Ending: f.Ending, Tests: testsOf(f),
	}
}

// testsOf names the tests of a function in the order in which they teach: those of its name first,
// then those that name the fewest equations; examples, which have no sentences, behind these, and
// those of gradients at the end.
func testsOf(f *ledger.Function) (names []string) {
	method := f.Name[strings.Index(f.Name, ".")+1:]
	rank := func(t ledger.Test) int {
		switch t.Name {
		case "Test" + strings.ReplaceAll(f.Name, ".", ""), "Test" + method:
			return 0
		}
		if strings.HasPrefix(t.Name, "Example") {
			return math.MaxInt
		}
		return t.Breadth
	}
	tests := slices.Clone(f.Tests)
	slices.SortStableFunc(tests, func(a, b ledger.Test) int {
		return cmp.Or(f.Strays(a)-f.Strays(b), cmp.Compare(rank(a), rank(b)))
	})
	for _, t := range tests {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// order sets the groups, each function once.
func (c *Course) order(way []Group) {
	seen := map[string]bool{}
	for _, g := range way {
		all := g.Functions
		g.Functions = nil
		for _, name := range all {
			if _, ok := c.byName[name]; ok && !seen[name] {
				seen[name] = true
				g.Functions = append(g.Functions, name)
			}
		}
		if len(g.Functions) > 0 {
			c.Groups = append(c.Groups, g)
		}
	}
}

func (c *Course) unknown(name string) error {
	known := slices.Sorted(maps.Keys(c.byName))
	near := cmp.Or(spelling.Suggest(name, known), "; plumbline learn lists them")
	return fmt.Errorf("no equation %s%s", spelling.Quote(name), near)
}

// Names lists the exercises in the order of the way.
func (c *Course) Names() (names []string) {
	for _, g := range c.Groups {
		names = append(names, g.Functions...)
	}
	return names
}

// Find returns the exercise of that name, or says which was meant.
func (c *Course) Find(name string) (Exercise, error) {
	e, ok := c.byName[name]
	if !ok {
		return e, c.unknown(name)
	}
	return e, nil
}

// Part returns the groups of that name, or what all groups have of the package of that name; of ""
// all. It is empty where there is neither.
func (c *Course) Part(name string) (part []Group) {
	for _, g := range c.Groups {
		if name != "" && g.Title != name {
			g.Functions = slices.DeleteFunc(slices.Clone(g.Functions), func(f string) bool {
				return c.byName[f].Package != name
			})
		}
		if len(g.Functions) > 0 {
			part = append(part, g)
		}
	}
	return part
}

// Next returns what comes behind an exercise and is not done yet, or "" behind the last.
func (c *Course) Next(name string, done map[string]bool) string {
	names := c.Names()
	for _, next := range names[slices.Index(names, name)+1:] {
		if !done[next] {
			return next
		}
	}
	return ""
}
