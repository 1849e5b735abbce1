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
	Name    string // mla.AbsorbQuery, or rope.YaRN.ScoreFactor for a method
	Package string // its folder
	File    string // from the root of the module, with slashes
	Line    int
	Formula []string // of its comment
	Ending  string   // what it implements, the last sentence of its comment
	Tests   []string // those that name it, the one that says most of it first
}

// Method is its name inside its package.
func (e Exercise) Method() string { return strings.TrimPrefix(e.Name, e.Package+".") }

// Group is a stretch of the way: exercises by name, in the order in which they are learned.
type Group struct {
	Title     string
	Functions []string
}

// Course is all exercises.
type Course struct {
	Groups []Group // each exercise stands in one of them
	byName map[string]Exercise
}

// Read returns the exercises of the module below root: the groups of a way, and what is not on it
// behind them, by package. A function that the way names twice is an exercise where it comes first.
func Read(root fs.FS, way ...Group) (*Course, error) {
	books, err := ledger.Read(root)
	if err != nil {
		return nil, err
	}
	c := &Course{byName: map[string]Exercise{}}
	rest := map[string][]string{}
	for _, f := range books.Functions {
		if e := exerciseOf(f); !f.Exempt {
			c.byName[e.Name] = e
			rest[e.Package] = append(rest[e.Package], e.Name)
		}
	}
	for _, room := range ledger.Rooms {
		slices.SortStableFunc(rest[room], gradientsLast)
		way = append(way, Group{room, rest[room]})
	}
	c.sortTests()
	return c, c.order(way)
}

// sortTests puts the tests of each exercise in the order in which they teach: that of its name
// first, then those that name the fewest equations; examples, which have no sentences, at the end.
func (c *Course) sortTests() {
	named := map[string]int{} // how many exercises a test names
	for _, e := range c.byName {
		for _, test := range e.Tests {
			named[e.Package+"."+test]++
		}
	}
	for _, e := range c.byName {
		rank := func(test string) int {
			switch {
			case test == "Test"+strings.ReplaceAll(e.Method(), ".", ""):
				return 0
			case strings.HasPrefix(test, "Example"):
				return math.MaxInt
			}
			return named[e.Package+"."+test]
		}
		slices.SortStableFunc(e.Tests, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	}
}

// gradientsLast orders what no way orders: a gradient comes behind what it is one of.
func gradientsLast(a, b string) int {
	backward := func(name string) int { return strings.Count(name, "Backward") }
	return cmp.Compare(backward(a), backward(b))
}

func exerciseOf(f *ledger.Function) Exercise {
	e := Exercise{
		Name: f.Path(), Package: f.Package, File: f.File, Line: f.Line, Formula: f.Formula, Ending: f.Ending,
	}
	for _, t := range f.Tests {
		if !slices.Contains(e.Tests, t.Name) {
			e.Tests = append(e.Tests, t.Name)
		}
	}
	return e
}

// order sets the groups, each function once.
func (c *Course) order(way []Group) error {
	seen := map[string]bool{}
	for _, g := range way {
		group := Group{Title: g.Title}
		for _, name := range g.Functions {
			if _, ok := c.byName[name]; !ok {
				return fmt.Errorf("%s: %w", g.Title, c.unknown(name))
			}
			if !seen[name] {
				group.Functions = append(group.Functions, name)
			}
			seen[name] = true
		}
		if len(group.Functions) > 0 {
			c.Groups = append(c.Groups, group)
		}
	}
	return nil
}

func (c *Course) unknown(name string) error {
	known := slices.Sorted(maps.Keys(c.byName))
	return fmt.Errorf("no equation %s%s", spelling.Quote(name), spelling.Suggest(name, known))
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
