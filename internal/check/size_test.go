package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// What a reader takes in at once. A tab counts four columns.
const (
	codeColumns    = 120
	commentColumns = 100
	functionLines  = 25
)

func TestLinesAndFunctionsAreShort(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err == nil && !strings.HasPrefix(string(source), "// Code generated ") {
			for _, found := range oversized(t, path, string(source)) {
				t.Error(found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOversizedIsFound(t *testing.T) {
	long := strings.Repeat("x", codeColumns)
	for source, want := range map[string]int{
		"var s = \"" + long + "\"": 1,
		"// " + long:               1,
		"var s = `\n" + long + "`": 0,
		"func f() {" + strings.Repeat("\n", functionLines) + "}":                                  0,
		"func f() {" + strings.Repeat("\n", functionLines+2) + "}":                                1,
		"func f() { g(func() {" + strings.Repeat("\n", 20) + "})" + "\n}":                         0,
		"func f() {" + strings.Repeat("\n", 20) + "g(func() {" + strings.Repeat("\n", 20) + "})}": 0,
		"func f() { g(func() {" + strings.Repeat("\n", functionLines+2) + "})}":                   1,
	} {
		if found := oversized(t, "example.go", "package p\n"+source); len(found) != want {
			t.Errorf("%q: found %q, want %d", source, found, want)
		}
	}
}

// oversized returns a message for each line and each function that is too long. Lines inside a raw
// string are what is printed or compared there, and are not held to a width.
func oversized(t *testing.T, path, source string) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return append(wideLines(path, source, rawLines(set, file)), longFunctions(set, file, source)...)
}

func wideLines(path, source string, raw map[int]bool) (found []string) {
	for i, line := range strings.Split(source, "\n") {
		limit := codeColumns
		if strings.HasPrefix(strings.TrimSpace(line), "//") {
			limit = commentColumns
		}
		n := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
		if n > limit && !raw[i+1] {
			found = append(found, fmt.Sprintf("%s:%d: %d columns of %d", path, i+1, n, limit))
		}
	}
	return found
}

// rawLines returns the lines that lie in raw strings of more than one line.
func rawLines(set *token.FileSet, file *ast.File) map[int]bool {
	raw := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING && s.Value[0] == '`' {
			first, last := set.Position(s.Pos()).Line, set.Position(s.End()).Line
			for line := first; line <= last && first < last; line++ {
				raw[line] = true
			}
		}
		return true
	})
	return raw
}

// longFunctions measures functions and function literals alike, each by the lines between its
// braces less those of the literals in it, with the line that closes them: a sub-test is a function
// of its own. In tests tables of cases, the derivations above sub-tests and what an example prints
// are not counted either.
func longFunctions(set *token.FileSet, file *ast.File, source string) (found []string) {
	lines := strings.Split(source, "\n")
	ast.Inspect(file, func(n ast.Node) bool {
		name, body := "function literal", (*ast.BlockStmt)(nil)
		switch f := n.(type) {
		case *ast.FuncDecl:
			name, body = f.Name.Name, f.Body
		case *ast.FuncLit:
			body = f.Body
		}
		if body != nil {
			if own := ownLines(set, body, lines); own > functionLines {
				at := set.Position(n.Pos())
				found = append(found, fmt.Sprintf("%s: %s has %d lines of %d", at, name, own, functionLines))
			}
		}
		return true
	})
	return found
}

func ownLines(set *token.FileSet, body *ast.BlockStmt, lines []string) int {
	inTest := strings.HasSuffix(set.Position(body.Pos()).Filename, "_test.go")
	line := func(p token.Pos) int { return set.Position(p).Line }
	own := map[int]bool{}
	mark := func(first, beyond int, counts bool) {
		for i := first; i < beyond; i++ {
			text := strings.TrimSpace(lines[i-1])
			own[i] = counts && !(inTest && (text == "" || strings.HasPrefix(text, "//")))
		}
	}
	mark(line(body.Lbrace)+1, line(body.Rbrace), true)
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			mark(line(n.Body.Lbrace)+1, line(n.Body.Rbrace)+1, false)
		case *ast.CompositeLit:
			if inTest {
				mark(line(n.Lbrace)+1, line(n.Rbrace), false)
			}
		}
		return true
	})
	maps.DeleteFunc(own, func(_ int, counts bool) bool { return !counts })
	return len(own)
}
