package dpo

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/numbers/logistic"
	"plumbline/policy"
)

const badResponses = "dpo: numbers of responses differ"

// Preference returns how probable it is that the first response is preferred to the second: the
// model of Bradley and Terry.
//
//	p(y_1 > y_2) = e^{r_1}/(e^{r_1} + e^{r_2}) = σ(r_1 − r_2)
//
// r1 and r2 are rewards; only their difference counts.
// It implements DPO (1).
func Preference(r1, r2 float64) float64 {
	return logistic.Sigmoid(r1 - r2)
}

// PreferenceLiteral returns Preference as the formula has it; it is 0/0 or ∞/∞ when both
// exponentials vanish or overflow.
//
//	p(y_1 > y_2) = e^{r_1}/(e^{r_1} + e^{r_2})
//
// It implements DPO (1).
func PreferenceLiteral(r1, r2 float64) float64 {
	return math.Exp(r1) / (math.Exp(r1) + math.Exp(r2))
}

// RewardLoss returns the loss of a reward model on one pair, and its derivative for the reward of
// the chosen response, which is minus that for the rejected one.
//
//	L_R = −log σ(r_w − r_l),  ∂L/∂r_w = −σ(r_l − r_w)
//
// chosen and rejected are r_w and r_l; the paper's loss is the mean over pairs.
// It implements DPO (2).
func RewardLoss(chosen, rejected float64) (loss, dchosen float64) {
	return -logistic.LogSigmoid(chosen - rejected), -logistic.Sigmoid(rejected - chosen)
}

// Objective returns what the policy is to maximise: its mean reward, less β for each nat it is away
// from the reference.
//
//	J(π) = Σ_y π r − β Σ_y π log(π/π_ref)
//
// logpi, logref and r have one element for each response. A response with π = 0 adds nothing; one
// with π > 0 and π_ref = 0 makes it −∞. It implements DPO (3).
func Objective(logpi, logref, r []float64, beta float64) float64 {
	if len(logpi) != len(logref) || len(logpi) != len(r) {
		panic(badResponses)
	}
	var sum float64
	for y := range logpi {
		if !math.IsInf(logpi[y], -1) { // 0·∞
			sum += math.Exp(logpi[y]) * r[y]
		}
	}
	if beta == 0 {
		return sum // however far the policy is from the reference
	}
	return sum - beta*policy.KL(logpi, logref)
}

// LogPartition returns the logarithm of the partition function.
//
//	log Z = log Σ_y π_ref e^{r/β}
//
// logref and r have one element for each response. β log Z is the largest value that Objective has.
// It implements DPO (4), its Z.
func LogPartition(logref, r []float64, beta float64) float64 {
	if len(logref) != len(r) {
		panic(badResponses)
	}
	terms := make([]float64, len(r))
	for y := range r {
		terms[y] = logref[y] + r[y]/beta
	}
	return floats.LogSumExp(terms)
}

// Optimum returns the logarithm of the policy that is best for a reward, the maximum of Objective.
//
//	log π_r = log π_ref + r/β − log Z
//
// logref and r have one element for each response; so has the result.
// It implements DPO (4).
func Optimum(logref, r []float64, beta float64) []float64 {
	logZ := LogPartition(logref, r, beta)
	logpi := make([]float64, len(r))
	for y := range r {
		logpi[y] = logref[y] + r[y]/beta - logZ
	}
	return logpi
}

// ImplicitReward returns the reward for which a policy is best, but for β log Z, which is the same
// for all responses to a prompt.
//
//	r̂ = β (log π − log π_ref)
//
// logprob and ref are of one response, sums over its tokens. Differs in code: the sum over tokens,
// here; means over tokens in DeepSeekMath and in Hugging Face's IPO. It implements DPO (5) without
// its last term.
func ImplicitReward(logprob, ref, beta float64) float64 {
	return beta * (logprob - ref)
}

// Reward returns the reward for which a policy is best.
//
//	r = β log(π_r/π_ref) + β log Z
//
// logprob and ref are of one response; logZ is LogPartition of that reward, or any number: it
// cannot be seen in preferences. It implements DPO (5).
func Reward(logprob, ref, beta, logZ float64) float64 {
	return ImplicitReward(logprob, ref, beta) + beta*logZ
}

// PolicyPreference returns how probable a preference is if the policy is the best one for the
// rewards behind it.
//
//	p(y_1 > y_2) = 1/(1 + e^{r̂_2 − r̂_1}),  r̂ = β log(π/π_ref)
//
// rewards are r̂ of both, from ImplicitReward; log Z has cancelled.
// It implements DPO (6).
func PolicyPreference(reward1, reward2 float64) float64 {
	return 1 / (1 + math.Exp(reward2-reward1))
}

// ProjectReward returns the one reward among those that say the same of preferences under which
// π_ref e^{r/β} is a policy.
//
//	f(r) = r − β log Σ_y π_ref e^{r/β}
//
// logref and r have one element for each response; so has the result. It is β log(π_r/π_ref).
// It implements DPO (8).
func ProjectReward(logref, r []float64, beta float64) []float64 {
	shift := beta * LogPartition(logref, r, beta)
	f := make([]float64, len(r))
	for y := range r {
		f[y] = r[y] - shift
	}
	return f
}

// Mass returns how much probability π_ref e^{r/β} has in all: 1 exactly if r is a reward that some
// policy implies.
//
//	Σ_y π_ref e^{r/β} = 1
//
// logref and r have one element for each response.
// It implements DPO (9).
func Mass(logref, r []float64, beta float64) float64 {
	return math.Exp(LogPartition(logref, r, beta))
}

// ActorCriticObjective returns what a policy gradient of the learned reward maximises: Objective
// with the reward's soft value taken off.
//
//	E_π[ r − β log Σ_y π_ref e^{r/β} − β log(π/π_ref) ]
//
// Its largest value is 0. The middle term changes no gradient but the variance of its estimate; PPO
// has it from a value function. It implements DPO (10).
func ActorCriticObjective(logpi, logref, r []float64, beta float64) float64 {
	return Objective(logpi, logref, ProjectReward(logref, r, beta), beta)
}
