package policy

import "math"

// Logistic returns the probability that belongs to a difference of logits or of rewards.
//
//	σ(x) = 1/(1 + e^−x)
//
// The exponential is taken of −|x|, so that nothing overflows: σ(x) = e^x/(1 + e^x) for x < 0,
// which keeps its relative precision down to where e^x ends. It implements DPO (2) and InstructGPT
// (1), their σ.
func Logistic(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

// LogLogistic returns the logarithm of the logistic function, finite for every finite x.
//
//	log σ(x) = −log(1 + e^−x) = x − log(1 + e^x)
//
// The first form is taken for x ≥ 0, the second for x < 0.
// Differs in code: the literal form is −∞ below −709 and 0 above 37.
// It implements DPO (7) and InstructGPT (1), their log σ.
func LogLogistic(x float64) float64 {
	if x < 0 {
		return x - math.Log1p(math.Exp(x))
	}
	return -math.Log1p(math.Exp(-x))
}
