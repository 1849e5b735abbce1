package prediction_test

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// losing returns a request whose tokens are as many as are given.
func losing(depths, positions, vocab, tokens int) *recording.Recording {
	rec, rng := recording.New("mtp.loss"), emulate.NewRand(3, "mtp.loss")
	rec.Name = "loss"
	logits, given := tensor.New(depths, positions, vocab), tensor.New(tokens)
	for i := range logits.Data {
		logits.Data[i] = rng.NormFloat64()
	}
	for i := range given.Data {
		given.Data[i] = float64(rng.IntN(vocab))
	}
	rec.Set("logits", dtype.F32, logits)
	rec.Set("tokens", dtype.I64, given)
	return rec
}

// Of a depth that predicts nothing a mean is 0/0: it is not judged, and neither is the loss.
func TestADepthWithoutTokens(t *testing.T) {
	request := losing(3, 4, 20, 4)
	request.Attrs["divisor"] = "valid"
	rec, err := emulate.Run(request, emulate.Config{})
	optest.Must(err)
	for i, e := range expected(t, rec) {
		if e.Name == "loss" != (len(e.Unjudged) == 1 && e.Unjudged[0]) {
			t.Errorf("output %d, %s: unjudged %v", i, e.Name, e.Unjudged)
		}
	}
	if v := op.Judge(rec); v.Outputs[1].Status != verdict.Explained {
		t.Errorf("per_depth: %v", v.Outputs[1].Reasons)
	}
	delete(request.Attrs, "divisor") // the sum of nothing over T is 0
	if v := optest.JudgeKernel(t, request, emulate.Config{}); v.Status != verdict.Explained {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

// Rows are read some at a time, and a large vocabulary may be added up in one chain.
func TestManyRowsOfALargeVocabulary(t *testing.T) {
	request := losing(2, 21, 1500, 23)
	for _, c := range []emulate.Config{{}, {Order: emulate.Reversed}, {NormalizeFirst: true}} {
		if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
			t.Errorf("%s: %s: %s", c, v.Status, v.Reason)
		}
	}
	for _, mistake := range []string{"labels-shifted-twice", "roll-wraps", "divisor-of-tokens", "weight-undivided"} {
		if v := optest.JudgeKernel(t, request, emulate.Config{Mistake: mistake}); v.Status != verdict.Unexplained {
			t.Errorf("%s: %s: %s", mistake, v.Status, v.Reason)
		}
	}
}
