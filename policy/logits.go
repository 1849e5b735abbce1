package policy

import (
	"math"
	"slices"
)

const badTemperature = "policy: temperature is not positive"

// LogSoftmax returns the logarithms of the probabilities that logits give to the tokens of a
// vocabulary.
//
//	log p_i = z_i/T − log Σ_j e^{z_j/T}
//
// logits is [V] and so is the result, temperature is T > 0. The sum is shifted by the largest
// logit, so that nothing overflows, and before the division, so that a low temperature does not
// multiply its rounding; the largest's own 1 is left out of it, so that the log-probability of a
// token that is all but sure keeps its digits. A logit of −∞ excludes its token; where all are
// excluded all results are −∞. A logit of +∞ or NaN makes all NaN. Differs in code: trainers that
// leave out the sampler's temperature get every ratio wrong, which cannot be seen at T = 1. It
// implements Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network (1), as a
// logarithm.
func LogSoftmax(logits []float64, temperature float64) []float64 {
	if !(temperature > 0) {
		panic(badTemperature)
	}
	logp := shifted(logits, temperature)
	rest, top := 0.0, slices.Index(logp, 0)
	for i, x := range logp {
		if i != top {
			rest += math.Exp(x)
		}
	}
	for i := range logp {
		logp[i] -= math.Log1p(rest) // 0 for nothing but −∞
	}
	return logp
}

// shifted returns (z − max z)/T; all −∞ where all are.
func shifted(logits []float64, temperature float64) []float64 {
	if len(logits) == 0 {
		return nil
	}
	m := slices.Max(logits)
	x := make([]float64, len(logits))
	for i, z := range logits {
		x[i] = z
		if !math.IsInf(m, -1) { // (−∞) − (−∞) would be NaN
			x[i] = (z - m) / temperature
		}
	}
	return x
}

// LogProb returns the log-probability of one token.
//
//	log π(o_t) = log softmax(z/T)_{o_t}
//
// logits is [V], token is an index into it, temperature is T > 0. Differs in code:
// log-probabilities of a sampler that renormalises over the tokens left by top-k or top-p are
// larger than these. It implements DeepSeekMath (1), its log π_θ(o_t | q, o_{<t}).
func LogProb(logits []float64, token int, temperature float64) float64 {
	return LogSoftmax(logits, temperature)[token]
}

// LogProbBackward returns the gradient of the log-probability of one token for the logits.
//
//	∂ log p_k/∂z_i = (δ_ik − p_i)/T
//
// logits is [V] and so is the result, which sums to 0; k is the token, δ_ik is 1 for i = k. A token
// that is excluded (logit −∞) has gradient 0 at its own logit, and no logit brings it back: where k
// itself is excluded the result is 0. It implements Klear-Reasoner (9), its φ_θ for the logits.
func LogProbBackward(logits []float64, token int, temperature float64) []float64 {
	logp := LogSoftmax(logits, temperature)
	dz := make([]float64, len(logits))
	if math.IsInf(logp[token], -1) {
		return dz
	}
	for i := range dz {
		dz[i] = -math.Exp(logp[i]) / temperature
	}
	dz[token] = -math.Expm1(logp[token]) / temperature // 1 − p, which keeps its digits as p nears 1
	return dz
}

// Entropy returns how undecided the policy is, in nats.
//
//	S = −Σ_i p_i log p_i,  p = softmax(z/T)
//
// logits is [V]; 0 ≤ S ≤ log V. An excluded token contributes 0, the limit of p log p; with no
// token left it is 0. It implements PPO (9), its S[π].
func Entropy(logits []float64, temperature float64) float64 {
	var sum float64
	for _, l := range LogSoftmax(logits, temperature) {
		sum -= timesExp(l, l)
	}
	return sum
}

// EntropyBackward returns the gradient of the entropy for the logits.
//
//	∂S/∂z_i = −p_i (log p_i + S)/T
//
// logits is [V] and so is the result, which sums to 0; it is 0 for uniform p, where S is largest,
// and for excluded tokens. It implements PPO (9), its S[π], differentiated.
func EntropyBackward(logits []float64, temperature float64) []float64 {
	logp, x, dz := LogSoftmax(logits, temperature), shifted(logits, temperature), make([]float64, len(logits))
	var mean float64 // of z/T: log p_i + S is how far z_i/T is above it, without what cancels near uniform p
	for i, l := range logp {
		mean += timesExp(l, x[i])
	}
	for i, l := range logp {
		dz[i] = -timesExp(l, x[i]-mean) / temperature
	}
	return dz
}

// timesExp returns x·e^l, and 0 for l = −∞ whatever x: the limit of p log p. Of an infinite x
// nothing is lost where e^l leaves the range of numbers, nor of an x of 0.
func timesExp(l, x float64) float64 {
	switch {
	case math.IsInf(l, -1), x == 0 && !math.IsNaN(l):
		return 0
	case math.IsInf(x, 0) && !math.IsNaN(l):
		return x
	}
	return x * math.Exp(l)
}
