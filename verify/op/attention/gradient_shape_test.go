package attention_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// backwardRequest has eight groups of two heads, of which not all are run; scores have standard
// deviation 2^exp, and heads without -long half the width.
func backwardRequest(t dtype.Type, exp int) *recording.Recording {
	r := recording.New("attention.backward")
	for i, name := range []string{"q", "k", "v", "do"} {
		width := check.Times(64, 32)
		shape := []int{2, 64, 8, width}
		if name == "k" || name == "v" {
			shape = []int{2, 256, 4, width}
		}
		recipe := recording.Recipe{Type: t, Shape: shape, Dist: "normal", Seed: uint64(i)}
		if name == "q" {
			recipe.Exp2 = exp
		}
		optest.Must(r.Generate(name, recipe))
	}
	r.Attrs["causal"], r.Attrs["scale"] = true, json.Number("0.125")
	return r
}

// TestGradientShapesAgree holds what σ of gradients goes with to the runs, as TestShapesAgree does
// for outputs: with saturated weights dS is next to nothing, and what it errs by is not. Scores in
// BF16 that are as wide make weights err by parts of themselves, which no second moment tells: to a
// factor of ten in σ only.
func TestGradientShapesAgree(t *testing.T) {
	cases := []struct {
		exp    int
		config emulate.Config
	}{
		{2, emulate.Config{}}, {0, emulate.Config{Scores: dtype.BF16, NormalizeFirst: true}},
		{-2, emulate.Config{}}, {0, emulate.Config{}},
	}
	if !*check.Long {
		cases = cases[:1]
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("scores around ±2^%d, %v", c.exp, c.config), func(t *testing.T) {
			rec, err := emulate.Run(backwardRequest(dtype.BF16, c.exp), c.config)
			optest.Must(err)
			expected, err := op.Expect(rec)
			optest.Must(err)
			for _, e := range expected {
				t.Run(e.Name, func(t *testing.T) { optest.RowsAgree(t, e.Sample, e.Sigma, e.Columns()) })
			}
		})
	}
}
