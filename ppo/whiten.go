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
// advantage and mask are [N × L] and so is the result, 0 outside the mask. One token alone has σ² =
// 0 and becomes 0; none become nothing. Returns are made from the advantages before they are
// whitened. Differs in code: trainers that whiten with the padding, or on each device, get other
// statistics; some keep the mean, for rewards. It implements verl's code, masked_whiten, after PPO
// (11).
func Whiten(advantage, mask mat.Matrix) *mat.Dense {
	sameShape(advantage, mask)
	white, n := centered(advantage, mask)
	var largest, squares float64
	eachToken(white, mask, func(_, _ int, d float64) { largest = max(largest, math.Abs(d)) })
	_, e := math.Frexp(max(largest, math.Sqrt(whitenEpsilon))) // squares of d/2^e do not overflow
	eachToken(white, mask, func(_, _ int, d float64) {
		squares += math.Ldexp(d, -e) * math.Ldexp(d, -e)
	})
	root := math.Sqrt(squares/max(n-1, 1) + math.Ldexp(whitenEpsilon, -2*e))
	eachToken(white, mask, func(i, t int, d float64) { white.Set(i, t, math.Ldexp(d, -e)/root) })
	return white
}

// centered returns how far each token in the mask is above their mean, and how many they are. The
// mean is of differences from the first, so that equal tokens give exactly 0 and a large mean costs
// no digits.
func centered(x, mask mat.Matrix) (d *mat.Dense, n float64) {
	d = mat.DenseCopyOf(x)
	d.Zero()
	var first, mean float64
	eachToken(x, mask, func(_, _ int, v float64) {
		if n == 0 {
			first = v
		}
		mean, n = mean+(v-first), n+1
	})
	mean /= max(n, 1)
	eachToken(x, mask, func(i, t int, v float64) { d.Set(i, t, v-first-mean) })
	return d, n
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
