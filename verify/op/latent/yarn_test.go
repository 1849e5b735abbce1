package latent_test

import (
	"math"
	"testing"

	"plumbline/internal/optest"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/op/latent"
)

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
		request.Attrs["yarn"] = optest.Object(t, c.yarn)
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
