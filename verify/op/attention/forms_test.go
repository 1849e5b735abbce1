package attention_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestOneFormIsEnough: where the first form of a kernel explains a recording, the verdict is the
// one of all forms; where it does not, all are looked at.
func TestOneFormIsEnough(t *testing.T) {
	for _, name := range []string{"attention-forward-mha-bf16", "mla-decode-bf16"} {
		rec, err := golden.Open(name + ".safetensors")
		optest.Must(err)
		if forms, v := judgedBoth(t, rec); forms > 1 || v.Status != verdict.Explained {
			t.Errorf("%s: %d forms, %v", name, forms, v.Status)
		}
		o, err := rec.Tensor("out.o")
		optest.Must(err)
		o.Data[1] += 0.25
		rec.Set("out.o", rec.Type("out.o"), o)
		if forms, v := judgedBoth(t, rec); forms == 1 || v.Status != verdict.Unexplained {
			t.Errorf("%s, wrong: %d forms, %v", name, forms, v.Status)
		}
	}
}

// judgedBoth judges a recording as far as it needs, and with all forms, and returns how many forms
// it needs.
func judgedBoth(t *testing.T, rec *recording.Recording) (forms int, v verdict.Verdict) {
	t.Helper()
	all, _ := op.JudgeKnown(rec, math.Inf(1))
	v, judged := op.JudgeSparing(rec, math.Inf(1), false)
	if diff := cmp.Diff(all, v); diff != "" {
		t.Errorf("%s: another verdict:\n%s", rec.Name, diff)
	}
	if judged.Expected[0].FirstFormOnly != (len(judged.Expected[0].Forms) == 0) {
		t.Error("it does not say that there are other forms, or says it with all")
	}
	return 1 + len(judged.Expected[0].Forms), v
}
