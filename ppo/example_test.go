package ppo_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
	"plumbline/ppo"
)

// An answer of three tokens with a score of 1 at its end: rewards, advantages, and one step's loss
// after the policy has moved.
func Example() {
	old, ref := []float64{-1, -2, -0.5}, []float64{-1, -1, -0.5}
	mask := []float64{1, 1, 1}
	rewards := ppo.TokenRewards(1, old, ref, mask, 0.1)
	fmt.Printf("rewards    %5.2f\n", rewards)

	values := []float64{0.5, 0.5, 0.5}
	advantage, returns := ppo.GAE(rewards, values, mask, 0, 1, 0.95)
	fmt.Printf("advantages %5.2f\n", advantage)
	fmt.Printf("returns    %5.2f\n", returns)

	row := func(x []float64) *mat.Dense { return mat.NewDense(1, 3, x) }
	o := ppo.Options{Low: 0.2, High: 0.2, Aggregation: policy.SequenceMean}
	for _, moved := range [][]float64{old, {-0.5, -2, -1}} {
		loss, d := ppo.Loss(row(moved), row(old), row(advantage), row(mask), o)
		fmt.Printf("loss %.3f, gradient %6.3f\n", loss, d.RawRowView(0))
	}
	// Output:
	// rewards    [ 0.00  0.10  1.00]
	// advantages [ 0.55  0.57  0.50]
	// returns    [ 1.05  1.07  1.00]
	// loss -0.540, gradient [-0.182 -0.192 -0.167]
	// loss -0.511, gradient [ 0.000 -0.192 -0.101]
}

// A reward of 1 at the end of three tokens, where ½ was expected all along: λ says how far back the
// surprise goes.
func ExampleGAE() {
	rewards, values := []float64{0, 0, 1}, []float64{0.5, 0.5, 0.5}
	for _, lambda := range []float64{0, 0.5, 1} {
		advantage, returns := ppo.GAE(rewards, values, nil, 0, 1, lambda)
		fmt.Println("λ =", lambda, "advantages", advantage, "returns", returns)
	}
	// Output:
	// λ = 0 advantages [0 0 0.5] returns [0.5 0.5 1]
	// λ = 0.5 advantages [0.125 0.25 0.5] returns [0.625 0.75 1]
	// λ = 1 advantages [0.5 0.5 0.5] returns [1 1 1]
}

// An advantage of 2, and nothing to hold the ratio back: the loss falls as far as the ratio goes.
func ExampleSurrogate() {
	for _, r := range []float64{1, 1.5, 100} {
		loss, dlogprob := ppo.Surrogate(r, 2)
		fmt.Println("ratio", r, "loss", loss, "gradient", dlogprob)
	}
	// Output:
	// ratio 1 loss -2 gradient -2
	// ratio 1.5 loss -3 gradient -3
	// ratio 100 loss -200 gradient -200
}

// With a clip of ¼ nothing more is gained from a good token beyond 1.25, and from a bad one below
// 0.75; above 1.25 a bad one is still pulled back.
func ExampleClip() {
	for _, c := range [][2]float64{{1, 2}, {1.5, 2}, {0.5, -2}, {1.5, -2}} {
		loss, dlogprob := ppo.Clip(c[0], c[1], 0.25, 0.25)
		fmt.Println("ratio", c[0], "advantage", c[1], "loss", loss, "gradient", dlogprob)
	}
	// Output:
	// ratio 1 advantage 2 loss -2 gradient -2
	// ratio 1.5 advantage 2 loss -2.5 gradient 0
	// ratio 0.5 advantage -2 loss 1.5 gradient 0
	// ratio 1.5 advantage -2 loss 3 gradient 3
}

// A bad token that has become ten times as likely has ten times the loss; with the second clip at 3
// it has three times the loss, and no gradient.
func ExampleDualClip() {
	for _, c := range []float64{0, 3} {
		for _, r := range []float64{2, 10} {
			loss, dlogprob := ppo.DualClip(r, -1, 0.25, 0.25, c)
			fmt.Println("c =", c, "ratio", r, "loss", loss, "gradient", dlogprob)
		}
	}
	// Output:
	// c = 0 ratio 2 loss 2 gradient 2
	// c = 0 ratio 10 loss 10 gradient 10
	// c = 3 ratio 2 loss 2 gradient 2
	// c = 3 ratio 10 loss 3 gradient 0
}

// A score of 1, less β for each nat that the token is likelier than in the reference.
func ExampleKLReward() {
	ref := math.Log(0.25)
	for _, p := range []float64{0.25, 0.5, 1} {
		fmt.Printf("π = %.2f: reward %.4f\n", p, ppo.KLReward(1, math.Log(p), ref, 0.1))
	}
	// Output:
	// π = 0.25: reward 1.0000
	// π = 0.50: reward 0.9307
	// π = 1.00: reward 0.8614
}

// The return is 1. A value that has moved too far from that of the sampler, 3, counts as if it had
// moved by ½ alone, if that is worse.
func ExampleValueLoss() {
	for _, value := range []float64{3, 2, 1} {
		loss, d := ppo.ValueLoss(value, 1)
		clipped, dclipped := ppo.ValueLossClipped(value, 3, 1, 0.5)
		fmt.Println("value", value, "loss", loss, "gradient", d, "clipped", clipped, dclipped)
	}
	// Output:
	// value 3 loss 2 gradient 2 clipped 2 2
	// value 2 loss 0.5 gradient 1 clipped 1.125 0
	// value 1 loss 0 gradient 0 clipped 1.125 0
}

// The better answer has a score higher by log 3, which stands for ¾ of all comparisons won; equal
// scores stand for half.
func ExampleRewardModelLoss() {
	for _, better := range []float64{0, math.Log(3)} {
		loss, dscores := ppo.RewardModelLoss([]float64{better, 0})
		fmt.Printf("scores %.4f and 0: loss %.4f, gradient %.2f\n", better, loss, dscores)
	}
	// Output:
	// scores 0.0000 and 0: loss 0.6931, gradient [-0.50 0.50]
	// scores 1.0986 and 0: loss 0.2877, gradient [-0.25 0.25]
}

// The advantage as a sum of errors, each half of what the one before it counts, and as a mixture of
// all k-step estimates: the same.
func ExampleGAESum() {
	rewards, values := []float64{0, 0, 1}, []float64{0.5, 0.5, 0.5}
	for k := 1; k <= 3; k++ {
		fmt.Println(k, "steps:", ppo.KStep(rewards, values, 0, 0, k, 1))
	}
	fmt.Println("sum    ", ppo.GAESum(rewards, values, 0, 0, 1, 0.5))
	fmt.Println("mixture", ppo.GAEMixture(rewards, values, 0, 0, 1, 0.5))
	// Output:
	// 1 steps: 0
	// 2 steps: 0
	// 3 steps: 0.5
	// sum     0.125
	// mixture 0.125
}

// The score of an answer stands at its last token; what leaving the reference costs stands at each.
func ExampleTokenRewards() {
	logprob, ref, mask := []float64{-1, -1, -2, -9}, []float64{-1, -2, -1, -1}, []float64{1, 1, 1, 0}
	fmt.Println(ppo.TokenRewards(5, logprob, ref, mask, 0.5))
	// Output:
	// [0 -0.5 5.5 0]
}

// The policy's loss, half of the value's, and a bonus for entropy.
func ExampleCombined() {
	fmt.Println(ppo.Combined(1, 4, 2, 0.5, 0.25))
	// Output:
	// 2.5
}
