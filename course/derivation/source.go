package derivation

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"plumbline/internal/ledger"
)

const (
	fileName = "derivation_test.go"
	prefix   = "TestDerivation"
)

// source is the tests of one package.
type source struct {
	room      string
	set       *token.FileSet
	file      *ast.File           // that of the derivations
	helpers   map[string]ast.Node // what names of its test files lead to, a method's name as .name
	functions []*ledger.Function  // of all equation packages
}

// read returns the derivations of an equation package, none if it has no file of them.
func read(root fs.FS, room string, functions []*ledger.Function) ([]Derivation, error) {
	s := source{room: room, set: token.NewFileSet(), helpers: map[string]ast.Node{}, functions: functions}
	files, err := fs.Glob(root, path.Join(room, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := s.parse(root, name); err != nil {
			return nil, err
		}
	}
	if s.file == nil {
		return nil, nil
	}
	var all []Derivation
	for _, decl := range s.file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, prefix) {
			d, err := s.derivation(f)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// runs counts the sub-tests of a test, those in loops and in other sub-tests too.
func runs(f *ast.FuncDecl) (n int) {
	ast.Inspect(f, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "Run" {
				n++
			}
		}
		return true
	})
	return n
}

// parse takes up one file.
func (s *source) parse(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			if strings.HasPrefix(f.Name.Name, prefix) && path.Base(name) != fileName {
				return fmt.Errorf("%s: %s stands in another file than %s", name, f.Name.Name, fileName)
			}
			key := f.Name.Name
			if f.Recv != nil {
				key = "." + key
			}
			s.helpers[key] = f.Body
		}
	}
	if path.Base(name) == fileName {
		s.file = file
	}
	return nil
}

func (s source) line(pos token.Pos) int { return s.set.Position(pos).Line }

// derivation reads one test. A sub-test that is no statement of its own, as one in a loop, is an
// error: it would be missing on the page.
func (s source) derivation(f *ast.FuncDecl) (Derivation, error) {
	d := Derivation{Package: s.room, Name: f.Name.Name, File: path.Join(s.room, fileName)}
	d.Heading, d.Before = blocks(f.Doc.Text())
	s.helpers = maps.Clone(s.helpers)
	for _, statement := range f.Body.List {
		s.define(statement)
		name, body := subTest(statement)
		if body == nil {
			continue
		}
		at := s.line(statement.Pos())
		_, text := blocks(s.commentAbove(at))
		d.Steps = append(d.Steps, Step{Sentence: name, Line: at, Text: text, Calls: s.calls(body)})
	}
	if n := runs(f); n != len(d.Steps) {
		return d, fmt.Errorf(
			"%s: %s has %d sub-tests, %d of which are statements of its own", d.File, d.Name, n, len(d.Steps),
		)
	}
	return d, nil
}

// define takes what a test makes for all of its steps for helpers of these.
func (s source) define(statement ast.Stmt) {
	assign, ok := statement.(*ast.AssignStmt)
	if !ok {
		return
	}
	for i, left := range assign.Lhs {
		if name, ok := left.(*ast.Ident); ok && name.Name != "_" {
			s.helpers[name.Name] = assign.Rhs[min(i, len(assign.Rhs)-1)]
		}
	}
}

// subTest returns the name and the function of a statement t.Run("name", func…), nil for any other.
func subTest(statement ast.Stmt) (name string, body *ast.FuncLit) {
	e, ok := statement.(*ast.ExprStmt)
	if !ok {
		return "", nil
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", nil
	}
	run, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || run.Sel.Name != "Run" {
		return "", nil
	}
	body, _ = call.Args[1].(*ast.FuncLit)
	name, _ = ledger.Written(call.Args[0]) // what is no string is empty, and the test says so
	return name, body
}

// commentAbove returns the text of the comment that ends on the line before.
func (s source) commentAbove(line int) string {
	for _, group := range s.file.Comments {
		if s.line(group.End()) == line-1 {
			return group.Text()
		}
	}
	return ""
}

// blocks returns a comment's heading and what else it has.
func blocks(text string) (heading string, all []Block) {
	var p comment.Parser
	for _, block := range p.Parse(text).Content {
		switch block := block.(type) {
		case *comment.Heading:
			heading = ledger.Plain(block.Text)
		case *comment.Paragraph:
			all = append(all, Block{Prose: ledger.Plain(block.Text)})
		case *comment.Code:
			all = append(all, Block{Formula: strings.Split(strings.TrimRight(block.Text, "\n"), "\n")})
		}
	}
	return heading, all
}

// calls returns the equations below node, and those of the helpers that it leads to, in the order
// in which they are met.
func (s source) calls(node ast.Node) []*ledger.Function {
	var found []*ledger.Function
	seen := map[string]bool{}
	var visit func(ast.Node) bool
	follow := func(f *ledger.Function, helper string) {
		if f != nil && !slices.Contains(found, f) {
			found = append(found, f)
		}
		if body := s.helpers[helper]; f == nil && body != nil && !seen[helper] {
			seen[helper] = true
			ast.Inspect(body, visit)
		}
	}
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncType, *ast.KeyValueExpr: // types, and what is only kept for later
			return false
		case *ast.SelectorExpr:
			follow(s.selected(n), "."+n.Sel.Name)
			ast.Inspect(n.X, visit)
			return false
		case *ast.Ident:
			follow(s.own(n.Name), n.Name)
		}
		return true
	}
	ast.Inspect(node, visit)
	return found
}

// selected returns the equation that a selector names: a function of an imported package, a method
// of the type that stands before it, or one whose name no other of this package has. A name of one
// letter is rather gonum's T.
func (s source) selected(selector *ast.SelectorExpr) *ledger.Function {
	name := selector.Sel.Name
	switch x := selector.X.(type) {
	case *ast.Ident:
		if f := s.equation(x.Name, name); f != nil {
			return f
		}
	case *ast.SelectorExpr:
		if f := s.equation(s.room, x.Sel.Name+"."+name); f != nil {
			return f
		}
	}
	var methods []*ledger.Function
	for _, f := range s.functions {
		if f.Package == s.room && strings.HasSuffix(f.Name, "."+name) && !f.Exempt {
			methods = append(methods, f)
		}
	}
	if len(methods) != 1 || len(name) == 1 {
		return nil
	}
	return methods[0]
}

// own returns the equation that a name alone means: one of the package that the tests are part of.
func (s source) own(name string) *ledger.Function {
	if strings.HasSuffix(s.file.Name.Name, "_test") {
		return nil
	}
	return s.equation(s.room, name)
}

// equation returns a function of an equation package, nil if there is none or it is no equation.
func (s source) equation(room, name string) *ledger.Function {
	for _, f := range s.functions {
		if f.Package == room && f.Name == name && !f.Exempt {
			return f
		}
	}
	return nil
}
