package op

import (
	"slices"

	"gonum.org/v1/gonum/mat"
)

var (
	tokenLossOutput = Tensor{
		Name: "token_loss", Shape: sequenceShape, Axes: sequenceAxes,
		Doc: "loss of each token with its divergence, before any weight",
	}
	sequenceLossOutput = Tensor{
		Name: "sequence_loss", Shape: []string{"N"}, Axes: []string{"sequence"},
		Doc: "sum of the tokens' losses over each sequence, before any divisor; of one without tokens nothing is " +
			"judged",
	}
)

// lossParts returns the losses of tokens and their sums over sequences.
func lossParts(losses *mat.Dense, mask mat.Matrix) []expectation {
	n, _ := losses.Dims()
	sums := expectation{
		name: sequenceLossOutput.Name, truth: make([]float64, n), shape: []int{n}, unjudged: slices.Repeat([]bool{true}, n),
	}
	eachJudged(mask, func(i, t int) {
		sums.unjudged[i] = false
		sums.truth[i] += losses.At(i, t)
	})
	return []expectation{batchOf(tokenLossOutput.Name, losses, mask), sums}
}

// single is an output without axes.
func single(name string, x float64) expectation {
	return expectation{name: name, truth: []float64{x}, shape: []int{}}
}
