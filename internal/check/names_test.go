package check

import (
	"fmt"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"plumbline/internal/ledger"
)

// shared are the names that may stand in several equation packages, each with the one thing that it
// says there.
var shared = map[string]string{
	"Backward":        "the gradients of what the package is about, as every …Backward is of a function",
	"Block":           "the transformer block: what mtp needs to know of it, and model's own",
	"Combine":         "what papers call so: experts' outputs into one (moe), two inputs into one (mtp)",
	"CombineBackward": "the gradient of Combine",
	"Config":          "what the shapes do not say",
	"GQA":             "heads that share keys and values: what they compute (attention), what they cost (model)",
	"Layer":           "one layer of the model: of attention (mla), of experts (moe)",
	"Loss":            "the loss that the package is about",
	"Module":          "a depth of prediction: mtp's, and the same with its block's weights in model",
	"Options":         "the conventions of a call",
	"TDError":         "δ_t, of a table of values (rl) and of two values (ppo)",
	"Weights":         "the matrices that a layer learns",
}

// A name that means two things makes a reader look twice, and a thing with two names is found once.
func TestNoNameMeansTwoThings(t *testing.T) {
	packages, err := exportedNames(os.DirFS("../.."), ledger.Rooms)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 100 {
		t.Fatalf("%d names found", len(packages))
	}
	for _, message := range sharedNames(packages, shared) {
		t.Error(message)
	}
}

func TestSharedNamesAreFound(t *testing.T) {
	packages, err := exportedNames(fstest.MapFS{
		"a/a.go":      {Data: []byte("package a\nfunc Loss() {}\nfunc lower() {}\ntype T int\nfunc (T) Mean() {}")},
		"a/a_test.go": {Data: []byte("package a\nfunc Helper() {}")},
		"b/b.go":      {Data: []byte("package b\nvar Loss, lower int\nfunc Mean() {}\nfunc Helper() {}\nconst T = 1")},
	}, []string{"a", "b", "later"})
	if err != nil {
		t.Fatal(err)
	}
	got := sharedNames(packages, map[string]string{"T": "a type and its size", "Gone": "what once was"})
	want := []string{
		"Gone is on the list and in fewer than two packages",
		"Loss is in the packages a and b: give one of the two a name of its own",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// sharedNames returns a message for each name of several packages that is not listed, and for each
// that is listed without need.
func sharedNames(packages map[string][]string, listed map[string]string) (messages []string) {
	for name, of := range packages {
		if len(of) > 1 && listed[name] == "" {
			messages = append(messages, fmt.Sprintf(
				"%s is in the packages %s: give one of the two a name of its own", name, strings.Join(of, " and "),
			))
		}
	}
	for name := range maps.Keys(listed) {
		if len(packages[name]) < 2 {
			messages = append(messages, name+" is on the list and in fewer than two packages")
		}
	}
	slices.Sort(messages)
	return messages
}

// exportedNames returns the names that packages export at their top, with the packages that have
// them.
func exportedNames(root fs.FS, folders []string) (map[string][]string, error) {
	declared, err := ledger.Declared(root, folders...)
	if err != nil {
		return nil, err
	}
	packages := map[string][]string{}
	for _, full := range slices.Sorted(maps.Keys(declared)) {
		folder, name, _ := strings.Cut(full, ".")
		if token.IsExported(name) {
			packages[name] = append(packages[name], folder)
		}
	}
	return packages, nil
}
