package catalogue

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/verify/op"
)

// compiled matches a wrong kernel in the recorder's list, with its ops.
var compiled = regexp.MustCompile(`(?m)^ +\{"([a-z0-9-]+)", \{("[a-z0-9._", ]+")\}\},$`)

// TestKernelsHaveTheBanksMistakes: what the recorder compiles is a mistake of each of its ops, and
// the page of the kernels lists the same ones, each with the switch that bears its name.
func TestKernelsHaveTheBanksMistakes(t *testing.T) {
	var listed []string
	for _, row := range compiled.FindAllStringSubmatch(text(t, "kernels/recorder/ops.cpp"), -1) {
		listed = append(listed, row[1])
		for name := range strings.SplitSeq(strings.Trim(row[2], `"`), `", "`) {
			if !slices.ContainsFunc(op.Bank(), func(m op.Mistake) bool {
				return m.ID == row[1] && slices.Contains(m.Ops, name)
			}) {
				t.Errorf("%s is no mistake of %s", row[1], name)
			}
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|[^|]*\\| `MISTAKE_([A-Z0-9_]+)` \\|")
	var told []string
	for _, row := range rows.FindAllStringSubmatch(text(t, KernelsPage), -1) {
		told = append(told, row[1])
		if want := strings.ToUpper(strings.ReplaceAll(row[1], "-", "_")); row[2] != want {
			t.Errorf("%s has the switch MISTAKE_%s", row[1], row[2])
		}
	}
	slices.Sort(listed)
	slices.Sort(told)
	if diff := cmp.Diff(listed, told); diff != "" || len(listed) < 60 {
		t.Errorf("%d in the recorder (-), and those of its page (+):\n%s", len(listed), diff)
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNumbersAreWrittenBesideTheirIds(t *testing.T) {
	bank := []op.Mistake{
		{ID: "a-b", Numbers: []string{"R03", "R01"}}, {ID: "a-b", Numbers: []string{"R03"}}, {ID: "c"},
	}
	const page = "| name | number | switch |\n| `a-b` | | `MISTAKE_A_B` |\n| `c` | X07 | `MISTAKE_C` | `a-b` |\n" +
		"| `a-b` | x | y |\n"
	const want = "| name | number | switch |\n| `a-b` | R01, R03 | `MISTAKE_A_B` |\n| `c` | | `MISTAKE_C` | `a-b` |\n" +
		"| `a-b` | x | y |\n"
	if got := Number(page, bank); got != want || Number(got, bank) != want {
		t.Errorf("got\n%s", got)
	}
}
