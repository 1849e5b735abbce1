package guide

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Required is the environment variable that asks for pages to be carried out, where what they
// need is there: Go, a C++ compiler, Python with PyTorch. It takes minutes.
const Required = "PLUMBLINE_GUIDE"

func TestPages(t *testing.T) {
	for name, least := range map[string]int{"START.md": 4, "LEARN.md": 2} {
		page, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sections := Sections(string(page))
		if len(sections) < least {
			t.Fatalf("%s: %d sections", name, len(sections))
		}
		for _, s := range sections {
			t.Run(name+" "+s.Title, func(t *testing.T) { run(t, s) })
		}
	}
}

// run carries a section out where that is asked for.
func run(t *testing.T, s Section) {
	t.Helper()
	if os.Getenv(Required) == "" {
		t.Skip(Required + " is not set")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.TempDir(), "PLUMBLINE="+root); err != nil {
		t.Error(err)
	}
}

// TestReadme runs the example of the README. How its last digits come out hangs on the PyTorch.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := Block{Language: "python", Name: "readme.py"}
	for _, b := range blocksOf(string(page)) {
		if b.Language == "python" {
			example.Text = b.Text
		}
	}
	install := "python3 -m venv --system-site-packages env && env/bin/pip install --quiet \"$PLUMBLINE/python\""
	run(t, Section{"README", []Block{
		{Language: "sh", Text: install}, example,
		{Language: "sh", Text: "env/bin/python readme.py && env/bin/plumbline verify my.safetensors"},
		{Language: "text", Text: "explained     my.safetensors  attention.forward  … of 108\n1 recording: 1 explained"},
	}})
}

const page = "# Page\n```sh\nnot run\n```\n## First\nwords\n```python a.txt\nin a file\n```\nmore\n```sh\ncat a.txt\n" +
	"echo $WORD\n```\n```text\nin a …\nword\n```\n## Second\nwithout any\n"

func TestSections(t *testing.T) {
	all := Sections(page)
	if len(all) != 1 || all[0].Title != "First" || len(all[0].Blocks) != 3 {
		t.Fatalf("%+v", all)
	}
	if err := all[0].Run(t.TempDir(), "WORD=word"); err != nil {
		t.Error(err)
	}
	if err := all[0].Run(t.TempDir(), "WORD=other"); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("of other words: %v", err)
	}
	all[0].Blocks[1].Text = "echo broken >&2; false; echo on"
	if err := all[0].Run(t.TempDir()); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("of a command that fails: %v", err)
	}
}
