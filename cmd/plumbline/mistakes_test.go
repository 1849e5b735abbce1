package main

import (
	"strings"
	"testing"

	"plumbline/verify/op"
)

// small is a bank of two mistakes with numbers, one without, and one that is left out.
var small = bank{
	[]op.Mistake{
		{ID: "first", Numbers: []string{"R01", "R03"}, Ops: []string{"a.b"}, Sentence: "does one", Hidden: "never"},
		{ID: "second", Numbers: []string{"R03"}, Ops: []string{"a.b", "a.c"}, Sentence: "does two", Hidden: "often"},
		{ID: "third", Ops: []string{"a.c"}, Sentence: "does three", Hidden: "with x", Thread: "some/body#7"},
	},
	[]op.Beyond{{Number: "P16", Thread: "some/one#8", Sentence: "does four", Why: "two calls are needed"}},
}

func TestBankIsSearched(t *testing.T) {
	for words, want := range map[string]string{
		"":             "first second third P16",
		"R01":          "first",
		"r03":          "first second",
		"R03 FIRST":    "first second",
		"a.c":          "second third",
		"third p16":    "third P16",
		"P16":          "P16",
		"R1":           "error",
		"R01 nowhere":  "error",
		"first second": "first second",
	} {
		found, err := small.find(strings.Fields(words))
		var ids []string
		for _, m := range found.mistakes {
			ids = append(ids, m.ID)
		}
		for _, l := range found.left {
			ids = append(ids, l.Number)
		}
		if got := strings.Join(ids, " "); got != want && (err == nil || want != "error") {
			t.Errorf("%q: %q, %v, want %q", words, got, err, want)
		}
	}
}

func TestBankInFull(t *testing.T) {
	var b strings.Builder
	found, err := small.find([]string{"third", "P16", "R01"})
	if err != nil {
		t.Fatal(err)
	}
	describeMistakes(&b, found)
	const want = `first (R01, R03): does one
  ops     a.b
  hidden  never

third: does three
  ops     a.c
  hidden  with x
  thread  https://github.com/some/body/issues/7

P16 (left out): does four
  why     two calls are needed
  thread  https://github.com/some/one/issues/8
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestBankInLines(t *testing.T) {
	var b strings.Builder
	listMistakes(&b, small)
	const want = `first   R01, R03  does one (a.b)
second  R03       does two (a.b, a.c)
third             does three (a.c)

left out, being no mistake of an op
  P16  does four
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
