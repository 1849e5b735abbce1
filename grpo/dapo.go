package grpo

import (
	"iter"

	"plumbline/policy"
)

// ClipHigher returns the clipped loss of one token, with a bound above that is not the mirror of
// the one below.
//
//	L = −min(r A, clip(r, 1−ε_l, 1+ε_h) A)
//	∂L/∂ log r = −r A for r A ≤ clip(r, 1−ε_l, 1+ε_h) A,  0 otherwise
//
// low and high are ε_l and ε_h, 0.2 and 0.28 in DAPO, equal in GRPO. The gradient vanishes for A >
// 0 above 1+ε_h and for A < 0 below 1−ε_l, and only there. The objective is its mean over all
// tokens of the batch: policy.TokenMean. Differs in code: max(−r A, −clip(r) A) is the same. It
// implements DAPO (8), Klear-Reasoner (6), (7) and (10), and DeepSeekMath (1) and (3) for equal
// bounds.
func ClipHigher(r, advantage, low, high float64) (loss, dlogratio float64) {
	return policy.Clipped(r, advantage, low, high)
}

// ClipUpper returns the clipped loss without its lower bound, which is what a clip of ε ≥ 1 is: a
// ratio is positive, and 1−ε is not.
//
//	L = −min(r, 1+ε) A for A > 0,  −r A otherwise
//	∂L/∂ log r = −r A for A ≤ 0 or r ≤ 1+ε,  0 otherwise
//
// high is ε. DeepSeek-R1 was trained with ε = 10, so that [1−ε, 1+ε] = [−9, 11]: a good output
// counts up to eleven times, and for a bad one nothing is clipped, neither below, where its
// gradient fades with r, nor above, where its loss has no bound; see policy.Bounded. It is
// ClipHigher with that ε on both sides, to the bit. Differs in code: 10 given as ε_h alone, with
// ε_l = 0.2, keeps the lower bound, and every bad output that has become rarer than 0.8 loses its
// gradient. It implements DeepSeek-R1 (1) with the clip ratio ε = 10 of its later text.
func ClipUpper(r, advantage, high float64) (loss, dlogratio float64) {
	if advantage > 0 && r > 1+high {
		return -(1 + high) * advantage, 0
	}
	return policy.Unclipped(r, advantage)
}

// Correctness returns the reward of an answer that is or is not equivalent to the right one.
//
//	R = 1 if is_equivalent(ŷ, y) and −1 otherwise
//
// It implements DAPO (7).
func Correctness(equivalent bool) float64 {
	if equivalent {
		return 1
	}
	return -1
}

// Informative reports whether a group has right and wrong outputs: only then is there an advantage
// to learn from.
//
//	0 < number of right outputs < G
//
// rewards is [G], Correctness of each output, or 1 and 0; OverlongPenalty is added afterwards, for
// with it a right output could pass for a wrong one. Other groups are dropped: see DynamicSampling.
// Differs in code: there a group is kept if the standard deviation of its rewards is not 0, which
// is the same for rewards of two values. It implements DAPO (8) and (11), the condition below them.
func Informative(rewards []float64) bool {
	right := 0
	for _, r := range rewards {
		if r > 0 {
			right++
		}
	}
	return 0 < right && right < len(rewards)
}

// DynamicSampling returns the rewards of the first n groups that are informative, and how many
// groups were sampled for them.
//
//	0 < number of right outputs < G for each group of the batch
//
// groups are the rewards of one question after the other, each [G], sampled as they are asked for.
// Where they end before n informative ones were found there are fewer. A group whose outputs are
// right with probability p each is kept with probability 1 − p^G − (1−p)^G. Differs in code: groups
// are sampled many at a time, up to a largest number of times, and what is too many is dropped. It
// implements DAPO (11), its condition, and algorithm 1, the buffer of dynamic sampling.
func DynamicSampling(groups iter.Seq[[]float64], n int) (batch [][]float64, sampled int) {
	if n <= 0 {
		return nil, 0
	}
	for rewards := range groups {
		sampled++
		if Informative(rewards) {
			batch = append(batch, rewards)
		}
		if len(batch) == n {
			break
		}
	}
	return batch, sampled
}

// OverlongPenalty returns what is added to the reward of an output that comes near the longest
// length, or beyond it.
//
//	R_length = 0 for y ≤ L_max − L_cache
//	R_length = ((L_max − L_cache) − y)/L_cache for L_max − L_cache < y ≤ L_max
//	R_length = −1 for y > L_max
//
// length is y, printed |y|, longest L_max and cache L_cache, all in tokens; 20480 and 4096 in DAPO,
// so that outputs are free up to 16384. It is continuous. It implements DAPO (13).
func OverlongPenalty(length, longest, cache int) float64 {
	free := longest - cache
	switch {
	case length <= free:
		return 0
	case length <= longest:
		return float64(free-length) / float64(cache)
	}
	return -1
}
