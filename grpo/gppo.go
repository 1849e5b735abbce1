package grpo

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// GPPO returns the loss of one token that is clipped as by ClipHigher and yet passes a gradient
// everywhere.
//
//	L = −min( r A, clip(r, ((1−ε_l)/sg(r)) r, ((1+ε_h)/sg(r)) r) A )
//	∂L/∂ log r = −F A
//	F = 1−ε_l for r < 1−ε_l and A < 0,  1+ε_h for r > 1+ε_h and A > 0,  r otherwise
//
// low and high are ε_l and ε_h, 0.2 and 0.28 in the paper. Bounds times r/sg(r) have the value of
// bounds and the gradient of r: beyond the clip the policy is pushed as hard as at its edge. The
// loss is ClipHigher's, so that finite differences of it show a gradient of 0 where this one is
// not. Differs in code: compute_gppo_loss puts policy.Bounded with c = 3 around it, whose gradient
// for A < 0 and r > 3 is 0, not r A. Differs in print: the appendix has 0 < δ < ε_l and δ > ε_h
// where 1−ε_l and 1+ε_h are meant. It implements Klear-Reasoner (11) and (12).
func GPPO(r, advantage, low, high float64) (loss, dlogratio float64) {
	return GPPOScaled(r, advantage, low, high, 1, 1)
}

// GPPOScaled returns GPPO's loss with a weight on either clipped branch.
//
//	L = −β_1 ((1−ε_l)/sg(r)) r A for r < 1−ε_l and A < 0
//	L = −β_2 ((1+ε_h)/sg(r)) r A for r > 1+ε_h and A > 0
//	L = −r A otherwise,  ∂L/∂ log r = L
//
// beta1 and beta2 are β_1 and β_2. With both 1 it is GPPO. With both 0 the gradient is
// ClipHigher's, but not the loss: that is 0 in the clipped branches. It implements Klear-Reasoner
// (17) and (18).
func GPPOScaled(r, advantage, low, high, beta1, beta2 float64) (loss, dlogratio float64) {
	switch {
	case r < 1-low && advantage < 0:
		return policy.Unclipped(beta1*(1-low), advantage)
	case r > 1+high && advantage > 0:
		return policy.Unclipped(beta2*(1+high), advantage)
	}
	return policy.Unclipped(r, advantage)
}

// LM returns the loss of one token of a right output, that Klear-Reasoner adds to GPPO's with a
// weight of 0.1: supervised fine-tuning on what the policy found itself.
//
//	L = −log π,  ∂L/∂ log π = −1
//
// The mean over all tokens of right outputs is Batch.LMLoss.
// Differs in print: the formula has π where log π must be meant; see LMPrinted.
// It implements Klear-Reasoner (8), with the logarithm, of one token.
func LM(logprob float64) (loss, dlogprob float64) {
	return -logprob, -1
}

// LMPrinted returns that loss as it is printed, without the logarithm: sure tokens are pushed most
// and rare ones hardly.
//
//	L = −π,  ∂L/∂ log π = −π
//
// It implements Klear-Reasoner (8) and (13) to the letter.
func LMPrinted(logprob float64) (loss, dlogprob float64) {
	return -math.Exp(logprob), -math.Exp(logprob)
}

// LMLoss returns the mean of LM over all tokens of right outputs, and its gradient for the
// log-probabilities.
//
//	L_LM = −(1/Σ_{j∈Φ} |o_j|) Σ_{j∈Φ} Σ_t log π(o_jt)
//
// right says of each output whether it is one of Φ; the gradient is [N × L], and 0 for the others.
// Without a right output both are 0. The weights of the batch are not looked at. It implements
// Klear-Reasoner (13), with the logarithm.
func (b Batch) LMLoss(right []bool) (loss float64, dlogprob *mat.Dense) {
	b.check()
	if len(right) != b.rows() {
		panic(badBatch)
	}
	found := mat.DenseCopyOf(b.Mask)
	for i := range right {
		if !right[i] {
			found.RowView(i).(*mat.VecDense).Zero()
		}
	}
	return policy.Sum(policy.TokenWeights(found, policy.TokenMean, 0), func(i, t int) (loss, dlogprob float64) {
		return LM(b.LogProb.At(i, t))
	})
}

// KlearLoss returns the whole loss of Klear-Reasoner, and its gradient for the log-probabilities.
//
//	L = L_GPPO + α L_LM
//
// right is as in LMLoss, low and high are GPPO's, alpha is α, 0.1 in the paper. With
// policy.TokenMean the weights are the paper's. Differs in print: the two terms are added where one
// is to be maximised and the other to be minimised; here both are minimised. It implements
// Klear-Reasoner (14).
func (b Batch) KlearLoss(right []bool, low, high, alpha float64) (loss float64, dlogprob *mat.Dense) {
	loss, dlogprob = b.TokenLoss(func(r, advantage float64) (float64, float64) { return GPPO(r, advantage, low, high) })
	lm, dlm := b.LMLoss(right)
	if alpha == 0 {
		return loss, dlogprob // 0 · ∞, where the policy excludes what it found
	}
	floats.AddScaled(dlogprob.RawMatrix().Data, alpha, dlm.RawMatrix().Data)
	return loss + alpha*lm, dlogprob
}
