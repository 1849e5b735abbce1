package course

import (
	"slices"
	"strings"
	"testing"

	"plumbline/internal/ledger"
)

// first is how many functions of the routes have an Example at least, from the first on.
const first = 60

// What a reader meets first can be seen at work in numbers that can be checked in the head.
func TestFirstFunctionsHaveExamples(t *testing.T) {
	tests := map[string][]ledger.Test{}
	for _, f := range books(t).Functions {
		tests[f.Path()] = f.Tests
	}
	for _, name := range functionsMet()[:first] {
		if !hasExample(tests[name], name) {
			t.Errorf("%s has no Example of its name", name)
		}
	}
}

// functionsMet returns the functions of all stations in the order in which they are met.
func functionsMet() (names []string) {
	seen := map[string]bool{}
	for _, station := range stations() {
		for _, name := range station.Function {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func TestMissingExamplesAreFound(t *testing.T) {
	tests := []ledger.Test{{Name: "TestMask"}, {Name: "ExampleMask_Sees"}, {Name: "ExampleHead_online"}}
	for name, want := range map[string]bool{
		"attention.Mask.Sees": true, "attention.Mask": false, "attention.Head": false, "attention.Sees": false,
	} {
		if got := hasExample(tests, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// hasExample tells whether there is the Example of a function, moe.TopK, or a method,
// moe.Gate.Route.
func hasExample(tests []ledger.Test, function string) bool {
	_, name, _ := strings.Cut(function, ".")
	want := "Example" + strings.ReplaceAll(name, ".", "_")
	return slices.ContainsFunc(tests, func(test ledger.Test) bool { return test.Name == want })
}
