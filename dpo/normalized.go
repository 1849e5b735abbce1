package dpo

import "gonum.org/v1/gonum/stat"

// LengthNormalized returns DeepSeekMath's loss of a pair, DPO's with means over tokens instead of
// sums, and its derivatives: for log π of any token of the chosen response and of any token of the
// rejected one.
//
//	Δ = (1/|o⁺|) Σ_t log(π/π_ref)(o⁺_t) − (1/|o⁻|) Σ_t log(π/π_ref)(o⁻_t)
//	L = −log σ(βΔ),  ∂L/∂ log π(o⁺_t) = −β σ(−βΔ)/|o⁺|,  ∂L/∂ log π(o⁻_t) = β σ(−βΔ)/|o⁻|
//
// chosen and rejected are log(π/π_ref) of the tokens of o⁺ and o⁻, at least one each. Differs in
// print: the term of o⁻ has o⁻_{<t} where o⁻_t is meant, and the gradient coefficient printed in
// (14) does not belong to this loss: it has no β in front and a σ for each token. The exact one,
// above, is policy.CoefficientDPOExact, the printed one policy.CoefficientDPO. It implements
// DeepSeekMath (12) and (13).
func LengthNormalized(chosen, rejected []float64, beta float64) (loss, dchosen, drejected float64) {
	delta := stat.Mean(chosen, nil) - stat.Mean(rejected, nil)
	loss, ddelta := SigmoidLoss(delta, beta, 0)
	return loss, ddelta / float64(len(chosen)), -ddelta / float64(len(rejected))
}
