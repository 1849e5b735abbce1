package emulate_test

import (
	"math"
	"testing"

	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// What rounds nothing gives the truth, which the ops compute in another structure. A difference of
// two sides keeps what both were stored with.
func TestExactKernelsGiveTheTruth(t *testing.T) {
	for _, name := range emulate.Ops() {
		if name == "policy.mismatch" {
			continue
		}
		for seed := range uint64(3) {
			request := emulate.Request(name, seed)
			expected, err := op.Expect(mustRun(t, request, emulate.Config{}))
			if err != nil {
				t.Fatal(err)
			}
			exact := mustRun(t, request, emulate.Exact(""))
			for _, want := range expected {
				if want.Choice == nil && exact.Has("out."+want.Name) {
					compareExact(t, want, output(t, exact, want.Name))
				}
			}
		}
	}
}

func compareExact(t *testing.T, want verdict.Expected, got []float64) {
	t.Helper()
	for i, truth := range want.Truth.Data {
		if want.Judged(i) && got[i] != truth && !(math.Abs(got[i]-truth) <= 1e-10*(math.Abs(truth)+1)) &&
			!(math.IsNaN(truth) && math.IsNaN(got[i])) {
			t.Errorf("%s[%d]: %v, want %v", want.Name, i, got[i], truth)
			return
		}
	}
}
