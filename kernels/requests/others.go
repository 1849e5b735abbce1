package main

import (
	"path/filepath"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// forExperts are requests of experts and FP8 that other people's code is recorded on, with every
// attribute of theirs said.
func forExperts(requests ...request) []request {
	for i := range requests {
		requests[i].folder = filepath.Join(others, "experts")
	}
	return requests
}

// The types of requests that are not in both.
var (
	narrow = []dtype.Type{dtype.BF16}
	wide   = []dtype.Type{dtype.F32}
	eight  = []dtype.Type{dtype.F8E4M3}
)

// attributes are those of a published model's gate or layer.
type attributes map[string]any

// with sets all attributes, then builds the rest.
func (a attributes) with(build func(b *builder)) func(b *builder) {
	return func(b *builder) {
		for name, value := range a {
			b.set(name, value)
		}
		build(b)
	}
}

// The gates of published models, some at smaller sizes.
var (
	gateV3 = attributes{
		"score": "sigmoid", "top_k": 8, "groups": 8, "top_groups": 4, "group_score": "top2", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	gateV2 = attributes{
		"score": "softmax", "top_k": 6, "groups": 8, "top_groups": 3, "group_score": "max", "normalize": false,
		"scale": 16.0,
	}
	gateV4 = attributes{
		"score": "sqrt_softplus", "top_k": 6, "normalize": true, "norm_eps": 1e-20, "scale": 1.5,
	}
	gateShare = attributes{
		"score": "sigmoid", "top_k": 8, "groups": 4, "top_groups": 2, "group_score": "share", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	gateMixtral = attributes{"score": "softmax", "top_k": 4, "normalize": true}
	gatePlain   = attributes{"score": "softmax", "top_k": 4, "normalize": false}
	layerV3     = attributes{
		"score": "sigmoid", "top_k": 4, "groups": 4, "top_groups": 2, "group_score": "top2", "normalize": true,
		"norm_eps": 1e-20, "scale": 2.5,
	}
	layerV2 = attributes{
		"score": "softmax", "top_k": 4, "groups": 4, "top_groups": 2, "group_score": "max", "normalize": false,
		"scale": 4.0,
	}
	layerV4 = attributes{
		"score": "sqrt_softplus", "top_k": 4, "normalize": true, "norm_eps": 1e-20, "scale": 1.5,
		"swiglu_limit": 1.0,
	}
)

// meeting adds tokens and centroids of E experts; their logits are around 1.
func meeting(b *builder, weight dtype.Type, E int) {
	b.make("x", b.bell(0, 40, 64))
	b.make("weight", as(weight, b.bell(-3, E, 64)))
}

func biased(b *builder, E int) { b.make("bias", between(0, -3, E)) }

// scores adds the logits themselves.
func scores(b *builder, E int) { b.make("logits", b.bell(0, 48, E)) }

// meetingWithBias and scoresWithBias are those of a gate with a bias.
func meetingWithBias(b *builder) { meeting(b, dtype.F32, 64); biased(b, 64) }
func scoresWithBias(b *builder)  { scores(b, 64); biased(b, 64) }

// apart stores K different experts of E for each of N tokens, the first ones more often.
func (b *builder) apart(N, K, E int) {
	indices := make([]float64, 0, N*K)
	for n := range N {
		step := 1 + 2*(n%(E/4)) // odd: it meets every expert where E is a power of two
		for k := range K {
			indices = append(indices, float64((n*n%(E/2)+k*step)%E))
		}
	}
	b.store("indices", dtype.I64, indices, N, K)
}

// combined adds what moe.experts takes.
func combined(b *builder, weights dtype.Type) {
	m := mixture{N: 24, d: 64, F: 48, E: 8, K: 3}
	b.make("x", b.bell(0, m.N, m.d))
	b.networks(m)
	b.apart(m.N, m.K, m.E)
	b.make("weights", as(weights, between(0.5, -1, m.N, m.K)))
}

// entire adds what moe.layer takes; its shared experts give numbers around 1 or 2.
func entire(b *builder, weight dtype.Type, bias bool, shared int) {
	m := mixture{N: 24, d: 64, F: 32, E: 16, K: 4, shared: shared}
	b.make("x", b.bell(0, m.N, m.d))
	b.make("weight", as(weight, b.bell(-3, m.E, m.d)))
	if bias {
		biased(b, m.E)
	}
	b.networks(m)
	if shared > 0 {
		b.make("shared_down", b.bell(-2, m.d, shared))
	}
}

// probable adds the scores and choices that a loss is made of.
func probable(b *builder) {
	b.make("scores", between(0.5, -1, 96, 16))
	b.apart(96, 4, 16)
}

// loads adds a bias and the tokens that each of 64 experts had.
func loads(b *builder) {
	b.make("bias", between(0, -4, 64))
	b.make("load", ids(dtype.I64, 0, 400, 64))
}

var otherGates = forExperts(
	request{name: "v3", catch: "the bias in the weights, groups scored by their best, or no scale",
		build: gateV3.with(meetingWithBias)},
	request{name: "v3-logits", catch: "the same from logits", types: wide, build: gateV3.with(scoresWithBias)},
	request{name: "v3-negative-bias", types: wide,
		catch: "dropped groups filled with 0: every biased score is below it",
		build: gateV3.with(func(b *builder) { scores(b, 64); b.make("bias", between(-1.5, -3, 64)) })},
	request{name: "v2", types: wide,
		catch: "a softmax over the kept groups alone, or weights divided by their sum",
		build: gateV2.with(func(b *builder) { meeting(b, dtype.F32, 64) })},
	request{name: "v2-logits", catch: "the same from logits", types: wide,
		build: gateV2.with(func(b *builder) { scores(b, 64) })},
	request{name: "v4", catch: "sigmoid for √softplus", types: wide, build: gateV4.with(meetingWithBias)},
	request{name: "v4-logits", catch: "the same from logits", types: wide, build: gateV4.with(scoresWithBias)},
	request{name: "softmax", catch: "logits rounded to bf16 where float32 is declared",
		build: gateMixtral.with(func(b *builder) { meeting(b, b.t, 16) })},
	request{name: "softmax-logits", catch: "weights that do not add up to 1",
		build: gateMixtral.with(func(b *builder) { scores(b, 16) })},
	request{name: "softmax-plain-logits", catch: "weights divided by their sum",
		build: gatePlain.with(func(b *builder) { scores(b, 16) })},
	request{name: "share-logits", types: wide,
		catch: "groups scored by their two best where their share of the experts is declared",
		build: gateShare.with(func(b *builder) { scores(b, 32); biased(b, 32) })},
	request{name: "ties-logits", catch: "an expert chosen twice where scores are equal",
		build: gateMixtral.with(func(b *builder) { b.make("logits", ids(b.t, -2, 3, 48, 16)) })},
	request{name: "v3-ties-logits", catch: "the same among groups", types: wide,
		build: gateV3.with(func(b *builder) {
			b.make("logits", ids(b.t, -2, 3, 48, 64))
			b.make("bias", between(0.5, -30, 64))
		})},
)

var otherBiasUpdates = forExperts(
	request{name: "sign", catch: "the sign reversed", types: wide, build: attributes{"rate": 0.001}.with(loads)},
	request{name: "even", catch: "a step where an expert has just the mean", types: wide,
		build: attributes{"rate": 0.01}.with(func(b *builder) {
			b.make("bias", between(0, -4, 8))
			b.store("load", dtype.I64, []float64{4, 4, 8, 0, 4, 4, 2, 6}, 8)
		})},
	request{name: "center", catch: "the mean of the steps left in", types: wide,
		build: attributes{"rate": 0.001, "center": true}.with(loads)},
)

var otherBalances = forExperts(
	request{name: "expert", catch: "a share of tokens without its factor E/K", types: wide,
		build: attributes{"kind": "expert", "alpha": 0.01}.with(probable)},
	request{name: "expert-whole", catch: "a factor applied twice: it is 1", types: wide,
		build: attributes{"kind": "expert"}.with(probable)},
	request{name: "sequence", catch: "shares of the batch where those of each sequence are declared", types: wide,
		build: attributes{"kind": "sequence", "alpha": 0.003, "sequence_length": 24}.with(probable)},
)

var otherDispatches = forExperts(
	request{name: "plain", catch: "a sort that is not stable", types: wide,
		build: attributes{"experts": 16}.with(func(b *builder) { b.apart(60, 4, 16) })},
	request{name: "dropped", catch: "pairs of dropped tokens counted", types: wide,
		build: attributes{"experts": 8}.with(func(b *builder) {
			b.store("indices", dtype.I64, []float64{3, 1, -1, 3, 7, 0, -1, -1, 0, 3, 1, 7, 3, -1}, 7, 2)
		})},
)

var otherMixtures = forExperts(
	request{name: "plain", catch: "gate and up exchanged, or a weight of another slot",
		build: func(b *builder) { combined(b, dtype.F32) }},
	request{name: "weights", catch: "weights in the type of the layer", types: narrow,
		build: func(b *builder) { combined(b, b.t) }},
	request{name: "limit", catch: "a limit on gate and up left out, or put behind the activation",
		build: attributes{"swiglu_limit": 1.0}.with(func(b *builder) { combined(b, dtype.F32) })},
	request{name: "hidden", catch: "a weight on the output where it goes before the last product",
		build: attributes{"weight_at": "hidden"}.with(func(b *builder) { combined(b, dtype.F32) })},
)

var otherMixtureLayers = forExperts(
	request{name: "v3", catch: "shared experts scaled with the routed ones",
		build: layerV3.with(func(b *builder) { entire(b, dtype.F32, true, 64) })},
	request{name: "v2", catch: "weights divided by their sum",
		build: layerV2.with(func(b *builder) { entire(b, dtype.F32, false, 64) })},
	request{name: "v4", catch: "the limit left out of the shared experts", types: wide,
		build: layerV4.with(func(b *builder) { entire(b, dtype.F32, true, 32) })},
	request{name: "softmax", catch: "a gate in float32 where it is in the type of the layer",
		build: gateMixtral.with(func(b *builder) { entire(b, b.t, false, 0) })},
	request{name: "routed", catch: "a gate in float32 over experts in bf16", types: narrow,
		build: layerV3.with(func(b *builder) { entire(b, dtype.F32, true, 0) })},
)

var (
	byToken         = attributes{"block": []int{1, 128}}
	byTokenInPowers = attributes{"block": []int{1, 128}, "scale": "UE8M0"}
	byBlock         = attributes{"block": []int{128, 128}}
	byBlockInPowers = attributes{"block": []int{128, 128}, "scale": "UE8M0"}
)

// drawn is a cast of numbers around 2^exp2.
func drawn(exp2, m, k int) func(b *builder) { return func(b *builder) { b.cast(exp2, m, k) } }

// peaked adds rows of blocks of 128 whose numbers are below 1 but for the first. These largest
// sizes are two at which a scale that is the reciprocal of (1/amax)·448, each step rounded, is two
// units in the last place off, and one at which that of 448/amax is farthest; 448/256, and its
// neighbours in float32 and in bf16.
func peaked(b *builder) {
	var edits []recording.Edit
	for i, peak := range []float64{
		1.7100393772125244, 1.7421875, 1.6887131929397583, 1.75, 1.7500001192092896, 1.7499998807907104, 1.7578125,
		1.0078125,
	} {
		edits = append(edits, edit(peak, i/2, 128*(i%2)))
	}
	b.make("x", planted(recipe{Type: b.t, Shape: []int{len(edits) / 2, 256}, Dist: "uniform"}, edits...))
}

var otherCasts = forExperts(
	request{name: "tokens", catch: "one scale for a row", build: byToken.with(drawn(3, 16, 384))},
	request{name: "tokens-ue8m0", catch: "scales of powers of two rounded to nearest",
		build: byTokenInPowers.with(drawn(3, 16, 384))},
	request{name: "tokens-ragged", catch: "a block that ends before 128", build: byToken.with(drawn(-2, 7, 200))},
	request{name: "tokens-small", catch: "the floor of a block's largest size left out",
		build: byToken.with(drawn(-16, 8, 256))},
	request{name: "tokens-edges", catch: "scales from reciprocals, which are off by two units in the last place",
		build: byToken.with(peaked)},
	request{name: "tokens-edges-ue8m0", catch: "largest sizes beside 448 times a power of two",
		build: byTokenInPowers.with(peaked)},
	request{name: "blocks", catch: "scales of tokens where those of blocks are declared",
		build: byBlock.with(drawn(-4, 128, 256))},
	request{name: "blocks-ue8m0", catch: "the same with powers of two",
		build: byBlockInPowers.with(drawn(-4, 128, 256))},
	request{name: "blocks-ragged", catch: "blocks that end before 128", build: byBlock.with(drawn(-4, 150, 200))},
)

// multiplied adds codes and their scales; shape is that of b.
func multiplied(M int, shape ...int) func(b *builder) {
	axes := len(shape)
	scaled := append(append([]int{}, shape[:axes-2]...), blocks(shape[axes-2]), blocks(shape[axes-1]))
	return func(b *builder) {
		b.make("a", b.bell(5, M, shape[axes-1]))
		b.make("b", b.bell(5, shape...))
		b.make("a_scale", between(0.03125, -6, M, blocks(shape[axes-1])))
		b.make("b_scale", between(0.03125, -6, scaled...))
	}
}

var otherProducts = forExperts(
	request{name: "one-block", catch: "scales of the other operand", types: eight, build: multiplied(32, 200, 128)},
	request{name: "blocks", catch: "one scale for a row", types: eight, build: multiplied(24, 160, 512)},
	request{name: "ragged", catch: "a block of K that ends before 128", types: eight, build: multiplied(9, 130, 200)},
)

var otherGroupedProducts = forExperts(
	request{name: "plain", catch: "rows of a neighbour: the second expert has none", types: eight,
		build: func(b *builder) {
			multiplied(16, 4, 96, 256)(b)
			b.store("counts", dtype.I64, []float64{3, 0, 5, 8}, 4)
		}},
)
