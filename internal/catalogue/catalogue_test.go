package catalogue

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"plumbline/verify/op"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../" + Page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPageHasTheCatalogue compares the page with the ops: names, inputs, attributes, defaults,
// outputs, arithmetic.
func TestPageHasTheCatalogue(t *testing.T) {
	old := page(t)
	text, err := Insert(old)
	if err != nil {
		t.Fatal(err)
	}
	if text != old {
		t.Errorf("%s is not what the ops are: run go generate ./...", Page)
	}
}

// TestPageSaysWhatEveryKeyMeans: the table has names and defaults, the text above it the meanings.
func TestPageSaysWhatEveryKeyMeans(t *testing.T) {
	text, keys := page(t), map[string]bool{}
	for _, op := range op.Ops() {
		for _, k := range op.Arithmetic {
			keys[k.Name] = true
		}
	}
	for key := range keys {
		if !strings.Contains(text, "\n| `"+key+"` | ") {
			t.Errorf("the table of declared arithmetic lacks %s", key)
		}
	}
}

// TestWhatIsNotYetThereIsNot: an op that has come leaves the list of those that will.
func TestWhatIsNotYetThereIsNot(t *testing.T) {
	_, section, ok := strings.Cut(page(t), "\n### Not yet\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)`").FindAllStringSubmatch(section, -1)
	if !ok || len(rows) == 0 {
		t.Fatal("no list of ops that are not yet there")
	}
	for _, row := range rows {
		if op.Lookup(row[1]) != nil {
			t.Errorf("%s is there", row[1])
		}
	}
}

func TestInsertNeedsItsMarks(t *testing.T) {
	for _, text := range []string{"", begin, end} {
		if _, err := Insert(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
