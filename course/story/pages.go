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
	set := page.Set{}
	list := generated + "# Stories that run\n\n" + wrap("Small worlds in which the equations meet. Every number "+
		"is computed by the equation packages when a page is written, and a test compares the pages. "+
		"Chance is seeded. `plumbline show -story NAME` tells one in a terminal.", paragraph) + "\n\n"
	where, err := declared(root)
	if err != nil {
		return nil, err
	}
	for _, s := range Stories() {
		text, err := s.page(root, where)
		if err != nil {
			return nil, err
		}
		set["docs/stories/"+s.Name+".md"] = text
		list += fmt.Sprintf("- [%s](%s.md): %s\n", s.Title, s.Name, s.Summary)
	}
	set["docs/stories/README.md"] = list
	return set, nil
}

// page returns the page of a story: what it tells, its sources, and the functions that it calls,
// which stand where declared says.
func (s Story) page(root fs.FS, where map[string]string) (string, error) {
	links := make([]string, len(s.files))
	for i, file := range s.files {
		links[i] = fmt.Sprintf("[%s](%s)", file, up+sources+file)
	}
	calls, err := s.calls(root, where)
	if err != nil {
		return "", err
	}
	return generated + "# " + s.Title + "\n" + s.teller.sheet(0).markdown() +
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

// declared returns the file of each function, type and constant of the equation packages, by its
// name with the package.
func declared(root fs.FS) (map[string]string, error) {
	where := map[string]string{}
	for _, room := range ledger.Rooms {
		files, err := fs.Glob(root, room+"/*.go")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parse(root, file)
			if err != nil {
				return nil, err
			}
			for _, name := range declares(parsed) {
				where[room+"."+name] = file
			}
		}
	}
	return where, nil
}

// declares returns the names that a file declares, methods apart.
func declares(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}
