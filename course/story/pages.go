package story

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"plumbline/course/page"
	"plumbline/internal/ledger"
)

const (
	generated = "<!-- Written by go generate ./... from course/story. -->\n\n"
	sources   = "course/story/"
	up        = "../../" // from docs/stories to the root
)

// Pages returns the generated pages; root is the root of the module.
func Pages(root fs.FS) (page.Set, error) {
	return pages(root, func(s Story) *sheet { return s.teller.sheet(0) })
}

// pages returns the pages of stories that are told already.
func pages(root fs.FS, told func(Story) *sheet) (page.Set, error) {
	set := page.Set{}
	list := generated + "# Stories that run\n\n" + wrap("Small worlds in which the equations meet. Every number "+
		"is computed by the equation packages when a page is written, and a test compares the pages. "+
		"Chance is seeded. `plumbline show -story NAME` tells one in a terminal.", paragraph) + "\n\n"
	where, err := ledger.Declared(root, ledger.Rooms...)
	if err != nil {
		return nil, err
	}
	for _, s := range Stories() {
		text, err := s.page(root, told(s), where)
		if err != nil {
			return nil, err
		}
		set["docs/stories/"+s.Name+".md"] = text
		list += fmt.Sprintf("- [%s](%s.md): %s\n", s.Title, s.Name, s.Summary)
	}
	set["docs/stories/README.md"] = list
	return set, nil
}

// page returns the page of a story: what it has told, its sources, and the functions that it calls,
// which stand where the ledger says.
func (s Story) page(root fs.FS, told *sheet, where map[string]string) (string, error) {
	links := make([]string, len(s.files))
	for i, file := range s.files {
		links[i] = fmt.Sprintf("[%s](%s)", file, up+sources+file)
	}
	calls, err := s.calls(root, where)
	if err != nil {
		return "", err
	}
	return generated + "# " + s.Title + "\n" + told.markdown() +
		"\n## Where this comes from\n\nThe story is " + strings.Join(links, " and ") + "; it calls\n\n" +
		strings.Join(calls, "\n") + "\n\n[All stories](README.md)\n", nil
}

// calls returns a line for each equation package whose names the story uses, with links to the
// files that have them.
func (s Story) calls(root fs.FS, where map[string]string) (lines []string, err error) {
	names := map[string]map[string]bool{} // by package
	for _, file := range s.files {
		parsed, err := parse(root, sources+file)
		if err != nil {
			return nil, err
		}
		collect(names, parsed)
	}
	for _, room := range ledger.Rooms {
		var links []string
		for _, name := range slices.Sorted(maps.Keys(names[room])) {
			links = append(links, fmt.Sprintf("[`%s`](%s)", name, up+where[room+"."+name]))
		}
		if links != nil {
			lines = append(lines, "- "+room+": "+strings.Join(links, ", "))
		}
	}
	return lines, nil
}

func parse(root fs.FS, file string) (*ast.File, error) {
	source, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
}

// collect adds the names of imported packages that a file uses.
func collect(names map[string]map[string]bool, file *ast.File) {
	imported := map[string]bool{}
	for _, spec := range file.Imports {
		if of, err := strconv.Unquote(spec.Path.Value); err == nil {
			imported[path.Base(of)] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if room, ok := selector.X.(*ast.Ident); ok && imported[room.Name] {
			if names[room.Name] == nil {
				names[room.Name] = map[string]bool{}
			}
			names[room.Name][selector.Sel.Name] = true
		}
		return true
	})
}
