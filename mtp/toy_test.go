package mtp_test

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
	"plumbline/mtp"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = check.U

// matrix returns an [r × c] matrix of numbers in [−1, 1).
func matrix(seed uint64, r, c int) *mat.Dense { return mat.NewDense(r, c, check.Random(seed, r*c, 1)) }

// ones returns n of them: the weight of a norm that has learnt nothing.
func ones(n int) []float64 {
	w := make([]float64, n)
	floats.AddConst(1, w)
	return w
}

// data returns the elements of m, row after row.
func data(m mat.Matrix) []float64 { return mat.DenseCopyOf(m).RawMatrix().Data }

// weighted returns Σ y∘dy, the loss whose gradient for y is dy.
func weighted(y, dy mat.Matrix) float64 { return floats.Dot(data(y), data(dy)) }

// causal are options of a causal attention.
var causal = attention.Options{Mask: attention.Mask{Causal: true}}

// identity is the block that does nothing.
func identity() mtp.Block {
	return mtp.Block{
		Forward:  func(x mat.Matrix) *mat.Dense { return mat.DenseCopyOf(x) },
		Backward: func(_, dy mat.Matrix) *mat.Dense { return mat.DenseCopyOf(dy) },
	}
}

// attending is a block of one causal head, y = x + Head(W x, x, x); Backward adds to dw.
func attending(w, dw *mat.Dense) mtp.Block {
	return mtp.Block{
		Forward: func(x mat.Matrix) *mat.Dense {
			y, _ := attention.Head(attention.Project(x, w), x, x, causal)
			y.Add(y, x)
			return y
		},
		Backward: func(x, dy mat.Matrix) *mat.Dense {
			dq, dk, dv := attention.Backward(attention.Project(x, w), x, x, dy, causal)
			dx, fromQ := attention.ProjectBackward(x, w, dq)
			dw.Add(dw, fromQ)
			for _, part := range []mat.Matrix{dk, dv, dy} {
				dx.Add(dx, part)
			}
			return dx
		},
	}
}

// toy is a model's end: a vocabulary of 7, width 4, two depths with blocks of their own.
type toy struct {
	mtp.Depths
	h0     *mat.Dense
	tokens []int // 6 that h0 is made of, and the one after
	w, dw  []*mat.Dense
}

func newToy(order mtp.Order) *toy {
	const d, vocabulary, depths = 4, 7, 2
	m := &toy{h0: matrix(1, 6, d), tokens: []int{3, 1, 4, 1, 5, 2, 6}}
	m.Embedding, m.Head = matrix(2, vocabulary, d), matrix(3, vocabulary, d)
	for k := range uint64(depths) {
		m.w, m.dw = append(m.w, matrix(10+k, d, d)), append(m.dw, mat.NewDense(d, d, nil))
		m.Modules = append(m.Modules, mtp.Module{
			NormHidden: check.Random(20+k, d, 1), NormEmbedding: check.Random(30+k, d, 1),
			Projection: matrix(40+k, d, 2*d), Order: order, Block: attending(m.w[k], m.dw[k]),
			NormHead: check.Random(50+k, d, 1), Eps: 1e-2,
		})
	}
	return m
}

// loss returns the sum of all depths' losses with the divisor of (24), and the logits' gradients.
func (m *toy) loss() (loss float64, dlogits []*mat.Dense) {
	length, _ := m.h0.Dims()
	logits, _ := m.Forward(m.h0, m.tokens)
	var perDepth []float64
	for i, z := range logits {
		all := mtp.Extend(z, length)
		perDepth = append(perDepth, mtp.DepthLoss(all, m.tokens, i+1))
		dz := mtp.DepthLossBackward(all, m.tokens, i+1)
		dz.Scale(0.3/float64(len(logits)), dz)
		n, vocabulary := z.Dims()
		dlogits = append(dlogits, dz.Slice(0, n, 0, vocabulary).(*mat.Dense))
	}
	return mtp.Loss(perDepth, 0.3), dlogits
}
