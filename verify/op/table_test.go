package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// decodeRequest is one decoding step of DeepSeek's MLA, 576/512 wide, over a paged bf16 cache of
// scattered pages: logits of the given standard deviation, values around mean. The scale is that of
// the naive form, 1/√192.
func decodeRequest(heads, keys int, deviation, mean float64, seed uint64) *recording.Recording {
	const width, page = 576, 64
	rng := rand.New(rand.NewPCG(seed, 0))
	scale := 1 / math.Sqrt(192)
	blocks := (keys + page - 1) / page
	q, cache := tensor.New(1, 1, heads, width), tensor.New(blocks, page, 1, width)
	for i := range q.Data {
		q.Data[i] = rng.NormFloat64() * deviation / scale / math.Sqrt(width)
	}
	for i := range cache.Data {
		cache.Data[i] = rng.NormFloat64()
		if i%width < 512 {
			cache.Data[i] += mean
		}
	}
	table := tensor.New(1, blocks)
	for i, b := range rng.Perm(blocks) {
		table.Data[i] = float64(b)
	}
	r := recording.New("mla.decode")
	r.Set("q", dtype.BF16, q)
	r.Set("kv_cache", dtype.BF16, cache)
	r.Set("block_table", dtype.I32, table)
	r.Set("kv_lens", dtype.I32, tensor.Of([]float64{float64(keys)}, 1))
	r.Attrs["scale"] = recording.Number(scale)
	return r
}

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

// TestTable reproduces the table of the error model: what the verdict says of right and of wrong
// decoding kernels, and what allclose and calc_diff say of the same outputs. With -long it has all
// 128 heads.
func TestTable(t *testing.T) {
	heads := 8
	if *long {
		heads = 128
	}
	inputs := []*recording.Recording{
		decodeRequest(heads, 4096, 1, 0, 1), decodeRequest(heads, 4096, 3, 0, 2), decodeRequest(heads, 4096, 2, 1, 3),
		decodeRequest(heads, 1000, 0.2, 0, 4), decodeRequest(heads, 1000, 2, 0, 5),
	}
	expected := make([]verdict.Expected, len(inputs))
	for i, in := range inputs {
		rec, err := emulate.Run(in, emulate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := op.Expect(rec)
		if err != nil {
			t.Fatal(err)
		}
		expected[i] = all[0]
	}
	run := func(t *testing.T, input int, c emulate.Config) (verdict.Output, bool, float64) {
		t.Helper()
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
			for _, c := range []emulate.Config{
				{Tile: 16, Splits: 7}, {Tile: 64, Splits: 4}, {Tile: 128, Splits: 1}, {NormalizeFirst: true},
			} {
				out, allclose, diff := run(t, i, c)
				if out.Status != verdict.Explained || out.RMS < 0.6 || out.RMS > 1.2 || out.MaxZ > 5 || !allclose ||
					diff > 1e-5 {
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
