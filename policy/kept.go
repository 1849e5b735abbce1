package policy

import (
	"cmp"
	"math"
	"slices"
)

const badKept = "policy: logits and kept set differ in length"

// Nucleus returns the tokens that top-p sampling leaves: the fewest likeliest ones that have the
// mass together.
//
//	Σ_{i ∈ kept} p_i ≥ mass,  p = softmax(z/T)
//
// logits is [V] and so is the result; mass is at most 1 and the likeliest token is always kept. Of
// equally likely tokens the one of the lower index goes first. Differs in code: some samplers
// filter before they divide by the temperature, which keeps others.
// It implements Holtzman et al., The Curious Case of Neural Text Degeneration (2020), section 3.1.
func Nucleus(logits []float64, mass, temperature float64) []bool {
	logp := LogSoftmax(logits, temperature)
	order := make([]int, len(logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(logp[j], logp[i]) })
	kept, sum := make([]bool, len(logits)), 0.0
	for at, i := range order {
		if at > 0 && sum >= mass {
			break
		}
		kept[i] = true
		sum += math.Exp(logp[i])
	}
	return kept
}

// KeptLogProb returns the log-probability of one token under the policy renormalised over the
// tokens that the sampler kept.
//
//	log π_kept(k) = z_k/T − log Σ_{j ∈ kept} e^{z_j/T} = log π(k) − log Σ_{j ∈ kept} π(j)
//
// logits and kept are [V], token k is an index into them, temperature is T > 0. It is at least log
// π(k), and the same where all is kept; a token that is not kept has −∞, and none that was sampled
// is one. Differs in code: trainers that leave the mask out see ratios of the kept mass where
// nothing has changed. It implements DeepSeek-V3.2, section 3.1, its keep sampling mask.
func KeptLogProb(logits []float64, kept []bool, token int, temperature float64) float64 {
	return LogProb(keptLogits(logits, kept), token, temperature)
}

// KeptLogProbBackward returns the gradient of KeptLogProb for the logits.
//
//	∂ log π_kept(k)/∂z_i = (δ_ik − π_kept(i))/T for kept i,  0 for the others
//
// logits and kept are [V] and so is the result, which sums to 0; for a token that is not kept it is
// 0. It implements DeepSeek-V3.2, section 3.1, its keep sampling mask, differentiated.
func KeptLogProbBackward(logits []float64, kept []bool, token int, temperature float64) []float64 {
	return LogProbBackward(keptLogits(logits, kept), token, temperature)
}

// keptLogits returns logits with −∞ in place of those that are not kept.
func keptLogits(logits []float64, kept []bool) []float64 {
	if len(logits) != len(kept) {
		panic(badKept)
	}
	z := slices.Clone(logits)
	for i, in := range kept {
		if !in {
			z[i] = math.Inf(-1)
		}
	}
	return z
}
