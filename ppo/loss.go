package ppo

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

const badBatch = "ppo: shapes of the batch's matrices differ"

// Options are the conventions of a loss. DeepSeekMath has {Low: ε, High: ε, Aggregation:
// policy.SequenceMean}.
type Options struct {
	Low, High     float64 // ε_low and ε_high of the clip
	DualClip      float64 // c of the dual clip, 0 for none
	LogRatioLimit float64 // clamp of log r, 0 for none
	Aggregation   policy.Aggregation
	Length        int // tokens, for policy.Constant alone
}

// Loss returns the loss of a batch, and its gradient for the log-probabilities.
//
//	L = −Σ_it w_it min(r_it A_it, clip(r_it, 1−ε_low, 1+ε_high) A_it)
//
// logprob, old, advantage and mask are [N × L] and so is the gradient, which is 0 outside the mask;
// w is policy.TokenWeights. A batch without tokens has loss 0. With policy.SequenceMean it is −1
// times the mean of the paper's objective over outputs. It implements DeepSeekMath (1) and PPO (7).
func Loss(logprob, old, advantage, mask mat.Matrix, o Options) (loss float64, dlogprob *mat.Dense) {
	sameShape(logprob, old, advantage, mask)
	clip := policy.RatioLoss(func(r, advantage float64) (loss, dlogratio float64) {
		return DualClip(r, advantage, o.Low, o.High, o.DualClip)
	})
	return policy.Sum(policy.TokenWeights(mask, o.Aggregation, o.Length), func(i, t int) (loss, dlogprob float64) {
		return clip.Loss(logprob.At(i, t), old.At(i, t), advantage.At(i, t), o.LogRatioLimit)
	})
}

// sameShape panics unless all matrices have the shape of the first.
func sameShape(first mat.Matrix, others ...mat.Matrix) {
	rows, cols := first.Dims()
	for _, m := range others {
		if r, c := m.Dims(); r != rows || c != cols {
			panic(badBatch)
		}
	}
}
