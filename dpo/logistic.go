package dpo

import (
	"math"

	"plumbline/policy"
)

// Logistic returns the probability that belongs to a difference of rewards.
//
//	σ(x) = 1/(1 + e^−x)
//
// The exponential is taken of −|x|, so that nothing overflows: σ(x) = e^x/(1 + e^x) for x < 0,
// which keeps its relative precision down to where e^x ends. It implements DPO (2), its σ.
func Logistic(x float64) float64 {
	return policy.Logistic(x)
}

// LogSigmoid returns the logarithm of the logistic function, finite for every finite x.
//
//	log σ(x) = −log(1 + e^−x) = x − log(1 + e^x)
//
// The first form is taken for x ≥ 0, the second for x < 0.
// Differs in code: the literal form is −∞ below −709 and 0 above 37; see LogSigmoidLiteral.
// It implements DPO (7), its log σ.
func LogSigmoid(x float64) float64 {
	return policy.LogLogistic(x)
}

// LogSigmoidLiteral returns the logarithm of the logistic function as the formula has it.
//
//	log σ(x) = log(1/(1 + e^−x))
//
// It is −∞ for x below −709, where e^−x overflows, and 0 for x above 37, where 1 + e^−x is 1.
// It implements DPO (7), its log σ.
func LogSigmoidLiteral(x float64) float64 {
	return math.Log(1 / (1 + math.Exp(-x)))
}
