package main

import "plumbline/numbers/dtype"

// mixture is the geometry of an expert layer: tokens, widths, experts and those of a token.
type mixture struct {
	N, d, F, E, K, shared int // shared: width of the shared experts, 0 for none
}

// networks adds the weights of all experts, whose outputs are around 1.
func (b *builder) networks(m mixture) {
	matrix := func(name string, in int, shape ...int) { b.make(name, b.bell(-halfLog2(in), shape...)) }
	matrix("w_gate", m.d, m.E, m.F, m.d)
	matrix("w_up", m.d, m.E, m.F, m.d)
	matrix("w_down", m.F, m.E, m.d, m.F)
	if m.shared > 0 {
		matrix("shared_gate", m.d, m.shared, m.d)
		matrix("shared_up", m.d, m.shared, m.d)
		matrix("shared_down", m.shared, m.d, m.shared)
	}
}

// weighed adds positive weights of all pairs, none like another.
func (b *builder) weighed(t dtype.Type, m mixture) {
	b.make("weights", as(t, between(0.375, -2, m.N, m.K)))
}

// routed adds all inputs of experts; every below-th pair has the id −1 (0: none).
func (b *builder) routed(m mixture, below int) {
	b.make("x", b.bell(0, m.N, m.d))
	b.networks(m)
	b.chosen(dtype.I32, m.N, m.E, m.K, below)
	b.weighed(dtype.F32, m)
}

var mixtures = []request{
	{name: "plain", catch: "gate and up exchanged", build: func(b *builder) {
		b.routed(mixture{N: 20, d: 64, F: 64, E: 4, K: 2}, 0)
	}},
	{name: "shared", catch: "shared experts left out, or scaled by a weight", build: func(b *builder) {
		b.routed(mixture{N: 20, d: 64, F: 48, E: 4, K: 2, shared: 96}, 0)
	}},
	{name: "ragged", catch: "widths that no tile divides", build: func(b *builder) {
		b.routed(mixture{N: 13, d: 72, F: 88, E: 3, K: 2, shared: 40}, 0)
	}},
	{name: "deep", catch: "a tile overwritten before all have read it: widths of several tiles",
		build: func(b *builder) {
			b.routed(mixture{N: 9, d: 328, F: 264, E: 2, K: 2}, 0)
		}},
	{name: "odd", types: []dtype.Type{dtype.F32}, catch: "widths that nothing divides", build: func(b *builder) {
		b.routed(mixture{N: 9, d: 37, F: 29, E: 3, K: 2, shared: 11}, 0)
	}},
	{name: "empty-experts", catch: "experts without tokens between those that have some", build: func(b *builder) {
		b.routed(mixture{N: 3, d: 32, F: 32, E: 24, K: 2}, 0)
	}},
	{name: "below-zero", catch: "pairs of nobody, which have no row", build: func(b *builder) {
		b.routed(mixture{N: 18, d: 32, F: 40, E: 4, K: 3, shared: 32}, 4)
	}},
	{name: "crowded", catch: "more rows of an expert than a tile has", build: func(b *builder) {
		m := mixture{N: 75, d: 32, F: 32, E: 3, K: 2}
		b.make("x", b.bell(0, m.N, m.d))
		b.networks(m)
		ids := make([]float64, m.N*m.K)
		for i := range ids {
			ids[i] = float64(i%2 + (i/64)%2)
		}
		b.store("indices", dtype.I64, ids, m.N, m.K)
		b.weighed(dtype.F32, m)
	}},
	{name: "one-token", catch: "one token and one expert", build: func(b *builder) {
		b.routed(mixture{N: 1, d: 64, F: 64, E: 2, K: 1}, 0)
	}},
	{name: "many-slots", catch: "sums of experts in another order than the slots'", build: func(b *builder) {
		b.routed(mixture{N: 10, d: 64, F: 32, E: 16, K: 8, shared: 32}, 0)
	}},
	{name: "limit", catch: "a limit of the activation ignored, or put on both sides of the gate",
		build: func(b *builder) {
			b.set("swiglu_limit", 1.5)
			b.routed(mixture{N: 16, d: 64, F: 64, E: 4, K: 2, shared: 64}, 0)
		}},
	{name: "hidden", catch: "weights at the output where they are before W2", build: func(b *builder) {
		b.set("weight_at", "hidden")
		b.routed(mixture{N: 16, d: 64, F: 64, E: 4, K: 2, shared: 64}, 0)
	}},
	{name: "weights-bf16", catch: "weights of 16 bits read as float32", build: func(b *builder) {
		m := mixture{N: 12, d: 32, F: 32, E: 4, K: 4}
		b.make("x", b.bell(0, m.N, m.d))
		b.networks(m)
		b.chosen(dtype.I32, m.N, m.E, m.K, 0)
		b.weighed(dtype.BF16, m)
	}},
	{name: "v3-widths", full: true, types: []dtype.Type{dtype.BF16},
		catch: "two of DeepSeek-V3's experts, 7168 × 2048", build: func(b *builder) {
			b.routed(mixture{N: 16, d: 7168, F: 2048, E: 2, K: 2}, 0)
		}},
	{name: "v3-experts", full: true, types: []dtype.Type{dtype.BF16},
		catch: "256 experts, 8 of a token, a sixteenth of DeepSeek-V3's widths", build: func(b *builder) {
			b.routed(mixture{N: 64, d: 448, F: 128, E: 256, K: 8, shared: 128}, 0)
		}},
	{name: "v3-all", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "all of DeepSeek-V3's experts, 23 GB: indices of 32 bits", build: func(b *builder) {
			b.routed(allOfV3, 0)
		}},
}

// allOfV3 are DeepSeek-V3's experts at their own widths.
var allOfV3 = mixture{N: 64, d: 7168, F: 2048, E: 256, K: 8, shared: 2048}

// routedHere adds all inputs of a layer.
func (b *builder) routedHere(m mixture, bias float32) {
	b.centroids(m.N, m.d, m.E)
	b.bias(bias, -3, m.E)
	b.networks(m)
}

var mixtureLayers = []request{
	{name: "v3", catch: "the scale left out of the weights, or there twice", build: func(b *builder) {
		m := mixture{N: 20, d: 64, F: 32, E: 32, K: 4, shared: 32}
		b.gate(gated{K: m.K, groups: 8, kept: 4, scale: 2.5})
		b.routedHere(m, -1.2)
	}},
	{name: "softmax", catch: "weights divided by their sum where they are probabilities", build: func(b *builder) {
		m := mixture{N: 16, d: 96, F: 48, E: 16, K: 3, shared: 64}
		b.gate(gated{K: m.K, groups: 4, kept: 2, score: "softmax", groupScore: "max", scale: 4, unnormalized: true})
		b.centroids(m.N, m.d, m.E)
		b.networks(m)
	}},
	{name: "bias", catch: "a bias that leaks into the weights", build: func(b *builder) {
		m := mixture{N: 24, d: 64, F: 40, E: 16, K: 4}
		b.gate(gated{K: m.K, scale: 1.5})
		b.routedHere(m, 2.5)
	}},
	{name: "limit", catch: "a limit of the activation", build: func(b *builder) {
		m := mixture{N: 12, d: 64, F: 64, E: 8, K: 2, shared: 64}
		b.gate(gated{K: m.K, score: "sqrt_softplus", scale: 1.5})
		b.set("swiglu_limit", 1.5)
		b.routedHere(m, 0)
	}},
	{name: "v3-experts", full: true, types: []dtype.Type{dtype.BF16},
		catch: "DeepSeek-V3's gate and 256 experts, a sixteenth of their widths", build: func(b *builder) {
			b.gate(deepSeekV3)
			b.routedHere(mixture{N: 64, d: 448, F: 128, E: 256, K: 8, shared: 128}, -1.2)
		}},
	{name: "v3-all", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "a layer of DeepSeek-V3, 23 GB: indices of 32 bits", build: func(b *builder) {
			b.gate(deepSeekV3)
			b.routedHere(allOfV3, -1.2)
		}},
}
