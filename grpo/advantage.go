package grpo

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/policy"
)

const (
	badGroups = "grpo: numbers of rewards and group indices differ"
	badSteps  = "grpo: rewards, ends and lengths of the outputs' steps do not fit"
)

// Std says by which standard deviation the rewards of a group are divided. The papers of DeepSeek
// write std and do not say.
type Std int

const (
	Population Std = iota // √(Σ(r−mean)²/G), as Klear-Reasoner defines it
	Sample                // √(Σ(r−mean)²/(G−1)), as torch.std and with it TRL, verl and understand-r1-zero
	None                  // no division, as in Dr. GRPO
)

// String returns the name that recordings use.
func (s Std) String() string {
	switch s {
	case Population:
		return "population"
	case Sample:
		return "sample"
	case None:
		return "none"
	}
	return "unknown"
}

// Centered returns how far each reward of a group is above their mean.
//
//	A_i = r_i − mean(r)
//
// rewards is [G] and so is the result, which sums to 0. The mean is taken of differences from the
// first reward, so that equal rewards give exactly 0 whatever their last bits. It implements
// Understanding R1-Zero-Like Training (Liu et al. 2025, 2503.20783), the advantage of its Dr.GRPO
// (unnumbered).
func Centered(rewards []float64) []float64 {
	centered := make([]float64, len(rewards))
	var sum float64
	for i, r := range rewards {
		centered[i] = r - rewards[0]
		sum += centered[i]
	}
	for i := range centered {
		centered[i] -= sum / float64(len(rewards))
	}
	return centered
}

// Normalize returns the advantages of the outputs of one group: outcome supervision.
//
//	Â_i = (r_i − mean(r))/(std(r) + ε)
//
// rewards is [G] and so is the result; eps is ε, 0 in the papers. Equal rewards have advantage 0
// (0/0 with ε = 0). A group of one has mean 0 and std 1, as in verl. Differs in code: ε is 1e-4 in
// TRL, 1e-6 in verl, 1e-8 in understand-r1-zero; TRL gives a group of one advantage 0. It
// implements DeepSeekMath section 4.1.2 (unnumbered), DeepSeek-V2 (34), DeepSeek-V3 (28),
// DeepSeek-R1 (3), DAPO (9) and Klear-Reasoner (4).
func Normalize(rewards []float64, std Std, eps float64) []float64 {
	advantage, divisor := Centered(rewards), 1.0
	if len(rewards) == 1 {
		advantage[0] = rewards[0]
	}
	if std != None {
		divisor = deviation(advantage, std) + eps
	}
	for i, d := range advantage {
		if d != 0 {
			advantage[i] = d / divisor
		}
	}
	return advantage
}

// deviation returns the standard deviation of what is centered, 1 for a group of one.
func deviation(centered []float64, std Std) float64 {
	n := float64(len(centered))
	if n == 1 {
		return 1
	}
	if std == Sample {
		n--
	}
	var sum float64
	_, e := math.Frexp(floats.Norm(centered, math.Inf(1)))
	for _, d := range centered {
		scaled := math.Ldexp(d, -e) // whose square neither overflows nor vanishes
		sum += scaled * scaled
	}
	return math.Ldexp(math.Sqrt(sum/n), e)
}

// Advantage returns the advantages of all outputs of a batch, each relative to its own group.
//
//	Â_i = (r_i − mean(r_g))/(std(r_g) + ε),  g = group of i
//
// rewards and group are [N], the latter an index of the question, in any order and with any gaps;
// the result is [N]. See Normalize. Differs in code: statistics over the whole batch are the same
// only if it has one question. It implements DeepSeekMath section 4.1.2 (unnumbered).
func Advantage(rewards []float64, group []int, std Std, eps float64) []float64 {
	if len(rewards) != len(group) {
		panic(badGroups)
	}
	members := map[int][]int{}
	for i, g := range group {
		members[g] = append(members[g], i)
	}
	advantage := make([]float64, len(rewards))
	for _, outputs := range members {
		r := make([]float64, len(outputs))
		for k, i := range outputs {
			r[k] = rewards[i]
		}
		for k, a := range Normalize(r, std, eps) {
			advantage[outputs[k]] = a
		}
	}
	return advantage
}

// Steps are the steps of one output's reasoning, as a process reward model sees them.
type Steps struct {
	Rewards []float64 // one for each step
	Ends    []int     // index of each step's last token, from 0
}

// ProcessAdvantage returns the advantage of every token of a group by process supervision: the sum
// of what is still to come.
//
//	r̃_i^{index(j)} = (r_i^{index(j)} − mean(R))/(std(R) + ε)
//	Â_{i,t} = Σ_{index(j) ≥ t} r̃_i^{index(j)}
//
// outputs are the G of the group and R are the rewards of all their steps together; lengths are
// their numbers of tokens. Tokens after the last step have advantage 0. With one step each, that
// ends at the last token, it is Normalize for every token. It implements DeepSeekMath section 4.1.3
// (unnumbered).
func ProcessAdvantage(outputs []Steps, lengths []int, std Std, eps float64) [][]float64 {
	if len(outputs) != len(lengths) {
		panic(badSteps)
	}
	var all []float64
	for _, o := range outputs {
		all = append(all, o.Rewards...)
	}
	normalized := Normalize(all, std, eps)
	advantage := make([][]float64, len(outputs))
	for i, o := range outputs {
		advantage[i] = toCome(normalized[:len(o.Rewards)], o.Ends, lengths[i])
		normalized = normalized[len(o.Rewards):]
	}
	return advantage
}

// toCome returns for each of n tokens the sum of the rewards whose end is not before it.
func toCome(rewards []float64, ends []int, n int) []float64 {
	if len(rewards) != len(ends) {
		panic(badSteps)
	}
	sum := make([]float64, n)
	for j, end := range ends {
		if end < 0 || end >= n {
			panic(badSteps)
		}
		for t := range end + 1 {
			sum[t] += rewards[j]
		}
	}
	return sum
}

// RLOO returns how far each reward is above the mean of the others.
//
//	A_i = r_i − 1/(G−1) Σ_{j ≠ i} r_j
//
// rewards is [G] and so is the result. The baseline does not depend on output i, so that the policy
// gradient stays unbiased. It is G/(G−1) times Centered. The baseline is policy.LeaveOneOut. It
// implements RLOO (Ahmadian et al. 2024, 2402.14740), its estimator (unnumbered here).
func RLOO(rewards []float64) []float64 {
	return floats.SubTo(make([]float64, len(rewards)), rewards, policy.LeaveOneOut(rewards))
}
