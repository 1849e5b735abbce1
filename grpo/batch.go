package grpo

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

const badBatch = "grpo: shapes of the batch's matrices differ"

// Batch is what the losses of N outputs of up to L tokens need. All matrices are [N × L].
type Batch struct {
	LogProb, Old mat.Matrix // log π and log π_old of the tokens
	Advantage    mat.Matrix // of the tokens; the same in a row if it is the output's
	Mask         mat.Matrix // not 0 for tokens that count
	Weights      mat.Matrix // of the tokens in the loss, from policy.TokenWeights of the mask
	Limit        float64    // of the logarithm of a ratio, 0 for none
}

// TokenLoss returns the loss of the batch with ratios of tokens, and its gradient for their
// log-probabilities.
//
//	L = Σ_it w_it l(r_it, A_it),  ∂L/∂ log π_it = w_it ∂l/∂ log r_it
//
// The gradient is [N × L], and 0 outside the mask and where the limit acts. Which paper it is
// depends on l and w: ClipHigher with policy.SequenceMean is GRPO's, with policy.TokenMean DAPO's,
// with policy.SequenceSum or policy.Constant Dr. GRPO's. It implements DeepSeekMath (3) without the
// divergence, DAPO (8) and (12), Klear-Reasoner (7) and (11), and the objective of Understanding
// R1-Zero-Like Training (Liu et al. 2025, 2503.20783) (unnumbered).
func (b Batch) TokenLoss(l policy.RatioLoss) (loss float64, dlogprob *mat.Dense) {
	return b.sum(func(i, t int) (float64, float64) {
		return l.Loss(b.LogProb.At(i, t), b.Old.At(i, t), b.Advantage.At(i, t), b.Limit)
	})
}

// SequenceLoss returns the loss of the batch with ratios of outputs, and its gradient for the
// log-probabilities of tokens.
//
//	L = Σ_it w_it l(s_i, A_it)
//	∂L/∂ log π_it = (m_it/|o_i|) Σ_k w_ik ∂l/∂ log s_i
//
// The gradient is [N × L]: what a ratio passes on is shared by all tokens of its output. With
// ClipHigher and policy.SequenceMean it is GSPO's. It implements GSPO (5) and (10).
func (b Batch) SequenceLoss(l policy.RatioLoss) (loss float64, dlogprob *mat.Dense) {
	loss, direct := b.sequence(l)
	dlogprob = b.like(0)
	for i := range b.rows() {
		total := mat.Sum(direct.RowView(i))
		b.eachShare(i, func(t int, share float64) { dlogprob.Set(i, t, share*total) })
	}
	return loss, dlogprob
}

// SequenceTokenLoss returns the same loss with the gradient of each token's term left to that
// token.
//
//	L = Σ_it w_it l(s_it, A_it),  s_it = sg(s_i) π_it/sg(π_it)
//	∂L/∂ log π_it = w_it ∂l/∂ log s_it
//
// The gradient is [N × L]. It is SequenceLoss's where advantage and weight are the same for all
// tokens of an output. It implements GSPO (13) and (17).
func (b Batch) SequenceTokenLoss(l policy.RatioLoss) (loss float64, dlogprob *mat.Dense) {
	loss, direct := b.sequence(l)
	dlogprob = b.like(0)
	for i := range b.rows() {
		b.eachShare(i, func(t int, _ float64) { dlogprob.Set(i, t, direct.At(i, t)) })
	}
	return loss, dlogprob
}

// WeightedLoss returns the loss of the batch with ratios that are constants for the gradient:
// CISPO, with its bounds given.
//
//	L = Σ_it w_it l(r_it, log π_it, A_it),  ∂L/∂ log π_it = w_it ∂l/∂ log π_it
//
// ratios is [N × L], from TokenRatios or SequenceRatios; the gradient is [N × L]. A limit changes
// the ratios, but keeps no gradient back. It implements CISPO (MiniMax-M1) (4).
func (b Batch) WeightedLoss(
	ratios mat.Matrix, l func(ratio, logprob, advantage float64) (loss, dlogprob float64),
) (loss float64, dlogprob *mat.Dense) {
	b.check(ratios)
	return b.sum(func(i, t int) (float64, float64) {
		return l(ratios.At(i, t), b.LogProb.At(i, t), b.Advantage.At(i, t))
	})
}

// Divergence returns the divergence from the reference of the batch, and its gradient for the
// log-probabilities.
//
//	D = Σ_it w_it k(log π_it, log π_{ref,it})
//
// ref is [N × L], k an estimator of policy with its derivative, such as policy.K3 and
// policy.K3Backward; the gradient is [N × L]. The loss is that of the surrogate plus β D, so that
// the divergence is inside the mean over tokens. Differs in code: a minus in place of the plus
// drives the policy away. It implements DeepSeekMath (3), its divergence.
func (b Batch) Divergence(
	ref mat.Matrix, k func(logprob, ref float64) (kl, dlogprob float64),
) (kl float64, dlogprob *mat.Dense) {
	b.check(ref)
	return b.sum(func(i, t int) (float64, float64) { return k(b.LogProb.At(i, t), ref.At(i, t)) })
}

// TokenRatios returns the ratios of the tokens.
//
//	r_it = π_it/π_{old,it}
//
// The result is [N × L], 1 outside the mask.
// It implements DAPO (9), its r.
func (b Batch) TokenRatios() *mat.Dense {
	return b.ratios(func(i, t int) float64 { return policy.Ratio(b.LogProb.At(i, t), b.Old.At(i, t), b.Limit) })
}

// SequenceRatios returns the ratios of the outputs, one for each of their tokens.
//
//	s_i = (π(o_i|q)/π_old(o_i|q))^{1/|o_i|}
//
// The result is [N × L], 1 outside the mask.
// It implements GSPO (7).
func (b Batch) SequenceRatios() *mat.Dense {
	b.check()
	s := make([]float64, b.rows())
	for i := range s {
		logprob, old, mask, limit := b.row(i)
		s[i] = policy.SequenceRatio(logprob, old, mask, limit)
	}
	return b.ratios(func(i, _ int) float64 { return s[i] })
}

// sequence returns the loss with ratios of outputs and the gradient that each token's term has for
// the ratio's logarithm.
func (b Batch) sequence(l policy.RatioLoss) (loss float64, dlogratio *mat.Dense) {
	s := b.SequenceRatios()
	return b.sum(func(i, t int) (float64, float64) { return l(s.At(i, t), b.Advantage.At(i, t)) })
}

// sum returns the weighted sum of the tokens' losses, and their derivatives times their weights.
func (b Batch) sum(token func(i, t int) (loss, d float64)) (float64, *mat.Dense) {
	b.check()
	return policy.Sum(b.Weights, token)
}

// eachShare calls f for the tokens through which output i moves its ratio, with ∂ log s/∂ log π: no
// token where the limit acts.
func (b Batch) eachShare(i int, f func(t int, share float64)) {
	for t, share := range policy.SequenceLogRatioBackward(b.row(i)) {
		if share != 0 {
			f(t, share)
		}
	}
}

// ratios returns the matrix of f inside the mask and 1 outside.
func (b Batch) ratios(f func(i, t int) float64) *mat.Dense {
	b.check()
	r := b.like(1)
	for i := range b.rows() {
		eachToken(mat.Row(nil, i, b.Mask), func(t int) { r.Set(i, t, f(i, t)) })
	}
	return r
}

// check panics unless the matrices of the batch, and those given, have one shape.
func (b Batch) check(others ...mat.Matrix) {
	rows, cols := b.Mask.Dims()
	for _, m := range append(others, b.LogProb, b.Old, b.Advantage, b.Weights) {
		if r, c := m.Dims(); r != rows || c != cols {
			panic(badBatch)
		}
	}
}

// like returns a matrix of the batch's shape filled with x; unlike mat.NewDense it allows a batch
// without outputs or tokens.
func (b Batch) like(x float64) *mat.Dense {
	m := mat.DenseCopyOf(b.Mask)
	rows, cols := m.Dims()
	for i := range rows {
		for t := range cols {
			m.Set(i, t, x)
		}
	}
	return m
}

// rows returns N.
func (b Batch) rows() int {
	n, _ := b.Mask.Dims()
	return n
}

// row returns what policy.SequenceRatio needs of output i.
func (b Batch) row(i int) (logprob, old, mask []float64, limit float64) {
	return mat.Row(nil, i, b.LogProb), mat.Row(nil, i, b.Old), mat.Row(nil, i, b.Mask), b.Limit
}
