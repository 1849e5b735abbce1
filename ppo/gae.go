package ppo

import "math"

const (
	badTrajectory = "ppo: rewards, values, next, end and mask differ in length"
	badStep       = "ppo: step is not inside the trajectory"
)

// TDError returns by how much a reward and the value of the next state exceed the value of this
// one.
//
//	δ_t = r_t + γ V_{t+1} − V_t
//
// next is V_{t+1}: 0 if the state after the reward is terminal, its value if the trajectory is
// merely cut off there. It implements PPO (12) and GAE (11).
func TDError(reward, value, next, gamma float64) float64 {
	return reward + float64(gamma*next) - value
}

// KStep returns the advantage of token t as estimated from k rewards and the value that follows
// them.
//
//	Â_t^{(k)} = Σ_{l<k} γ^l δ_{t+l} = −V_t + r_t + γ r_{t+1} + … + γ^{k−1} r_{t+k−1} + γ^k V_{t+k}
//
// rewards and values are [T], bootstrap is V_T; 0 ≤ t < T and t+k ≤ T. As k grows V_{t+k} fades
// away, and the discounted return less V_t is left: (15). Differs in print: PPO (10), the same with
// t+k = T, has another exponent; see KStepPrinted. It implements GAE (11)–(15) and PPO (10).
func KStep(rewards, values []float64, bootstrap float64, t, k int, gamma float64) float64 {
	if t < 0 || k < 1 || t+k > len(rewards) || len(values) != len(rewards) {
		panic(badStep)
	}
	after := bootstrap
	if t+k < len(values) {
		after = values[t+k]
	}
	sum := -values[t]
	for l := range k {
		sum += math.Pow(gamma, float64(l)) * rewards[t+l]
	}
	return sum + math.Pow(gamma, float64(k))*after
}

// KStepPrinted returns the estimate from all rewards to the end as it is printed, with another
// exponent at the last of them.
//
//	Â_t = −V_t + r_t + γ r_{t+1} + … + γ^{T−t+1} r_{T−1} + γ^{T−t} V_T
//
// The exponents before the last count 0, 1, 2, …, so that the next would be T−t−1: the last reward
// counts γ² times what it should, and a state whose value is right has an advantage. With γ = 1 it
// is KStep with k = T−t. It implements PPO (10) to the letter.
func KStepPrinted(rewards, values []float64, bootstrap float64, t int, gamma float64) float64 {
	last := len(rewards) - 1
	return KStep(rewards, values, bootstrap, t, last-t+1, gamma) + misprint(gamma, last-t)*rewards[last]
}

// misprint returns x^{n+2} − x^n, by which a power is off that should be x^n.
func misprint(x float64, n int) float64 {
	return math.Pow(x, float64(n+2)) - math.Pow(x, float64(n))
}

// GAEMixture returns the advantage of token t as what the name says: an exponentially weighted mean
// of all k-step estimates.
//
//	Â_t = (1−λ) Σ_{k<n} λ^{k−1} Â_t^{(k)} + λ^{n−1} Â_t^{(n)},  n = T − t
//
// The estimates of more than n steps are all the last one, and their weights sum to λ^{n−1}.
// rewards and values are [T], bootstrap is V_T. It implements GAE (16), its definition, for a
// trajectory that ends.
func GAEMixture(rewards, values []float64, bootstrap float64, t int, gamma, lambda float64) float64 {
	n := len(rewards) - t
	sum := math.Pow(lambda, float64(n-1)) * KStep(rewards, values, bootstrap, t, n, gamma)
	for k := 1; k < n; k++ {
		sum += (1 - lambda) * math.Pow(lambda, float64(k-1)) * KStep(rewards, values, bootstrap, t, k, gamma)
	}
	return sum
}

// GAESum returns the advantage of token t as a sum of temporal-difference errors.
//
//	Â_t = Σ_{l ≥ 0} (γλ)^l δ_{t+l}
//
// rewards and values are [T], bootstrap is V_T. λ = 0 leaves δ_t (17), λ = 1 the discounted return
// less V_t (18). Differs in print: PPO (11), the same, has another exponent; see GAESumPrinted. It
// implements GAE (16)–(18) and PPO (11).
func GAESum(rewards, values []float64, bootstrap float64, t int, gamma, lambda float64) float64 {
	var sum float64
	for l := range len(rewards) - t {
		next := bootstrap
		if t+l+1 < len(values) {
			next = values[t+l+1]
		}
		sum += math.Pow(gamma*lambda, float64(l)) * TDError(rewards[t+l], values[t+l], next, gamma)
	}
	return sum
}

// GAESumPrinted returns the sum as it is printed, with another exponent at its last term.
//
//	Â_t = δ_t + (γλ) δ_{t+1} + … + (γλ)^{T−t+1} δ_{T−1}
//
// The exponents before the last count 0, 1, 2, …, so that the next would be T−t−1. For λ = 1 it is
// not the printed (10) either. With γλ = 1 it is GAESum. It implements PPO (11) to the letter.
func GAESumPrinted(rewards, values []float64, bootstrap float64, t int, gamma, lambda float64) float64 {
	last := len(rewards) - 1
	delta := TDError(rewards[last], values[last], bootstrap, gamma)
	return GAESum(rewards, values, bootstrap, t, gamma, lambda) + misprint(gamma*lambda, last-t)*delta
}

// GAE returns the advantages of all tokens of one trajectory, and the returns that the values are
// fitted to, by the recursion that code uses.
//
//	δ_t = r_t + γ V_{t+1} − V_t
//	Â_t = δ_t + γλ Â_{t+1}
//	R_t = Â_t + V_t
//
// rewards, values and mask are [T] and so are the results; a nil mask keeps all. bootstrap is V_T:
// 0 after a terminal state, the value of the last state of a trajectory that was cut off. The
// recursion passes over tokens outside the mask unchanged: t+1 is the next token inside it, the
// rewards and values outside count nowhere, and the results there are 0. Differs in code:
// recursions that run through masked tokens weigh by γλ to the length of the gap. It implements GAE
// (16) and PPO (11) and (12).
func GAE(rewards, values, mask []float64, bootstrap, gamma, lambda float64) (advantage, returns []float64) {
	if len(rewards) != len(values) || mask != nil && len(mask) != len(rewards) {
		panic(badTrajectory)
	}
	advantage, returns = make([]float64, len(rewards)), make([]float64, len(rewards))
	next, carried := bootstrap, 0.0
	for t := len(rewards) - 1; t >= 0; t-- {
		if mask != nil && mask[t] == 0 {
			continue
		}
		carried = TDError(rewards[t], values[t], next, gamma) + float64(gamma*lambda*carried)
		next = values[t]
		advantage[t], returns[t] = carried, carried+values[t]
	}
	return advantage, returns
}

// ShapedRewards returns rewards that also pay for what the next state is better than this one, by a
// potential.
//
//	r̃_t = r_t + γ Φ_{t+1} − Φ_t
//
// rewards and potential are [T] and so is the result; last is Φ_T, 0 for a terminal state. A
// discounted sum of them from t is that of r less Φ_t, so that no advantage changes and no policy
// is better than before. With Φ = V each is δ_t, and Σ_l (γλ)^l r̃_{t+l} is the generalised
// advantage: (25). It implements GAE (20).
func ShapedRewards(rewards, potential []float64, last, gamma float64) []float64 {
	if len(potential) != len(rewards) {
		panic(badTrajectory)
	}
	shaped := make([]float64, len(rewards))
	for t := len(rewards) - 1; t >= 0; t-- {
		shaped[t] = TDError(rewards[t], potential[t], last, gamma)
		last = potential[t]
	}
	return shaped
}

// GAEEpisodes is GAE for several episodes one after the other, with the value of the state after
// each step given.
//
//	δ_t = r_t + γ V'_t − V_t
//	Â_t = δ_t + γλ (1 − end_t) Â_{t+1},  R_t = Â_t + V_t
//
// All are [T]. next is V', the value of the state that step t led to: 0 if it is terminal, its
// value otherwise, also where the episode was cut off. end says that the episode is over after step
// t, for either reason: nothing of the next one may flow back. Differs in code: one flag for both
// reasons either treats a time limit as death or lets episodes leak into each other. It implements
// GAE (16) and PPO (11) and (12), for vectorised environments.
func GAEEpisodes(rewards, values, next []float64, end []bool, gamma, lambda float64) (advantage, returns []float64) {
	if len(values) != len(rewards) || len(next) != len(rewards) || len(end) != len(rewards) {
		panic(badTrajectory)
	}
	advantage, returns = make([]float64, len(rewards)), make([]float64, len(rewards))
	var carried float64
	for t := len(rewards) - 1; t >= 0; t-- {
		if end[t] {
			carried = 0
		}
		carried = TDError(rewards[t], values[t], next[t], gamma) + float64(gamma*lambda*carried)
		advantage[t], returns[t] = carried, carried+values[t]
	}
	return advantage, returns
}
