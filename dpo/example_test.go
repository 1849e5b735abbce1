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
