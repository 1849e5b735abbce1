package main

import "plumbline/numbers/dtype"

// recursion is what ppo.gae is run on.
type recursion struct {
	sequences
	gamma, lambda float64
	level         float32 // of the values
	terminal      bool    // a reward at the last token that counts alone
	whiten        bool
}

// gae adds rewards, values and the mask.
func (b *builder) gae(r recursion) {
	b.set("gamma", r.gamma)
	b.set("lambda", r.lambda)
	if r.whiten {
		b.set("whiten", true)
	}
	rewards := b.spread(r.sequences, 0, -1)
	if r.terminal {
		rewards = recipe{Type: b.t, Shape: []int{r.N, r.L}, Dist: "ints", Lo: 0, Hi: 1}
		for i := range r.N {
			if last := r.last(i); last >= 0 {
				rewards = planted(rewards, edit(float64(1-i%3), i, last))
			}
		}
	}
	b.tokens("rewards", r.sequences, rewards)
	b.tokens("values", r.sequences, b.spread(r.sequences, r.level, -1))
	b.masked(r.sequences)
}

// last is the last token of sequence i that counts, or −1.
func (s sequences) last(i int) int {
	t := s.L - 1
	for t >= 0 && !s.counts(i, t) {
		t--
	}
	return t
}

// discounted is a recursion that most conventions are tried on.
var discounted = recursion{sequences: ragged, gamma: 0.99, lambda: 0.95}

// with returns r changed.
func (r recursion) with(change func(r *recursion)) recursion {
	change(&r)
	return r
}

var recursions = []request{
	{name: "plain", catch: "λ or γ left out, of one product or of both", build: func(b *builder) { b.gae(discounted) }},
	{name: "one-token", catch: "a value behind the last token that is not 0", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.sequences = sequences{N: 3, L: 1} }))
	}},
	{name: "warp-edges", catch: "a scan that loses what comes from the next warp: lengths around 32 and 128",
		build: func(b *builder) {
			b.gae(discounted.with(func(r *recursion) { r.sequences = upTo(edges(32, 128)...) }))
		}},
	{name: "block-edges",
		catch: "a scan that loses what comes from the next tile: lengths 1023, 1024, 1025 and twice these",
		build: func(b *builder) {
			b.gae(discounted.with(func(r *recursion) { r.sequences, r.stale = upTo(edges(1024, 2048)...), true }))
		}},
	{name: "tools", catch: "a recursion through masked tokens, whose rewards and values are NaN",
		build: func(b *builder) {
			b.gae(discounted.with(func(r *recursion) { withTools(&r.sequences) }))
		}},
	{name: "tools-stale", catch: "the same where they are finite, so that nothing but the numbers tells",
		build: func(b *builder) {
			b.gae(discounted.with(func(r *recursion) { r.stale, r.holes, r.mask = true, 3, dtype.I64 }))
		}},
	{name: "tools-long", catch: "gaps over the edges of threads, warps and tiles", build: func(b *builder) {
		b.gae(recursion{
			sequences: sequences{N: 2, L: 2500, lens: []int{2500, 1030}, holes: 2, stale: true}, gamma: 1, lambda: 0.95,
			terminal: true,
		})
	}},
	{name: "monte-carlo", catch: "γ = λ = 1: returns are sums of rewards", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.gamma, r.lambda = 1, 1 }))
	}},
	{name: "one-step", catch: "λ = 0: errors of one step", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.lambda = 0 }))
	}},
	{name: "myopic", catch: "γ = 0: rewards less values", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.gamma = 0 }))
	}},
	{name: "terminal", catch: "a reward at the last token that counts, put one later or lost", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.gamma, r.terminal = 1, true }))
	}},
	{name: "level", catch: "values far above the rewards, whose differences count", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.level = 30 }))
	}},
	{name: "whitened", catch: "returns made of whitened advantages; a population's variance", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.whiten = true }))
	}},
	{name: "whitened-tools", catch: "statistics that include what the mask leaves out", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.whiten, r.level, r.holes, r.mask = true, 3, 4, dtype.F32 }))
	}},
	{name: "whitened-one", catch: "one token in all, whose variance is 0/0", build: func(b *builder) {
		b.gae(discounted.with(func(r *recursion) { r.whiten, r.sequences = true, upTo(1, 0, 0) }))
	}},
	{name: "whitened-long", catch: "sums over blocks: three sequences of up to 3000 tokens", build: func(b *builder) {
		b.gae(recursion{
			sequences: sequences{N: 3, L: 3000, lens: []int{3000, 1500, 2047}, stale: true}, gamma: 1, lambda: 0.95,
			whiten: true,
		})
	}},
	{name: "ppo", full: true, catch: "γ = 1 and λ = 0.95 as in DeepSeekMath, 16 outputs of 4096 tokens",
		build: func(b *builder) {
			b.gae(recursion{sequences: sequences{N: 16, L: 4096}, gamma: 1, lambda: 0.95, whiten: true})
		}},
	{name: "ppo-long", full: true, catch: "2 outputs of 32768 tokens", build: func(b *builder) {
		b.gae(recursion{sequences: sequences{N: 2, L: 32768}, gamma: 1, lambda: 0.95})
	}},
	{name: "many", full: true, folder: large, catch: "enough tokens to measure bandwidth", build: func(b *builder) {
		b.gae(recursion{sequences: sequences{N: 512, L: 32768}, gamma: 1, lambda: 0.95})
	}},
}

// update is what a policy's loss is run on.
type update struct {
	sequences
	drift      int       // log-ratios of deviation 1.6 · 2^drift
	advantages []float64 // of the sequences; nil: by chance
	perToken   bool      // advantages of tokens, by chance
	reference  int       // differences from the reference as drift has them; 0: none
	decisive   []float64 // log-ratios planted at the first tokens of every sequence
	attrs      map[string]any
}

// update adds all inputs of a policy's loss.
func (b *builder) update(u update) {
	for name, v := range u.attrs {
		b.set(name, v)
	}
	logprob, old := b.spread(u.sequences, -2, u.drift), b.spread(u.sequences, -2, u.drift)
	for i := range u.N {
		for t, x := range u.decisive {
			if u.counts(i, t) {
				logprob, old = planted(logprob, edit(-1+min(x, 0), i, t)), planted(old, edit(-1-max(x, 0), i, t))
			}
		}
	}
	b.tokens("logprob", u.sequences, logprob)
	b.tokens("old_logprob", u.sequences, old)
	if u.reference != 0 {
		b.tokens("ref_logprob", u.sequences, b.spread(u.sequences, -2, u.reference))
	}
	b.advantages(u)
	b.masked(u.sequences)
}

func (b *builder) advantages(u update) {
	switch {
	case u.perToken:
		b.tokens("advantage", u.sequences, b.spread(u.sequences, 0, 0))
	case u.advantages != nil:
		b.store("advantage", dtype.F32, u.advantages, u.N)
	default:
		b.make("advantage", recipe{Type: dtype.F32, Shape: []int{u.N}, Dist: "normal"})
	}
}

// bounds are log-ratios on either side of every clip.
var bounds = []float64{0, 0.1, -0.1, 0.25, -0.25, 0.5, -0.5, 1.3, -1.3, 2}

// mixed is an update that most conventions are tried on: both signs of the advantage, one of 0, and
// ratios beyond the bounds.
var mixed = update{
	sequences: ragged, drift: -3, advantages: []float64{1.25, -0.75, 1, -1.5, 0.5, 0, -2, 2}, decisive: bounds,
}

// with returns u changed, its attributes copied.
func (u update) with(attrs map[string]any, changes ...func(u *update)) update {
	all := map[string]any{}
	for name, v := range u.attrs {
		all[name] = v
	}
	for name, v := range attrs {
		all[name] = v
	}
	u.attrs = all
	for _, change := range changes {
		change(&u)
	}
	return u
}

type attrs = map[string]any

// overflowing plants log-ratios that exponentials feel.
func overflowing(u *update) { u.decisive = []float64{25, -25, 100, -100, 0.3, -0.3, 10.5, -10.5} }

// impossible plants log-ratios of ±25 and a log-probability of −∞.
func impossible(u *update) { u.decisive = []float64{25, -25, minusInfinity, 0.3, -0.3} }

// referred adds a reference.
func referred(u *update) { u.reference = -1 }

var policyLosses = []request{
	{name: "plain", catch: "min and max exchanged, or the clip applied to one sign of the advantage alone",
		build: func(b *builder) {
			b.update(mixed)
		}},
	{name: "dual-clip", catch: "a dual clip left out, or for positive advantages too", build: func(b *builder) {
		b.update(mixed.with(attrs{"dual_clip": 3.0}))
	}},
	{name: "large-ratios", catch: "a dual clip where none is declared: ratios above 3 with A < 0",
		build: func(b *builder) {
			b.update(mixed.with(nil, func(u *update) { u.drift, u.decisive = -1, []float64{1.5, 2, 3} }))
		}},
	{name: "token-advantages", catch: "advantages of tokens read as those of sequences", build: func(b *builder) {
		b.update(mixed.with(nil, func(u *update) { u.perToken, u.advantages = true, nil }))
	}},
	{name: "sequence-mean", catch: "a mean over all tokens where each sequence's own is declared",
		build: func(b *builder) {
			b.update(mixed.with(attrs{"aggregate": "sequence_mean"}))
		}},
	{name: "sequence-sum", catch: "sums divided by lengths", build: func(b *builder) {
		b.update(mixed.with(attrs{"aggregate": "sequence_sum"}))
	}},
	{name: "constant", catch: "sums divided by the longest length where a constant is declared",
		build: func(b *builder) {
			b.update(mixed.with(attrs{"aggregate": "constant", "aggregate_length": 100}))
		}},
	{name: "tools", catch: "tokens of tools counted, or a mask that is read one token off", build: func(b *builder) {
		b.update(mixed.with(nil, func(u *update) { withTools(&u.sequences); u.mask, u.stale = dtype.F32, true }))
	}},
	{name: "limit", catch: "a limit of 10 on log-ratios that is not heeded, on either side; its gradient is 0",
		build: func(b *builder) {
			b.update(mixed.with(attrs{"log_ratio_limit": 10.0}, overflowing))
		}},
	{name: "limit-near", catch: "a limit of 0.5, inside what the clip lets through", build: func(b *builder) {
		b.update(mixed.with(attrs{"log_ratio_limit": 0.5, "clip": "none"}))
	}},
	{name: "far", catch: "ratios of e^±25 and 0 without a limit", build: func(b *builder) {
		b.update(mixed.with(nil, impossible))
	}},
	{name: "overflow", catch: "ratios of e^±100, infinite in float32", build: func(b *builder) {
		b.update(mixed.with(nil, overflowing))
	}},
	{name: "one-token", catch: "a batch of one token", build: func(b *builder) {
		b.update(update{sequences: sequences{N: 1, L: 1}, drift: -2})
	}},
	{name: "no-tokens", catch: "a batch whose mask is empty but for one token", build: func(b *builder) {
		b.update(update{sequences: upTo(0, 0, 1, 0), drift: -2})
	}},
	{name: "edges", catch: "blocks that end one early or late: lengths around 32, 256 and 1024",
		build: func(b *builder) {
			b.update(update{sequences: upTo(edges(32, 256, 1024)...).with(func(s *sequences) {
				s.stale, s.mask = true, dtype.I32
			}), drift: -2})
		}},
	{name: "kl-k1", catch: "a divergence that is maximised", build: func(b *builder) {
		b.update(mixed.with(attrs{"kl": "k1", "kl_coef": 0.1}, referred))
	}},
	{name: "kl-k2", catch: "the square of another estimate; a divergence that is maximised", build: func(b *builder) {
		b.update(mixed.with(attrs{"kl": "k2", "kl_coef": 0.1, "aggregate": "sequence_mean"}, referred))
	}},
	{name: "logits-plain", catch: "gradients for logits without the softmax's own part", build: func(b *builder) {
		b.fromLogits(50, mixedLogits)
	}},
	{name: "logits-temperature", catch: "logits that are not divided by the temperature, or gradients that are not",
		build: func(b *builder) {
			b.fromLogits(50, mixedLogits.with(attrs{"temperature": 0.6}))
		}},
	{name: "logits-two", catch: "a vocabulary of two", build: func(b *builder) { b.fromLogits(2, mixedLogits) }},
	{name: "logits-odd", catch: "rows that are not aligned; NaN where the mask has 0", build: func(b *builder) {
		b.fromLogits(101, mixedLogits.with(attrs{"aggregate": "sequence_mean"}, func(u *update) {
			withTools(&u.sequences)
		}))
	}},
	{name: "ppo", full: true, catch: "16 outputs of 4096 tokens, advantages of tokens", build: func(b *builder) {
		b.update(update{sequences: sequences{N: 16, L: 4096}, drift: -3, perToken: true})
	}},
	{name: "many", full: true, folder: large, catch: "enough tokens to measure bandwidth", build: func(b *builder) {
		b.update(update{sequences: sequences{N: 1024, L: 32768}, drift: -3})
	}},
}

// fromLogits adds logits [N,L,vocab] and tokens instead of logprob, and old log-probabilities near
// what the logits give: −log V − 2^(2·drift)·2/3, half the variance of the logits.
func (b *builder) fromLogits(vocab int, u update) {
	for name, v := range u.attrs {
		b.set(name, v)
	}
	logits := b.bell(u.drift, u.N, u.L, vocab)
	if !u.stale {
		for at := range u.N * u.L {
			if !u.counts(at/u.L, at%u.L) {
				logits = planted(logits, edit(poison, at/u.L, at%u.L))
			}
		}
	}
	b.make("logits", logits)
	b.make("tokens", sampled(vocab, u.N, u.L))
	level := around(
		-float32(logOf(vocab)), recipe{Type: dtype.F32, Shape: []int{u.N, u.L}, Dist: "normal", Exp2: u.drift},
	)
	b.tokens("old_logprob", u.sequences, level)
	if u.reference != 0 {
		b.tokens("ref_logprob", u.sequences, level)
	}
	b.advantages(u)
	b.masked(u.sequences)
}

// mixedLogits is mixed for logits.
var mixedLogits = update{
	sequences: upTo(7, 4, 0, 12, 1, 9), drift: -2, advantages: []float64{1.25, -0.75, 1, -1.5, 0.5, 2},
}

// valued is what a value's loss is run on.
func (b *builder) valued(s sequences, clip float64, aggregate string, width int) {
	if clip != 0 {
		b.set("clip", clip)
	}
	if aggregate != "" {
		b.set("aggregate", aggregate)
	}
	if aggregate == "constant" {
		b.set("aggregate_length", 128)
	}
	b.tokens("values", s, b.spread(s, 0.5, width))
	b.tokens("old_values", s, b.spread(s, 0.5, width))
	b.tokens("returns", s, b.spread(s, 0.25, 0))
	b.masked(s)
}

var valueLosses = []request{
	{name: "plain", catch: "a square without its half", build: func(b *builder) { b.valued(ragged, 0, "", -1) }},
	{name: "clip", catch: "a clip that is ignored, or whose gradient is 0 where the plain error is the larger",
		build: func(b *builder) {
			b.valued(ragged, 0.2, "", -1)
		}},
	{name: "clip-wide", catch: "the smaller of both errors; a clip relative to the value", build: func(b *builder) {
		b.valued(ragged, 0.5, "", 0)
	}},
	{name: "sequence-mean", catch: "a mean over all tokens where each sequence's own is declared",
		build: func(b *builder) {
			b.valued(ragged, 0.2, "sequence_mean", -1)
		}},
	{name: "sequence-sum", catch: "sums divided by lengths", build: func(b *builder) {
		b.valued(ragged, 0.2, "sequence_sum", -1)
	}},
	{name: "constant", catch: "sums divided by the longest length where a constant is declared",
		build: func(b *builder) {
			b.valued(ragged, 0.2, "constant", -1)
		}},
	{name: "tools", catch: "tokens of tools counted; NaN where the mask has 0", build: func(b *builder) {
		b.valued(ragged.with(withTools), 0.2, "", -1)
	}},
	{name: "one-token", catch: "a batch of one token", build: func(b *builder) {
		b.valued(sequences{N: 1, L: 1}, 0.2, "", 0)
	}},
	{name: "edges", catch: "blocks that end one early or late: lengths around 32, 256 and 1024",
		build: func(b *builder) {
			b.valued(upTo(edges(32, 256, 1024)...).with(func(s *sequences) {
				s.stale, s.mask = true, dtype.I64
			}), 0.2, "", -1)
		}},
	{name: "ppo", full: true, catch: "16 outputs of 4096 tokens", build: func(b *builder) {
		b.valued(sequences{N: 16, L: 4096}, 0.2, "", -1)
	}},
	{name: "many", full: true, folder: large, catch: "enough tokens to measure bandwidth", build: func(b *builder) {
		b.valued(sequences{N: 1024, L: 32768}, 0.2, "", -1)
	}},
}
