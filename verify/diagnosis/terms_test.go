package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// mixes is a right recording of 8 experts, 2 of them for each of 24 tokens.
func mixes() *recording.Recording {
	return given("moe.experts", func(r *recording.Recording) {
		generate(r, "x", 1, 24, 16)
		generate(r, "w_gate", 2, 8, 8, 16)
		generate(r, "w_up", 3, 8, 8, 16)
		generate(r, "w_down", 4, 8, 16, 8)
		ids, weights := tensor.New(24, 2), tensor.New(24, 2)
		for i := range ids.Data {
			ids.Data[i], weights.Data[i] = float64((i*3+i/2)%8), 0.25+float64(i%5)/8
		}
		r.Set("indices", dtype.I32, ids)
		r.Set("weights", dtype.F32, weights)
	})
}

// withAmounts returns the recording with experts in these amounts.
func withAmounts(right *recording.Recording, amount func(expert int) float64) *recording.Recording {
	expected, err := op.Expect(right)
	optest.Must(err)
	return edited(right, "out.y", func(i int, y float64) float64 {
		for _, d := range expected[0].Directions {
			if kind, expert, _ := termOf(d); kind == "expert" {
				y += (amount(expert) - 1) * d.Values[i]
			}
		}
		return right.Type("out.y").Round(y)
	})
}

// Some experts may count more than others, as on a device that multiplies by something of its own.
// Where each has an amount of its own, that is no explanation.
func TestExpertsInOtherAmounts(t *testing.T) {
	right := mixes()
	few := withAmounts(right, func(expert int) float64 { return 1 + 1.25*float64(min(expert/5, 1)) })
	wrongs{{
		"those of one device", "y counts what some experts add in another amount: experts 5 to 7 2.25 times: " +
			"explains everything", few,
	}}.check(t)
	each := withAmounts(right, func(expert int) float64 { return 1.5 + float64(expert)/4 })
	expected, err := op.Expect(each)
	optest.Must(err)
	s, err := newSubject(each, expected, op.Judge(each), 0)
	optest.Must(err)
	for _, c := range s.views[0].termCandidates(s) {
		t.Error(c.Sentence)
	}
}
