package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// x − x compared with 0 asks whether x is finite, and where x is a product, processors that fuse
// multiplication and subtraction answer with what rounding x lost. dtype.Finite asks the bits.
func TestNoDifferenceOfAValueWithItself(t *testing.T) {
	if found := selfDifferences(t, "package p\nfunc f(x, y float64) bool { return x*y-x*y != 0 }"); len(found) != 1 {
		t.Fatalf("the search finds %v in an example that has one", found)
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			for _, at := range selfDifferences(t, path) {
				t.Errorf("%s: use dtype.Finite", at)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// selfDifferences returns where the difference of a value with itself is compared, in a file or in
// source text.
func selfDifferences(t *testing.T, file string) (found []string) {
	t.Helper()
	var source any
	if strings.HasPrefix(file, "package ") {
		file, source = "example.go", file
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		e, ok := n.(*ast.BinaryExpr)
		if !ok || e.Op != token.EQL && e.Op != token.NEQ {
			return true
		}
		d, ok := ast.Unparen(e.X).(*ast.BinaryExpr)
		if ok && d.Op == token.SUB && types.ExprString(d.X) == types.ExprString(d.Y) {
			found = append(found, set.Position(e.Pos()).String())
		}
		return true
	})
	return found
}
