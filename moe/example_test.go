package moe_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
)

// A network of two inner units, whose gates look at one element of the token each: one is open, one
// nearly shut.
func ExampleSwiGLU() {
	x := []float64{4, -4}
	gate := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	up := mat.NewDense(2, 2, []float64{0.5, 0, 0, 0.5})
	down := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	fmt.Printf("gates %.4f %.4f\n", moe.SiLU(4), moe.SiLU(-4))
	fmt.Printf("y %.4f\n", moe.SwiGLU(x, gate, up, down))

	dx, _, _, _ := moe.SwiGLUBackward(x, gate, up, down, []float64{1, 1})
	fmt.Printf("dx %.4f\n", dx)

	// Output:
	// gates 3.9281 -0.0719
	// y [7.8561 0.1439]
	// dx [4.0694 0.0694]
}

// One token goes through eight experts in four groups, as in DeepSeek-V3: the bias decides with the
// scores which group and which experts are chosen, the scores alone what they weigh.
func Example() {
	u := []float64{1, 2}
	e := mat.NewDense(8, 2, []float64{0, 1, 0.5, 0, 0, -1, 0, 0.5, 1, 0, 0, 0, 0.5, 0.5, -1, 0})
	bias := []float64{-0.4, 0, 0.1, 0, 0.1, 0, 0, 0.2}
	gate := moe.Gate{
		Score: moe.SigmoidScores, ScoreBackward: moe.SigmoidScoresBackward, TopK: 2,
		Groups: 4, TopGroups: 1, GroupScore: moe.GroupScoresTop2, Normalize: true, Scale: 2.5,
	}

	logits := moe.Logits(mat.NewDense(1, 2, u), e).RawRowView(0)
	scores := gate.Score(logits)
	ranked := moe.BiasedScores(scores, bias)
	groups := moe.GroupScoresTop2(ranked, 4)
	kept := moe.TopK(groups, 1)
	fmt.Printf("scores %.3f\n", scores)
	fmt.Printf("ranked %.3f\n", ranked)
	fmt.Printf("groups %.3f, kept %v\n", groups, kept)
	limited := moe.LimitGroups(ranked, 4, kept)
	fmt.Printf("chosen %v of %.3f\n", moe.TopK(limited, 2), limited)

	chosen, weights := gate.Route(logits, bias)
	fmt.Printf("weights %.3f\n", weights)
	fmt.Printf("y %.3f\n", moe.RoutedOutput(u, eightExperts(), chosen, weights))

	load := moe.Loads([][]int{chosen}, 8)
	fmt.Printf("loads %v, MaxVio %v\n", load, moe.MaxVio(load))
	fmt.Printf("next bias %.3f\n", moe.BiasSign(bias, load, 0.001))

	// Output:
	// scores [0.881 0.622 0.119 0.731 0.731 0.500 0.818 0.269]
	// ranked [0.481 0.622 0.219 0.731 0.831 0.500 0.818 0.469]
	// groups [1.103 0.950 1.331 1.287], kept [2]
	// chosen [4 5] of [-Inf -Inf -Inf -Inf 0.831 0.500 -Inf -Inf]
	// weights [1.485 1.015]
	// y [9.881 0.000]
	// loads [0 0 0 0 1 1 0 0], MaxVio 3
	// next bias [-0.399 0.001 0.101 0.001 0.099 -0.001 0.001 0.201]
}

// eightExperts returns experts of one inner unit: expert i, from 0, gives (i+1) silu(u₁) u₁ in the
// first element.
func eightExperts() []moe.Expert {
	experts := make([]moe.Expert, 8)
	for i := range experts {
		first := mat.NewDense(1, 2, []float64{1, 0})
		experts[i] = moe.Expert{W1: first, W3: first, W2: mat.NewDense(2, 1, []float64{float64(i + 1), 0})}
	}
	return experts
}

// The logits of two experts are log 1 and log 3. Softmax scores are shares: a third expert takes
// from both.
func ExampleSoftmaxScores() {
	fmt.Printf("%.3f\n", moe.SoftmaxScores([]float64{0, math.Log(3)}))
	fmt.Printf("%.3f\n", moe.SoftmaxScores([]float64{0, math.Log(3), math.Log(4)}))
	// Output:
	// [0.250 0.750]
	// [0.125 0.375 0.500]
}

// Sigmoid scores are each expert's by itself: a third one takes from nobody.
func ExampleSigmoidScores() {
	fmt.Printf("%.3f\n", moe.SigmoidScores([]float64{0, math.Log(3)}))
	fmt.Printf("%.3f\n", moe.SigmoidScores([]float64{0, math.Log(3), math.Log(4)}))
	// Output:
	// [0.500 0.750]
	// [0.500 0.750 0.800]
}

// The best first; of equal scores the lower index.
func ExampleTopK() {
	scores := []float64{0.2, 0.9, 0.2, 0.5}
	for k := 1; k <= 4; k++ {
		fmt.Println(moe.TopK(scores, k))
	}
	// Output:
	// [1]
	// [1 3]
	// [1 3 0]
	// [1 3 0 2]
}

// DeepSeekMoE weighs the chosen experts by their scores as they are, which sum to less than 1.
func ExampleGateValues() {
	scores := []float64{0.1, 0.4, 0.3, 0.2}
	chosen := moe.TopK(scores, 2)
	fmt.Println(chosen, moe.GateValues(scores, chosen))
	// Output:
	// [1 2] [0.4 0.3]
}

// DeepSeek-V3 makes the weights of the chosen experts sum to 1, and then multiplies them by 2.5.
func ExampleNormalizeWeights() {
	g := moe.NormalizeWeights([]float64{0.75, 0.25, 0.25}, 0)
	fmt.Printf("%.2f\n", g)
	fmt.Printf("%.2f\n", moe.ScaleWeights(g, 2.5))
	// Output:
	// [0.60 0.20 0.20]
	// [1.50 0.50 0.50]
}

// Six experts in three groups, of which a token may go to one: the group with the best two experts
// together, which here is not the one with the best expert.
func ExampleLimitGroups() {
	scores := []float64{0.9, 0.1, 0.5, 0.6, 0.2, 0.3}
	groups := moe.GroupScoresTop2(scores, 3)
	kept := moe.TopK(groups, 1)
	limited := moe.LimitGroups(scores, 3, kept)
	fmt.Printf("groups %.1f, kept %v\n", groups, kept)
	fmt.Printf("scores %.1f\n", limited)
	fmt.Println("chosen", moe.TopK(limited, 2))
	// Output:
	// groups [1.0 1.1 0.5], kept [1]
	// scores [-Inf -Inf 0.5 0.6 -Inf -Inf]
	// chosen [3 2]
}

// The first expert was chosen too often, and its bias is negative: now the second is chosen. What
// it weighs is its score, without a bias.
func ExampleBiasedScores() {
	scores, bias := []float64{0.6, 0.5}, []float64{-0.2, 0}
	ranked := moe.BiasedScores(scores, bias)
	chosen := moe.TopK(ranked, 1)
	fmt.Printf("ranked %.1f, chosen %v, weight %.1f\n", ranked, chosen, moe.GateValues(scores, chosen))
	// Output:
	// ranked [0.4 0.5], chosen [1], weight [0.5]
}

// Two of three experts, by scores of ½, ¾ and ¼; weights sum to 2.5. With a bias another expert is
// chosen, by the same scores.
func ExampleGate_Route() {
	gate := moe.Gate{Score: moe.SigmoidScores, TopK: 2, Normalize: true, Scale: 2.5}
	logits := []float64{0, math.Log(3), -math.Log(3)}
	for _, bias := range [][]float64{nil, {-0.5, 0, 0}} {
		chosen, weights := gate.Route(logits, bias)
		fmt.Printf("bias %.1f: chosen %v, weights %.3f\n", bias, chosen, weights)
	}
	// Output:
	// bias []: chosen [1 0], weights [1.500 1.000]
	// bias [-0.5 0.0 0.0]: chosen [1 2], weights [1.875 0.625]
}

// A shared expert, which every token has, and one of eight: the token is nearest to the centroid of
// expert 2, which gives three times what the first does.
func ExampleLayer_Output() {
	experts := eightExperts()
	centroids := mat.NewDense(8, 2, nil)
	centroids.SetRow(2, []float64{1, 0})
	layer := moe.Layer{
		Gate:      moe.Gate{Score: moe.SigmoidScores, TopK: 1, Normalize: true, Scale: 1},
		Centroids: centroids, Routed: experts, Shared: experts[:1],
	}
	u := []float64{1, 0}
	fmt.Printf("shared %.3f\n", experts[0].Output(u))
	fmt.Printf("routed %.3f\n", experts[2].Output(u))
	fmt.Printf("y      %.3f, with the residual %.3f\n", layer.Output(u), layer.Forward(u))
	// Output:
	// shared [0.731 0.000]
	// routed [2.193 0.000]
	// y      [2.924 0.000], with the residual [3.924 0.000]
}

// Four tokens and two experts, α = 1: where loads are even the loss is 1, and more where the expert
// that is fuller has the higher scores too.
func ExampleExpertLoss() {
	scores := mat.NewDense(4, 2, []float64{0.75, 0.25, 0.75, 0.25, 0.75, 0.25, 0.75, 0.25})
	for _, indices := range [][][]int{{{0}, {1}, {0}, {1}}, {{0}, {0}, {0}, {1}}, {{0}, {0}, {0}, {0}}} {
		fmt.Println("loads", moe.Loads(indices, 2), "f", moe.RelativeLoads(indices, 2),
			"P", moe.MeanScores(scores), "loss", moe.ExpertLoss(scores, indices, 1))
	}
	// Output:
	// loads [2 2] f [1 1] P [0.75 0.25] loss 1
	// loads [3 1] f [1.5 0.5] P [0.75 0.25] loss 1.25
	// loads [4 0] f [2 0] P [0.75 0.25] loss 1.5
}

// Two sequences of two tokens, each with an expert of its own: even over the batch, which is all
// that ExpertLoss sees, and as uneven as can be in each sequence.
func ExampleSequenceLoss() {
	scores := mat.NewDense(4, 2, []float64{0.75, 0.25, 0.75, 0.25, 0.25, 0.75, 0.25, 0.75})
	indices := moe.TopKRows(scores, 1)
	fmt.Println("chosen", indices)
	fmt.Println("over the batch", moe.ExpertLoss(scores, indices, 1))
	fmt.Println("in a sequence ", moe.SequenceLoss(scores, indices, 2, 1))
	// Output:
	// chosen [[0] [0] [1] [1]]
	// over the batch 1
	// in a sequence  1.5
}

// How far the fullest of four experts is above the mean, in units of the mean.
func ExampleMaxVio() {
	for _, load := range [][]int{{4, 4, 4, 4}, {8, 4, 4, 0}, {16, 0, 0, 0}} {
		fmt.Println(load, moe.MaxVio(load))
	}
	// Output:
	// [4 4 4 4] 0
	// [8 4 4 0] 1
	// [16 0 0 0] 3
}

// Too full: down by γ. Too empty: up by γ, however empty.
func ExampleBiasSign() {
	fmt.Printf("%+.3f\n", moe.BiasSign([]float64{0, 0, 0, 0}, []int{7, 2, 2, 1}, 0.001))
	// Output:
	// [-0.001 +0.001 +0.001 +0.001]
}

// Two tokens go to two of three experts each. The rows that are sent are those of expert 0, then of
// 1, then of 2; pair n K + k is token n for its k-th expert.
func ExampleDispatch() {
	order, counts := moe.Dispatch([][]int{{1, 0}, {1, 2}}, 3)
	fmt.Println("rows of each expert", counts)
	for j, pair := range order {
		fmt.Println("row", j, "is token", pair/2, "for its expert number", pair%2)
	}
	// Output:
	// rows of each expert [1 2 1]
	// row 0 is token 0 for its expert number 1
	// row 1 is token 0 for its expert number 0
	// row 2 is token 1 for its expert number 0
	// row 3 is token 1 for its expert number 1
}

// Tokens are sent to experts that give back what they get, and what comes back is weighed: weights
// of ¼ and ¾ make the token again.
func ExampleCombine() {
	x := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
	order, _ := moe.Dispatch([][]int{{1, 0}, {1, 2}}, 3)
	rows := moe.DispatchRows(x, order, 2)
	y := moe.Combine(rows, order, [][]float64{{0.25, 0.75}, {0.25, 0.75}})
	fmt.Println("sent    ", mat.Col(nil, 0, rows))
	fmt.Println("combined", y.RawRowView(0), y.RawRowView(1))
	// Output:
	// sent     [1 1 3 3]
	// combined [1 2] [3 4]
}

// The activation of the gate is nearly its input on the right, and nearly nothing on the left.
func ExampleSiLU() {
	for _, z := range []float64{-8, -1, 0, 1, 8} {
		fmt.Printf("silu(%2v) = %7.4f\n", z, moe.SiLU(z))
	}
	// Output:
	// silu(-8) = -0.0027
	// silu(-1) = -0.2689
	// silu( 0) =  0.0000
	// silu( 1) =  0.7311
	// silu( 8) =  7.9973
}

// One expert of one inner unit: W2 · silu(W1 u) · (W3 u) with W1 u = 1 and W3 u = 2.
func ExampleExpert_Output() {
	e := moe.Expert{
		W1: mat.NewDense(1, 2, []float64{1, 0}), W3: mat.NewDense(1, 2, []float64{0, 1}),
		W2: mat.NewDense(2, 1, []float64{1, 10}),
	}
	fmt.Printf("2 silu(1) = %.4f\n", 2*moe.SiLU(1))
	fmt.Printf("output %.4f\n", e.Output([]float64{1, 2}))
	// Output:
	// 2 silu(1) = 1.4621
	// output [1.4621 14.6212]
}

// How well three experts suit two tokens: products with their centroids.
func ExampleLogits() {
	u := mat.NewDense(2, 2, []float64{1, 0, 1, 2})
	e := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 1, 1})
	z := moe.Logits(u, e)
	fmt.Println(z.RawRowView(0), z.RawRowView(1))
	// Output:
	// [1 0 1] [1 2 3]
}

// Expert i of eight gives i+1 times what the first does. Two of them, with their weights: the
// second with ¼ and the sixth with ¾ are 5 times the first together.
func ExampleRoutedOutput() {
	u, experts := []float64{1, 0}, eightExperts()
	fmt.Printf("first  %.4f\n", experts[0].Output(u))
	fmt.Printf("routed %.4f\n", moe.RoutedOutput(u, experts, []int{1, 5}, []float64{0.25, 0.75}))
	// Output:
	// first  [0.7311 0.0000]
	// routed [3.6553 0.0000]
}

// Shared experts have no weights: their outputs are added, 1 and 2 times that of the first.
func ExampleSharedOutput() {
	u, experts := []float64{1, 0}, eightExperts()
	fmt.Printf("first  %.4f\n", experts[0].Output(u))
	fmt.Printf("shared %.4f\n", moe.SharedOutput(u, experts[:2]))
	// Output:
	// first  [0.7311 0.0000]
	// shared [2.1932 0.0000]
}

// With the residual: what enters the layer is added to what its experts make. A layer without
// routed experts is a dense one.
func ExampleLayer_Forward() {
	dense, u := moe.Layer{Shared: eightExperts()[:1]}, []float64{1, 5}
	fmt.Printf("%.4f of the layer, %.4f with the residual\n", dense.Output(u), dense.Forward(u))
	// Output:
	// [0.7311 0.0000] of the layer, [1.7311 5.0000] with the residual
}

// DeepSeekMoE's gate takes the six best of a softmax. Of eight experts with logits log 1 … log 8
// these have 3 to 8 of 36 shares, and weights are not made to sum to 1.
func ExampleDeepSeekMoEGate() {
	logits := make([]float64, 8)
	for i := range logits {
		logits[i] = math.Log(float64(i + 1))
	}
	chosen, weights := moe.DeepSeekMoEGate().Route(logits, nil)
	for k, i := range chosen {
		fmt.Printf("expert %d has %.0f/36\n", i, 36*weights[k])
	}
	// Output:
	// expert 7 has 8/36
	// expert 6 has 7/36
	// expert 5 has 6/36
	// expert 4 has 5/36
	// expert 3 has 4/36
	// expert 2 has 3/36
}

// DeepSeek-V3's gate on 256 experts, whose logits grow by 1/64 from one to the next: the four best
// of eight groups are the last ones, and the eight best experts lie in the very last. Their weights
// are even, nearly, and sum to 2.5.
func ExampleDeepSeekV3Gate() {
	logits := make([]float64, 256)
	for i := range logits {
		logits[i] = float64(i) / 64
	}
	chosen, weights := moe.DeepSeekV3Gate().Route(logits, nil)
	fmt.Println(chosen)
	fmt.Printf("%.4f\n", weights)
	// Output:
	// [255 254 253 252 251 250 249 248]
	// [0.3128 0.3127 0.3126 0.3126 0.3125 0.3124 0.3123 0.3122]
}

// Four tokens choose two of four experts each: loads in tokens, and over their mean of 2.
func ExampleRelativeLoads() {
	indices := [][]int{{0, 1}, {0, 2}, {0, 1}, {0, 1}}
	fmt.Println(moe.Loads(indices, 4), moe.RelativeLoads(indices, 4))
	// Output:
	// [4 3 1 0] [2 1.5 0.5 0]
}

// The mean score of each expert over two tokens.
func ExampleMeanScores() {
	fmt.Println(moe.MeanScores(mat.NewDense(2, 2, []float64{0.75, 0.25, 0.25, 0.75})))
	fmt.Println(moe.MeanScores(mat.NewDense(2, 2, []float64{0.75, 0.25, 0.75, 0.25})))
	// Output:
	// [0.5 0.5]
	// [0.75 0.25]
}

// Which of two groups is better? The one with the best expert, says V2; the one with the best two,
// says V3.
func ExampleGroupScoresTop2() {
	scores := []float64{0.75, 0.125, 0.5, 0.5}
	fmt.Println("best of each group  ", moe.GroupScoresMax(scores, 2))
	fmt.Println("two best of each    ", moe.GroupScoresTop2(scores, 2))
	// Output:
	// best of each group   [0.75 0.5]
	// two best of each     [0.875 1]
}

// Two devices with two experts each. Loads are uneven between experts, and even between devices:
// DeviceLoss sees nothing to even out.
func ExampleDeviceLoss() {
	scores := mat.NewDense(4, 4, []float64{
		0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0,
	})
	indices, device := [][]int{{0}, {0}, {2}, {2}}, []int{0, 0, 1, 1}
	fmt.Println("loads", moe.Loads(indices, 4))
	fmt.Println("of experts", moe.ExpertLoss(scores, indices, 1))
	fmt.Println("of devices", moe.DeviceLoss(scores, indices, device, 1))
	// Output:
	// loads [2 0 2 0]
	// of experts 2
	// of devices 1
}

// Each of two tokens has both its experts on one device, or one on either: the work is the same,
// and twice as much is sent.
func ExampleCommunicationLoss() {
	scores := mat.NewDense(2, 4, []float64{0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25})
	device := []int{0, 0, 1, 1}
	for _, indices := range [][][]int{{{0, 1}, {2, 3}}, {{0, 2}, {1, 3}}} {
		fmt.Println(indices, "sent", moe.RelativeSentLoads(indices, device, 2),
			"loss", moe.CommunicationLoss(scores, indices, device, 2, 1))
	}
	// Output:
	// [[0 1] [2 3]] sent [0.5 0.5] loss 0.5
	// [[0 2] [1 3]] sent [1 1] loss 1
}

// Where each pair of the token and its k-th expert lies among the rows that were sent.
func ExampleInverseOrder() {
	order, _ := moe.Dispatch([][]int{{2, 0}, {1, 2}}, 3)
	fmt.Println("order  ", order)
	fmt.Println("inverse", moe.InverseOrder(order, 4))
	// Output:
	// order   [1 2 0 3]
	// inverse [2 0 1 3]
}
