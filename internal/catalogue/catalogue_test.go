package catalogue

import (
	"bytes"
	"encoding/json"
	"os"
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

// TestFilesHaveTheCatalogue compares what is kept with the ops: names, inputs, attributes,
// defaults, outputs, arithmetic.
func TestFilesHaveTheCatalogue(t *testing.T) {
	for _, name := range Files {
		old, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := Write(name, old)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, old) {
			t.Errorf("%s is not what the ops are: run go generate ./...", name)
		}
	}
	if _, err := Write("README.md", nil); err == nil {
		t.Error("README.md: no error")
	}
}

// TestJSONSaysAll reads the catalogue back: nothing of an op is lost, and no list is null.
func TestJSONSaysAll(t *testing.T) {
	text, err := JSON(op.Ops())
	if err != nil {
		t.Fatal(err)
	}
	var all jsonCatalogue
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Ops) != len(op.Ops()) || bytes.Contains(text, []byte("null")) {
		t.Errorf("%d ops of %d, or a null", len(all.Ops), len(op.Ops()))
	}
	for i, entry := range op.Ops() {
		got := all.Ops[i]
		if got.Name != entry.Name || len(got.Inputs) != len(entry.Inputs) || len(got.Attrs) != len(entry.Attrs) ||
			len(got.Mistakes) != len(entry.Mistakes()) {
			t.Errorf("%s: got %+v", entry.Name, got)
		}
		for _, a := range got.Attrs {
			if (a.Default == nil) == (a.Missing == "") {
				t.Errorf("%s: %s has default %v and is %q when missing", entry.Name, a.Name, a.Default, a.Missing)
			}
		}
	}
}

// TestJSONIsSortedAndHasEachOnce: the order of the arguments does not matter.
func TestJSONIsSortedAndHasEachOnce(t *testing.T) {
	a, b := op.Lookup("norm.rms"), op.Lookup("rope.apply")
	want, _ := JSON([]*op.Op{a, b})
	got, _ := JSON([]*op.Op{b, a, b})
	if !bytes.Equal(got, want) {
		t.Errorf("got %s", got)
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

func TestInsertNeedsItsMarks(t *testing.T) {
	for _, text := range []string{"", begin, end} {
		if _, err := Insert(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// TestOpsPageNamesEverything: what an op declares is somewhere in its section.
func TestOpsPageNamesEverything(t *testing.T) {
	for _, entry := range op.Ops() {
		text := Markdown([]*op.Op{entry})
		var names []string
		for _, x := range entry.Inputs {
			names = append(names, "`"+x.Name+"`")
		}
		for _, x := range entry.Outputs {
			names = append(names, "`out."+x.Name+"`")
		}
		for _, x := range entry.Attrs {
			names = append(names, "`"+x.Name+"` | "+x.Values()+" | "+x.String())
		}
		for _, x := range entry.Arithmetic {
			names = append(names, "`"+x.Name+"`")
		}
		for _, x := range entry.Mistakes() {
			numbers := strings.Join(x.Numbers, ", ")
			names = append(names, "`"+x.ID+"` | "+numbers+" | "+x.Sentence+" | "+x.Hidden)
		}
		for _, name := range names {
			if !strings.Contains(text, name) {
				t.Errorf("%s: %s is missing", entry.Name, name)
			}
		}
	}
}
