package experts_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	_ "plumbline/verify/op/all"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// routed returns a recording of the gate with one row of logits, whose scores are given, and a
// bias.
func routed(scores, bias []float64, attrs map[string]any) *recording.Recording {
	rec := recording.New("moe.gate")
	rec.Name = "gate"
	logits := tensor.New(1, len(scores))
	for e, s := range scores {
		logits.Data[e] = math.Log(s / (1 - s))
	}
	rec.Set("logits", dtype.F32, logits)
	if bias != nil {
		rec.Set("bias", dtype.F32, tensor.Of(bias, len(bias)))
	}
	rec.Attrs = attrs
	return rec
}

// chose adds what a gate chose, and the weights.
func chose(rec *recording.Recording, experts, weights []float64) *recording.Recording {
	r := rec.Clone()
	r.Set("out.indices", dtype.I32, tensor.Of(experts, 1, len(experts)))
	if weights != nil {
		r.Set("out.weights", dtype.F32, tensor.Of(weights, 1, len(weights)))
	}
	return r
}

// says judges a recording, and demands a status and words in the reason.
func says(t *testing.T, what string, rec *recording.Recording, want verdict.Status, words string) {
	t.Helper()
	v := op.Judge(rec)
	if v.Status != want || !strings.Contains(v.Reason, words) {
		t.Errorf("%s: %s: %q, want %s, %q", what, v.Status, v.Reason, want, words)
	}
}

// TestDroppedGroupsAreOut is the counter-example to filling dropped groups with 0: all biased
// scores of the group that is kept but one are negative, and 0 is more.
func TestDroppedGroupsAreOut(t *testing.T) {
	rec := routed([]float64{0.9, 0.1, 0.8, 0.2}, []float64{-0.85, -0.3, -0.9, -0.4}, map[string]any{
		"top_k": json.Number("2"), "groups": json.Number("2"),
	})
	says(t, "the group that is kept", chose(rec, []float64{0, 1}, []float64{0.9, 0.1}), verdict.Explained, "")
	says(t, "0 for what is dropped", chose(rec, []float64{0, 2}, nil), verdict.Unexplained, "chose 2")
}

func TestWhatAGateChooses(t *testing.T) {
	rec := routed([]float64{0.5, 0.9, 0.7, 0.2}, nil, map[string]any{"top_k": json.Number("2")})
	w := []float64{0.9 / 1.6, 0.7 / 1.6}
	for _, c := range []struct {
		what    string
		experts []float64
		weights []float64
		want    verdict.Status
		words   string
	}{
		{"the best two", []float64{1, 2}, w, verdict.Explained, ""},
		{"pairs in another order", []float64{2, 1}, []float64{w[1], w[0]}, verdict.Explained, ""},
		{"experts alone in another order", []float64{2, 1}, w, verdict.Unexplained, "weights: "},
		{"one expert twice", []float64{1, 1}, w, verdict.Unexplained, "index 1 is there twice"},
		{"no expert", []float64{1, 4}, w, verdict.Unexplained, "index 4 is out of range, of 4"},
		{"a negative one", []float64{-1, 2}, w, verdict.Unexplained, "index -1 is out of range, of 4"},
		{
			"the third", []float64{1, 0}, []float64{0.9 / 1.4, 0.5 / 1.4}, verdict.Unexplained,
			"chose 0 (score 0.5), left out 2",
		},
		{"weights that are not normalised", []float64{1, 2}, []float64{0.9, 0.7}, verdict.Unexplained, "weights: "},
	} {
		says(t, c.what, chose(rec, c.experts, c.weights), c.want, c.words)
	}
}

// TestTiesOfAGate: of experts with equal scores any is right, and so is any of equal groups.
func TestTiesOfAGate(t *testing.T) {
	attrs := map[string]any{"top_k": json.Number("1")}
	equal := routed([]float64{0.5, 0.9, 0.9, 0.2}, nil, attrs)
	for _, e := range []float64{1, 2} {
		says(t, "a tie", chose(equal, []float64{e}, []float64{1}), verdict.Explained, "")
	}
	says(t, "no tie", chose(equal, []float64{0}, []float64{1}), verdict.Unexplained, "chose 0")

	groups := map[string]any{"top_k": json.Number("1"), "groups": json.Number("2"), "group_score": "top2"}
	tied := routed([]float64{0.25, 0.75, 0.75, 0.25}, nil, groups)
	for _, e := range []float64{1, 2} {
		says(t, "groups that tie", chose(tied, []float64{e}, []float64{1}), verdict.Explained, "")
	}
}

// TestWeightsAlone: weights without indices are those of the best experts, in any order; experts
// that tie may change places.
func TestWeightsAlone(t *testing.T) {
	alone := func(rec *recording.Recording, weights ...float64) *recording.Recording {
		r := chose(rec, []float64{1, 2}, weights)
		r.Delete("out.indices")
		return r
	}
	rec := routed([]float64{0.5, 0.9, 0.7, 0.2}, nil, map[string]any{"top_k": json.Number("2")})
	says(t, "best first", alone(rec, 0.9/1.6, 0.7/1.6), verdict.Explained, "")
	says(t, "best last", alone(rec, 0.7/1.6, 0.9/1.6), verdict.Explained, "")
	says(t, "of the third", alone(rec, 0.9/1.4, 0.5/1.4), verdict.Unexplained, "weights: ")

	tied := routed(
		[]float64{0.5, 0.9, 0.4, 0.3}, []float64{0.25, 0, 0.35, 0}, map[string]any{"top_k": json.Number("2")},
	)
	says(t, "one of a tie", alone(tied, 0.9/1.4, 0.5/1.4), verdict.Explained, "")
	says(t, "the other", alone(tied, 0.9/1.3, 0.4/1.3), verdict.Explained, "")
	says(t, "neither", alone(tied, 0.9/1.2, 0.3/1.2), verdict.Unexplained, "weights: ")
}

// TestNarrowGate: scores that float32 tells apart and BF16 does not are no ground to choose by in a
// gate that declares BF16.
func TestNarrowGate(t *testing.T) {
	rec := routed([]float64{0.2, 0.7, 0.7001, 0.1}, nil, map[string]any{"top_k": json.Number("1")})
	lower := chose(rec, []float64{1}, []float64{1})
	says(t, "F32", lower, verdict.Unexplained, "chose 1")
	lower.Arithmetic = map[string]any{"gate": "BF16"}
	says(t, "BF16", lower, verdict.Explained, "")
	worse := chose(rec, []float64{3}, []float64{1})
	worse.Arithmetic = lower.Arithmetic
	says(t, "BF16, far below", worse, verdict.Unexplained, "chose 3")
}

// TestAllExperts: where all experts are chosen there is no other answer, and the weights tell.
func TestAllExperts(t *testing.T) {
	rec := routed([]float64{0.5, 0.25}, nil, map[string]any{"top_k": json.Number("2")})
	says(t, "all", chose(rec, []float64{1, 0}, []float64{1.0 / 3, 2.0 / 3}), verdict.Explained, "")
}

func TestErrorsOfAGate(t *testing.T) {
	right := func() *recording.Recording {
		rec := routed([]float64{0.5, 0.9, 0.7, 0.2}, nil, map[string]any{"top_k": json.Number("2")})
		return chose(rec, []float64{1, 2}, []float64{0.9 / 1.6, 0.7 / 1.6})
	}
	says(t, "right", right(), verdict.Explained, "")
	for _, c := range []struct {
		change func(r *recording.Recording)
		words  string
	}{
		{func(r *recording.Recording) {
			r.Delete("logits")
		}, `gate: tensor "logits": want either logits, or x and weight`},
		{func(r *recording.Recording) {
			r.Set("x", dtype.F32, tensor.New(1, 3))
		}, "want either logits, or x and weight"},
		{func(r *recording.Recording) { delete(r.Attrs, "top_k") }, `"top_k": missing`},
		{func(r *recording.Recording) {
			r.Attrs["groups"] = json.Number("3")
		}, `"groups": found 3, want groups of equal size of 4`},
		{func(r *recording.Recording) { r.Attrs["groups"] = json.Number("0") }, `"groups": found 0`},
		{func(r *recording.Recording) {
			r.Attrs["top_groups"] = json.Number("2")
		}, `"top_groups": found 2, want 1 to 1`},
		{func(r *recording.Recording) {
			r.Attrs["groups"] = json.Number("4")
		}, `"top_k": found 2, want 1 to 1, the experts of 1 groups`},
		{func(r *recording.Recording) { r.Attrs["score"] = "relu" }, `"score": found "relu", want sigmoid or softmax`},
		{func(r *recording.Recording) { r.Set("bias", dtype.F32, tensor.New(3)) }, `tensor "bias": shape [3]`},
		{func(r *recording.Recording) { r.Set("out.indices", dtype.F32, tensor.New(1, 2)) }, "want an integer type"},
	} {
		rec := right()
		c.change(rec)
		says(t, c.words, rec, verdict.Unusable, c.words)
	}
}

// TestARankWithoutTokens: where every pair is left out the order is empty, and right.
func TestARankWithoutTokens(t *testing.T) {
	rec := recording.New("moe.dispatch")
	rec.Set("indices", dtype.I32, tensor.Of([]float64{-1, -1}, 1, 2))
	rec.Attrs = map[string]any{"experts": json.Number("3")}
	rec.Set("out.order", dtype.I32, tensor.New(0))
	rec.Set("out.counts", dtype.I32, tensor.New(3))
	says(t, "no pair", rec, verdict.Explained, "")
	rec.Set("out.counts", dtype.I32, tensor.Of([]float64{0, 1, 0}, 3))
	says(t, "a count of none", rec, verdict.Unexplained, "counts: ")
}
