package moe

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// ExpertCapacity returns how many tokens an expert takes.
//
//	C = ⌈φ T / N⌉
//
// factor is φ, 1 to 2. Differs in code: rounded down in some, and never below 4 in others.
// It implements Switch Transformers (2021), section 2.2, its expert capacity.
func ExpertCapacity(tokens, experts int, factor float64) int {
	return int(math.Ceil(factor * float64(tokens) / float64(experts)))
}

// SwitchRoute returns the one expert of each token and its weight, as long as there is room.
//
//	i_t = argmax_i p_ti,  g_t = p_{t,i_t};  dropped if C tokens before have chosen i_t
//
// scores are softmax scores [T × N]. A dropped token has index −1 and weight 0, and goes on through
// the residual alone. The loss is ExpertLoss, of what was chosen before anything is dropped.
// It implements Switch Transformers (2021), section 2.1.
func SwitchRoute(scores mat.Matrix, capacity int) (chosen []int, weights []float64) {
	rows, n := scores.Dims()
	chosen, weights = make([]int, rows), make([]float64, rows)
	room := newRoom(n, capacity)
	for t, best := range TopKRows(scores, 1) {
		chosen[t] = -1
		if room.take(best[0]) {
			chosen[t], weights[t] = best[0], scores.At(t, best[0])
		}
	}
	return chosen, weights
}

// GShardRoute returns the two experts of each token of a group and their weights: the second one by
// chance, and either as long as there is room.
//
//	g1 ← g1/(g1+g2),  g2 ← g2/(g1+g2)
//	first kept while c_{e_1} < C;  after all these, second kept while c_{e_2} < C and 2 g2 > rnd
//
// scores are softmax scores [S × E], random [S] is uniform in [0, 1); g2 in the last line is the
// normalised one. Second choices that chance leaves out take no room. What is not kept has index −1
// and weight 0. It implements GShard (2020), algorithm 1.
func GShardRoute(scores mat.Matrix, capacity int, random []float64) (chosen [][]int, weights [][]float64) {
	rows, n := scores.Dims()
	chosen, weights = make([][]int, rows), make([][]float64, rows)
	room, best := newRoom(n, capacity), TopKRows(scores, 2)
	for s, e := range best {
		chosen[s], weights[s] = []int{-1, -1}, []float64{0, 0}
		if room.take(e[0]) {
			chosen[s][0], weights[s][0] = e[0], topTwo(scores, s, e)[0]
		}
	}
	for s, e := range best {
		g2 := topTwo(scores, s, e)[1]
		if 2*g2 > random[s] && room.take(e[1]) {
			chosen[s][1], weights[s][1] = e[1], g2
		}
	}
	return chosen, weights
}

// GShardLoss returns the loss that evens out first choices.
//
//	L = (1/E) Σ_e (c_e/S) m_e,  m_e = (1/S) Σ_s g_se
//
// scores are softmax scores [S × E]; c counts first choices, room or not. It is 1/E² where these
// are even, ExpertLoss with K = 1 and α = 1/E². It implements GShard (2020), algorithm 1, its
// l_aux.
func GShardLoss(scores mat.Matrix) float64 {
	_, n := scores.Dims()
	return ExpertLoss(scores, TopKRows(scores, 1), 1/float64(n*n))
}

// topTwo returns the weights of two experts of a token, normalised.
func topTwo(scores mat.Matrix, s int, experts []int) []float64 {
	return NormalizeWeights(GateValues(mat.Row(nil, s, scores), experts), 0)
}

// room counts what each expert can still take.
type room []int

func newRoom(experts, capacity int) room {
	r := make(room, experts)
	for i := range r {
		r[i] = capacity
	}
	return r
}

// take tells whether expert i has room, and takes of it.
func (r room) take(i int) bool {
	r[i]--
	return r[i] >= 0
}
