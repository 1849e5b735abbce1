package report

import (
	"math"
	"strings"
	"testing"

	"plumbline/verify/compare"
	"plumbline/verify/verdict"
)

// example is a comparison of two outputs, one of which differs, of a batch and its sequence 3.
func example() Comparison {
	return Comparison{Comparison: compare.Comparison{
		File: "batch", Against: "alone", Op: "norm.rms", Status: verdict.Explained,
		Part: compare.Part{Of: "batch", Axis: "batch", First: 3, Count: 1}, Alone: []string{"lse"},
		Outputs: []compare.Output{
			{
				Name: "o", Type: "BF16", Shape: []int{1, 2}, Axes: []string{"batch", "column"}, Elements: 2, Differ: 1,
				Steps: 1, RMS: 0.123456, RMSLimit: 1.25, Decided: 1,
				First: compare.Place{Index: []int{0, 1}, Got: 0.1234567890625, Against: math.NaN()},
			},
			{Name: "i", Type: "I32", Elements: 1},
		},
	}}
}

func TestComparisonInWords(t *testing.T) {
	var b strings.Builder
	if err := WriteComparison(&b, example(), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `alone has the inputs of batch 3 of batch, which alone is compared
o: differ in 1 of 2 elements, largest 1 step of BF16
      first   at batch 0, column 1: 0.123456789 and NaN
      doubt   1 element decided otherwise where either is right
      scores  rms of the difference 0.123 of 1.25
i: bitwise equal, 1 element
lse: one of the two has none
explained: they differ by no more than what both explain
`)
}

// TestComparisonInJSON: recorded numbers are written exactly, scores with 4 digits, and NaN as a
// word.
func TestComparisonInJSON(t *testing.T) {
	var b strings.Builder
	if err := ComparisonJSON(&b, example(), "v1"); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `{"plumbline":1,"version":"v1","comparison":{"file":"batch","against":"alone","op":"norm.rms",`+
		`"status":"explained","part":{"of":"batch","axis":"batch","first":3,"count":1},"outputs":[`+
		`{"name":"o","type":"BF16","shape":[1,2],"axes":["batch","column"],"elements":2,"differ":1,"steps":1,`+
		`"first":{"index":[0,1],"got":0.1234567890625,"got_against":"NaN"},"decided_otherwise":1,"rms":0.1235,`+
		`"rms_limit":1.25},`+
		`{"name":"i","type":"I32","shape":[],"elements":1,"differ":0,"steps":0,"rms":0,"rms_limit":0}],`+
		`"alone":["lse"]},"recordings":[]}
`)
	c := example()
	c.Outputs[0].First.Got, c.Outputs[0].First.Against = 1, 0.1234567890625
	b.Reset()
	err := ComparisonJSON(&b, c, "v1")
	if err != nil || !strings.Contains(b.String(), `"got_against":0.1234567890625}`) {
		t.Error(b.String(), err)
	}
}

func TestWhatAComparisonComesTo(t *testing.T) {
	equal := compare.Output{Elements: 3}
	for _, c := range []struct {
		status verdict.Status
		reason string
		output compare.Output
		want   string
	}{
		{verdict.Explained, "", equal, "bitwise equal, and both are right"},
		{verdict.Explained, "", compare.Output{Differ: 1}, "they differ by no more than what both explain"},
		{verdict.Unexplained, "a is unexplained", equal, "a is unexplained, though they are bitwise equal"},
		{verdict.Undetermined, "a is undetermined", compare.Output{Differ: 1}, "a is undetermined"},
		{verdict.Unusable, "op: x", equal, "a against b: op: x"},
	} {
		got := follows(Comparison{Comparison: compare.Comparison{
			File: "a", Against: "b", Status: c.status, Reason: c.reason, Outputs: []compare.Output{c.output},
		}})
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
