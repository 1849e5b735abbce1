package verdict

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// falseAlarm is the chance that a right kernel fails: of a whole recording, shared out among its
// outputs, among their tests and among the members of each (Bonferroni). A project that judges a
// thousand recordings a day meets one in three years; a thousandth of that would cost a third of
// the power where few errors stand behind a part.
const falseAlarm = 1e-6

// calibration is how far the root mean square of a right kernel may lie above 1 because σ is an
// average: the grids of runs are stretched over a binade, and a kernel's numbers may favour the
// lower half.
const calibration = 1.1

// overflowSigmas is how far σ may push a truth over the edge of the output type.
const overflowSigmas = 7

// tailed is the square of what an error exceeds with a chance of which a share of the variance,
// walk, has the tail of sums in an unknown order; the rest exceeds quantile.
func tailed(quantile, chance, walk float64) float64 {
	sum := max(quantile, walkQuantile(chance))
	return (1-walk)*quantile*quantile + walk*sum*sum
}

// walkQuantile is the score that the error of a sum in an unknown order exceeds with that chance.
//
// Its variance is ρ² Σ S_k², and the partial sums S_k walk at random from 0 to the sum. Σ S_k² in
// units of its mean is then a random number r with the tail of a squared Brownian bridge, and z is
// normal given r:
//
//	P(|z| > t) ≈ max_r e^(−t²/2r − π²r/12) = e^(−t π/√6) at r = t √6/π
func walkQuantile(chance float64) float64 { return -math.Log(chance) * math.Sqrt(6) / math.Pi }

// chiSquaredQuantile is what χ²/k exceeds with that chance, k degrees of freedom. Above a hundred
// it is Wilson and Hilferty's cube, which is then within half a percent and ten times as quick; at
// one it would be a quarter too large.
func chiSquaredQuantile(k, chance float64) float64 {
	if k < 100 {
		return 2 * mathext.GammaIncRegCompInv(k/2, chance) / k
	}
	c := 2 / (9 * k)
	return math.Pow(1-c-distuv.UnitNormal.Quantile(chance)*math.Sqrt(c), 3)
}
