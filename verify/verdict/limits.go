package verdict

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// falseAlarm is the chance that a right kernel fails: of a whole recording whose outputs are judged
// by runs, shared out among its outputs, among their tests and among the members of each
// (Bonferroni). A project that judges a thousand recordings a day meets one in three years; a
// thousandth of that would cost a third of the power where few errors stand behind a part. Outputs
// with a derived σ have it for each family of tests.
const falseAlarm = 1e-6

// calibration is how far the root mean square of a right kernel may lie above 1 because σ is an
// average: roundings are counted at their mean over a binade (0.736 of the largest), and a kernel's
// numbers may favour the lower half.
const calibration = 1.1

// overflowSigmas is how far σ may push a truth over the edge of the output type.
const overflowSigmas = 7

// elementLimit is the score that the largest of n right elements exceeds with the chance
// falseAlarm. It is a normal quantile, and, as far as σ comes from sums in an unknown order
// (Expected.Walk), that of walkQuantile.
func elementLimit(n int, walk, terms float64) float64 {
	chance := falseAlarm / float64(max(n, 1))
	return math.Sqrt(tailed(-distuv.UnitNormal.Quantile(chance/2), chance, walk, terms))
}

// tailed is the square of what an error exceeds with a chance of which a share of the variance,
// walk, has the tail of sums in an unknown order; the rest exceeds quantile.
func tailed(quantile, chance, walk, terms float64) float64 {
	sum := max(quantile, walkQuantile(chance, terms))
	return (1-walk)*quantile*quantile + walk*sum*sum
}

// bridgeTail is how fast the tail of a squared Brownian bridge falls off: P(r > x) ≈ e^(−π²x/12).
const bridgeTail = math.Pi * math.Pi / 12

// walkQuantile is the score that the error of a sum in an unknown order exceeds with that chance.
//
// Its variance is ρ² Σ S_k², and the partial sums S_k walk at random from 0 to the sum. Σ S_k² in
// units of its mean is then a random number r with the tail of a squared Brownian bridge, and z is
// normal given r:
//
//	P(|z| > t) ≈ max_r e^(−t²/2r − π²r/12) = e^(−t π/√6) at r = t √6/π
//
// A sum of n terms walks no further than with all the positive ones first, where r is n/2. terms is
// n, or 0 where it is not known.
func walkQuantile(chance, terms float64) float64 {
	length := -math.Log(chance)
	t := length * math.Sqrt(6) / math.Pi
	if r := max(1, terms/2); terms > 0 && r < t*math.Sqrt(6)/math.Pi {
		return math.Sqrt(2 * r * max(0, length-bridgeTail*r))
	}
	return t
}

// walkKurtosis is by how much the mean square of sums' errors scatters more than that of normal
// ones: (3E[r²] − 1)/2 with E[r²] = 1.8 for the squared Brownian bridge.
const walkKurtosis = 2.2

// rmsLimit is the root mean square that one of `slices` slices, each of `draws` independent errors,
// exceeds with the chance falseAlarm: a quantile of χ²/draws, or that of one walk that outweighs
// all the others; times the calibration.
func rmsLimit(draws float64, slices int, walk, terms float64) float64 {
	chance := falseAlarm / float64(max(slices, 1))
	one := walkQuantile(chance/draws, terms)
	normal := chiSquaredQuantile(max(1, draws/(1+(walkKurtosis-1)*walk)), chance)
	return calibration * math.Sqrt(max(normal, 1+walk*one*one/draws))
}

// rmsFloor is what rmsLimit is never below, and quick to tell: the mean of χ²/draws is 1, and one
// error alone exceeds its quantile with the same chance.
func rmsFloor(draws float64, slices int) float64 {
	one := distuv.UnitNormal.Quantile(falseAlarm / float64(max(slices, 1)) / 2)
	return calibration * max(1, -one/math.Sqrt(draws))
}

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

// biasLimit is the mean that a right kernel's scaled errors stay below: a quantile of the mean of
// independent draws, plus the root of the share of their variance that may have one sign
// throughout, because then their mean is as large as they are themselves.
func biasLimit(draws, systematic, walk, terms float64) float64 {
	z := (1-walk)*-distuv.UnitNormal.Quantile(falseAlarm) + walk*walkQuantile(falseAlarm, terms)
	return calibration * (z/math.Sqrt(draws) + math.Sqrt(systematic))
}
