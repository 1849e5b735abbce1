package request

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var gaeRecursion = []design{
	{
		"whitened",
		"ragged sequences with holes, one empty, values and rewards everywhere, γ and λ below 1",
		recursion,
	},
}

var valueLoss = []design{
	{
		"tokens",
		"values on both sides of the clip, ragged sequences with holes, one empty, the mean of tokens",
		func(m *maker) { values(m, "token_mean") },
	},
	{
		"sequences",
		"the same with the mean of sequences",
		func(m *maker) { values(m, "sequence_mean") },
	},
	{
		"unclipped",
		"errors on both sides of ±1, no clip, the mean of tokens",
		func(m *maker) { m.set("clip", 0); values(m, "token_mean") },
	},
}

// policyLosses are the designs of ppo.loss and grpo.loss.
var policyLosses = []design{
	{
		"tokens",
		"ragged sequences with holes, one empty, NaN where no token counts; log-ratios of ±3 beyond " +
			"every clip and limit, a dual clip, advantages of both signs, k3, the mean of tokens",
		func(m *maker) {
			m.set("clip_high", 0.28)
			m.set("dual_clip", 3)
			m.set("log_ratio_limit", 2)
			m.penalty("k3")
			m.policies()
		},
	},
	{
		"sequences",
		"ratios of sequences on both sides of the clip that passes gradients on, k2, the mean of " +
			"sequences",
		func(m *maker) {
			m.set("ratio", "sequence")
			m.set("clip", "gppo")
			m.set("clip_high", 0.4)
			m.set("aggregate", "sequence_mean")
			m.penalty("k2")
			m.policies()
		},
	},
	{
		"cispo",
		"weights that are clipped and held constant, advantages of sequences, k1, the mean of sequences' sums",
		func(m *maker) {
			m.set("clip", "cispo")
			m.set("clip_high", 0.4)
			m.set("aggregate", "sequence_sum")
			m.penalty("k1")
			m.policies()
		},
	},
	{
		"logits",
		"logits at a temperature of 0.6, of a small vocabulary, and tokens, no divergence",
		func(m *maker) {
			m.set("temperature", 0.6)
			m.vocabulary()
		},
	},
}

// divergences are the designs of policy.kl, one for each estimator.
func divergences() (all []design) {
	for _, estimator := range []string{"k3", "k2", "k1"} {
		all = append(all, design{
			estimator,
			"log-ratios of ±4 and the estimator " + estimator +
				", ragged sequences with holes, one empty, NaN where no token counts",
			func(m *maker) { divergence(m, estimator) },
		})
	}
	return all
}

// batch is [N,L]: sequences of ragged lengths, one of one token, one of none, and holes.
type batch struct {
	n, l int
	in   []bool
	lens []int
}

func (m *maker) batch() batch {
	b := batch{n: m.size(8, 32), l: m.size(24, 1024)}
	lens := []int{b.l, b.l * 3 / 4, 0, b.l / 2, 1, b.l - 1, b.l / 3, b.l}
	mask := make([]float64, b.n*b.l)
	b.in = make([]bool, b.n*b.l)
	for i := range b.n {
		b.lens = append(b.lens, lens[i%len(lens)])
		for t := range b.lens[i] {
			if i%2 == 1 || t%5 != 3 || t > nearest {
				b.in[i*b.l+t], mask[i*b.l+t] = true, 1
			}
		}
	}
	m.store("mask", dtype.U8, mask, b.n, b.l)
	return b
}

// nearest is how many tokens behind a sequence's end are NaN, and up to where it has holes: what
// comes later is finite, so that large batches stay small files.
const nearest = 64

// tokens adds an input of the batch, NaN where no token counts.
func (b batch) tokens(m *maker, name string, rc recipe) {
	var spoilt []recording.Edit
	for i, length := range b.lens {
		if length == 0 {
			spoilt = append(spoilt, edit(poison, i))
			continue
		}
		for t := range min(b.l, length+nearest) {
			if !b.in[i*b.l+t] {
				spoilt = append(spoilt, edit(poison, i, t))
			}
		}
	}
	m.input(name, planted(rc, spoilt...))
}

// penalty sets a divergence from the reference.
func (m *maker) penalty(kind string) {
	m.set("kl", kind)
	m.set("kl_coef", 0.5)
}

// aggregated completes an aggregation that the caller has fixed.
func (m *maker) aggregated() {
	if m.word("aggregate", "") == "constant" {
		m.set("aggregate_length", 100)
	}
}

// policies adds log-probabilities of three policies, whose ratios are spread by token and by
// sequence, and advantages of both signs.
func (m *maker) policies() {
	m.prefer(dtype.F32)
	m.aggregated()
	b := m.batch()
	old := m.level(-1.5, 0, b.n, b.l)
	old = planted(old, edit(-0.5, 0), edit(-3, 1), edit(-0.25, 3))
	b.tokens(m, "logprob", m.level(-1.5, 0, b.n, b.l))
	b.tokens(m, "old_logprob", planted(old, edit(-5, 5, 1), edit(-0.125, 5, 2)))
	if m.word("kl", "none") != "none" {
		b.tokens(m, "ref_logprob", m.level(-1.75, 0, b.n, b.l))
	}
	if m.word("clip", "ppo") == "cispo" {
		m.input("advantage", m.bell(0, b.n))
		return
	}
	b.tokens(m, "advantage", m.bell(0, b.n, b.l))
}

// vocabulary adds logits and tokens in the place of log-probabilities.
func (m *maker) vocabulary() {
	m.prefer(dtype.F32)
	m.aggregated()
	b, vocab := m.batch(), m.size(12, 1024)
	z := m.bell(0, b.n, b.l, vocab)
	m.input("logits", z)
	m.input("tokens", ids(0, vocab, b.n, b.l))
	b.tokens(m, "old_logprob", m.level(-2.5, 0, b.n, b.l))
	if m.word("kl", "none") != "none" {
		b.tokens(m, "ref_logprob", m.level(-2.5, 0, b.n, b.l))
	}
	b.tokens(m, "advantage", m.bell(0, b.n, b.l))
}

func divergence(m *maker, estimator string) {
	m.prefer(dtype.F32)
	m.set("estimator", estimator)
	if m.word("estimator", "k1") == "k3" {
		m.set("limit", 3)
	}
	b := m.batch()
	b.tokens(m, "logprob", m.level(-4.5, 2, b.n, b.l))
	b.tokens(m, "ref_logprob", m.level(-4.5, 2, b.n, b.l))
}

func recursion(m *maker) {
	m.prefer(dtype.F32)
	m.set("gamma", 0.9)
	m.set("lambda", 0.8)
	m.set("whiten", true)
	b := m.batch()
	b.tokens(m, "rewards", around(0.5, m.bell(0, b.n, b.l)))
	b.tokens(m, "values", around(0.5, m.bell(0, b.n, b.l)))
}

func values(m *maker, aggregate string) {
	m.prefer(dtype.F32)
	m.set("aggregate", aggregate)
	if _, given := m.Attrs["clip"]; !given {
		m.set("clip", 0.3)
	}
	m.aggregated()
	b := m.batch()
	b.tokens(m, "old_values", m.level(0.25, 0, b.n, b.l))
	b.tokens(m, "values", m.level(0.25, 0, b.n, b.l))
	b.tokens(m, "returns", m.level(0.5, 0, b.n, b.l))
}

var groupAdvantage = []design{
	{
		"sample",
		"groups that are mixed, of rewards around different means, one of them far above the deviation, one of one " +
			"output, the sample's deviation, eps that counts",
		func(m *maker) { m.set("std", "sample"); groups(m) },
	},
	{
		"none",
		"the same without a division by the deviation",
		func(m *maker) { m.set("std", "none"); groups(m) },
	},
}

var preferenceLoss = []design{
	{
		"smoothed",
		"pairs of very different margins and lengths, smoothed labels, log-probabilities per token",
		func(m *maker) {
			m.set("label_smoothing", 0.2)
			m.set("length_normalize", true)
			pairs(m, 3)
		},
	},
	{
		"ipo",
		"the same with the loss of IPO, and sums over tokens",
		func(m *maker) {
			m.set("kind", "ipo")
			pairs(m, 0)
		},
	},
}

var logProbs = []design{
	{
		"stable",
		"logits around 50 in the stable form, tokens that are excluded, a temperature of ½, which rounds " +
			"nothing",
		func(m *maker) {
			m.Arithmetic["form"] = "stable"
			m.set("temperature", 0.5)
			sampled(m, 50, false)
		},
	},
	{
		"kept",
		"tokens that the sampler kept, rows that are ignored, a temperature of 0.6",
		func(m *maker) { m.set("ignore_index", -1); sampled(m, 0, true) },
	},
	{
		"below",
		"logits around −60, tokens that are excluded, a temperature of ½",
		func(m *maker) { m.set("temperature", 0.5); sampled(m, -60, false) },
	},
}

var crossEntropies = []design{
	{
		"float32",
		"rows that are ignored and hold NaN, the first too, a temperature of 0.7, chunks of rows and of the vocabulary",
		func(m *maker) { m.prefer(dtype.F32); crossEntropy(m) },
	},
	{
		"narrow",
		"the same in BF16",
		crossEntropy,
	},
}

var mismatches = []design{
	{
		"heads",
		"hidden states that differ, most where the mask hides it, and a temperature of 0.6",
		engines,
	},
}

func groups(m *maker) {
	n := m.size(40, 1024)
	ids, x := make([]int, n), m.bell(0, n)
	m.prefer(dtype.F32)
	x.Type = m.float
	m.set("eps", 0.05)
	for i := range n {
		ids[i] = (i * i) % 7
		mean := float64(ids[i])
		if ids[i] == 4 {
			mean = 4096
		}
		x = planted(x, edit(mean+math.Ldexp(float64((i*37)%64-32), -5-ids[i]%3), i))
	}
	ids[n-1] = 9
	m.input("rewards", x)
	m.integers("group", ids, n)
}

// pairs makes margins of up to a few units of 1/β, whatever divides them.
func pairs(m *maker, exp2 int) {
	m.prefer(dtype.F32)
	n := m.size(24, 512)
	m.set("beta", 0.3)
	for _, name := range []string{"ref_chosen", "ref_rejected"} {
		m.input(name, m.level(-90, 4, n))
	}
	m.input("chosen", m.level(-88, 3+exp2, n))
	m.input("rejected", m.level(-92, 3+exp2, n))
	m.input("lengths_chosen", ids(1, 60, n))
	m.input("lengths_rejected", ids(1, 60, n))
}

func sampled(m *maker, level float32, kept bool) {
	m.prefer(dtype.F32)
	n, vocab := m.size(20, 28), m.size(60, 129280)
	if _, given := m.Attrs["temperature"]; !given {
		m.set("temperature", 0.6)
	}
	z, keep, tokens := around(level, m.bell(1, n, vocab)), ids(0, 2, n, vocab), make([]int, n)
	for i := range n {
		tokens[i] = (i*17 + 5) % vocab
		z = planted(z, edit(math.Inf(-1), i, (tokens[i]+3)%vocab))
		keep = planted(keep, edit(1, i, tokens[i]))
		if m.Attrs["ignore_index"] != nil && i%5 == 2 {
			tokens[i] = int(m.number("ignore_index", -1))
		}
	}
	m.input("logits", z)
	m.integers("tokens", tokens, n)
	if kept {
		m.input("kept", as(dtype.U8, keep))
	}
}

func crossEntropy(m *maker) {
	n, d, vocab := m.size(20, 64), m.size(24, 7168), m.size(70, 129280)
	m.set("temperature", 0.7)
	ignore := int(m.number("ignore_index", -100))
	hidden, targets := m.bell(0, n, d), make([]int, n)
	for i := range n {
		targets[i] = (i*17 + 5) % vocab
		if i%4 == 1 || i == 0 || i == n-2 {
			targets[i] = ignore
			hidden = planted(hidden, edit(poison, i))
		}
	}
	m.input("hidden", hidden)
	m.weight("weight", 1, vocab, d)
	m.integers("targets", targets, n)
}

func engines(m *maker) {
	n, d, vocab := m.size(40, 128), m.size(24, 7168), m.size(40, 129280)
	m.set("temperature", 0.6)
	m.set("limit", 1.5)
	m.input("hidden_a", m.bell(0, n, d))
	m.input("hidden_b", planted(around(0.0625, m.bell(0, n, d)), edit(1, 3)))
	m.weight("weight_a", 1, vocab, d)
	m.input("tokens", ids(0, vocab, n))
	mask := as(dtype.U8, ids(1, 2, n))
	for i := 3; i < n; i += 5 {
		mask = planted(mask, edit(0, i))
	}
	m.input("mask", mask)
}
