package mtp_test

import (
	"fmt"
	"math"

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

// A text of four tokens, and a model that finds both tokens of its vocabulary alike: each of the
// three that it has to predict costs log 2.
func ExampleNextLoss() {
	logits := mat.NewDense(3, 2, nil)
	loss := mtp.NextLoss(logits, []int{0, 1, 1, 0})
	fmt.Printf("%.4f = %.0f log 2\n", loss, loss/math.Ln2)
	// Output:
	// 2.0794 = 3 log 2
}

// Two heads on a text of four tokens: the second predicts the token after the next, which there is
// once less. What costs nothing is a prediction that is sure and right.
func ExampleFactorisedLoss() {
	unsure := mat.NewDense(3, 2, nil)
	sure := mat.NewDense(3, 2, []float64{0, 100, 0, 100, 100, 0}) // of the next: 1, 1, 0
	tokens := []int{0, 1, 1, 0}
	for _, heads := range [][]*mat.Dense{{unsure}, {unsure, unsure}, {sure, unsure}} {
		fmt.Printf("%d heads: %.0f log 2\n", len(heads), mtp.FactorisedLoss(heads, tokens)/math.Ln2)
	}
	// Output:
	// 1 heads: 3 log 2
	// 2 heads: 5 log 2
	// 2 heads: 2 log 2
}

// The representation (1, 7) and the embedding (7, 1) are each divided by their root mean square, 5,
// and projected together; this projection takes the first element of either half.
func ExampleCombine() {
	h, e, ones := mat.NewDense(1, 2, []float64{1, 7}), mat.NewDense(1, 2, []float64{7, 1}), []float64{1, 1}
	m := mat.NewDense(2, 4, []float64{
		1, 0, 0, 0,
		0, 0, 1, 0,
	})
	fmt.Printf("[h; e] %.1f\n", mtp.Combine(h, e, ones, ones, m, mtp.HiddenFirst, 0).RawRowView(0))
	fmt.Printf("[e; h] %.1f\n", mtp.Combine(h, e, ones, ones, m, mtp.EmbeddingFirst, 0).RawRowView(0))
	// Output:
	// [h; e] [0.2 1.4]
	// [e; h] [1.4 0.2]
}

// Two depths over four tokens. The projection passes on the embedding alone, and the block changes
// nothing: so one sees which token row i of depth k is given, the one k places on.
func ExampleDepths_Forward() {
	identity := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	ones, same := []float64{1, 1}, mtp.Block{Forward: func(x mat.Matrix) *mat.Dense { return mat.DenseCopyOf(x) }}
	m := mtp.Module{
		NormHidden: ones, NormEmbedding: ones, Projection: mat.NewDense(2, 4, []float64{0, 0, 1, 0, 0, 0, 0, 1}),
		Block: same, Eps: 1e-6,
	}
	depths := mtp.Depths{Embedding: identity, Head: identity, Modules: []mtp.Module{m, m}}
	logits, _ := depths.Forward(mat.NewDense(4, 2, []float64{1, 1, 1, 1, 1, 1, 1, 1}), []int{0, 1, 1, 0})
	for k, z := range logits {
		rows, _ := z.Dims()
		for i := range rows {
			fmt.Printf("depth %d, row %d: logits %.2f\n", k+1, i, z.RawRowView(i))
		}
	}
	// Output:
	// depth 1, row 0: logits [0.00 1.41]
	// depth 1, row 1: logits [0.00 1.41]
	// depth 1, row 2: logits [1.41 0.00]
	// depth 2, row 0: logits [0.00 1.41]
	// depth 2, row 1: logits [1.41 0.00]
}

// Two depths share the weight λ: half of it for each.
func ExampleLoss() {
	fmt.Printf("one depth  %.2f\n", mtp.Loss([]float64{2}, 0.3))
	fmt.Printf("two depths %.2f\n", mtp.Loss([]float64{2, 1}, 0.3))
	// Output:
	// one depth  0.60
	// two depths 0.45
}

// How often n heads count a choice point, and any other transition.
func ExampleChoiceWeight() {
	for n := 1; n <= 4; n++ {
		fmt.Println(n, "heads:", mtp.ChoiceWeight(n), "to", n)
	}
	// Output:
	// 1 heads: 1 to 1
	// 2 heads: 3 to 2
	// 3 heads: 6 to 3
	// 4 heads: 10 to 4
}

// Two tokens 0 were drafted, with probability 0.8 where the model says 0.4: each is kept half of
// the time, and what replaces it is what the draft says too seldom, token 1.
func ExampleAccept() {
	q := mat.NewDense(2, 2, []float64{0.8, 0.2, 0.8, 0.2})
	p := mat.NewDense(3, 2, []float64{0.4, 0.6, 0.4, 0.6, 0.4, 0.6})
	for _, u := range [][]float64{{0.9, 0.1, 0.3}, {0.1, 0.9, 0.3}, {0.1, 0.1, 0.3}} {
		accepted, next := mtp.Accept([]int{0, 0}, q, p, u)
		fmt.Println("u", u, "accepted", accepted, "then token", next)
	}
	// Output:
	// u [0.9 0.1 0.3] accepted 0 then token 1
	// u [0.1 0.9 0.3] accepted 1 then token 1
	// u [0.1 0.1 0.3] accepted 2 then token 0
}

// A drafted token is kept as often as both agree: the smaller of both probabilities, summed.
func ExampleAcceptanceRate() {
	p := []float64{0.5, 0.5}
	for _, q := range [][]float64{{0.5, 0.5}, {0.75, 0.25}, {1, 0}} {
		fmt.Println("draft", q, "kept", mtp.AcceptanceRate(p, q), "apart by", mtp.TotalVariation(p, q))
	}
	// Output:
	// draft [0.5 0.5] kept 1 apart by 0
	// draft [0.75 0.25] kept 0.75 apart by 0.25
	// draft [1 0] kept 0.5 apart by 0.5
}

// If a drafted token is kept half of the time, a step yields 1 + ½ + ¼ + … tokens.
func ExampleExpectedTokens() {
	for gamma := range 4 {
		fmt.Println(gamma, "drafted:", mtp.ExpectedTokens(0.5, gamma), "tokens a step")
	}
	// Output:
	// 0 drafted: 1 tokens a step
	// 1 drafted: 1.5 tokens a step
	// 2 drafted: 1.75 tokens a step
	// 3 drafted: 1.875 tokens a step
}

// Four heads, first all logits and then all gradients, and head by head: the same loss and the same
// gradients, and fewer numbers held at once.
func ExampleParallel_BackwardInTurn() {
	same := mtp.Block{
		Forward:  func(x mat.Matrix) *mat.Dense { return mat.DenseCopyOf(x) },
		Backward: func(_, dy mat.Matrix) *mat.Dense { return mat.DenseCopyOf(dy) },
	}
	p := mtp.Parallel{
		Trunk: same, Heads: []mtp.Block{same, same, same, same}, Unembedding: mat.NewDense(8, 2, nil),
	}
	x, tokens := mat.NewDense(6, 2, nil), []int{1, 2, 3, 4, 5, 6, 7}
	once, turn := p.BackwardAtOnce(x, tokens), p.BackwardInTurn(x, tokens)
	fmt.Printf("at once: loss %.0f log 8, %d numbers held\n", once.Loss/math.Log(8), once.Peak)
	fmt.Printf("in turn: loss %.0f log 8, %d numbers held\n", turn.Loss/math.Log(8), turn.Peak)
	fmt.Println("the same gradients:", mat.Equal(once.DUnembedding, turn.DUnembedding))
	// Output:
	// at once: loss 18 log 8, 480 numbers held
	// in turn: loss 18 log 8, 156 numbers held
	// the same gradients: true
}

// Predicting two tokens together is, by the chain rule, predicting the next one twice: every
// prediction but the first counts two times.
func ExampleJointLoss() {
	logits, tokens := mat.NewDense(3, 2, nil), []int{0, 1, 1, 0}
	for n := 1; n <= 3; n++ {
		fmt.Printf("%d together: %.0f log 2\n", n, mtp.JointLoss(logits, tokens, n)/math.Ln2)
	}
	// Output:
	// 1 together: 3 log 2
	// 2 together: 5 log 2
	// 3 together: 6 log 2
}

// The released projection takes the embedding first: its halves change places.
func ExampleSwapHalves() {
	printed := mat.NewDense(1, 4, []float64{1, 2, 10, 20})
	fmt.Println("[M_h M_e]", printed.RawRowView(0))
	fmt.Println("[M_e M_h]", mtp.SwapHalves(printed).RawRowView(0))
	// Output:
	// [M_h M_e] [1 2 10 20]
	// [M_e M_h] [10 20 1 2]
}

// A token that the draft likes too much is kept the less often; what refused tokens are replaced
// from is what the draft likes too little.
func ExampleResidual() {
	p, q := []float64{0.25, 0.75}, []float64{0.5, 0.5}
	for x := range p {
		fmt.Println("token", x, "kept with", mtp.AcceptProbability(p[x], q[x]))
	}
	fmt.Println("residual", mtp.Residual(p, q))
	// Output:
	// token 0 kept with 0.5
	// token 1 kept with 1
	// residual [0 0.25]
}
