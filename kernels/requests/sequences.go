package main

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// sequences is the geometry of a batch of tokens [N,L], and which of them count.
type sequences struct {
	N, L  int
	lens  []int // of each sequence; nil: L
	holes int   // every holes-th token is a tool's, which does not count; 0: none
	stale bool  // what does not count is finite; otherwise NaN
	mask  dtype.Type
}

// counts tells whether token t of sequence i does.
func (s sequences) counts(i, t int) bool {
	return (s.lens == nil || t < s.lens[i]) && (s.holes == 0 || t%s.holes != s.holes-1)
}

// whole tells whether all tokens count.
func (s sequences) whole() bool { return s.lens == nil && s.holes == 0 }

// masked adds the mask: stored, or where all tokens count as a recipe.
func (b *builder) masked(s sequences) {
	if s.mask == dtype.Invalid {
		s.mask = dtype.U8
	}
	if s.whole() {
		b.make("mask", recipe{Type: s.mask, Shape: []int{s.N, s.L}, Dist: "ints", Lo: 1, Hi: 2})
		return
	}
	mask := make([]float64, s.N*s.L)
	for at := range mask {
		if s.counts(at/s.L, at%s.L) {
			mask[at] = 1
		}
	}
	b.store("mask", s.mask, mask, s.N, s.L)
}

// tokens adds an input [N,L], NaN where the mask has 0 unless that is stale.
func (b *builder) tokens(name string, s sequences, rc recipe) {
	for i := range s.N {
		if s.stale || s.whole() {
			break
		}
		if s.lens != nil && s.lens[i] == 0 {
			rc = planted(rc, edit(poison, i))
			continue
		}
		for t := range s.L {
			if !s.counts(i, t) {
				rc = planted(rc, edit(poison, i, t))
			}
		}
	}
	b.make(name, rc)
}

// spread is a recipe [N,L] around a level; exp2 says how wide.
func (b *builder) spread(s sequences, level float32, exp2 int) recipe {
	return shifted(level, b.bell(exp2, s.N, s.L))
}

// edges are lengths around warps and blocks.
func edges(around ...int) (lens []int) {
	for _, n := range around {
		lens = append(lens, n-1, n, n+1)
	}
	return lens
}

// upTo is the geometry of sequences of those lengths.
func upTo(lens ...int) sequences {
	return sequences{N: len(lens), L: slices.Max(lens), lens: lens}
}

// ragged is a batch that most conventions are tried on: lengths that differ, one of 1 and one
// empty, and as many tokens in either half as makes means differ.
var ragged = upTo(37, 20, 0, 64, 1, 33, 50, 9)

// with returns s changed.
func (s sequences) with(change func(s *sequences)) sequences {
	change(&s)
	return s
}

// withTools leaves out every fifth token.
func withTools(s *sequences) { s.holes = 5 }

var minusInfinity = math.Inf(-1)
