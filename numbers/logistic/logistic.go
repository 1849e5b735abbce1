// Package logistic holds the logistic function σ, which is the score of an expert, the gate of
// SiLU, and the probability of a preference: one function for all of them.
//
// Each form that is safe for every float64 stands beside the literal one, as papers print it; where
// the literal one holds, both are equal to a few roundings.
package logistic

import "math"

// Sigmoid returns the logistic function, by whichever of two equal forms does not overflow.
//
//	σ(x) = 1/(1 + e^−x) for x ≥ 0,  e^x/(1 + e^x) for x < 0
//
// The first form alone gives 0 below −709.8, where e^−x overflows; this one goes on to the smallest
// float64. σ(−Inf) = 0, σ(+Inf) = 1. It is the probability that belongs to a difference of logits
// or of rewards. It implements DeepSeek-V3 (15), its Sigmoid, and DPO (2) and InstructGPT (1),
// their σ.
func Sigmoid(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return SigmoidLiteral(x)
}

// SigmoidLiteral returns the logistic function as it is printed.
//
//	σ(x) = 1/(1 + e^−x)
//
// It is 0 for x below −709.8, where e^−x overflows.
// It implements DeepSeek-V3 (15), its Sigmoid, and DPO (2), its σ.
func SigmoidLiteral(x float64) float64 {
	return 1 / (1 + math.Exp(-x))
}

// LogSigmoid returns the logarithm of the logistic function, finite for every finite x.
//
//	log σ(x) = −log(1 + e^−x) = x − log(1 + e^x)
//
// The first form is taken for x ≥ 0, the second for x < 0.
// Differs in code: the literal form is −∞ below −709 and 0 above 37; see LogSigmoidLiteral.
// It implements DPO (7) and InstructGPT (1), their log σ.
func LogSigmoid(x float64) float64 {
	if x < 0 {
		return x - math.Log1p(math.Exp(x))
	}
	return -math.Log1p(math.Exp(-x))
}

// LogSigmoidLiteral returns the logarithm of the logistic function as the formula has it.
//
//	log σ(x) = log(1/(1 + e^−x))
//
// It is −∞ for x below −709, where e^−x overflows, and 0 for x above 37, where 1 + e^−x is 1.
// It implements DPO (7), its log σ.
func LogSigmoidLiteral(x float64) float64 {
	return math.Log(SigmoidLiteral(x))
}
