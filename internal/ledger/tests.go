package ledger

import (
	"go/ast"
	"go/token"
	"maps"
	"strconv"
	"strings"
)

// namingTest is a test with all that it names, itself or through what it uses of the test files:
// helpers, tables.
type namingTest struct {
	Test
	names nameSet
}

// nameSet holds functions of a package by their names, methods and fields as .Name.
type nameSet map[string]bool

// testedName returns how a nameSet has a function. Whose method it is cannot be seen without types.
func testedName(name string) string {
	if _, method, ok := strings.Cut(name, "."); ok {
		return "." + method
	}
	return name
}

// readTests returns the tests among the sources of a package.
func readTests(sources []source, room string) []namingTest {
	direct := map[string]nameSet{} // what each declaration of the test files names
	var tests []namingTest
	for _, s := range sources {
		if !s.isTest() {
			continue
		}
		for _, d := range s.declarations() {
			if direct[d.name] == nil {
				direct[d.name] = nameSet{}
			}
			maps.Copy(direct[d.name], s.namesIn(d.node, room))
			if isTestName(d.name) {
				test := Test{Name: d.name, File: s.name, Line: s.line(d.node), Sentences: s.sentences(d.node)}
				tests = append(tests, namingTest{test, nameSet{}})
			}
		}
	}
	for _, test := range tests {
		follow(test.Name, direct, test.names)
	}
	return tests
}

// sentences returns the names of sub-tests below node that are written out, t.Run("…", …).
func (s source) sentences(node ast.Node) (all []Sentence) {
	ast.Inspect(node, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		run, isSelector := call.Fun.(*ast.SelectorExpr)
		if isSelector && run.Sel.Name == "Run" {
			if text := sentence(call.Args[0]); text != "" {
				all = append(all, Sentence{text, s.line(call)})
			}
		}
		return true
	})
	return all
}

// sentence returns a name that is a literal or several, or a literal that a comma or colon divides
// from the case of a table, "it is the mean, "+name; "" of another.
func sentence(name ast.Expr) string {
	text, whole := Written(name)
	if before, ok := strings.CutSuffix(text, ", "); !whole && ok {
		return before
	}
	if before, ok := strings.CutSuffix(text, ": "); !whole && ok {
		return before
	}
	if !whole {
		return ""
	}
	return text
}

// Written returns how an expression begins that joins strings, as far as it is literals, and
// whether that is all of it.
func Written(e ast.Expr) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, whole := Written(e.X)
		if !whole || e.Op != token.ADD {
			return left, false
		}
		right, whole := Written(e.Y)
		return left + right, whole
	}
	return "", false
}

func isTestName(name string) bool {
	for _, prefix := range []string{"Test", "Fuzz", "Example"} {
		if strings.HasPrefix(name, prefix) && name != "TestMain" {
			return true
		}
	}
	return false
}

// declaration is a function or a variable at the top of a file; a method's name starts with a dot.
type declaration struct {
	name string
	node ast.Node
}

func (s source) declarations() []declaration {
	var declarations []declaration
	for _, decl := range s.file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			name := decl.Name.Name
			if decl.Recv != nil {
				name = "." + name
			}
			if decl.Body != nil {
				declarations = append(declarations, declaration{name, decl.Body})
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok {
					declarations = append(declarations, variables(spec)...)
				}
			}
		}
	}
	return declarations
}

func variables(spec *ast.ValueSpec) []declaration {
	var declarations []declaration
	for _, name := range spec.Names {
		for _, value := range spec.Values {
			declarations = append(declarations, declaration{name.Name, value})
		}
	}
	return declarations
}

// follow adds to names all that the declaration name leads to.
func follow(name string, direct map[string]nameSet, names nameSet) {
	for next := range direct[name] {
		if !names[next] {
			names[next] = true
			follow(next, direct, names)
		}
	}
}

// namesIn returns the names below node that can mean something of the package room: plain ones,
// those qualified by an import of room, and selectors on anything that is no import. The keys of
// composite literals are no such names.
func (s source) namesIn(node ast.Node, room string) nameSet {
	names := nameSet{}
	var visit func(ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			ast.Inspect(n.Value, visit)
			return false
		case *ast.SelectorExpr:
			if location, ok := s.qualifier(n); !ok {
				names["."+n.Sel.Name] = true
				ast.Inspect(n.X, visit)
			} else if strings.HasSuffix(location, "/"+room) {
				names[n.Sel.Name] = true
			}
			return false
		case *ast.Ident:
			names[n.Name] = true
		}
		return true
	}
	ast.Inspect(node, visit)
	return names
}

// qualifier returns the import path that a selector selects from, if it does.
func (s source) qualifier(selector *ast.SelectorExpr) (location string, ok bool) {
	name, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	location, ok = s.imports[name.Name]
	return location, ok
}
