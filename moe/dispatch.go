package moe

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Dispatch returns the pairs of token and expert sorted by expert, and how many each expert has.
//
//	order = the pairs n K + k by ascending index_nk, those of one expert by ascending n K + k
//	counts_i = Σ_n Σ_k 1[index_nk = i]
//
// indices is [N][K]; order has Σ counts elements: row j of what is sent is the token ⌊order_j/K⌋
// for its expert number order_j mod K. Indices below 0 are left out. Differs in code: grouped
// kernels want the rows of each expert padded to a multiple of 128. It implements the permutation
// of TileKernels and DeepEP (code), before the experts of DeepSeekMoE (9).
func Dispatch(indices [][]int, experts int) (order, counts []int) {
	counts = Loads(indices, experts)
	next, total := make([]int, experts), 0
	for i, c := range counts {
		next[i] = total
		total += c
	}
	order = make([]int, total)
	for n, row := range indices {
		for k, i := range row {
			if i >= 0 {
				order[next[i]] = n*len(row) + k
				next[i]++
			}
		}
	}
	return order, counts
}

// InverseOrder returns the row that each pair was sent in, −1 for what was not sent.
//
//	at_{order_j} = j
//
// pairs is N K. It implements the inverse permutation of TileKernels and DeepEP (code), behind the
// experts of DeepSeekMoE (9).
func InverseOrder(order []int, pairs int) []int {
	at := make([]int, pairs)
	for p := range at {
		at[p] = -1
	}
	for j, p := range order {
		at[p] = j
	}
	return at
}

// DispatchRows returns the rows that the experts work on, one for each pair.
//
//	r_j = x_n,  n = ⌊order_j/K⌋
//
// x is [N × d]; the result is [J × d], empty if nothing is sent.
// It implements the dispatch of DeepEP (code), before the experts of DeepSeekMoE (9).
func DispatchRows(x mat.Matrix, order []int, topK int) *mat.Dense {
	_, d := x.Dims()
	r := zeros(len(order), d)
	for j, p := range order {
		r.SetRow(j, mat.Row(nil, p/topK, x))
	}
	return r
}

// DispatchRowsBackward returns the gradient of the tokens from that of the rows.
//
//	dx_n = Σ_k dr_j,  order_j = n K + k
//
// tokens is N. It implements the dispatch of DeepEP (code) (derived).
func DispatchRowsBackward(drows mat.Matrix, order []int, tokens, topK int) *mat.Dense {
	ones := make([][]float64, tokens)
	for n := range ones {
		ones[n] = make([]float64, topK)
		for k := range ones[n] {
			ones[n][k] = 1
		}
	}
	return Combine(drows, order, ones)
}

// Combine returns the sum of what the experts gave for each token.
//
//	y_n = Σ_k g_nk r_j,  order_j = n K + k
//
// rows is [J × d], weights is [N][K]; the result is [N × d]. Pairs that were not sent add nothing,
// whatever they weigh; a token of which nothing was sent has 0. The sum is in the order of k.
// Differs in code: DeepEP's normal combine only adds, weights are then on the rows before it. It
// implements DeepSeekMoE (9), its routed sum, as TileKernels reduces it.
func Combine(rows mat.Matrix, order []int, weights [][]float64) *mat.Dense {
	_, d := rows.Dims()
	k := len(weights[0])
	at, y := InverseOrder(order, len(weights)*k), zeros(len(weights), d)
	for p, j := range at {
		if j >= 0 {
			floats.AddScaled(y.RawRowView(p/k), weights[p/k][p%k], mat.Row(nil, j, rows))
		}
	}
	return y
}

// CombineBackward returns the gradients of the rows and the weights from that of the sums.
//
//	dr_j = g_nk dy_n,  dg_nk = dy_n·r_j,  order_j = n K + k
//
// dweights is [N][K], 0 for pairs that were not sent.
// It implements DeepSeekMoE (9), its routed sum (derived).
func CombineBackward(
	rows mat.Matrix, order []int, weights [][]float64, dy mat.Matrix,
) (drows *mat.Dense, dweights [][]float64) {
	_, d := rows.Dims()
	k := len(weights[0])
	drows, dweights = zeros(len(order), d), make([][]float64, len(weights))
	for n := range dweights {
		dweights[n] = make([]float64, k)
	}
	for j, p := range order {
		n, row := p/k, mat.Row(nil, p/k, dy)
		floats.AddScaled(drows.RawRowView(j), weights[n][p%k], row)
		dweights[n][p%k] = floats.Dot(row, mat.Row(nil, j, rows))
	}
	return drows, dweights
}

// zeros returns a matrix of zeros; unlike mat.NewDense it allows none of rows or columns.
func zeros(rows, cols int) *mat.Dense {
	if rows == 0 || cols == 0 {
		return &mat.Dense{}
	}
	return mat.NewDense(rows, cols, nil)
}
