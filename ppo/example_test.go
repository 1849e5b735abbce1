package ppo_test

import (
	"fmt"

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
