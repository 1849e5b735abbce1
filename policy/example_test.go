package policy_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// A policy over three tokens has moved away from its reference. Three estimates of how far agree in
// the mean, all but one, and pull differently; then the losses of two outputs of different length
// become one number, in four ways.
func Example() {
	z := []float64{1, 0, 0}
	pi, ref := policy.LogSoftmax(z, 1), policy.LogSoftmax([]float64{0, 0, 0}, 1)
	fmt.Printf("log π %.4f, entropy %.4f, divergence %.4f\n", pi, policy.Entropy(z, 1), policy.KL(pi, ref))

	estimate := func(name string, k, slope func(logprob, ref float64) float64) {
		mean := mean(pi, func(token int) float64 { return k(pi[token], ref[token]) })
		pull := pull(pi, z, func(token int) float64 { return slope(pi[token], ref[token]) })
		// + 0 makes 0 of −0.
		fmt.Printf("%s has mean %.4f and pulls the first logit by %.4f\n", name, mean, math.Round(pull[0]*1e4)/1e4+0)
	}
	estimate("k1", policy.K1, policy.K1Backward)
	estimate("k2", policy.K2, policy.K2Backward)
	estimate("k3", policy.K3, policy.K3Backward)

	loss := mat.NewDense(2, 3, []float64{6, 0, 0, 1, 2, 3})
	mask := mat.NewDense(2, 3, []float64{1, 0, 0, 1, 1, 1})
	for _, how := range []policy.Aggregation{
		policy.TokenMean, policy.SequenceMean, policy.SequenceSum, policy.Constant,
	} {
		fmt.Printf("%v: %.4g\n", how, policy.Aggregate(loss, policy.TokenWeights(mask, how, 4)))
	}
	// Output:
	// log π [-0.5514 -1.5514 -1.5514], entropy 0.9753, divergence 0.1233
	// k1 has mean 0.1233 and pulls the first logit by 0.0000
	// k2 has mean 0.1297 and pulls the first logit by 0.2442
	// k3 has mean 0.1233 and pulls the first logit by 0.2428
	// token_mean: 3
	// sequence_mean: 4
	// sequence_sum: 6
	// constant: 1.5
}
