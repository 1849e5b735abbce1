package moe

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Layer is a feed-forward layer of experts. Without routed experts, and with one shared, it is a
// dense one.
type Layer struct {
	Gate      Gate
	Centroids *mat.Dense // e, [N_r × d]
	Bias      []float64  // b, [N_r]; nil: none
	Routed    []Expert
	Shared    []Expert
}

// LayerGradient is the gradients that Layer.Backward returns.
type LayerGradient struct {
	U         []float64
	Centroids *mat.Dense // [N_r × d]
	Chosen    []int      // what Routed is of
	Routed    []Expert   // of the chosen experts, in their order; all others have 0
	Shared    []Expert
}

// Forward returns what leaves the layer for one token, the residual with it.
//
//	h = u + Σ_{i ≤ N_s} FFN_i(u) + Σ_{i ≤ N_r} g_i FFN_i(u)
//
// u is [d], behind the norm that the papers leave out; so is the result. Differs in code: the
// residual is of what enters that norm, and added outside, see Output. It implements DeepSeekMoE
// (2), (3), (6) and (9), DeepSeek-V2 (20), DeepSeek-V3 (12), and Loss-Free Balancing (1).
func (l Layer) Forward(u []float64) []float64 {
	return floats.AddTo(make([]float64, len(u)), u, l.Output(u))
}

// Output returns the layer's part of what leaves it, without the residual, as code has it.
//
//	y = Σ_{i ≤ N_s} FFN_i(u) + Σ_{i ≤ N_r} g_i FFN_i(u)
//
// It implements the MoE of DeepSeek-V3's inference code.
func (l Layer) Output(u []float64) []float64 {
	y := SharedOutput(u, l.Shared)
	if len(l.Routed) > 0 {
		chosen, weights := l.Gate.Route(l.logits(u), l.Bias)
		floats.Add(y, RoutedOutput(u, l.Routed, chosen, weights))
	}
	return y
}

// Backward returns the gradients of a loss with respect to the token, the centroids and the
// experts, given the one with respect to h.
//
//	dz from dg by RouteBackward,  dg_k = dh·FFN_{i_k}(u)
//	du = dh + Σ FFN′ᵀ parts + Σ_i dz_i e_i,  de_i = dz_i u
//
// The bias has none: it is moved by BiasSign. Without the residual, for Output, take dh off du.
// It implements DeepSeekMoE (9), DeepSeek-V2 (20) and DeepSeek-V3 (12) (derived).
func (l Layer) Backward(u, dh []float64) LayerGradient {
	g := LayerGradient{U: make([]float64, len(u)), Shared: make([]Expert, len(l.Shared))}
	copy(g.U, dh)
	for i, e := range l.Shared {
		var du []float64
		du, g.Shared[i] = e.Backward(u, dh)
		floats.Add(g.U, du)
	}
	if len(l.Routed) == 0 {
		return g
	}
	z := l.logits(u)
	chosen, weights := l.Gate.Route(z, l.Bias)
	du, routed, dweights := RoutedOutputBackward(u, l.Routed, chosen, weights, dh)
	dz := l.Gate.RouteBackward(z, chosen, dweights)
	dgate, de := LogitsBackward(oneRow(u), l.Centroids, oneRow(dz))
	floats.Add(g.U, du)
	floats.Add(g.U, dgate.RawRowView(0))
	g.Centroids, g.Chosen, g.Routed = de, chosen, routed
	return g
}

// logits returns those of one token.
func (l Layer) logits(u []float64) []float64 { return Logits(oneRow(u), l.Centroids).RawRowView(0) }

// oneRow returns a vector as a matrix of one row.
func oneRow(x []float64) *mat.Dense { return mat.NewDense(1, len(x), x) }
