package main

import "plumbline/verify/recording"

// layer is the geometry of an MLA layer.
type layer struct {
	B, S, d, H, nope, rope, value, latent, query int // query 0: queries are not compressed
}

// weights adds x and the weights, whose products with numbers around 1 are around 1.
func (b *builder) weights(l layer) {
	b.make("x", b.bell(0, l.B, l.S, l.d))
	matrix := func(name string, out, in int) { b.make(name, b.bell(-halfLog2(in), out, in)) }
	gain := func(name string, n int) { b.make(name, around(1, b.bell(-3, n))) }
	if l.query > 0 {
		matrix("w_dq", l.query, l.d)
		gain("norm_q", l.query)
		matrix("w_uq", l.H*(l.nope+l.rope), l.query)
	} else {
		matrix("w_q", l.H*(l.nope+l.rope), l.d)
	}
	matrix("w_dkv", l.latent+l.rope, l.d)
	gain("norm_kv", l.latent)
	matrix("w_ukv", l.H*(l.nope+l.value), l.latent)
	matrix("w_o", l.d, l.H*l.value)
	for name, n := range map[string]int{"heads": l.H, "nope_dim": l.nope, "rope_dim": l.rope, "value_dim": l.value} {
		b.set(name, n)
	}
}

// halfLog2 is log₂√n, rounded down.
func halfLog2(n int) int {
	half := 0
	for n >= 4 {
		n, half = n/4, half+1
	}
	return half
}

var tiny = layer{B: 2, S: 12, d: 64, H: 4, nope: 32, rope: 16, value: 32, latent: 48, query: 48}

var layers = []request{
	{name: "compressed", folder: others, catch: "a norm of a latent left out, or put on the rope key too",
		build: func(b *builder) {
			b.weights(tiny)
		}},
	{name: "plain-queries", folder: others, catch: "a norm of queries that are not compressed",
		build: func(b *builder) {
			l := tiny
			l.query = 0
			b.weights(l)
		}},
	{name: "yarn", folder: others, catch: "YaRN's temperature left out of the softmax scale", build: func(b *builder) {
		b.set("yarn", yarn(nil))
		b.weights(tiny)
	}},
	{name: "yarn-lite", folder: others, catch: "the temperature of mscale 0.707, DeepSeek-V2-Lite's",
		build: func(b *builder) {
			b.set(
				"yarn", yarn(map[string]any{
					"mscale": recording.Number(0.707), "mscale_all_dim": recording.Number(0.707),
				}),
			)
			l := tiny
			l.query = 0
			b.weights(l)
		}},
	{name: "half", folder: others, catch: "the layout of pairs mistaken between checkpoint and code",
		build: func(b *builder) {
			b.set("layout", "half")
			b.weights(tiny)
		}},
	{name: "one-token", folder: others, catch: "one token, which sees itself alone", build: func(b *builder) {
		l := tiny
		l.B, l.S = 1, 1
		b.weights(l)
	}},
	{name: "v3", full: true, folder: others, catch: "DeepSeek-V3's widths, 16 of its 128 heads",
		build: func(b *builder) {
			b.set("yarn", yarn(nil))
			b.weights(layer{B: 1, S: 32, d: 7168, H: 16, nope: 128, rope: 64, value: 128, latent: 512, query: 1536})
		}},
}
