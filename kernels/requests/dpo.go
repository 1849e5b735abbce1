package main

import (
	"math"

	"plumbline/numbers/dtype"
)

// preferences adds n pairs of responses, log-ratios of deviation 1.6 · 2^drift, the first pairs
// with the margins given, and lengths if they are asked for.
func (b *builder) preferences(n, drift int, lengths bool, attrs map[string]any, margins ...float64) {
	for name, v := range attrs {
		b.set(name, v)
	}
	chosen, rejected, ref := b.around50(n, drift), b.around50(n, drift), b.around50(n, drift)
	refRejected := ref
	for i, h := range margins {
		chosen, rejected = planted(chosen, edit(-1500+max(h, 0), i)), planted(rejected, edit(-1500-min(h, 0), i))
		ref, refRejected = planted(ref, edit(-1500, i)), planted(refRejected, edit(-1500, i))
	}
	b.make("chosen", chosen)
	b.make("rejected", rejected)
	b.make("ref_chosen", ref)
	b.make("ref_rejected", refRejected)
	if lengths {
		for _, side := range []string{"lengths_chosen", "lengths_rejected"} {
			b.make(side, recipe{Type: dtype.I64, Shape: []int{n}, Dist: "ints", Lo: 1, Hi: 300})
		}
	}
}

// around50 is a recipe of log-probabilities of whole responses.
func (b *builder) around50(n, drift int) recipe { return around(-50, b.bell(drift, n)) }

// extremes are margins from none to all.
var extremes = []float64{0, 1, -1, 1000, -1000, 30, -30}

var preferenceLosses = []request{
	{name: "plain", catch: "the order of the pair, or β, mistaken", build: func(b *builder) {
		b.preferences(24, 2, false, nil)
	}},
	{name: "even", catch: "a policy that is its reference: ln 2", build: func(b *builder) {
		b.preferences(8, -60, false, nil)
	}},
	{name: "margins", catch: "margins of 0, ±1 and ±1000: exponentials that overflow", build: func(b *builder) {
		b.preferences(12, 2, false, nil, extremes...)
	}},
	{name: "margins-smoothed", catch: "the same with a smoothed label", build: func(b *builder) {
		b.preferences(12, 2, false, map[string]any{"label_smoothing": 0.1}, extremes...)
	}},
	{name: "excluded", catch: "responses that the policy excludes, −∞", build: func(b *builder) {
		b.preferences(12, 2, false, nil, 0, 0, math.Inf(1))
	}},
	{name: "beta", catch: "β left at 0.1 where 0.5 is declared, or applied twice", build: func(b *builder) {
		b.preferences(24, 2, false, map[string]any{"beta": 0.5})
	}},
	{name: "smoothed", catch: "a smoothed share of the label that goes to the same order, or to none",
		build: func(b *builder) {
			b.preferences(24, 3, false, map[string]any{"label_smoothing": 0.3})
		}},
	{name: "ipo", catch: "the target 1/β, or no square", build: func(b *builder) {
		b.preferences(24, 2, false, map[string]any{"kind": "ipo"})
	}},
	{name: "ipo-margins", catch: "squares of margins of ±1000", build: func(b *builder) {
		b.preferences(12, 2, false, map[string]any{"kind": "ipo"}, extremes...)
	}},
	{name: "lengths-given", catch: "means over tokens where sums are declared: lengths are there, and not to be used",
		build: func(b *builder) {
			b.preferences(24, 2, true, nil)
		}},
	{name: "per-token", catch: "sums where means over tokens are declared; rewards stay sums", build: func(b *builder) {
		b.preferences(24, 4, true, map[string]any{"length_normalize": true, "beta": 2.0})
	}},
	{name: "ipo-per-token", catch: "the same for IPO", build: func(b *builder) {
		b.preferences(24, 4, true, map[string]any{"length_normalize": true, "kind": "ipo"})
	}},
	{name: "one-pair", catch: "a batch of one pair", build: func(b *builder) { b.preferences(1, 2, false, nil) }},
	{name: "edges", catch: "blocks of 256 pairs that end one early or late", build: func(b *builder) {
		b.preferences(257, 2, false, map[string]any{"label_smoothing": 0.1})
	}},
	{name: "batch", full: true, catch: "4096 pairs", build: func(b *builder) { b.preferences(4096, 2, false, nil) }},
	{name: "many", full: true, folder: large, catch: "enough pairs to measure bandwidth", build: func(b *builder) {
		b.preferences(1<<24, 2, false, nil)
	}},
}
