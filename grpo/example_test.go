package grpo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"unicode"

	"gonum.org/v1/gonum/mat"

	"plumbline/grpo"
	"plumbline/policy"
)

// Four outputs to one question are right, wrong, wrong and right. Each is compared with the others;
// then the methods differ in how hard a token is pushed whose ratio has left 1.
func Example() {
	rewards := make([]float64, 4)
	for i, response := range []string{`It is \boxed{4}.`, `It is \boxed{5}.`, `Five.`, `\boxed{4}`} {
		rewards[i] = grpo.Accuracy(response, "4")
	}
	fmt.Println("rewards        ", rewards)
	fmt.Println("advantages     ", grpo.Normalize(rewards, grpo.Population, 0))
	fmt.Println("without std    ", grpo.Centered(rewards))
	fmt.Println("worth learning?", grpo.Informative(rewards))

	fmt.Println("ratio  A   clip-higher  GPPO  CISPO")
	for _, a := range []float64{1, -1} {
		for _, r := range []float64{0.5, 1, 1.5} {
			_, clip := grpo.ClipHigher(r, a, 0.2, 0.28)
			_, gppo := grpo.GPPO(r, a, 0.2, 0.28)
			_, cispo := grpo.CISPO(r, -1, a, 0.2, 0.28)
			fmt.Printf("%5.1f %+2.0f %13.2f %5.2f %6.2f\n", r, a, 0-clip, 0-gppo, 0-cispo)
		}
	}
	// Output:
	// rewards         [1 0 0 1]
	// advantages      [1 -1 -1 1]
	// without std     [0.5 -0.5 -0.5 0.5]
	// worth learning? true
	// ratio  A   clip-higher  GPPO  CISPO
	//   0.5 +1          0.50  0.50   0.80
	//   1.0 +1          1.00  1.00   1.00
	//   1.5 +1          0.00  1.28   1.28
	//   0.5 -1          0.00 -0.80  -0.80
	//   1.0 -1         -1.00 -1.00  -1.00
	//   1.5 -1         -1.50 -1.50  -1.28
}

// Outputs to two questions in one batch: each is compared with the outputs to its own question, so
// that it does not matter how large the rewards of a question are.
func ExampleAdvantage() {
	rewards, group := []float64{1, 10, 0, 20}, []int{0, 1, 0, 1}
	fmt.Println(grpo.Advantage(rewards, group, grpo.Population, 0))
	// Output:
	// [1 -1 -1 1]
}

// To divide by the standard deviation makes a rare success, or a rare failure, count more; Dr. GRPO
// does not divide.
func ExampleCentered() {
	for _, rewards := range [][]float64{{1, 0, 0, 0}, {1, 1, 0, 0}} {
		fmt.Printf("%v: centered %.2f, normalised %.2f\n",
			rewards, grpo.Centered(rewards), grpo.Normalize(rewards, grpo.Population, 0))
	}
	// Output:
	// [1 0 0 0]: centered [0.75 -0.25 -0.25 -0.25], normalised [1.73 -0.58 -0.58 -0.58]
	// [1 1 0 0]: centered [0.50 0.50 -0.50 -0.50], normalised [1.00 1.00 -1.00 -1.00]
}

// Each reward less the mean of the others: 1 less 4, 2 less 3.5, 6 less 1.5.
func ExampleRLOO() {
	fmt.Println(grpo.RLOO([]float64{1, 2, 6}))
	// Output:
	// [-3 -1.5 4.5]
}

// A token with advantage 1 that is twice as likely as in the reference. At ratio 1 both parts pull;
// beyond the clip at 1.2 the divergence alone does.
func ExampleGRPO() {
	logprob, ref := math.Log(0.5), math.Log(0.25)
	for _, r := range []float64{1, 1.5} {
		loss, dlogprob := grpo.GRPO(r, 1, logprob, ref, 0.2, 0.1)
		fmt.Printf("ratio %v: loss %.4f, gradient %.2f\n", r, loss, dlogprob)
	}
	// Output:
	// ratio 1: loss -0.9807, gradient -0.95
	// ratio 1.5: loss -1.1807, gradient 0.05
}

// An output of two tokens whose ratios are 4 and 1: the output's is their geometric mean, 2, and
// both tokens have the same gradient, or none.
func ExampleBatch_SequenceLoss() {
	row := func(x ...float64) *mat.Dense { return mat.NewDense(1, 2, x) }
	mask := row(1, 1)
	b := grpo.Batch{
		LogProb: row(math.Log(0.5), math.Log(0.5)), Old: row(math.Log(0.125), math.Log(0.5)),
		Mask: mask, Weights: policy.TokenWeights(mask, policy.SequenceMean, 0),
	}
	for _, a := range []float64{-1, 1} {
		b.Advantage = row(a, a)
		loss, d := b.SequenceLoss(func(s, a float64) (float64, float64) { return grpo.ClipHigher(s, a, 0.2, 0.28) })
		fmt.Printf("A %2v: loss %.2f, gradient %.2f\n", a, loss, d.RawRowView(0))
	}
	// Output:
	// A -1: loss 2.00, gradient [1.00 1.00]
	// A  1: loss -1.28, gradient [0.00 0.00]
}

// The ratio is clipped and then weighs the policy gradient: a token beyond the clip still learns.
func ExampleCISPO() {
	for _, r := range []float64{0.5, 1, 2} {
		_, clip := grpo.ClipHigher(r, 1, 0.2, 0.28)
		_, dlogprob := grpo.CISPO(r, math.Log(0.5), 1, 0.2, 0.28)
		fmt.Printf("ratio %v: gradient %.2f, of the clip %.2f\n", r, dlogprob, clip)
	}
	// Output:
	// ratio 0.5: gradient -0.80, of the clip -0.50
	// ratio 1: gradient -1.00, of the clip -1.00
	// ratio 2: gradient -1.28, of the clip 0.00
}

// Beyond the clip GPPO has the clip's loss, and the gradient of its edge, where the clip has none.
func ExampleGPPO() {
	for _, c := range [][2]float64{{2, 1}, {0.5, -1}} {
		loss, clip := grpo.ClipHigher(c[0], c[1], 0.2, 0.28)
		gppo, dlogratio := grpo.GPPO(c[0], c[1], 0.2, 0.28)
		fmt.Printf("ratio %v, A %2v: loss %.2f and %.2f, gradient %.2f and %.2f\n",
			c[0], c[1], loss, gppo, clip, dlogratio)
	}
	// Output:
	// ratio 2, A  1: loss -1.28 and -1.28, gradient 0.00 and -1.28
	// ratio 0.5, A -1: loss 0.80 and 0.80, gradient 0.00 and 0.80
}

// Ratios of 4 and 1 are 2 for the output as a whole, and it is clipped as a whole: nothing more is
// learnt from a good output that has become so likely, and a bad one is pushed down in both tokens.
func ExampleGSPO() {
	logprob, old := []float64{math.Log(0.5), math.Log(0.5)}, []float64{math.Log(0.125), math.Log(0.5)}
	mask := []float64{1, 1}
	fmt.Printf("s = %.2f\n", policy.SequenceRatio(logprob, old, mask, 0))
	for _, a := range []float64{-1, 1} {
		loss, dlogprob := grpo.GSPO(logprob, old, mask, a, 0.2, 0.28)
		fmt.Printf("A %2v: loss %.2f, gradient %.2f\n", a, loss, dlogprob)
	}
	// Output:
	// s = 2.00
	// A -1: loss 2.00, gradient [1.00 1.00]
	// A  1: loss -1.28, gradient [0.00 0.00]
}

// Groups that are all right or all wrong teach nothing: five are sampled until two are found.
func ExampleDynamicSampling() {
	groups := [][]float64{{1, 1}, {1, -1}, {-1, -1}, {-1, -1}, {-1, 1}, {1, -1}}
	batch, sampled := grpo.DynamicSampling(slices.Values(groups), 2)
	fmt.Println(batch, "of", sampled)
	// Output:
	// [[1 -1] [-1 1]] of 5
}

// DAPO's lengths: free up to 16384 tokens, then ever worse up to 20480, and −1 beyond.
func ExampleOverlongPenalty() {
	for _, length := range []int{16384, 17408, 18432, 20480, 30000} {
		fmt.Println(length, "tokens:", grpo.OverlongPenalty(length, 20480, 4096))
	}
	// Output:
	// 16384 tokens: 0
	// 17408 tokens: -0.25
	// 18432 tokens: -0.5
	// 20480 tokens: -1
	// 30000 tokens: -1
}

// The rules of R1-Zero: the answer in its box, and thinking in its tags.
func ExampleRuleReward() {
	for _, response := range []string{
		`<think>2 + 2</think> It is \boxed{4}.`,
		`<think>2 + 2</think> It is \boxed{5}.`,
		`\boxed{4}`,
	} {
		accuracy, format := grpo.Accuracy(response, "4"), grpo.Format(response)
		fmt.Println("accuracy", accuracy, "format", format, "reward", grpo.RuleReward(accuracy, format))
	}
	// Output:
	// accuracy 1 format 1 reward 2
	// accuracy 0 format 1 reward 1
	// accuracy 1 format 0 reward 1
}

// R1's last stage adds everything up: a response that is right in every respect has 3, and less if
// a quarter of its words are of another language. The third is one that a model has judged.
func ExampleTotalReward() {
	fmt.Println(grpo.TotalReward(grpo.RuleReward(1, 1), 0, 1))
	fmt.Println(grpo.TotalReward(grpo.RuleReward(1, 1), 0, 0.75))
	fmt.Println(grpo.TotalReward(0, grpo.GeneralReward(0.5, 1), 1))
	// Output:
	// 3
	// 2.75
	// 2.5
}

// One question with four answers, of which the last is right. The policy begins with all alike, and
// each iteration samples groups of eight.
func ExampleAlgorithm_Train() {
	a := grpo.Algorithm{Iterations: 3, Steps: 4, Updates: 2, Outputs: 8, Eps: 0.2, Beta: 0.04, Rate: 1}
	right := func(_, answer int) float64 {
		if answer == 3 {
			return 1
		}
		return 0
	}
	_, progress := a.Train(mat.NewDense(1, 4, nil), right, rand.New(rand.NewPCG(1, 2)))
	for i, p := range progress {
		fmt.Printf("iteration %d: right in %.2f of all cases, %.2f nats from its reference\n", i+1, p.Reward, p.KL)
	}
	// Output:
	// iteration 1: right in 0.80 of all cases, 0.68 nats from its reference
	// iteration 2: right in 0.93 of all cases, 0.06 nats from its reference
	// iteration 3: right in 0.97 of all cases, 0.02 nats from its reference
}

// Rewards 1, 1, 0 and 0 have mean ½ and standard deviation ½; that of a sample divides by G − 1.
// Where all are alike there is nothing to learn.
func ExampleNormalize() {
	rewards := []float64{1, 1, 0, 0}
	fmt.Printf("%.3f\n", grpo.Normalize(rewards, grpo.Population, 0))
	fmt.Printf("%.3f\n", grpo.Normalize(rewards, grpo.Sample, 0))
	fmt.Printf("%.3f\n", grpo.Normalize([]float64{1, 1, 1, 1}, grpo.Population, 0))
	// Output:
	// [1.000 1.000 -1.000 -1.000]
	// [0.866 0.866 -0.866 -0.866]
	// [0.000 0.000 0.000 0.000]
}

// DAPO lets a good token rise to 1.28 before it is clipped, and a bad one fall to 0.8.
func ExampleClipHigher() {
	for _, r := range []float64{0.75, 1, 1.25, 1.5} {
		_, good := grpo.ClipHigher(r, 1, 0.2, 0.28)
		_, bad := grpo.ClipHigher(r, -1, 0.2, 0.28)
		fmt.Println("ratio", r, "gradient of a good token", good, "of a bad one", bad)
	}
	// Output:
	// ratio 0.75 gradient of a good token -0.75 of a bad one 0
	// ratio 1 gradient of a good token -1 of a bad one 1
	// ratio 1.25 gradient of a good token -1.25 of a bad one 1.25
	// ratio 1.5 gradient of a good token 0 of a bad one 1.5
}

// Two outputs, of one token and of three: by the mean over outputs a token of the long one has a
// third of the weight, by the mean over tokens all have the same.
func ExampleBatch_TokenLoss() {
	mask := mat.NewDense(2, 3, []float64{1, 0, 0, 1, 1, 1})
	b := grpo.Batch{
		LogProb: mat.NewDense(2, 3, nil), Old: mat.NewDense(2, 3, nil), Mask: mask,
		Advantage: mat.NewDense(2, 3, []float64{1, 0, 0, -2, -2, -2}),
	}
	for _, how := range []policy.Aggregation{policy.SequenceMean, policy.TokenMean} {
		b.Weights = policy.TokenWeights(mask, how, 0)
		loss, d := b.TokenLoss(policy.Unclipped)
		fmt.Printf("%v: loss %.2f, gradients %.3f and %.3f\n", how, loss, d.At(0, 0), d.At(1, 0))
	}
	// Output:
	// sequence_mean: loss 0.50, gradients -0.500 and 0.333
	// token_mean: loss 1.25, gradients -0.250 and 0.500
}

// As DeepSeek-V3 prints it, the ratio is that of the whole output: two tokens that are each 1.2
// times as likely are 1.44 times together, beyond a clip at 1.2.
func ExampleSequence() {
	logprob, old := []float64{math.Log(0.6), math.Log(0.6)}, []float64{math.Log(0.5), math.Log(0.5)}
	loss, dlogprob := grpo.Sequence(logprob, old, old, []float64{1, 1}, 1, 0.2, 0)
	fmt.Printf("loss %.2f, gradient %.2f\n", loss, dlogprob)
	// Output:
	// loss -1.20, gradient [0.00 0.00]
}

// A word is a run of letters, or one letter of a script that is written without spaces: two of four
// are Latin here.
func ExampleLanguageConsistency() {
	latin := grpo.InScript(unicode.Latin)
	fmt.Println(grpo.Words("so x = 答案"), grpo.LanguageConsistency("so x = 答案", latin))
	// Output:
	// [so x 答 案] 0.5
}
