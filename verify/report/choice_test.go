package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"plumbline/verify/verdict"
)

func TestAChoiceSaysHowManyRowsNeededTheAllowance(t *testing.T) {
	gate := verdict.Output{Name: "indices", Type: "I32", Shape: []int{4096, 8}, Elements: 32768}
	gate.ChoiceCount = verdict.ChoiceCount{Unit: "rows", Rows: 4096, Allowed: 3, Ties: 1}
	right := Entry{Verdict: verdict.Verdict{File: "gate", Outputs: []verdict.Output{gate}}}
	if text := Words(right); strings.Count(
		text, "3 of 4096 rows needed the allowance (ties: 1, within bound: 2)",
	) != 2 {
		t.Errorf("in words:\n%s", text)
	}
	gate.Status, gate.Wrong = verdict.Unexplained, 1
	gate.WrongRows = []verdict.WrongRow{
		{Row: 17, Why: "chose\x1b 5", Got: 5, Want: 9, Score: 0.123456789, Best: 0.5, Bounds: math.Inf(1)},
	}
	wrong := Entry{Verdict: verdict.Verdict{File: "gate", Status: gate.Status, Outputs: []verdict.Output{gate}}}
	text := Words(wrong)
	for _, part := range []string{`worst   row 17: chose\x1b 5`, "1 of 4096 rows are wrong, 3 of"} {
		if !strings.Contains(text, part) {
			t.Errorf("want %q in\n%s", part, text)
		}
	}
}

func TestAChoiceInJSON(t *testing.T) {
	gate := verdict.Output{Name: "indices", ChoiceCount: verdict.ChoiceCount{
		Unit: "rows", Rows: 4096, Allowed: 3, Ties: 1, Wrong: 1,
		WrongRows: []verdict.WrongRow{{Row: 17, Got: 5, Want: 9, Score: 0.123456789, Bounds: math.Inf(1)}},
	}}
	var b strings.Builder
	j := NewJSON(&b, "v")
	if err := j.Add(Entry{Verdict: verdict.Verdict{Outputs: []verdict.Output{gate}}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil || !json.Valid([]byte(b.String())) {
		t.Fatalf("%v: %s", err, b.String())
	}
	want := `"unit":"rows","rows":4096,"allowed":3,"ties":1,"wrong":1,"wrong_rows":` +
		`[{"row":17,"why":"","got":5,"want":9,"score":0.123456789,"best":0,"bounds":"+Inf"}]`
	if !strings.Contains(b.String(), want) {
		t.Errorf("want %s in %s", want, b.String())
	}
}
