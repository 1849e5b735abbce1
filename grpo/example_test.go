package grpo_test

import (
	"fmt"

	"plumbline/grpo"
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
