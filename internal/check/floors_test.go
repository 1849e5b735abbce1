package check

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// floors lists what a folder's code may import of the module beside internal, from the ground up;
// tests may import more. "*" stands for a name, the first line that fits a folder counts.
var floors = []struct {
	folder  string
	imports []string
}{
	{"numbers/*", []string{"numbers/*"}},
	{"attention", nil}, {"norm", nil}, {"rope", nil},
	{"moe", []string{"numbers/logistic"}}, {"policy", []string{"numbers/logistic"}},
	{"fp8", []string{"numbers/dtype"}},
	{"mla", []string{"attention", "norm", "rope"}},
	{"mtp", []string{"attention", "mla", "norm", "policy", "rope"}},
	{"model", []string{"attention", "fp8", "mla", "moe", "mtp", "norm", "policy", "rope", "numbers/*"}},
	{"dpo", []string{"numbers/logistic", "policy"}}, {"ppo", []string{"numbers/logistic", "policy"}},
	{"grpo", []string{"policy"}}, {"rl", []string{"policy"}},
	{"verify/recording", []string{"numbers/*"}},
	{"verify/verdict", []string{"numbers/*"}},
	{"verify/op", []string{"numbers/*", "rope", "verify/recording", "verify/verdict"}},
	{"verify/emulate", []string{"numbers/*", "rope", "verify/op", "verify/recording"}},
	{"verify/op/all", []string{"verify/op/*"}},
	{"verify/op/step", []string{"numbers/*", "*", "verify/op", "verify/recording", "verify/verdict"}},
	{"verify/op/latent", []string{
		"numbers/*", "*", "verify/op", "verify/op/attention", "verify/op/step", "verify/recording", "verify/verdict",
	}},
	{"verify/op/*", []string{"numbers/*", "*", "verify/op", "verify/op/step", "verify/recording", "verify/verdict"}},
	{"verify/emulate/all", []string{"verify/op/all", "verify/op/*/emulated"}},
	{
		"verify/op/latent/emulated",
		[]string{"numbers/*", "verify/emulate", "verify/op/attention/emulated", "verify/recording"},
	},
	{"verify/op/*/emulated", []string{"numbers/*", "verify/emulate", "verify/recording"}}, // nothing of the ops
	{
		"verify/diagnosis",
		[]string{
			"numbers/*", "verify/emulate", "verify/emulate/all", "verify/op", "verify/recording", "verify/verdict",
		},
	},
	{"verify/compare", []string{"numbers/*", "verify/op", "verify/recording", "verify/verdict"}},
	{"verify/request", []string{"numbers/*", "verify/diagnosis", "verify/op", "verify/recording"}},
	{"verify/foreign", []string{"numbers/*", "verify/op", "verify/recording"}},
	{"verify/report", []string{"numbers/*", "verify/compare", "verify/op", "verify/verdict"}},
	{"verify/evidence", []string{
		"numbers/*", "verify/emulate", "verify/op", "verify/recording", "verify/verdict",
	}},
	{"course/page", nil},
	{"course/count", []string{"*", "course/page"}},
	{"course/derivation", []string{"course/page"}},
	{"course/picture", []string{"numbers/*", "*", "course/page"}},
	{"course/story", []string{"numbers/*", "*", "course/page"}},
	{"course/hand", []string{"numbers/*", "*", "course/page", "verify/op", "verify/op/*", "verify/recording"}},
	{"course/exercise", []string{"numbers/*", "verify/*", "verify/*/*", "verify/*/*/*"}},
	{"course", []string{"course/*"}},
}

// Things flow one way: nobody below knows anybody above, and families not one another.
func TestFloors(t *testing.T) {
	module := modulePath(t)
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../")
		for _, spec := range parsed.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			if ours && !allowed(folder, imported) {
				t.Errorf("%s imports %s", file, spec.Path.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFloorsAreTold(t *testing.T) {
	for _, c := range []struct {
		folder, imported string
		want             bool
	}{
		{"numbers/tensor", "rope", false},
		{"attention", "mla", false},
		{"verify/op", "verify/op/attention", false},
		{"verify/op/latent", "verify/op/attention", true},
		{"verify/op/attention", "verify/op/latent", false},
		{"verify/op/objective", "verify/op/attention", false},
		{"verify/op/objective", "internal/parallel", true},
		{"verify/op/attention", "verify/emulate", false},
		{"verify/op/attention/emulated", "verify/op/attention", false},
		{"cmd/plumbline", "verify/op", true},
	} {
		if got := allowed(c.folder, c.imported); got != c.want {
			t.Errorf("%s, %s: %v", c.folder, c.imported, got)
		}
	}
}

// modulePath returns the path of the module.
func modulePath(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	return modfile.ModulePath(mod)
}

// allowed tells whether a folder may import another; what is on no floor stands above all.
func allowed(folder, imported string) bool {
	if strings.HasPrefix(imported, "internal/") {
		return true
	}
	for _, f := range floors {
		if fits(f.folder, folder) {
			return slices.ContainsFunc(f.imports, func(pattern string) bool { return fits(pattern, imported) })
		}
	}
	return true
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
