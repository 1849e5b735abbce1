package rope_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

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

// Four pairs with a base of 10000: the first turns by a radian a token, each next ten times slower.
func ExampleFrequencies() {
	for i, theta := range rope.Frequencies(8, 10000) {
		fmt.Printf("pair %d: %.3f radians a token, a turn in %.0f tokens\n", i, theta, rope.Wavelength(theta))
	}
	// Output:
	// pair 0: 1.000 radians a token, a turn in 6 tokens
	// pair 1: 0.100 radians a token, a turn in 63 tokens
	// pair 2: 0.010 radians a token, a turn in 628 tokens
	// pair 3: 0.001 radians a token, a turn in 6283 tokens
}

// Two pairs, the first turned by 90°, the second by 180°. Where the elements of a pair stand is the
// layout: side by side, or half the width apart.
func ExampleRotate() {
	cos, sin := []float64{0, -1}, []float64{1, 0}
	fmt.Println(rope.Rotate([]float64{1, 2, 3, 4}, cos, sin, rope.Interleaved))
	fmt.Println(rope.Rotate([]float64{1, 3, 2, 4}, cos, sin, rope.Half))
	// Output:
	// [-2 1 -3 -4]
	// [-2 -3 1 -4]
}

// A quarter of a turn and a sixth, as one matrix: a block of 2 × 2 on the diagonal for each pair.
func ExampleMatrix() {
	r := rope.Matrix([]float64{math.Pi / 2, math.Pi / 6}, 1)
	for i := range 4 {
		for j := range 4 {
			fmt.Printf("%7.3f", math.Round(1000*r.At(i, j))/1000+0) // + 0 makes 0 of −0
		}
		fmt.Println()
	}
	var y mat.VecDense
	y.MulVec(r, mat.NewVecDense(4, []float64{1, 2, 0, 2}))
	fmt.Printf("(1, 2, 0, 2) becomes (%.2f, %.2f, %.2f, %.2f)\n", y.AtVec(0), y.AtVec(1), y.AtVec(2), y.AtVec(3))
	// Output:
	//   0.000 -1.000  0.000  0.000
	//   1.000  0.000  0.000  0.000
	//   0.000  0.000  0.866 -0.500
	//   0.000  0.000  0.500  0.866
	// (1, 2, 0, 2) becomes (-2.00, 1.00, -1.00, 1.73)
}

// Interleaved pairs are brought into halves; a score does not notice it, as long as query and key
// are permuted alike.
func ExamplePermute() {
	q, k := []float64{1, 2, 3, 4, 5, 6}, []float64{6, 5, 4, 3, 2, 1}
	fmt.Println(rope.Permute(q), rope.Permute(k))
	fmt.Println(floats.Dot(q, k), floats.Dot(rope.Permute(q), rope.Permute(k)), floats.Dot(rope.Permute(q), k))
	// Output:
	// [1 3 5 2 4 6] [6 4 2 5 3 1]
	// 56 56 61
}

// DeepSeek-V3 stretches a context of 4096 tokens by 40: pairs that turn often in it keep their
// frequency, those that never come round are slowed by 40, and in between it goes over.
func ExampleYaRNFrequencies() {
	y := rope.YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	low, high := rope.CorrectionRange(64, 10000, y)
	fmt.Printf("from pair %v to pair %v\n", low, high)
	before, after := rope.Frequencies(64, 10000), rope.YaRNFrequencies(64, 10000, y)
	for _, i := range []int{9, 10, 16, 22, 23, 31} {
		fmt.Printf("pair %2d makes %6.2f turns, is slowed by %5.2f\n",
			i, rope.Rotations(before[i], 4096), before[i]/after[i])
	}
	// Output:
	// from pair 10 to pair 23
	// pair  9 makes  48.89 turns, is slowed by  1.00
	// pair 10 makes  36.66 turns, is slowed by  1.00
	// pair 16 makes   6.52 turns, is slowed by  1.82
	// pair 22 makes   1.16 turns, is slowed by 10.00
	// pair 23 makes   0.87 turns, is slowed by 40.00
	// pair 31 makes   0.09 turns, is slowed by 40.00
}

// What DeepSeek multiplies scores by in a stretched context, with the weight 0.707 in V2 and 1 in
// V3: squared, as it belongs to the query and to the key.
func ExampleMScale() {
	for _, s := range []float64{1, 10, 40} {
		v2, v3 := rope.MScale(s, 0.707), rope.MScale(s, 1)
		fmt.Printf("%2v times as long: V2 %.4f, V3 %.4f, squared %.4f\n", s, v2, v3, v3*v3)
	}
	// Output:
	// 1 times as long: V2 1.0000, V3 1.0000, squared 1.0000
	// 10 times as long: V2 1.1628, V3 1.2303, squared 1.5135
	// 40 times as long: V2 1.2608, V3 1.3689, squared 1.8739
}

// Three positions and two pairs, of which one turns by 60° a token and the other not at all.
func ExampleTable() {
	cos, sin := rope.Table([]float64{0, 1, 2}, []float64{math.Pi / 3, 0})
	for m := range 3 {
		fmt.Printf("position %d: cos %6.3f, sin %.3f\n", m, cos.RawRowView(m), sin.RawRowView(m))
	}
	// Output:
	// position 0: cos [ 1.000  1.000], sin [0.000 0.000]
	// position 1: cos [ 0.500  1.000], sin [0.866 0.000]
	// position 2: cos [-0.500  1.000], sin [0.866 0.000]
}

// A pair that turns by 0.1 radians a token, in a context stretched four times: it is slowed by 4,
// or keeps its frequency, or anything between.
func ExampleByParts() {
	for _, gamma := range []float64{0, 0.5, 1} {
		fmt.Printf("γ = %v: %.4f\n", gamma, rope.ByParts(0.1, gamma, 4))
	}
	// Output:
	// γ = 0: 0.0250
	// γ = 0.5: 0.0625
	// γ = 1: 0.1000
}

// How much of its own frequency a pair keeps, where it goes over from pair 10 to pair 20.
func ExampleGammaByIndex() {
	for _, i := range []int{9, 10, 15, 18, 20, 31} {
		fmt.Printf("pair %2d: γ = %.1f\n", i, rope.GammaByIndex(i, 10, 20))
	}
	// Output:
	// pair  9: γ = 1.0
	// pair 10: γ = 1.0
	// pair 15: γ = 0.5
	// pair 18: γ = 0.2
	// pair 20: γ = 0.0
	// pair 31: γ = 0.0
}
