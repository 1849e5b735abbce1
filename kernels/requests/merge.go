package main

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// parts adds outputs [p, n, v] of p parts and their log-sum-exps, spread by 2^exp2 around a number;
// the parts named are without keys, their outputs NaN.
func (b *builder) parts(p, n, v, exp2 int, level float32, empty ...[]int) {
	o, lse := b.bell(0, p, n, v), around(level, b.bell(exp2, p, n))
	lse.Type = dtype.F32
	for _, at := range empty {
		o = planted(o, edit(poison, at...))
		lse = planted(lse, recording.Edit{Index: at, Value: math.Inf(-1)})
	}
	b.make("o", o)
	b.make("lse", lse)
}

var merges = []request{
	{name: "plain", catch: "outputs averaged without their weights", build: func(b *builder) {
		b.parts(3, 24, 64, 1, 4)
	}},
	{name: "empty-parts", catch: "parts without keys: their outputs are NaN and must not count",
		build: func(b *builder) {
			b.parts(4, 24, 64, 1, 4, []int{0, 0}, []int{1, 7}, []int{3, 7}, []int{2, 19})
		}},
	{name: "empty-row", catch: "a row without any key: (−∞) − (−∞)", build: func(b *builder) {
		b.parts(2, 9, 32, 0, 2, []int{0, 4}, []int{1, 4})
	}},
	{name: "base-2", catch: "log-sum-exps to base 2 merged as natural ones", build: func(b *builder) {
		b.set("lse_base", "2")
		b.parts(3, 16, 96, 1, 5)
	}},
	{name: "one-part", catch: "a merge of one part, which is a copy", build: func(b *builder) {
		b.parts(1, 12, 64, 1, 3)
	}},
	{name: "far-apart", catch: "weights that underflow: log-sum-exps up to 200 apart", build: func(b *builder) {
		b.parts(5, 20, 64, 5, 0)
	}},
	{name: "high", catch: "exponentials without the maximum subtracted: log-sum-exps around 200",
		build: func(b *builder) {
			b.parts(4, 20, 64, 1, 200)
		}},
	{name: "low", catch: "a maximum that starts at 0: log-sum-exps around −200", build: func(b *builder) {
		b.parts(4, 20, 64, 1, -200)
	}},
	{name: "odd", catch: "widths and rows that divide by nothing", build: func(b *builder) {
		b.parts(7, 13, 41, 1, 2)
	}},
	{name: "many-parts", catch: "more parts than a warp has lanes", build: func(b *builder) {
		b.parts(37, 6, 64, 1, 2)
	}},
	{name: "v3-decode", full: true, catch: "one token of DeepSeek-V3: 128 heads, 512 columns, 8 splits",
		build: func(b *builder) {
			b.parts(8, 128, 512, 1, 8)
		}},
}
