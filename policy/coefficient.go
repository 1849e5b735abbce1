package policy

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/logistic"
)

const badCoefficients = "policy: there is not one coefficient for each token"

// UnifiedGradient returns the gradient that one output contributes to the objective: every method
// of the paper's section 5.2 is this one with a gradient coefficient of its own, and with outputs
// from a source of its own.
//
//	∇J = (1/|o|) Σ_t GC_t ∇ log π(o_t | q, o_{<t})
//
// coefficient is [|o|]; scores, the gradients of the log-probabilities, is [|o| × parameters]; the
// result is [parameters], to be averaged over outputs. It is that of the objective, which is
// maximised; an output without tokens contributes 0. It implements DeepSeekMath (5).
func UnifiedGradient(coefficient []float64, scores mat.Matrix) []float64 {
	tokens, parameters := scores.Dims()
	if len(coefficient) != tokens {
		panic(badCoefficients)
	}
	gradient := make([]float64, parameters)
	for t, gc := range coefficient {
		if gc == 0 {
			continue // an output that is dropped may have any gradient
		}
		for k := range gradient {
			gradient[k] += gc * scores.At(t, k) / float64(tokens)
		}
	}
	return gradient
}

// CoefficientSFT returns the gradient coefficient of supervised fine-tuning: every token of the
// data counts alike.
//
//	GC = 1
//
// The outputs are those of the fine-tuning data.
// It implements DeepSeekMath (7).
func CoefficientSFT() float64 { return 1 }

// CoefficientRFT returns the gradient coefficient of rejection-sampling fine-tuning: outputs with a
// wrong answer are dropped.
//
//	GC = 𝟙(the answer of o is right)
//
// The outputs are sampled once, from the model that supervised fine-tuning gave.
// It implements DeepSeekMath (10).
func CoefficientRFT(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

// CoefficientOnlineRFT returns the gradient coefficient of the same with outputs of the policy in
// training.
//
//	GC = 𝟙(the answer of o is right),  o ∼ π
//
// As a number it is CoefficientRFT; only the source of the outputs differs.
// It implements DeepSeekMath (11).
func CoefficientOnlineRFT(right bool) float64 { return CoefficientRFT(right) }

// CoefficientDPO returns the gradient coefficient of direct preference optimisation as the paper
// prints it, token by token.
//
//	GC = σ(β log(π/π_ref)(o⁻_t) − β log(π/π_ref)(o⁺_t))
//
// chosen and rejected are log π − log π_ref at token t of o⁺ and o⁻; GC multiplies ∇ log π(o⁺_t),
// and −GC does ∇ log π(o⁻_t). Differs in print: the exact gradient of the objective (12) has
// another; see CoefficientDPOExact. It implements DeepSeekMath (14).
func CoefficientDPO(chosen, rejected, beta float64) float64 {
	return logistic.Sigmoid(beta*rejected - beta*chosen)
}

// CoefficientDPOExact returns the gradient coefficient that differentiating the objective gives,
// the same for all tokens of a pair.
//
//	GC = β σ(−β Δ),  Δ = (1/|o⁺|) Σ_t log(π/π_ref)(o⁺_t) − (1/|o⁻|) Σ_t log(π/π_ref)(o⁻_t)
//
// delta is Δ. For pairs of one token it is β times CoefficientDPO.
// It implements DeepSeekMath (12), differentiated.
func CoefficientDPOExact(delta, beta float64) float64 {
	return beta * logistic.Sigmoid(-beta*delta)
}

// CoefficientPPO returns the gradient coefficient of PPO with one update per sample, where π =
// π_old.
//
//	GC_t = A_t
//
// advantage is that of the token, by generalised advantage estimation.
// It implements DeepSeekMath (18).
func CoefficientPPO(advantage float64) float64 { return advantage }

// CoefficientGRPO returns the gradient coefficient of GRPO with one update per sample, where π =
// π_old.
//
//	GC_it = Â_it + β (π_ref/π − 1)
//
// advantage is that of the token, logprob and ref its log-probabilities, beta the weight of the
// divergence. It implements DeepSeekMath (21).
func CoefficientGRPO(advantage, logprob, ref, beta float64) float64 {
	if beta == 0 {
		return advantage // whatever the reference
	}
	return advantage - beta*K3Backward(logprob, ref)
}
