package mtp_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
	"plumbline/mtp"
	"plumbline/norm"
)

// slope is what central differences of a loss of the toy are off by: values and third derivatives
// up to 40, some hundred roundings.
var slope = check.DifferenceBound(40, 100)

func TestDepthsBackward(t *testing.T) {
	for _, c := range []struct {
		order             mtp.Order
		masked, normed    bool
		headless, oneDeep bool
	}{
		{}, {order: mtp.EmbeddingFirst, masked: true}, {normed: true}, {headless: true},
		{normed: true, headless: true}, {oneDeep: true},
	} {
		t.Run(fmt.Sprintf("it is the slope of the loss of all depths: %+v", c), func(t *testing.T) {
			m := newToy(c.order)
			m.MaskFirst, m.PassNormed = c.masked, c.normed
			if c.headless {
				m.Modules[0].NormHead, m.Modules[1].NormHead = nil, nil
			}
			if c.oneDeep {
				m.Modules, m.w = m.Modules[:1], m.w[:1]
			}
			checkGradients(t, m)
		})
	}
}

// checkGradients compares every gradient of a toy with differences.
func checkGradients(t *testing.T, m *toy) {
	t.Helper()
	_, dlogits := m.loss()
	dh0, ds := m.Backward(m.h0, m.tokens, dlogits)
	loss := func() float64 { l, _ := m.loss(); return l }
	compare := func(what string, got, x []float64) {
		t.Helper()
		check.NearAll(t, what, got, check.Moved(loss, x), slope)
		if len(x) > 0 && floats.Norm(got, math.Inf(1)) < 100*slope {
			t.Errorf("%s is %v, too small to be told from none", what, got)
		}
	}
	compare("dh0", data(dh0), m.h0.RawMatrix().Data)
	compare("dEmb", data(ds.Embedding), m.Embedding.RawMatrix().Data)
	compare("dOutHead", data(ds.Head), m.Head.RawMatrix().Data)
	for k, module := range m.Modules {
		dm := ds.Modules[k]
		compare("dNormHidden", dm.NormHidden, module.NormHidden)
		compare("dNormEmbedding", dm.NormEmbedding, module.NormEmbedding)
		compare("dM", data(dm.Projection), module.Projection.RawMatrix().Data)
		compare("dNormHead", dm.NormHead, module.NormHead)
		compare("dTRM", data(m.dw[k]), m.w[k].RawMatrix().Data)
	}
	if dm := ds.Modules[0]; dm.Block.Forward != nil {
		t.Error("a gradient has a block")
	}
}

// trunk returns what a main model makes of tokens, causally: embeddings, and one head of attention.
func (m *toy) trunk(tokens []int) *mat.Dense {
	w := matrix(60, 4, 4)
	return attending(w, mat.NewDense(4, 4, nil)).Forward(mtp.Embed(tokens, m.Embedding))
}

func TestDepths(t *testing.T) {
	m := newToy(mtp.HiddenFirst)
	length, d := m.h0.Dims()

	t.Run("depth k has T−k positions, and looks at no token after the T-th", func(t *testing.T) {
		logits, hidden := m.Forward(m.h0, m.tokens)
		short, _ := m.Forward(m.h0, m.tokens[:length])
		for i := range logits {
			if rows, _ := logits[i].Dims(); rows != length-i-1 {
				t.Errorf("depth %d has %d rows", i+1, rows)
			}
			check.NearMatrix(t, "logits", short[i], logits[i], 0)
			check.NearMatrix(t, "OutHead(h^k)", m.Modules[i].Logits(hidden[i], m.Head), logits[i], 0)
		}
	})
	t.Run("depth 1 is its module on h and the embeddings of the next tokens, depth 2 that on depth 1's",
		func(t *testing.T) {
			_, hidden := m.Forward(m.h0, m.tokens)
			one := m.Modules[0].Forward(m.h0.Slice(0, 5, 0, d), mtp.Embed(m.tokens[1:6], m.Embedding))
			check.NearMatrix(t, "h^1", hidden[0], one, 0)
			two := m.Modules[1].Forward(one.Slice(0, 4, 0, d), mtp.Embed(m.tokens[2:6], m.Embedding))
			check.NearMatrix(t, "h^2", hidden[1], two, 0)
		})
	t.Run("with D = 0 there is no term, and no gradient", func(t *testing.T) {
		none := mtp.Depths{Embedding: m.Embedding, Head: m.Head}
		logits, _ := none.Forward(m.h0, m.tokens)
		dh0, ds := none.Backward(m.h0, m.tokens, nil)
		check.Near(t, "depths", float64(len(logits)), 0, 0)
		check.Near(t, "L_MTP", mtp.Loss(nil, 0.3), 0, 0)
		check.Near(t, "gradients", mat.Norm(dh0, 1)+mat.Norm(ds.Embedding, 1)+mat.Norm(ds.Head, 1), 0, 0)
	})
	// As frameworks do it: rolled tokens, T rows. A causal block's first rows do not see the last.
	t.Run("rows kept beyond T−k, whatever their tokens, change nothing before", func(t *testing.T) {
		logits, _ := m.Forward(m.h0, m.tokens)
		one := m.Modules[0].Forward(m.h0, mtp.Embed([]int{1, 4, 1, 5, 2, 0}, m.Embedding))
		two := m.Modules[1].Forward(one, mtp.Embed([]int{4, 1, 5, 2, 0, 0}, m.Embedding))
		check.NearMatrix(t, "depth 2", first(m.Modules[1].Logits(two, m.Head), 4), logits[1], dots(2*d))
	})
	t.Run("as many depths as tokens are a mistake of the caller, and so are too few tokens", func(t *testing.T) {
		check.Panics(t, badShapes, func() { m.Forward(first(m.h0, 2), m.tokens) })
		check.Panics(t, badShapes, func() { m.Forward(m.h0, m.tokens[:5]) })
		check.Panics(t, badShapes, func() { m.Backward(m.h0, m.tokens, nil) })
	})
}

// first returns the first n rows of m.
func first(m *mat.Dense, n int) mat.Matrix {
	_, cols := m.Dims()
	return m.Slice(0, n, 0, cols)
}

// Row i of depth k, from 0, is made of tokens 0 … i+k; it predicts token i+k+1.
func TestCausality(t *testing.T) {
	m := newToy(mtp.HiddenFirst)
	before, _ := m.Forward(m.trunk(m.tokens[:6]), m.tokens)
	for j := range 6 {
		changed := append([]int(nil), m.tokens...)
		changed[j] = (changed[j] + 3) % 7
		after, _ := m.Forward(m.trunk(changed[:6]), changed)
		for k := 1; k <= 2; k++ {
			t.Run(fmt.Sprintf("at depth %d token %d is seen from row %d on, and not before", k, j, max(0, j-k)),
				func(t *testing.T) {
					for i := range 6 - k {
						moved := floats.Distance(after[k-1].RawRowView(i), before[k-1].RawRowView(i), 2)
						if sees := j <= i+k; sees != (moved > 1e-6) || !sees && moved != 0 {
							t.Errorf("row %d moved by %v", i, moved)
						}
					}
				})
		}
	}
}

// The gradient of the whole loss, main model and depths, for what both share.
func TestSharedGradients(t *testing.T) {
	m := newToy(mtp.HiddenFirst)
	w, dw := matrix(60, 4, 4), mat.NewDense(4, 4, nil)
	trunk := attending(w, dw)
	main := mtp.Module{} // no norm before the head

	total := func() float64 {
		m.h0 = trunk.Forward(mtp.Embed(m.tokens[:6], m.Embedding))
		l, _ := m.loss()
		return l + mtp.DepthLoss(main.Logits(m.h0, m.Head), m.tokens, 0)
	}
	total()
	_, dlogits := m.loss()
	dh0, ds := m.Backward(m.h0, m.tokens, dlogits)
	dmain, dhead, _ := main.LogitsBackward(m.h0, m.Head,
		mtp.DepthLossBackward(main.Logits(m.h0, m.Head), m.tokens, 0))
	rows := mtp.Embed(m.tokens[:6], m.Embedding)
	through := func(dh *mat.Dense) *mat.Dense {
		return mtp.EmbedBackward(m.tokens[:6], 7, trunk.Backward(rows, dh))
	}

	t.Run("the head learns from the main model and from every depth", func(t *testing.T) {
		dhead.Add(dhead, ds.Head)
		check.NearAll(t, "dOutHead", data(dhead), check.Moved(total, m.Head.RawMatrix().Data), slope)
	})
	t.Run("the embedding learns on three paths: main loss, depths through h, depths directly", func(t *testing.T) {
		paths := []*mat.Dense{through(dmain), through(dh0), ds.Embedding}
		sum := mat.NewDense(7, 4, nil)
		for _, path := range paths {
			sum.Add(sum, path)
			check.Apart(t, "path", mat.Norm(path, 2), 0, 1e-3)
		}
		check.NearAll(t, "dEmb", data(sum), check.Moved(total, m.Embedding.RawMatrix().Data), slope)
	})
}

func TestEmbed(t *testing.T) {
	embedding := check.Matrix([]float64{1, 2}, []float64{3, 4}, []float64{5, 6})

	t.Run("it takes rows, and its gradient gives them back, summed where a token stands twice", func(t *testing.T) {
		rows := mtp.Embed([]int{2, 0, 2}, embedding)
		check.NearAll(t, "rows", data(rows), []float64{5, 6, 1, 2, 5, 6}, 0)
		check.NearAll(t, "dEmb", data(mtp.EmbedBackward([]int{2, 0, 2}, 3, rows)), []float64{1, 2, 0, 0, 10, 12}, 0)
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.EmbedBackward([]int{2, 0}, 3, embedding) })
	})
}

func TestMaskFirst(t *testing.T) {
	x := matrix(1, 3, 4)

	t.Run("rows at position 0 are zeros, wherever they stand, and the others stay", func(t *testing.T) {
		masked := mtp.MaskFirst(x, []int{4, 0, 1})
		check.NearAll(t, "position 0", masked.RawRowView(1), make([]float64, 4), 0)
		check.NearAll(t, "position 4", masked.RawRowView(0), x.RawRowView(0), 0)
		check.NearAll(t, "position 1", masked.RawRowView(2), x.RawRowView(2), 0)
		check.Apart(t, "what was given", x.At(1, 0), 0, 1e-3)
	})
	t.Run("it is its own gradient", func(t *testing.T) {
		y := matrix(2, 3, 4)
		check.Near(t, "⟨mask x, y⟩ − ⟨x, mask y⟩", weighted(mtp.MaskFirst(x, []int{4, 0, 1}), y),
			weighted(x, mtp.MaskFirst(y, []int{4, 0, 1})), 0)
	})
	// RMSNorm(0) = 0 for ε > 0.
	t.Run("what is left of the row is the hidden's half", func(t *testing.T) {
		m := newToy(mtp.HiddenFirst).Modules[0]
		hidden, embedding := matrix(3, 2, 4), mat.NewDense(2, 4, nil)
		hProj, _ := mtp.Halves(m.Projection, m.Order)
		want := attention.Project(norm.RMSRows(hidden, m.NormHidden, m.Eps), hProj)
		check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, m.NormHidden, m.NormEmbedding, m.Projection, m.Order,
			m.Eps), want, dots(8))
	})
	t.Run("a block that does nothing shows it in the first row of depth 1 alone", func(t *testing.T) {
		m := newToy(mtp.HiddenFirst)
		m.Modules = m.Modules[:1]
		m.Modules[0].Block = identity()
		plain, _ := m.Forward(m.h0, m.tokens)
		m.MaskFirst = true
		masked, _ := m.Forward(m.h0, m.tokens)
		check.NearMatrix(t, "rows 1 …", masked[0].Slice(1, 5, 0, 7), plain[0].Slice(1, 5, 0, 7), 0)
		check.Apart(t, "row 0", floats.Distance(masked[0].RawRowView(0), plain[0].RawRowView(0), 2), 0, 1e-3)
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.MaskFirst(x, []int{0}) })
	})
}

func TestPassNormed(t *testing.T) {
	both := func(change func(m *toy)) (passed, printed []*mat.Dense) {
		m := newToy(mtp.HiddenFirst)
		change(m)
		printed, _ = m.Forward(m.h0, m.tokens)
		m.PassNormed = true
		passed, _ = m.Forward(m.h0, m.tokens)
		return passed, printed
	}
	// hnorm undoes the length, and a norm of weight 1 changes nothing else.
	t.Run("with a norm of weight 1, and no ε, it changes nothing", func(t *testing.T) {
		passed, printed := both(func(m *toy) {
			for k := range m.Modules {
				m.Modules[k].NormHead, m.Modules[k].Eps = ones(4), 0
			}
		})
		check.NearMatrix(t, "depth 2", passed[1], printed[1], 16*dots(8))
	})
	t.Run("with one that was learnt depth 2 is another, and depth 1 is not", func(t *testing.T) {
		passed, printed := both(func(*toy) {})
		check.NearMatrix(t, "depth 1", passed[0], printed[0], 0)
		check.Apart(t, "depth 2", floats.Distance(data(passed[1]), data(printed[1]), 2), 0, 0.1)
	})
}

func TestExtend(t *testing.T) {
	t.Run("it adds rows of zeros that count in no loss", func(t *testing.T) {
		z := matrix(1, 3, 5)
		all := mtp.Extend(z, 4)
		check.NearMatrix(t, "rows", first(all, 3), z, 0)
		check.NearAll(t, "last", all.RawRowView(3), make([]float64, 5), 0)
		tokens := []int{0, 1, 2, 3, 4} // T+1 = 5: of T rows all but the last of depth 1 have a target
		check.Near(t, "loss", mtp.DepthLoss(all, tokens, 1), mtp.DepthLoss(z, tokens, 1)*3/4, 8*u)
	})
	t.Run("it takes none away", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.Extend(matrix(1, 3, 5), 2) })
	})
}

// While text is written the main model has read n tokens and chosen one more; depth 1 is given it
// and drafts the next, depth 2 is given that, and so on. The drafts are the last rows of what
// training has in one go.
func TestDrafting(t *testing.T) {
	const n, d = 4, 4
	m := newToy(mtp.EmbeddingFirst)
	text := slices.Clone(m.tokens[:n+1])
	before := m.trunk(text[:n])
	var drafted []*mat.Dense
	for k, module := range m.Modules {
		before = module.Forward(before, mtp.Embed(text[k+1:], m.Embedding))
		logits := module.Logits(before, m.Head)
		drafted = append(drafted, logits)
		text = append(text, floats.MaxIdx(logits.RawRowView(n-1)))
	}
	logits, _ := m.Forward(m.trunk(text[:n+2]), text)
	for k := range drafted {
		t.Run(fmt.Sprintf("a draft of %d tokens is row %d of depth %d", k+1, n-1, k+1), func(t *testing.T) {
			check.NearMatrix(t, "logits", first(logits[k], n), drafted[k], 4*dots(2*d))
		})
	}
}
