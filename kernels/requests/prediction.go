package main

import (
	"math"

	"plumbline/numbers/dtype"
)

// joined adds what the module of one depth takes: n rows of d columns, whose combinations are
// around 1.
func (b *builder) joined(n, d, hidden, embedding int) {
	b.make("hidden", b.bell(hidden, n, d))
	b.make("embedding", b.bell(embedding, n, d))
	b.make("norm_hidden", around(1, b.bell(-2, d)))
	b.make("norm_embedding", around(1, b.bell(-2, d)))
	b.make("projection", b.bell(-halfLog2(2*d), d, 2*d))
}

var combinations = []request{
	{name: "plain", catch: "the halves exchanged", build: func(b *builder) { b.joined(24, 64, 0, 0) }},
	{name: "embedding-first", catch: "the order of the paper where that of released weights is declared",
		build: func(b *builder) {
			b.set("order", "embedding_first")
			b.joined(24, 64, 0, 0)
		}},
	{name: "mask-first", catch: "an embedding of the first position where an engine has none", build: func(b *builder) {
		b.set("mask_first", true)
		b.joined(5, 64, 0, 0)
	}},
	{name: "hidden-large", catch: "hidden states that are not normalised: they are 64 times the embeddings",
		build: func(b *builder) { b.joined(20, 96, 4, -2) }},
	{name: "embedding-large", catch: "embeddings that are not normalised", build: func(b *builder) {
		b.joined(20, 96, -2, 4)
	}},
	{name: "small", catch: "ε outside the root: the embeddings are so small that it decides", build: func(b *builder) {
		b.joined(16, 128, 0, -11)
	}},
	{name: "epsilon", catch: "ε left at a default where 1e-5 is declared", build: func(b *builder) {
		b.set("eps", 1e-5)
		b.joined(16, 128, -8, -8)
	}},
	{name: "ragged", catch: "widths that no tile divides: halves meet inside one", build: func(b *builder) {
		b.joined(13, 72, 0, 0)
	}},
	{name: "odd", types: wide, catch: "widths that nothing divides", build: func(b *builder) { b.joined(9, 37, 0, 0) }},
	{name: "deep", catch: "a tile overwritten before all have read it: widths of several tiles",
		build: func(b *builder) {
			b.set("order", "embedding_first")
			b.joined(9, 328, 0, 0)
		}},
	{name: "crowded", catch: "more rows than a tile has", build: func(b *builder) { b.joined(75, 32, 0, 0) }},
	{name: "one-row", catch: "one row, which is the first", build: func(b *builder) { b.joined(1, 64, 0, 0) }},
	{name: "one-row-masked", catch: "one row, without an embedding", build: func(b *builder) {
		b.set("mask_first", true)
		b.joined(1, 64, 0, 0)
	}},
	{name: "zero-row", catch: "an embedding of zeros divided by 0", build: func(b *builder) {
		b.joined(6, 64, 0, 0)
		b.make("embedding", planted(b.bell(0, 6, 64), edit(0, 2)))
	}},
	{name: "weight-f32", types: narrow, catch: "float32 weights of the norms read as bf16", build: func(b *builder) {
		b.joined(12, 64, 0, 0)
		b.make("norm_hidden", as(dtype.F32, around(1, b.bell(-2, 64))))
		b.make("norm_embedding", as(dtype.F32, around(1, b.bell(-2, 64))))
	}},
	{name: "v3", full: true, types: narrow, catch: "DeepSeek-V3's projection, 14336 columns to 7168",
		build: func(b *builder) {
			b.set("order", "embedding_first")
			b.joined(64, 7168, 0, 0)
		}},
	{name: "v3-many", full: true, types: narrow, folder: large, catch: "the same for enough rows to be timed",
		build: func(b *builder) {
			b.set("order", "embedding_first")
			b.joined(4096, 7168, 0, 0)
		}},
}

// predicted adds logits of all depths and known tokens. Tokens rise with their position, so that
// one that is off by a position is another.
func (b *builder) predicted(depth, positions, vocab, known, exp2 int) {
	b.make("logits", b.bell(exp2, depth, positions, vocab))
	tokens := make([]float64, known)
	for at := range tokens {
		tokens[at] = float64((at*37 + vocab - 1) % vocab)
	}
	b.store("tokens", dtype.I64, tokens, known)
}

// divided is a loss whose divisor is the number of positions that count.
func (b *builder) divided() { b.set("divisor", "valid") }

var predictionLosses = []request{
	{name: "plain", catch: "labels shifted twice", build: func(b *builder) { b.predicted(1, 24, 500, 25, 1) }},
	{name: "valid", catch: "a mean over positions that predict nothing", build: func(b *builder) {
		b.divided()
		b.predicted(1, 24, 500, 24, 1)
	}},
	{name: "two-depths", catch: "λ for each depth where λ/D is declared", build: func(b *builder) {
		b.predicted(2, 20, 300, 21, 1)
	}},
	{name: "three-depths", catch: "the last positions of each depth, which wrap around to the first tokens",
		build: func(b *builder) {
			b.divided()
			b.predicted(3, 9, 333, 10, 1)
		}},
	{name: "all-count", catch: "tokens behind the sequence that are not used", build: func(b *builder) {
		b.divided()
		b.predicted(2, 15, 200, 18, 1)
	}},
	{name: "more-tokens", catch: "tokens that nobody predicts", build: func(b *builder) {
		b.predicted(2, 7, 100, 30, 1)
	}},
	{name: "none-counts", catch: "depths that predict nothing: a loss of 0", build: func(b *builder) {
		b.predicted(3, 2, 40, 2, 1)
	}},
	{name: "some-count", catch: "depths that predict something beside one that does not", build: func(b *builder) {
		b.predicted(3, 4, 40, 4, 1)
	}},
	{name: "last-counts", catch: "a depth that predicts one token", build: func(b *builder) {
		b.divided()
		b.predicted(3, 4, 40, 5, 1)
	}},
	{name: "one-position", catch: "a grid of one block", build: func(b *builder) { b.predicted(1, 1, 1000, 3, 1) }},
	{name: "one-word", catch: "a vocabulary of one: a loss of 0", build: func(b *builder) {
		b.predicted(2, 5, 1, 6, 1)
	}},
	{name: "two-words", catch: "a vocabulary of two", build: func(b *builder) { b.predicted(2, 40, 2, 41, 0) }},
	{name: "weight", catch: "λ left at a default where 0.1 is declared", build: func(b *builder) {
		b.set("weight", 0.1)
		b.predicted(1, 12, 700, 13, 1)
	}},
	{name: "odd", catch: "rows that are not aligned", build: func(b *builder) { b.predicted(3, 5, 1001, 7, 1) }},
	{name: "sharp", catch: "probabilities clipped from below before the logarithm", build: func(b *builder) {
		b.predicted(1, 12, 400, 13, 5)
	}},
	{name: "excluded", catch: "excluded tokens, −∞, that make NaN of the sum", build: func(b *builder) {
		b.predicted(1, 4, 60, 5, 1)
		rc := b.bell(1, 1, 4, 60)
		for j := range 60 {
			if j%7 == 3 {
				rc = planted(rc, edit(minusInfinity, 0, 1, j))
			}
		}
		b.make("logits", rc)
	}},
	{name: "many-positions", catch: "sums over more positions than a block has threads", build: func(b *builder) {
		b.divided()
		b.predicted(2, 270, 24, 271, 1)
	}},
	{name: "v3", full: true, catch: "DeepSeek-V3's vocabulary, 129280, and its one depth", build: func(b *builder) {
		b.predicted(1, 32, 129280, 33, 1)
	}},
	{name: "v3-many", full: true, types: narrow, folder: large,
		catch: "enough rows of 129280 logits to measure bandwidth", build: func(b *builder) {
			b.predicted(1, 2048, 129280, 2049, 1)
		}},
}

// chain is a batch of drafts and the probabilities they are judged by.
type chain struct {
	B, k, vocab int
	q, p        func(row, token int) float64 // weights of a row of each, not normalised
}

// spiky is a distribution that has every token, and some more than others.
func spiky(row, token int) float64 {
	return 1 + float64((token*token*7+token*(row+3)+row*5)%23)*float64((token+row)%3)
}

// flatter is one that is like spiky, but not the same.
func flatter(row, token int) float64 { return 12 + spiky(row+1, token) }

// alike is flatter's other name for both sides: every draft is accepted.
func alike(row, token int) float64 { return flatter(row, token) }

// evens and odds have no token in common.
func evens(row, token int) float64 { return float64(1-token%2) * flatter(row, token) }
func odds(row, token int) float64  { return float64(token%2) * flatter(row, token) }

// sure has all on one token.
func sure(row, token int) float64 {
	if token == 5*row%7 {
		return 1
	}
	return 0
}

// drafted adds a chain, its rows normalised and rounded; every draft has a probability of its own
// side.
func (b *builder) drafted(c chain) {
	b.rows("draft_probs", c.B, c.k, c.vocab, c.q)
	b.rows("target_probs", c.B, c.k+1, c.vocab, c.p)
	tokens := make([]float64, 0, c.B*c.k)
	for row := range c.B {
		for i := range c.k {
			token := (row*11 + i*5) % c.vocab
			for c.q(row*c.k+i, token) == 0 {
				token = (token + 1) % c.vocab
			}
			tokens = append(tokens, float64(token))
		}
	}
	b.store("draft_tokens", dtype.I32, tokens, c.B, c.k)
	b.make("uniforms", between(0.5, -1, c.B, c.k+1))
}

// rows stores distributions.
func (b *builder) rows(name string, B, k, vocab int, weight func(row, token int) float64) {
	all := make([]float64, 0, B*k*vocab)
	for row := range B * k {
		sum := 0.0
		for token := range vocab {
			sum += weight(row, token)
		}
		for token := range vocab {
			all = append(all, weight(row, token)/sum)
		}
	}
	b.store(name, b.t, all, B, k, vocab)
}

var acceptances = []request{
	{name: "plain", catch: "a rejected draft replaced from p where the residual is declared",
		build: func(b *builder) { b.drafted(chain{12, 3, 40, spiky, flatter}) }},
	{name: "sharper", types: wide, catch: "drafts accepted with p where p/q is declared", build: func(b *builder) {
		b.drafted(chain{12, 3, 40, flatter, spiky})
	}},
	{name: "one", types: wide, catch: "one draft of a vocabulary of two", build: func(b *builder) {
		b.drafted(chain{1, 1, 2, spiky, flatter})
	}},
	{name: "equal", types: wide, catch: "a draft rejected where both sides agree", build: func(b *builder) {
		b.drafted(chain{6, 4, 30, alike, alike})
	}},
	{name: "disjoint", types: wide, catch: "a draft accepted that the model excludes", build: func(b *builder) {
		b.drafted(chain{6, 2, 31, evens, odds})
	}},
	{name: "half", types: wide, catch: "tokens without a residual drawn: the draft has every second alone",
		build: func(b *builder) { b.drafted(chain{10, 2, 33, evens, flatter}) }},
	{name: "sure", types: wide, catch: "distributions that are all on one token, as at temperature 0",
		build: func(b *builder) { b.drafted(chain{8, 3, 7, spiky, sure}) }},
	{name: "long", types: wide, catch: "a chain of eight drafts", build: func(b *builder) {
		b.drafted(chain{4, 8, 60, spiky, flatter})
	}},
	{name: "wide-indices", types: wide, catch: "numbers of 64 bits", build: func(b *builder) {
		b.Provenance["outputs"] = map[string]any{"accepted": "I64", "next_token": "I64"}
		b.drafted(chain{5, 2, 20, spiky, flatter})
	}},
	{name: "ends", types: wide, catch: "uniforms of 0 and just below 1: the first and the last token that has a weight",
		build: func(b *builder) {
			b.drafted(chain{4, 1, 26, evens, odds})
			below := 1 - math.Ldexp(1, -24)
			b.store("uniforms", dtype.F32, []float64{0, 0, below, below, 0, below, below, 0}, 4, 2)
		}},
	{name: "tiles", types: wide, catch: "sums of tiles of 2048 entries that are carried on wrongly",
		build: func(b *builder) { b.generated(6, 2, 4099, -11) }},
	{name: "v3", full: true, types: wide, catch: "DeepSeek-V3's vocabulary: rows that do not sum to 1 exactly",
		build: func(b *builder) { b.generated(4, 2, 129280, -16) }},
	{name: "v3-many", full: true, types: wide, folder: large, catch: "enough rows of 129280 to measure bandwidth",
		build: func(b *builder) { b.generated(512, 1, 129280, -16) }},
}

// generated adds chains whose probabilities are recipes, up to 2^exp2 and so about 1 in all. The
// drafts of every second row are ten times as likely to the draft as to the model.
func (b *builder) generated(B, k, vocab, exp2 int) {
	level := float32(math.Ldexp(1, exp2-1))
	q, p := between(level, exp2-1, B, k, vocab), between(level, exp2-1, B, k+1, vocab)
	tokens := make([]float64, 0, B*k)
	for row := range min(B, 64) {
		for i := range k {
			token := (row*7919 + i*997) % vocab
			q = planted(q, edit(0.25, row, i, token))
			p = planted(p, edit(0.25*math.Pow(0.1, float64((row+i)%2)), row, i, token))
		}
	}
	for row := range B {
		for i := range k {
			tokens = append(tokens, float64((row*7919+i*997)%vocab))
		}
	}
	b.make("draft_probs", q)
	b.make("target_probs", p)
	b.store("draft_tokens", dtype.I32, tokens, B, k)
	b.make("uniforms", between(0.5, -1, B, k+1))
}
