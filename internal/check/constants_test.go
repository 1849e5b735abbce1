package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// listedFolders returns the folders whose numeric constants docs/CONSTANTS.md lists, those of every
// family among them.
func listedFolders(t *testing.T) []string {
	t.Helper()
	families, err := filepath.Glob("../../verify/op/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{"numbers/arithmetic", "verify/verdict", "verify/op"}
	for _, file := range families {
		folders = append(folders, filepath.ToSlash(filepath.Dir(file))[len("../../"):])
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// A constant without an origin is one that nobody can argue with.
func TestEveryConstantIsListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/CONSTANTS.md")
	if err != nil {
		t.Fatal(err)
	}
	code := map[string]constant{}
	for _, folder := range listedFolders(t) {
		maps.Copy(code, constantsIn(t, folder))
	}
	if len(code) < 20 {
		t.Fatalf("%d constants found", len(code))
	}
	for _, message := range unlike(code, listedConstants(string(page))) {
		t.Error(message)
	}
}

func TestUnlikeConstantsAreFound(t *testing.T) {
	code := numericConstants(t, "a/p.go", `package p
const listed, left = 3, 1 << 4
const half = -0.5 // with another value
const moved = 0x1p-3
const word, other = "8", listed
const (
	first = iota + 1
	second
)
func f() { const inside = 2 }
`)
	page := "text `p.left`\n| `p.listed` | `a/p.go` | `3` | why |\n| `p.half` | `a/p.go` | `0.5` |\n" +
		"| `p.moved` | `a/q.go` | `0x1p-3` |\n| `p.gone` | `a/p.go` | `1` |\n| a word | `f` | 2 |\n"
	want := []string{
		"p.gone: docs/CONSTANTS.md lists it, and it is not there",
		"p.half: -0.5 in a/p.go, but docs/CONSTANTS.md has 0.5 in a/p.go",
		"p.inside: not in docs/CONSTANTS.md: where does it come from?",
		"p.left: not in docs/CONSTANTS.md: where does it come from?",
		"p.moved: 0x1p-3 in a/p.go, but docs/CONSTANTS.md has 0x1p-3 in a/q.go",
	}
	if got := unlike(code, listedConstants(page)); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// constant is the value of a constant as it is written, and the file that has it.
type constant struct{ value, file string }

// unlike compares what the code has with what the page lists.
func unlike(code, listed map[string]constant) (found []string) {
	for name, c := range code {
		switch l, ok := listed[name]; {
		case !ok:
			found = append(found, name+": not in docs/CONSTANTS.md: where does it come from?")
		case l != c:
			found = append(found, name+": "+c.value+" in "+c.file+", but docs/CONSTANTS.md has "+l.value+" in "+l.file)
		}
	}
	for name := range listed {
		if _, ok := code[name]; !ok {
			found = append(found, name+": docs/CONSTANTS.md lists it, and it is not there")
		}
	}
	slices.Sort(found)
	return found
}

// listedRow is a row of the page that lists a named constant, its file and its value.
var listedRow = regexp.MustCompile("(?m)^\\| `([a-z0-9]+\\.\\w+)` \\| `([^`]+)` \\| `([^`]+)` \\|")

func listedConstants(page string) map[string]constant {
	listed := map[string]constant{}
	for _, m := range listedRow.FindAllStringSubmatch(page, -1) {
		listed[m[1]] = constant{value: m[3], file: m[2]}
	}
	return listed
}

// constantsIn returns the numeric constants of a folder's code, tests apart.
func constantsIn(t *testing.T, folder string) map[string]constant {
	t.Helper()
	files, err := filepath.Glob("../../" + folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]constant{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(found, numericConstants(t, folder+"/"+filepath.Base(file), string(source)))
	}
	return found
}

// numericConstants returns the constants of a file whose values are written with numbers, those
// inside functions too; the members of an enumeration are none.
func numericConstants(t *testing.T, file, source string) map[string]constant {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), path.Base(file), source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]constant{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				for i, x := range s.Values {
					if isNumber(x) {
						found[parsed.Name.Name+"."+s.Names[i].Name] = constant{types.ExprString(x), file}
					}
				}
			}
		}
		return true
	})
	return found
}

// isNumber tells whether an expression is written with a number and without iota.
func isNumber(x ast.Expr) bool {
	number, counted := false, false
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			number = number || n.Kind == token.INT || n.Kind == token.FLOAT
		case *ast.Ident:
			counted = counted || n.Name == "iota"
		}
		return true
	})
	return number && !counted
}
