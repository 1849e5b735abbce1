package verdict

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// falseAlarm is the chance with which each family of tests (the elements of a tensor; the slices along one axis; a mean) fails a right
// kernel. It is shared out among the members of the family (Bonferroni), so that large tensors fail no more often than small ones.
const falseAlarm = 1e-9

// calibration is how far the root mean square of a right kernel may lie above 1 because σ is an average: roundings are counted at their
// mean over a binade (0.736 of the largest), and a kernel's numbers may favour the lower half.
const calibration = 1.1

// overflowSigmas is how far σ may push a truth over the edge of the output type.
const overflowSigmas = 7

// elementLimit is the score that the largest of n right elements exceeds with the chance falseAlarm. It is a normal quantile, and, as
// far as σ comes from sums in an unknown order (Expected.Walk), that of walkQuantile.
func elementLimit(n int, walk float64) float64 {
	chance := falseAlarm / float64(max(n, 1))
	normal, sum := -distuv.UnitNormal.Quantile(chance/2), walkQuantile(chance)
	return math.Sqrt((1-walk)*normal*normal + walk*max(normal, sum)*max(normal, sum))
}

// walkTail is how fast the error of a sum in an unknown order falls off: P(|z| > t) ≈ e^(−1.28 t).
//
// Its variance is ρ² Σ S_k², and the partial sums S_k walk at random from 0 to the sum. Σ S_k² in units of its mean is then a random
// number r with the tail of a squared Brownian bridge, P(r > x) ≈ e^(−π²x/12), and z is normal given r:
// P(|z| > t) ≈ max_r e^(−t²/2r − π²r/12) = e^(−t π/√6).
var walkTail = math.Pi / math.Sqrt(6)

// walkQuantile is the score that the error of a sum exceeds with that chance.
func walkQuantile(chance float64) float64 { return -math.Log(chance) / walkTail }

// walkKurtosis is by how much the mean square of sums' errors scatters more than that of normal ones: (3E[r²] − 1)/2 with E[r²] = 1.8 for
// the squared Brownian bridge.
const walkKurtosis = 2.2

// rmsLimit is the root mean square that one of `slices` slices, each of `draws` independent errors, exceeds with the chance falseAlarm: a
// quantile of χ²/draws by Wilson and Hilferty's cube, or that of one walk that outweighs all the others; times the calibration.
func rmsLimit(draws float64, slices int, walk float64) float64 {
	chance := falseAlarm / float64(max(slices, 1))
	effective := max(1, draws/(1+(walkKurtosis-1)*walk))
	c := 2 / (9 * effective)
	normal := math.Pow(1-c-distuv.UnitNormal.Quantile(chance)*math.Sqrt(c), 1.5)
	one := walkQuantile(chance / draws)
	return calibration * max(normal, math.Sqrt(1+walk*one*one/draws))
}

// biasLimit is the mean that a right kernel's scaled errors stay below: a quantile of the mean of independent draws, plus the root of the
// share of their variance that may have one sign throughout, because then their mean is as large as they are themselves.
func biasLimit(draws, systematic, walk float64) float64 {
	z := (1-walk)*-distuv.UnitNormal.Quantile(falseAlarm) + walk*walkQuantile(falseAlarm)
	return calibration * (z/math.Sqrt(draws) + math.Sqrt(systematic))
}
