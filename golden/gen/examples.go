package main

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// yarn is DeepSeek-V3's.
var yarn = map[string]any{
	"factor": recording.Number(40), "original_context": recording.Number(4096), "beta_fast": recording.Number(32),
	"beta_slow": recording.Number(1),
	"mscale":    recording.Number(1), "mscale_all_dim": recording.Number(1), "ramp": "index",
}

// temperature is yarn_get_mscale(40, 1)², by which DeepSeek-V3 multiplies its softmax scale.
const temperature = 1.8738542070926265

// examples are all recordings that gen writes.
var examples = []example{
	{
		name: "attention-forward-mha-bf16", op: "attention.forward",
		note: "causal, S ≠ T, ragged lengths",
		request: func(r *request) {
			r.normal("q", dtype.BF16, 0, 2, 7, 4, 64)
			r.normal("k", dtype.BF16, 0, 2, 45, 4, 64)
			r.normal("v", dtype.BF16, 0, 2, 45, 4, 64)
			r.store("kv_lens", dtype.I32, []float64{45, 23}, 2)
			r.attrs(map[string]any{"causal": true})
		},
		kernel: emulate.Config{Tile: 16, Splits: 3, Order: emulate.Strided, Base2: true},
	},
	{
		name: "attention-forward-gqa-window-f16", op: "attention.forward",
		note: "grouped heads, window, capped scores",
		request: func(r *request) {
			r.normal("q", dtype.F16, 1, 1, 19, 8, 32)
			r.normal("k", dtype.F16, 0, 1, 50, 2, 32)
			r.normal("v", dtype.F16, 0, 1, 50, 2, 48)
			r.attrs(map[string]any{"causal": true, "window": 9, "softcap": 15})
		},
		kernel: emulate.Config{Tile: 37, Order: emulate.Shuffled, Seed: 1, Fused: true},
	},
	{
		name: "attention-forward-mqa-sink-f32", op: "attention.forward",
		note: "one key head, a sink for each head, log-sum-exp to base 2, a sequence without keys",
		request: func(r *request) {
			r.normal("q", dtype.F32, 0, 3, 3, 6, 40)
			r.normal("k", dtype.F32, 0, 3, 33, 1, 40)
			r.normal("v", dtype.F32, 0, 3, 33, 1, 24)
			r.store("kv_lens", dtype.I64, []float64{33, 0, 17}, 3)
			r.store("sink", dtype.F32, []float64{3, -1, math.Inf(-1), 0.5, 2, 4}, 6)
			r.attrs(map[string]any{"scale": 0.25, "lse_base": "2"})
		},
		kernel: emulate.Config{Tile: 1, Order: emulate.Reversed, Approximate: true},
	},
	{
		name: "attention-backward-mha-bf16", op: "attention.backward",
		note: "causal, S ≠ T, ragged lengths",
		request: func(r *request) {
			r.normal("q", dtype.BF16, 0, 2, 9, 2, 32)
			r.normal("k", dtype.BF16, 0, 2, 21, 2, 32)
			r.normal("v", dtype.BF16, 0, 2, 21, 2, 32)
			r.normal("do", dtype.BF16, 0, 2, 9, 2, 32)
			r.store("kv_lens", dtype.I32, []float64{21, 16}, 2)
			r.attrs(map[string]any{"causal": true})
		},
		kernel: emulate.Config{Tile: 16, Order: emulate.Strided, Base2: true},
	},
	{
		name: "attention-backward-gqa-f32", op: "attention.backward",
		note: "grouped heads: their gradients are summed into the key head",
		request: func(r *request) {
			r.normal("q", dtype.F32, 0, 1, 11, 6, 24)
			r.normal("k", dtype.F32, 0, 1, 20, 2, 24)
			r.normal("v", dtype.F32, 0, 1, 20, 2, 16)
			r.normal("do", dtype.F32, 0, 1, 11, 6, 16)
			r.attrs(map[string]any{"scale": 0.3})
		},
		kernel: emulate.Config{Tile: 37, Order: emulate.Shuffled, Seed: 2, Fused: true},
	},
	{
		name: "attention-merge-bf16", op: "attention.merge",
		note: "parts without keys, whose outputs are NaN",
		request: func(r *request) {
			r.normal("o", dtype.BF16, 0, 4, 24, 64)
			r.normal("lse", dtype.F32, 1, 4, 24)
			for _, at := range [][]int{{0, 0}, {1, 7}, {3, 7}, {2, 19}} {
				r.edit("o", recording.Edit{Index: at, Value: math.NaN()})
				r.edit("lse", recording.Edit{Index: at, Value: math.Inf(-1)})
			}
		},
		kernel: emulate.Config{Order: emulate.Pairwise},
	},
	{
		name: "attention-merge-base2-f32", op: "attention.merge",
		note: "log-sum-exps to base 2",
		request: func(r *request) {
			r.normal("o", dtype.F32, 0, 3, 16, 96)
			r.normal("lse", dtype.F32, 1, 3, 16)
			r.attrs(map[string]any{"lse_base": "2"})
		},
		kernel: emulate.Config{Order: emulate.Strided, Fused: true},
	},
	{
		name: "mla-decode-bf16", op: "mla.decode",
		note: "two queries, ragged lengths, scattered pages, NaN behind the last keys",
		request: func(r *request) {
			r.normal("q", dtype.BF16, 0, 3, 2, 4, 80)
			r.cache(dtype.BF16, 8, 5, 80, 37, 8, 25)
			r.attrs(map[string]any{"scale": 0.125 * temperature, "value_dim": 64})
		},
		kernel: emulate.Config{Tile: 16, Splits: 2, Base2: true},
	},
	{
		name: "mla-decode-base2-f32", op: "mla.decode",
		note: "four queries and two, log-sum-exp to base 2",
		request: func(r *request) {
			r.normal("q", dtype.F32, 0, 2, 4, 3, 40)
			r.cache(dtype.F32, 16, 3, 40, 41, 16)
			r.attrs(map[string]any{"scale": 0.2, "value_dim": 32, "lse_base": "2"})
		},
		kernel: emulate.Config{Tile: 1, Order: emulate.Pairwise},
	},
	{
		name: "mla-decode-v3-bf16", op: "mla.decode",
		note: "DeepSeek-V3's size: 128 heads, keys of 512 + 64, up to 4096 of them in scattered pages of 64",
		request: func(r *request) {
			r.normal("q", dtype.BF16, 0, 4, 1, 128, 576)
			r.cache(dtype.BF16, 64, 64, 576, 4096, 4095, 2113, 640)
			r.attrs(map[string]any{"scale": temperature / math.Sqrt(192)})
		},
		kernel: emulate.Config{Tile: 64, Splits: 4, Order: emulate.Strided, Base2: true, Approximate: true},
	},
	{
		name: "norm-rms-bf16", op: "norm.rms",
		note: "a row of DeepSeek's query latent has 1536 columns, this one 256",
		request: func(r *request) {
			r.normal("x", dtype.BF16, 0, 24, 256)
			r.normal("weight", dtype.BF16, 0, 256)
		},
		kernel: emulate.Config{Order: emulate.Strided},
	},
	{
		name: "norm-rms-small-f32", op: "norm.rms",
		note: "rows so small that ε is most of what is under the root",
		request: func(r *request) {
			r.normal("x", dtype.F32, -11, 16, 100)
			r.normal("weight", dtype.F32, 0, 100)
			r.attrs(map[string]any{"eps": 1e-6})
		},
		kernel: emulate.Config{Order: emulate.Pairwise},
	},
	{
		name: "rope-table-f32", op: "rope.table",
		note: "scattered positions up to 16000, angles formed in float32",
		request: func(r *request) {
			r.generate("positions", recording.Recipe{Type: dtype.I64, Shape: []int{48}, Dist: "ints", Lo: 0, Hi: 16000})
			r.attrs(map[string]any{"dim": 64})
		},
	},
	{
		name: "rope-table-yarn-f32", op: "rope.table",
		note: "DeepSeek-V3's YaRN, positions up to 160000",
		request: func(r *request) {
			r.generate(
				"positions", recording.Recipe{Type: dtype.I32, Shape: []int{48}, Dist: "ints", Lo: 0, Hi: 160000},
			)
			r.attrs(map[string]any{"dim": 64, "yarn": yarn})
		},
		kernel: emulate.Config{Frequencies: emulate.Exp, Fused: true},
	},
	{
		name: "rope-half-yarn-bf16", op: "rope.apply",
		note: "halves, as most kernels outside DeepSeek's own pair columns",
		request: func(r *request) {
			r.normal("x", dtype.BF16, 0, 40, 4, 64)
			r.generate("positions", recording.Recipe{Type: dtype.I64, Shape: []int{40}, Dist: "ints", Lo: 0, Hi: 4096})
			r.attrs(map[string]any{"layout": "half", "yarn": yarn})
		},
		kernel: emulate.Config{Frequencies: emulate.Double},
	},
	{
		name: "rope-inverse-f16", op: "rope.apply",
		note: "the inverse rotation, base 500000",
		request: func(r *request) {
			r.normal("x", dtype.F16, 0, 40, 4, 64)
			r.generate("positions", recording.Recipe{Type: dtype.I32, Shape: []int{40}, Dist: "permutation"})
			r.attrs(map[string]any{"base": 500000, "inverse": true})
		},
	},
	{
		name: "rope-interleaved-to-half-f32", op: "rope.apply",
		note: "reads pairs and writes halves, as checkpoints are permuted on the way",
		request: func(r *request) {
			r.normal("x", dtype.F32, 0, 24, 3, 32)
			r.generate("positions", recording.Recipe{Type: dtype.I64, Shape: []int{24}, Dist: "permutation"})
			r.attrs(map[string]any{"layout": "interleaved_to_half"})
		},
		kernel: emulate.Config{Frequencies: emulate.Exp2, Approximate: true},
	},
	{
		name: "policy-logprob-f32", op: "policy.logprob",
		note: "a temperature other than 1, excluded tokens",
		request: func(r *request) {
			r.normal("logits", dtype.F32, 1, 24, 500)
			r.generate("tokens", recording.Recipe{Type: dtype.I64, Shape: []int{24}, Dist: "ints", Lo: 10, Hi: 500})
			for row := range 24 {
				r.edit("logits", recording.Edit{Index: []int{row, row % 10}, Value: math.Inf(-1)})
			}
			r.attrs(map[string]any{"temperature": 0.7})
		},
		kernel: emulate.Config{Order: emulate.Strided, Base2: true},
	},
	{
		name: "policy-logprob-stable-f32", op: "policy.logprob",
		note: "the stable form of large logits, rows that are ignored",
		request: func(r *request) {
			around := float32(300)
			r.generate("logits", recording.Recipe{
				Type: dtype.F32, Shape: []int{16, 300}, Dist: "normal", Exp2: 2, Shift: &around,
			})
			r.generate("tokens", recording.Recipe{
				Type: dtype.I64, Shape: []int{16}, Dist: "ints", Lo: 0, Hi: 300,
				Edits: []recording.Edit{{Index: []int{3}, Value: -100}, {Index: []int{9}, Value: -100}},
			})
			r.attrs(map[string]any{"ignore_index": -100})
		},
		kernel: emulate.Config{Form: "stable", Order: emulate.Pairwise},
	},
	{
		name: "policy-cross-entropy-bf16", op: "policy.cross_entropy",
		note: "a head in chunks of the vocabulary and of rows, rows that do not count, a temperature",
		request: func(r *request) {
			r.normal("hidden", dtype.BF16, 0, 12, 32)
			r.normal("weight", dtype.BF16, -2, 65, 32)
			r.generate("targets", recording.Recipe{
				Type: dtype.I64, Shape: []int{12}, Dist: "ints", Lo: 0, Hi: 65,
				Edits: []recording.Edit{{Index: []int{2}, Value: -100}, {Index: []int{11}, Value: -100}},
			})
			r.attrs(map[string]any{"temperature": 0.7})
		},
		kernel: emulate.Config{Tile: 16, Splits: 3, Order: emulate.Strided},
	},
	{
		name: "policy-mismatch-heads-bf16", op: "policy.mismatch",
		note: "logits in float32 of a trainer, in bf16 of a sampler; one head, hidden states that differ a little",
		request: func(r *request) {
			r.normal("hidden_a", dtype.BF16, 0, 32, 32)
			r.nearby("hidden_b", "hidden_a")
			r.normal("weight_a", dtype.BF16, -1, 80, 32)
			r.generate("tokens", recording.Recipe{Type: dtype.I64, Shape: []int{32}, Dist: "ints", Lo: 0, Hi: 80})
			r.attrs(map[string]any{"temperature": 0.7, "limit": 1.5})
		},
		kernel: emulate.Config{
			Intermediate: dtype.F32, Other: &emulate.Config{Intermediate: dtype.BF16, Order: emulate.Strided},
		},
	},
	{
		name: "grpo-loss-k3-f32", op: "grpo.loss",
		note: "ratios of tokens beyond every bound, a dual clip, k3, the mean of sequences; a sequence without tokens",
		request: func(r *request) {
			r.policies(dtype.F32, 28, 28, 17, 0, 9, 1, 22, 28, 5)
			r.normal("advantage", dtype.F32, 0, 8)
			r.attrs(map[string]any{
				"clip_low": 0.2, "clip_high": 0.28, "dual_clip": 2, "kl": "k3", "kl_coef": 0.04,
				"aggregate": "sequence_mean",
			})
		},
		kernel: emulate.Config{Order: emulate.Pairwise, NormalizeFirst: true},
	},
	{
		name: "grpo-loss-sequence-gppo-f32", op: "grpo.loss",
		note: "ratios of sequences, GPPO's gradient, a sum over a constant length",
		request: func(r *request) {
			r.policies(dtype.F32, 24, 24, 11, 3, 18, 7, 24)
			r.normal("advantage", dtype.F32, 0, 6, 24)
			r.attrs(map[string]any{
				"ratio": "sequence", "clip": "gppo", "clip_low": 0.05, "clip_high": 0.1, "kl": "k2", "kl_coef": 0.01,
				"aggregate": "constant", "aggregate_length": 64,
			})
		},
		kernel: emulate.Config{Order: emulate.Strided, Base2: true, Approximate: true},
	},
	{
		name: "grpo-loss-cispo-bf16", op: "grpo.loss",
		note: "log-probabilities in bf16, CISPO, a limit on log-ratios",
		request: func(r *request) {
			r.policies(dtype.BF16, 32, 20, 32, 31, 8)
			r.normal("advantage", dtype.F32, 0, 4)
			r.attrs(map[string]any{"clip": "cispo", "clip_low": 1, "clip_high": 0.28, "log_ratio_limit": 10})
		},
	},
}
