package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The module of these tests is called level, so that the program leaves them as they are.
func TestNames(t *testing.T) {
	folders := map[string]bool{"golden": true, "cmd/level": true, "verify/op": true, "internal/dgemm/gen": true}
	for _, c := range []struct{ name, before, from, to, after string }{
		{"modules", "module level\n\ngo 1.26\n", "level", "a.org/p", "module a.org/p\n\ngo 1.26\n"},
		{"modules inside", "module level/internal/dgemm/gen\n", "level", "a.org/p",
			"module a.org/p/internal/dgemm/gen\n"},
		{"imports", "import (\n\t_ \"level/verify/op\"\n)\n", "level", "a.org/p",
			"import (\n\t_ \"a.org/p/verify/op\"\n)\n"},
		{"packages in prose", "`level/golden.Check`, level/cmd/level@v0.1.0", "level", "a.org/p",
			"`a.org/p/golden.Check`, a.org/p/cmd/level@v0.1.0"},
		{"the order of imports", "go run x -local level -w FILES", "level", "a.org/p",
			"go run x -local a.org/p -w FILES"},
		{"requirements", "go mod edit -require=level@v0.0.0 -replace=level=\"$LEVEL\"", "level", "a.org/p",
			"go mod edit -require=a.org/p@v0.0.0 -replace=a.org/p=\"$LEVEL\""},
		{"no folders of other things", "cmd/level/golden ./level/golden src/level/golden level/else",
			"level", "a.org/p", "cmd/level/golden ./level/golden src/level/golden level/else"},
		{"no command", "level verify runs; module level_x", "level", "a.org/p",
			"level verify runs; module level_x"},
		{"repositories", "uses: " + repository("") + "@v0", "level", "github.com/b/p", "uses: b/p@v0"},
		{"no repository elsewhere", "uses: " + repository("") + "@v0", "level", "a.org/p",
			"uses: " + repository("") + "@v0"},
		{"a second time", "module github.com/b/p\n\"github.com/b/p/golden\" b/p@v0", "github.com/b/p", "github.com/c/q",
			"module github.com/c/q\n\"github.com/c/q/golden\" c/q@v0"},
		{"dots are dots", "module axorg/p", "a.org/p", "b.org/p", "module axorg/p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.after, newNames(c.from, c.to, folders).in(c.before)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestSet(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module level\n")
	write("golden/golden.go", "package golden\n\nimport (\n\t\"m/x\"\n\t\"level/verify\"\n)\n")
	write("verify/verify.go", "package verify\n")
	write("binary", "level/verify\x00")
	write(".git/config", "level/verify")
	write("x.safetensors", "level/verify")
	if n, err := set(root, "a.org/p"); err != nil || n != 2 {
		t.Fatalf("%d files, %v", n, err)
	}
	for name, want := range map[string]string{
		"go.mod":           "module a.org/p\n",
		"golden/golden.go": "package golden\n\nimport (\n\t\"a.org/p/verify\"\n\t\"m/x\"\n)\n",
		"binary":           "level/verify\x00",
	} {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := set(root, "not a path"); err == nil || !strings.Contains(err.Error(), "malformed module path") {
		t.Errorf("a path that is none: %v", err)
	}
	if _, err := set(t.TempDir(), "a.org/p"); err == nil {
		t.Error("a folder that is no module is changed")
	}
}
