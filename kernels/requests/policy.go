package main

import "plumbline/numbers/dtype"

// logits adds logits [n, vocab] scaled by 2^exp2 around a level, and a token for each row, the ends
// of the vocabulary first.
func (b *builder) logits(n, vocab, exp2 int, level float32, edits ...func(rc recipe) recipe) {
	rc := shifted(level, b.bell(exp2, n, vocab))
	for _, e := range edits {
		rc = e(rc)
	}
	b.make("logits", rc)
	b.make("tokens", sampled(vocab, n))
}

// sampled is a recipe of tokens: the first is 0 and the last the vocabulary's last.
func sampled(vocab int, shape ...int) recipe {
	first, last := make([]int, len(shape)), make([]int, len(shape))
	for axis, n := range shape {
		last[axis] = n - 1
	}
	rc := recipe{Type: dtype.I64, Shape: shape, Dist: "ints", Lo: 0, Hi: int64(vocab)}
	return planted(rc, edit(0, first...), edit(float64(vocab-1), last...))
}

// excluded leaves of each row of logits every keep-th.
func excluded(keep int) func(rc recipe) recipe {
	return func(rc recipe) recipe {
		for i := range rc.Shape[0] {
			for j := range rc.Shape[1] {
				if j%keep != 0 {
					rc = planted(rc, edit(minusInfinity, i, j))
				}
			}
		}
		return rc
	}
}

var logProbs = []request{
	{name: "plain", catch: "logits of the token themselves, or the sum without its logarithm", build: func(b *builder) {
		b.logits(24, 1000, 1, 0)
	}},
	{name: "two", catch: "a vocabulary of two", build: func(b *builder) { b.logits(9, 2, 0, 0) }},
	{name: "one", catch: "a vocabulary of one: log-probability and entropy 0", build: func(b *builder) {
		b.logits(3, 1, 0, 0)
	}},
	{name: "odd", catch: "rows that are not aligned, and end inside a vector", build: func(b *builder) {
		b.logits(11, 1001, 1, 0)
	}},
	{name: "narrow", catch: "rows shorter than a warp", build: func(b *builder) { b.logits(7, 13, 1, 0) }},
	{name: "temperature", catch: "logits that are not divided by the temperature, 0.6", build: func(b *builder) {
		b.set("temperature", 0.6)
		b.logits(12, 500, 1, 0)
	}},
	{name: "warm", catch: "logits multiplied by the temperature, 2", build: func(b *builder) {
		b.set("temperature", 2.0)
		b.logits(12, 333, 1, 0)
	}},
	{name: "high", catch: "exponentials without the maximum subtracted: logits around 200", build: func(b *builder) {
		b.logits(9, 300, 1, 200)
	}},
	{name: "low", catch: "a maximum that starts at 0: logits around −200", build: func(b *builder) {
		b.logits(9, 300, 1, -200)
	}},
	{name: "sharp", catch: "entropies near 0, of rows that are nearly sure", build: func(b *builder) {
		b.logits(9, 400, 5, 0)
	}},
	{name: "equal", catch: "equal logits: −log V and log V, whatever their size", build: func(b *builder) {
		b.logits(4, 700, -60, 3)
	}},
	{name: "late-maximum", catch: "sums that are not scaled when a larger logit comes last", build: func(b *builder) {
		b.logits(6, 601, 0, 0, func(rc recipe) recipe {
			return planted(rc, edit(40, 0, 600), edit(20, 1, 599), edit(90, 2, 300))
		})
	}},
	{name: "excluded", catch: "excluded tokens, −∞, that make NaN of the entropy", build: func(b *builder) {
		b.logits(6, 48, 1, 0, excluded(3))
	}},
	{name: "one-left", catch: "rows with one token left: log-probability and entropy 0, where it is the sampled one",
		build: func(b *builder) {
			b.logits(2, 40, 1, 0, excluded(40), func(rc recipe) recipe {
				return planted(rc, edit(minusInfinity, 1, 0), edit(2, 1, 39))
			})
		}},
	{name: "token-excluded", catch: "a sampled token that is excluded: log-probability −∞", build: func(b *builder) {
		b.logits(3, 50, 1, 0, func(rc recipe) recipe {
			return planted(rc, edit(minusInfinity, 0, 0), edit(minusInfinity, 2, 49))
		})
	}},
	{name: "one-row", catch: "a grid of one block", build: func(b *builder) { b.logits(1, 2000, 1, 0) }},
	{name: "v3-vocabulary", full: true, catch: "DeepSeek-V3's vocabulary, 129280", build: func(b *builder) {
		b.logits(8, 129280, 1, 0)
	}},
	{name: "v3-vocabulary-odd", full: true, catch: "the same and one more, so that rows are not aligned",
		build: func(b *builder) {
			b.set("temperature", 0.6)
			b.logits(5, 129281, 1, 0)
		}},
	{name: "v3-vocabulary-excluded", full: true, catch: "most of 129280 logits excluded from a row",
		build: func(b *builder) {
			b.logits(4, 129280, 1, 0, func(rc recipe) recipe {
				return planted(
					rc, edit(minusInfinity, 2), edit(3, 2, 17), edit(4, 2, 129000), edit(minusInfinity, 3, 129279),
				)
			})
		}},
	{name: "v3-output", full: true, catch: "one output of 512 tokens over DeepSeek-V3's vocabulary",
		build: func(b *builder) {
			b.logits(512, 129280, 1, 0)
		}},
	{name: "v3-many", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "enough rows of 129280 logits to measure bandwidth", build: func(b *builder) {
			b.logits(2048, 129280, 1, 0)
		}},
}

// divergence adds log-probabilities of the policy and of the reference, some of which differ by
// what is given.
func (b *builder) divergence(s sequences, estimator string, exp2 int, deltas ...float64) {
	b.set("estimator", estimator)
	logprob, ref := b.spread(s, -2, exp2), b.spread(s, -2, exp2)
	for k, delta := range deltas {
		at := []int{k % s.N, k / s.N}
		logprob, ref = planted(logprob, edit(-1-max(delta, 0), at...)), planted(ref, edit(-1+min(delta, 0), at...))
	}
	b.tokens("logprob", s, logprob)
	b.tokens("ref_logprob", s, ref)
	b.masked(s)
}

// far are differences of log-probabilities that exponentials feel: beyond limits, beyond float32,
// infinite.
var far = []float64{25, -25, 100, -100, 10.5, -10.5, minusInfinity}

var divergences = []request{
	{name: "k1", catch: "the difference the other way round", build: func(b *builder) {
		b.divergence(ragged, "k1", -1)
	}},
	{name: "k2", catch: "a square without its half", build: func(b *builder) { b.divergence(ragged, "k2", -1) }},
	{name: "k3", catch: "k3 of the inverse ratio, which is the same to second order", build: func(b *builder) {
		b.divergence(ragged, "k3", -1)
	}},
	{name: "k3-near", catch: "the same where the policies are near", build: func(b *builder) {
		b.divergence(ragged, "k3", -7)
	}},
	{name: "k3-equal", catch: "equal policies: 0 exactly", build: func(b *builder) { b.divergence(ragged, "k3", -60) }},
	{name: "k3-limit", catch: "a limit of 10 that is not heeded, by either sign", build: func(b *builder) {
		b.set("limit", 10.0)
		b.divergence(sequences{N: 4, L: 40}, "k3", -1, far...)
	}},
	{name: "k3-far", catch: "differences of 100 without a limit: infinite in float32, and −δ on the other side",
		build: func(b *builder) {
			b.divergence(sequences{N: 4, L: 40}, "k3", -1, far...)
		}},
	{name: "k1-far", catch: "a log-probability of −∞", build: func(b *builder) {
		b.divergence(sequences{N: 4, L: 40}, "k1", -1, far...)
	}},
	{name: "k2-far", catch: "squares of large differences", build: func(b *builder) {
		b.divergence(sequences{N: 4, L: 40}, "k2", -1, far...)
	}},
	{name: "holes", catch: "a mask that is read one token off; NaN where it has 0", build: func(b *builder) {
		b.divergence(ragged.with(withTools).with(func(s *sequences) { s.mask = dtype.F32 }), "k3", -1)
	}},
	{name: "one-token", catch: "a grid of one thread", build: func(b *builder) {
		b.divergence(sequences{N: 1, L: 1}, "k3", 0)
	}},
	{name: "edges", catch: "blocks that end one early or late", build: func(b *builder) {
		b.divergence(upTo(edges(32, 256, 1024)...).with(func(s *sequences) {
			s.mask, s.stale = dtype.Bool, true
		}), "k3", -1)
	}},
	{name: "grpo", full: true, catch: "a group of 64 outputs of 1024 tokens", build: func(b *builder) {
		b.divergence(sequences{N: 64, L: 1024}, "k3", -2)
	}},
	{name: "grpo-long", full: true, catch: "4 outputs of 32768 tokens", build: func(b *builder) {
		b.divergence(sequences{N: 4, L: 32768}, "k3", -2)
	}},
	{name: "many", full: true, types: both, folder: large, catch: "enough tokens to measure bandwidth",
		build: func(b *builder) {
			b.divergence(sequences{N: 1024, L: 32768}, "k3", -2)
		}},
}
