package verdict

import "testing"

func TestFactorsInWords(t *testing.T) {
	for factor, want := range map[float64]string{
		0.008: "0.8 % too large", -0.008: "0.8 % too small", 0.99: "99 % too large", -0.99: "99 % too small",
		1: "2 times what it should be", -1: "0 times what it should be", -2.5: "-1.5 times what it should be",
	} {
		if got := tooLarge(factor); got != want {
			t.Errorf("%v: %q, want %q", factor, got, want)
		}
	}
}
