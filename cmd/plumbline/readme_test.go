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

// What is wrong with the recording of the README is one sentence, in words, on the page, for
// machines of CI and for GitHub. The page in a browser and the Python package have tests of it too.
func TestOneSentence(t *testing.T) {
	folder := t.TempDir()
	page, junit := filepath.Join(folder, "page.html"), filepath.Join(folder, "junit.xml")
	bad := "testdata/readme/bad.safetensors"
	words, _ := output(t, []string{"verify", "-html", page, "-junit", junit, "-github", bad})
	sentence := strings.TrimSpace(strings.Split(words, "\n")[1])
	if !strings.HasPrefix(sentence, "causal-top-left (A01): ") {
		t.Fatalf("the first sentence is %q", sentence)
	}
	if strings.Count(words, sentence) != 2 || !strings.Contains(words, "::"+sentence) {
		t.Errorf("in words and as an annotation:\n%s", words)
	}
	for _, name := range []string{page, junit} {
		text, err := os.ReadFile(name)
		optest.Must(err)
		if !strings.Contains(string(text), sentence) {
			t.Errorf("%s lacks %q", filepath.Base(name), sentence)
		}
	}
}
