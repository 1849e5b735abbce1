package dpo

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

const badRanking = "dpo: the ranking is not a permutation of the responses"

// PlackettLuce returns the logarithm of the probability of a ranking: the best is drawn by a softmax of the rewards, then the next best of
// those that are left, and so on.
//
//	log p(τ) = Σ_k ( r_{τ(k)} − log Σ_{j ≥ k} e^{r_{τ(j)}} )
//
// r has K rewards; tau is τ, responses from best to worst. With K = 2 it is Preference.
// It implements DPO (18), and (19) for implicit rewards.
func PlackettLuce(r []float64, tau []int) float64 {
	ranked := rank(r, tau)
	var logp float64
	for k := range ranked {
		logp += ranked[k] - floats.LogSumExp(ranked[k:])
	}
	return logp
}

// PlackettLuceLoss returns the loss of a ranking and its derivative for the log-ratio of each response.
//
//	L = −Σ_k ( r̂_{τ(k)} − log Σ_{j ≥ k} e^{r̂_{τ(j)}} ),  r̂ = β log(π/π_ref)
//	∂L/∂ log π_{τ(m)} = −β (1 − Σ_{k ≤ m} e^{r̂_{τ(m)}}/Σ_{j ≥ k} e^{r̂_{τ(j)}})
//
// logratio has log(π/π_ref) of the K responses; tau is τ, from best to worst. At π = π_ref the loss is ln K!. The derivatives sum to 0.
// It implements DPO (20).
func PlackettLuceLoss(logratio []float64, tau []int, beta float64) (loss float64, dlogratio []float64) {
	reward := make([]float64, len(logratio))
	floats.ScaleTo(reward, beta, logratio)
	ranked, dlogratio := rank(reward, tau), make([]float64, len(reward))
	for k := range ranked {
		lse := floats.LogSumExp(ranked[k:])
		loss -= ranked[k] - lse
		dlogratio[tau[k]] -= beta
		for m := k; m < len(ranked); m++ {
			dlogratio[tau[m]] += beta * math.Exp(ranked[m]-lse)
		}
	}
	return loss, dlogratio
}

// rank returns x in the order of tau, which it checks.
func rank(x []float64, tau []int) []float64 {
	ranked, seen := make([]float64, len(tau)), make([]bool, len(x))
	for k, y := range tau {
		if len(tau) != len(x) || y < 0 || y >= len(x) || seen[y] {
			panic(badRanking)
		}
		ranked[k], seen[y] = x[y], true
	}
	if len(tau) != len(x) {
		panic(badRanking)
	}
	return ranked
}
