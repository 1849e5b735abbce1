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

// The logits of two tokens are log 1 and log 3: the second has ¾, and at half the temperature nine
// tenths, as 3² is to 1.
func ExampleLogProb() {
	z := []float64{0, math.Log(3)}
	for _, temperature := range []float64{1, 0.5} {
		l := policy.LogProb(z, 1, temperature)
		fmt.Printf("T = %v: log π %.4f, π %.2f\n", temperature, l, math.Exp(l))
	}
	// Output:
	// T = 1: log π -0.2877, π 0.75
	// T = 0.5: log π -0.1054, π 0.90
}

// A token that has become twice as likely, and one half as likely; a limit of log 1.5 holds both
// back.
func ExampleRatio() {
	old, limit := math.Log(0.25), math.Log(1.5)
	for _, p := range []float64{0.5, 0.125} {
		fmt.Printf("from 0.25 to %.3f: ratio %.2f, limited %.2f\n",
			p, policy.Ratio(math.Log(p), old, 0), policy.Ratio(math.Log(p), old, limit))
	}
	// Output:
	// from 0.25 to 0.500: ratio 2.00, limited 1.50
	// from 0.25 to 0.125: ratio 0.50, limited 0.67
}

// The divergence of (½, ½) from (¼, ¾), and the other way round, which is another number.
func ExampleKL() {
	p, q := []float64{math.Log(0.5), math.Log(0.5)}, []float64{math.Log(0.25), math.Log(0.75)}
	fmt.Printf("KL(p‖q) = ½ log 2 + ½ log ⅔ = %.4f\n", policy.KL(p, q))
	fmt.Printf("KL(q‖p) = ¼ log ½ + ¾ log 1½ = %.4f\n", policy.KL(q, p))
	// Output:
	// KL(p‖q) = ½ log 2 + ½ log ⅔ = 0.1438
	// KL(q‖p) = ¼ log ½ + ¾ log 1½ = 0.1308
}

// The divergence of (½, ½) from (¼, ¾), estimated from one token at a time: k1 is negative for one
// of the two, k3 for none, and the mean of either is the divergence.
func ExampleK3() {
	p, q := []float64{math.Log(0.5), math.Log(0.5)}, []float64{math.Log(0.25), math.Log(0.75)}
	for x := range p {
		fmt.Printf("token %d: k1 %7.4f, k3 %.4f\n", x, policy.K1(p[x], q[x]), policy.K3(p[x], q[x]))
	}
	fmt.Printf("mean of k1 %.4f, of k3 %.4f\n",
		(policy.K1(p[0], q[0])+policy.K1(p[1], q[1]))/2, (policy.K3(p[0], q[0])+policy.K3(p[1], q[1]))/2)
	// Output:
	// token 0: k1  0.6931, k3 0.1931
	// token 1: k1 -0.4055, k3 0.0945
	// mean of k1 0.1438, of k3 0.1438
}

// The baseline of each output is the mean reward of the others: it knows nothing of the output
// itself.
func ExampleLeaveOneOut() {
	fmt.Println(policy.LeaveOneOut([]float64{1, 2, 6}))
	// Output:
	// [4 3.5 1.5]
}

// With ε = 0.25 a good token, A = 1, has no gradient above 1.25, and a bad one, A = −1, none below
// 0.75.
func ExampleClipped() {
	for _, a := range []float64{1, -1} {
		for _, r := range []float64{0.5, 1, 1.5} {
			loss, dlogratio := policy.Clipped(r, a, 0.25, 0.25)
			fmt.Printf("A %2v, ratio %3v: loss %5v, gradient %v\n", a, r, loss, dlogratio)
		}
	}
	// Output:
	// A  1, ratio 0.5: loss  -0.5, gradient -0.5
	// A  1, ratio   1: loss    -1, gradient -1
	// A  1, ratio 1.5: loss -1.25, gradient 0
	// A -1, ratio 0.5: loss  0.75, gradient 0
	// A -1, ratio   1: loss     1, gradient 1
	// A -1, ratio 1.5: loss   1.5, gradient 1.5
}

// An output of two tokens, and what different methods make of it: they differ in the coefficient of
// each token alone.
func ExampleUnifiedGradient() {
	scores := mat.NewDense(2, 2, []float64{2, 0, 0, 4}) // ∇ log π of each token, two parameters
	for _, method := range []struct {
		name        string
		coefficient float64
	}{
		{"SFT", policy.CoefficientSFT()},
		{"RFT, right", policy.CoefficientRFT(true)},
		{"RFT, wrong", policy.CoefficientRFT(false)},
		{"GRPO, A = −½", policy.CoefficientGRPO(-0.5, -1, -1, 0.04)},
	} {
		gc := []float64{method.coefficient, method.coefficient}
		fmt.Printf("%-13s %v\n", method.name, policy.UnifiedGradient(gc, scores))
	}
	// Output:
	// SFT           [1 2]
	// RFT, right    [1 2]
	// RFT, wrong    [0 0]
	// GRPO, A = −½  [-0.5 -1]
}

// Rejection sampling in one line: of four outputs those with the right answer count, all alike.
func ExampleCoefficientRFT() {
	for _, answer := range []int{4, 5, 3, 4} {
		fmt.Println("2 + 2 =", answer, "counts", policy.CoefficientRFT(answer == 2+2))
	}
	// Output:
	// 2 + 2 = 4 counts 1
	// 2 + 2 = 5 counts 0
	// 2 + 2 = 3 counts 0
	// 2 + 2 = 4 counts 1
}

// GRPO's coefficient is the advantage and what pulls back to the reference: a token that has become
// twice as likely as there has π_ref/π = ½, and β (1 − ½) less.
func ExampleCoefficientGRPO() {
	ref := math.Log(0.25)
	for _, p := range []float64{0.125, 0.25, 0.5} {
		fmt.Printf("π = %.3f: %.2f\n", p, policy.CoefficientGRPO(1, math.Log(p), ref, 0.5))
	}
	// Output:
	// π = 0.125: 1.50
	// π = 0.250: 1.00
	// π = 0.500: 0.75
}
