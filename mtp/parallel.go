package mtp

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// NextLoss returns the loss of a model that predicts the next token.
//
//	L_1 = −Σ_t log P(x_{t+1} | x_{t:1})
//
// logits is [T × V], row t predicts tokens[t+1] where there is one. It is a sum, not a mean. It
// implements Multi-token Prediction (Gloeckle et al. 2024) (1).
func NextLoss(logits mat.Matrix, tokens []int) float64 { return sumLoss(logits, tokens, 0) }

// JointLoss returns the loss of a model that predicts the next n tokens together, from what it says
// of the next one.
//
//	L_n = −Σ_t log P(x_{t+n:t+1} | x_{t:1}) = −Σ_t Σ_i log P(x_{t+i} | x_{t+i−1:1})
//
// logits is [T × V], row t predicts tokens[t+1]; i runs over 1 … n, and tokens after the last are
// left out. By the chain rule row s counts min(n, s+1) times, s from 0: a model that knows the
// joint distribution learns nothing from (2) that (1) does not teach. It is the factorised loss
// that differs. It implements Multi-token Prediction (Gloeckle et al. 2024) (2).
func JointLoss(logits mat.Matrix, tokens []int, n int) (loss float64) {
	rows, vocabulary := logits.Dims()
	for t := range rows {
		for i := 1; i <= n && t+i <= rows; i++ {
			row := mat.NewDense(1, vocabulary, mat.Row(nil, t+i-1, logits))
			loss += sumLoss(row, tokens[min(t+i-1, len(tokens)):], 0)
		}
	}
	return loss
}

// FactorisedLoss returns the loss of n heads that predict one token each, from one representation.
//
//	L_n = −Σ_t Σ_i log P(x_{t+i} | z_{t:1})
//
// logits[i−1] is [T × V], from head i of 1 … n, whose row t predicts tokens[t+i]; where there is
// none nothing counts. It is DepthLoss of depth i−1, summed and not divided. Differs in print: the
// paper multiplies the logarithms by P(z | x), outside of them; z is a function of x, and the
// factor is 1. It implements Multi-token Prediction (Gloeckle et al. 2024), section 2, after (2).
func FactorisedLoss(logits []*mat.Dense, tokens []int) (loss float64) {
	for i, z := range logits {
		loss += sumLoss(z, tokens, i)
	}
	return loss
}

// FactorisedLossBackward returns the gradients of FactorisedLoss for the logits.
//
//	dz_{t,v} = P(v | z_{t:1}) − 𝟙(v = x_{t+i})
//
// Shapes are those of FactorisedLoss. It implements Multi-token Prediction (Gloeckle et al. 2024),
// section 2, after (2) (derived).
func FactorisedLossBackward(logits []*mat.Dense, tokens []int) []*mat.Dense {
	dlogits := make([]*mat.Dense, len(logits))
	for i, z := range logits {
		dlogits[i] = sumLossBackward(z, tokens, i, 1)
	}
	return dlogits
}

// Parallel is a model whose heads predict the next n tokens beside one another: they know nothing
// of each other's tokens, where DeepSeek-V3's modules are given them.
type Parallel struct {
	Trunk       Block      // f_s
	Heads       []Block    // f_{h_1} … f_{h_n}, a transformer layer each
	Unembedding *mat.Dense // [V × d], f_u, shared
}

// Logits returns the logits of all heads.
//
//	P(x_{t+i} | x_{t:1}) = softmax(f_u(f_{h_i}(f_s(x_{t:1}))))
//
// x is [T × d], embedded; the result has n matrices [T × V], before the softmax. With as many
// parameters as a model of one head, the trunk has n−1 layers less. It implements Multi-token
// Prediction (Gloeckle et al. 2024), section 2, architecture (unnumbered).
func (p Parallel) Logits(x mat.Matrix) []*mat.Dense {
	z := p.Trunk.Forward(x)
	logits := make([]*mat.Dense, len(p.Heads))
	for i, head := range p.Heads {
		logits[i] = attention.Project(head.Forward(z), p.Unembedding)
	}
	return logits
}

// Learnt is what a backward pass of Parallel has found; blocks keep what they learn themselves.
type Learnt struct {
	Loss         float64
	DX           *mat.Dense // [T × d]
	DUnembedding *mat.Dense // [V × d]
	Peak         int        // numbers held at once; see BackwardAtOnce
}

// BackwardAtOnce returns the gradients of FactorisedLoss, all logits first and then all gradients.
//
//	dz = Σ_i f_{h_i}ᵀ(W_uᵀ dlogits_i),  dx = f_sᵀ(dz)
//
// x is [T × d], tokens are those that FactorisedLoss compares with. Peak counts what passes between
// trunk, heads and unembedding, and the gradients of these: T((n+4)d + 2 n V) numbers; weights, and
// what blocks hold inside, are apart. It implements Multi-token Prediction (Gloeckle et al. 2024),
// section 2, its naive implementation.
func (p Parallel) BackwardAtOnce(x mat.Matrix, tokens []int) (l Learnt) {
	var m meter
	z := m.hold(p.Trunk.Forward(x))
	n := len(p.Heads)
	h, logits := make([]*mat.Dense, n), make([]*mat.Dense, n)
	for i, head := range p.Heads {
		h[i] = m.hold(head.Forward(z))
		logits[i] = m.hold(attention.Project(h[i], p.Unembedding))
	}
	l.Loss = FactorisedLoss(logits, tokens)
	dlogits := FactorisedLossBackward(logits, tokens)
	m.hold(dlogits...)
	dz := m.hold(like(z))
	l.DUnembedding = like(p.Unembedding)
	for i := range p.Heads {
		p.headBackward(i, z, h[i], dlogits[i], dz, l.DUnembedding, &m)
	}
	l.DX, l.Peak = p.Trunk.Backward(x, dz), m.peak
	return l
}

// BackwardInTurn returns what BackwardAtOnce returns, head by head, so that one head's logits are
// held at a time.
//
//	for i = 1 … n: forward, loss, backward, dz += f_{h_i}ᵀ(W_uᵀ dlogits_i); then dx = f_sᵀ(dz)
//
// Peak is T(5d + 2V) numbers, whatever n: O(V + d) for a token in the place of O(nV + d). The sums
// are the same in the same order, and so are the bits. It implements Multi-token Prediction
// (Gloeckle et al. 2024), section 2, figure 2.
func (p Parallel) BackwardInTurn(x mat.Matrix, tokens []int) (l Learnt) {
	var m meter
	z := m.hold(p.Trunk.Forward(x))
	dz := m.hold(like(z))
	l.DUnembedding = like(p.Unembedding)
	for i, head := range p.Heads {
		h := m.hold(head.Forward(z))
		logits := m.hold(attention.Project(h, p.Unembedding))
		l.Loss += sumLoss(logits, tokens, i)
		dlogits := m.hold(sumLossBackward(logits, tokens, i, 1))
		p.headBackward(i, z, h, dlogits, dz, l.DUnembedding, &m)
		m.drop(h, logits, dlogits)
	}
	l.DX, l.Peak = p.Trunk.Backward(x, dz), m.peak
	return l
}

// headBackward adds what head i passes on to dz and to the gradient of the unembedding.
func (p Parallel) headBackward(i int, z, h, dlogits, dz, dunembedding *mat.Dense, m *meter) {
	dh, dw := attention.ProjectBackward(h, p.Unembedding, dlogits)
	part := p.Heads[i].Backward(z, dh)
	m.hold(dh, part)
	dunembedding.Add(dunembedding, dw)
	dz.Add(dz, part)
	m.drop(dh, part)
}

// PeakAtOnce returns how many numbers BackwardAtOnce holds at once.
//
//	T((n+4)d + 2 n V)
//
// z, its gradient, that of a head's output and what the head makes of it are [T × d], and so are n
// outputs of heads; logits and their gradients are n times [T × V]. It implements Multi-token
// Prediction (Gloeckle et al. 2024), section 2, its O(nV + d), counted.
func PeakAtOnce(tokens, d, vocabulary, n int) int { return tokens * ((n+4)*d + 2*n*vocabulary) }

// PeakInTurn returns how many numbers BackwardInTurn holds at once.
//
//	T(5d + 2V)
//
// It is PeakAtOnce for one head. It implements Multi-token Prediction (Gloeckle et al. 2024),
// section 2, its O(V + d), counted.
func PeakInTurn(tokens, d, vocabulary int) int { return tokens * (5*d + 2*vocabulary) }

// meter counts the elements of matrices that are held at once.
type meter struct{ held, peak int }

// hold counts matrices in, and returns the first.
func (m *meter) hold(xs ...*mat.Dense) *mat.Dense {
	for _, x := range xs {
		rows, cols := x.Dims()
		m.held += rows * cols
	}
	m.peak = max(m.peak, m.held)
	return xs[0]
}

// drop counts matrices out.
func (m *meter) drop(xs ...*mat.Dense) {
	for _, x := range xs {
		rows, cols := x.Dims()
		m.held -= rows * cols
	}
}
