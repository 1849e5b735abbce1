package page

import (
	"slices"
	"testing"
)

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " \n ": nil, "one": {"one"}, "aa bb cc": {"aa bb", "cc"}, "α β γ δ": {"α β γ", "δ"},
		"a wider than five": {"a", "wider", "than", "five"}, "widest b": {"widest", "b"},
	} {
		if got := Lines(text, 5); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -123: "-123", -1234567: "-1,234,567", 671_026_419_200: "671,026,419,200",
	} {
		if got := Thousands(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
