package policy

import "math"

const badDistributions = "policy: the distributions differ in length"

// KL returns the divergence of two distributions over one vocabulary, summed over all of it: what
// k1, k2 and k3 estimate from samples.
//
//	KL(p‖q) = Σ_i p_i (log p_i − log q_i)
//
// logp and logq are logarithms of probabilities, [V], as LogSoftmax returns them. Where p_i = 0 the
// term is 0; where only q_i = 0 it is +∞.
//
// Between neighbours the terms cancel to second order, and what rounding leaves of them may be
// negative. So it is summed as Σ_i p_i k3_i ≥ 0, the same for sums of one: Σ_i (q_i − p_i) = 0.
// Where the two sums differ by more than rounding explains, the formula itself is summed, see
// KLLiteral. It implements PPO (8), its KL[π_old, π_θ].
func KL(logp, logq []float64) float64 {
	if len(logp) != len(logq) {
		panic(badDistributions)
	}
	var sum, gap, size float64
	for i := range logp {
		sum += weighK3(logp[i], logq[i]-logp[i], logq[i])
		gap += expDifference(logq[i], logp[i])
		size += timesExp(logp[i], 1+math.Abs(logp[i])) + timesExp(logq[i], 1+math.Abs(logq[i]))
	}
	if math.Abs(gap) <= (8+float64(len(logp)))*0x1p-53*size {
		return sum
	}
	return KLLiteral(logp, logq)
}

// KLLiteral returns KL as the formula has it. For distributions a step of h apart it is h²/2, and
// off by the roundings of log p: no digit is left at h = 10⁻⁸.
//
//	KL(p‖q) = Σ_i p_i (log p_i − log q_i)
//
// logp and logq are [V].
// It implements PPO (8), its KL[π_old, π_θ].
func KLLiteral(logp, logq []float64) float64 {
	if len(logp) != len(logq) {
		panic(badDistributions)
	}
	var sum float64
	for i := range logp {
		sum += timesExp(logp[i], logp[i]-logq[i])
	}
	return sum
}

// weighK3 returns r (e^δ − 1 − δ), given log r and log q = log r + δ: the limit q where r = 0, and
// neither 0·∞ nor ∞ − ∞ where one of them leaves the range of numbers.
func weighK3(logr, delta, logq float64) float64 {
	r := math.Exp(logr)
	switch {
	case math.IsInf(logr, -1):
		return math.Exp(logq)
	case delta == 0:
		return 0
	case math.IsInf(delta, -1):
		return math.Inf(1)
	case delta > 0.5 && !math.IsInf(r, 1):
		return math.Exp(logq) - r*(1+delta)
	}
	return r * k3(delta)
}

// expDifference returns e^a − e^b to a few roundings of itself.
func expDifference(a, b float64) float64 {
	switch {
	case a == b:
		return 0 // both −∞, too
	case a > b:
		return -math.Exp(a) * math.Expm1(b-a)
	}
	return math.Exp(b) * math.Expm1(a-b)
}

// KLBackward returns the gradients of KL for the logits of both distributions.
//
//	∂KL/∂z^p_i = p_i (log p_i − log q_i − KL(p‖q))
//	∂KL/∂z^q_i = q_i − p_i
//
// logp and logq are [V], and so are both results, at temperature 1; each sums to 0. The first pulls
// the policy when it is p, KL(π‖π_ref), the second when it is q, KL(π_ref‖π) or PPO's KL(π_old‖π).
// Where the divergence is +∞ dp is not defined, and NaN. It implements PPO (8), its KL[π_old, π_θ],
// differentiated.
func KLBackward(logp, logq []float64) (dp, dq []float64) {
	kl := KL(logp, logq)
	dp, dq = make([]float64, len(logp)), make([]float64, len(logp))
	for i := range logp {
		dp[i] = timesExp(logp[i], logp[i]-logq[i]-kl)
		dq[i] = expDifference(logq[i], logp[i])
	}
	return dp, dq
}

// K1 returns the plain estimate of KL(π‖π_ref) from one token that π sampled.
//
//	k1 = log π − log π_ref = −δ
//
// Its mean is KL(π‖π_ref); a single one may be negative. It implements Schulman, Approximating KL
// Divergence (2020), k1, and the logarithm of DeepSeekMath (2).
func K1(logprob, ref float64) float64 { return logprob - ref }

// K1Backward returns the derivative of K1.
//
//	∂k1/∂ log π = 1
//
// Of no divergence: over samples of π the mean of ∇ log π is 0, so that k1 in a loss pulls nowhere.
// Its place is in the reward, where its value multiplies ∇ log π. It implements Schulman,
// Approximating KL Divergence (2020), k1, differentiated.
func K1Backward(logprob, ref float64) float64 { return 1 }

// K2 returns half the squared log-ratio.
//
//	k2 = (log π − log π_ref)²/2 = δ²/2
//
// Its mean over samples of π is KL(π‖π_ref) only to second order in δ.
// It implements Schulman, Approximating KL Divergence (2020), k2.
func K2(logprob, ref float64) float64 {
	delta := ref - logprob
	return delta * delta / 2
}

// K2Backward returns the derivative of K2.
//
//	∂k2/∂ log π = log π − log π_ref = −δ
//
// Of KL(π‖π_ref), exactly: E_π[−δ ∇ log π] = ∇ KL(π‖π_ref), although the value of k2 is not that
// divergence. It implements Schulman, Approximating KL Divergence (2020), k2, differentiated.
func K2Backward(logprob, ref float64) float64 { return logprob - ref }

// K3 returns the estimate of KL(π‖π_ref) that GRPO uses: unbiased like k1, and never negative.
//
//	k3 = e^δ − 1 − δ = π_ref/π − log(π_ref/π) − 1,  δ = log π_ref − log π
//
// Its mean over samples of π is KL(π‖π_ref) as long as π excludes no token that π_ref allows;
// otherwise it falls short of it by π_ref of those tokens, which are never sampled: a sampler that
// cuts off the tail, and is taken for π, does so. It is 0 only for δ = 0, and +∞, its limit, where
// one of the policies excludes the token. For |δ| < 1/2 it is summed as δ²/2 + δ³/6 + …, because
// the terms of the formula cancel; either way it is good to 8 roundings. Differs in code: with the
// ratio upside down, π/π_ref, it agrees to second order in δ alone. It implements DeepSeekMath (4).
func K3(logprob, ref float64) float64 { return k3(ref - logprob) }

// k3 returns e^δ − 1 − δ.
func k3(delta float64) float64 {
	switch {
	case math.IsInf(delta, 1):
		return delta // e^δ − δ would be ∞ − ∞
	case math.Abs(delta) < 0.5:
		return k3Series(delta)
	}
	return math.Expm1(delta) - delta
}

// k3Series returns δ²/2 (1 + δ/3 (1 + δ/4 (1 + …))), which after 15 terms leaves out less than
// 2e-19 of it for |δ| < 1/2.
func k3Series(delta float64) float64 {
	sum := 1.0
	for n := 16.0; n > 2; n-- {
		sum = 1 + delta/n*sum
	}
	return delta * delta / 2 * sum
}

// K3Backward returns the derivative of K3.
//
//	∂k3/∂ log π = 1 − e^δ = 1 − ρ
//
// Of KL(π_ref‖π), the divergence the other way round: E_π[(1−ρ) ∇ log π] = −E_ref[∇ log π] = ∇
// KL(π_ref‖π). It has no bound where π ≪ π_ref. It implements DeepSeekMath (21), the second term of
// its coefficient.
func K3Backward(logprob, ref float64) float64 { return -math.Expm1(ref - logprob) }

// K3Limited returns k3 with its δ clamped, so that nothing overflows.
//
//	k3 = e^δ − 1 − δ,  δ = clamp(log π_ref − log π, −limit, limit)
//
// limit 0 is none. It is finite for any one log-probability of −∞. k1 and k2 of a clamped δ are K1
// and K2 of LogRatio(logprob, ref, limit) and 0. Differs in code: verl clamps δ to ±20 and then k3
// itself to ±10. It implements DeepSeekMath (4), as verl's code limits it.
func K3Limited(logprob, ref, limit float64) float64 {
	return K3(LogRatio(logprob, ref, limit), 0)
}

// K3LimitedBackward returns the derivative of K3Limited.
//
//	∂k3/∂ log π = 1 − e^δ for −limit ≤ log π_ref − log π ≤ limit,  0 beyond
//
// limit 0 is none. At the limit itself it is that of the inside; beyond it a policy that has
// drifted is no longer pulled back. It implements DeepSeekMath (21), the second term of its
// coefficient, as verl's code limits it.
func K3LimitedBackward(logprob, ref, limit float64) float64 {
	if LogRatioBackward(logprob, ref, limit) == 0 {
		return 0
	}
	return K3Backward(logprob, ref)
}

// K3Weighted returns k3 weighted by the ratio of the policy to the one that sampled.
//
//	r k3 = π/π_old (π_ref/π − log(π_ref/π) − 1)
//
// Over samples of π_old, and not of π, its mean is KL(π‖π_ref). Where π excludes the token it is
// its limit π_ref/π_old, so that this holds for what π excludes, too, as long as π_old does not.
// Where π = π_ref it is 0, whatever the ratio. It implements DeepSeek-V3.2 (7).
func K3Weighted(logprob, old, ref float64) float64 {
	return weighK3(logprob-old, ref-logprob, ref-old)
}

// K3WeightedBackward returns the derivative of K3Weighted, through the ratio too.
//
//	∂(r k3)/∂ log π = r (e^δ − 1 − δ) + r (1 − e^δ) = −r δ
//
// Of KL(π‖π_ref): E_old[r log(π/π_ref) ∇ log π] = ∇ KL(π‖π_ref). It vanishes where π ≪ π_ref, and
// is 0 where π excludes the token. It implements DeepSeek-V3.2 (7), differentiated.
func K3WeightedBackward(logprob, old, ref float64) float64 {
	return timesExp(logprob-old, logprob-ref)
}
