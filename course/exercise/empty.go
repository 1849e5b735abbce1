package exercise

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strconv"
	"strings"
)

// parsed is one file, with one of its functions.
type parsed struct {
	source []byte
	set    *token.FileSet
	file   *ast.File
	decl   *ast.FuncDecl
}

// parse finds a function or method in a file; name is that inside its package.
func parse(file string, source []byte, name string) (*parsed, error) {
	p := &parsed{source: source, set: token.NewFileSet()}
	var err error
	p.file, err = parser.ParseFile(p.set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range p.file.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil && nameOf(d) == name {
			p.decl = d
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s: no function %s", file, name)
}

// nameOf returns Name or Type.Name.
func nameOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	receiver, _, _ := strings.Cut(strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*"), "[")
	return receiver + "." + d.Name.Name
}

func (p *parsed) offset(at token.Pos) int { return p.set.Position(at).Offset }

// text returns the function as it stands in the file, without its comment.
func (p *parsed) text() string {
	return string(p.source[p.offset(p.decl.Pos()):p.offset(p.decl.End())])
}

// line returns where the function stands.
func (p *parsed) line() int { return p.set.Position(p.decl.Pos()).Line }

// emptied returns the file with nothing in the function but a panic that names it. Imports that
// nothing else of the file uses stay, under the blank name, so that it compiles.
func (p *parsed) emptied() []byte {
	out := []edit{{
		from: p.offset(p.decl.Body.Pos()), to: p.offset(p.decl.Body.End()),
		text: fmt.Sprintf("{\n\tpanic(%q)\n}", wanted(p.file.Name.Name+"."+nameOf(p.decl))),
	}}
	used := p.usedOutside()
	for _, spec := range p.file.Imports {
		name := importName(spec)
		if name == "_" || used[name] {
			continue
		}
		e := edit{from: p.offset(spec.Pos()), to: p.offset(spec.Path.Pos()), text: "_ "}
		end := edit{from: p.offset(spec.End()), to: p.offset(spec.End()), text: " // as " + name + ", when you need it"}
		out = append(out, e, end)
	}
	return apply(p.source, out)
}

// wanted is what an emptied function panics with.
func wanted(name string) string { return "write " + name }

// usedOutside returns the names that selectors outside the function's body select from.
func (p *parsed) usedOutside() map[string]bool {
	used := map[string]bool{}
	ast.Inspect(p.file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return n != p.decl.Body
	})
	return used
}

// importName returns the name under which a file knows what it imports.
func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	location, _ := strconv.Unquote(spec.Path.Value) // the parser has refused it before
	name := path.Base(location)
	if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" { // math/rand/v2
		name = path.Base(path.Dir(location))
	}
	return name
}

// edit replaces what stands between two offsets.
type edit struct {
	from, to int
	text     string
}

func apply(source []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(source[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(source[at:])
	return out.Bytes()
}
