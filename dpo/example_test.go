package dpo_test

import (
	"fmt"
	"math"

	"plumbline/dpo"
)

// Three responses to one prompt have rewards. The best policy for them is known, it implies the
// rewards, and the loss that knows preferences alone is least there.
func Example() {
	logref := []float64{math.Log(0.5), math.Log(0.3), math.Log(0.2)}
	rewards, beta := []float64{0, 1, 2}, 0.5

	best := dpo.Optimum(logref, rewards, beta)
	for y, l := range best {
		fmt.Printf("response %d: from %.2f to %.4f, implied reward %+.4f\n",
			y, math.Exp(logref[y]), math.Exp(l), dpo.ImplicitReward(l, logref[y], beta))
	}
	fmt.Printf("objective %.6f = β log Z %.6f\n",
		dpo.Objective(best, logref, rewards, beta), beta*dpo.LogPartition(logref, rewards, beta))

	// How often 2 is preferred to 0, and the mean loss of the policy for that pair when it falls
	// out so often.
	p := dpo.Preference(rewards[2], rewards[0])
	for _, margin := range []float64{0, 2, 4, 6} {
		right, _ := dpo.SigmoidLoss(margin, beta, 0)
		wrong, _ := dpo.SigmoidLoss(-margin, beta, 0)
		fmt.Printf("margin %.0f: loss %.6f\n", margin, p*right+(1-p)*wrong)
	}
	fmt.Printf("margin of the best policy: %.4f\n", best[2]-logref[2]-(best[0]-logref[0]))
	// Output:
	// response 0: from 0.50 to 0.0367, implied reward -1.3064
	// response 1: from 0.30 to 0.1626, implied reward -0.3064
	// response 2: from 0.20 to 0.8008, implied reward +0.6936
	// objective 1.306369 = β log Z 1.306369
	// margin 0: loss 0.693147
	// margin 2: loss 0.432465
	// margin 4: loss 0.365334
	// margin 6: loss 0.406196
	// margin of the best policy: 4.0000
}

// Only the difference of two rewards counts: log 3 wins three comparisons of four.
func ExamplePreference() {
	for _, r := range []float64{0, 100} {
		fmt.Printf("%.2f\n", dpo.Preference(r+math.Log(3), r))
	}
	// Output:
	// 0.75
	// 0.75
}

// Two responses that the reference finds alike, with rewards 0 and log 3. The smaller β, the
// further the best policy goes.
func ExampleOptimum() {
	logref := []float64{math.Log(0.5), math.Log(0.5)}
	for _, beta := range []float64{1, 0.5} {
		best := dpo.Optimum(logref, []float64{0, math.Log(3)}, beta)
		fmt.Printf("β = %v: %.2f and %.2f\n", beta, math.Exp(best[0]), math.Exp(best[1]))
	}
	// Output:
	// β = 1: 0.25 and 0.75
	// β = 0.5: 0.10 and 0.90
}

// A response that has become twice as likely as in the reference has an implicit reward of β log 2.
func ExampleImplicitReward() {
	for _, beta := range []float64{1, 0.1} {
		fmt.Printf("β = %v: %.4f\n", beta, dpo.ImplicitReward(math.Log(0.5), math.Log(0.25), beta))
	}
	// Output:
	// β = 1: 0.6931
	// β = 0.1: 0.0693
}

// At the reference the margin is 0, the loss log 2 and the pull β/2; a margin of log 3, the right
// way round, leaves half of the pull, and the wrong way round makes it half as large again.
func ExampleSigmoidLoss() {
	for _, h := range []float64{-math.Log(3), 0, math.Log(3)} {
		loss, dh := dpo.SigmoidLoss(h, 1, 0)
		fmt.Printf("margin %7.4f: loss %.4f, gradient %.2f\n", h, loss, dh)
	}
	// Output:
	// margin -1.0986: loss 1.3863, gradient -0.75
	// margin  0.0000: loss 0.6931, gradient -0.50
	// margin  1.0986: loss 0.2877, gradient -0.25
}

// Two pairs: the policy has learnt the first, and stands at the reference in the second, which
// therefore pulls harder. Responses that were rejected are pushed down alike.
func ExamplePairs_Loss() {
	pairs := dpo.Pairs{
		Chosen: []float64{-2 + math.Log(3), -5}, Rejected: []float64{-4, -6},
		RefChosen: []float64{-2, -5}, RefRejected: []float64{-4, -6},
	}
	loss, dchosen, drejected := pairs.Loss(func(h float64) (float64, float64) { return dpo.SigmoidLoss(h, 1, 0) })
	fmt.Printf("margins %.4f, loss %.4f\n", pairs.Margins(), loss)
	fmt.Printf("gradients %.3f of the chosen, %.3f of the rejected\n", dchosen, drejected)
	// Output:
	// margins [1.0986 0.0000], loss 0.4904
	// gradients [-0.125 -0.250] of the chosen, [0.125 0.250] of the rejected
}

// IPO asks for one margin, 1/(2τ) = 1 here, and pulls back from a larger one.
func ExampleIPO() {
	for _, h := range []float64{0, 1, 2} {
		loss, dh := dpo.IPO(h, 0.5)
		fmt.Println("margin", h, "loss", loss, "gradient", dh)
	}
	// Output:
	// margin 0 loss 1 gradient -2
	// margin 1 loss 0 gradient 0
	// margin 2 loss 1 gradient 2
}

// Rewards log 1, log 2 and log 3: the best is first in 3 of 6 cases, and the second then before the
// worst in 2 of 3.
func ExamplePlackettLuce() {
	r := []float64{math.Log(1), math.Log(2), math.Log(3)}
	for _, tau := range [][]int{{2, 1, 0}, {0, 1, 2}} {
		fmt.Printf("%v: 1/%.0f\n", tau, math.Exp(-dpo.PlackettLuce(r, tau)))
	}
	// Output:
	// [2 1 0]: 1/3
	// [0 1 2]: 1/15
}

// At the reference all six rankings of three are alike likely; the best is pulled up, and the worst
// down.
func ExamplePlackettLuceLoss() {
	loss, d := dpo.PlackettLuceLoss([]float64{0, 0, 0}, []int{2, 1, 0}, 1)
	fmt.Printf("loss log %.0f, gradient %.3f\n", math.Exp(loss), d)
	// Output:
	// loss log 6, gradient [0.833 -0.167 -0.667]
}
