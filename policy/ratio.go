package policy

import "math"

const badSequence = "policy: logprob, old and mask differ in length"

// LogRatio returns the logarithm of the ratio of two policies at one token, clamped if there is a
// limit.
//
//	log r = clamp(log π − log π_old, −limit, limit)
//
// limit 0 is none. One log-probability of −∞ makes it ±∞ before the clamp, two make it NaN: 0/0.
// Differs in code: in float32 e^{log r} overflows from 89 on, so that trainers clamp at 10 or 20,
// some only from above. It implements PPO (6), the logarithm of its r_t, as verl's code limits it.
func LogRatio(logprob, old, limit float64) float64 {
	delta := logprob - old
	if limit == 0 {
		return delta
	}
	return min(max(delta, -limit), limit)
}

// LogRatioBackward returns the derivative of LogRatio.
//
//	∂ log r/∂ log π = 1 for −limit ≤ log π − log π_old ≤ limit,  0 beyond
//
// limit 0 is none: the derivative is 1 everywhere. At the limit itself it is that of the inside, 1.
// It implements PPO (6), the logarithm of its r_t, as verl's code limits it, differentiated.
func LogRatioBackward(logprob, old, limit float64) float64 {
	if limit != 0 && math.Abs(logprob-old) > limit {
		return 0
	}
	return 1
}

// Ratio returns how much likelier a token is under the policy than under the one that sampled it.
//
//	r = e^{log r},  log r = clamp(log π − log π_old, −limit, limit)
//
// limit 0 is none; then r is 0 for log π = −∞, +∞ for log π_old = −∞ and from log r > 709.78 on,
// and NaN where both are −∞. It implements PPO (6), its r_t.
func Ratio(logprob, old, limit float64) float64 {
	return math.Exp(LogRatio(logprob, old, limit))
}

// RatioBackward returns the derivative of Ratio.
//
//	∂r/∂ log π = r within the limit,  0 beyond
//
// It implements PPO (6), its r_t, differentiated.
func RatioBackward(logprob, old, limit float64) float64 {
	if LogRatioBackward(logprob, old, limit) == 0 {
		return 0
	}
	return Ratio(logprob, old, limit)
}

// SequenceRatio returns the ratio of two policies at a whole output, to the power of one over its
// length: the geometric mean of the tokens' ratios.
//
//	s = (π(o)/π_old(o))^{1/|o|} = e^{clamp((1/|o|) Σ_t m_t log(π/π_old)(o_t), −limit, limit)}
//
// logprob, old and mask are [L]; limit 0 is none, and what is clamped is the mean, not each token.
// An output without tokens has ratio 1. Differs in code: a product of the ratios without 1/|o| is
// another object, the weight of importance sampling, and so is the mean of the ratios. It
// implements GSPO (7).
func SequenceRatio(logprob, old, mask []float64, limit float64) float64 {
	return math.Exp(SequenceLogRatio(logprob, old, mask, limit))
}

// SequenceRatioBackward returns the gradient of SequenceRatio for the log-probabilities of all
// tokens.
//
//	∂s/∂ log π_t = s (m_t/|o|) within the limit,  0 beyond
//
// logprob, old and mask are [L] and so is the result; it is 0 outside the mask.
// It implements GSPO (7), differentiated.
func SequenceRatioBackward(logprob, old, mask []float64, limit float64) []float64 {
	s := SequenceRatio(logprob, old, mask, limit)
	ds := SequenceLogRatioBackward(logprob, old, mask, limit)
	for t, d := range ds {
		if d != 0 {
			ds[t] = s * d // and not ∞ · 0
		}
	}
	return ds
}

// SequenceLogRatio returns the logarithm of SequenceRatio.
//
//	log s = clamp((1/|o|) Σ_t m_t log(π/π_old)(o_t), −limit, limit)
//
// logprob, old and mask are [L]; limit 0 is none. For an output without tokens it is 0.
// It implements GSPO (7), its logarithm.
func SequenceLogRatio(logprob, old, mask []float64, limit float64) float64 {
	mean, _ := meanLogRatio(logprob, old, mask)
	return LogRatio(mean, 0, limit)
}

// SequenceLogRatioBackward returns the gradient of SequenceLogRatio for the log-probabilities of
// all tokens.
//
//	∂ log s/∂ log π_t = m_t/|o| within the limit,  0 beyond
//
// logprob, old and mask are [L] and so is the result. It is a number where s itself is 0 or
// infinite. It implements GSPO (7), its logarithm, differentiated.
func SequenceLogRatioBackward(logprob, old, mask []float64, limit float64) []float64 {
	mean, n := meanLogRatio(logprob, old, mask)
	d := make([]float64, len(logprob))
	for t := range d {
		if mask[t] != 0 {
			d[t] = LogRatioBackward(mean, 0, limit) / n
		}
	}
	return d
}

// meanLogRatio returns the mean log-ratio of the tokens in the mask, 0 if there are none, and how
// many they are.
func meanLogRatio(logprob, old, mask []float64) (mean, n float64) {
	if len(logprob) != len(old) || len(logprob) != len(mask) {
		panic(badSequence)
	}
	for t := range logprob {
		if mask[t] != 0 {
			mean += logprob[t] - old[t]
			n++
		}
	}
	return mean / max(n, 1), n
}
