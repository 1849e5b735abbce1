package course

import (
	"os"
	"strings"
	"testing"
	"unicode"
)

// What a station links to exists: files, and headings of the pages that are lists.
func TestStationsLink(t *testing.T) {
	for _, s := range stations() {
		wantFile(t, s, "hand", s.Look.Hand)
		wantFile(t, s, "stories", s.Look.Story)
		wantHeading(t, s, "PICTURES", s.Look.Picture)
		wantHeading(t, s, "DERIVATIONS", s.Look.Derivation)
		wantHeading(t, s, "COUNT", s.Look.Count)
	}
}

func wantFile(t *testing.T, s Station, folder, name string) {
	t.Helper()
	if name == "" {
		return
	}
	if _, err := os.Stat(root + "/docs/" + folder + "/" + name + ".md"); err != nil {
		t.Errorf("%s: %v", s.ID, err)
	}
}

func wantHeading(t *testing.T, s Station, page, name string) {
	t.Helper()
	if name == "" {
		return
	}
	text, err := os.ReadFile(root + "/docs/" + page + ".md")
	if err != nil {
		t.Errorf("%s: %v", s.ID, err)
		return
	}
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && slug(heading) == name {
			return
		}
	}
	t.Errorf("%s: docs/%s.md has no heading %s", s.ID, page, name)
}

// slug returns the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
