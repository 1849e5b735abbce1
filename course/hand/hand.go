// Package hand works equations by hand: every intermediate as a matrix, in numbers that a
// reader can follow.
//
// A sheet is a list of steps, each with a sentence, the function that computes it, its formula and
// what comes out. Sheets of ops are made by one walk, from inputs that are chosen for the pages,
// and from the first row of a recording for "plumbline show".
package hand

import (
	"fmt"
	"io/fs"
	"strings"

	"plumbline/course/page"
	_ "plumbline/verify/op/all" // what sheets of ops are bound to
)

// Folder is where the pages stand, from the root of the module.
const Folder = "docs/hand/"

// handPage is a page of sheets.
type handPage struct {
	name, title, about string
	sheets             func() []*Sheet
}

// Pages returns the generated pages; root is the root of the module.
func Pages(fs.FS) (page.Set, error) {
	set, list := page.Set{}, ""
	for _, p := range pages() {
		set[Folder+p.name+".md"] = p.markdown()
		list += fmt.Sprintf("| [%s](%s.md) | %s |\n", p.title, p.name, p.about)
	}
	set[Folder+"README.md"] = header + readme + list
	return set, nil
}

// markdown returns the page.
func (p handPage) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# %s\n\n%s\n", header, p.title, strings.Join(page.Lines(p.about, 100), "\n"))
	for _, s := range p.sheets() {
		b.WriteString("\n" + s.markdown("##"))
	}
	return b.String()
}

const readme = `
# By hand

Every calculation here is small enough to be checked with a pencil. The numbers are not written by
hand: they come from the functions that are named beside them, and a test compares the pages with
what these return. Formulas use the letters of the [table of notation](../EQUATIONS.md#notation).

Numbers were chosen so that they stay readable. Where a softmax or a sigmoid comes in, what enters it
are logarithms, ln 2 and ln 3, so that fractions come out. Rows and tokens count from 0.

The same in a terminal, and with the first row of a recording in the place of the small numbers:

` + "```" + `
plumbline show attention.forward
plumbline show runs/decode.safetensors
` + "```" + `

| page | what is worked |
|---|---|
`
