package dpo

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

const badRanking = "dpo: the ranking is not a permutation of the responses"

// PlackettLuce returns the logarithm of the probability of a ranking: the best is drawn by a
// softmax of the rewards, then the next best of those that are left, and so on.
//
//	log p(τ) = Σ_k ( r_{τ(k)} − log Σ_{j ≥ k} e^{r_{τ(j)}} )
//
// r has K rewards; tau is τ, responses from best to worst. With K = 2 it is Preference.
// It implements DPO (18), and (19) for implicit rewards.
func PlackettLuce(r []float64, tau []int) float64 {
	ranked := rank(r, tau)
	var logp float64
	for k := range ranked {
		logp += logFirst(ranked[k:])
	}
	return logp
}

// logFirst returns the logarithm of the probability that the first of the rewards is drawn. Where
// it is all but certain, −log(1 + Σ e^{r_j − r_1}) keeps the digits that r_1 − log Σ e^{r_j} does
// not.
func logFirst(r []float64) float64 {
	if floats.Max(r) > r[0] {
		return r[0] - floats.LogSumExp(r)
	}
	var others float64
	for _, x := range r[1:] {
		others += math.Exp(x - r[0])
	}
	return -math.Log1p(others)
}

// PlackettLuceLoss returns the loss of a ranking and its derivative for the log-ratio of each
// response.
//
//	L = −Σ_k ( r̂_{τ(k)} − log Σ_{j ≥ k} e^{r̂_{τ(j)}} ),  r̂ = β log(π/π_ref)
//	∂L/∂ log π_{τ(m)} = −β (1 − Σ_{k ≤ m} e^{r̂_{τ(m)}}/Σ_{j ≥ k} e^{r̂_{τ(j)}})
//
// logratio has log(π/π_ref) of the K responses; tau is τ, from best to worst. At π = π_ref the loss
// is ln K!. The derivatives sum to 0. It implements DPO (20).
func PlackettLuceLoss(logratio []float64, tau []int, beta float64) (loss float64, dlogratio []float64) {
	reward := make([]float64, len(logratio))
	floats.ScaleTo(reward, beta, logratio)
	ranked, dlogratio := rank(reward, tau), make([]float64, len(reward))
	for k := range ranked {
		loss -= logFirst(ranked[k:])
		lse := floats.LogSumExp(ranked[k:])
		for m := k + 1; m < len(ranked); m++ {
			others := beta * math.Exp(ranked[m]-lse) // their sum is β (1 − the share of k), which would cancel
			dlogratio[tau[m]] += others
			dlogratio[tau[k]] -= others
		}
	}
	return loss, dlogratio
}

// rank returns x in the order of tau, which it checks.
func rank(x []float64, tau []int) []float64 {
	if len(tau) != len(x) {
		panic(badRanking)
	}
	ranked, seen := make([]float64, len(tau)), make([]bool, len(x))
	for k, y := range tau {
		if y < 0 || y >= len(x) || seen[y] {
			panic(badRanking)
		}
		ranked[k], seen[y] = x[y], true
	}
	return ranked
}
