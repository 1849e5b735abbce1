package main

import "plumbline/numbers/dtype"

// The types of a request.
var (
	both   = []dtype.Type{dtype.BF16, dtype.F32}
	narrow = []dtype.Type{dtype.BF16}
	wide   = []dtype.Type{dtype.F32}
	codes  = []dtype.Type{dtype.F8E4M3}
)

// The gates of published models, some at smaller sizes.
var (
	gateV3 = map[string]any{
		"score": "sigmoid", "top_k": 8, "groups": 8, "top_groups": 4, "group_score": "top2", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	gateV2 = map[string]any{
		"score": "softmax", "top_k": 6, "groups": 8, "top_groups": 3, "group_score": "max", "normalize": false,
		"scale": 16.0,
	}
	gateV4 = map[string]any{
		"score": "sqrt_softplus", "top_k": 6, "normalize": true, "norm_eps": 1e-20, "scale": 1.5,
	}
	gateShare = map[string]any{
		"score": "sigmoid", "top_k": 8, "groups": 4, "top_groups": 2, "group_score": "share", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	gateMixtral = map[string]any{"score": "softmax", "top_k": 4, "normalize": true}
	gatePlain   = map[string]any{"score": "softmax", "top_k": 4, "normalize": false}
	layerV3     = map[string]any{
		"score": "sigmoid", "top_k": 4, "groups": 4, "top_groups": 2, "group_score": "top2", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	layerV2 = map[string]any{
		"score": "softmax", "top_k": 4, "groups": 4, "top_groups": 2, "group_score": "max", "normalize": false,
		"scale": 4.0,
	}
	layerV4 = map[string]any{
		"score": "sqrt_softplus", "top_k": 4, "normalize": true, "norm_eps": 1e-20, "scale": 1.5,
		"swiglu_limit": 1.0,
	}
)

// gated adds tokens and centroids; their logits are around 1.
func gated(b *builder, weight dtype.Type, E int) {
	b.bell("x", b.t, 0, 40, 64)
	b.bell("weight", weight, -3, E, 64)
}

func biased(b *builder, E int) { b.between("bias", dtype.F32, 0, -3, E) }

// logits adds the scores themselves.
func logits(b *builder, E int) { b.bell("logits", b.t, 0, 48, E) }

// swiglu adds the experts, whose products with numbers around 1 are around 1.
func swiglu(b *builder, E, F, d int) {
	b.bell("w_gate", b.t, -3, E, F, d)
	b.bell("w_up", b.t, -3, E, F, d)
	b.bell("w_down", b.t, -2, E, d, F)
}

func shared(b *builder, F, d int) {
	b.bell("shared_gate", b.t, -3, F, d)
	b.bell("shared_up", b.t, -3, F, d)
	b.bell("shared_down", b.t, -2, d, F)
}

// mixed adds what moe.experts takes.
func mixed(b *builder, weights dtype.Type) {
	b.bell("x", b.t, 0, 24, 64)
	swiglu(b, 8, 48, 64)
	b.chosen(24, 3, 8)
	b.between("weights", weights, 0.5, -1, 24, 3)
}

// whole adds what moe.layer takes.
func whole(b *builder, weight dtype.Type, bias bool, sharedWidth int) {
	b.bell("x", b.t, 0, 24, 64)
	b.bell("weight", weight, -3, 16, 64)
	if bias {
		biased(b, 16)
	}
	swiglu(b, 16, 32, 64)
	if sharedWidth > 0 {
		shared(b, sharedWidth, 64)
	}
}

// scored adds the scores and choices that a loss is made of.
func scored(b *builder) {
	b.between("scores", dtype.F32, 0.5, -1, 96, 16)
	b.chosen(96, 4, 16)
}

// product adds codes and their scales.
func product(b *builder, M, N, K int) {
	b.bell("a", b.t, 5, M, K)
	b.bell("b", b.t, 5, N, K)
	b.between("a_scale", dtype.F32, 0.03125, -6, M, (K+127)/128)
	b.between("b_scale", dtype.F32, 0.03125, -6, (N+127)/128, (K+127)/128)
}

var requests = append(gates, append(mixtures, casts...)...)

var gates = []request{
	{"moe.gate", "v3", "the bias in the weights, groups scored by their best, or no scale", both, gateV3,
		func(b *builder) { gated(b, dtype.F32, 64); biased(b, 64) }},
	{"moe.gate", "v3-logits", "the same from logits", wide, gateV3,
		func(b *builder) { logits(b, 64); biased(b, 64) }},
	{"moe.gate", "v3-negative-bias", "dropped groups filled with 0: every biased score is below it", wide, gateV3,
		func(b *builder) { logits(b, 64); b.between("bias", dtype.F32, -1.5, -3, 64) }},
	{"moe.gate", "v2", "a softmax over the kept groups alone, or weights divided by their sum", wide, gateV2,
		func(b *builder) { gated(b, dtype.F32, 64) }},
	{"moe.gate", "v2-logits", "the same from logits", wide, gateV2, func(b *builder) { logits(b, 64) }},
	{"moe.gate", "v4", "sigmoid for √softplus", wide, gateV4,
		func(b *builder) { gated(b, dtype.F32, 64); biased(b, 64) }},
	{"moe.gate", "v4-logits", "the same from logits", wide, gateV4,
		func(b *builder) { logits(b, 64); biased(b, 64) }},
	{"moe.gate", "softmax", "logits rounded to bf16 where float32 is declared", both, gateMixtral,
		func(b *builder) { gated(b, b.t, 16) }},
	{"moe.gate", "softmax-logits", "weights that do not add up to 1", both, gateMixtral,
		func(b *builder) { logits(b, 16) }},
	{"moe.gate", "softmax-plain-logits", "weights divided by their sum", both, gatePlain,
		func(b *builder) { logits(b, 16) }},
	{"moe.gate", "share-logits", "groups scored by their two best where their share of the experts is declared",
		wide, gateShare, func(b *builder) { logits(b, 32); biased(b, 32) }},
	{"moe.gate", "ties-logits", "an expert chosen twice where scores are equal", both, gateMixtral,
		func(b *builder) { b.integers("logits", b.t, -2, 3, 48, 16) }},
	{"moe.gate", "v3-ties-logits", "the same among groups", wide, gateV3,
		func(b *builder) { b.integers("logits", b.t, -2, 3, 48, 64); b.between("bias", dtype.F32, 0.5, -30, 64) }},
	{"moe.bias_update", "sign", "the sign reversed", wide, map[string]any{"rate": 0.001},
		func(b *builder) { b.between("bias", dtype.F32, 0, -4, 64); b.integers("load", dtype.I64, 0, 400, 64) }},
	{"moe.bias_update", "even", "a step where an expert has just the mean", wide, map[string]any{"rate": 0.01},
		func(b *builder) {
			b.between("bias", dtype.F32, 0, -4, 8)
			b.store("load", []float64{4, 4, 8, 0, 4, 4, 2, 6}, 8)
		}},
	{"moe.bias_update", "center", "the mean of the steps left in", wide,
		map[string]any{"rate": 0.001, "center": true},
		func(b *builder) { b.between("bias", dtype.F32, 0, -4, 64); b.integers("load", dtype.I64, 0, 400, 64) }},
	{"moe.balance_loss", "expert", "a share of tokens without its factor E/K", wide,
		map[string]any{"kind": "expert", "alpha": 0.01}, scored},
	{"moe.balance_loss", "expert-whole", "a factor applied twice: it is 1", wide, map[string]any{"kind": "expert"},
		scored},
	{"moe.balance_loss", "sequence", "shares of the batch where those of each sequence are declared", wide,
		map[string]any{"kind": "sequence", "alpha": 0.003, "sequence_length": 24}, scored},
	{"moe.dispatch", "plain", "a sort that is not stable", wide, map[string]any{"experts": 16},
		func(b *builder) { b.chosen(60, 4, 16) }},
	{"moe.dispatch", "dropped", "pairs of dropped tokens counted", wide, map[string]any{"experts": 8},
		func(b *builder) {
			b.store("indices", []float64{3, 1, -1, 3, 7, 0, -1, -1, 0, 3, 1, 7, 3, -1}, 7, 2)
		}},
}

var mixtures = []request{
	{"moe.experts", "plain", "gate and up exchanged, or a weight of another slot", both, nil,
		func(b *builder) { mixed(b, dtype.F32) }},
	{"moe.experts", "weights", "weights in the type of the layer", narrow, nil,
		func(b *builder) { mixed(b, b.t) }},
	{"moe.experts", "limit", "a limit on gate and up left out, or put behind the activation", both,
		map[string]any{"swiglu_limit": 1.0}, func(b *builder) { mixed(b, dtype.F32) }},
	{"moe.experts", "hidden", "a weight on the output where it goes before the last product", both,
		map[string]any{"weight_at": "hidden"}, func(b *builder) { mixed(b, dtype.F32) }},
	{"moe.layer", "v3", "shared experts scaled with the routed ones", both, layerV3,
		func(b *builder) { whole(b, dtype.F32, true, 64) }},
	{"moe.layer", "v2", "weights divided by their sum", both, layerV2,
		func(b *builder) { whole(b, dtype.F32, false, 64) }},
	{"moe.layer", "v4", "the limit left out of the shared experts", wide, layerV4,
		func(b *builder) { whole(b, dtype.F32, true, 32) }},
	{"moe.layer", "softmax", "a gate in float32 where it is in the type of the layer", both, gateMixtral,
		func(b *builder) { whole(b, b.t, false, 0) }},
	{"moe.layer", "routed", "a gate in float32 over experts in bf16", narrow, layerV3,
		func(b *builder) { whole(b, dtype.F32, true, 0) }},
}

var (
	byToken = map[string]any{"block": []int{1, 128}}
	byBlock = map[string]any{"block": []int{128, 128}}
)

// edges are largest sizes of blocks: two at which a scale that is the reciprocal of (1/amax)·448,
// each step rounded, is two units in the last place off, and one at which that of 448/amax is
// farthest; 448/256, and its neighbours in float32 and in bf16.
var edges = []float64{
	1.7100393772125244, 1.7421875, 1.6887131929397583, 1.75, 1.7500001192092896, 1.7499998807907104, 1.7578125,
	1.0078125,
}

// powers is a cast whose scales are powers of two.
func powers(block map[string]any) map[string]any {
	return map[string]any{"block": block["block"], "scale": "UE8M0"}
}

var casts = []request{
	{"fp8.cast", "tokens", "one scale for a row", both, byToken, func(b *builder) { b.bell("x", b.t, 3, 16, 384) }},
	{"fp8.cast", "tokens-ue8m0", "scales of powers of two rounded to nearest", both, powers(byToken),
		func(b *builder) { b.bell("x", b.t, 3, 16, 384) }},
	{"fp8.cast", "tokens-ragged", "a block that ends before 128", both, byToken,
		func(b *builder) { b.bell("x", b.t, -2, 7, 200) }},
	{"fp8.cast", "tokens-small", "the floor of a block's largest size left out", both, byToken,
		func(b *builder) { b.bell("x", b.t, -16, 8, 256) }},
	{"fp8.cast", "tokens-edges", "scales from reciprocals, which are off by two units in the last place", both,
		byToken, func(b *builder) { b.peaked("x", edges...) }},
	{"fp8.cast", "tokens-edges-ue8m0", "largest sizes beside 448 times a power of two", both, powers(byToken),
		func(b *builder) { b.peaked("x", edges...) }},
	{"fp8.cast", "blocks", "scales of tokens where those of blocks are declared", both, byBlock,
		func(b *builder) { b.bell("x", b.t, -4, 128, 256) }},
	{"fp8.cast", "blocks-ue8m0", "the same with powers of two", both, powers(byBlock),
		func(b *builder) { b.bell("x", b.t, -4, 128, 256) }},
	{"fp8.cast", "blocks-ragged", "blocks that end before 128", both, byBlock,
		func(b *builder) { b.bell("x", b.t, -4, 150, 200) }},
	{"fp8.gemm", "one-block", "scales of the other operand", codes, nil,
		func(b *builder) { product(b, 32, 200, 128) }},
	{"fp8.gemm", "blocks", "one scale for a row", codes, nil, func(b *builder) { product(b, 24, 160, 512) }},
	{"fp8.gemm", "ragged", "a block of K that ends before 128", codes, nil,
		func(b *builder) { product(b, 9, 130, 200) }},
	{"fp8.grouped_gemm", "plain", "rows of a neighbour: the second expert has none", codes, nil, func(b *builder) {
		b.bell("a", b.t, 5, 16, 256)
		b.bell("b", b.t, 5, 4, 96, 256)
		b.between("a_scale", dtype.F32, 0.03125, -6, 16, 2)
		b.between("b_scale", dtype.F32, 0.03125, -6, 4, 1, 2)
		b.store("counts", []float64{3, 0, 5, 8}, 4)
	}},
}
