package model

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
	"plumbline/mla"
	"plumbline/mtp"
	"plumbline/norm"
)

func TestBlock(t *testing.T) {
	c := small()
	x := normals(1, 4, 5)
	t.Run("a layer whose weights are 0 is the residual alone", func(t *testing.T) {
		for l, b := range NewWeights(c).Blocks {
			check.NearMatrix(t, "y", b.Forward(x, c, layer(l), nil), x, 0)
		}
	})
	// Each half is added to what entered it, behind a norm of its own; only the order of additions
	// is another.
	t.Run("it is attention and then the network, each on normed rows and added", func(t *testing.T) {
		b := random(c, 2).Blocks[0]
		u, _, _ := mla.Layer(norm.RMSRows(x, b.NormAttention, c.Eps), b.Attention, c.Attention)
		var h mat.Dense
		h.Add(x, u)
		y := mat.NewDense(4, 5, nil)
		for token := range 4 {
			y.SetRow(token, b.Feed.Output(norm.RMS(h.RawRowView(token), b.NormFeed, c.Eps)))
		}
		y.Add(&h, y)
		check.NearMatrix(t, "y", b.Forward(x, c, layer(0), nil), y, 16*check.U)
	})
	t.Run("experts see the token, not the sequence", func(t *testing.T) {
		b := random(c, 2).Blocks[1]
		b.Attention.WO = mat.NewDense(5, 6, nil)
		y := b.Forward(x, c, layer(1), nil)
		last := b.Forward(x.Slice(3, 4, 0, 5), c, layer(1), nil)
		check.NearMatrix(t, "y of the last", y.Slice(3, 4, 0, 5), last, 0)
	})
}

func TestForward(t *testing.T) {
	c := small()
	w := random(c, 3)
	tokens := sentence[:5]
	t.Run("without layers it is a table of pairs, a head on the normed embedding", func(t *testing.T) {
		c := c
		c.Layers, c.Depths = 0, 0
		w := random(c, 3)
		want := attention.Project(norm.RMSRows(mtp.Embed(tokens, w.Embedding), w.Norm, c.Eps), w.Head)
		check.NearMatrix(t, "logits", Forward(tokens, w, c, nil)[0], want, 0)
	})
	// Row t has seen the tokens to t; row t of depth k has seen k more.
	t.Run("no logit knows a token that comes after what it has read", func(t *testing.T) {
		before := Forward(tokens, w, c, nil)
		for at := range tokens {
			changed := slices.Clone(tokens)
			changed[at] = (changed[at] + 1) % c.Vocabulary
			for k, logits := range Forward(changed, w, c, nil) {
				for row := range len(tokens) - k {
					moved := floats.Distance(logits.RawRowView(row), before[k].RawRowView(row), 1)
					if knows := row+k >= at; knows != (moved > 1e-6) || !knows && moved != 0 {
						t.Errorf("token %d moves row %d of depth %d by %.3g", at, row, k, moved)
					}
				}
			}
		}
	})
	t.Run("the main model does not know its modules", func(t *testing.T) {
		alone := c
		alone.Depths = 0
		without := w
		without.Modules = nil
		check.NearMatrix(t, "logits", Forward(tokens, without, alone, nil)[0], Forward(tokens, w, c, nil)[0], 0)
	})
}

func TestSee(t *testing.T) {
	c := small()
	w := random(c, 4)
	tokens := sentence[:5]
	t.Run("what is shown is what the pass goes on with", func(t *testing.T) {
		for _, e := range trace(tokens, w, c) {
			before := Forward(tokens, w, c, nil)
			after := Forward(tokens, w, c, func(name string, x *mat.Dense) {
				if name == e.name {
					x.Scale(1.5, x)
				}
			})
			same := true
			for k := range after {
				same = same && mat.Equal(after[k], before[k])
			}
			if same {
				t.Errorf("logits do not notice %s", e.name)
			}
		}
	})
	t.Run("names come once", func(t *testing.T) {
		var names []string
		for _, e := range trace(tokens, w, c) {
			names = append(names, e.name)
		}
		slices.Sort(names)
		if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
			t.Errorf("%d names for %d tensors", len(unique), len(names))
		}
	})
}
