package moe

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ExpertChoiceCapacity returns how many tokens each expert chooses.
//
//	k = n c / e
//
// factor is c, how many experts a token has in the mean; what is left of the division is dropped.
// It implements Expert Choice (2022) (1).
func ExpertChoiceCapacity(tokens, experts int, factor float64) int {
	return int(float64(tokens) * factor / float64(experts))
}

// ExpertChoice returns the tokens that each expert chooses and what they weigh there.
//
//	S = softmax(X W_g),  G, I = TopK(Sᵀ, k)
//
// scores is S [n × e], a softmax over experts; both results are [e][k]. Loads are even by
// construction, MaxVio is 0; a token may have no expert, or all. A token's experts depend on the
// tokens after it, so it is no gate for a causal model, see LeakageBound.
// It implements Expert Choice (2022) (2).
func ExpertChoice(scores mat.Matrix, k int) (tokens [][]int, gates [][]float64) {
	tokens = TopKRows(scores.T(), k)
	gates = make([][]float64, len(tokens))
	for i, chosen := range tokens {
		gates[i] = GateValues(mat.Col(nil, i, scores), chosen)
	}
	return tokens, gates
}

// ExpertChoiceOutput returns the sum of what the experts gave for each token.
//
//	X_out[l] = Σ_i Σ_j P[i,j,l] G[i,j] X_e[i,j],  P = onehot(I)
//
// outputs has for each expert its rows [k × d], in the order of tokens [e][k]; the result is [n ×
// d]. It implements Expert Choice (2022), section 3.2 (unnumbered).
func ExpertChoiceOutput(outputs []*mat.Dense, tokens [][]int, gates [][]float64, n int) *mat.Dense {
	_, d := outputs[0].Dims()
	y := mat.NewDense(n, d, nil)
	for i, chosen := range tokens {
		for j, l := range chosen {
			floats.AddScaled(y.RawRowView(l), gates[i][j], outputs[i].RawRowView(j))
		}
	}
	return y
}
