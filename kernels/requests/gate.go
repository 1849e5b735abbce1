package main

import (
	"plumbline/numbers/dtype"
)

// gated sets how experts are chosen; what is 0 or empty keeps its default.
type gated struct {
	K, groups, kept   int
	score, groupScore string
	scale, eps        float64
	unnormalized      bool
}

// deepSeekV3 and deepSeekV2 are the gates of those models.
var (
	deepSeekV3 = gated{K: 8, groups: 8, kept: 4, scale: 2.5}
	deepSeekV2 = gated{K: 6, groups: 8, kept: 3, score: "softmax", groupScore: "max", scale: 16, unnormalized: true}
)

func (b *builder) gate(g gated) {
	b.set("top_k", g.K)
	for name, n := range map[string]int{"groups": g.groups, "top_groups": g.kept} {
		if n != 0 {
			b.set(name, n)
		}
	}
	for name, word := range map[string]string{"score": g.score, "group_score": g.groupScore} {
		if word != "" {
			b.set(name, word)
		}
	}
	for name, x := range map[string]float64{"scale": g.scale, "norm_eps": g.eps} {
		if x != 0 {
			b.set(name, x)
		}
	}
	if g.unnormalized {
		b.set("normalize", false)
	}
}

// bias adds a bias of E experts around a level.
func (b *builder) bias(level float32, exp2, e int) {
	b.make("bias", as(dtype.F32, shifted(level, b.bell(exp2, e))))
}

// outputs asks for an output in a type that its inputs do not say.
func (b *builder) outputs(name string, t dtype.Type) {
	b.Provenance["outputs"] = map[string]any{name: t.String()}
}

// centroids adds tokens and the centroids of experts, whose products are around 1.
func (b *builder) centroids(n, d, e int) {
	b.make("x", b.bell(0, n, d))
	b.make("weight", b.bell(-halfLog2(d), e, d))
}

var gates = []request{
	{name: "v3", catch: "DeepSeek-V3's gate with a bias around 2.5: weights made of what experts are ranked by",
		build: func(b *builder) {
			b.gate(deepSeekV3)
			b.make("logits", b.bell(0, 24, 256))
			b.bias(2.5, -3, 256)
		}},
	{name: "v3-negative-bias", catch: "groups left out count as 0, which beats scores with a bias around −1.2",
		build: func(b *builder) {
			b.gate(deepSeekV3)
			b.make("logits", b.bell(0, 24, 256))
			b.bias(-1.2, -3, 256)
		}},
	{name: "v3-bias", catch: "a bias of both signs; groups scored by their best alone", build: func(b *builder) {
		b.gate(deepSeekV3)
		b.make("logits", b.bell(0, 24, 256))
		b.bias(0, -2, 256)
	}},
	{name: "v2", catch: "DeepSeek-V2's gate: weights divided by their sum, a softmax over the groups kept alone",
		build: func(b *builder) {
			b.gate(deepSeekV2)
			b.make("logits", b.bell(0, 24, 160))
		}},
	{name: "plain", catch: "the scale left out", build: func(b *builder) {
		b.gate(gated{K: 6, scale: 1.5})
		b.make("logits", b.bell(0, 20, 64))
	}},
	{name: "softmax", catch: "a softmax of the chosen experts alone where it is over all", build: func(b *builder) {
		b.gate(gated{K: 4, score: "softmax", unnormalized: true})
		b.make("logits", b.bell(1, 20, 64))
	}},
	{name: "softmax-bias", catch: "probabilities ranked without their bias", build: func(b *builder) {
		b.gate(gated{K: 4, score: "softmax"})
		b.make("logits", b.bell(0, 20, 64))
		b.bias(0, -6, 64)
	}},
	{name: "softplus", catch: "√softplus without its root, or by a logarithm that loses small ones",
		build: func(b *builder) {
			b.gate(gated{K: 6, score: "sqrt_softplus", scale: 1.5})
			b.make("logits", b.bell(3, 20, 96))
			b.bias(0, -1, 96)
		}},
	{name: "share", catch: "two best of a group where four make its score", build: func(b *builder) {
		b.gate(gated{K: 8, groups: 8, kept: 2, groupScore: "share"})
		b.make("logits", b.bell(0, 20, 64))
		b.bias(0, -2, 64)
	}},
	{name: "many-groups", catch: "more groups than a warp has lanes", build: func(b *builder) {
		b.gate(gated{K: 6, groups: 80, kept: 5})
		b.make("logits", b.bell(0, 16, 240))
		b.bias(-1.2, -3, 240)
	}},
	{name: "ties", catch: "ties that go to the higher index", build: func(b *builder) {
		b.gate(gated{K: 5, groups: 4, kept: 2})
		b.make("logits", planted(ids(b.t, -2, 3, 20, 32), edit(0, 3), edit(-1, 11), edit(2, 17, 31)))
	}},
	{name: "near-ties", types: []dtype.Type{dtype.F32}, catch: "logits rounded to BF16, which makes ties of all",
		build: func(b *builder) {
			b.gate(gated{K: 4})
			b.make("logits", around(1, b.bell(-18, 24, 64)))
		}},
	{name: "high", catch: "exponentials that overflow: logits to ±90", build: func(b *builder) {
		b.gate(gated{K: 4, score: "softmax"})
		b.make("logits", planted(b.bell(4, 16, 48), edit(90, 2, 40), edit(-90, 3), edit(90, 4)))
	}},
	{name: "eps", catch: "ε left out of the sum of weights that are no larger", build: func(b *builder) {
		b.gate(gated{K: 3, eps: 1e-3})
		b.make("logits", around(-7, b.bell(-1, 16, 24)))
	}},
	{name: "odd", catch: "experts that no warp divides, and as many chosen as there are", build: func(b *builder) {
		b.gate(gated{K: 33})
		b.make("logits", b.bell(0, 7, 33))
	}},
	{name: "one", catch: "one expert of a token, whose weight is 1; groups of one expert", build: func(b *builder) {
		b.gate(gated{K: 1, groups: 2, kept: 1, groupScore: "max"})
		b.make("logits", b.bell(0, 5, 2))
	}},
	{name: "wide", catch: "indices of 64 bits", build: func(b *builder) {
		b.gate(gated{K: 6, groups: 4, kept: 2})
		b.outputs("indices", dtype.I64)
		b.make("logits", b.bell(0, 12, 48))
		b.bias(-1.2, -1, 48)
	}},
	{name: "tokens", catch: "logits kept in BF16 between product and scores", build: func(b *builder) {
		b.gate(gated{K: 6, groups: 4, kept: 2, scale: 2.5})
		b.centroids(12, 200, 64)
		b.bias(-1.2, -3, 64)
	}},
	{name: "tokens-mixed", types: []dtype.Type{dtype.BF16}, catch: "float32 centroids rounded to the tokens' type",
		build: func(b *builder) {
			b.gate(gated{K: 4})
			b.make("x", b.bell(0, 12, 257))
			b.make("weight", as(dtype.F32, b.bell(-4, 32, 257)))
		}},
	{name: "v3-tokens", full: true, catch: "DeepSeek-V3's gate from 7168 columns", build: func(b *builder) {
		b.gate(deepSeekV3)
		b.centroids(32, 7168, 256)
		b.bias(-1.2, -3, 256)
	}},
	{name: "v3-many", full: true, types: []dtype.Type{dtype.F32}, folder: large,
		catch: "enough tokens of 256 experts to measure", build: func(b *builder) {
			b.gate(deepSeekV3)
			b.make("logits", b.bell(0, 16384, 256))
			b.bias(2.5, -3, 256)
		}},
}

// scored adds positive scores [n, e] and k experts for each token, of which every below-th id is
// −1.
func (b *builder) scored(n, e, k, below int) {
	b.make("scores", as(b.t, between(0.5, -2, n, e)))
	b.chosen(dtype.I32, n, e, k, below)
}

// chosen stores different experts for each token, some of them more often than others, of which
// every below-th id is −1 (0: none).
func (b *builder) chosen(t dtype.Type, n, e, k, below int) {
	ids := make([]float64, n*k)
	for i := range n {
		for j := range k {
			ids[i*k+j] = float64((i*i%e + j*(1+i%3)) % e)
			if below != 0 && (i*k+j)%below == 0 {
				ids[i*k+j] = -1
			}
		}
	}
	b.store("indices", t, ids, n, k)
}

// devices stores the device of each expert, neighbours together.
func (b *builder) devices(e, d int) {
	ids := make([]float64, e)
	for i := range e {
		ids[i] = float64(i * d / e)
	}
	b.store("groups", dtype.I32, ids, e)
}

var balances = []request{
	{name: "expert", catch: "frequencies that are not divided by the experts of a token", build: func(b *builder) {
		b.set("alpha", 0.01)
		b.scored(48, 16, 3, 0)
	}},
	{name: "below-zero", catch: "ids below 0, which are nobody's", build: func(b *builder) { b.scored(40, 12, 4, 5) }},
	{name: "device", catch: "frequencies of a device added where their mean is taken", build: func(b *builder) {
		b.set("kind", "device")
		b.scored(48, 24, 4, 0)
		b.devices(24, 4)
	}},
	{name: "communication", catch: "a token counted for every expert that it has on a device", build: func(b *builder) {
		b.set("kind", "communication")
		b.set("top_groups", 3)
		b.scored(48, 24, 6, 0)
		b.devices(24, 6)
	}},
	{name: "communication-uneven", catch: "devices of different numbers of experts, and all of them for a token",
		build: func(b *builder) {
			b.set("kind", "communication")
			b.scored(31, 10, 3, 7)
			b.devices(10, 4)
		}},
	{name: "sequence", catch: "the loss of the batch where that of each sequence is meant", build: func(b *builder) {
		b.set("kind", "sequence")
		b.set("sequence_length", 16)
		b.set("alpha", 1e-4)
		b.set("normalize_scores", true)
		b.scored(64, 16, 4, 0)
	}},
	{name: "normalized", catch: "scores whose sums are not 1", build: func(b *builder) {
		b.set("normalize_scores", true)
		b.scored(33, 40, 4, 0)
	}},
	{name: "v3", full: true, catch: "DeepSeek-V3's loss of sequences: 256 experts, 8 of a token",
		build: func(b *builder) {
			b.set("kind", "sequence")
			b.set("sequence_length", 512)
			b.set("alpha", 1e-4)
			b.set("normalize_scores", true)
			b.scored(1024, 256, 8, 0)
		}},
}

// loaded adds a bias around 0 and the load of each expert: at the mean, and from a third of them on
// in pairs above and below.
func (b *builder) loaded(n int) {
	b.bias(0, -2, n)
	load := make([]float64, n)
	for i := range load {
		load[i] = 100
	}
	for i := n / 3; i+1 < n; i += 2 {
		load[i] += float64(i%7 + 1)
		load[i+1] -= float64(i%7 + 1)
	}
	b.store("load", dtype.I64, load, n)
}

var biasUpdates = []request{
	{name: "sign", types: []dtype.Type{dtype.F32}, catch: "the sign reversed; an expert at the mean that moves",
		build: func(b *builder) { b.loaded(30) }},
	{name: "proportional", types: []dtype.Type{dtype.F32}, catch: "differences relative to the mean",
		build: func(b *builder) {
			b.set("rule", "proportional")
			b.loaded(31)
		}},
	{name: "center", types: []dtype.Type{dtype.F32}, catch: "the steps' mean left in", build: func(b *builder) {
		b.set("center", true)
		b.bias(0, -2, 5)
		b.store("load", dtype.I64, []float64{9, 1, 1, 1, 3}, 5)
	}},
	{name: "one", types: []dtype.Type{dtype.F32}, catch: "one expert, which is at the mean", build: func(b *builder) {
		b.loaded(1)
	}},
	{name: "v3", types: []dtype.Type{dtype.F32}, full: true, catch: "256 experts", build: func(b *builder) {
		b.bias(0, -2, 256)
		b.make("load", ids(dtype.I32, 0, 4096, 256))
	}},
}

// integers are the types of requests that are of whole numbers alone.
var integers = []dtype.Type{dtype.I32, dtype.I64}

// sorted adds k experts of n tokens to be sorted; orders and counts are asked for in their type.
func (b *builder) sorted(n, e, k, below int) {
	b.set("experts", e)
	b.outputs("order", b.t)
	b.chosen(b.t, n, e, k, below)
}

var dispatches = []request{
	{name: "plain", types: integers, catch: "pairs of an expert out of order", build: func(b *builder) {
		b.sorted(50, 8, 3, 0)
	}},
	{name: "below-zero", types: integers, catch: "ids below 0 that are counted, or leave holes",
		build: func(b *builder) {
			b.sorted(70, 9, 4, 3)
		}},
	{name: "empty-experts", types: integers, catch: "experts without rows", build: func(b *builder) {
		b.sorted(5, 100, 2, 0)
	}},
	{name: "one-expert", types: integers, catch: "all rows of one expert", build: func(b *builder) {
		b.set("experts", 3)
		b.outputs("order", b.t)
		b.make("indices", ids(b.t, 1, 2, 300, 1))
	}},
	{name: "one-pair", types: integers, catch: "one pair", build: func(b *builder) { b.sorted(1, 4, 1, 0) }},
	{name: "nobody", types: integers, catch: "no pair that counts but one", build: func(b *builder) {
		b.set("experts", 4)
		b.outputs("order", b.t)
		b.make("indices", planted(ids(b.t, -1, 0, 40, 2), edit(3, 20, 1)))
	}},
	{name: "v3", types: integers, full: true, catch: "DeepSeek-V3's experts of 4096 tokens", build: func(b *builder) {
		b.set("experts", 256)
		b.outputs("order", b.t)
		b.make("indices", ids(b.t, 0, 256, 4096, 8))
	}},
}
