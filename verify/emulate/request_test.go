package emulate_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/verify/emulate"
	experts "plumbline/verify/op/experts/emulated"
	"plumbline/verify/recording"
)

// features are what requests of an op have to vary in, each with a test for its presence.
var features = map[string]map[string]func(t *testing.T, r *recording.Recording) bool{
	"attention.forward": {
		"GQA": func(t *testing.T, r *recording.Recording) bool {
			return r.Shape("k")[2] > 1 && r.Shape("q")[2] > r.Shape("k")[2]
		},
		"MQA": func(t *testing.T, r *recording.Recording) bool {
			return r.Shape("k")[2] == 1 && r.Shape("q")[2] > 1
		},
		"S ≠ T":       func(t *testing.T, r *recording.Recording) bool { return r.Shape("q")[1] != r.Shape("k")[1] },
		"odd T":       func(t *testing.T, r *recording.Recording) bool { return r.Shape("k")[1]%2 == 1 },
		"lengths":     func(t *testing.T, r *recording.Recording) bool { return r.Has("kv_lens") },
		"no keys":     func(t *testing.T, r *recording.Recording) bool { return has(t, r, "kv_lens", 0) },
		"sinks":       func(t *testing.T, r *recording.Recording) bool { return r.Has("sink") },
		"a dead sink": func(t *testing.T, r *recording.Recording) bool { return has(t, r, "sink", math.Inf(-1)) },
		"poison":      func(t *testing.T, r *recording.Recording) bool { return hasNaN(t, r, "v") },
		"causal":      attr("causal"), "window": attr("window"), "soft cap": attr("softcap"),
		"base 2": attr("lse_base"), "scale": attr("scale"),
	},
	"mla.decode": {
		"DeepSeek's widths": func(t *testing.T, r *recording.Recording) bool { return r.Shape("q")[3] == 576 },
		"several queries":   func(t *testing.T, r *recording.Recording) bool { return r.Shape("q")[1] > 1 },
		"no keys":           func(t *testing.T, r *recording.Recording) bool { return has(t, r, "kv_lens", 0) },
		"unused columns":    func(t *testing.T, r *recording.Recording) bool { return has(t, r, "block_table", -1) },
		"poison":            func(t *testing.T, r *recording.Recording) bool { return hasNaN(t, r, "kv_cache") },
		"base 2":            attr("lse_base"), "not causal": attr("causal"),
	},
	"mla.layer": {
		"YaRN": attr("yarn"), "start": attr("start"), "layout": attr("layout"), "eps": attr("eps"),
		"scale":           attr("scale"),
		"no query latent": func(t *testing.T, r *recording.Recording) bool { return r.Has("w_q") },
	},
	"rope.apply": {"YaRN": attr("yarn"), "layout": attr("layout"), "inverse": attr("inverse"), "base": attr("base")},
	"rope.table": {"YaRN": attr("yarn"), "base": attr("base")},
	"norm.rms": {"eps": attr("eps"), "width 1": func(t *testing.T, r *recording.Recording) bool {
		return r.Shape("x")[1] == 1
	}},
	"attention.merge": {
		"base 2": attr("lse_base"), "an empty part": func(t *testing.T, r *recording.Recording) bool {
			return has(t, r, "lse", math.Inf(-1))
		},
		"garbage in it": func(t *testing.T, r *recording.Recording) bool { return hasNaN(t, r, "o") },
	},
	"policy.kl": {"limit": attr("limit"), "−∞": func(t *testing.T, r *recording.Recording) bool {
		return has(t, r, "ref_logprob", math.Inf(-1))
	}},
	"ppo.loss": {
		"ratios of sequences": attr("ratio"), "dual clip": attr("dual_clip"), "limit": attr("log_ratio_limit"),
		"divergence": attr("kl"), "a width above": attr("clip_high"),
		"advantages of sequences": func(t *testing.T, r *recording.Recording) bool {
			return len(r.Shape("advantage")) == 1
		},
		"NaN outside the mask": func(t *testing.T, r *recording.Recording) bool { return hasNaN(t, r, "logprob") },
		"empty sequences":      hasEmptySequence,
	},
	"ppo.gae": {"whiten": attr("whiten"), "NaN outside the mask": func(
		t *testing.T, r *recording.Recording,
	) bool {
		return hasNaN(t, r, "values")
	}},
	"ppo.value_loss": {"clip": attr("clip"), "empty sequences": hasEmptySequence},
	"grpo.advantage": {"eps": attr("eps"), "one group": func(t *testing.T, r *recording.Recording) bool {
		return r.Shape("group")[0] == 1
	}},
	"dpo.loss": {"smoothing": attr("label_smoothing"), "IPO": attr("kind"), "lengths": func(
		t *testing.T, r *recording.Recording,
	) bool {
		return r.Has("lengths_chosen")
	}},
	"moe.gate": {
		"given logits": func(t *testing.T, r *recording.Recording) bool { return r.Has("logits") },
		"V3's experts": func(t *testing.T, r *recording.Recording) bool {
			return r.Attrs["groups"] == recording.Number(8) && r.Attrs["top_groups"] == recording.Number(4) &&
				r.Attrs["top_k"] == recording.Number(8)
		},
		"no groups": func(t *testing.T, r *recording.Recording) bool { return r.Attrs["groups"] == nil },
		"a bias":    func(t *testing.T, r *recording.Recording) bool { return r.Has("bias") },
		"negative scores": func(t *testing.T, r *recording.Recording) bool {
			return any1(t, r, "bias", func(b float64) bool { return b < -1 })
		},
		"ties": func(t *testing.T, r *recording.Recording) bool {
			return r.Provenance["note"] == experts.Undecided
		},
		"score": attr("score"), "group score": attr("group_score"), "eps": attr("norm_eps"), "scale": attr("scale"),
		"normalize": attr("normalize"),
	},
	"moe.experts": {
		"no expert in a slot": func(t *testing.T, r *recording.Recording) bool { return has(t, r, "indices", -1) },
		"shared experts":      func(t *testing.T, r *recording.Recording) bool { return r.Has("shared_gate") },
		"a negative weight": func(t *testing.T, r *recording.Recording) bool {
			return any1(t, r, "weights", func(w float64) bool { return w < 0 })
		},
		"limit": attr("swiglu_limit"), "weight at": attr("weight_at"),
	},
	"moe.layer": {
		"groups": attr("groups"), "limit": attr("swiglu_limit"), "weight at": attr("weight_at"), "scale": attr("scale"),
		"shared experts": func(t *testing.T, r *recording.Recording) bool { return r.Has("shared_gate") },
	},
	"moe.balance_loss": {
		"kind": func(t *testing.T, r *recording.Recording) bool { return r.Attrs["kind"] == "communication" },
		"padding": func(t *testing.T, r *recording.Recording) bool {
			return has(t, r, "indices", -1)
		},
		"devices": func(t *testing.T, r *recording.Recording) bool { return r.Has("groups") },
		"alpha":   attr("alpha"), "normalised": attr("normalize_scores"), "most devices": attr("top_groups"),
	},
	"moe.bias_update": {
		"rate": attr("rate"), "rule": attr("rule"), "center": attr("center"),
		"an empty expert": func(t *testing.T, r *recording.Recording) bool { return has(t, r, "load", 0) },
	},
	"moe.dispatch": {
		"no expert in a slot": func(t *testing.T, r *recording.Recording) bool { return has(t, r, "indices", -1) },
	},
	"attention.backward": {"causal": attr("causal"), "window": attr("window"), "soft cap": attr("softcap")},
}

func attr(name string) func(*testing.T, *recording.Recording) bool {
	return func(_ *testing.T, r *recording.Recording) bool { return r.Attrs[name] != nil }
}

func hasEmptySequence(t *testing.T, r *recording.Recording) bool {
	mask, err := r.Tensor("mask")
	if err != nil {
		t.Fatal(err)
	}
	for i := range mask.Shape[0] {
		if !slices.Contains(mask.Row(i), 1) {
			return true
		}
	}
	return false
}

func has(t *testing.T, r *recording.Recording, name string, value float64) bool {
	return any1(t, r, name, func(x float64) bool { return x == value })
}

func hasNaN(t *testing.T, r *recording.Recording, name string) bool {
	return any1(t, r, name, math.IsNaN)
}

func any1(t *testing.T, r *recording.Recording, name string, found func(float64) bool) bool {
	if !r.Has(name) {
		return false
	}
	x, err := r.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range x.Data {
		if found(v) {
			return true
		}
	}
	return false
}

func TestRequestsVary(t *testing.T) {
	const seeds = 80
	for op, wanted := range features {
		types := map[string]int{}
		count := map[string]int{}
		for seed := range uint64(seeds) {
			r := emulate.Request(op, seed)
			types[r.Type(r.Inputs()[0]).String()]++
			for name, present := range wanted {
				if present(t, r) {
					count[name]++
				}
			}
		}
		for name := range wanted {
			if count[name] < 3 || count[name] > seeds-3 {
				t.Errorf("%s: %s on %d of %d requests", op, name, count[name], seeds)
			}
		}
		scalar := op == "rope.table" || slices.Contains(emulate.Mistakes(op), "mask-shifted") || op == "policy.kl" ||
			op == "grpo.advantage" || op == "dpo.loss" || strings.HasPrefix(op, "moe.") && op != "moe.experts"
		if !scalar && (types["BF16"] < 20 || types["F16"] < 5 || types["F32"] < 5) {
			t.Errorf("%s: types %v", op, types)
		}
	}
}

// Poison lies only where no kernel looks.
func TestPoisonReachesNoRightKernel(t *testing.T) {
	for _, op := range []string{"attention.forward", "mla.decode", "attention.merge"} {
		for seed := range uint64(40) {
			got := mustRun(t, emulate.Request(op, seed), emulate.Config{})
			for _, name := range got.Outputs() {
				for _, x := range output(t, got, name) {
					if math.IsNaN(x) || math.IsInf(x, 1) {
						t.Fatalf("%s, seed %d: %s has %v", op, seed, name, x)
					}
				}
			}
		}
	}
}
