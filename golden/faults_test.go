package golden

import (
	"path/filepath"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// faults are recordings that got a wrong verdict once, or none, with the one they should have. The
// README of the folder of recordings says what each is.
var faults = []struct {
	name   string
	status verdict.Status
	says   string
}{
	{"17-rope-fast-sine-long-right", verdict.Explained, ""},
	{"17-rope-fast-sine-long-wrong", verdict.Unexplained, "largest element error"},
	{"falsealarm-attention-tf32", verdict.Explained, ""},
	{"falsealarm-logprob-bf16-cold", verdict.Explained, ""},
	{"falsealarm-softcap-eager-bf16", verdict.Explained, ""},
	{"falsealarm-yarn-truncate-false", verdict.Explained, ""},
	{"hostile-01-f64-empty-row-nan-limit", verdict.Unexplained, "limit"},
	{"hostile-02-f64-control", verdict.Unexplained, "limit"},
	{"hostile-04-zeros-fp8-attention", verdict.Undetermined, "zeros and the negative would pass as well"},
	{"hostile-09-sigma-1e141", verdict.Unexplained, "as if never written"},
	{"hostile-10-time-bomb-2e40", verdict.Unusable, "judging it takes some 4.5e+14 products"},
	{"hostile-12-panic-scores-e4m3", verdict.Undetermined, "would pass as well"},
	{"miss-cross-entropy-tokens-dropped", verdict.Unexplained, "dhidden"},
	{"hostile-15-layout-bhsd", verdict.Unexplained, "axes 1 and 2 exchanged"},
}

// TestFaultsOfThePast looks for what explains an unexplained one if that has to say something, or
// with -long always. The one that takes longer than all others is judged with -long alone: another
// is undetermined for the same reason, and verify/verdict tests the reason.
func TestFaultsOfThePast(t *testing.T) {
	for _, f := range faults {
		if f.name == "hostile-04-zeros-fp8-attention" && !*check.Long {
			continue
		}
		rec, err := recording.Open(filepath.Join("testdata", "faults", f.name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		v := diagnosis.Judge(rec, op.MaxWork, 0)
		if *check.Long || !strings.Contains(v.Reason, f.says) {
			v = diagnosis.Judge(rec, op.MaxWork, diagnosis.Budget)
		}
		said := v.Reason
		if v.Diagnosis != nil {
			said += v.Diagnosis.Sentence
		}
		if v.Status != f.status || !strings.Contains(said, f.says) || v.Fault != "" {
			t.Errorf("%s: %s, %q, want %s with %q\n%s", f.name, v.Status, v.Reason, f.status, f.says, v.Fault)
		}
		rec.Close()
	}
}
