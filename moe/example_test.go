package moe_test

import (
	"fmt"

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
