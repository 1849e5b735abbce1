package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumbline/internal/check"
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
	drawn := failed()
	drawn.Outputs[0].Picture = oddPicture()
	coded := NewEntry(wrong, nil)
	coded.Outputs = nil
	for _, typ := range []string{"I64", "I32", "U8", "BOOL", "F8_E8M0", "F8_E4M3", "F4"} {
		coded.Outputs = append(coded.Outputs, verdict.Output{Name: typ, Type: typ, Worst: []verdict.Element{
			{Want: -1, WantHex: "0x0", GotHex: "0x0"}, {Want: 1e300, WantHex: "0x0", GotHex: "0x0"},
		}})
	}
	return []Entry{
		NewEntry(right, origin), diagnosed, drawn, coded, signed, chosen,
		NewEntry(unusable, nil), NewEntry(undecided, nil),
		hostileEntry(),
	}
}

// oddPicture has what pictures() must not look into: maps that are none.
func oddPicture() *verdict.Picture {
	p := pictured()
	p.Maps = append(p.Maps,
		verdict.Map{Axes: []string{"a"}, Cells: []int{0}, Each: 1, RMS: []float64{1}},
		verdict.Map{Axes: []string{"a", "b"}, Extents: []int{2}, Cells: []int{2, 2}, Counts: []int{1}},
	)
	return p
}

func jsonOfShard(t *testing.T, s Shard) string {
	t.Helper()
	var b strings.Builder
	write(t, NewShardJSON(&b, "v1", s), NewEntry(right, nil))
	return b.String()
}

func TestShardsAreReadAndWritten(t *testing.T) {
	text := jsonOfShard(t, Shard{2, 3})
	if !strings.HasPrefix(text, `{"plumbline":1,"version":"v1","shard":{"index":2,"of":3},"recordings":[`) {
		t.Error(text)
	}
	if run, err := Read(strings.NewReader(text)); err != nil || *run.Shard != (Shard{2, 3}) {
		t.Error(run, err)
	}
	same(t, jsonOfShard(t, Shard{}), jsonOf(t, "v1", NewEntry(right, nil)))
	for shard, says := range map[string]string{
		`{"index":0,"of":3}`: "shard 0 of 3", `{"index":4,"of":3}`: "shard 4 of 3", `{"of":3}`: `no key "index"`,
		`{"index":1.5,"of":3}`: "want a whole number", `[1,2]`: "want an object",
	} {
		spoilt := strings.Replace(text, `{"index":2,"of":3}`, shard, 1)
		if _, err := Read(strings.NewReader(spoilt)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", shard, err, says)
		}
	}
}

func TestReadWantsEveryKey(t *testing.T) {
	head, tail := `{"plumbline":1,"version":"","recordings":[`, `],"summary":{"recordings":1,"explained":1,`+
		`"unexplained":0,"undetermined":0,"unusable":0}}`
	for missing, recording := range map[string]string{
		`"file" within "recordings"`:    `{}`,
		`"status" within "recordings"`:  `{"file":"a","op":"b"}`,
		`"bias" within "outputs"`:       `{"file":"a","op":"b","status":"explained","outputs":[{}]}`,
		`"sentence" within "diagnosis"`: `{"file":"a","op":"b","status":"explained","diagnosis":{"tried":1}}`,
	} {
		if _, err := Read(strings.NewReader(head + recording + tail)); err == nil ||
			!strings.Contains(err.Error(), "no key "+missing) {
			t.Errorf("%s: %v, want no key %s", recording, err, missing)
		}
	}
	short := head + `{"file":"a","op":"b","status":"explained"}` + strings.Replace(tail, `,"unusable":0`, "", 1)
	if _, err := Read(strings.NewReader(short)); err == nil || !strings.Contains(err.Error(), `no key "unusable"`) {
		t.Error(err)
	}
}

// TestReadBoundsWhatItHolds, since a few bytes may ask for many.
func TestReadBoundsWhatItHolds(t *testing.T) {
	head := `{"plumbline":1,"version":"","recordings":[`
	one := `{"file":"","op":"","status":"explained"`
	deep := `[` + strings.Repeat(`[],`, mostListed) + `0]`
	for says, text := range map[string]string{
		`more than 1048576 entries within "recordings"`: head + strings.Repeat(one+"},", mostListed+1),
		`more than 1048576 entries within "blind"`: head + one + `,"vouching":{"known":0,"against":0,"blind":[` +
			strings.Repeat(`"",`, mostListed+1),
		"recordings say more than 4194304 values": head + strings.Repeat(one+`,"attrs":{"a":`+deep+`}},`, 4),
	} {
		if !strings.Contains(says, "blind") && check.Times(1, 0) == 0 {
			continue // seconds each, but with -long
		}
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
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
		{`"explained":3`, `"explained":4`, "the summary says 9 recordings: 4 explained"},
		{`"status":"unexplained","reason"`, `"status":"explained","reason"`, `is explained, and its output "o"`},
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

// FuzzRead reads anything, and writes what was read in every form: nothing panics, and what is
// written as JSON is read back.
func FuzzRead(f *testing.F) {
	for _, e := range everything() {
		var b strings.Builder
		j := NewShardJSON(&b, "v1", Shard{1, 2})
		_, _ = j.Add(e), j.Close()
		f.Add([]byte(b.String()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		run, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for name, form := range forms {
			var b strings.Builder
			write(t, form(&b), run.Recordings...)
			if _, err := Read(strings.NewReader(b.String())); err != nil && strings.HasPrefix(name, "JSON") {
				t.Errorf("%s is not read back: %v", name, err)
			}
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
