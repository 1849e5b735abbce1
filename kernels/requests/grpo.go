package main

import (
	"math"

	"plumbline/numbers/dtype"
)

func logOf(n int) float64 { return math.Log(float64(n)) }

// grouped adds rewards, and groups of that many outputs: interleaved, with gaps between their
// numbers, unless they lie together.
func (b *builder) grouped(groups, size int, std string, eps float64, together bool, rewards recipe) {
	b.set("std", std)
	if eps != 0 {
		b.set("eps", eps)
	}
	ids := make([]float64, groups*size)
	for i := range ids {
		ids[i] = float64(7*(i%groups) - 3)
		if together {
			ids[i] = float64(i / size)
		}
	}
	rewards.Shape = []int{len(ids)}
	b.make("rewards", rewards)
	b.store("group", dtype.I64, ids, len(ids))
}

// graded is a recipe of rewards around a number; rightOrWrong is one of 0 and 1.
func (b *builder) graded(level float32, exp2 int) recipe { return shifted(level, b.bell(exp2, 1)) }
func (b *builder) rightOrWrong() recipe                  { return recipe{Type: b.t, Dist: "ints", Lo: 0, Hi: 2} }

var groupAdvantages = []request{
	{name: "plain", catch: "statistics over the whole batch; a sample's deviation", build: func(b *builder) {
		b.grouped(6, 8, "population", 0, true, b.graded(0, 0))
	}},
	{name: "interleaved", catch: "groups taken as neighbours: their members are scattered, their numbers have gaps",
		build: func(b *builder) {
			b.grouped(5, 8, "population", 1e-6, false, b.graded(0, 0))
		}},
	{name: "sample", catch: "a population's deviation where a sample's is declared", build: func(b *builder) {
		b.grouped(6, 4, "sample", 1e-4, false, b.graded(0, 0))
	}},
	{name: "no-std", catch: "rewards divided where only their mean is to be subtracted", build: func(b *builder) {
		b.grouped(6, 8, "none", 0, false, b.graded(1, 0))
	}},
	{name: "pairs", catch: "groups of two, where both deviations differ by √2", build: func(b *builder) {
		b.grouped(7, 2, "population", 0, false, b.graded(0, 0))
	}},
	{name: "ones", catch: "groups of one: mean 0 and deviation 1, not NaN", build: func(b *builder) {
		b.grouped(9, 1, "sample", 1e-6, false, b.graded(0.5, 0))
	}},
	{name: "one", catch: "a batch of one output", build: func(b *builder) {
		b.grouped(1, 1, "population", 0, true, b.graded(0.5, 0))
	}},
	{name: "binary", catch: "rewards of 0 and 1, whose groups may agree: 0/0", build: func(b *builder) {
		b.grouped(16, 4, "population", 0, false, b.rightOrWrong())
	}},
	{name: "equal", catch: "equal rewards, whose advantage is 0", build: func(b *builder) {
		b.grouped(4, 8, "population", 1e-6, false, b.graded(1, -60))
	}},
	{name: "eps", catch: "ε inside the root, or another: rewards that hardly differ", build: func(b *builder) {
		b.grouped(5, 8, "population", 1e-4, false, b.graded(0, -13))
	}},
	{name: "offset", catch: "a variance as a difference of squares: rewards around 100", build: func(b *builder) {
		b.grouped(5, 16, "sample", 1e-6, false, b.graded(100, 2))
	}},
	{name: "odd", catch: "groups that no warp divides: 37 outputs each", build: func(b *builder) {
		b.grouped(3, 37, "population", 1e-6, false, b.graded(0, 0))
	}},
	{name: "deepseek-math", full: true, catch: "16 questions of 64 outputs, as in DeepSeekMath",
		build: func(b *builder) {
			b.grouped(16, 64, "population", 0, true, b.graded(0, 0))
		}},
	{name: "r1", full: true, catch: "32 questions of 16 outputs, rewards of 0 and 1, as in DeepSeek-R1",
		build: func(b *builder) {
			b.grouped(32, 16, "population", 1e-6, true, b.rightOrWrong())
		}},
	{name: "many", full: true, folder: large, catch: "65536 outputs of 1024 questions, to be timed",
		build: func(b *builder) {
			b.grouped(1024, 64, "population", 1e-6, true, b.graded(0, 0))
		}},
}

// groupUpdate adds outputs of one length.
func (b *builder) groupUpdate(n, l int, u update) {
	u.sequences = sequences{N: n, L: l}
	b.update(u)
}

// smallClips are GSPO's, whose ratios are geometric means over outputs.
var smallClips = attrs{"ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4, "aggregate": "sequence_mean"}

var groupLosses = []request{
	{name: "deepseek-math",
		catch: "k3 of the inverse ratio, or with the other sign; a mean over all tokens for one over outputs",
		build: func(b *builder) {
			b.update(mixed.with(attrs{"kl": "k3", "kl_coef": 0.04, "aggregate": "sequence_mean"}, referred))
		}},
	{name: "dapo", catch: "the lower bound for the upper one: 0.2 and 0.28", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip_high": 0.28}))
	}},
	{name: "dr-grpo", catch: "sums divided by lengths where a constant is declared", build: func(b *builder) {
		b.update(mixed.with(attrs{"aggregate": "constant", "aggregate_length": 3000}))
	}},
	{name: "r1", catch: "a clip at 0.2 where DeepSeek-R1 has 10", build: func(b *builder) {
		b.update(mixed.with(attrs{
			"clip_low": 10.0, "clip_high": 10.0, "kl": "k3", "kl_coef": 0.001, "aggregate": "sequence_mean",
		}, referred,
			func(u *update) { u.decisive = []float64{1, -1, 2, -2, 2.5, -2.5} }))
	}},
	{name: "gspo", catch: "ratios of sequences whose gradient is not divided by their lengths",
		build: func(b *builder) {
			b.update(mixed.with(smallClips, func(u *update) { u.decisive = nil }))
		}},
	{name: "gspo-unclipped", catch: "the same without a clip, where every token has a gradient",
		build: func(b *builder) {
			b.update(mixed.with(attrs{"ratio": "sequence", "clip": "none"}, func(u *update) { u.decisive = nil }))
		}},
	{name: "gspo-tokens", catch: "advantages of tokens under one ratio", build: func(b *builder) {
		b.update(mixed.with(attrs{
			"ratio": "sequence", "clip_high": 0.01, "clip_low": 0.01, "kl": "k3", "kl_coef": 0.02,
		}, referred,
			func(u *update) { u.decisive, u.perToken, u.advantages = nil, true, nil }))
	}},
	{name: "gspo-edges", catch: "sums of log-ratios over blocks: lengths around 1024", build: func(b *builder) {
		b.update(update{sequences: upTo(edges(32, 1024)...).with(func(s *sequences) {
			s.stale = true
		}), drift: -2, attrs: smallClips})
	}},
	{name: "gspo-limit", catch: "a limit on the ratios of sequences", build: func(b *builder) {
		b.update(mixed.with(attrs{"ratio": "sequence", "clip": "none", "log_ratio_limit": 0.05}, func(u *update) {
			u.decisive, u.drift = nil, -1
		}))
	}},
	{name: "gppo", catch: "gradients of clipped tokens cut off, which this clip passes on", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip": "gppo", "clip_high": 0.28, "dual_clip": 3.0}))
	}},
	{name: "gppo-plain", catch: "the same without a dual clip", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip": "gppo"}))
	}},
	{name: "cispo", catch: "a gradient through the clipped ratio, which is a constant", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip": "cispo", "clip_high": 0.28, "kl": "k3", "kl_coef": 0.01}, referred))
	}},
	{name: "cispo-far", catch: "log-ratios of ±25 and a log-probability of −∞ with that clip", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip": "cispo", "clip_low": 1.0}, impossible))
	}},
	{name: "cispo-sequence", catch: "that clip on ratios of sequences", build: func(b *builder) {
		b.update(mixed.with(attrs{
			"clip": "cispo", "ratio": "sequence", "clip_high": 0.01, "clip_low": 0.01,
		}, func(u *update) {
			u.decisive = nil
		}))
	}},
	{name: "unclipped", catch: "a clip where none is declared", build: func(b *builder) {
		b.update(mixed.with(attrs{"clip": "none"}))
	}},
	{name: "on-policy", catch: "ratios of 1, whose gradient is that of the policy gradient, not 0",
		build: func(b *builder) {
			b.update(mixed.with(nil, func(u *update) { u.drift, u.decisive = -60, nil }))
		}},
	{name: "no-advantage", catch: "advantages of 0, where the divergence alone is left", build: func(b *builder) {
		b.update(mixed.with(attrs{"kl": "k3", "kl_coef": 0.04}, referred, func(u *update) {
			u.advantages = make([]float64, u.N)
		}))
	}},
	{name: "halves", catch: "means of either half of the batch, averaged: one half has long outputs",
		build: func(b *builder) {
			b.update(update{sequences: upTo(60, 55, 3, 2), drift: -2, advantages: []float64{1, -1, 2, -2}})
		}},
	{name: "empty", catch: "outputs without tokens that count in the mean over outputs", build: func(b *builder) {
		b.update(update{sequences: upTo(0, 12, 0, 0, 30), drift: -2, attrs: attrs{"aggregate": "sequence_mean"}})
	}},
	{name: "logits-deepseek-math", catch: "the divergence's part of the gradient lost on its way to the logits",
		build: func(b *builder) {
			b.fromLogits(
				64, mixedLogits.with(attrs{"kl": "k3", "kl_coef": 0.04, "aggregate": "sequence_mean"}, referred),
			)
		}},
	{name: "logits-gspo", catch: "ratios of sequences from logits", build: func(b *builder) {
		b.fromLogits(33, mixedLogits.with(attrs{"ratio": "sequence", "clip": "none"}))
	}},
	{name: "logits-v3-vocabulary", full: true, catch: "DeepSeek-V3's vocabulary, 129280", build: func(b *builder) {
		b.fromLogits(129280, mixedLogits.with(attrs{"temperature": 0.6}, func(u *update) {
			u.sequences, u.advantages = upTo(2), nil
		}))
	}},
	{name: "logits-v3-vocabulary-odd", full: true, catch: "the same and one more, so that rows are not aligned",
		build: func(b *builder) {
			b.fromLogits(129281, mixedLogits.with(nil, func(u *update) { u.sequences, u.advantages = upTo(1, 1), nil }))
		}},
	{name: "group-64", full: true, catch: "64 outputs of 1024 tokens, as in DeepSeekMath", build: func(b *builder) {
		b.groupUpdate(
			64, 1024,
			update{drift: -3, reference: -2, attrs: attrs{"kl": "k3", "kl_coef": 0.04, "aggregate": "sequence_mean"}},
		)
	}},
	{name: "r1-long", full: true, catch: "4 outputs of 32768 tokens, with the clip of DeepSeek-R1",
		build: func(b *builder) {
			b.groupUpdate(
				4, 32768,
				update{
					drift: -2, reference: -2,
					attrs: attrs{
						"clip_low": 10.0, "clip_high": 10.0, "kl": "k3", "kl_coef": 0.001, "aggregate": "sequence_mean",
					},
				},
			)
		}},
	{name: "dapo-long", full: true, catch: "4 outputs of 20480 tokens, as in DAPO", build: func(b *builder) {
		b.groupUpdate(4, 20480, update{drift: -3, attrs: attrs{"clip_high": 0.28}})
	}},
	{name: "gspo-long", full: true, catch: "16 outputs of 8192 tokens with GSPO's clip", build: func(b *builder) {
		b.groupUpdate(16, 8192, update{drift: -3, attrs: smallClips})
	}},
	{name: "r1-group", full: true, folder: large, catch: "a group of 16 outputs of 32768 tokens, as in DeepSeek-R1",
		build: func(b *builder) {
			b.groupUpdate(
				16, 32768,
				update{
					drift: -2, reference: -2,
					attrs: attrs{
						"clip_low": 10.0, "clip_high": 10.0, "kl": "k3", "kl_coef": 0.001, "aggregate": "sequence_mean",
					},
				},
			)
		}},
	{name: "many", full: true, folder: large, catch: "enough tokens with a divergence to measure bandwidth",
		build: func(b *builder) {
			b.groupUpdate(
				1024, 32768,
				update{
					drift: -3, reference: -3, attrs: attrs{"kl": "k3", "kl_coef": 0.04, "aggregate": "sequence_mean"},
				},
			)
		}},
	{name: "logits-v3-many", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "enough rows of 129280 logits to measure bandwidth", build: func(b *builder) {
			b.fromLogits(129280, update{sequences: sequences{N: 4, L: 512}, drift: -2})
		}},
}
