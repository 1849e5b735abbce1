package ppo

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// whitenEpsilon is added to the variance.
const whitenEpsilon = 1e-8

// Whiten returns advantages with mean 0 and variance 1 over the tokens of a whole batch.
//
//	Â' = (Â − μ)/√(σ² + 10⁻⁸),  μ = 1/n Σ m Â,  σ² = 1/(n−1) Σ m (Â − μ)²,  n = Σ m
//
// advantage and mask are [N × L] and so is the result, 0 outside the mask. One token alone has σ² = 0 and becomes 0; none become nothing.
// Returns are made from the advantages before they are whitened.
// Differs in code: trainers that whiten with the padding, or on each device, get other statistics; some keep the mean, for rewards.
// It implements verl's code, masked_whiten, after PPO (11).
func Whiten(advantage, mask mat.Matrix) *mat.Dense {
	sameShape(advantage, mask)
	first, mean, variance := moments(advantage, mask)
	white := mat.DenseCopyOf(advantage)
	white.Zero()
	eachToken(advantage, mask, func(i, t int, a float64) {
		white.Set(i, t, (a-first-mean)/math.Sqrt(variance+whitenEpsilon))
	})
	return white
}

// moments returns the mean over the mask less the first token there, which is returned too, and the
// sample variance, which is 0 for fewer than two tokens. Both are of differences from the first, so
// that equal tokens have a variance of exactly 0 and a large mean costs no digits.
func moments(x, mask mat.Matrix) (first, mean, variance float64) {
	var n float64
	eachToken(x, mask, func(_, _ int, v float64) {
		if n == 0 {
			first = v
		}
		mean, n = mean+(v-first), n+1
	})
	mean /= max(n, 1)
	eachToken(x, mask, func(_, _ int, v float64) { variance += (v - first - mean) * (v - first - mean) })
	return first, mean, variance / max(n-1, 1)
}

// eachToken calls f for every token in the mask.
func eachToken(x, mask mat.Matrix, f func(i, t int, x float64)) {
	rows, cols := x.Dims()
	for i := range rows {
		for t := range cols {
			if mask.At(i, t) != 0 {
				f(i, t, x.At(i, t))
			}
		}
	}
}
