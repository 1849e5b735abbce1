package report

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumbline/verify/verdict"
)

func jsonOf(t *testing.T, version string, entries ...Entry) string {
	t.Helper()
	var b strings.Builder
	write(t, NewJSON(&b, version), entries...)
	return b.String()
}

// everything is a run with all that a report can hold.
func everything() []Entry {
	diagnosed := failed()
	diagnosed.Vouching = &verdict.Vouching{Known: 3, Against: 1, Blind: []string{"a", "b"}}
	signed := NewEntry(right, map[string]any{"note": []any{map[string]any{"deep": nil}, true, "x"}})
	signed.Outputs = []verdict.Output{{Name: "c", Type: "BF16", Signs: &verdict.Signs{Elements: 7, Seen: 1.25}}}
	chosen := NewEntry(right, nil)
	chosen.Outputs = []verdict.Output{{ChoiceCount: verdict.ChoiceCount{
		Unit: "rows", Rows: 9, Wrong: 1, WrongRows: []verdict.WrongRow{{Row: 3, Why: "why"}},
	}}}
	return []Entry{
		NewEntry(right, origin), diagnosed, signed, chosen, NewEntry(unusable, nil), NewEntry(undecided, nil),
		hostileEntry(),
	}
}

func TestReadGivesBackWhatIsWritten(t *testing.T) {
	want := jsonOf(t, hostile, everything()...)
	run, err := Read(strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	same(t, jsonOf(t, run.Version, run.Recordings...), want)
	t.Run("and the page of it is the same", func(t *testing.T) {
		same(t, htmlOf(t, run.Recordings...), htmlOf(t, everything()...))
	})
	t.Run("an empty run too", func(t *testing.T) {
		if run, err := Read(strings.NewReader(jsonOf(t, ""))); err != nil || run.Summary != (Summary{}) {
			t.Error(run, err)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	right := jsonOf(t, "v1", everything()...)
	for _, c := range []struct{ from, to, says string }{
		{`"plumbline":1`, `"plumbline":2`, `format version "2", want 1`},
		{`"plumbline":1`, `"plumbline":"1.0"`, `format version "1.0", want 1`},
		{`{"plumbline":1,`, `{`, `key "version" comes first`},
		{`"version":"v1",`, ``, `no key "version"`},
		{`"version":"v1"`, `"comparison":{}`, "compares two recordings"},
		{`"op":"rope.apply"`, `"op":"rope.apply","more":1`, `key "more" is not known`},
		{`"op":"rope.apply"`, `"op":"rope.apply","op":"x"`, `key "op" stands there twice`},
		{`"op":"rope.apply"`, `"op":1`, `"1" for key "op", want a string`},
		{`"status":"explained"`, `"status":"fine"`, `"fine" for key "status", want a verdict`},
		{`"max_z":1.9`, `"max_z":"1.9"`, `"1.9" for key "max_z", want a number, "NaN", "+Inf" or "-Inf"`},
		{`"max_z":1.9`, `"max_z":1e999`, `"1e999" for key "max_z"`},
		{`"elements":16896`, `"elements":1.5`, `"1.5" for key "elements", want a whole number`},
		{`"explained":3`, `"explained":4`, "the summary says 7 recordings: 4 explained"},
		{`"outputs":[`, `"outputs":{`, "want a list for outputs"},
		{`"unusable":1}}`, `"unusable":1}`, "cut short"}, {`"unusable":1}}`, `"unusable":1}}1`, "more behind the end"},
		{`{"plumbline"`, `[{"plumbline"`, "want an object"}, {`"deep":null`, `"deep":nil`, "invalid character"},
		{`"deep":null`, `"deep":` + strings.Repeat("[", 1e5), "more than 64 deep"},
	} {
		spoilt := strings.Replace(right, c.from, c.to, 1)
		if spoilt == right {
			t.Fatalf("%s is not there", c.from)
		}
		if _, err := Read(strings.NewReader(spoilt)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60s for %s: %v, want %q", c.to, c.from, err, c.says)
		}
	}
}

func TestReadRefusesEveryPart(t *testing.T) {
	whole := jsonOf(t, "v1", NewEntry(right, origin), NewEntry(unusable, nil))
	for n := range len(whole) - 1 {
		if _, err := Read(strings.NewReader(whole[:n])); !errors.Is(err, errCut) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestReadPassesOnErrors(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Read(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Whatever is read is read back the same once written, or refused; nothing panics.
func TestReadHoldsAgainstChanges(t *testing.T) {
	whole := jsonOf(t, "v1", everything()...)
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(whole)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			text[at] = rapid.SampledFrom([]byte("{}[]\",:0-9eE.tfnN\\u")).Draw(t, "byte")
		}
		run, err := Read(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		var once, twice strings.Builder
		rewrite(&once, run)
		if run, err = Read(strings.NewReader(once.String())); err != nil {
			t.Fatal(err)
		}
		if rewrite(&twice, run); cmp.Diff(once.String(), twice.String()) != "" {
			t.Error(cmp.Diff(once.String(), twice.String()))
		}
	})
}

func rewrite(b *strings.Builder, run *Run) {
	j, h := NewJSON(b, run.Version), NewHTML(&strings.Builder{}, "")
	for _, e := range run.Recordings {
		_, _ = j.Add(e), h.Add(e)
	}
	_ = j.Close()
}
