package mtp

import "math"

// ImplicitWeights counts the terms of the loss of n heads that pertain to each transition of a
// sequence.
//
//	w_c = |{(t, i): t ≤ c < t+i, 1 ≤ i ≤ n}| for a choice point c
//	w_s = |{(t, i): t+i = s+1, 1 ≤ i ≤ n, no choice point from t to s}| for another
//
// choices[s] tells whether the transition from token s to s+1 is a choice point; so there are
// len(choices)+1 tokens. The term (t, i) is the prediction of token t+i made at t. What lies behind
// a choice point is as hard to tell from before it as the choice itself, so every prediction across
// it is one of the choice; one across several counts for each. It implements Multi-token Prediction
// (Gloeckle et al. 2024), section 5.1 and appendix L.3.
func ImplicitWeights(choices []bool, n int) []int {
	weights := make([]int, len(choices))
	for t := range choices {
		across := 0 // choice points from t to s
		for s := t; s < min(t+n, len(choices)); s++ {
			if choices[s] {
				across++
			}
			if across == 0 {
				weights[s]++
			}
			for c := t; c <= s; c++ {
				if choices[c] {
					weights[c]++
				}
			}
		}
	}
	return weights
}

// ChoiceWeight returns the weight of a choice point among inconsequential transitions.
//
//	1 + 2 + … + n = n(n+1)/2
//
// Of the n predictions that are made m places before a choice point, n−m cross it. An
// inconsequential transition has n, so that the choice point has (n+1)/2 times the weight that it
// has with one head. It implements Multi-token Prediction (Gloeckle et al. 2024), section 5.1 and
// appendix L.3.
func ChoiceWeight(n int) int { return n * (n + 1) / 2 }

// DecisionImportance returns how much a decision matters to what comes of it: a choice point is
// where it is large.
//
//	σ_π(x_{t:1}) = √(Var_{x_{t+1} ∼ π}[V_π(x_{t+1:1})])
//
// probabilities are π's for the next token, values V_π of the sequence with each, both [V]; what π
// excludes may have any value. It implements Multi-token Prediction (Gloeckle et al. 2024),
// appendix L.3, its σ_π.
func DecisionImportance(probabilities, values []float64) float64 {
	if len(probabilities) != len(values) {
		panic(badDistributions)
	}
	return math.Sqrt(expect(probabilities, values, func(v float64) float64 {
		v -= expect(probabilities, values, func(v float64) float64 { return v })
		return v * v
	}))
}

// expect returns Σ_x p(x) f(v(x)).
func expect(p, v []float64, f func(v float64) float64) (sum float64) {
	for x := range p {
		if p[x] > 0 {
			sum += p[x] * f(v[x])
		}
	}
	return sum
}
