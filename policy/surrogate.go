package policy

// RatioLoss is the loss of one token that acts through its ratio alone, with the derivative for the
// ratio's logarithm.
type RatioLoss func(r, advantage float64) (loss, dlogratio float64)

// Loss returns the loss of one token, and its derivative for log π of the token.
//
//	L = l(r, A),  ∂L/∂ log π = ∂l/∂ log r within the limit,  0 beyond
//
// r is Ratio(logprob, old, limit) of the token; limit 0 is none. A limit holds the loss where it is
// and takes the derivative away. It implements PPO (6) and (7), for any surrogate l of r_t.
func (l RatioLoss) Loss(logprob, old, advantage, limit float64) (loss, dlogprob float64) {
	loss, dlogprob = l(Ratio(logprob, old, limit), advantage)
	if LogRatioBackward(logprob, old, limit) == 0 {
		dlogprob = 0
	}
	return loss, dlogprob
}

// Unclipped returns the surrogate that all others are near r = 1: the policy gradient with
// importance sampling.
//
//	L = −r A,  ∂L/∂ log r = −r A
//
// r is the ratio. At r = 1 the derivative is the policy gradient. An advantage of 0 has loss and
// derivative 0, whatever the ratio. It implements PPO (6), DeepSeekMath (16), and the first term of
// its (19).
func Unclipped(r, advantage float64) (loss, dlogratio float64) {
	if advantage == 0 {
		return 0, 0 // 0 · ∞
	}
	return -r * advantage, -r * advantage
}

// Clipped returns the clipped surrogate: nothing is gained by moving the ratio further than the
// clip in the direction that the advantage asks for.
//
//	L = −min(r A, clip(r, 1−ε_low, 1+ε_high) A)
//	∂L/∂ log r = −r A for r A ≤ clip(r, 1−ε_low, 1+ε_high) A,  0 otherwise
//
// r is the ratio, low and high are ε_low and ε_high. The derivative vanishes for A > 0 above 1 +
// ε_high and for A < 0 below 1 − ε_low, and only there: on the boundary it is that of the inside.
// The loss is bounded for A > 0 alone; see Bounded. Differs in code: max(−rA, −clip(r)A) is the
// same. It implements PPO (7) for equal bounds, DAPO (8) for bounds of their own.
func Clipped(r, advantage, low, high float64) (loss, dlogratio float64) {
	clip := min(max(r, 1-low), 1+high)
	// r A > clip(r) A, before the products round to one number
	if advantage > 0 && r > clip || advantage < 0 && r < clip {
		loss, _ = Unclipped(clip, advantage)
		return loss, 0
	}
	return Unclipped(r, advantage)
}

// Bounded returns the loss of a surrogate, with its derivative, bounded for negative advantages:
// the last step of the dual clip.
//
//	L' = min(L, −c A) for A < 0,  L otherwise
//
// loss and dlogratio are those of the surrogate; c > 1 is the largest ratio that counts for A < 0,
// 3 in code, and 0 is no bound. Where both are equal the derivative is the surrogate's, beyond it
// 0. Differs in print: DAPO and Klear-Reasoner have no such bound, their code has, under the names
// of PPO and GPPO. It implements Dual-clip PPO, Mastering Complex Control in MOBA Games (Ye et al.
// 2020) (number not compared), as in verl's compute_policy_loss and in Klear-Reasoner's
// compute_gppo_loss (code).
func Bounded(loss, dlogratio, advantage, c float64) (bounded, dbounded float64) {
	if c != 0 && advantage < 0 && loss > -c*advantage {
		return -c * advantage, 0
	}
	return loss, dlogratio
}
