package latent_test

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/op/latent"
	"plumbline/verify/verdict"
)

// TestLayerRun: without roundings, the program of a layer is the equation, in both forms. Two
// structures of the same mathematics check each other.
func TestLayerRun(t *testing.T) {
	for _, form := range []string{"naive", "absorbed"} {
		for seed := range uint64(12) {
			rec, err := emulate.Run(
				emulate.Request("mla.layer", seed), emulate.Config{Form: form, Accumulate: arithmetic.F64},
			)
			if err != nil {
				t.Fatal(err)
			}
			c, err := op.Bind(rec)
			if err != nil {
				t.Fatal(err)
			}
			equation, program, err := latent.LayerOutputs(c)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range equation {
				d := floats.Distance(program[name], want, 2) / floats.Norm(want, 2)
				if d > 1e-13 || math.IsNaN(d) {
					t.Errorf("%s, seed %d, %s: relative distance %.1e", form, seed, name, d)
				}
			}
		}
	}
}

// TestScaleOfScores: where keys are nearly alike, as in this request, scores without YaRN's
// temperature move every element by less than it may err, and all of them one way.
func TestScaleOfScores(t *testing.T) {
	request := emulate.Request("mla.layer", 16)
	wrong := optest.JudgeKernel(t, request, emulate.Config{Mistake: "temperature-missing"})
	said := wrong.Outputs[0].Reasons
	if len(said) != 1 || !strings.HasPrefix(said[0], "the scale of the scores is ") {
		t.Errorf("without the temperature: %s, %q", wrong.Status, said)
	}
	if right := optest.JudgeKernel(t, request, emulate.Config{}); right.Status != verdict.Explained {
		t.Errorf("with it: %s, %s", right.Status, right.Reason)
	}
}
