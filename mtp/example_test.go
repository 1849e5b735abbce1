package mtp_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/mtp"
)

// Why it should work: how many terms of the loss of n heads pertain to a choice point, and to a
// transition of no consequence, counted in a text with one choice point.
func ExampleImplicitWeights() {
	choices := make([]bool, 41)
	choices[20] = true
	fmt.Println("heads  choice  other  ratio")
	for n := 1; n <= 8; n++ {
		w := mtp.ImplicitWeights(choices, n)
		fmt.Printf("%5d  %6d  %5d  %5.1f\n", n, w[20], w[10], float64(w[20])/float64(w[10]))
	}
	// Output:
	// heads  choice  other  ratio
	//     1       1      1    1.0
	//     2       3      2    1.5
	//     3       6      3    2.0
	//     4      10      4    2.5
	//     5      15      5    3.0
	//     6      21      6    3.5
	//     7      28      7    4.0
	//     8      36      8    4.5
}

// The next token and the one after it, each a coin; in three texts of four the second is the first.
// Two heads pay for what both share twice.
func ExampleMutualInformation() {
	joint := mat.NewDense(2, 2, []float64{0.375, 0.125, 0.125, 0.375})
	pX, pY := mtp.Marginals(joint)
	fmt.Printf("one head:  H(X)        = %.4f = H(X|Y) + I            = %.4f + %.4f\n",
		mtp.TokenEntropy(pX), mtp.ConditionalEntropy(joint), mtp.MutualInformation(joint))
	fmt.Printf("two heads: H(X) + H(Y) = %.4f = H(X|Y) + 2I + H(Y|X) = %.4f + 2·%.4f + %.4f\n",
		mtp.TokenEntropy(pX)+mtp.TokenEntropy(pY),
		mtp.ConditionalEntropy(joint), mtp.MutualInformation(joint), mtp.ConditionalEntropy(joint.T()))

	fair := mat.NewDense(2, 2, []float64{0.25, 0.25, 0.25, 0.25})
	fmt.Printf("of tokens without a bond, to a model that sees one: %.4f\n",
		mtp.RelativeMutualInformation(fair, joint))
	// Output:
	// one head:  H(X)        = 0.6931 = H(X|Y) + I            = 0.5623 + 0.1308
	// two heads: H(X) + H(Y) = 1.3863 = H(X|Y) + 2I + H(Y|X) = 0.5623 + 2·0.1308 + 0.5623
	// of tokens without a bond, to a model that sees one: -0.1438
}

// What a draft costs nothing in: the text has the model's distribution, however bad the draft.
func ExampleEmitted() {
	p := []float64{0.5, 0.25, 0.25}
	for _, q := range [][]float64{{0.5, 0.25, 0.25}, {0.25, 0.5, 0.25}, {0, 1, 0}} {
		fmt.Printf("draft from %.2f: kept %.2f, emitted %.2f\n", q, mtp.AcceptanceRate(p, q), mtp.Emitted(p, q))
	}
	// Output:
	// draft from [0.50 0.25 0.25]: kept 1.00, emitted [0.50 0.25 0.25]
	// draft from [0.25 0.50 0.25]: kept 0.75, emitted [0.50 0.25 0.25]
	// draft from [0.00 1.00 0.00]: kept 0.25, emitted [0.50 0.25 0.25]
}

// DeepSeek-V3 reports that 85 to 90 % of its second tokens are kept, and 1.8 times the tokens per
// second. Both fit if a step with a draft takes some per cent longer.
func ExampleCostRatio() {
	for _, alpha := range []float64{0.85, 0.90} {
		tokens := mtp.ExpectedTokens(alpha, 1)
		fmt.Printf("α = %.2f: %.2f tokens a step, 1.8 times as fast if it takes %.1f %% longer\n",
			alpha, tokens, 100*mtp.CostRatio(tokens, 1.8, 1))
	}
	for gamma := 1; gamma <= 4; gamma++ {
		fmt.Printf("%d drafted: %.2f tokens a step, %.2f times as fast\n",
			gamma, mtp.ExpectedTokens(0.85, gamma), mtp.Speedup(0.85, gamma, 0.028))
	}
	// Output:
	// α = 0.85: 1.85 tokens a step, 1.8 times as fast if it takes 2.8 % longer
	// α = 0.90: 1.90 tokens a step, 1.8 times as fast if it takes 5.6 % longer
	// 1 drafted: 1.85 tokens a step, 1.80 times as fast
	// 2 drafted: 2.57 tokens a step, 2.44 times as fast
	// 3 drafted: 3.19 tokens a step, 2.94 times as fast
	// 4 drafted: 3.71 tokens a step, 3.34 times as fast
}

// The two divisors of a depth's loss, on a text of four tokens and the one after, by a model that
// knows nothing of a vocabulary of 8.
func ExampleDepthLoss() {
	logits, tokens := mat.NewDense(4, 8, nil), []int{0, 1, 2, 3, 4}
	for k := 1; k <= 3; k++ {
		fmt.Printf("depth %d: %d of 4 rows count, %.4f as printed, %.4f in frameworks\n", k,
			mtp.Targets(logits, tokens, k), mtp.DepthLoss(logits, tokens, k), mtp.DepthLossValid(logits, tokens, k))
	}
	// Output:
	// depth 1: 3 of 4 rows count, 1.5596 as printed, 2.0794 in frameworks
	// depth 2: 2 of 4 rows count, 1.0397 as printed, 2.0794 in frameworks
	// depth 3: 1 of 4 rows count, 0.5199 as printed, 2.0794 in frameworks
}

// What four heads of a model with d = 4096 and V = 32000 hold for a sequence of 4096 tokens, all at
// once and in turn.
func ExamplePeakInTurn() {
	const gib = 1 << 30
	for _, n := range []int{1, 2, 4, 8} {
		fmt.Printf("%d heads: %5.2f GiB in BF16 at once, %.2f in turn\n", n,
			2*float64(mtp.PeakAtOnce(4096, 4096, 32000, n))/gib, 2*float64(mtp.PeakInTurn(4096, 4096, 32000))/gib)
	}
	// Output:
	// 1 heads:  0.64 GiB in BF16 at once, 0.64 in turn
	// 2 heads:  1.16 GiB in BF16 at once, 0.64 in turn
	// 4 heads:  2.20 GiB in BF16 at once, 0.64 in turn
	// 8 heads:  4.28 GiB in BF16 at once, 0.64 in turn
}
