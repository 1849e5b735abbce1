package op_test

import (
	"encoding/json"
	"math"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/op/latent"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// yarnObject reads the value of the attribute as a file has it.
func yarnObject(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	for key, value := range object {
		if x, ok := value.(float64); ok {
			object[key] = recording.Number(x)
		}
	}
	return object
}

// TestYaRNAmplitudes: what cosines and sines are multiplied by, and what scores are, for every way
// to give the scales. 0.1 ln 40 + 1 = 1.3688879, 0.0707 ln 40 + 1 = 1.2608038.
func TestYaRNAmplitudes(t *testing.T) {
	const generic, lite = 1.3688879454113936, 1.2608037774058553
	for _, c := range []struct {
		yarn              string
		amplitude, scores float64
	}{
		{`{}`, generic, 1},
		{`{"mscale":null,"mscale_all_dim":null}`, generic, 1},
		{`{"mscale":1,"mscale_all_dim":1}`, 1, generic * generic},
		{`{"mscale":0.707,"mscale_all_dim":0.707}`, 1, lite * lite},
		{`{"mscale":0.707,"mscale_all_dim":0}`, lite, 1},
		{`{"mscale":0.707}`, lite / generic, generic * generic},
		{`{"mscale_all_dim":0.707}`, generic / lite, lite * lite},
		{`{"attention_factor":1.25}`, 1.25, 1},
		{`{"attention_factor":1.25,"mscale":0.707,"mscale_all_dim":1}`, 1.25, 1},
		{`{"attention_factor":null,"mscale":1,"mscale_all_dim":1}`, 1, generic * generic},
		{`{"attention_factor":null}`, generic, 1},
		{`{"factor":1}`, 1, 1},
	} {
		request := emulate.Request("mla.layer", 0).Clone()
		request.Attrs["yarn"] = yarnObject(t, c.yarn)
		delete(request.Attrs, "scale")
		cs, err := op.Bind(request)
		if err != nil {
			t.Fatalf("%s: %v", c.yarn, err)
		}
		scores := latent.Config(cs).ScoreScale() * math.Sqrt(float64(cs.Dim("Dn")+cs.Dim("Dr")))
		if a := cs.YaRN().Amplitude(); math.Abs(a-c.amplitude) > 1e-15*4 || math.Abs(scores-c.scores) > 1e-15*4 {
			t.Errorf("%s: amplitude %v and %v on the scores, want %v and %v", c.yarn, a, scores, c.amplitude, c.scores)
		}
	}
}

// yarnRequests are a table, a rotation and a layer with that rotation, at positions where the
// scales and the range show.
func yarnRequests(t *testing.T, yarn string) []*recording.Recording {
	t.Helper()
	positions := tensor.Of([]float64{0, 1, 100, 1000, 4095, 8191, 20000, 100003}, 8)
	table := recording.New("rope.table")
	table.Set("positions", dtype.I64, positions)
	table.Attrs["dim"] = json.Number("64")
	apply := emulate.Request("rope.apply", 6).Clone()
	x := tensor.New(8, 2, 64)
	for i := range x.Data {
		x.Data[i] = math.Sin(float64(3*i*i + 1))
	}
	apply.Set("x", dtype.BF16, x)
	apply.Set("positions", dtype.I64, positions)
	layer := emulate.Request("mla.layer", 3).Clone()
	layer.Attrs["start"] = json.Number("20000")
	delete(layer.Attrs, "scale")
	all := []*recording.Recording{table, apply, layer}
	for _, r := range all {
		r.Attrs["base"] = json.Number("150000")
		r.Attrs["yarn"] = yarnObject(t, yarn)
	}
	return all
}

// TestYaRNKeys: right kernels that read the keys so are explained, those that round the range where
// it is not rounded, or leave the amplitude out, are not.
func TestYaRNKeys(t *testing.T) {
	for _, yarn := range []string{
		`{"factor":32,"truncate":false}`, `{"factor":32,"truncate":true}`,
		`{"factor":32,"mscale":1,"mscale_all_dim":0,"truncate":false}`,
		`{"factor":4,"attention_factor":1.7,"truncate":false}`, `{}`,
		`{"factor":8,"attention_factor":0.9,"ramp":"rotations"}`,
	} {
		for _, request := range yarnRequests(t, yarn) {
			for _, c := range emulate.Right(request.Op) {
				if v := judgeRun(t, request, c); v.Status != verdict.Explained {
					t.Errorf("%s %s, %s: %s: %s", request.Op, yarn, c, v.Status, v.Reason)
				}
			}
			for _, mistake := range []string{"yarn-range-unrounded", "amplitude-generic", "yarn-missing"} {
				rec, err := emulate.Run(request, emulate.Config{Mistake: mistake})
				if err != nil || request.Op == "mla.layer" && mistake == "yarn-range-unrounded" {
					continue // hidden, or few pairs: no index between the ends
				}
				if v := op.Judge(rec); v.Status != verdict.Unexplained {
					t.Errorf("%s %s, %s: %s", request.Op, yarn, mistake, v.Status)
				}
			}
		}
	}
}

// TestUnroundedRanges: the ends of a range that is not rounded err as the logarithms do that they
// are made of, and where a pair is slowed by much that is more than a frequency errs by otherwise.
func TestUnroundedRanges(t *testing.T) {
	for _, factor := range []float64{2, 32, 1000} {
		for _, base := range []float64{10000, 150000, 5e6} {
			for _, context := range []float64{4096, 35702, 37757, 39949} {
				request := yarnRequests(t, `{"truncate":false}`)[0]
				request.Attrs["base"] = recording.Number(base)
				y := request.Attrs["yarn"].(map[string]any)
				y["factor"], y["original_context"] = recording.Number(factor), recording.Number(context)
				for _, c := range emulate.Right("rope.table") {
					if v := judgeRun(t, request, c); v.Status != verdict.Explained {
						t.Errorf(
							"factor %v, base %v, context %v, %s: %s: %s", factor, base, context, c, v.Status, v.Reason,
						)
					}
				}
			}
		}
	}
}

// judgeRun judges what a kernel makes of a request.
func judgeRun(t *testing.T, request *recording.Recording, c emulate.Config) verdict.Verdict {
	t.Helper()
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return op.Judge(rec)
}

// TestYaRNRefusals: what is wrong with a key is said with the keys that there are.
func TestYaRNRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"mscale_all_dims":1}`: `key "mscale_all_dims": unknown key, want one of factor, original_context, beta_fast, ` +
			`beta_slow, mscale, mscale_all_dim, attention_factor, ramp, truncate; did you mean "mscale_all_dim"?`,
		`{"truncate":0}`:             `key "truncate": found 0, want true or false`,
		`{"truncate":"false"}`:       `key "truncate": found "false", want true or false`,
		`{"attention_factor":0}`:     `key "attention_factor": found 0, want an amplitude above 0 and at most 1000`,
		`{"attention_factor":-1}`:    `key "attention_factor": found -1, want an amplitude above 0 and at most 1000`,
		`{"attention_factor":"1.0"}`: `key "attention_factor": found "1.0", want a number`,
	} {
		if _, err := op.ParseYaRN(any(yarnObject(t, text))); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
