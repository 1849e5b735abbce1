package moe

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NoisyLogits returns the logits of one token with noise on them, as much as a second product says.
//
//	H_i = (x W_g)_i + ε_i softplus((x W_noise)_i)
//
// clean is x W_g, spread x W_noise, noise the standard normal ε; all are [n]. With W_noise = 0 the
// noise still has standard deviation softplus(0) = log 2.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (4).
func NoisyLogits(clean, spread, noise []float64) []float64 {
	return pairwise(clean, pairwise(spread, noise, func(s, e float64) float64 { return e * Softplus(s) }),
		func(z, e float64) float64 { return z + e })
}

// KeepTopK returns the logits with all but the k highest at −∞.
//
//	KeepTopK(v, k)_i = v_i where i is among the k highest, else −∞
//
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (5).
func KeepTopK(v []float64, k int) []float64 { return LimitGroups(v, len(v), TopK(v, k)) }

// TopKSoftmax returns the weights of all experts: a softmax over the k of highest logits, 0 for the
// others.
//
//	G = softmax(KeepTopK(H, k))
//
// It is the softmax over all experts, normalised over the chosen ones, as e^{z_i}/Σ_chosen e^{z_j}
// is either way. With k = n it is the dense gate (2). It implements Outrageously Large Neural
// Networks (Shazeer et al. 2017) (2) and (3), and Mixtral of Experts (2024), section 2.1.
func TopKSoftmax(logits []float64, k int) []float64 { return SoftmaxScores(KeepTopK(logits, k)) }

// Importance returns the sum of the weights that each expert has over a batch.
//
//	Importance_i = Σ_x G(x)_i
//
// gates is [T × n]; the result is [n].
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (6).
func Importance(gates mat.Matrix) []float64 {
	_, n := gates.Dims()
	total := make([]float64, n)
	for i := range total {
		total[i] = floats.Sum(mat.Col(nil, i, gates))
	}
	return total
}

// SquaredVariation returns the square of the coefficient of variation.
//
//	CV(x)² = mean((x_i − x̄)²) / x̄²
//
// The variance is that of the whole population. It is 0 where all are the same, n − 1 where one has
// everything. Differs in code: an ε of 1e-10 stands in the denominator, and some take n − 1 for n.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (7) and (11), their CV.
func SquaredVariation(x []float64) float64 {
	mean := floats.Sum(x) / float64(len(x))
	var variance float64
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return variance / float64(len(x)) / (mean * mean)
}

// SquaredVariationBackward returns its gradient.
//
//	∂CV²/∂x_i = (2/n) ((x_i − x̄)/x̄² − mean((x_j − x̄)²)/x̄³)
//
// Through Importance every gate of expert i has the element i.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (7) and (11) (derived).
func SquaredVariationBackward(x []float64) []float64 {
	n := float64(len(x))
	mean, cv := floats.Sum(x)/n, SquaredVariation(x)
	return each(x, func(v float64) float64 { return 2 / n * ((v-mean)/(mean*mean) - cv/mean) })
}

// ImportanceLoss returns the loss that evens out the weights of experts.
//
//	L = w CV(Importance(X))²
//
// gates is [T × n], weight is w.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (7).
func ImportanceLoss(gates mat.Matrix, weight float64) float64 {
	return weight * SquaredVariation(Importance(gates))
}

// KthExcluding returns the k-th highest logit of all experts but i.
//
//	kth_excluding(H, k, i)
//
// It is what the logit of expert i has to be above for it to be chosen; −∞ if there are no k
// others. It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (8), its
// kth_excluding.
func KthExcluding(logits []float64, k, i int) float64 {
	others := slices.Delete(slices.Clone(logits), i, i+1)
	if k > len(others) {
		return math.Inf(-1)
	}
	return others[TopK(others, k)[k-1]]
}

// ChosenProbability returns how likely expert i is chosen, if its own noise were drawn again.
//
//	P(x, i) = Φ(((x W_g)_i − kth_excluding(H, k, i)) / softplus((x W_noise)_i))
//
// It is smooth where a count is not. Φ is the normal distribution.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (8) and (9).
func ChosenProbability(clean, spread, noise []float64, k, i int) float64 {
	threshold := KthExcluding(NoisyLogits(clean, spread, noise), k, i)
	return math.Erfc(-(clean[i]-threshold)/Softplus(spread[i])/math.Sqrt2) / 2
}

// SmoothLoad returns how many tokens each expert is expected to get.
//
//	Load(X)_i = Σ_x P(x, i)
//
// clean, spread and noise are [T × n]; the result is [n].
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (10).
func SmoothLoad(clean, spread, noise mat.Matrix, k int) []float64 {
	rows, n := clean.Dims()
	load := make([]float64, n)
	for t := range rows {
		z, s, e := mat.Row(nil, t, clean), mat.Row(nil, t, spread), mat.Row(nil, t, noise)
		for i := range load {
			load[i] += ChosenProbability(z, s, e, k, i)
		}
	}
	return load
}

// LoadLoss returns the loss that evens out the expected loads.
//
//	L = w CV(Load(X))²
//
// load is that of SmoothLoad, weight is w.
// It implements Outrageously Large Neural Networks (Shazeer et al. 2017) (11).
func LoadLoss(load []float64, weight float64) float64 { return weight * SquaredVariation(load) }
