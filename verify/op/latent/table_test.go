package latent_test

import (
	"fmt"
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// others judges as test suites of the field do: allclose(1e-2, 1e-2) and DeepGEMM's calc_diff.
func others(want verdict.Expected, got *tensor.Tensor) (allclose bool, calcDiff float64) {
	allclose = true
	var cross, norms float64
	for i, t := range want.Truth.Data {
		r := got.Data[i]
		allclose = allclose && math.Abs(r-t) <= 1e-2+1e-2*math.Abs(t)
		cross += r * t
		norms += r*r + t*t
	}
	return allclose, 1 - 2*cross/norms
}

// expectedOutput returns what is expected of the first output of a request.
func expectedOutput(t *testing.T, r *recording.Recording) verdict.Expected {
	t.Helper()
	rec, err := emulate.Run(r, emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// TestTable reproduces the table of the error model: what the verdict says of right and of wrong
// decoding kernels, and what allclose and calc_diff say of the same outputs. With -long it has all
// 128 heads, and the inputs on which no kernel is wrong.
func TestTable(t *testing.T) {
	heads := check.Times(128, 4)
	inputs := []*recording.Recording{
		optest.DecodeRequest(heads, 4096, 1, 0, 1), optest.DecodeRequest(heads, 4096, 3, 0, 2),
		optest.DecodeRequest(heads, 4096, 2, 1, 3), optest.DecodeRequest(heads, 1000, 0.2, 0, 4),
		optest.DecodeRequest(heads, 1000, 2, 0, 5),
	}
	expected := make([]verdict.Expected, len(inputs))
	run := func(t *testing.T, input int, c emulate.Config) (verdict.Output, bool, float64) {
		t.Helper()
		if expected[input].Truth == nil {
			expected[input] = expectedOutput(t, inputs[input])
		}
		rec, err := emulate.Run(inputs[input], c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rec.Tensor("out.o")
		if err != nil {
			t.Fatal(err)
		}
		out := verdict.Judge(expected[input], got)
		allclose, diff := others(expected[input], got)
		t.Logf(
			"input %d, %-60s largest z %7.2f  rms %6.2f  allclose %-5v  calc_diff %.1e  %s", input, c, out.MaxZ,
			out.RMS, allclose, diff, out.Status,
		)
		return out, allclose, diff
	}
	t.Run("right kernels of every tiling and split are explained, and score as they should", func(t *testing.T) {
		for i := range inputs {
			for k, c := range []emulate.Config{
				{Tile: 16, Splits: 7}, {Tile: 64, Splits: 4}, {Tile: 128, Splits: 1}, {NormalizeFirst: true},
			} {
				if !*check.Long && ((i+k)%2 > 0 || i == 2 || i == 4) {
					continue
				}
				out, allclose, diff := run(t, i, c)
				// One that divides first is scored as one that divides last where that explains it.
				far := out.MaxZ > 5 && !c.NormalizeFirst || out.RMS < 0.6 || out.RMS > 1.2
				if out.Status != verdict.Explained || far || !allclose || diff > 1e-5 {
					t.Errorf("%s", out.Reasons)
				}
			}
		}
	})
	for _, c := range []struct {
		name, mistake string
		input         int
		rms           float64
		allclose      bool
		diff          [2]float64
	}{
		{"the last of 4096 keys dropped: allclose passes", "drop-last-key", 0, 2, true, [2]float64{1e-6, 1e-3}},
		{
			"the last of 1000 keys dropped, small logits: allclose passes", "drop-last-key", 3, 5, true,
			[2]float64{1e-5, 1e-3},
		},
		{
			"a scale 1 % too large, small logits: allclose and calc_diff pass", "scale-one-percent", 3, 1.2, true,
			[2]float64{1e-7, 5e-5},
		},
		{"a scale of 1/√576 for 1/√192: they fail too", "scale-of-latent", 1, 20, false, [2]float64{1e-2, 1}},
	} {
		t.Run(fmt.Sprint(c.name), func(t *testing.T) {
			out, allclose, diff := run(t, c.input, emulate.Config{Tile: 64, Splits: 4, Mistake: c.mistake})
			if out.Status != verdict.Unexplained || out.RMS < c.rms {
				t.Errorf("%s, rms %.2f, want unexplained and at least %v", out.Status, out.RMS, c.rms)
			}
			if allclose != c.allclose || diff < c.diff[0] || diff > c.diff[1] {
				t.Errorf("allclose %v, calc_diff %.1e, want %v and %v", allclose, diff, c.allclose, c.diff)
			}
		})
	}
}
