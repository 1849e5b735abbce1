package main

import "plumbline/numbers/dtype"

// classified adds hidden states, the weights of a vocabulary, and targets, of which every skip-th
// is not there (0: all are). Logits are around 2^exp2.
func (b *builder) classified(n, d, vocab, exp2, skip int, ignored float64) {
	b.make("hidden", b.bell(0, n, d))
	b.make("weight", b.bell(exp2-halfLog2(d), vocab, d))
	targets := make([]float64, n)
	for i := range targets {
		targets[i] = float64((i*61 + vocab - 1) % vocab)
		if skip > 0 && i%skip == skip-1 {
			targets[i] = ignored
		}
	}
	b.store("targets", dtype.I64, targets, n)
}

// ignore is what frameworks leave a target out by.
const ignore = -100

var crossEntropies = []request{
	{name: "plain", catch: "gradients without the 1 of the target", build: func(b *builder) {
		b.classified(24, 64, 200, 0, 0, ignore)
	}},
	{name: "ignored", catch: "ignored targets that count in the mean", build: func(b *builder) {
		b.classified(24, 64, 150, 0, 3, ignore)
	}},
	{name: "ignored-sum", catch: "a mean where a sum is declared", build: func(b *builder) {
		b.set("reduction", "sum")
		b.classified(20, 64, 150, 0, 4, ignore)
	}},
	{name: "padding", catch: "−100 alone ignored where the padding's own token is declared", build: func(b *builder) {
		b.set("ignore_index", 3)
		b.classified(16, 64, 90, 0, 4, 3)
	}},
	{name: "one-counts", catch: "a gradient of a row that is ignored", build: func(b *builder) {
		b.set("reduction", "sum")
		b.classified(2, 32, 40, 0, 2, ignore)
	}},
	{name: "temperature", catch: "logits that are not divided by the temperature, 0.6", build: func(b *builder) {
		b.set("temperature", 0.6)
		b.classified(16, 64, 130, 1, 0, ignore)
	}},
	{name: "warm", catch: "a gradient that is not divided by the temperature, 2", build: func(b *builder) {
		b.set("temperature", 2.0)
		b.classified(16, 64, 130, 1, 5, ignore)
	}},
	{name: "ragged", catch: "vocabularies and widths that no tile divides", build: func(b *builder) {
		b.classified(13, 72, 333, 0, 0, ignore)
	}},
	{name: "odd", types: wide, catch: "widths that nothing divides", build: func(b *builder) {
		b.classified(9, 37, 101, 0, 4, ignore)
	}},
	{name: "crowded", catch: "more rows than a tile has", build: func(b *builder) {
		b.classified(150, 32, 70, 0, 7, ignore)
	}},
	{name: "chunks", catch: "a last chunk of the vocabulary that is dropped: it has four tokens",
		build: func(b *builder) { b.classified(6, 32, 4100, 0, 0, ignore) }},
	{name: "sharp", catch: "sums that are not scaled when a larger logit comes in a later tile",
		build: func(b *builder) { b.classified(12, 64, 260, 4, 0, ignore) }},
	{name: "one-row", catch: "a grid of one block", build: func(b *builder) {
		b.classified(1, 64, 100, 0, 0, ignore)
	}},
	{name: "one-word", catch: "a vocabulary of one: a loss and gradients of 0", build: func(b *builder) {
		b.classified(5, 32, 1, 0, 0, ignore)
	}},
	{name: "two-words", catch: "a vocabulary of two", build: func(b *builder) {
		b.classified(10, 32, 2, 0, 0, ignore)
	}},
	{name: "v3-vocabulary", full: true, types: narrow,
		catch: "DeepSeek-V3's vocabulary, 129280, a sixteenth of its width", build: func(b *builder) {
			b.withoutWeights()
			b.classified(64, 448, 129280, 1, 9, ignore)
		}},
	{name: "v3", full: true, types: narrow, folder: large,
		catch: "DeepSeek-V3's head, 129280 × 7168: the loss and the gradient of hidden states",
		build: func(b *builder) {
			b.withoutWeights()
			b.classified(64, 7168, 129280, 1, 9, ignore)
		}},
}

// withoutWeights asks for no gradient of the weights, which are as large as these.
func (b *builder) withoutWeights() { b.Provenance["outputs"] = map[string]any{"dweight": "none"} }
