package mtp_test

import (
	"fmt"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
	"plumbline/mtp"
)

func TestDistribution(t *testing.T) {
	z := []float64{1, 3, 3, -2}

	t.Run("at temperature 0 the first of the largest logits has all", func(t *testing.T) {
		check.NearAll(t, "p", mtp.Distribution(z, 0), []float64{0, 1, 0, 0}, 0)
	})
	// e^{−2/0.01} is 0 beside 1; the two largest share.
	t.Run("a low temperature comes near it, but for ties", func(t *testing.T) {
		check.NearAll(t, "p", mtp.Distribution(z, 0.01), []float64{0, 0.5, 0.5, 0}, 4*u)
	})
	t.Run("at a high one all tokens are alike", func(t *testing.T) {
		check.NearAll(t, "p", mtp.Distribution(z, 1e6), []float64{0.25, 0.25, 0.25, 0.25}, 1e-6)
	})
	t.Run("a draft at another temperature is kept less often, and p comes out all the same", func(t *testing.T) {
		z := check.Random(1, 6, 2)
		p, cold := mtp.Distribution(z, 1), mtp.Distribution(z, 0.5)
		check.Apart(t, "α", mtp.AcceptanceRate(p, cold), 1, 0.05)
		check.NearAll(t, "e", mtp.Emitted(p, cold), p, 32*u)
	})
	t.Run("a model left at 1 emits what 1 has, and not what was asked for", func(t *testing.T) {
		z, zq := check.Random(1, 6, 2), check.Random(2, 6, 2)
		emitted := mtp.Emitted(mtp.Distribution(z, 1), mtp.Distribution(zq, 0.5))
		check.NearAll(t, "e", emitted, mtp.Distribution(z, 1), 32*u)
		check.Apart(t, "from T = 0.5", floats.Distance(emitted, mtp.Distribution(z, 0.5), 1), 0, 0.1)
	})
}

func TestAcceptGreedy(t *testing.T) {
	t.Run("the longest prefix that agrees is kept, what agrees after it is not", func(t *testing.T) {
		for _, c := range []struct {
			draft, greedy  []int
			accepted, next int
		}{
			{[]int{1, 2, 3}, []int{1, 2, 3, 4}, 3, 4},
			{[]int{1, 9, 3}, []int{1, 2, 3, 4}, 1, 2},
			{[]int{9, 2, 3}, []int{1, 2, 3, 4}, 0, 1},
			{nil, []int{7}, 0, 7},
		} {
			accepted, next := mtp.AcceptGreedy(c.draft, c.greedy)
			if accepted != c.accepted || next != c.next {
				t.Errorf("%v, %v: %d kept, then %d", c.draft, c.greedy, accepted, next)
			}
		}
	})
	// One-hot rows: p/q is 1 where both choose a token, 0 where the model does not.
	t.Run("it is Accept at temperature 0, whatever the uniform numbers", func(t *testing.T) {
		for seed := range uint64(50) {
			z, zq := matrix(seed, 4, 3), matrix(100+seed, 3, 3)
			p, q := mat.NewDense(4, 3, nil), mat.NewDense(3, 3, nil)
			draft, greedy := make([]int, 3), make([]int, 4)
			for i := range greedy {
				p.SetRow(i, mtp.Distribution(z.RawRowView(i), 0))
				greedy[i] = floats.MaxIdx(p.RawRowView(i))
			}
			for i := range draft {
				q.SetRow(i, mtp.Distribution(zq.RawRowView(i), 0))
				draft[i] = floats.MaxIdx(q.RawRowView(i))
			}
			for _, at := range []float64{0, 0.5, 1 - u} {
				accepted, next := mtp.Accept(draft, q, p, []float64{at, at, at, at})
				wantAccepted, want := mtp.AcceptGreedy(draft, greedy)
				if accepted != wantAccepted || next != want {
					t.Errorf("seed %d: %d kept, then %d; want %d, %d", seed, accepted, next, wantAccepted, want)
				}
			}
		}
	})
	t.Run("a model has one choice more than the draft has tokens", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.AcceptGreedy([]int{1}, []int{1}) })
	})
}

// follows is a greedy model of five tokens: what it chooses depends on the last two.
func follows(tokens []int) int {
	n := len(tokens)
	return (3*tokens[n-1] + tokens[max(0, n-2)] + 1) % 5
}

// headsOf returns n heads for follows; head i at a position is right if right says so.
func headsOf(n int, right func(position, head int) bool) func(tokens []int) [][]int {
	return func(tokens []int) [][]int {
		var choices [][]int
		for t := range tokens {
			sequence, row := slices.Clone(tokens[:t+1]), make([]int, n)
			for i := range row {
				row[i] = follows(sequence)
				sequence = append(sequence, row[i])
				if i > 0 && !right(t, i+1) {
					row[i] = (row[i] + 1) % 5
				}
			}
			choices = append(choices, row)
		}
		return choices
	}
}

func TestBlockwise(t *testing.T) {
	const length = 12
	prompt := []int{2, 0}
	plain := slices.Clone(prompt)
	for range length {
		plain = append(plain, follows(plain))
	}

	t.Run("the text is that of plain greedy decoding, whatever the other heads say", func(t *testing.T) {
		for n := 1; n <= 5; n++ {
			for seed := range 8 {
				heads := headsOf(n, func(position, head int) bool { return (position*7+head*3+seed)%8 > 2 })
				if tokens, _ := mtp.Blockwise(prompt, length, heads); !slices.Equal(tokens, plain) {
					t.Errorf("%d heads, seed %d: %v, want %v", n, seed, tokens, plain)
				}
			}
		}
	})
	t.Run("n heads that are always right give n tokens a run", func(t *testing.T) {
		for _, n := range []int{1, 2, 3, 4, 6, 12} {
			_, runs := mtp.Blockwise(prompt, length, headsOf(n, func(int, int) bool { return true }))
			check.Near(t, fmt.Sprint(n), float64(runs-1), float64(length/n), 0) // the first reads the prompt
		}
	})
	t.Run("heads that are always wrong give one token a run", func(t *testing.T) {
		_, runs := mtp.Blockwise(prompt, length, headsOf(4, func(int, int) bool { return false }))
		check.Near(t, "runs", float64(runs-1), length, 0)
	})
	t.Run("a text ends where it is to, within a block too", func(t *testing.T) {
		tokens, _ := mtp.Blockwise(prompt, 5, headsOf(4, func(int, int) bool { return true }))
		if !slices.Equal(tokens, plain[:7]) {
			t.Errorf("%v, want %v", tokens, plain[:7])
		}
	})
	t.Run("the prompt is left as it was", func(t *testing.T) {
		given := append(make([]int, 0, 20), prompt...)
		mtp.Blockwise(given, 3, headsOf(2, func(int, int) bool { return true }))
		if after := given[:4]; !slices.Equal(after, []int{2, 0, 0, 0}) {
			t.Errorf("%v", after)
		}
	})
}

// cached is a model of one head of attention over a cache: embeddings are queries, keys and values,
// with the position in their first element.
type cached struct{ embedding, head *mat.Dense }

// run appends tokens to a cache and returns it with the logits after each of them.
func (m cached) run(c attention.Cache, tokens []int) (attention.Cache, *mat.Dense) {
	x := mtp.Embed(tokens, m.embedding)
	for i := range tokens {
		x.Set(i, 0, x.At(i, 0)+float64(c.Len()+i)/8)
	}
	c = c.Append(x, x)
	o, _ := attention.Decode(x, c, attention.Options{})
	return c, attention.Project(o, m.head)
}

func TestRewind(t *testing.T) {
	const d, vocabulary, k = 4, 6, 3
	m := cached{matrix(1, vocabulary, d), matrix(2, vocabulary, d)}
	prompt, last, draft := []int{1, 3, 0, 2}, 5, []int{4, 0, 2}

	for accepted := range k + 1 {
		t.Run(fmt.Sprintf("after %d of 3 are kept, the next run is that of a fresh one", accepted), func(t *testing.T) {
			c, _ := m.run(attention.Cache{}, prompt)
			before := c.Len()
			c, _ = m.run(c, append([]int{last}, draft...))
			c = mtp.Rewind(c, before, accepted)
			check.Near(t, "rows", float64(c.Len()), float64(before+1+accepted), 0)

			next := []int{1, 2}
			_, got := m.run(c, next)
			kept := slices.Concat(prompt, []int{last}, draft[:accepted], next)
			_, want := m.run(attention.Cache{}, kept)
			check.NearMatrix(t, "logits", got, want.Slice(len(kept)-2, len(kept), 0, vocabulary), dots(2*d))
		})
	}
	t.Run("a row too many or too few is seen in the next logits, unless all is kept", func(t *testing.T) {
		c, _ := m.run(attention.Cache{}, prompt)
		c, _ = m.run(c, append([]int{last}, draft...))
		_, want := m.run(mtp.Rewind(c, 4, 1), []int{1})
		for _, accepted := range []int{0, 2} {
			_, got := m.run(mtp.Rewind(c, 4, accepted), []int{1})
			check.Apart(t, "logits", floats.Distance(data(got), data(want), 2), 0, 1e-3)
		}
		check.NearMatrix(t, "all kept", mtp.Rewind(c, 4, 3).K, c.K, 0)
	})
	t.Run("more than there is cannot be kept", func(t *testing.T) {
		c, _ := m.run(attention.Cache{}, prompt)
		check.Panics(t, badShapes, func() { mtp.Rewind(c, 4, 0) })
	})
}

// Draft, verify, rewind, and again: a whole text.
func TestSpeculativeText(t *testing.T) {
	const length = 12
	m := cached{matrix(1, 6, 4), matrix(2, 6, 4)}
	prompt := []int{1, 3, 0, 2}
	choices := func(logits *mat.Dense) []int {
		rows, _ := logits.Dims()
		greedy := make([]int, rows)
		for i := range greedy {
			greedy[i] = floats.MaxIdx(logits.RawRowView(i))
		}
		return greedy
	}
	plain := slices.Clone(prompt)
	c, _ := m.run(attention.Cache{}, prompt[:3])
	for range length {
		var logits *mat.Dense
		c, logits = m.run(c, plain[len(plain)-1:])
		plain = append(plain, choices(logits)[0])
	}

	for _, right := range []int{0, 1, 2, 3} {
		t.Run(fmt.Sprintf("of drafts of 3 the first %d are right: it is the plain one", right), func(t *testing.T) {
			text, steps := slices.Clone(prompt), 0
			c, _ := m.run(attention.Cache{}, prompt[:3])
			for ; len(text) < len(plain)-3; steps++ {
				draft := slices.Clone(plain[len(text) : len(text)+3])
				for i := right; i < 3; i++ {
					draft[i] = (draft[i] + 1) % 6
				}
				before := c.Len()
				after, logits := m.run(c, slices.Concat(text[before:], draft))
				accepted, next := mtp.AcceptGreedy(draft, choices(logits))
				text = append(append(text, draft[:accepted]...), next)
				c = mtp.Rewind(after, before, accepted)
			}
			if !slices.Equal(text, plain[:len(text)]) {
				t.Errorf("%v, want %v", text, plain)
			}
			check.Near(t, "tokens", float64(len(text)-len(prompt)), float64(steps*(right+1)), 0)
		})
	}
}
