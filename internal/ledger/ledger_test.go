package ledger

import (
	"encoding/binary"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

var readOnce = sync.OnceValues(func() (*Ledger, error) { return Read(os.DirFS(root)) })

// project returns what the sources of the project say.
func project(t *testing.T) *Ledger {
	t.Helper()
	l, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestEquations is the test of the whole project: every equation cites its paper, is tested and has
// its row.
func TestEquations(t *testing.T) {
	l := project(t)
	page, err := fs.ReadFile(os.DirFS(root), Page)
	if err != nil {
		t.Fatalf("%v: run go generate ./...", err)
	}
	for _, problem := range l.Problems(string(page)) {
		t.Error(problem)
	}
	if diff := cmp.Diff(string(page), l.Markdown()); diff != "" {
		t.Errorf("%s is out of date: run go generate ./...\n-on disk +from the sources\n%s", Page, diff)
	}
}

const good = `package rope

// Rotate returns x turned.
//
//	y = R x
//
// x is [d].
// It implements RoFormer (15).
func Rotate(x float64) float64 { return x }
`

const goodTest = `package rope

import "testing"

func TestRotate(t *testing.T) { Rotate(1) }
`

// tree returns a module with one equation and its test; changes replace files, or remove them where
// they are empty.
func tree(changes map[string]string) fstest.MapFS {
	files := map[string]string{"rope/rope.go": good, "rope/rope_test.go": goodTest}
	maps.Copy(files, changes)
	root := fstest.MapFS{}
	for name, text := range files {
		if text != "" {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return root
}

// read reads the tree with changes, and writes its page.
func read(t *testing.T, changes map[string]string) (l *Ledger, page string) {
	t.Helper()
	l, err := Read(tree(changes))
	if err != nil {
		t.Fatal(err)
	}
	return l, l.Markdown()
}

func TestProblemsOfEquations(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string // a change of the good source
		want     []string
	}{
		"none": {"", "", nil},
		"the sentence is missing": {"// It implements RoFormer (15).\n", "", []string{
			`rope/rope.go:8: rope.Rotate: its comment does not end with the sentence "It implements PAPER (N)."`,
		}},
		"the sentence is not the last": {"(15).", "(15). Mostly.", []string{
			`rope/rope.go:9: rope.Rotate: its comment does not end with the sentence "It implements PAPER (N)."`,
		}},
		"the sentence has no full stop": {"(15).", "(15)", []string{
			`rope/rope.go:9: rope.Rotate: its comment does not end with the sentence "It implements PAPER (N)."`,
		}},
		"the sentence has no number": {"RoFormer (15)", "RoFormer", []string{
			`rope/rope.go:9: rope.Rotate: "It implements RoFormer." ` +
				`names no paper with a number or section, and no code`,
		}},
		"the formula is missing": {"//	y = R x\n//\n", "", []string{
			`rope/rope.go:7: rope.Rotate: its comment has no formula as an indented block`,
			`rope/rope.go:7: rope.Rotate: it has no row in docs/EQUATIONS.md: run go generate ./...`,
		}},
		"it says neither": {good[strings.Index(good, "// Rotate"):strings.Index(good, "func")], "", []string{
			`rope/rope.go:3: rope.Rotate: its comment ends neither with "It implements PAPER (N)." ` +
				`nor with "It implements no equation."`,
		}},
		"an exemption beside a formula": {"RoFormer (15)", "no equation", []string{
			`rope/rope.go:9: rope.Rotate: its comment has a formula and says that it implements no equation`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			source := strings.Replace(good, c.from, c.to, 1)
			l, page := read(t, map[string]string{"rope/rope.go": source})
			if diff := cmp.Diff(c.want, l.Problems(page)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestProblemsOfRows(t *testing.T) {
	l, page := read(t, nil)
	want := []string{"rope/rope.go:9: rope.Rotate: it has no row in docs/EQUATIONS.md: run go generate ./..."}
	for name, page := range map[string]string{
		"no page":              "",
		"another function":     strings.ReplaceAll(page, "rope.Rotate", "rope.RotateAll"),
		"only named in a line": "see [`rope.Rotate`](../rope/rope.go#L9)",
	} {
		if diff := cmp.Diff(want, l.Problems(page)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestProblemsOfTests(t *testing.T) {
	const missing = "rope/rope.go:9: rope.Rotate: no test of its package names it"
	for name, c := range map[string]struct {
		test string
		want []string
	}{
		"no test":                     {"", []string{missing}},
		"a test of something else":    {"package rope\nfunc TestOther() { Other() }", []string{missing}},
		"a name in a comment":         {"package rope\nfunc TestOther() { /* Rotate */ }", []string{missing}},
		"a helper that no test calls": {"package rope\nfunc helper() { Rotate(1) }", []string{missing}},
		"another package's function": {
			"package rope_test\nimport \"x/other\"\nfunc TestRotate() { other.Rotate(1) }", []string{missing},
		},
		"a field of that name": {
			"package rope\nfunc TestOther() { use(T{Rotate: 1}.Rotate) }", []string{missing},
		},
		"a test outside": {
			"package rope_test\nimport \"plumbline/rope\"\nfunc TestOther() { rope.Rotate(1) }", nil,
		},
		"a renamed import": {
			"package rope_test\nimport r \"plumbline/rope\"\nfunc TestOther() { r.Rotate(1) }", nil,
		},
		"a helper that a test calls": {
			"package rope\nfunc helper() { Rotate(1) }\nfunc TestOther() { helper() }", nil,
		},
		"a method that a test calls": {
			"package rope\nfunc (h H) try() { Rotate(1) }\nfunc TestOther() { H{}.try() }", nil,
		},
		"a table that a test goes through": {
			"package rope\nvar table = []F{Rotate}\nfunc TestOther() { use(table) }", nil,
		},
		"an example": {"package rope\nfunc ExampleRotate() { Rotate(1) }", nil},
	} {
		t.Run(name, func(t *testing.T) {
			l, page := read(t, map[string]string{"rope/rope_test.go": c.test})
			if diff := cmp.Diff(c.want, l.Problems(page)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestExemptions(t *testing.T) {
	for name, c := range map[string]struct {
		decl string
		ok   bool
	}{
		"it says so":              {"// F counts.\n// It implements no equation.\nfunc F() {}", true},
		"it says why":             {"// F counts. It implements no equation: it counts tokens.\nfunc F() {}", true},
		"a String method":         {"func (t *T) String() string { return \"\" }", true},
		"an unexported function":  {"func f() {}", true},
		"a method of such a type": {"func (t t) F() {}", true},
		"a String function":       {"func String() string { return \"\" }", false},
		"a method":                {"// F counts.\nfunc (t *T[K]) F() {}", false},
		"a longer word":           {"// F counts.\n// It implements no equations.\nfunc F() {}", false},
	} {
		t.Run(name, func(t *testing.T) {
			l, page := read(t, map[string]string{"moe/moe.go": "package moe\n\n" + c.decl})
			if problems := l.Problems(page); (problems == nil) != c.ok {
				t.Errorf("problems: %q", problems)
			}
		})
	}
}

// recordingOf returns the bytes of a safetensors file without tensors.
func recordingOf(header string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header
}

func TestOps(t *testing.T) {
	l, page := read(t, map[string]string{
		"verify/op/rope.go": `package op
			func init() {
				register(&Op{Name: "rope.apply", Equations: []string{"rope.Rotate", "rope.Missing"}})
				register(&Op{Name: "rope.later"})
			}`,
		"golden/testdata/deep/a.safetensors": recordingOf(`{"__metadata__":{"op":"rope.apply"}}`),
		"golden/testdata/b.safetensors":      recordingOf(`{"__metadata__":{"op":"other"}}`),
		"golden/testdata/README.md":          "no recording",
	})
	t.Run("an op that names no function is reported", func(t *testing.T) {
		want := []string{"verify/op/rope.go:3: op rope.apply: its equation rope.Missing does not exist"}
		if diff := cmp.Diff(want, l.Problems(page)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
	t.Run("a row has the equation, the function, the paper, the tests, the ops and the recordings", func(t *testing.T) {
		want := "| $`y = R\\,x`$ | <a id=\"rope-rotate\"></a>[`rope.Rotate`](../rope/rope.go#L9) | RoFormer (15) | " +
			"[TestRotate](../rope/rope_test.go#L5) |" +
			" `rope.apply` | [a](../golden/testdata/deep/a.safetensors) |"
		if rows := tableRows(page); !slices.Contains(rows, want) {
			t.Errorf("rows:\n%s\nwant among them:\n%s", strings.Join(rows, "\n"), want)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"equations that are computed": {
			"verify/op/o.go", "package op\nvar x = Op{Name: \"x\", Equations: append(a, b)}",
			"verify/op/o.go:2: Name and Equations of an op: not a list of string literals",
		},
		"a name that is computed": {
			"verify/op/o.go", "package op\nvar x = Op{Name: a, Equations: []string{}}",
			"verify/op/o.go:2: Name and Equations of an op: not a string literal",
		},
		"an equation that is a constant": {
			"verify/op/o.go", "package op\nvar x = Op{Name: \"x\", Equations: []string{a}}",
			"verify/op/o.go:2: Name and Equations of an op: not a string literal",
		},
		"a source that does not parse": {"moe/m.go", "package", "moe/m.go:1:8: expected 'IDENT', found 'EOF'"},
		"a recording that is cut": {
			"golden/testdata/a.safetensors", "\x01",
			"golden/testdata/a.safetensors: op of the recording: unexpected EOF",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(tree(map[string]string{c.file: c.text}))
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestFormulaThatDoesNotConvertIsShownAsItIs(t *testing.T) {
	got := Formula([]string{"⎡a_b | c⎤", "⎣<d>  e⎦"})
	if want := "<pre>⎡a&#95;b &#124; c⎤<br>⎣&lt;d&gt;  e⎦</pre>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListsAreCut(t *testing.T) {
	if got, want := list([]string{"a", "b", "c", "d", "e", "f"}), "a<br>b<br>c<br>d<br>and 2 more"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A raw bar in a cell would begin another cell.
func TestEveryRowHasItsCells(t *testing.T) {
	l := project(t)
	_, tables, _ := strings.Cut(l.Markdown(), notation)
	for _, row := range tableRows(tables) {
		if got := strings.Count(row, "|"); got != 7 {
			t.Errorf("%d bars, want 7: %s", got, row)
		}
	}
}
