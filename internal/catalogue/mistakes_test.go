package catalogue

import (
	"strings"
	"testing"

	"plumbline/verify/op"
)

// TestBankHasEachUnderItsNumbers: a mistake of two numbers stands under both, in order, one without
// stands at the end, and what is left out behind it.
func TestBankHasEachUnderItsNumbers(t *testing.T) {
	_, got, _ := strings.Cut(Bank([]op.Mistake{
		{ID: "c", Ops: []string{"x.y"}, Sentence: "does c", Hidden: "never"},
		{ID: "b", Numbers: []string{"A02", "R01"}, Ops: []string{"x.y", "x.z"}, Sentence: "does b", Hidden: "often"},
		{
			ID: "a", Numbers: []string{"A01"}, Ops: []string{"x.z"}, Thread: "some/body#7",
			Sentence: "does a", Hidden: "x|y",
		},
	}, []op.Beyond{{Number: "P16", Thread: "some/one#8", Sentence: "does d", Why: "it is no call"}}), "\n## ")
	const want = "R: rotation and YaRN\n" + `
| number | id | ops | what such a kernel does | hidden | met in |
|---|---|---|---|---|---|
| R01 | ` + "`b` | `x.y` `x.z`" + ` | does b | often |  |

## A: attention: masks, softmax, parts, heads

| number | id | ops | what such a kernel does | hidden | met in |
|---|---|---|---|---|---|
| A01 | ` + "`a` | `x.z`" + ` | does a | x\|y | [some/body#7](https://github.com/some/body/issues/7) |
| A02 | ` + "`b` | `x.y` `x.z`" + ` | does b | often |  |

## Without a number

| id | ops | what such a kernel does | hidden | met in |
|---|---|---|---|---|
| ` + "`c` | `x.y`" + ` | does c | never |  |

## Left out

| number | what is done | why it is not among the mistakes of an op | met in |
|---|---|---|---|
| P16 | does d | it is no call | [some/one#8](https://github.com/some/one/issues/8) |
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestEveryNumberHasAFamily: a mistake of another letter would stand nowhere on the page.
func TestEveryNumberHasAFamily(t *testing.T) {
	letters := ""
	for _, f := range families {
		letters += f.letter
	}
	for _, m := range op.Bank() {
		for _, number := range m.Numbers {
			if len(number) != 3 || !strings.Contains(letters, number[:1]) {
				t.Errorf("%s has number %q", m.ID, number)
			}
		}
	}
}
