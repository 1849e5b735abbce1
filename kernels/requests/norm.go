package main

import (
	"math"

	"plumbline/numbers/dtype"
)

// normed adds x [n, d] scaled by 2^exp2 and a weight around 1.
func (b *builder) normed(n, d, exp2 int) {
	b.make("x", b.bell(exp2, n, d))
	b.make("weight", around(1, b.bell(-2, d)))
}

var norms = []request{
	{name: "plain", catch: "a weight left out, or 1 added to it", build: func(b *builder) { b.normed(24, 256, 0) }},
	{name: "one-column", catch: "a row of one column, whose output is its sign times the weight",
		build: func(b *builder) {
			b.normed(9, 1, 0)
		}},
	{name: "odd", catch: "a width that no vector divides, rows that are not aligned", build: func(b *builder) {
		b.normed(13, 1001, 0)
	}},
	{name: "seven", catch: "rows shorter than a warp", build: func(b *builder) { b.normed(5, 7, 0) }},
	{name: "small", catch: "ε outside the root, or another ε: the rows are so small that it decides",
		build: func(b *builder) {
			b.normed(16, 512, -11)
		}},
	{name: "epsilon", catch: "ε left at a default where 1e-5 is declared", build: func(b *builder) {
		b.set("eps", 1e-5)
		b.normed(16, 512, -8)
	}},
	{name: "large", catch: "squares summed in half precision, which overflow", build: func(b *builder) {
		b.normed(8, 512, 40)
	}},
	{name: "mean", catch: "the mean subtracted, as layer norm does", build: func(b *builder) {
		b.make("x", around(3, b.bell(0, 16, 256)))
		b.make("weight", around(1, b.bell(-2, 256)))
	}},
	{name: "zero-row", catch: "a row of zeros divided by 0, and a row whose squares underflow",
		build: func(b *builder) {
			b.make("x", planted(b.bell(0, 4, 256), edit(0, 1), edit(math.Ldexp(1, -80), 2)))
			b.make("weight", around(1, b.bell(-2, 256)))
		}},
	{name: "outlier", catch: "a sum of squares in 16 bits, which loses all but the outlier of a row",
		build: func(b *builder) {
			b.make("x", planted(b.bell(0, 8, 1024), edit(64, 3, 700), edit(-1024, 5, 1)))
			b.make("weight", around(1, b.bell(-2, 1024)))
		}},
	{name: "one-row", catch: "a grid of one block", build: func(b *builder) { b.normed(1, 2048, 0) }},
	{name: "weight-f32", types: []dtype.Type{dtype.BF16}, catch: "a float32 weight read as bf16",
		build: func(b *builder) {
			b.make("x", b.bell(0, 16, 512))
			weight := around(1, b.bell(-2, 512))
			weight.Type = dtype.F32
			b.make("weight", weight)
		}},
	{name: "v3-hidden", full: true, catch: "DeepSeek-V3's hidden states, 7168 columns", build: func(b *builder) {
		b.normed(32, 7168, 0)
	}},
	{name: "v3-query-latent", full: true, catch: "DeepSeek-V3's query latent, 1536 columns", build: func(b *builder) {
		b.normed(64, 1536, 0)
	}},
	{name: "v3-latent", full: true, catch: "DeepSeek-V3's latent, 512 columns", build: func(b *builder) {
		b.normed(64, 512, 0)
	}},
	{name: "v3-many", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "enough rows of 7168 columns to measure bandwidth", build: func(b *builder) {
			b.normed(8192, 7168, 0)
		}},
}
