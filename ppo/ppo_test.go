package ppo_test

import (
	"math"

	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = check.U

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// stepBound is what central differences are off by for f and f‴ up to 16.
var stepBound = check.DifferenceBound(16, 2)

// floatsOf draws n numbers within ±limit.
func floatsOf(t *rapid.T, name string, n int, limit float64) []float64 {
	return rapid.SliceOfN(rapid.Float64Range(-limit, limit), n, n).Draw(t, name)
}
