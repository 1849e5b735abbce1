package catalogue

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/verify/op"
)

// TestEveryNumberOfTheBankIsTold: what was met in public is a mistake of some op, or left out with
// the reason, and no other number is given.
func TestEveryNumberOfTheBankIsTold(t *testing.T) {
	told := map[string]bool{}
	for _, m := range op.Bank() {
		for _, number := range m.Numbers {
			told[number] = true
		}
	}
	for _, l := range op.LeftOut() {
		told[l.Number] = l.Sentence != "" && l.Why != ""
	}
	var missing []string
	for _, number := range numbers() {
		if !told[number] {
			missing = append(missing, number)
		}
		delete(told, number)
	}
	if len(missing)+len(told) > 0 {
		t.Errorf("in no mistake and not left out with a reason: %s; of no family: %v", strings.Join(missing, " "), told)
	}
}

// numbers lists those of the bank.
func numbers() (all []string) {
	for _, family := range []struct {
		letter string
		last   int
	}{
		{"R", 21}, {"A", 18}, {"P", 16}, {"M", 11}, {"G", 24}, {"X", 15}, {"F", 21}, {"T", 21}, {"L", 36}, {"N", 5},
	} {
		for i := range family.last {
			all = append(all, fmt.Sprintf("%s%02d", family.letter, i+1))
		}
	}
	return all
}
