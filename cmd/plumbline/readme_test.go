package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/internal/optest"
)

// printedOf returns what `plumbline verify` prints of a recording of the README.
func printedOf(t *testing.T, name string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	optest.Must(err)
	defer out.Close()
	t.Chdir("testdata/readme")
	run([]string{"verify", name}, out, os.Stderr)
	text, err := os.ReadFile(out.Name())
	optest.Must(err)
	return string(text)
}

// The README shows what its example prints, which was recorded with its own lines of Python, and
// the beginning of what it prints of a mistake.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	optest.Must(err)
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	readme := words(string(text))
	if want := printedOf(t, "my.safetensors"); !strings.Contains(readme, words(want)) {
		t.Errorf("README.md lacks\n%s", want)
	}
	t.Chdir("../..")
	lines := strings.SplitN(printedOf(t, "bad.safetensors"), "\n", 3)
	if want := words(lines[0] + lines[1]); !strings.Contains(readme, want) {
		t.Errorf("README.md lacks\n%s", want)
	}
}
