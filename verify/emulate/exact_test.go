package emulate_test

import (
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// What rounds nothing gives the truth, which the ops compute in another structure. A difference of
// two sides keeps what both were stored with. Each op has one of three requests, in turn, or with
// -long all.
func TestExactKernelsGiveTheTruth(t *testing.T) {
	for i, name := range emulate.Ops() {
		if name == "policy.mismatch" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range check.Times(3, 1) {
				givesTheTruth(t, emulate.Request(name, uint64((i+seed)%3)))
			}
		})
	}
}

func givesTheTruth(t *testing.T, request *recording.Recording) {
	t.Helper()
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
