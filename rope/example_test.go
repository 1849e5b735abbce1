package rope_test

import (
	"fmt"

	"gonum.org/v1/gonum/floats"

	"plumbline/rope"
)

// A score knows how far apart query and key stand, not where; stretching a context slows the slow
// pairs only.
func Example() {
	theta := rope.Frequencies(4, 10000)
	cos, sin := rope.Table([]float64{7, 3, 1007, 1003}, theta)
	q, k := []float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}
	for _, pair := range [][2]int{{0, 1}, {2, 3}} {
		m, n := pair[0], pair[1]
		qm := rope.Rotate(q, cos.RawRowView(m), sin.RawRowView(m), rope.Interleaved)
		kn := rope.Rotate(k, cos.RawRowView(n), sin.RawRowView(n), rope.Interleaved)
		fmt.Printf("score %.9f\n", floats.Dot(qm, kn))
	}

	deepseek := rope.YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	before, after := rope.Frequencies(64, 10000), rope.YaRNFrequencies(64, 10000, deepseek)
	for _, i := range []int{0, 16, 31} {
		fmt.Printf("pair %2d turns at %.3f of its speed\n", i, after[i]/before[i])
	}
	fmt.Printf("scores are multiplied by %.4f\n", deepseek.ScoreFactor())

	// Output:
	// score 7.039630664
	// score 7.039630664
	// pair  0 turns at 1.000 of its speed
	// pair 16 turns at 0.550 of its speed
	// pair 31 turns at 0.025 of its speed
	// scores are multiplied by 1.8739
}
