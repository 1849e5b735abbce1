package main

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var onlyF32 = []dtype.Type{dtype.F32}

var ropeTables = []request{
	{name: "plain", types: onlyF32, catch: "angles formed in 16 bits, off by whole radians at position 16000",
		build: func(b *builder) {
			b.set("dim", 64)
			b.positions(dtype.I64, 48, 0, 16000)
		}},
	{name: "first", types: onlyF32, catch: "positions counted from 1: position 0 has cosine 1 and sine 0 exactly",
		build: func(b *builder) {
			b.set("dim", 64)
			b.make("positions", recording.Recipe{Type: dtype.I32, Shape: []int{24}, Dist: "permutation"})
		}},
	{name: "yarn", types: onlyF32,
		catch: "YaRN's corrected range taken from the extended context, its ends not rounded, or its betas swapped",
		build: func(b *builder) {
			b.set("dim", 64)
			b.set("yarn", yarn(nil))
			b.positions(dtype.I32, 48, 0, 163840)
		}},
	{name: "yarn-amplitude", types: onlyF32,
		catch: "YaRN's amplitude left out, squared, or taken where mscale_all_dim cancels it", build: func(b *builder) {
			b.set("dim", 64)
			b.set("yarn", yarn(map[string]any{"mscale_all_dim": recording.Number(0)}))
			b.positions(dtype.I64, 48, 0, 8192)
		}},
	{name: "one-pair", types: onlyF32, catch: "a division by dim/2 − 1, which is 0 here", build: func(b *builder) {
		b.set("dim", 2)
		b.positions(dtype.I64, 33, 0, 1000)
	}},
	{name: "base", types: onlyF32, catch: "base 10000 where another is declared", build: func(b *builder) {
		b.set("dim", 128)
		b.set("base", 1000000)
		b.positions(dtype.I64, 32, 0, 131072)
	}},
}

// rotated adds x [n, heads, width] and positions up to reach.
func (b *builder) rotated(n, heads, width int, reach int64) {
	b.make("x", b.bell(0, n, heads, width))
	b.positions(dtype.I64, n, 0, reach)
}

var ropeApplications = []request{
	{name: "interleaved", catch: "halves rotated where pairs (2i, 2i+1) are declared; the sine's sign",
		build: func(b *builder) {
			b.rotated(40, 4, 64, 4096)
		}},
	{name: "half", catch: "pairs (2i, 2i+1) rotated where halves are declared", build: func(b *builder) {
		b.set("layout", "half")
		b.rotated(40, 4, 64, 4096)
	}},
	{name: "interleaved-to-half", catch: "the permutation between the two layouts left out, or made twice",
		build: func(b *builder) {
			b.set("layout", "interleaved_to_half")
			b.rotated(24, 3, 32, 4096)
		}},
	{name: "inverse", catch: "forward where the inverse is declared", build: func(b *builder) {
		b.set("inverse", true)
		b.rotated(24, 4, 64, 4096)
	}},
	{name: "inverse-half", catch: "an inverse that turns pairs back where halves were turned", build: func(b *builder) {
		b.set("inverse", true)
		b.set("layout", "half")
		b.rotated(24, 2, 64, 4096)
	}},
	{name: "first", catch: "positions off by one: position 0 leaves its row unchanged, bit for bit",
		build: func(b *builder) {
			b.make("x", b.bell(0, 40, 2, 64))
			b.make("positions", recording.Recipe{Type: dtype.I32, Shape: []int{40}, Dist: "permutation"})
		}},
	{name: "far", catch: "positions or angles in 16 bits", build: func(b *builder) {
		b.set("layout", "half")
		b.rotated(40, 2, 64, 131072)
	}},
	{name: "yarn", catch: "YaRN left out or mixed up, beyond the original context too", build: func(b *builder) {
		b.set("yarn", yarn(nil))
		b.rotated(40, 4, 64, 163840)
	}},
	{name: "yarn-amplitude", catch: "YaRN's amplitude, which no DeepSeek model shows, as its two mscales cancel",
		build: func(b *builder) {
			b.set("yarn", yarn(map[string]any{"mscale": recording.Number(0.707)}))
			b.set("layout", "half")
			b.rotated(24, 2, 64, 4096)
		}},
	{name: "yarn-rotations", catch: "the ramp over dimension indices where the paper's, over rotations, is declared",
		build: func(b *builder) {
			b.set(
				"yarn",
				yarn(map[string]any{
					"factor": recording.Number(4), "original_context": recording.Number(2048), "ramp": "rotations",
				}),
			)
			b.rotated(24, 2, 64, 8192)
		}},
	{name: "one-pair", catch: "a width of 2: vectors of four or eight columns read beyond the row",
		build: func(b *builder) {
			b.rotated(33, 1, 2, 1000)
		}},
	{name: "odd", catch: "tokens, heads and pairs that divide by nothing: 37, 3 and 17", build: func(b *builder) {
		b.set("layout", "half")
		b.rotated(37, 3, 34, 1000)
	}},
	{name: "one-token", catch: "a grid of one block", build: func(b *builder) {
		b.make("x", b.bell(0, 1, 5, 64))
		b.positions(dtype.I32, 1, 777, 778)
	}},
	{name: "base", catch: "base 10000 where 500000 is declared", build: func(b *builder) {
		b.set("base", 500000)
		b.set("layout", "half")
		b.rotated(24, 2, 128, 8192)
	}},
	{name: "v3-queries", full: true, catch: "DeepSeek-V3's 128 rotary query heads, with YaRN, at its width of 64",
		build: func(b *builder) {
			b.set("yarn", yarn(nil))
			b.rotated(32, 128, 64, 4096)
		}},
	{name: "v3-keys", full: true, catch: "DeepSeek-V3's one rotary key head, 4096 tokens in a row",
		build: func(b *builder) {
			b.set("yarn", yarn(nil))
			b.make("x", b.bell(0, 4096, 1, 64))
			b.make("positions", recording.Recipe{Type: dtype.I64, Shape: []int{4096}, Dist: "permutation"})
		}},
	{name: "interleaved", types: []dtype.Type{dtype.F16}, folder: others, catch: "pairs in half precision",
		build: func(b *builder) {
			b.rotated(24, 4, 64, 4096)
		}},
}
