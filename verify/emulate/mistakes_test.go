package emulate_test

import (
	"errors"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// A mistake that shows on no request would never be tested. Each is made until it has changed an
// output of the right kernel, or with -long on six requests, of which it may leave one as it is.
func TestEveryMistakeShowsSomewhere(t *testing.T) {
	const seeds = 60
	for _, name := range emulate.Ops() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, changed := map[string]int{}, map[string]int{}
			for seed := range uint64(seeds) {
				countMistakes(t, emulate.Request(name, seed), []string{"naive", "absorbed"}[seed%2], shown, changed)
			}
			for _, mistake := range emulate.Mistakes(name) {
				if shown[mistake] < 1 {
					t.Errorf("%s shows on %d of %d requests", mistake, shown[mistake], seeds)
				}
				if changed[mistake] < max(1, shown[mistake]*5/6) {
					t.Errorf(
						"%s shows on %d requests and changes %d of them", mistake, shown[mistake], changed[mistake],
					)
				}
			}
		})
	}
}

// countMistakes counts which mistakes show on a request, up to six times each, and which of them
// change an output of the right kernel.
func countMistakes(t *testing.T, request *recording.Recording, form string, shown, changed map[string]int) {
	t.Helper()
	var right *recording.Recording
	for _, mistake := range emulate.Mistakes(request.Op) {
		if shown[mistake] == 6 || changed[mistake] == check.Times(6, 1) {
			continue
		}
		got, err := emulate.Run(request, emulate.Config{Mistake: mistake, Form: form})
		if errors.Is(err, emulate.ErrHidden) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		shown[mistake]++
		if right == nil {
			right = mustRun(t, request, emulate.Config{Form: form, Splits: 1})
		}
		if differs(t, got, right) {
			changed[mistake]++
		}
	}
}

func differs(t *testing.T, a, b *recording.Recording) bool {
	for _, name := range a.Outputs() {
		if !slices.Equal(output(t, a, name), output(t, b, name)) {
			return true
		}
	}
	return false
}

// TestOnlyEmulatedOpsHaveMistakes: with TestEveryMistakeShowsSomewhere, every mistake that is
// described is made by some kernel.
func TestOnlyEmulatedOpsHaveMistakes(t *testing.T) {
	for _, entry := range op.Ops() {
		emulated := slices.Contains(emulate.Ops(), entry.Name)
		if !emulated && len(entry.Mistakes()) > 0 {
			t.Errorf("%s: no kernel makes %d mistakes", entry.Name, len(entry.Mistakes()))
		}
		if names := emulate.Mistakes(entry.Name); emulated && len(names) != len(entry.Mistakes()) {
			t.Errorf("%s: kernels make %d mistakes of %d", entry.Name, len(names), len(entry.Mistakes()))
		}
	}
}

func TestMistakesHide(t *testing.T) {
	square := emulate.Request("mla.layer", 0).Clone()
	square.Attrs["start"] = recording.Number(0)
	cases := []struct {
		mistake, why string
		request      *recording.Recording
		c            emulate.Config
	}{
		{"heads-tiled", "with one key head", find(t, "attention.forward", func(r *recording.Recording) bool {
			return r.Shape("k")[2] == 1
		}), emulate.Config{}},
		{"window-off-by-one", "without a window", find(t, "attention.forward", func(r *recording.Recording) bool {
			return r.Attrs["window"] == nil
		}), emulate.Config{}},
		{"merge-base", "with one part", emulate.Request("attention.forward", 0), emulate.Config{Splits: 1}},
		{"sink-missing", "without sinks", find(t, "attention.forward", func(r *recording.Recording) bool {
			return !r.Has("sink")
		}), emulate.Config{}},
		{"output-truncated", "in F32", find(t, "norm.rms", func(r *recording.Recording) bool {
			return r.Type("x") == dtype.F32
		}), emulate.Config{}},
		{"yarn-betas-swapped", "without YaRN", find(t, "rope.apply", func(r *recording.Recording) bool {
			return r.Attrs["yarn"] == nil
		}), emulate.Config{}},
		{"kv-up-split", "with one head", find(t, "mla.layer", func(r *recording.Recording) bool {
			return r.Attrs["heads"] == recording.Number(1)
		}), emulate.Config{}},
		{"causal-missing", "with one token", find(t, "mla.layer", func(r *recording.Recording) bool {
			return r.Shape("x")[1] == 1
		}), emulate.Config{}},
		{"group-score-max", "without groups", find(t, "moe.gate", func(r *recording.Recording) bool {
			return r.Attrs["groups"] == nil
		}), emulate.Config{}},
		{"gate-bias-in-weights", "without a bias", find(t, "moe.gate", func(r *recording.Recording) bool {
			return !r.Has("bias")
		}), emulate.Config{}},
		{"routed-scale-twice", "with a scale of 1", find(t, "moe.layer", func(r *recording.Recording) bool {
			return r.Attrs["scale"] == nil
		}), emulate.Config{}},
		{"gate-bf16", "where that is declared", emulate.Request("moe.gate", 1), emulate.Config{Gate: dtype.BF16}},
		{"weight-of-first-slot", "with one expert a token", find(t, "moe.experts", func(r *recording.Recording) bool {
			return r.Shape("indices")[1] == 1
		}), emulate.Config{}},
		{"counts-shifted", "with one expert", find(t, "moe.experts", func(r *recording.Recording) bool {
			return r.Shape("w_gate")[0] == 1
		}), emulate.Config{}},
		{"shared-expert-missing", "where there is none", find(t, "moe.experts", func(r *recording.Recording) bool {
			return !r.Has("shared_gate")
		}), emulate.Config{}},
		{"balanced-moved", "with the other rule", find(t, "moe.bias_update", func(r *recording.Recording) bool {
			return r.Attrs["rule"] == "proportional"
		}), emulate.Config{}},
		{"pairs-by-slot", "with one slot", find(t, "moe.dispatch", func(r *recording.Recording) bool {
			return r.Shape("indices")[1] == 1
		}), emulate.Config{}},
		{"offset-wraps", "with one expert", find(t, "moe.experts", func(r *recording.Recording) bool {
			return r.Shape("w_gate")[0] == 1
		}), emulate.Config{}},
		{"absent-scale-is-zero", "where it is given", find(t, "moe.gate", func(r *recording.Recording) bool {
			return r.Attrs["scale"] != nil
		}), emulate.Config{}},
		{"scale-wave-kept", "in one wave", find(t, "fp8.gemm", func(r *recording.Recording) bool {
			return r.Shape("a")[0] < 128
		}), emulate.Config{}},
		{"tile-of-one-expert", "with one expert", find(t, "fp8.grouped_gemm", func(r *recording.Recording) bool {
			return r.Shape("b")[0] == 1
		}), emulate.Config{}},
		{"scales-packed", "with powers of two", find(t, "fp8.gemm", func(r *recording.Recording) bool {
			return r.Type("a_scale") == dtype.F8E8M0 && r.Type("b_scale") == dtype.F8E8M0
		}), emulate.Config{}},
		{"query-untransposed", "in the naive form", emulate.Request("mla.layer", 1), emulate.Config{Form: "naive"}},
	}
	for _, c := range cases {
		c.c.Mistake = c.mistake
		if _, err := emulate.Run(c.request, c.c); !errors.Is(err, emulate.ErrHidden) {
			t.Errorf("%s %s: %v, want ErrHidden", c.mistake, c.why, err)
		}
	}
}

// find returns the first request that is as wanted.
func find(t *testing.T, op string, wanted func(*recording.Recording) bool) *recording.Recording {
	t.Helper()
	for seed := range uint64(200) {
		if r := emulate.Request(op, seed); wanted(r) {
			return r
		}
	}
	t.Fatal("no such request")
	return nil
}
