package latent_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestShapesAgree holds what σ of rows goes with that are not run together with the runs: of each
// row that is run, the mean square of its deviations in units of σ, which knows the row by its
// shape alone. With -long there are 128 heads, else half of them.
func TestShapesAgree(t *testing.T) {
	cases := []struct {
		deviation float64 // of the scores
		scores    dtype.Type
	}{{6, dtype.BF16}, {3, dtype.F32}, {0.5, dtype.F32}, {6, dtype.F32}, {3, dtype.BF16}}
	if !*check.Long {
		cases = cases[:1]
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("scores %v around ±%v", c.scores, c.deviation), func(t *testing.T) {
			config := emulate.Config{Scores: c.scores, NormalizeFirst: c.scores != dtype.F32}
			rec, err := emulate.Run(optest.DecodeRequest(check.Times(128, 64), 1024, c.deviation, 0, 3), config)
			if err != nil {
				t.Fatal(err)
			}
			rec.Delete("out.lse")
			expected, err := op.Expect(rec)
			if err != nil {
				t.Fatal(err)
			}
			e := expected[0]
			forms := append([]*verdict.Sample{e.Sample}, samples(e.Forms)...)
			for form, sigma := range e.Sigmas() {
				t.Run(fmt.Sprintf("form %d", form), func(t *testing.T) {
					optest.RowsAgree(t, forms[form], sigma, e.Columns())
				})
			}
		})
	}
}

func samples(forms []verdict.Form) (all []*verdict.Sample) {
	for _, f := range forms {
		all = append(all, f.Sample)
	}
	return all
}

// TestScaleOfTheScores: a softmax scale that is 0.2 % too large is named, though no element shows
// it.
func TestScaleOfTheScores(t *testing.T) {
	request := optest.DecodeRequest(16, 512, 1, 0, 5)
	scale := request.Attrs["scale"]
	request.Attrs["scale"] = recording.Number(1.002 / math.Sqrt(192))
	rec, err := emulate.Run(request, emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec.Attrs["scale"] = scale
	rec.Delete("out.lse")
	v := op.Judge(rec)
	named := strings.Contains(fmt.Sprint(v.Outputs[0].Reasons), "the scale of the scores is 0.")
	if v.Status != verdict.Unexplained || !named {
		t.Errorf("%s: %q", v.Status, v.Outputs[0].Reasons)
	}
}
