package ledger

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// source is one parsed file.
type source struct {
	name    string // from the root
	set     *token.FileSet
	file    *ast.File
	imports map[string]string // local name to path
}

// parseDir parses the Go files of a folder, in order of their names; a folder that does not exist
// has none.
func parseDir(root fs.FS, dir string) ([]source, error) {
	entries, err := fs.ReadDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var sources []source
	for _, entry := range entries {
		if entry.IsDir() || path.Ext(entry.Name()) != ".go" {
			continue
		}
		s, err := parseFile(root, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func parseFile(root fs.FS, name string) (source, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return source{}, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{name, set, file, importNames(file)}, nil
}

func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		location, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it before
		}
		name := path.Base(location)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = location
	}
	return names
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// line returns where a node stands.
func (s source) line(node ast.Node) int { return s.set.Position(node.Pos()).Line }

// readPackage returns the exported functions and methods of an equation package, with the tests
// that name them.
func readPackage(root fs.FS, room string) ([]*Function, error) {
	sources, err := parseDir(root, room)
	if err != nil {
		return nil, err
	}
	var functions []*Function
	for _, s := range taught(sources, room) {
		if !s.isTest() {
			functions = append(functions, s.functions(room)...)
		}
	}
	for _, test := range readTests(sources, room) {
		var named []*Function
		for _, f := range functions {
			if test.names[testedName(f.Name)] {
				named = append(named, f)
			}
		}
		test.Breadth = len(named)
		for _, f := range named {
			f.Tests = append(f.Tests, test.Test)
		}
	}
	return functions, nil
}

// functions returns the exported functions and methods of one file.
func (s source) functions(room string) []*Function {
	var functions []*Function
	for _, decl := range s.file.Decls {
		decl, ok := decl.(*ast.FuncDecl)
		if !ok || exportedName(decl) == "" {
			continue
		}
		f := &Function{Package: room, Name: exportedName(decl), File: s.name, Line: s.line(decl)}
		f.Formula, f.Ending = readComment(decl.Doc.Text())
		f.Notes = readNotes(decl.Doc.Text())
		f.Exempt = saysNone(f.Ending) || decl.Recv != nil && decl.Name.Name == "String"
		functions = append(functions, f)
	}
	return functions
}

// exportedName returns Name or Type.Name, "" if the function or its type is not exported.
func exportedName(decl *ast.FuncDecl) string {
	if !decl.Name.IsExported() {
		return ""
	}
	if decl.Recv == nil {
		return decl.Name.Name
	}
	receiver := types.ExprString(decl.Recv.List[0].Type)
	receiver, _, _ = strings.Cut(strings.TrimPrefix(receiver, "*"), "[")
	if !ast.IsExported(receiver) {
		return ""
	}
	return receiver + "." + decl.Name.Name
}
