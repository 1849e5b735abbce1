package exercise

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/ledger"
)

const root = "../.."

var readOnce = sync.OnceValues(func() (*ledger.Ledger, error) { return ledger.Read(os.DirFS(root)) })

// functions returns those of the project.
func functions(t *testing.T) []*ledger.Function {
	t.Helper()
	books, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return books.Functions
}

// all returns the course of the project.
func all(t *testing.T) *Course {
	t.Helper()
	return courseOf(functions(t), nil)
}

// rooms returns the packages whose exercises a test goes through: with -long all of them.
func rooms() []string {
	if *check.Long {
		return ledger.Rooms
	}
	return []string{"norm"}
}

// of returns the exercises of a package.
func (c *Course) of(room string) (list []Exercise) {
	for _, name := range c.Names() {
		if e, _ := c.Find(name); e.Package == room {
			list = append(list, e)
		}
	}
	return list
}

// TestEmptiedFilesCompile: signatures stay, so a package that compiles is all that others need.
func TestEmptiedFilesCompile(t *testing.T) {
	c := all(t)
	for _, room := range rooms() {
		p := load(t, room)
		for _, e := range c.of(room) {
			if err := p.check(e.File, source(t, e).emptied()); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
	}
}

// source returns the function of an exercise.
func source(t *testing.T, e Exercise) *parsed {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, e.File))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parse(e.File, text, e.Function)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compiled is a package that can be type-checked with one file replaced.
type compiled struct {
	set   *token.FileSet
	files map[string]*ast.File
	from  types.Importer
}

// load parses a package, and finds what the compiler keeps of those that it imports.
func load(t *testing.T, room string) compiled {
	t.Helper()
	exports := map[string]string{}
	list := goes(t, "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./"+room)
	for line := range strings.Lines(list) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[name] = file
	}
	p := compiled{set: token.NewFileSet(), files: map[string]*ast.File{}}
	p.from = importer.ForCompiler(p.set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	names, err := filepath.Glob(filepath.Join(root, room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if isTest(name) {
			continue
		}
		if p.files[room+"/"+filepath.Base(name)], err = parser.ParseFile(p.set, name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// goes runs the go command in the module.
func goes(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

func (p compiled) check(file string, source []byte) error {
	replaced, err := parser.ParseFile(p.set, file, source, 0)
	if err != nil {
		return err
	}
	files := []*ast.File{replaced}
	for name, f := range p.files {
		if name != file {
			files = append(files, f)
		}
	}
	_, err = (&types.Config{Importer: p.from}).Check("checked", p.set, files, nil)
	return err
}

// TestEmptiedFunctionsMakeTestsRed: an exercise whose tests stay green while it is empty is none.
// The tests of a package are built once, and a word in the environment says which function is
// empty.
func TestEmptiedFunctionsMakeTestsRed(t *testing.T) {
	c := all(t)
	for _, room := range rooms() {
		list := c.of(room)
		tests := built(t, room, list)
		l, err := lessonsOf(filepath.Join(root, room))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			run := exec.Command(tests, append(l.flags(), "-test.run="+pattern(e.Tests), "-test.timeout=120s")...)
			run.Dir, run.Env = filepath.Join(root, room), append(os.Environ(), switched+"="+e.Name)
			out, err := run.CombinedOutput()
			if err == nil {
				t.Errorf("%s: its tests stay green without it: %s", e.Name, strings.Join(e.Tests, ", "))
			} else if !strings.Contains(string(out), wanted(e.Name)) {
				t.Errorf("%s: its tests are red, but not since it is empty:\n%s", e.Name, out)
			}
		}
	}
}

// switched is the environment variable that says which function is empty.
const switched = "PLUMBLINE_EMPTY"

// built builds the tests of a package in which each exercise can be switched off.
func built(t *testing.T, room string, list []Exercise) string {
	t.Helper()
	folder, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{room + "/switched.go": fmt.Sprintf(
		"package %s\n\nimport \"os\"\n\nvar switchedOff = os.Getenv(%q)\n", path.Base(room), switched)}
	for _, e := range list {
		texts[e.File] = switching(t, e, texts[e.File])
	}
	to := t.TempDir()
	replaced := map[string]string{}
	for name, text := range texts {
		by := filepath.Join(to, filepath.Base(name))
		write(t, by, text)
		replaced[filepath.Join(folder, filepath.FromSlash(name))] = by
	}
	overlay, err := writeOverlay(to, replaced)
	if err != nil {
		t.Fatal(err)
	}
	tests := filepath.Join(to, path.Base(room)+".test")
	goes(t, "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", tests, "./"+room)
	return tests
}

// switching returns a file, as the project has it or with others switched already, in which the
// exercise panics where it is switched off.
func switching(t *testing.T, e Exercise, text string) string {
	t.Helper()
	p := source(t, e)
	if text != "" {
		var err error
		if p, err = parse(e.File, []byte(text), e.Function); err != nil {
			t.Fatal(err)
		}
	}
	at := p.offset(p.decl.Body.Lbrace) + 1
	line := fmt.Sprintf(" if switchedOff == %q { panic(%q) }; ", e.Name, wanted(e.Name))
	return string(apply(p.source, []edit{{at, at, line}}))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
