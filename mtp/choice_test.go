package mtp_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// choiceAt returns transitions of which one is a choice point.
func choiceAt(c, transitions int) []bool {
	choices := make([]bool, transitions)
	choices[c] = true
	return choices
}

func TestImplicitWeights(t *testing.T) {
	t.Run("with one head every transition has one term", func(t *testing.T) {
		for _, w := range mtp.ImplicitWeights(choiceAt(5, 11), 1) {
			check.Near(t, "weight", float64(w), 1, 0)
		}
	})
	for n := 1; n <= 8; n++ {
		w := mtp.ImplicitWeights(choiceAt(20, 41), n)
		t.Run(fmt.Sprintf("with %d heads a choice point has n(n+1)/2 of them", n), func(t *testing.T) {
			check.Near(t, "weight", float64(w[20]), float64(mtp.ChoiceWeight(n)), 0)
		})
		t.Run(fmt.Sprintf("and another transition %d, before it and long after", n), func(t *testing.T) {
			check.Near(t, "before", float64(w[19]), float64(n), 0)
			check.Near(t, "after", float64(w[20+n]), float64(n), 0)
		})
	}
	// What it has more, n(n+1)/2 − n = n(n−1)/2, the n−1 transitions behind it lack: 1, 2, …, n−1.
	t.Run("what the choice point has more, those behind it have less", func(t *testing.T) {
		w := mtp.ImplicitWeights(choiceAt(4, 12), 4)
		for s, want := range []int{1, 2, 3, 4, 10, 1, 2, 3, 4, 4, 4, 4} {
			check.Near(t, fmt.Sprint(s), float64(w[s]), float64(want), 0)
		}
	})
	t.Run("figure 9: three heads make six terms of the transition 5 → A", func(t *testing.T) {
		check.Near(t, "3 → A, 4 → A, 4 → B, 5 → A, 5 → B, 5 → C",
			float64(mtp.ImplicitWeights(choiceAt(4, 8), 3)[4]), 6, 0)
	})
	t.Run("a term across two choice points counts for both", func(t *testing.T) {
		w := mtp.ImplicitWeights([]bool{false, true, true, false, false}, 2)
		for s, want := range []int{1, 3, 3, 1, 2} {
			check.Near(t, fmt.Sprint(s), float64(w[s]), float64(want), 0)
		}
	})
	t.Run("without transitions there are no terms", func(t *testing.T) {
		check.Near(t, "weights", float64(len(mtp.ImplicitWeights(nil, 4))), 0, 0)
	})
}

// A text that counts up from 0, and a model that is sure of it, but for a turn after token 7 that
// leads to other numbers: of those it is half sure. Each prediction beyond the turn, made before
// it, costs ln 2, and no other costs anything.
func TestChoiceWeight(t *testing.T) {
	const last, length, vocabulary = 7, 16, 64
	tokens := make([]int, length)
	for i := range tokens {
		tokens[i] = i
	}
	for n := 1; n <= 8; n++ {
		t.Run(fmt.Sprintf("a turn costs %d heads n(n+1)/2 times what it costs one", n), func(t *testing.T) {
			var heads []*mat.Dense
			for i := 1; i <= n; i++ {
				z := sure(tokens, length, vocabulary, i-1)
				for at := max(0, last-i+1); at <= last; at++ {
					z.Set(at, at+i+32, 1000) // the wrong turn, as likely
				}
				heads = append(heads, z)
			}
			check.Near(t, "loss", mtp.FactorisedLoss(heads, tokens), float64(mtp.ChoiceWeight(n))*math.Ln2, 256*u)
		})
	}
	t.Run("it is (n+1)/2 times an inconsequential transition's n", func(t *testing.T) {
		for n := 1; n <= 8; n++ {
			check.Near(t, fmt.Sprint(n), float64(mtp.ChoiceWeight(n))/float64(n), float64(n+1)/2, 0)
		}
	})
}

func TestImportance(t *testing.T) {
	t.Run("a decision between 0 and 1, even, has ½; between equals none", func(t *testing.T) {
		check.Near(t, "σ", mtp.DecisionImportance([]float64{0.5, 0.5}, []float64{0, 1}), 0.5, 0)
		check.Near(t, "σ", mtp.DecisionImportance([]float64{0.5, 0.25, 0.25}, []float64{3, 3, 3}), 0, 0)
	})
	t.Run("of one that is made already none, whatever the others would be worth", func(t *testing.T) {
		check.Near(t, "σ", mtp.DecisionImportance([]float64{1, 0}, []float64{2, math.Inf(1)}), 0, 0)
	})
	// p(1−p) for a reward of 1 with probability p.
	t.Run("a turn that is missed one time in five has √(0.2 · 0.8)", func(t *testing.T) {
		check.Near(t, "σ", mtp.DecisionImportance([]float64{0.8, 0.2}, []float64{1, 0}), 0.4, 4*u)
	})
	t.Run("sizes have to agree", func(t *testing.T) {
		check.Panics(t, badDistributions, func() { mtp.DecisionImportance([]float64{1}, nil) })
	})
}
