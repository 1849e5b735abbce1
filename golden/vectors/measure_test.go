package vectors

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

var nan, inf = math.NaN(), math.Inf(1)

// of is an output of BF16 whose truth is [3, 4].
func of(got ...float64) pair { return pair{Type: dtype.BF16, Got: got, Truth: []float64{3, 4}} }

func TestOutput(t *testing.T) {
	// ‖want‖ = 5. BF16 has 8 significant bits: spacings are 2⁻⁶ from 2 on and 2⁻⁵ from 4 on.
	for _, c := range []struct {
		name string
		pair pair
		want Output
	}{
		{"what is right is not off", of(3, 4), Output{}},
		{"an error of (0, ½) is 16 spacings, a tenth of the norm", of(3, 4.5), Output{
			Spacings: 16, RelativeL2: 0.1, CalcDiff: digits(0.25 / (25 + 29.25)),
		}},
		{"spacings are those of the larger number", of(4, 4), Output{
			Spacings: 32, RelativeL2: 0.2, CalcDiff: digits(1 / (25 + 32.0)),
		}},
		{"zeros are off by the whole norm, and by all that calc_diff has", of(0, 0), Output{
			Spacings: 192, RelativeL2: 1, CalcDiff: 1,
		}},
		{"what is not finite is counted, and left out of the rest", of(nan, 4.5), Output{
			Spacings: 16, RelativeL2: 0.125, CalcDiff: digits(0.25 / (16 + 20.25)), NotFinite: 1,
		}},
		{"an infinity that should be one is right", pair{
			Type: dtype.BF16, Got: []float64{inf, nan, -inf}, Truth: []float64{inf, nan, inf},
		}, Output{NotFinite: 1}},
		{"where zeros are right anything is wholly wrong", pair{
			Type: dtype.F32, Got: []float64{1}, Truth: []float64{0},
		}, Output{Spacings: 0x1p23, RelativeL2: 1, CalcDiff: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Output
			got.compare(c.pair)
			c.want.Spacings = digits(c.want.Spacings)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	o := Output{Name: "o", Type: "BF16", Wrong: true, Spacings: 16, RelativeL2: 0.1, CalcDiff: 5e-3, NotFinite: 2}
	indices := Output{Name: "indices", Wrong: true, Rows: 8, WrongRows: 3}
	for want, w := range map[string]Wrong{
		"o off by up to 16 spacings of BF16, relative L2 error 0.1, calc_diff 0.005, " +
			"2 not finite or should not be; lse as declared": {Outputs: []Output{o, {Name: "lse"}}},
		"indices wrong in 3 of 8 rows":                   {Outputs: []Output{indices}},
		"no output is wrong by itself, all together are": {Outputs: []Output{{Name: "o"}}},
	} {
		if got := w.sentence(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCriteria(t *testing.T) {
	for _, c := range []struct {
		name                    string
		pair                    pair
		close, similar, aligned bool
	}{
		{"what is right passes all", of(3, 4), true, true, true},
		// 0.01 + 0.01·4 = 0.05 is allowed, and (0, d) has calc_diff d²/(25 + 25 + 8d + d²).
		{"an error of 0.0498 of 4 is close", of(3, 4.0498), true, true, true},
		{"one of 0.0502 is not", of(3, 4.0502), false, true, true},
		// A factor 1 + f has calc_diff f²/(1 + (1 + f)²), about f²/2: 0.00095 and 0.00110.
		{"4.5 % too much is similar", of(3*1.045, 4*1.045), false, true, true},
		{"4.9 % too much is not", of(3*1.049, 4*1.049), false, false, true},
		{"twice as much is still parallel", of(6, 8), false, false, true},
		// (3, 4)·(4, 3)/25 = 0.96.
		{"exchanged elements are not", of(4, 3), false, false, false},
		{"neither is the opposite", of(-3, -4), false, false, false},
		{"a NaN passes nothing", of(nan, 4), false, false, false},
		{"where it is right it does not matter", pair{
			Type: dtype.F32, Got: []float64{nan, 1}, Truth: []float64{nan, 1},
		}, true, true, true},
		{"zeros for zeros pass", pair{Type: dtype.F32, Got: []float64{0}, Truth: []float64{0}}, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, want := range []bool{c.close, c.similar, c.aligned} {
				if got := usual[i](c.pair); got != want {
					t.Errorf("%s: %v, want %v", Usual[i], got, want)
				}
			}
		})
	}
	t.Run("where nothing but choices is recorded no criterion is asked", func(t *testing.T) {
		if got := passes(nil); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
	t.Run("all outputs have to pass", func(t *testing.T) {
		if got := passes([]pair{of(3, 4), of(nan, 4)}); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestNotes(t *testing.T) {
	bank := []op.Mistake{
		{ID: "a", Numbers: []string{"F01"}, Ops: []string{"mla.decode"}, Sentence: "this", Thread: "x/y#1"},
		{ID: "a", Ops: []string{"norm.rms"}, Sentence: "that", Thread: "x/y#1"},
		{ID: "a", Ops: []string{"norm.rms"}, Sentence: "that"},
		{ID: "b", Ops: []string{"moe.gate"}, Sentence: "these"},
		{ID: "c", Ops: []string{"moe.experts"}}, {ID: "d", Ops: []string{"grpo.loss"}},
	}
	for id, want := range map[string]Note{
		"a": {BugType: "FP8", Description: "this; or: that", Links: []string{"https://github.com/x/y/issues/1"}},
		"b": {BugType: "ROUTING", Description: "these"}, "c": {BugType: "EXPERTS"}, "d": {BugType: "LOSS"},
	} {
		if diff := cmp.Diff(want, noteOf(id, bank)); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", id, diff)
		}
	}
	t.Run("every mistake of the bank has one", func(t *testing.T) {
		for _, m := range op.Bank() {
			if n := noteOf(m.ID, op.Bank()); n.BugType == "" || n.Description == "" {
				t.Errorf("%s: %+v", m.ID, n)
			}
		}
	})
}
