package mtp

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"plumbline/attention"
	"plumbline/policy"
)

// Distribution returns the probabilities that a token is sampled with at a temperature.
//
//	p = softmax(z/T),  and at T = 0 one for the largest z, the first of equals
//
// logits is [V] and so is the result. Draft and model have to be at the temperature that is wanted,
// both: Accept on others emits another distribution, which cannot be seen at T = 1. At T = 0 Accept
// keeps a drafted token where it is the model's choice, and nothing is random. It implements
// Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network (1), with its limit.
func Distribution(logits []float64, temperature float64) []float64 {
	p := make([]float64, len(logits))
	if temperature == 0 {
		p[floats.MaxIdx(logits)] = 1
		return p
	}
	for x, l := range policy.LogSoftmax(logits, temperature) {
		p[x] = math.Exp(l)
	}
	return p
}

// AcceptGreedy verifies a draft at temperature 0 and returns how many of its tokens are kept, and
// the token after them.
//
//	accepted = the longest prefix with x_i = argmax p_i,  next = argmax p_{accepted+1}
//
// draft has k tokens, greedy k+1, the model's choices at each and after them. It is Accept on
// distributions of temperature 0, whatever the numbers it is given. It implements Blockwise
// Parallel Decoding (Stern et al. 2018), section 3, its verify and accept.
func AcceptGreedy(draft, greedy []int) (accepted, next int) {
	if len(greedy) != len(draft)+1 {
		panic(badShapes)
	}
	for accepted < len(draft) && draft[accepted] == greedy[accepted] {
		accepted++
	}
	return accepted, greedy[accepted]
}

// Blockwise decodes greedily with a model of n heads that drafts for itself, and returns the tokens
// and how often the model was run.
//
//	predict: x̂_{t+1} … x̂_{t+n} from heads 1 … n at t
//	verify:  run the model on them; head 1 at t+i says what follows x̂_{t+i}
//	accept:  the longest prefix that head 1 agrees with, and predict from its end
//
// prompt has one token or more; the result has length more. heads returns for each position of a
// sequence what its n heads choose, head 1 the next token: [positions][n]. The first of a draft is
// head 1's and always right, so that with n heads a run yields 1 to n tokens; the run on the prompt
// yields none. The tokens are those of plain greedy decoding, whatever the other heads say. It
// implements Blockwise Parallel Decoding (Stern et al. 2018), section 3, and Multi-token Prediction
// (Gloeckle et al. 2024), section 3.2.
func Blockwise(prompt []int, length int, heads func(tokens []int) [][]int) (tokens []int, runs int) {
	tokens = slices.Clone(prompt)
	draft := heads(tokens)[len(tokens)-1]
	for runs = 1; len(tokens) < len(prompt)+length; runs++ {
		choices := heads(slices.Concat(tokens, draft))[len(tokens):]
		greedy := make([]int, len(draft))
		for i := range greedy {
			greedy[i] = choices[i][0] // what follows draft[i]
		}
		accepted, _ := AcceptGreedy(draft[1:], greedy)
		tokens = append(tokens, draft[:accepted+1]...)
		draft = choices[accepted]
	}
	return tokens[:len(prompt)+length], runs
}

// Rewind returns the cache after a draft was verified: without the tokens that were refused.
//
//	T' = T + 1 + accepted
//
// c is the cache of one head after the run that verified, with T + 1 + k tokens: before, its T
// tokens before the run, then the token that the draft follows, then the k drafted. What is kept is
// what a run on the accepted tokens alone would have written, since no row depends on a later one;
// next, which replaces the refused one, has no row yet: it is the first of the run to come. Differs
// in code: one row too many or too few, which the next draft is then built on; with pages only
// lengths change, and rows beyond them stay until they are written over. It implements Speculative
// Decoding (Leviathan et al. 2022), algorithm 1, for a cache (derived).
func Rewind(c attention.Cache, before, accepted int) attention.Cache {
	kept := before + 1 + accepted
	if kept > c.Len() {
		panic(badShapes)
	}
	return attention.Cache{K: first(c.K, kept), V: first(c.V, kept)}
}
