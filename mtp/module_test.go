package mtp_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
	"plumbline/mtp"
	"plumbline/norm"
)

const badShapes = "mtp: shapes do not fit"

// dots bounds what a sum of n products of numbers up to 2 rounds: n products and n−1 sums of up to
// 4n.
func dots(n int) float64 { return float64(8*n*n) * u }

// beside returns [a b], [d × 2d].
func beside(a, b mat.Matrix) *mat.Dense {
	var m mat.Dense
	m.Augment(a, b)
	return &m
}

// diagonal returns c times the identity of d.
func diagonal(d int, c float64) *mat.Dense {
	m := mat.NewDense(d, d, nil)
	for i := range d {
		m.Set(i, i, c)
	}
	return m
}

func TestConcat(t *testing.T) {
	hidden, embedding := check.Matrix([]float64{1, 2}, []float64{3, 4}), check.Matrix([]float64{5, 6}, []float64{7, 8})

	t.Run("the paper has the hidden first, the released weights the embedding", func(t *testing.T) {
		check.NearAll(t, "paper", data(mtp.Concat(hidden, embedding, mtp.HiddenFirst)),
			[]float64{1, 2, 5, 6, 3, 4, 7, 8}, 0)
		check.NearAll(t, "weights", data(mtp.Concat(hidden, embedding, mtp.EmbeddingFirst)),
			[]float64{5, 6, 1, 2, 7, 8, 3, 4}, 0)
	})
	t.Run("the paper's order is what a zero value has", func(t *testing.T) {
		var m mtp.Module
		if m.Order != mtp.HiddenFirst {
			t.Error("another order by default")
		}
	})
	t.Run("halves undo it, in either order", func(t *testing.T) {
		for _, order := range []mtp.Order{mtp.HiddenFirst, mtp.EmbeddingFirst} {
			h, e := mtp.Halves(mtp.Concat(hidden, embedding, order), order)
			check.NearMatrix(t, "hidden", h, hidden, 0)
			check.NearMatrix(t, "embedding", e, embedding, 0)
		}
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		fewer, narrower := check.Matrix([]float64{1, 2}), check.Matrix([]float64{1}, []float64{2})
		check.Panics(t, badShapes, func() { mtp.Concat(hidden, fewer, mtp.HiddenFirst) })
		check.Panics(t, badShapes, func() { mtp.Concat(hidden, narrower, mtp.HiddenFirst) })
		check.Panics(t, badShapes, func() { mtp.Halves(check.Matrix([]float64{1, 2, 3}), mtp.HiddenFirst) })
	})
}

func TestSwapHalves(t *testing.T) {
	const d = 4
	hidden, embedding, m := matrix(1, 3, d), matrix(2, 3, d), matrix(3, d, 2*d)
	w, v := check.Random(4, d, 1), check.Random(5, d, 1)

	t.Run("twice it is nothing", func(t *testing.T) {
		check.NearMatrix(t, "M", mtp.SwapHalves(mtp.SwapHalves(m)), m, 0)
	})
	// The same products, summed in another order.
	t.Run("it is what a projection needs in the other order", func(t *testing.T) {
		want := mtp.Combine(hidden, embedding, w, v, m, mtp.HiddenFirst, 1e-6)
		got := mtp.Combine(hidden, embedding, w, v, mtp.SwapHalves(m), mtp.EmbeddingFirst, 1e-6)
		check.NearMatrix(t, "h'", got, want, dots(2*d))
	})
	t.Run("without it nothing fails, and everything is another", func(t *testing.T) {
		want := mtp.Combine(hidden, embedding, w, v, m, mtp.HiddenFirst, 1e-6)
		got := mtp.Combine(hidden, embedding, w, v, m, mtp.EmbeddingFirst, 1e-6)
		for i, x := range data(want) {
			check.Apart(t, "h'", data(got)[i], x, 1e-3)
		}
	})
	// M = [A A] takes the sum of both.
	t.Run("a projection with equal halves does not tell the orders apart", func(t *testing.T) {
		equal := beside(m.Slice(0, d, 0, d), m.Slice(0, d, 0, d))
		check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, w, v, equal, mtp.EmbeddingFirst, 1e-6),
			mtp.Combine(hidden, embedding, w, v, equal, mtp.HiddenFirst, 1e-6), dots(2*d))
	})
}

func TestCombine(t *testing.T) {
	const d = 4
	hidden, embedding, m := matrix(1, 3, d), matrix(2, 3, d), matrix(3, d, 2*d)
	w, v := check.Random(4, d, 1), check.Random(5, d, 1)
	zero, one := mat.NewDense(d, d, nil), diagonal(d, 1)

	// (3, 4)/√12.5 and (0, 5)/√12.5: the first of the one plus twice the second of the other.
	t.Run("three and four, nought and five, by hand", func(t *testing.T) {
		got := mtp.Combine(check.Matrix([]float64{3, 4}), check.Matrix([]float64{0, 5}), ones(2), ones(2),
			check.Matrix([]float64{1, 0, 0, 2}, []float64{0, 1, 1, 0}), mtp.HiddenFirst, 0)
		check.NearAll(t, "h'", data(got), []float64{13 / math.Sqrt(12.5), 4 / math.Sqrt(12.5)}, 16*u*4)
	})
	// Products with 0 and 1, and sums with 0, are exact.
	t.Run("with M = [0 I] the embedding alone is left, with [I 0] the hidden", func(t *testing.T) {
		check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, w, v, beside(zero, one), mtp.HiddenFirst, 1e-6),
			norm.RMSRows(embedding, v, 1e-6), 0)
		check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, w, v, beside(one, zero), mtp.HiddenFirst, 1e-6),
			norm.RMSRows(hidden, w, 1e-6), 0)
		check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, w, v, beside(one, zero), mtp.EmbeddingFirst, 1e-6),
			norm.RMSRows(embedding, v, 1e-6), 0)
	})
	t.Run("two matrices, one for either half, are the same: V4's e_proj and h_proj", func(t *testing.T) {
		for _, order := range []mtp.Order{mtp.HiddenFirst, mtp.EmbeddingFirst} {
			hProj, eProj := mtp.Halves(m, order)
			want := attention.Project(norm.RMSRows(hidden, w, 1e-6), hProj)
			want.Add(want, attention.Project(norm.RMSRows(embedding, v, 1e-6), eProj))
			check.NearMatrix(t, "h'", mtp.Combine(hidden, embedding, w, v, m, order, 1e-6), want, dots(2*d))
		}
	})
	t.Run("how long either half is does not matter: not a bit changes when they double", func(t *testing.T) {
		longer := mat.NewDense(3, d, floats.ScaleTo(make([]float64, 3*d), 2, data(hidden)))
		check.NearMatrix(t, "h'", mtp.Combine(longer, embedding, w, v, m, mtp.HiddenFirst, 0),
			mtp.Combine(hidden, embedding, w, v, m, mtp.HiddenFirst, 0), 0)
	})
	// RMSNorm(RMSNorm(h)) = RMSNorm(h) for weights of 1 and ε = 0; a weight that was learnt turns
	// the row before it is normalised again.
	t.Run("whether h is taken before or after the main model's norm is seen by its weight alone", func(t *testing.T) {
		raw := mtp.Combine(hidden, embedding, w, v, m, mtp.HiddenFirst, 0)
		check.NearMatrix(t, "weight 1",
			mtp.Combine(norm.RMSRows(hidden, ones(d), 0), embedding, w, v, m, mtp.HiddenFirst, 0), raw, 2*dots(2*d))
		learnt := mtp.Combine(norm.RMSRows(hidden, v, 0), embedding, w, v, m, mtp.HiddenFirst, 0)
		check.Apart(t, "weight", floats.Distance(data(learnt), data(raw), 2), 0, 0.1)
	})
	t.Run("each row is by itself", func(t *testing.T) {
		all := mtp.Combine(hidden, embedding, w, v, m, mtp.HiddenFirst, 1e-6)
		for i := range 3 {
			h, e := hidden.Slice(i, i+1, 0, d), embedding.Slice(i, i+1, 0, d)
			row := mtp.Combine(h, e, w, v, m, mtp.HiddenFirst, 1e-6)
			check.NearAll(t, "h'", data(row), all.RawRowView(i), dots(2*d))
		}
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.Combine(hidden, matrix(2, 2, d), w, v, m, mtp.HiddenFirst, 0) })
		check.Panics(t, badShapes, func() {
			mtp.CombineBackward(hidden, matrix(2, 2, d), w, v, m, mtp.HiddenFirst, 0, hidden)
		})
	})
}

func TestCombineBackward(t *testing.T) {
	const d = 4
	hidden, embedding, m, dy := matrix(1, 3, d), matrix(2, 3, d), matrix(3, d, 2*d), matrix(6, 3, d)
	w, v := check.Random(4, d, 1), check.Random(5, d, 1)

	t.Run("it is the slope of Combine, in either order", func(t *testing.T) {
		for _, order := range []mtp.Order{mtp.HiddenFirst, mtp.EmbeddingFirst} {
			loss := func() float64 { return weighted(mtp.Combine(hidden, embedding, w, v, m, order, 1e-2), dy) }
			dh, de, dw, dv, dm := mtp.CombineBackward(hidden, embedding, w, v, m, order, 1e-2, dy)
			check.NearAll(t, "dh", data(dh), check.Moved(loss, hidden.RawMatrix().Data), slope)
			check.NearAll(t, "dEmb", data(de), check.Moved(loss, embedding.RawMatrix().Data), slope)
			check.NearAll(t, "dw", dw, check.Moved(loss, w), slope)
			check.NearAll(t, "dv", dv, check.Moved(loss, v), slope)
			check.NearAll(t, "dM", data(dm), check.Moved(loss, m.RawMatrix().Data), slope)
		}
	})
	// Length does not matter to the result, so no gradient lies along it.
	t.Run("without ε every row's gradient is orthogonal to the row", func(t *testing.T) {
		dh, de, _, _, _ := mtp.CombineBackward(hidden, embedding, w, v, m, mtp.HiddenFirst, 0, dy)
		for i := range 3 {
			for _, x := range [][2][]float64{
				{hidden.RawRowView(i), dh.RawRowView(i)}, {embedding.RawRowView(i), de.RawRowView(i)},
			} {
				check.Near(t, "x·dx", floats.Dot(x[0], x[1]), 0, dots(2*d)*floats.Norm(x[0], 2)*floats.Norm(x[1], 2))
			}
		}
	})
	t.Run("the gradient of swapped halves is swapped", func(t *testing.T) {
		_, _, _, _, dm := mtp.CombineBackward(hidden, embedding, w, v, m, mtp.HiddenFirst, 1e-2, dy)
		_, _, _, _, swapped := mtp.CombineBackward(
			hidden, embedding, w, v, mtp.SwapHalves(m), mtp.EmbeddingFirst, 1e-2, dy)
		check.NearMatrix(t, "dM", mtp.SwapHalves(swapped), dm, 0)
	})
}

func TestModule(t *testing.T) {
	const d, vocabulary = 4, 6
	m := newToy(mtp.HiddenFirst).Modules[0]
	h, e, head := matrix(1, 3, d), matrix(2, 3, d), matrix(3, vocabulary, d)

	t.Run("it is the block of what is combined", func(t *testing.T) {
		combined := mtp.Combine(h, e, m.NormHidden, m.NormEmbedding, m.Projection, m.Order, m.Eps)
		check.NearMatrix(t, "h^1", m.Forward(h, e), m.Block.Forward(combined), 0)
	})
	t.Run("with M = [0 I] and a block that does nothing, tokens are predicted from the embedding alone",
		func(t *testing.T) {
			plain := mtp.Module{NormHidden: ones(d), NormEmbedding: ones(d), Block: identity(),
				Projection: beside(mat.NewDense(d, d, nil), diagonal(d, 1))}
			want := attention.Project(norm.RMSRows(e, ones(d), 0), head)
			for seed := range uint64(3) {
				check.NearMatrix(t, "logits", plain.Logits(plain.Forward(matrix(seed, 3, d), e), head), want, 0)
			}
		})
	t.Run("the head is given h as (23) prints it, or its norm as the released weights have it", func(t *testing.T) {
		want := attention.Project(norm.RMSRows(h, m.NormHead, m.Eps), head)
		check.NearMatrix(t, "with shared_head.norm", m.Logits(h, head), want, 0)
		printed := m
		printed.NormHead = nil
		check.NearMatrix(t, "as printed", printed.Logits(h, head), attention.Project(h, head), 0)
		check.Apart(t, "they", floats.Distance(data(m.Logits(h, head)), data(printed.Logits(h, head)), 2), 0, 0.1)
	})
	// √(mean h²) divides every logit of a row: the order of tokens stays, probabilities do not.
	t.Run("a norm of weight 1 before the head changes no greedy choice", func(t *testing.T) {
		unit := mtp.Module{NormHead: ones(d)}
		for i := range 3 {
			with, without := unit.Logits(h, head).RawRowView(i), mtp.Module{}.Logits(h, head).RawRowView(i)
			if floats.MaxIdx(with) != floats.MaxIdx(without) {
				t.Errorf("row %d: %v, %v", i, with, without)
			}
			check.Apart(t, "logit", with[0], without[0], 1e-3)
		}
	})
	t.Run("its backward pass is the slope of both", func(t *testing.T) { checkModuleBackward(t, m, h, e, head) })
}

func checkModuleBackward(t *testing.T, m mtp.Module, h, e, head *mat.Dense) {
	dlogits := matrix(7, 3, 6)
	loss := func() float64 { return weighted(m.Logits(m.Forward(h, e), head), dlogits) }
	out, dhead, dnormHead := m.LogitsBackward(m.Forward(h, e), head, dlogits)
	dh, de, dm := m.Backward(h, e, out)
	check.NearAll(t, "dh", data(dh), check.Moved(loss, h.RawMatrix().Data), slope)
	check.NearAll(t, "dEmb", data(de), check.Moved(loss, e.RawMatrix().Data), slope)
	check.NearAll(t, "dOutHead", data(dhead), check.Moved(loss, head.RawMatrix().Data), slope)
	check.NearAll(t, "dNormHead", dnormHead, check.Moved(loss, m.NormHead), slope)
	check.NearAll(t, "dM", data(dm.Projection), check.Moved(loss, m.Projection.RawMatrix().Data), slope)
	check.NearMatrix(t, "normed", m.Normed(h), norm.RMSRows(h, m.NormHead, m.Eps), 0)
}
