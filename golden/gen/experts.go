package main

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// expertExamples are recordings of a mixture of experts.
var expertExamples = []example{
	{
		name: "moe-gate-share-bf16", op: "moe.gate",
		note: "logits in bf16, a bias of mean −1.2, groups by the share of a token's experts, an exact tie",
		request: func(r *request) {
			r.normal("logits", dtype.BF16, 0, 48, 64)
			r.around("bias", dtype.F32, -1.2, 64)
			r.edit("bias", recording.Edit{Index: []int{3}, Value: -1}, recording.Edit{Index: []int{4}, Value: -1})
			r.edit("logits", recording.Edit{Index: []int{5, 3}, Value: 2}, recording.Edit{Index: []int{5, 4}, Value: 2})
			r.attrs(map[string]any{
				"top_k": 6, "groups": 8, "top_groups": 2, "group_score": "share", "norm_eps": 1e-20, "scale": 2.5,
			})
		},
		kernel: emulate.Config{Slots: emulate.ByExpert, Indices: dtype.I64},
	},
	{
		name: "moe-gate-v4-bf16", op: "moe.gate",
		note: "the gate of DeepSeek-V4 from tokens: √softplus, no groups, times 1.5",
		request: func(r *request) {
			r.normal("x", dtype.BF16, 0, 32, 128)
			r.normal("weight", dtype.BF16, -3, 64, 128)
			r.around("bias", dtype.F32, 0, 64)
			r.attrs(map[string]any{"score": "sqrt_softplus", "top_k": 6, "scale": 1.5})
		},
		kernel: emulate.Config{Order: emulate.Strided, Accumulate: arithmetic.F32Hopper, Base2: true},
	},
	{
		name: "moe-balance-communication-f32", op: "moe.balance_loss",
		note: "the loss of what is sent to devices, three of six for a token, sigmoid scores divided by their sum",
		request: func(r *request) {
			r.scores(40, 24)
			r.chosen(40, 4, 24)
			r.store("groups", dtype.I32, devices(24, 6), 24)
			r.attrs(map[string]any{
				"kind": "communication", "alpha": 0.02, "top_groups": 3, "normalize_scores": true,
			})
		},
		kernel: emulate.Config{Order: emulate.Pairwise},
	},
	{
		name: "moe-bias-centred-f32", op: "moe.bias_update",
		note: "steps of one size less their mean; an expert whose load is the mean",
		request: func(r *request) {
			r.normal("bias", dtype.F32, -2, 16)
			r.store("load", dtype.I64, []float64{0, 5, 12, 40, 17, 16, 16, 3, 28, 30, 9, 11, 22, 19, 8, 20}, 16)
			r.attrs(map[string]any{"center": true})
		},
	},
	{
		name: "moe-bias-proportional-f32", op: "moe.bias_update",
		note: "steps in proportion to what the load lacks",
		request: func(r *request) {
			r.normal("bias", dtype.F32, -2, 64)
			r.generate("load", recording.Recipe{Type: dtype.I32, Shape: []int{64}, Dist: "ints", Lo: 0, Hi: 3000})
			r.attrs(map[string]any{"rule": "proportional", "rate": 1e-4})
		},
	},
	{
		name: "moe-dispatch-ragged", op: "moe.dispatch",
		note: "pairs that are left out, experts without any",
		request: func(r *request) {
			r.generate("indices", recording.Recipe{Type: dtype.I32, Shape: []int{30, 4}, Dist: "ints", Lo: 2, Hi: 11})
			r.edit(
				"indices", recording.Edit{Index: []int{7}, Value: -1}, recording.Edit{Index: []int{12, 3}, Value: -1},
			)
			r.attrs(map[string]any{"experts": 12})
		},
	},
	{
		name: "moe-experts-hidden-bf16", op: "moe.experts",
		note: "the experts of DeepSeek-V4: clamped, weights before the second product; sums in bf16",
		request: func(r *request) {
			r.networks(24, 12, 64, 32)
			r.chosen(24, 3, 12)
			r.around("weights", dtype.F32, 0.5, 24, 3)
			r.attrs(map[string]any{"swiglu_limit": 1, "weight_at": "hidden"})
		},
		kernel: emulate.Config{Combine: dtype.BF16, Slots: emulate.ByWeight},
	},
	{
		name: "moe-layer-groups-bf16", op: "moe.layer",
		note: "gate in F32, experts and their sum in bf16, groups, a shared expert",
		request: func(r *request) {
			r.networks(32, 16, 64, 32)
			r.shared(64, 48)
			r.normal("weight", dtype.BF16, -3, 16, 64)
			r.around("bias", dtype.F32, 0.25, 16)
			r.attrs(map[string]any{"top_k": 4, "groups": 4, "top_groups": 2, "scale": 2.5})
		},
		kernel: emulate.Config{Combine: dtype.BF16, Order: emulate.Shuffled, Seed: 5},
	},
}

// around adds a bell of deviation 0.14 around a mean.
func (r *request) around(name string, t dtype.Type, mean float32, shape ...int) {
	r.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "normal", Exp2: -3, Shift: &mean})
}

// scores adds numbers between 0 and 1.
func (r *request) scores(tokens, experts int) {
	half := float32(0.5)
	r.generate("scores", recording.Recipe{
		Type: dtype.F32, Shape: []int{tokens, experts}, Dist: "uniform", Exp2: -1, Shift: &half,
	})
}

// chosen adds different experts for each token, more of them the later ones.
func (r *request) chosen(tokens, k, experts int) {
	ids := make([]float64, tokens*k)
	for i := range ids {
		n, slot := i/k, i%k
		ids[i] = float64((n*n + 3*n + slot*(1+n%2)) % experts)
	}
	r.store("indices", dtype.I32, ids, tokens, k)
}

// devices spreads experts over devices in turn.
func devices(experts, n int) []float64 {
	of := make([]float64, experts)
	for e := range of {
		of[e] = float64(e * n / experts)
	}
	return of
}

// networks adds tokens and the weights of experts.
func (r *request) networks(tokens, experts, width, inner int) {
	r.normal("x", dtype.BF16, 0, tokens, width)
	r.normal("w_gate", dtype.BF16, -3, experts, inner, width)
	r.normal("w_up", dtype.BF16, -3, experts, inner, width)
	r.normal("w_down", dtype.BF16, -3, experts, width, inner)
}

// shared adds the weights of shared experts.
func (r *request) shared(width, inner int) {
	r.normal("shared_gate", dtype.BF16, -3, inner, width)
	r.normal("shared_up", dtype.BF16, -3, inner, width)
	r.normal("shared_down", dtype.BF16, -3, width, inner)
}
